package canary

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func logged(text string) string {
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Error("refused", "error", errors.New(text))
	return log.String()
}

func TestSet_findsASecretInEveryForm(t *testing.T) {
	for name, write := range map[string]func(string) string{
		"plain":            func(s string) string { return s },
		"capitals":         strings.ToUpper,
		"hex":              func(s string) string { return fmt.Sprintf("%x", s) },
		"HEX":              func(s string) string { return fmt.Sprintf("%X", s) },
		"bytes":            func(s string) string { return fmt.Sprint([]byte("of " + s + "!")) },
		"JSON":             func(s string) string { b, _ := json.Marshal(map[string]string{"a": s}); return string(b) },
		"a log":            logged,
		"quoted":           func(s string) string { return fmt.Sprintf("%q", s) },
		"quoted, in a log": func(s string) string { return logged(fmt.Sprintf("no such thing: %q", s)) },
		"JSON, in a log":   func(s string) string { b, _ := json.Marshal([]string{s}); return logged(string(b)) },
		"a path":           func(s string) string { return (&url.URL{Path: "/a b/" + s}).String() },
		"a path's part":    url.PathEscape,
		"URL":              func(s string) string { return url.QueryEscape("a b=" + s + "&c") },
		"base64":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 + 1":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte("." + s + "...")) },
		"base64 + 2":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte(".." + s + "..")) },
		"base64 URL":       func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("\xff\xfe\xfd" + s)) },
	} {
		t.Run(name, func(t *testing.T) {
			var set Set
			kept := "a \"secret?>\xff~ of\n\x00 sömebody\\ else's"
			set.Add(Secret, kept)
			for _, c := range []struct{ secret, kind string }{{set.New(Key), Key}, {set.Address(Customer), Customer}, {kept, Secret}} {
				text := "before " + write(c.secret) + " after"
				if found := set.Find(text); !slices.Equal(found, []string{c.kind}) {
					t.Errorf("found %v, want a %s", found, c.kind)
				}
				if found := set.Find(text, c.kind); found != nil {
					t.Errorf("found %v, which may be there", found)
				}
			}
			if found := set.Find("before " + write("nothing to be told here") + " after"); found != nil {
				t.Errorf("found %v where there is none", found)
			}
			if set.Len() != 3 {
				t.Errorf("%d canaries, want 3", set.Len())
			}
		})
	}
}
