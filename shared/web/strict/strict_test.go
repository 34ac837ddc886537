package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestType(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": JSON, "application/json": JSON, "application/json; charset=utf-8": JSON,
		"application/yaml": YAML, "Application/YAML; charset=utf-8": YAML, "application/x-yaml": YAML, "text/yaml": YAML,
		"text/plain": "", "application/xml": "", "yaml": "", ";": "",
	} {
		if got, ok := Type(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", header, got, ok)
		}
	}
}

const asYAML = `# how it is
pools:
  elden:
    title: Elden
    low_stock: 25
products:
  4711:
    title: "4711"
    delivers_from: 2026-11-23T09:30:00Z
    on: true
    none: ~
    texts:
      - subject: a
        body: |
          first

          second
`

const asJSON = `{
  "pools": {"elden": {
    "title": "Elden",
    "low_stock": 25}},
  "products": {
    "4711": {
      "title": "4711", "delivers_from": "2026-11-23T09:30:00Z", "on": true, "none": null,
      "texts": [{"subject": "a", "body": "first\n\nsecond\n"}]
    }
  }
}`

// A document says the same in YAML and in JSON, and each value has its line.
func TestRead(t *testing.T) {
	t.Parallel()
	y, mistakes, err := Read(YAML, []byte(asYAML))
	if err != nil || mistakes != nil {
		t.Fatal(mistakes, err)
	}
	j, mistakes, err := Read(JSON, []byte(asJSON))
	if err != nil || mistakes != nil {
		t.Fatal(mistakes, err)
	}
	if diff := cmp.Diff(said(t, j.JSON), said(t, y.JSON)); diff != "" {
		t.Error(diff)
	}
	for path, lines := range map[string][2]int{
		"":                               {2, 1},
		"pools":                          {2, 2},
		"pools.elden.title":              {4, 3},
		"pools.elden.low_stock":          {5, 4},
		"pools.elden.shards":             {3, 2}, // is not there
		"products.4711.texts[0].body":    {14, 8},
		"products.4711.texts[0].subject": {13, 8},
		"review.rules":                   {2, 1},
	} {
		if got := [2]int{y.Line(path), j.Line(path)}; got != lines {
			t.Errorf("%s: lines %v, want %v", path, got, lines)
		}
	}
}

func said(t testing.TB, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return v
}

func TestRead_tellsEachMemberThatIsTwice(t *testing.T) {
	t.Parallel()
	for media, body := range map[string]string{
		YAML: "a: 1\nb:\n  c: 1\n  'c': 2\na: 2\n",
		JSON: "{\"a\": 1,\n\"b\": {\n\"c\": 1,\n\"\\u0063\": 2},\n\"a\": 2}",
	} {
		_, mistakes, err := Read(media, []byte(body))
		for i := range mistakes {
			mistakes[i].Message, _, _ = strings.Cut(mistakes[i].Message, ":")
		}
		if diff := cmp.Diff([]Mistake{{"b.c", 4, "is there twice"}, {"a", 5, "is there twice"}}, mistakes); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", media, err, diff)
		}
	}
}

