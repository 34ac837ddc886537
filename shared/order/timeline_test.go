package order_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A timeline tells what the record of a line knows among what its history does, by time, and
// what comes by itself last, though it may come at once.
func TestTimeline(t *testing.T) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	line := order.Fulfillment{
		Line: "1", Pool: "elden", Account: "shop", BroughtBy: "catchup", ReceivedAt: noon,
		Quantity: 5, Wanted: 5, Allocated: 4, Claimed: 1, Filled: 3, FilledAt: at(20),
		Mail: outbox.Entry{State: outbox.Due, Kind: outbox.Delay, Number: 1, TryAt: at(1)},
	}
	history := []order.History{
		{At: at(10), Event: order.Held, By: "ada", Code: "looks odd"},
		{At: at(30), Event: order.MailSent, By: "deliver", Mail: 1, MessageID: "ses-1"},
	}
	want := []order.Entry{
		{Line: "1", At: noon, What: "received", By: "catchup"},
		{Line: "1", At: noon, What: "keys-taken", By: "catchup", Keys: 1, Pool: "elden"},
		{Line: "1", At: noon, What: "queued", By: "catchup", Keys: 1, Pool: "elden"},
		{Line: "1", At: at(10), What: "held", By: "ada", Code: "looks odd"},
		{Line: "1", At: at(20), What: "keys-taken", By: "fill", Keys: 3, Pool: "elden"},
		{Line: "1", At: at(30), What: "mail-sent", By: "deliver", Mail: 1, MessageID: "ses-1"},
		{Line: "1", At: at(1), What: "mail-tried", Ahead: true},
		{Line: "1", At: at(60), What: "needs-attention", Ahead: true},
	}
	if diff := cmp.Diff(want, line.Timeline(history, at(31))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	byHand := order.Fulfillment{Line: "1", Pool: "elden", BroughtBy: "api", ReceivedAt: noon, Quantity: 1, Wanted: 1, Allocated: 1, Claimed: 1}
	want = []order.Entry{
		{Line: "1", At: noon, What: "keys-taken", By: "api", Keys: 1, Pool: "elden"},
		{Line: "1", At: noon, What: "fulfilled-by-hand", By: "ada"},
	}
	if diff := cmp.Diff(want, byHand.Timeline([]order.History{{At: noon, Event: order.ByHand, By: "ada"}}, at(1))); diff != "" {
		t.Errorf("by hand, -want +got:\n%s", diff)
	}
	if got := (order.Fulfillment{Expected: true, ReceivedAt: noon}).Timeline(nil, noon); len(got) > 0 {
		t.Errorf("a line that was not paid: %+v", got)
	}
}

// A line counts the keys that it took when it was paid, and those that came while it waited;
// one that is replaced is neither.
func TestAllocate_counts(t *testing.T) {
	keys := func(names ...string) (all []pool.Key) {
		for _, name := range names {
			all = append(all, pool.Key{ID: pool.KeyID(name)})
		}
		return all
	}
	change := order.NewLine(order.Fulfillment{Pool: "elden", Quantity: 3, Wanted: 3, ReceivedAt: noon})
	change.Allocate(keys("a"), noon)
	for n, name := range []string{"b", "c"} {
		change = order.ChangeOf(change.After)
		change.Allocate(keys(name), noon.Add(time.Duration(n+1)*time.Hour))
	}
	change = order.ChangeOf(change.After)
	if err := change.Release(order.Release{Key: "a", To: order.Revoke}); err != nil {
		t.Fatal(err)
	}
	change.Allocate(keys("d"), noon.Add(9*time.Hour))
	if f := change.After; f.Claimed != 1 || f.Filled != 2 || !f.FilledAt.Equal(noon.Add(2*time.Hour)) || f.Allocated != 3 {
		t.Errorf("claimed %d, filled %d until %s, holds %d", f.Claimed, f.Filled, f.FilledAt, f.Allocated)
	}
}
