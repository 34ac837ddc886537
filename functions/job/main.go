// Job does the long work that merchants ask for: it withdraws the keys of an upload.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/inventory"
	"keypool/shared/sqs"
)

func main() { boot.Run("job", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	h := &handler{
		worker: &inventory.Worker{Progress: store, Keys: store, Pools: store, Uploads: store, Now: time.Now},
		queue:  sqs.Open(awssqs.NewFromConfig(cfg), env.Required("KEYPOOL_JOBS_QUEUE_URL")),
	}
	return h.handle
}
