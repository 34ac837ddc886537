package main

import (
	"os"
	"strings"
	"testing"

	"keypool/infra/proof/results"
)

// The Makefile's targets call parts that exist, and the page has a place for
// every part that is written on it.
func TestParts_areWhatTheMakefileCalls(t *testing.T) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(checkout + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if !strings.Contains(string(makefile), "go run ./infra/proof "+p.name) {
			t.Errorf("no target of the Makefile calls %s", p.name)
		}
	}
	if err := run(t.Context(), []string{"typo"}); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("a part that does not exist: %v", err)
	}
}
