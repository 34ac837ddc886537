package intake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/platform"
)

// A payment that is no order is listed, and told once however often it is reported.
func TestSkip_payments(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	for range 2 {
		for n := range 3 {
			payment := platform.Ignored{Type: "invoice.paid", Payment: fmt.Sprintf("in_%d", n), Why: "is an invoice by hand"}
			got := in.Take(t.Context(), account, payment)
			if diff := cmp.Diff([]platform.Result{{Outcome: platform.Skipped, Type: "invoice.paid"}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		now = now.Add(24 * time.Hour)
	}
	told := noticesOf(t, tables, notice.PaymentIgnored)
	if len(told) != 1 || told[0].Facts.Count != 3 {
		t.Fatalf("told %+v", told)
	}
	if first := told[0].Facts.Refused[0]; first.Order != "in_0" || first.Account != "shop-eu" || first.Cause != "is an invoice by hand" {
		t.Errorf("told of %+v", first)
	}
	listed, _, err := dynamo.Open(dynamotest.Client(t), tables).Refusals(t.Context(), "acme", "", 10)
	if err != nil || len(listed) != 3 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 0 || len(books.Lines) != 0 {
		t.Errorf("%d keys for %d lines", books.Claimed, len(books.Lines))
	}
}