// What cannot be read is refused with its line, and none of its text.
func TestRead_refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		media, body string
		line        int
		says        string
	}{
		"no JSON":            {JSON, "{\n\"a\": secret}", 2, "not JSON from here"},
		"JSON cut short":     {JSON, "{\n\"a\": 1", 2, "not JSON"},
		"nothing":            {JSON, "", 1, "not JSON"},
		"two values":         {JSON, "{}\n{}", 2, "more than one"},
		"deep JSON":          {JSON, strings.Repeat("[", 200) + strings.Repeat("]", 200), 1, "in each other"},
		"no YAML":            {YAML, "a: secret\n b: [", 2, "not YAML from here"},
		"no YAML document":   {YAML, "# secret\n", 0, "empty"},
		"two YAML documents": {YAML, "a: 1\n---\nb: 2\n", 2, "more than one"},
		"an anchor":          {YAML, "a: &x 1\n", 1, "an anchor"},
		"an alias":           {YAML, "b: 1\na: &x 1\nc: *x\n", 2, "an anchor"},
		"a merge":            {YAML, "a:\n  <<: {b: 1}\n", 2, "no plain text"},
		"a name of parts":    {YAML, "a: 1\n[b]: 2\n", 2, "no plain text"},
		"a tag":              {YAML, "a: !secret b\n", 1, "a tag"},
		"a tag of a list":    {YAML, "a: !secret [b]\n", 1, "a tag"},
		"a tag of a mapping": {YAML, "a: !secret {b: c}\n", 1, "a tag"},
		"binary":             {YAML, "a: !!binary c2VjcmV0\n", 1, "a tag"},
		"an odd number":      {YAML, "a: 0x10\n", 1, "a number"},
		"no number":          {YAML, "a: .nan\n", 1, "a number"},
		"deep YAML":          {YAML, strings.Repeat("[", 200) + strings.Repeat("]", 200), 1, "in each other"},
	} {
		_, _, err := Read(c.media, []byte(c.body))
		var wrong *SyntaxError
		if !errors.As(err, &wrong) || wrong.Line != c.line || !strings.Contains(wrong.Message, c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want line %d and %q", name, err, c.line, c.says)
		}
	}
}

// What older readers of YAML take for true or false is quoted, so that a file that one of them
// has read and written is the same: Python's reads 1.1.
func TestWrite_textsThatAreNoBooleans(t *testing.T) {
	t.Parallel()
	for _, word := range strings.Fields("on off On OFF yes no Yes NO y n Y N true null 1984 1e3 2026-12-23") {
		written, err := Write(YAML, []byte(`{"a":{"`+word+`":"`+word+`"}}`))
		if want := fmt.Sprintf("a:\n  %[1]q: %[1]q\n", word); err != nil || string(written) != want {
			t.Errorf("%s: %q, %v, want %q", word, written, err, want)
		}
	}
	if written, err := Write(YAML, []byte(`{"none":"offer"}`)); err != nil || string(written) != "none: offer\n" {
		t.Errorf("%q, %v", written, err)
	}
}

// FuzzWrite holds that whatever JSON says is read back from YAML as it was.
func FuzzWrite(f *testing.F) {
	for _, body := range []string{
		asJSON, `{"a":"b\r\nc","on":"on","":" x","y":["1","~","null","1.0","0x1","- a","a: b","# a","\u0085","\ufeff"," a\n b"]}`,
		`{"a":"x\n","b":"\nx","c":"x\n\n","d":"a \nb","e":"\ta\nb","f":"é\n日本","g":"2026-11-23"}`, `[1, 1.50, -0, 1e400, 12345678901234567890, true, null, "\ud83d\ude00\u0000"]`,
		`{"<<":{"a":1},"=":"=","!a":"!a","&a":"*a","%":"%","@":"` + "`" + `","{":"}"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		want, mistakes, err := Read(JSON, []byte(body))
		if err != nil || mistakes != nil {
			return
		}
		written, err := Write(YAML, want.JSON)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		got, mistakes, err := Read(YAML, written)
		if err != nil || mistakes != nil {
			t.Fatalf("%s: %v %v\n%s", body, err, mistakes, written)
		}
		if diff := cmp.Diff(numbered(t, want.JSON), numbered(t, got.JSON)); diff != "" {
			t.Errorf("%s\n%s", diff, written)
		}
	})
}

// numbered decodes JSON with its numbers as they are written.
func numbered(t testing.TB, raw []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzRead holds that nothing that is sent does harm, and that what is read is JSON.
func FuzzRead(f *testing.F) {
	for _, body := range []string{asYAML, asJSON, "a: &x [*x]", "? a\n: b", "--- |\n a", "%YAML 1.2\n---\na: b", "a: 'b", "\xff", "a: \"\\xff\"", "[[[", "a:\tb"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, media := range []string{JSON, YAML} {
			d, _, err := Read(media, []byte(body))
			if err == nil && !json.Valid(d.JSON) {
				t.Errorf("%s: %q was read as %q", media, body, d.JSON)
			}
		}
	})
}
