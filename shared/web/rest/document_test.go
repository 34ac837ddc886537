package rest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDocument_answers(t *testing.T) {
	t.Parallel()
	const content = `{"openapi": "3.1.0"}`
	d := newDocument([]byte(content), "application/json")
	for name, c := range map[string]struct {
		accepts, has string
		status       int
		zipped       bool
	}{
		"plain":                   {"", "", 200, false},
		"compressed":              {"br;q=1.0, gzip;q=0.8", "", 200, true},
		"compressed, in capitals": {"GZIP", "", 200, true},
		"gzip refused":            {"gzip;q=0", "", 200, false},
		"gzip refused at length":  {"gzip; q=0.000", "", 200, false},
		"another encoding":        {"br", "", 200, false},
		"it has another":          {"gzip", `"0"`, 200, true},
		"it has this":             {"gzip", `"0", ` + d.etag(), 304, false},
		"it has this, strong":     {"", d.etag()[2:], 304, false},
		"it has any":              {"", "*", 304, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
		r.Header.Set("Accept-Encoding", c.accepts)
		r.Header.Set("If-None-Match", c.has)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("ETag") != d.etag() || w.Header().Get("Vary") != "Accept-Encoding" || w.Header().Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s: %d, %v", name, w.Code, w.Header())
		}
		if zipped := w.Header().Get("Content-Encoding") == "gzip"; zipped != c.zipped {
			t.Errorf("%s: compressed is %t", name, zipped)
		}
		if c.status != http.StatusOK {
			if w.Body.Len() > 0 {
				t.Errorf("%s: %s", name, w.Body)
			}
			continue
		}
		var body io.Reader = w.Body
		if c.zipped {
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != content || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
