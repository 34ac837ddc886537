package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"html"
	"math/big"
	"net/url"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// object is an order, or a part of one, as the REST API and webhooks show it.
type object struct{ payload.Value }

// text returns a text or a number, "" for anything else.
func (o object) text(at payload.Pointer) string {
	text, _ := o.Find(at).Scalar()
	return text
}

// id returns the id at a place, which is a number above 0.
func (o object) id(at payload.Pointer) (string, bool) {
	id, ok := o.Find(at).ID()
	return id, ok && payload.IsDigits(id) && strings.Trim(id, "0") != ""
}

// time returns the time at a place, which is UTC and says no zone. It is zero where there is
// none, and false for what is no time.
func (o object) time(at payload.Pointer) (time.Time, bool) {
	if o.Find(at).Missing() {
		return time.Time{}, true
	}
	return payload.ParseTime(o.text(at))
}

// meta returns the order's or line's meta data of a key, as a text: "" if there are none.
func meta(of payload.Value, key string) string {
	for _, entry := range of.Find("/meta_data").List {
		if name, _ := entry.Find("/key").Scalar(); name == key {
			text, _ := entry.Find("/value").Scalar()
			return text
		}
	}
	return ""
}

// testModes are the meta data by which payment plugins tell that no money was paid:
// WooPayments' and those of PayPal Payments. WooCommerce itself has no test orders.
var testModes = map[string]string{"_wcpay_mode": "test", "_ppcp_paypal_payment_mode": "sandbox"}

func (o object) isTest() bool {
	for key, test := range testModes {
		if meta(o.Value, key) == test {
			return true
		}
	}
	return false
}

// languages are the meta data in which plugins keep the customer's language. WooCommerce
// itself keeps none.
var languages = []string{"wpml_language", "weglot_language"}

// language returns the customer's language: pt-br as pt-br, de_AT as de-AT.
func (o object) language() string {
	for _, key := range languages {
		if language := meta(o.Value, key); language != "" {
			return strings.ReplaceAll(language, "_", "-")
		}
	}
	return ""
}

// customer returns who paid: the billing address.
func (in reading) customer(o object) order.Customer {
	c := order.Customer{
		FirstName: o.text("/billing/first_name"), LastName: o.text("/billing/last_name"), Email: o.text("/billing/email"),
		Phone: o.text("/billing/phone"), Company: o.text("/billing/company"), Country: o.text("/billing/country"),
		City: o.text("/billing/city"), Zip: o.text("/billing/postcode"), AddInfo: o.text("/customer_note"),
		Address: strings.TrimSpace(o.text("/billing/address_1") + "\n" + o.text("/billing/address_2")),
	}
	if in.settings.LicenseField != "" {
		c.LicenseFor = meta(o.Value, in.settings.LicenseField)
	}
	return c
}

// lines returns the lines of an order, and the ids of those of which nothing can be
// delivered: of a product that is sold by weight or length, or of nothing.
func (in reading) lines(o object, id string) (lines []platform.Line, skipped []string, err error) {
	for i, v := range o.Find("/line_items").List {
		item := object{v}
		line, ok := item.id("/id")
		if !ok {
			return nil, nil, &platform.FieldError{Field: fmt.Sprintf("line_items[%d].id", i), Problem: "is missing, or no whole number", Order: id}
		}
		quantity, ok := item.Find("/quantity").Quantity()
		if !ok || quantity < 1 {
			skipped = append(skipped, line)
			continue
		}
		lines = append(lines, platform.Line{
			ID: line, Product: in.productOf(item), Title: html.UnescapeString(item.text("/name")), Quantity: quantity, UnitPrice: item.unitPrice(quantity),
		})
	}
	return lines, skipped, nil
}

// productOf returns what a line sells, by the id that Keypool knows the product by. A line
// whose product was never one of the shop's has the product 0: it is told as unconnected.
func (in reading) productOf(item object) string {
	product := item.text("/product_id")
	if variation, ok := item.id("/variation_id"); ok && in.settings.Product != byProduct {
		product = variation
	}
	if sku := strings.TrimSpace(item.text("/sku")); sku != "" && in.settings.Product == bySKU {
		product = sku
	}
	return product
}

// unitPrice returns what the customer paid for a unit, with tax and after discounts, with
// as many digits as the shop writes, rounded up: "59.99". WooCommerce's own price is without tax, and a
// number with a tail of digits.
func (o object) unitPrice(quantity int) string {
	total, ok := o.withTax()
	if !ok {
		return ""
	}
	_, digits, _ := strings.Cut(o.text("/total"), ".")
	return platform.UnitPriceTo(total, int64(quantity), len(digits))
}

// withTax returns what a line costs, with tax, below 0 of a line of a refund; false where the
// shop does not tell.
func (o object) withTax() (*big.Rat, bool) {
	total, ok := order.Decimal(o.text("/total"))
	if tax, taxed := order.Decimal(o.text("/total_tax")); ok && taxed {
		total.Add(total, tax)
	}
	return total, ok
}

// renewalOf is the meta data by which WooCommerce Subscriptions says that an order renews a
// subscription.
const renewalOf = "_subscription_renewal"

// parent returns the order that an order renews: the one with which its subscription
// began, as the shop says. It is empty where the order renews none, the account has no
// key, or the shop does not tell.
func (in reading) parent(ctx context.Context, o object) (string, error) {
	subscription := meta(o.Value, renewalOf)
	if !payload.IsDigits(subscription) || !in.api.hasKey() {
		return "", nil
	}
	found, err := in.api.object(ctx, "/subscriptions/"+subscription, url.Values{"_fields": {"id,parent_id"}})
	var setup *platform.SetupError
	if errors.As(err, &setup) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if id, _ := found.id("/id"); id != subscription {
		return "", nil
	}
	parent, _ := found.id("/parent_id")
	if !payload.IsDigits(parent) || strings.Trim(parent, "0") == "" {
		return "", nil
	}
	return parent, nil
}
