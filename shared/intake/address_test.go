package intake_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// noted keeps what was sent.
type noted struct{ sent *[]any }

func (n noted) Send(_ context.Context, message any, _ time.Duration) error {
	*n.sent = append(*n.sent, message)
	return nil
}

// An order that its platform tells no address of is on hold, without keys, and told once, be
// it on hold for another reason, too. It gets keys when the platform tells an address, and not
// because somebody releases it.
func TestPaid_withoutAnAddress(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	store := in.Records.(*dynamo.Store)
	var sent []any
	in.Claims = &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: noted{&sent}, Notices: store, By: "webhook", Now: in.Now}
	changes := &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: quiet{}, By: "webhook", Now: in.Now}
	from := account
	from.DeliversFrom = noon.Add(-time.Hour)
	bought := func(number, address string, paidAt time.Time) platform.Paid {
		p := paid(number, 1, "game", "unheard-of")
		p.PaidAt, p.ChangedAt, p.Customer.Email = paidAt, paidAt, address
		return p
	}
	line := func(number, product string) order.Fulfillment {
		t.Helper()
		id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: from.Origin, Order: number, Line: product}.ID()
		got, _, err := store.Fulfillment(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 2 {
		got := in.Apply(t.Context(), from, request, []platform.Event{bought("1", " ", noon), bought("2", "", noon.Add(-2*time.Hour))})
		is(t, got, platform.Accepted, platform.Accepted, platform.Accepted, platform.Accepted)
		for _, result := range got {
			if result.State != order.OnHold || result.Allocated != 0 {
				t.Errorf("%+v", result)
			}
		}
	}
	if held := line("1", "game"); !slices.Equal(held.Holds, []order.Hold{order.HoldNoAddress}) || !held.Mail.DueAt.IsZero() {
		t.Errorf("stored as %+v", held)
	}
	if held := line("2", "game"); !slices.Equal(held.Holds, []order.Hold{order.HoldNoAddress, order.HoldPaidBefore}) {
		t.Errorf("that from before is held for %q", held.Holds)
	}
	if told := noticesOf(t, tables, notice.PaidBefore); len(told) != 1 {
		t.Errorf("told %+v", told)
	}
	told := noticesOf(t, tables, notice.NoAddress)
	if len(told) != 1 || told[0].Facts.Count != 2 || !slices.Equal(slices.Sorted(slices.Values(told[0].Facts.Orders)), []string{"1", "2"}) || told[0].Facts.Account != "shop-eu" {
		t.Errorf("told %+v", told)
	}
	if told := noticesOf(t, tables, notice.Unconnected); len(told) != 0 || len(sent) != 0 {
		t.Errorf("told %+v, sent %v", told, sent)
	}
	if _, err := changes.Release(t.Context(), line("1", "game").ID, lifecycle.Act{By: "ada"}); !errors.Is(err, order.ErrState) {
		t.Errorf("released: %v", err)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 0 || len(books.Lines) != 4 || len(books.Queue) != 0 {
		t.Errorf("%d keys claimed for %d lines, %d wait", books.Claimed, len(books.Lines), len(books.Queue))
	}

	for i, state := range []order.State{order.Waiting, order.Waiting, order.Waiting} {
		address := []string{"ada@example.com", "ada@example.com", ""}[i]
		got := in.Apply(t.Context(), from, request, []platform.Event{bought("1", address, noon), bought("2", address, noon.Add(-2*time.Hour))})
		if is(t, got, platform.Accepted, platform.Accepted, platform.Accepted, platform.Accepted); got[0].State != state || got[1].State != order.Unconnected || got[2].State != order.OnHold {
			t.Errorf("%+v", got)
		}
	}
	live := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	if !slices.Contains(sent, any(order.FillPool(live))) || len(noticesOf(t, tables, notice.Unconnected)) != 1 {
		t.Errorf("sent %v", sent)
	}
	filler := &claim.Filler{Store: store, Bypass: store, Catalog: store, Notices: store, Now: in.Now}
	if err := filler.Fill(t.Context(), order.FillPool(live), noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := line("1", "game"); got.State() != order.Fulfilled || got.Customer.Email != "ada@example.com" || got.CustomerHash == "" || got.Mail.State != outbox.Due {
		t.Errorf("with its address, it is %+v", got)
	}
	if got := line("2", "game"); !slices.Equal(got.Holds, []order.Hold{order.HoldPaidBefore}) || got.Customer.Email != "ada@example.com" {
		t.Errorf("that from before is %+v", got)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 1 || len(books.Queue) != 1 {
		t.Errorf("%d keys claimed, %d wait", books.Claimed, len(books.Queue))
	}
}

// Nobody is told of an order without an address that holds nothing but what the merchant ignores:
// it gets no keys anyway.
func TestPaid_withoutAnAddressOfAnIgnoredProduct(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	if err := in.Records.(*dynamo.Store).PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "mug", Ignored: true}); err != nil {
		t.Fatal(err)
	}
	for number, products := range map[string][]string{"1": {"mug"}, "2": {"mug", "game"}, "3": {"unheard-of"}} {
		p := paid(number, 1, products...)
		p.ChangedAt, p.Customer.Email = noon, ""
		in.Apply(t.Context(), account, request, []platform.Event{p})
	}
	told := noticesOf(t, tables, notice.NoAddress)
	if len(told) != 1 || !slices.Equal(slices.Sorted(slices.Values(told[0].Facts.Orders)), []string{"2", "3"}) {
		t.Errorf("told %+v", told)
	}
}
