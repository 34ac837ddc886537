package mail

import (
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
)

// Each kind of notice to a merchant has a title in the list, and what leads somewhere says so.
func TestAboutNotice_everyKind(t *testing.T) {
	t.Parallel()
	for _, kind := range notice.Kinds {
		n := notice.New("acme", kind, "x", notice.Facts{Pool: "elden", Job: &notice.Job{ID: "1", Kind: job.Withdraw}, Changed: []notice.Changed{{Name: "a"}}, Count: 1, Orders: []string{"1001"}}, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
		if !n.ToMerchant() {
			continue
		}
		a := AboutNotice(n, catalog.Merchant{Name: "acme", Title: "Acme"})
		if a.Title == "" || a.Path != "" && a.Says == "" {
			t.Errorf("%s: %+v", kind, a)
		}
		t.Logf("%s: %s [%s] %s", kind, a.Title, a.Says, a.Path)
	}
}
