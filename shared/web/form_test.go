package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/web"
)

func TestForm(t *testing.T) {
	const form, most = "application/x-www-form-urlencoded", 20
	for name, c := range map[string]struct {
		kind, body string
		want       url.Values
		err        error
	}{
		"values":                {form, "a=1&b=%C3%A4&a=2", url.Values{"a": {"1", "2"}, "b": {"ä"}}, nil},
		"with a charset":        {form + "; charset=utf-8", "a=1", url.Values{"a": {"1"}}, nil},
		"of no button":          {"", "", url.Values{}, nil},
		"as large as it may be": {form, "a=" + strings.Repeat("x", most-2), url.Values{"a": {strings.Repeat("x", most-2)}}, nil},
		"a byte larger":         {form, "a=" + strings.Repeat("x", most-1), nil, web.ErrFormLarge},
		"of no kind":            {"", "a=1", nil, web.ErrForm},
		"JSON":                  {"application/json", `{"a":1}`, nil, web.ErrForm},
		"a file's form":         {"multipart/form-data; boundary=x", "--x--", nil, web.ErrForm},
		"badly escaped":         {form, "secret=%zz", nil, web.ErrForm},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/?a=of-the-address", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		got, err := web.Form(r, most)
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if err != nil && strings.Contains(err.Error(), "zz") {
			t.Errorf("%s: the error quotes the form: %v", name, err)
		}
	}
}
