package resttest

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/reference"
	"keypool/shared/web/rest"
)

var update = flag.Bool("update", false, "write the OpenAPI document anew")

// IsCurrent holds that the file openapi.json of the test's folder, which the function
// answers with, is what the operations say today. With the flag -update it writes it.
func IsCurrent(t *testing.T, api *rest.API) {
	t.Helper()
	want, err := api.Describe()
	if err != nil {
		t.Fatal(err)
	}
	IsFile(t, "openapi.json", want)
}

// IsShown holds the same of the file reference.html, the page of the operations for people.
func IsShown(t *testing.T, api *rest.API) {
	t.Helper()
	document, err := api.Describe()
	if err != nil {
		t.Fatal(err)
	}
	want, err := reference.Page(document)
	if err != nil {
		t.Fatal(err)
	}
	IsFile(t, "reference.html", want)
}

// IsFile holds that a file of the test's folder has that content. With the flag -update it
// writes it.
func IsFile(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale; run: make documents\n%s", file, diff)
	}
}
