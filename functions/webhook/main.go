// Orderpaid answers payment platforms' callbacks: it gives each paid order line
// its keys in the same moment, or a place in the queue.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/callback"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/kms"
	"keypool/shared/sqs"
)

func main() { boot.Run("webhook", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	settings := catalog.NewCached(store, time.Now)
	secrets := kms.Open(awskms.NewFromConfig(cfg), "")
	h := handler{
		keyring: &callback.Keyring{Account: store.Account, Open: secrets.Unseal, Now: time.Now},
		claims: &claim.Claimer{
			Store:  store,
			Recent: settings,
			Fresh:  store,
			Fill:   sqs.Open(awssqs.NewFromConfig(cfg), env.Required("KEYPOOL_FILL_QUEUE_URL")),
			Now:    time.Now,
		},
		refusals:    store,
		products:    settings,
		maxQuantity: env.Int("KEYPOOL_MAX_QUANTITY", 1, 10_000),
		now:         time.Now,
	}
	return h.handle
}
