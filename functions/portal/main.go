// Portal is the Merchant Portal: where a shop's people set up, watch and mend, as pages.
//
// A session names its person and merchant, and nothing else in a request does. A page is a face
// of the use cases that the API calls: which roles may see or do something stands in the table
// of package access, under the name of the API's operation that does the same. A thing of
// another merchant is answered as one that does not exist.
//
// Pages are made by html/template, of the files in pages, which are parsed when they are first
// shown. They are complete without script. What changes something is a POST, refused if it comes
// from another site, and answered by a redirection to a page that shows what became of it.
//
// No key, mail address or number of a platform's stands in an address, a title or the log.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/access"
	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/frontdoor"
	"keypool/shared/idempotency"
	"keypool/shared/inventory"
	"keypool/shared/kms"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
	"keypool/shared/s3"
	"keypool/shared/search"
	"keypool/shared/sender"
	"keypool/shared/ses"
	"keypool/shared/settings"
	"keypool/shared/sqs"
	"keypool/shared/web"
)

func main() { boot.Run("portal", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog:  env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:     env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:   env.Required("KEYPOOL_ORDERS_TABLE"),
		Sessions: env.Required("KEYPOOL_SESSIONS_TABLE"),
	})
	queues, buckets := awssqs.NewFromConfig(cfg), awss3.NewFromConfig(cfg)
	ranges := sqs.Open(queues, env.Required("KEYPOOL_RANGES_QUEUE_URL"))
	fills, jobs := sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL")), sqs.Open(queues, env.Required("KEYPOOL_JOBS_QUEUE_URL"))
	refill := &settings.Refill{Products: store, Queue: fills}
	files, reports := s3.OpenUploads(buckets, env.Required("KEYPOOL_UPLOADS_BUCKET")), s3.OpenReports(buckets, env.Required("KEYPOOL_REPORTS_BUCKET"))
	sealer := kms.Open(awskms.NewFromConfig(cfg), env.Required("KEYPOOL_KMS_KEY"))
	merchants := catalog.NewCached(store, time.Now)
	identities := ses.OpenIdentities(cfg, env.Required("KEYPOOL_CONFIGURATION_SET"))
	publicURL := env.URL("KEYPOOL_PUBLIC_URL")
	accounts := &settings.Accounts{
		Store: store, Sealer: sealer, Heard: store, Catchup: sqs.Open(queues, env.Required("KEYPOOL_CATCHUP_QUEUE_URL")), Adapters: all.Adapters, Now: time.Now,
	}
	p := &portal{
		door:      &access.Door{Sessions: store, People: store, Now: time.Now},
		signIns:   &access.SignIns{Store: store, Counts: store, Now: time.Now},
		sessions:  store,
		merchants: merchants,
		calls:     &idempotency.Guard{Store: store, Now: time.Now},
		now:       time.Now,
		orders:    newOrderDesk(store, merchants, fills, jobs, env.Int("KEYPOOL_MAX_QUANTITY", 1, 10_000), time.Now),

		overview: overview{lines: &search.Finder{Merchants: merchants, Lines: store, Now: time.Now}, held: store, shopIs: store},
		stock: stock{
			pools:        &settings.Pools{Store: store, Uses: store, Stock: store, Refill: refill, Uploads: store, Ranges: ranges, Now: time.Now},
			productPages: store,
			uploads:      &settings.Uploads{Store: store, Files: files, Reports: reports, Ranges: ranges, Loaded: store, Answers: store, Now: time.Now},
			keys:         &settings.Keys{Pools: store, Files: files},
			jobs:         &inventory.Jobs{Store: store, Pools: store, Uploads: store, Merchants: store, Queue: jobs, Now: time.Now},
			leftOut:      &settings.LeftOut{Store: store, Reports: reports},
			exports:      &inventory.Exports{Jobs: store, Files: reports, Now: time.Now},
			blocker: &inventory.Blocker{
				Merchants: store, Keys: store, Finder: &inventory.Finder{Merchants: merchants, Keys: store, Lines: store, Uploads: store}, Now: time.Now,
			},
			forms: &settings.Forms{Pools: store, Files: files},
		},

		people:  &settings.People{Store: store, Now: time.Now},
		tokens:  &settings.Tokens{Store: store, Now: time.Now},
		trail:   &settings.Trail{Store: store},
		notices: &settings.Notices{Store: store},
		shop: shop{
			own:        &settings.Merchants{Store: store, Refill: refill, Now: time.Now},
			goods:      &settings.Products{Store: store, Related: store, Refill: refill, Now: time.Now},
			codes:      &settings.Codes{Store: store, Refill: refill, Now: time.Now},
			texts:      &settings.Texts{Store: store, Merchants: store, Products: store, Now: time.Now},
			reviews:    &settings.Reviews{Store: store, Now: time.Now},
			retention:  &settings.Retentions{Store: store, Now: time.Now},
			orderPages: &settings.OrderPages{Store: store, Now: time.Now},
			senders: &settings.Senders{
				Store: store, Identities: identities, Looks: &sender.Looks{Store: store, Identities: identities, Now: time.Now},
				Operator: env.Address("KEYPOOL_SENDER").Address, Region: cfg.Region, Now: time.Now,
			},
			previews: &settings.Previews{Store: store, Notices: store, Public: publicURL, Now: time.Now},
			accounts: accounts,
			testOrders: &settings.TestOrders{
				Accounts: accounts, Opener: sealer, Catalog: store, Webhook: standard.TestOrder, Front: frontdoor.New(publicURL), Now: time.Now,
			},
			refused:   store,
			publicURL: publicURL,
		},
	}
	return web.Server{Handler: p.serve(), LogAnswers: true}.Serve
}
