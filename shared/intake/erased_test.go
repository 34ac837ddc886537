package intake_test

import (
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// A repeat of an order whose customer was erased is known by product and quantity, and brings
// nothing of the customer back, also where its platform's later changes correct an address. The
// merchant is not asked for an address.
func TestPaid_ofAnErasedCustomer(t *testing.T) {
	t.Parallel()
	for name, withChanges := range map[string]bool{"of a platform that corrects addresses": true, "of another": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			store := in.Records.(*dynamo.Store)
			eraser := &lifecycle.Eraser{Lines: store, Words: store, Fill: quiet{}, Now: in.Now}
			bought := func(number string, quantity int, changedAt time.Time) platform.Paid {
				p := paid(number, quantity, "game")
				p.PaidAt, p.Customer.Name = noon, "Ada"
				if withChanges {
					p.ChangedAt = changedAt
				}
				return p
			}
			id := func(number string) order.LineID {
				return order.Identity{Merchant: "acme", Side: pool.Live, Origin: account.Origin, Order: number, Line: "game"}.ID()
			}
			line := func(number string) order.Fulfillment {
				t.Helper()
				got, _, err := store.Fulfillment(t.Context(), id(number))
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			is(t, in.Apply(t.Context(), account, request, []platform.Event{bought("1", 1, noon), bought("2", 5, noon)}), platform.Accepted, platform.Accepted)
			mailed := order.ChangeOf(line("1"))
			mailed.After.Mail = mailed.After.Mail.Completed(outbox.Sent, "1", "", noon)
			if err := store.Commit(t.Context(), mailed); err != nil {
				t.Fatal(err)
			}
			for _, number := range []string{"1", "2"} { // 2 waits for its keys
				if got, err := eraser.Erase(t.Context(), id(number), lifecycle.Erasure{Act: lifecycle.Act{By: "the token"}, Force: true}); err != nil || got.ErasedAt.IsZero() {
					t.Fatalf("order %s: %+v, %v", number, got, err)
				}
			}
			before := map[string]order.Fulfillment{"1": line("1"), "2": line("2")}
			for range 2 {
				got := in.Apply(t.Context(), account, request, []platform.Event{bought("1", 1, noon.Add(time.Hour)), bought("2", 5, noon.Add(time.Hour))})
				is(t, got, platform.Accepted, platform.Accepted)
				if got[0].State != order.Fulfilled || got[1].State != order.OnHold {
					t.Errorf("%+v", got)
				}
			}
			is(t, in.Apply(t.Context(), account, request, []platform.Event{bought("1", 2, noon.Add(time.Hour))}), platform.Changed)
			for number, was := range before {
				if now := line(number); now.Customer != (order.Customer{}) || now.CustomerHash != "" || now.Version != was.Version {
					t.Errorf("the repeat of order %s changed it to version %d: %+v", number, now.Version, now.Customer)
				}
			}
			if told := noticesOf(t, tables, notice.NoAddress); len(told) != 0 {
				t.Errorf("told %+v", told)
			}
			if books := dynamotest.Audit(t, tables); books.Claimed != 1+before["2"].Allocated || len(books.Queue) != 0 {
				t.Errorf("%d keys are claimed, and %d lines wait", books.Claimed, len(books.Queue))
			}
		})
	}
}
