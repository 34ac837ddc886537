// Package all lists the payment platforms that Keypool knows.
package all

import (
	"keypool/shared/platform"
	"keypool/shared/platform/generic"
	"keypool/shared/platform/noventiq"
	"keypool/shared/platform/paddle"
	"keypool/shared/platform/shopify"
	"keypool/shared/platform/standard"
	"keypool/shared/platform/stripe"
	"keypool/shared/platform/woocommerce"
)

// Adapters are the platforms' adapters, by the name that an account has them.
var Adapters = map[string]platform.Adapter{
	"generic":         generic.Adapter{},
	platform.Standard: standard.Adapter{},
	noventiq.Name:     noventiq.Adapter{},
	paddle.Name:       paddle.New(),
	shopify.Name:      shopify.New(),
	stripe.Name:       stripe.New(),
	woocommerce.Name:  woocommerce.New(),
}
