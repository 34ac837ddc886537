// Api is how merchants, their shops and the operator set Keypool up and see what
// it does.
//
// An API token names its merchant, and nothing else in a request does. What is
// another merchant's is answered like what is not there, 404: a 403 would tell
// that it exists. The operator's routes are let through by the gateway on a
// signature of AWS; the function insists on that itself.
//
// Settings are checked in two steps, each of which tells all that it finds: what
// is wrong with them as they are, by form and by meaning (422 with a list of
// places); then what they name and is not there. Their locks are told in lock.go.
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
