package order_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/order"
	"keypool/shared/outbox"
)

func TestAhead(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	due := outbox.Entry{}.Next(outbox.Keys, noon)
	for name, c := range map[string]struct {
		line order.Fulfillment
		want []order.Step
	}{
		"sent":       {order.Fulfillment{Pool: "elden", Wanted: 1, Allocated: 1, Mail: outbox.Entry{State: outbox.Sent}}, nil},
		"to be sent": {order.Fulfillment{Pool: "elden", Wanted: 1, Allocated: 1, Mail: due}, []order.Step{{time.Time{}, order.MailTried}, {noon.Add(outbox.SweepAfter), order.SweepLooks}}},
		"being sent": {order.Fulfillment{Pool: "elden", Wanted: 1, Allocated: 1, Mail: due.Leased(noon)}, []order.Step{{noon.Add(outbox.SweepAfter), order.SweepLooks}, {noon.Add(outbox.Lease), order.LeaseEnds}}},
		"put off":    {order.Fulfillment{Pool: "elden", Wanted: 1, Allocated: 1, Mail: due.Leased(noon).Retry("Throttling", noon)}, []order.Step{{noon.Add(time.Minute), order.MailTried}, {noon.Add(time.Minute), order.SweepLooks}}},
		"waits":      {order.Fulfillment{Pool: "elden", Wanted: 1, ReceivedAt: noon, Mail: outbox.Entry{DueAt: noon.Add(time.Minute)}}, []order.Step{{noon.Add(time.Minute), order.SweepLooks}, {noon.Add(order.WaitsLong), order.AttentionBegins}}},
		"waits long": {order.Fulfillment{Pool: "elden", Wanted: 1, ReceivedAt: noon.Add(-order.WaitsLong)}, nil},
	} {
		if diff := cmp.Diff(c.want, c.line.Ahead(noon)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
