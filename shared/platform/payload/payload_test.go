package payload_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform/payload"
)

func parse(t *testing.T, body string) payload.Value {
	t.Helper()
	v, err := payload.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

// The examples of RFC 6901, 5, as far as they point below the body.
func TestFind_rfc6901(t *testing.T) {
	t.Parallel()
	body := parse(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`)
	for pointer, want := range map[payload.Pointer]string{
		"/foo/0": "bar", "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4", `/i\j`: "5", `/k"l`: "6", "/ ": "7", "/m~0n": "8",
	} {
		if problem := pointer.Check(); problem != "" {
			t.Errorf("%s %s", pointer, problem)
		}
		if got, ok := body.Find(pointer).Scalar(); !ok || got != want {
			t.Errorf("%s finds %q", pointer, got)
		}
	}
	for _, pointer := range []payload.Pointer{"", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/ 0", "/foo/0/0", "/Foo", "/none/0", "/foo/9999999", "/foo/+1"} {
		if !body.Find(pointer).Missing() {
			t.Errorf("%s finds something", pointer)
		}
	}
	if got := body.Find("/foo"); got.Kind != '[' {
		t.Errorf("/foo finds %v", got)
	}
}

// ~01 is ~1 in a name, and never a slash.
func TestFind_tildes(t *testing.T) {
	t.Parallel()
	body := parse(t, `{"~1":"tilde","/":"slash"}`)
	tilde, _ := body.Find("/~01").Scalar()
	slash, _ := body.Find("/~1").Scalar()
	if tilde != "tilde" || slash != "slash" {
		t.Errorf("%q, %q", tilde, slash)
	}
}

func TestParse_refusesWhatParsersReadDifferently(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"a":1,"a":2}`:       "twice",
		`{"a":{"b":1,"b":2}}`: "twice",
		`{"a":"\ud83c"}`:      "Unicode",
		"{\"a\":\"\xff\"}":    "Unicode",
		`{"a":1}{}`:           "one JSON object",
		`[1]`:                 "one JSON object",
		`"a"`:                 "one JSON object",
		`{"a":01}`:            "no JSON",
		`{"a":NaN}`:           "no JSON",
		`{"a":1,}`:            "no JSON",
		``:                    "no JSON",
		"\ufeff\ufeff{}":      "no JSON",
	} {
		_, err := payload.Parse([]byte(body))
		var wrong *payload.SyntaxError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Problem, says) {
			t.Errorf("%s: %v, want that it says %q", body, err, says)
		}
	}
	var wrong *payload.SyntaxError
	if _, err := payload.Parse([]byte(`{"a":{"b":1,"b":2}}`)); !errors.As(err, &wrong) || wrong.At != "/a/b" {
		t.Errorf("at %v", err)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		id       string
		isID     bool
		quantity int
		isCount  bool
	}{
		`"x"`: {"x", true, 0, false}, `"12"`: {"12", true, 12, true}, `12`: {"12", true, 12, true}, `-1`: {"-1", true, -1, true},
		`9007199254740993`: {"9007199254740993", true, 1<<31 - 1, true}, `1e3`: {"", false, 0, false}, `1.50`: {"", false, 0, false}, `2.00`: {"", false, 2, true},
		`" 3.0 "`: {" 3.0 ", true, 3, true}, `true`: {"", false, 0, false}, `null`: {"", false, 0, false}, `{}`: {"", false, 0, false}, `[1]`: {"", false, 0, false},
		`""`: {"", true, 0, false}, `"٣"`: {"٣", true, 0, false},
	} {
		v := parse(t, `{"v":`+body+`}`).Find("/v")
		id, isID := v.ID()
		n, isCount := v.Quantity()
		if id != want.id || isID != want.isID || n != want.quantity || isCount != want.isCount {
			t.Errorf("%s: id %q %v, quantity %d %v", body, id, isID, n, isCount)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2026-11-25T15:00:00Z", "2026-11-25 15:00:00", "2026-11-25T16:00:00+0100", "2026-11-25 16:00:00 +01:00", "Wed, 25 Nov 2026 15:00:00 GMT", "1795618800", "1795618800000", " 2026-11-25T15:00Z ",
	} {
		if got, ok := payload.ParseTime(text); !ok || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, ok)
		}
	}
	day := time.Date(2026, 11, 25, 23, 59, 59, 0, time.UTC) // at any moment of it
	if got, ok := payload.ParseTime("2026-11-25"); !ok || !got.Equal(day) {
		t.Errorf("a day is %v, %v", got, ok)
	}
	for _, text := range []string{"", "today", "17956188", "9999-12-31T23:59:59-01:00", "25.11.2026"} {
		if got, ok := payload.ParseTime(text); ok {
			t.Errorf("%s is %v", text, got)
		}
	}
}
