package main

import (
	"os/exec"
	"strings"
	"testing"
)

// No function has a platform's library or what tests and the one-machine run are made of,
// by whichever way it would come.
func TestFunctions_haveNoVendorsLibrary(t *testing.T) {
	for _, name := range packagesOfFunctions(t) {
		for _, vendor := range append([]string{"github.com/standard-webhooks", "keypool/infra"}, vendors...) {
			if strings.HasPrefix(name, vendor) {
				t.Errorf("functions are made of %s", name)
			}
		}
	}
}

// No function has a package of the SDK that describes all shapes of its service while the
// program starts, whether they are used or not. That of DynamoDB pays for itself, in less
// work for each call.
func TestFunctions_describeNoWholeService(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	services := 0
	for _, name := range packagesOfFunctions(t) {
		if strings.HasPrefix(name, sdk) {
			services++
		}
		if strings.HasSuffix(name, "/schemas") && !strings.HasPrefix(name, sdk+"dynamodb") {
			t.Errorf("functions are made of %s: use the release of that service that go.mod names, or show by `make bench ONLY=start` that each start takes no longer", name)
		}
	}
	if services < 5 {
		t.Errorf("functions are made of %d packages of services", services)
	}
}

// packagesOfFunctions returns all packages that the functions are made of.
func packagesOfFunctions(t *testing.T) []string {
	t.Helper()
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
	return all
}
