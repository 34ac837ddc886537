// Orderpage is the page of an order, for the customer who has its link. Strangers start it: it
// may read orders, write that their keys were shown, and have their mails sent again.
//
// A page is one answer: its style and script stand in it, and its policy allows them by their
// hashes. It is complete without script. It loads nothing else but the merchant's logo.
//
// GET shows no key. Keys are shown by a POST, which programs that follow the links of mails do
// not send, and what holds keys is stored nowhere and not compressed. Wrong, old, replaced and
// revoked links have one answer. No link, key or address stands in the log.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/orderpage"
	"keypool/shared/web"
)

func main() { boot.Run("orderpage", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog:  env.Required("KEYPOOL_CATALOG_TABLE"),
		Orders:   env.Required("KEYPOOL_ORDERS_TABLE"),
		Sessions: env.Required("KEYPOOL_SESSIONS_TABLE"),
	})
	s := &site{newPages(store, time.Now)}
	return web.Server{Handler: s.serve(), LogAnswers: true}.Serve
}

func newPages(store *dynamo.Store, now func() time.Time) *orderpage.Pages {
	return &orderpage.Pages{
		Orders: store, Settings: catalog.NewCached(store, now), Common: catalog.NewCachedOrderPages(store, now), Counts: store,
		Keys: &lifecycle.Shower{Store: store, Now: now},
		Shops: catalog.NewCache(now, func(ctx context.Context, merchant string) ([]catalog.Account, bool, error) {
			accounts, err := store.Accounts(ctx, merchant)
			return accounts, true, err
		}),
		Mails: &lifecycle.Lifecycle{Store: store, Wholes: store, Fill: nobody{}, By: orderpage.By, Now: now},
		Now:   now,
	}
}

// nobody gets the messages that ask for keys: to send a mail again frees none.
type nobody struct{}

func (nobody) Send(context.Context, any, time.Duration) error { return nil }
