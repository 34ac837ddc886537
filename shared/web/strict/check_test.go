package strict_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/web/strict"
)

type form struct {
	Name  string          `json:"name" maxLength:"3"`
	Count *int            `json:"count,omitempty" minimum:"1" maximum:"9"`
	Mode  string          `json:"mode,omitempty" enum:"on,off"`
	Day   string          `json:"day,omitempty" format:"date"`
	At    time.Time       `json:"at,omitzero"`
	Tags  []string        `json:"tags,omitempty" maxItems:"2"`
	Parts map[string]form `json:"parts,omitempty"`
	Live  bool            `json:"live,omitempty"`
}

// Each mistake of form is told at its place and line, and what the tags allow is none.
func TestDocument_Check(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"name": "äöü", "count": 9, "mode": "off", "day": "2026-11-23", "at": "2026-11-23T09:30:00Z", "tags": ["a", "b"], "parts": {"a": {"name": ""}}, "live": true}`: nil,
		`{"name": "", "count": null, "mode": null, "at": null, "tags": null, "parts": null, "live": null}`:                                                              nil,

		`{}`:                                              {"name 1: it is needed"},
		`[]`:                                              {" 1: expected object"},
		"{\"name\": null,\n\"Name\": \"a\"}":              {"name 1: expected string", "Name 2: unexpected property"},
		"{\n\"name\": \"long\",\n\"count\": 0}":           {"name 2: expected length <= 3", "count 3: expected number >= 1"},
		`{"name": "", "count": 10}`:                       {"count 1: expected number <= 9"},
		`{"name": "", "count": 1.5}`:                      {"count 1: expected integer"},
		`{"name": "", "count": "1"}`:                      {"count 1: expected integer"},
		`{"name": "", "mode": "On"}`:                      {`mode 1: expected value to be one of "on, off"`},
		`{"name": "", "mode": ""}`:                        {`mode 1: expected value to be one of "on, off"`},
		`{"name": "", "day": "2026-02-30"}`:               {"day 1: expected string to be RFC 3339 date"},
		`{"name": "", "at": "yesterday"}`:                 {"at 1: expected string to be RFC 3339 date-time"},
		`{"name": "", "tags": "a"}`:                       {"tags 1: expected array"},
		"{\"name\": \"\", \"tags\": [\"a\",\n1,\n\"c\"]}": {"tags 1: expected array length <= 2", "tags[1] 2: expected string"},

		"{\"name\": \"\", \"parts\": {\n\"b\": {},\n\"a\": null}}": {"parts.a 3: expected object", "parts.b.name 2: it is needed"},
		`{"name": "", "live": 1}`:                                  {"live 1: expected boolean"},
	} {
		d, _, err := strict.Read(strict.JSON, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, m := range d.Check(form{}) {
			told = append(told, fmt.Sprintf("%s %d: %s", m.Path, m.Line, m.Message))
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("%s:\n%s", body, diff)
		}
	}
}
