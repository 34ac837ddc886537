// Job does the long work that merchants ask for: it withdraws the keys of an upload, moves keys to
// another pool, exports keys to files, erases customers, also those whom a merchant has kept for
// long enough, and wipes the test side.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/inventory"
	"keypool/shared/lifecycle"
	"keypool/shared/s3"
	"keypool/shared/sqs"
)

func main() { boot.Run("job", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	queues := awssqs.NewFromConfig(cfg)
	reports := s3.OpenReports(awss3.NewFromConfig(cfg), env.Required("KEYPOOL_REPORTS_BUCKET"))
	fill := sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL"))
	h := &handler{
		worker: &inventory.Worker{
			Progress: store, Keys: store, Pools: store, Uploads: store, Lines: store, Kept: store, Fill: fill, Now: time.Now,
			Stored: store, Files: reports, Rests: reports,
			Test:   inventory.TestSide{Rows: store, Orders: store, Keys: store, Uploads: store, Reports: reports},
			Eraser: &lifecycle.Eraser{Lines: store, Words: store, Fill: fill, Now: time.Now},
		},
		queue: sqs.Open(queues, env.Required("KEYPOOL_JOBS_QUEUE_URL")),
	}
	return h.handle
}
