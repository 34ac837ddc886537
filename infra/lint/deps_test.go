package main

import (
	"os/exec"
	"strings"
	"testing"
)

// No function has a platform's library or what tests and the one-machine run are made of,
// by whichever way it would come.
func TestFunctions_haveNoVendorsLibrary(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./functions/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	if len(all) < 100 {
		t.Fatalf("functions are made of %d packages", len(all))
	}
	for _, name := range all {
		for _, vendor := range append([]string{"github.com/standard-webhooks", "keypool/infra"}, vendors...) {
			if strings.HasPrefix(name, vendor) {
				t.Errorf("functions are made of %s", name)
			}
		}
	}
}
