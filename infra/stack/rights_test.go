package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRights_dump(t *testing.T) {
	a := templates()
	for _, id := range []string{"Ingest", "OrderPaid", "Fill", "Deliver", "Stock", "Sweep", "Api"} {
		t.Logf("%q:", id)
		role := a.pipeline.resources[id+"Role"]
		for _, line := range statements(role.Properties["Policies"].([]any)[0].(map[string]any)["PolicyDocument"]) {
			t.Logf("%s", line)
		}
	}
	_ = maps.Keys[map[string]int]
	_ = slices.Sort[[]int]
	_ = strings.Split
	_ = cmp.Diff
}
