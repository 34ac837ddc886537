package shopify

import (
	"fmt"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// body is the body of a webhook: an order, a refund or a dispute, as Shopify's REST API
// writes it.
type body struct{ payload.Value }

// fieldOf names a member as merchants are told it: line_items[0].id.
func fieldOf(at payload.Pointer) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(at), "/"), "/", ".")
}

// id returns a member that identifies something, by its digits: 820982911946154508 is more
// than a float holds.
func (b body) id(at payload.Pointer, of string) (string, error) {
	return idOf(b.Find(at), fieldOf(at), of)
}

func idOf(v payload.Value, field, of string) (string, error) {
	id, ok := v.ID()
	if !ok || !payload.IsDigits(id) || platform.CheckID(id) != "" {
		return "", &platform.FieldError{Field: field, Problem: "is not there as Shopify documents it: a whole number", Order: of}
	}
	return id, nil
}

// text returns a member as a text, "" where it is none.
func (b body) text(at payload.Pointer) string { return textOf(b.Find(at)) }

func textOf(v payload.Value) string {
	if v.Kind == '"' || v.Kind == '0' {
		return v.Text
	}
	return ""
}

// first returns the first of the members that is a text and not empty.
func (b body) first(all ...payload.Pointer) string {
	for _, at := range all {
		if text := strings.TrimSpace(b.text(at)); text != "" {
			return text
		}
	}
	return ""
}

func (b body) time(at payload.Pointer) time.Time { return timeOf(b.Find(at)) }

func timeOf(v payload.Value) time.Time {
	t, _ := payload.ParseTime(textOf(v))
	return t
}

func isTrue(v payload.Value) bool { return v.Kind == 't' }

// shown are the members of an order that are only shown.
var shown = []payload.Pointer{
	"/customer_locale", "/phone", "/customer/first_name", "/customer/last_name", "/customer/phone",
	"/billing_address/first_name", "/billing_address/last_name", "/billing_address/company", "/billing_address/phone", "/billing_address/address1",
	"/billing_address/address2", "/billing_address/city", "/billing_address/zip", "/billing_address/country_code",
}

// order reads an order.
func (b body) order(s settings) (*purchase, error) {
	id, err := b.id("/id", "")
	if err != nil {
		return nil, err
	}
	p := &purchase{
		id: id, test: isTrue(b.Find("/test")) || bogus(b.Find("/payment_gateway_names")), status: b.text("/financial_status"),
		createdAt: b.time("/created_at"), processed: b.time("/processed_at"), changedAt: b.time("/updated_at"), cancelled: b.time("/cancelled_at"),
		currency: b.text("/currency"), taxed: isTrue(b.Find("/taxes_included")), language: b.text("/customer_locale"), customer: b.customer(s),
	}
	switch {
	case p.status == "":
		return nil, &platform.FieldError{Field: "financial_status", Problem: "is not there as Shopify documents it", Order: id}
	case b.Find("/line_items").Kind != '[':
		return nil, &platform.FieldError{Field: "line_items", Problem: "is not there as Shopify documents it", Order: id}
	}
	for _, at := range shown {
		if v := b.Find(at); !v.Missing() && v.Kind != '"' && v.Kind != '0' {
			p.unreadable = append(p.unreadable, fieldOf(at))
		}
	}
	for _, v := range b.Find("/refunds").List {
		r, err := b.refund(v, id)
		if err != nil {
			return nil, err
		}
		p.refunds = append(p.refunds, r)
	}
	for i, v := range b.Find("/line_items").List {
		l, err := lineOf(v, fmt.Sprintf("line_items[%d].", i), p, s)
		if err != nil {
			return nil, err
		}
		p.lines = append(p.lines, l)
	}
	return p, nil
}

// bogus says whether an order was paid by Shopify's gateway for tests.
func bogus(gateways payload.Value) bool {
	for _, name := range gateways.List {
		if strings.EqualFold(textOf(name), "bogus") {
			return true
		}
	}
	return false
}

