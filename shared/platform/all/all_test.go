package all_test

import (
	"testing"

	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/pool"
)

// An account is stored with its platform's name, and one that names none is of
// Keypool's own scheme.
func TestAdapters_haveNames(t *testing.T) {
	t.Parallel()
	for name, adapter := range all.Adapters {
		if err := pool.CheckName(name); err != nil || adapter == nil {
			t.Errorf("the adapter %q: %v, %v", name, adapter, err)
		}
	}
	if all.Adapters[platform.Standard] == nil {
		t.Error("Keypool's own scheme is missing")
	}
}
