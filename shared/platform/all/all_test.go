package all_test

import (
	"strings"
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

// Each platform has a page that a shop owner can follow: text, with the call that makes
// the account.
func TestAdapters_haveGuides(t *testing.T) {
	t.Parallel()
	for name, adapter := range all.Adapters {
		guided, ok := adapter.(platform.Guided)
		if !ok {
			t.Errorf("%s has no guide", name)
			continue
		}
		guide := guided.Guide()
		if !strings.Contains(guide, "PUT /v1/accounts/") || strings.Contains(guide, "\n//") || strings.Contains(guide, "package "+name) {
			t.Errorf("%s: %q", name, guide)
		}
	}
}
