package all_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
	"keypool/shared/platform/all"
)

func TestAdapters_oneForEachName(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(platform.Names, slices.Sorted(maps.Keys(all.Adapters))); diff != "" {
		t.Errorf("the names (-) and the adapters (+) differ:\n%s", diff)
	}
}
