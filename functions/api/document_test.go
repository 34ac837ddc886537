package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keypool/infra/proof/resttest"
)

func TestDocument_isCurrent(t *testing.T) {
	t.Parallel()
	resttest.IsCurrent(t, (&api{}).serve())
	resttest.IsShown(t, (&api{}).serve())
}

// The reference is a page for everybody, that loads nothing and runs nothing.
func TestReference(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	(&api{}).serve().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1", nil))
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("%d %q, %q", w.Code, w.Header().Get("Content-Type"), policy)
	}
	if !bytes.Contains(w.Body.Bytes(), []byte(`<h3 id="put-product">`)) {
		t.Error("the page does not hold the operations")
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	document.IsComplete(t, 95)
	document.ExamplesCanBeSent(t)
	document.ReferencesResolve(t)
}
