package pool_test

import (
	"strings"
	"testing"

	"keypool/shared/pool"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "elden", "7-up", "a-", strings.Repeat("a", pool.MaxName)} {
		if err := pool.CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-a", "Elden", "a b", "a/b", "a#b", "ä", "a\n", "a-B-c", strings.Repeat("a", pool.MaxName+1)} {
		if pool.CheckName(bad) == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
}
