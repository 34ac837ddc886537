// Api is how merchants, their shops and the operator set Keypool up and see what
// it does.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	keypoolkms "keypool/shared/kms"
	keypools3 "keypool/shared/s3"
	keypoolsqs "keypool/shared/sqs"
)

func main() { boot.Run("api", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	queues := sqs.NewFromConfig(cfg)
	buckets := s3.NewFromConfig(cfg)
	a := &api{
		store:    store,
		secrets:  keypoolkms.Open(kms.NewFromConfig(cfg), env.Required("KEYPOOL_KMS_KEY")),
		fill:     keypoolsqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL")),
		ranges:   keypoolsqs.Open(queues, env.Required("KEYPOOL_RANGES_QUEUE_URL")),
		keyFiles: keypools3.OpenUploads(buckets, env.Required("KEYPOOL_UPLOADS_BUCKET")),
		reports:  keypools3.OpenReports(buckets, env.Required("KEYPOOL_REPORTS_BUCKET")),
		now:      time.Now,
	}
	return handler{api: a.serve()}.Handle
}
