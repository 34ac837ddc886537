package rest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnmarshal_namesTheMemberThatIsTwice(t *testing.T) {
	t.Parallel()
	for body, names := range map[string]string{
		`{"a":1,"a":1}`:                  "a",
		`{"a":{"b":[{},{"c":1,"c":2}]}}`: "a.b.1.c",
		`{"a":1,"\u0061":2}`:             "a",
		"{\"\xff\":1,\"\\ufffd\":2}":     "\ufffd",
		`{"":1,"":2}`:                    "",

		`{"` + strings.Repeat("é", 300) + `":1,"` + strings.Repeat("é", 300) + `":2}`: strings.Repeat("é", 200),
	} {
		var into any
		err := unmarshal([]byte(body), &into)
		if err == nil || !strings.HasPrefix(err.Error(), names+" is there twice") || into != nil {
			t.Errorf("%s: %v, and read %v", body, err, into)
		}
	}
	for _, body := range []string{`{"a":{"c":1},"b":{"c":1}}`, `[{"a":1},{"a":2}]`, `{"a":1,"A":2}`, "{\"a\":\"\xff\"}"} {
		if err := unmarshal([]byte(body), new(any)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzUnmarshal holds that a body is read as encoding/json reads it, and refused besides only
// if an object names a member twice.
func FuzzUnmarshal(f *testing.F) {
	for _, body := range []string{`{"a":1,"a":2}`, `{"a":[{"b":1,"\u0062":1}]}`, `{"a":{"b":1},"b":1}`, "{\"\xff\":1,\"\xfe\":1}", `{"\ud800":1,"\ufffd":2}`, `[1] 2`, `{"a":"`, ``} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want any
		err := unmarshal(body, &got)
		if json.Unmarshal(body, &want) != nil {
			if err == nil {
				t.Errorf("%q was read", body)
			}
			return
		}
		if twice := namesTwice(json.NewDecoder(bytes.NewReader(body))); (err != nil) != twice {
			t.Errorf("%q: %v; it names a member twice: %v", body, err, twice)
		}
		if err == nil && !cmp.Equal(want, got) {
			t.Errorf("%q was read as %v", body, got)
		}
	})
}

// namesTwice reports whether an object of the next value, which is valid, names a member
// twice.
func namesTwice(d *json.Decoder) (twice bool) {
	switch open, _ := d.Token(); open {
	case json.Delim('{'):
		names := map[any]bool{}
		for d.More() {
			name, _ := d.Token()
			twice = twice || names[name]
			names[name] = true
			twice = namesTwice(d) || twice
		}
		d.Token()
	case json.Delim('['):
		for d.More() {
			twice = namesTwice(d) || twice
		}
		d.Token()
	}
	return twice
}
