// Stock looks at every pool on a schedule and tells merchants before one runs dry.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/stock"
)

func main() { boot.Run("stock", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	h := handler{checker: &stock.Checker{
		Pools:  store,
		Keys:   store,
		Alerts: store,
		Counts: store,
		Now:    time.Now,
	}}
	return h.handle
}
