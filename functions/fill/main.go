// Fill serves the lines that wait for keys, oldest first.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/claim"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/sqs"
)

func main() { boot.Run("fill", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	h := handler{
		filler: &claim.Filler{Store: store, Bypass: store, Catalog: store, Notices: store, Now: time.Now},
		queue:  sqs.Open(awssqs.NewFromConfig(cfg), env.Required("KEYPOOL_FILL_QUEUE_URL")),
		now:    time.Now,
	}
	return h.handle
}
