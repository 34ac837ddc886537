// Api is the merchants' API: their pools, products, accounts, uploads and orders.
//
// An API token names its merchant, and nothing else in a request does. Package access
// has the table of the scope that each operation needs of it. A thing of
// another merchant is answered as one that does not exist, 404: a 403 would tell
// that it exists. The operator has an API of its own, function operator.
//
// An operation parses a request, calls a use case, and encodes the result. Package
// rest has the table from errors to responses, and the rules of ETags.
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
	"keypool/shared/claim"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/frontdoor"
	"keypool/shared/idempotency"
	"keypool/shared/intake"
	"keypool/shared/inventory"
	"keypool/shared/kms"
	"keypool/shared/lifecycle"
	"keypool/shared/orderpage"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
	"keypool/shared/review"
	"keypool/shared/s3"
	"keypool/shared/search"
	"keypool/shared/ses"
	"keypool/shared/settings"
	"keypool/shared/sqs"
	"keypool/shared/web"
)

func main() { boot.Run("api", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	queues, buckets := awssqs.NewFromConfig(cfg), awss3.NewFromConfig(cfg)
	ranges := sqs.Open(queues, env.Required("KEYPOOL_RANGES_QUEUE_URL"))
	refill := &settings.Refill{Products: store, Queue: sqs.Open(queues, env.Required("KEYPOOL_FILL_QUEUE_URL"))}
	sealer := kms.Open(awskms.NewFromConfig(cfg), env.Required("KEYPOOL_KMS_KEY"))
	accounts := &settings.Accounts{
		Store: store, Sealer: sealer, Heard: store, Catchup: sqs.Open(queues, env.Required("KEYPOOL_CATCHUP_QUEUE_URL")),
		Adapters: all.Adapters, Now: time.Now,
	}
	acts := &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Keys: store, Corrections: store, Settings: store, Fill: refill.Queue, By: "api", Now: time.Now}
	mostUnits := env.Int("KEYPOOL_MAX_QUANTITY", 1, 10_000)
	desk := &review.Desk{Changes: acts, Held: store, Brakes: store, Now: time.Now}
	merchants := catalog.NewCached(store, time.Now)
	finder := &inventory.Finder{Merchants: merchants, Keys: store, Lines: store, Uploads: store}
	identities := ses.OpenIdentities(cfg, env.Required("KEYPOOL_CONFIGURATION_SET"))
	reports := s3.OpenReports(buckets, env.Required("KEYPOOL_REPORTS_BUCKET"))
	a := &api{
		calls:  &idempotency.Guard{Store: store, Now: time.Now},
		gate:   &access.Gate{Tokens: store, People: store, Uses: store, Rate: access.DefaultRate, Days: store, Notices: store, Now: time.Now},
		people: &settings.People{Store: store, Now: time.Now},
		tokens: &settings.Tokens{Store: store, Now: time.Now},
		pools: &settings.Pools{
			Store: store, Uses: store, Stock: store, Refill: refill,
			Uploads: store, Ranges: ranges, Now: time.Now,
		},
		products:  &settings.Products{Store: store, Related: store, Refill: refill, Now: time.Now},
		codes:     &settings.Codes{Store: store, Refill: refill, Now: time.Now},
		merchants: &settings.Merchants{Store: store, Refill: refill, Now: time.Now},
		texts:     &settings.Texts{Store: store, Merchants: store, Products: store, Now: time.Now},
		previews:  &settings.Previews{Store: store, Notices: store, Public: env.URL("KEYPOOL_PUBLIC_URL"), Now: time.Now},
		senders:   newSenders(store, identities, env.Address("KEYPOOL_SENDER").Address, cfg.Region, time.Now),
		accounts:  accounts,
		trials: &settings.Trials{
			Accounts: accounts, Opener: sealer, Catalog: store, MaxQuantity: mostUnits,
		},
		testOrders: &settings.TestOrders{
			Accounts: accounts, Opener: sealer, Catalog: store, Webhook: standard.TestOrder,
			Front: frontdoor.New(env.URL("KEYPOOL_PUBLIC_URL")), Now: time.Now,
		},
		uploads: &settings.Uploads{
			Store:   store,
			Files:   s3.OpenUploads(buckets, env.Required("KEYPOOL_UPLOADS_BUCKET")),
			Reports: reports,
			Ranges:  ranges, Loaded: store, Answers: store, Now: time.Now,
		},
		keys:    &settings.Keys{Pools: store, Files: s3.OpenUploads(buckets, env.Required("KEYPOOL_UPLOADS_BUCKET"))},
		finder:  finder,
		blocker: &inventory.Blocker{Merchants: store, Keys: store, Finder: finder, Now: time.Now},
		jobs:    &inventory.Jobs{Store: store, Pools: store, Uploads: store, Merchants: store, Queue: sqs.Open(queues, env.Required("KEYPOOL_JOBS_QUEUE_URL")), Now: time.Now},
		exports: &inventory.Exports{Jobs: store, Files: reports, Now: time.Now},
		orders:  store, numbers: &search.Numbers{Accounts: store}, search: &search.Finder{Merchants: merchants, Lines: store, Now: time.Now}, refusals: store,
		changes: acts, eraser: &lifecycle.Eraser{Lines: store, Words: store, Fill: refill.Queue, Now: time.Now}, retention: &settings.Retentions{Store: store, Now: time.Now}, orderPages: &settings.OrderPages{Store: store, Now: time.Now},
		pages:     &orderpage.Pages{Settings: merchants, Common: catalog.NewCachedOrderPages(store, time.Now), Keys: &lifecycle.Shower{Store: store, Now: time.Now}, Now: time.Now},
		publicURL: env.URL("KEYPOOL_PUBLIC_URL"),
		byHand: &intake.ByHand{
			Claims: &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: refill.Queue, Notices: store, By: "api", Now: time.Now},
			Orders: store, Notices: store, MaxQuantity: mostUnits,
		},
		review: &settings.Reviews{Store: store, Now: time.Now}, trail: &settings.Trail{Store: store}, notices: &settings.Notices{Store: store}, desk: desk,
	}
	return web.Server{Handler: a.serve(), LogAnswers: true}.Serve
}
