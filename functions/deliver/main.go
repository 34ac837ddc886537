// Deliver sends mails that are due and applies SES's feedback about them.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/config"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/review"
	"keypool/shared/sender"
	"keypool/shared/ses"
)

func main() { boot.Run("deliver", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog:  env.Required("KEYPOOL_CATALOG_TABLE"),
		Orders:   env.Required("KEYPOOL_ORDERS_TABLE"),
		Sessions: env.Required("KEYPOOL_SESSIONS_TABLE"),
	})
	h := handler{mailer: &delivery.Mailer{
		Lines:      store.LineMails(),
		Notices:    store.NoticeMails(),
		Orders:     store,
		History:    store,
		Settings:   catalog.NewCached(store, time.Now),
		Texts:      catalog.NewCachedTexts(store, time.Now),
		Pages:      catalog.NewCachedOrderPages(store, time.Now),
		Uploads:    store,
		Tokens:     store,
		SignIns:    store,
		Counts:     store,
		Held:       store,
		Sales:      &review.Sales{Store: store, Brakes: store, Notices: store, Now: time.Now},
		Days:       store,
		Senders:    sender.NewUsed(store, time.Now),
		MailSender: ses.Open(boot.FreshConnections(cfg), env.Required("KEYPOOL_CONFIGURATION_SET")),
		Sender:     env.Address("KEYPOOL_SENDER"),
		Operator:   env.Address("KEYPOOL_OPERATOR").Address,
		PublicURL:  env.URL("KEYPOOL_PUBLIC_URL"),
		Now:        time.Now,
	}, now: time.Now}
	return h.handle
}
