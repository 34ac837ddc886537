package bench

import (
	"context"
	"fmt"
	"iter"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// listing is an adapter whose platform lists so many orders, the same in each run.
type listing struct {
	standard.Adapter
	orders int
	from   time.Time
}

func (listing) CheckCredential(string, string) error { return nil }

// Changed implements platform.Lister.
func (l listing) Changed(context.Context, platform.Account, time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		for n := range l.orders {
			at := l.from.Add(time.Duration(n) * time.Second)
			p := platform.Purchase{ChangedAt: at, Paid: &platform.Paid{
				Order: fmt.Sprintf("caught-up-%d", n), PaidAt: at, Customer: order.Customer{Name: "Ada Lovelace", Email: "ada@example.com"},
				Lines: []platform.Line{{ID: "1", Product: product, Quantity: 1}},
			}}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// caughtUp returns catch-up over a platform that lists so many orders.
func caughtUp(store *dynamo.Store, orders int) *catchup.Catchup {
	adapter := listing{orders: orders, from: time.Now().Add(-time.Hour)}
	return &catchup.Catchup{
		Accounts: store, Store: store, Adapters: map[string]platform.Adapter{"listing": adapter}, Opener: unsealed{}, Queue: noQueue{}, Now: time.Now,
		Intake: &intake.Intake{
			Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: noQueue{}, By: "catchup", Now: time.Now},
			Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: noQueue{}, By: "catchup", Now: time.Now},
			Records: store, Products: store, MaxQuantity: 10, By: "catchup", Now: time.Now,
		},
	}
}

type unsealed struct{}

func (unsealed) UnsealCredential(_ context.Context, _, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// putCaughtUp makes the account of a platform that lists so many orders.
func putCaughtUp(ctx context.Context, store *dynamo.Store, orders int) error {
	name := fmt.Sprintf("caught-up-%d", orders)
	return store.PutAccount(ctx, catalog.Account{
		Merchant: "acme", Name: name, Platform: "listing", Origin: name, DeliversFrom: time.Now().AddDate(0, 0, -1),
		Credentials: []catalog.SealedCredential{{Name: "key", Blob: []byte("sealed")}},
	})
}

// lookAt runs catch-up once for that account.
func lookAt(ctx context.Context, store *dynamo.Store, orders int) error {
	return caughtUp(store, orders).Run(ctx, platform.AskCatchup("acme", fmt.Sprintf("caught-up-%d", orders)), time.Now().Add(time.Minute))
}
