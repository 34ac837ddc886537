// Ingest brings dropped key files into their pools.
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
	"keypool/shared/ingest"
	"keypool/shared/s3"
	"keypool/shared/sqs"
)

func main() {
	boot.Run("ingest", func(env *config.Env, cfg aws.Config) any {
		ingest.TuneMemory() // here, since Run sets limits of its own before
		return wire(env, cfg)
	})
}

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	buckets := awss3.NewFromConfig(cfg)
	queues := awssqs.NewFromConfig(cfg)
	ranges := sqs.Open(queues, env.Required("KEYPOOL_RANGES_QUEUE_URL"))
	h := &handler{
		worker: &ingest.Worker{
			Catalog:   store,
			Records:   store,
			Ranges:    store,
			Keys:      store,
			Objects:   s3.OpenUploads(buckets, env.Required("KEYPOOL_UPLOADS_BUCKET")),
			Reports:   s3.OpenReports(buckets, env.Required("KEYPOOL_REPORTS_BUCKET")),
			RangeJobs: ranges,
			Fill:      sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL")),
			Now:       time.Now,
		},
		queue: ranges,
	}
	return h.handle
}
