// Webhook receives what payment platforms report: it gives each line of a paid
// order its keys at once, or a place in the queue.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/kms"
	"keypool/shared/lifecycle"
	"keypool/shared/orderpage"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/sqs"
	"keypool/shared/web"
)

// by is who acts in histories for what a platform reports.
const by = "webhook"

func main() { boot.Run("webhook", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"),
		Keys:    env.Required("KEYPOOL_KEYS_TABLE"),
		Orders:  env.Required("KEYPOOL_ORDERS_TABLE"),
	})
	settings := catalog.NewCached(store, time.Now)
	fill := sqs.Open(awssqs.NewFromConfig(cfg), env.Required("KEYPOOL_FILL_QUEUE_URL"))
	secrets := kms.Open(awskms.NewFromConfig(cfg), "")
	h := handler{
		accounts: platform.NewAccounts(all.Adapters, store.Account, secrets, time.Now),
		intake: &intake.Intake{
			Claims: &claim.Claimer{
				Store:    store,
				Cached:   settings,
				Uncached: store,
				Fill:     fill,
				Notices:  store,
				By:       by,
				Now:      time.Now,
			},
			Orders:      &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: fill, By: by, Now: time.Now},
			Records:     store,
			Products:    settings,
			Pages:       &orderpage.Pages{Orders: store, Settings: settings, Common: catalog.NewCachedOrderPages(store, time.Now), Now: time.Now},
			PublicURL:   env.URL("KEYPOOL_PUBLIC_URL"),
			MaxQuantity: env.Int("KEYPOOL_MAX_QUANTITY", 1, 10_000),
			By:          by,
			Now:         time.Now,
		},
	}
	// A body that is too large may be a paid order: it is refused once it is verified.
	return web.Server{Handler: &h}.Serve
}