func (b body) customer(s settings) order.Customer {
	return order.Customer{
		FirstName: b.first("/customer/first_name", "/billing_address/first_name"), LastName: b.first("/customer/last_name", "/billing_address/last_name"),
		Email: b.first("/email", "/contact_email", "/customer/email"), Phone: b.first("/phone", "/billing_address/phone", "/customer/phone"),
		Company: b.first("/billing_address/company"), Country: b.first("/billing_address/country_code"), City: b.first("/billing_address/city"),
		Zip: b.first("/billing_address/zip"), Address: strings.TrimSpace(b.text("/billing_address/address1") + "\n" + b.text("/billing_address/address2")),
		LicenseFor: attribute(b.Find("/note_attributes"), s.LicenseField),
	}
}

// attribute returns the value of an attribute of an order or line, "" if there is none. On
// some old orders the list is an object.
func attribute(list payload.Value, name string) string {
	for _, pair := range list.List {
		if textOf(pair.Find("/name")) == name {
			return textOf(pair.Find("/value"))
		}
	}
	return ""
}

func lineOf(v payload.Value, place string, p *purchase, s settings) (line, error) {
	id, err := idOf(v.Find("/id"), place+"id", p.id)
	if err != nil {
		return line{}, err
	}
	l := line{
		id: id, sku: strings.TrimSpace(textOf(v.Find("/sku"))), title: textOf(v.Find("/name")),
		ships: isTrue(v.Find("/requires_shipping")), giftCard: isTrue(v.Find("/gift_card")), licenseFor: attribute(v.Find("/properties"), s.LicenseField),
	}
	for at, to := range map[payload.Pointer]*string{"/variant_id": &l.variant, "/product_id": &l.product} {
		if found := v.Find(at); !found.Missing() {
			if *to, err = idOf(found, place+fieldOf(at), p.id); err != nil {
				return line{}, err
			}
		}
	}
	if l.title == "" {
		l.title = textOf(v.Find("/title"))
	}
	l.tip = l.isTip()
	quantity, ok := v.Find("/quantity").Quantity()
	if !ok || quantity < 0 {
		return line{}, &platform.FieldError{Field: place + "quantity", Problem: "is missing, or not a whole number", Order: p.id}
	}
	l.price = charged{
		price: v.Find("/price"), discounts: all(v.Find("/discount_allocations"), "/amount"), taxes: all(v.Find("/tax_lines"), "/price"),
	}.perUnit(quantity, p)
	current, ok := v.Find("/current_quantity").Quantity()
	if !ok || current < 0 {
		current = quantity // of an API version before 2024-01
	}
	l.setBought(quantity, current, p.refunds)
	return l, nil
}

// refund reads a refund of an order.
func (b body) refund(v payload.Value, of string) (refund, error) {
	id, err := idOf(v.Find("/id"), "refund.id", of)
	if err != nil {
		return refund{}, err
	}
	if v.Find("/refund_line_items").Kind != '[' {
		return refund{}, &platform.FieldError{Field: "refund_line_items", Problem: "is not there as Shopify documents it", Order: of}
	}
	r := refund{id: id, at: timeOf(v.Find("/created_at"))}
	for _, back := range v.Find("/refund_line_items").List {
		line, err := idOf(back.Find("/line_item_id"), "refund_line_items.line_item_id", of)
		if err != nil {
			return refund{}, err
		}
		quantity, ok := back.Find("/quantity").Quantity()
		if !ok || quantity < 0 {
			return refund{}, &platform.FieldError{Field: "refund_line_items.quantity", Problem: "is missing, or not a whole number", Order: of}
		}
		r.lines = append(r.lines, refundedLine{
			id: line, quantity: quantity, ships: isTrue(back.Find("/line_item/requires_shipping")), giftCard: isTrue(back.Find("/line_item/gift_card")),
		})
	}
	for _, a := range v.Find("/order_adjustments").List {
		r.adjusted = append(r.adjusted, adjustment{
			amount: textOf(a.Find("/amount")), tax: textOf(a.Find("/tax_amount")), currency: textOf(a.Find("/amount_set/shop_money/currency_code")),
		})
	}
	for _, v := range v.Find("/transactions").List {
		r.money = append(r.money, payment{
			kind: textOf(v.Find("/kind")), status: textOf(v.Find("/status")), amount: textOf(v.Find("/amount")), currency: textOf(v.Find("/currency")),
			test: isTrue(v.Find("/test")),
		})
	}
	return r, nil
}
