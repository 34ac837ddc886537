package catalog_test

import (
	"testing"

	"keypool/shared/catalog"
)

func TestCount_available(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		count catalog.Count
		want  int
	}{
		"new":                           {catalog.Count{Accepted: 10}, 10},
		"sold, withdrawn":               {catalog.Count{Accepted: 10, Taken: 3, Withdrawn: 2}, 5},
		"given back":                    {catalog.Count{Accepted: 10, Taken: 3, Revoked: 1}, 7},
		"given back, the take was lost": {catalog.Count{Accepted: 10, Taken: 0, Revoked: 4}, 6},
		"a take of several was lost":    {catalog.Count{Accepted: 10, Taken: 3, Revoked: 4, Withdrawn: 1}, 5},
	} {
		if got := test.count.Available(); got != test.want {
			t.Errorf("%s: %d keys are for sale, want %d", name, got, test.want)
		}
	}
}
