// Sweep resumes, every minute, work that stopped halfway.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/sender"
	"keypool/shared/ses"
	"keypool/shared/sqs"
	"keypool/shared/sweep"
)

func main() { boot.Run("sweep", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	queues := awssqs.NewFromConfig(cfg)
	fill := sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL"))
	h := handler{
		sweeper: &sweep.Sweeper{
			Store:          store,
			Jobs:           store,
			Senders:        &sender.Looks{Store: store, Identities: ses.OpenIdentities(cfg, env.Required("KEYPOOL_CONFIGURATION_SET")), Now: time.Now},
			Catalog:        store,
			Orders:         &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: fill, By: "sweep", Now: time.Now},
			Fill:           fill,
			Ranges:         sqs.Open(queues, env.Required("KEYPOOL_RANGES_QUEUE_URL")),
			JobQueue:       sqs.Open(queues, env.Required("KEYPOOL_JOBS_QUEUE_URL")),
			DelayMailAfter: env.Duration("KEYPOOL_DELAY_MAIL_AFTER", 0),
			Now:            time.Now,
		},
		now: time.Now,
	}
	return h.handle
}
