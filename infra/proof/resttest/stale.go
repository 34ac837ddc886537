package resttest

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json is stale; run: make documents\n%s", diff)
	}
}
