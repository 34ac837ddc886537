package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"keypool/infra/proof/resttest"
	"keypool/shared/pool"
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

// What is said of a parameter stands in a tag, which cannot take its number from pool.MaxName.
func TestDocument_lengthOfNames(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name   string
				Schema struct{ MaxLength int }
			}
		}
	}
	if err := json.Unmarshal(content, &said); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path, operations := range said.Paths {
		for _, operation := range operations {
			for _, p := range operation.Parameters {
				if !slices.Contains([]string{"pool", "account", "person"}, p.Name) {
					continue
				}
				seen++
				if p.Schema.MaxLength != pool.MaxName {
					t.Errorf("%s: a %s is up to %d characters long, a name %d", path, p.Name, p.Schema.MaxLength, pool.MaxName)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d names looked at", seen)
	}
}
