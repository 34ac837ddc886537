package problem_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"keypool/shared/problem"
)

func TestProblem_isAPageForABrowser(t *testing.T) {
	p := problem.New(422, "These <settings> cannot be used.", problem.Place{Message: "it is needed", Location: "body.title"})
	for accept, page := range map[string]bool{
		"":    false,
		"*/*": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"application/json":                      false,
		"application/problem+json, text/html":   false,
		"application/json;q=0.5, text/html":     true,
		"TEXT/HTML ; q=0.5":                     true,
		"text/html;q=0":                         false,
		"application/json, text/html;q=0.9":     false,
		"image/avif,image/webp,*/*":             false,
		"text/html;q=many":                      true,
		"application/xhtml+xml;q=0.2, text/css": true,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		p.Write(w, r)
		contentType := problem.ContentType
		if page {
			contentType = "text/html; charset=utf-8"
		}
		if got := w.Header().Get("Content-Type"); w.Code != 422 || got != contentType {
			t.Errorf("Accept %q: %d %s, want %s", accept, w.Code, got, contentType)
		}
		if !page {
			var got problem.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !reflect.DeepEqual(&got, p) {
				t.Errorf("Accept %q: %s, %v", accept, w.Body, err)
			}
			continue
		}
		for _, want := range []string{"<title>Unprocessable Entity</title>", "These &lt;settings&gt; cannot be used.", "body.title: it is needed"} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("Accept %q: the page does not hold %q:\n%s", accept, want, w.Body)
			}
		}
	}
}
