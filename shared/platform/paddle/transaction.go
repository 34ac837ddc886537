package paddle

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// originRenewal is the origin of a transaction that renews a subscription.
const originRenewal = "subscription_recurring"

// origins are the origins of transactions that are documented, and whether they sell. A
// change of the card makes a transaction, which costs nothing; a change of the subscription
// makes one of parts of prices.
var origins = map[string]bool{
	"web":                                true,
	"api":                                true,
	"subscription_charge":                true,
	originRenewal:                        true,
	"subscription_update":                false,
	"subscription_payment_method_change": false,
}

// delivers says whether a completed transaction is an order that is delivered.
func (s shop) delivers(t node) bool {
	origin := t.text("/origin")
	total, ok := t.amount("/details/totals/total") // before credit of the customer's is used
	switch {
	case !origins[origin] || !ok || t.text("/status") != "completed":
		return false
	case origin == originRenewal && s.settings.Renewals != delivered:
		return false
	}
	return total > 0 || s.settings.NoPaymentRequired == delivered
}

// transaction decodes a transaction that was completed.
func (in *webhook) transaction(ctx context.Context) ([]platform.Event, error) {
	t := in.at("/data")
	id, origin := t.id("/id", "txn_"), t.text("/origin")
	_, knownOrigin := origins[origin]
	_, hasTotal := t.amount("/details/totals/total")
	switch {
	case id == "":
		return nil, missing("id", "")
	case origin == "":
		return nil, missing("origin", id)
	case !knownOrigin:
		return in.unknown("origin " + origin), nil
	case t.text("/status") != "completed":
		return nil, &platform.FieldError{Field: within + "status", Problem: "is not completed, though the event says so", Order: id}
	case !hasTotal:
		return nil, missing("details.totals.total", id)
	case !in.shop.delivers(t):
		return in.ignored(), nil
	}
	in.order = id
	paid, err := in.shop.order(t)
	if err != nil {
		return nil, err
	}
	paid.PaidAt = paidAt(t, in.time("/occurred_at"))
	if email := t.custom("email"); in.shop.key == "" && origin != originRenewal && email != "" {
		// The merchant's checkout passes the address, and the account has no key.
		paid.Customer.Email = email
		return []platform.Event{paid}, nil
	}
	var calls errgroup.Group
	var read node
	calls.Go(func() (err error) {
		read, err = in.shop.transaction(ctx, id)
		return err
	})
	calls.Go(func() error {
		parents, err := in.shop.parents(ctx, []node{t})
		paid.Parent = parents[id]
		return err
	})
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	if read.text("/customer_id") != t.text("/customer_id") {
		return nil, in.shop.otherEntity()
	}
	paid.Customer, paid.Language = in.shop.customer(t, read), read.text("/customer/locale")
	return []platform.Event{paid}, nil
}

// paidAt returns when a transaction was paid: when its money was captured. An invoice is
// billed weeks before that. Where nothing was to pay, billing it completed it.
func paidAt(t node, otherwise time.Time) time.Time {
	var at time.Time
	for _, payment := range t.list("/payments") {
		if captured := payment.time("/captured_at"); payment.text("/status") == "captured" && captured.After(at) {
			at = captured
		}
	}
	for _, next := range []time.Time{t.time("/billed_at"), otherwise} {
		if at.IsZero() {
			at = next
		}
	}
	return at
}

// order reads a transaction, all but its customer and when it was paid.
func (s shop) order(t node) (platform.Paid, error) {
	paid := platform.Paid{Within: within, Order: t.id("/id", "txn_"), Test: s.test, Currency: t.text("/currency_code")}
	prices := map[string]node{}
	for _, item := range t.list("/items") {
		prices[item.text("/price/id")] = item.at("/price")
	}
	for i, item := range t.list("/details/line_items") {
		id := item.id("/id", "txnitm_")
		quantity, ok := item.Find("/quantity").Quantity()
		switch {
		case id == "":
			return paid, missing(fmt.Sprintf("details.line_items[%d].id", i), paid.Order)
		case !ok:
			return paid, missing(fmt.Sprintf("details.line_items[%d].quantity", i), paid.Order)
		case quantity < 1 || isPart(item):
			paid.SkippedLines = append(paid.SkippedLines, id)
			continue
		}
		price := prices[item.text("/price_id")]
		line := platform.Line{
			ID: id, Product: s.settings.productOf(item, price), Quantity: quantity,
			Title: cmp.Or(item.text("/product/name"), price.text("/name"), price.text("/description")),
		}
		// What was paid for all, after discounts and with tax, is what refunds give back. Paddle's
		// own unit_totals are rounded: three of them may be less than that.
		if amount, ok := item.amount("/totals/total"); ok {
			line.UnitPrice = decimal(platform.PerUnit(amount, int64(quantity)), paid.Currency)
		}
		paid.Lines = append(paid.Lines, line)
	}
	return paid, nil
}

// isPart says whether a line is a part of a price, for a change within a period, or what a
// change gives back: it sells nothing.
func isPart(item node) bool {
	total, _ := item.amount("/totals/total")
	return !item.Find("/proration").Missing() || total < 0
}

// customKey is the key of the custom data that names a product of Keypool's.
const customKey = "keypool_product"

// productOf returns what a line sells, by the id that Keypool knows the product by. What
// nothing names has the id of its price.
func (s settings) productOf(item, price node) string {
	priceID := cmp.Or(item.text("/price_id"), price.text("/id"))
	productID := cmp.Or(item.text("/product/id"), price.text("/product_id"))
	named := cmp.Or(price.custom(customKey), item.at("/product").custom(customKey))
	switch s.Product {
	case byPrice:
		return priceID
	case byProduct:
		return productID
	}
	return cmp.Or(named, priceID, productID)
}

// customer returns the customer of a transaction, which was read with those entities. What
// the checkout said of the license stands in the transaction itself.
func (s shop) customer(t, read node) order.Customer {
	return order.Customer{
		Name: read.text("/customer/name"), Email: read.text("/customer/email"), Company: read.text("/business/name"),
		Country: read.text("/address/country_code"), City: read.text("/address/city"), Zip: read.text("/address/postal_code"),
		Address:    strings.TrimSpace(read.text("/address/first_line") + "\n" + read.text("/address/second_line")),
		LicenseFor: t.custom(s.settings.LicenseField),
	}
}
