// Catchup asks, every 15 minutes, the payment platforms what their webhooks did not tell.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/kms"
	"keypool/shared/lifecycle"
	"keypool/shared/platform/all"
	"keypool/shared/sqs"
)

func main() { boot.Run("catchup", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	settings := catalog.NewCached(store, time.Now)
	queues := awssqs.NewFromConfig(cfg)
	fill := sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL"))
	h := handler{
		catchup: &catchup.Catchup{
			Accounts: store,
			Store:    store,
			Intake: &intake.Intake{
				Claims:      &claim.Claimer{Store: store, Cached: settings, Uncached: store, Fill: fill, Notices: store, By: "catchup", Now: time.Now},
				Orders:      &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: fill, By: "catchup", Now: time.Now},
				Records:     store,
				Products:    settings,
				MaxQuantity: env.Int("KEYPOOL_MAX_QUANTITY", 1, 10_000),
				By:          "catchup",
				Now:         time.Now,
			},
			Adapters:     all.Adapters,
			Opener:       kms.Open(awskms.NewFromConfig(cfg), ""),
			Queue:        sqs.Open(queues, env.Required("KEYPOOL_CATCHUP_QUEUE_URL")),
			PublicURL:    env.URL("KEYPOOL_PUBLIC_URL"),
			Now:          time.Now,
			CallsASecond: catchup.CallsASecond,
		},
		now: time.Now,
	}
	return h.handle
}
