package main

import "keypool/shared/settings"

// shop holds the use cases of what a shop sets up: products, texts, platforms.
type shop struct {
	own        *settings.Merchants // what is the merchant's own to set
	goods      *settings.Products
	codes      *settings.Codes
	texts      *settings.Texts
	previews   *settings.Previews
	reviews    *settings.Reviews
	retention  *settings.Retentions
	orderPages *settings.OrderPages
	senders    *settings.Senders
	accounts   *settings.Accounts
	testOrders *settings.TestOrders
	refused    refusals
	publicURL  string // the deployment's address, which webhooks go to
}
