package shopify

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// How much of an order is asked for at once. A query costs by what it might find, and one
// of over 1,000 points is refused; what is left of an order is asked for by itself.
const (
	ordersAtOnce  = 5
	linesAtOnce   = 5
	refundsAtOnce = 3
	moreAtOnce    = 100
	linesMore     = 70 // of lines, which cost more
	maxMore       = 10 // calls for the rest of one list
)

const refundFields = `
fragment RefundFields on Refund {
  id createdAt
  refundLineItems(first: $refundLines, after: $after) { pageInfo { hasNextPage endCursor } nodes { quantity lineItem { id requiresShipping isGiftCard } } }
  transactions(first: 5) { nodes { kind status test amountSet { shopMoney { amount currencyCode } } } }
}`

const lineFields = `
fragment LineFields on LineItem {
  id quantity currentQuantity sku name title requiresShipping isGiftCard variant { id } product { id }
  originalUnitPriceSet { shopMoney { amount } } customAttributes { key value }
  discountAllocations { allocatedAmountSet { shopMoney { amount } } } taxLines { priceSet { shopMoney { amount } } }
}`

const orderFields = `
fragment OrderFields on Order {
  id test displayFinancialStatus paymentGatewayNames createdAt processedAt updatedAt cancelledAt currencyCode taxesIncluded customerLocale email phone
  customer { firstName lastName defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } }
  billingAddress { firstName lastName company address1 address2 city zip countryCodeV2 phone }
  customAttributes { key value }
  transactions(first: 10) { kind status processedAt }
  lineItems(first: $lines) { pageInfo { hasNextPage endCursor } nodes { ...LineFields } }
  refunds(first: $refunds) { ...RefundFields }
  disputes { id status }
  risk { recommendation assessments { riskLevel } }
}` + lineFields + refundFields

const orderQuery = `query($id: ID!, $lines: Int!, $refunds: Int!, $refundLines: Int!, $after: String) {
  order(id: $id) { ...OrderFields }
}` + orderFields

const ordersQuery = `query($find: String!, $from: String, $orders: Int!, $lines: Int!, $refunds: Int!, $refundLines: Int!, $after: String) {
  orders(first: $orders, after: $from, query: $find, sortKey: UPDATED_AT) { pageInfo { hasNextPage endCursor } nodes { ...OrderFields } }
}` + orderFields

const linesQuery = `query($id: ID!, $lines: Int!, $from: String) {
  order(id: $id) { id lineItems(first: $lines, after: $from) { pageInfo { hasNextPage endCursor } nodes { ...LineFields } } }
}` + lineFields

const refundsQuery = `query($id: ID!, $refunds: Int!) { order(id: $id) { id refunds(first: $refunds) { id } } }`

const refundQuery = `query($id: ID!, $refundLines: Int!, $after: String) {
  refund(id: $id) {
    ...RefundFields
    orderAdjustments(first: 10) { nodes { amountSet { shopMoney { amount currencyCode } } taxAmountSet { shopMoney { amount } } } }
  }
}` + refundFields

// sizes are the variables of every query of orders.
func sizes(more map[string]any) map[string]any {
	more["lines"], more["refunds"], more["refundLines"] = linesAtOnce, refundsAtOnce, linesAtOnce
	return more
}

func gid(kind, id string) string { return "gid://shopify/" + kind + "/" + id }

// numberOf returns the number that a gid ends in, which is the id that webhooks have:
// gid://shopify/Order/5501234567890. It returns "" for any other text.
func numberOf(v payload.Value) string {
	text := textOf(v)
	number := text[strings.LastIndexByte(text, '/')+1:]
	if !strings.HasPrefix(text, "gid://shopify/") || !payload.IsDigits(number) {
		return ""
	}
	return number
}

// order reads an order as it is now, false if there is none that the app may read: it is
// older than 60 days, and the app lacks read_all_orders.
func (a api) order(ctx context.Context, id string) (*purchase, bool, error) {
	found, err := a.query(ctx, orderQuery, sizes(map[string]any{"id": gid("Order", id)}))
	switch {
	case err != nil:
		return nil, false, err
	case found.Find("/order").Missing() && found.denied:
		return nil, false, a.accessDenied()
	case found.Find("/order").Missing():
		return nil, false, nil
	}
	p, err := a.whole(ctx, found.Find("/order"))
	if err == nil && p.id != id {
		return nil, false, a.unreadable()
	}
	return p, err == nil, err
}

// whole returns an order that was found, after it asked for what was too much for one answer.
// Its error is a *platform.FieldError if the order is not as Shopify documents it.
func (a api) whole(ctx context.Context, v payload.Value) (*purchase, error) {
	p := &purchase{
		id: numberOf(v.Find("/id")), test: isTrue(v.Find("/test")) || bogus(v.Find("/paymentGatewayNames")), status: strings.ToLower(textOf(v.Find("/displayFinancialStatus"))),
		createdAt: timeOf(v.Find("/createdAt")), processed: timeOf(v.Find("/processedAt")), changedAt: timeOf(v.Find("/updatedAt")), cancelled: timeOf(v.Find("/cancelledAt")),
		currency: textOf(v.Find("/currencyCode")), taxed: isTrue(v.Find("/taxesIncluded")), language: textOf(v.Find("/customerLocale")), customer: a.customer(v), risk: riskOf(v.Find("/risk")),
	}
	if p.id == "" {
		return nil, missing("id", "")
	}
	if p.changedAt.IsZero() {
		return nil, missing("updatedAt", p.id)
	}
	var paid []payment
	for _, t := range v.Find("/transactions").List {
		paid = append(paid, paymentOf(t))
	}
	p.firstPaid = firstPayment(paid)
	for _, d := range v.Find("/disputes").List {
		// Order.disputes and the webhooks name one dispute by gids of two kinds, and by one number.
		if id := numberOf(d.Find("/id")); id != "" {
			p.disputes = append(p.disputes, dispute{id, strings.ToLower(textOf(d.Find("/status")))})
		}
	}
	var err error
	if p.refunds, err = a.refunds(ctx, p.id, v.Find("/refunds").List); err != nil {
		return nil, err
	}
	nodes, err := a.rest(v.Find("/lineItems"), func(from string) (payload.Value, error) {
		found, err := a.query(ctx, linesQuery, map[string]any{"id": gid("Order", p.id), "lines": linesMore, "from": from})
		return found.Find("/order/lineItems"), err
	})
	if err != nil {
		return nil, err
	}
	for i, node := range nodes {
		l, err := a.line(node, fmt.Sprintf("lineItems[%d].", i), p)
		if err != nil {
			return nil, err
		}
		p.lines = append(p.lines, l)
	}
	return p, nil
}

// missing returns the mistake in a member of an order that the API shows.
func missing(field, of string) error {
	return &platform.FieldError{Field: field, Problem: "is not there as Shopify's API documents it", Order: of}
}

// rest returns the nodes of a list, of which the first page was found.
func (a api) rest(list payload.Value, next func(from string) (payload.Value, error)) ([]payload.Value, error) {
	nodes := list.Find("/nodes").List
	for range maxMore {
		if !isTrue(list.Find("/pageInfo/hasNextPage")) {
			return nodes, nil
		}
		var err error
		if list, err = next(textOf(list.Find("/pageInfo/endCursor"))); err != nil {
			return nil, err
		}
		nodes = append(nodes, list.Find("/nodes").List...)
	}
	return nodes, nil // of over seven hundred lines: the order is refused for their number
}

func (a api) customer(v payload.Value) order.Customer {
	text := func(all ...payload.Pointer) string { return body{v}.first(all...) }
	return order.Customer{
		FirstName: text("/customer/firstName", "/billingAddress/firstName"), LastName: text("/customer/lastName", "/billingAddress/lastName"),
		Email: text("/email", "/customer/defaultEmailAddress/emailAddress"), Phone: text("/phone", "/billingAddress/phone", "/customer/defaultPhoneNumber/phoneNumber"),
		Company: text("/billingAddress/company"), Country: text("/billingAddress/countryCodeV2"), City: text("/billingAddress/city"), Zip: text("/billingAddress/zip"),
		Address:    strings.TrimSpace(text("/billingAddress/address1") + "\n" + text("/billingAddress/address2")),
		LicenseFor: a.attribute(v.Find("/customAttributes")),
	}
}

func (a api) attribute(list payload.Value) string {
	for _, pair := range list.List {
		if textOf(pair.Find("/key")) == a.settings.LicenseField {
			return textOf(pair.Find("/value"))
		}
	}
	return ""
}

func (a api) line(v payload.Value, place string, p *purchase) (line, error) {
	l := line{
		id: numberOf(v.Find("/id")), variant: numberOf(v.Find("/variant/id")), product: numberOf(v.Find("/product/id")), sku: strings.TrimSpace(textOf(v.Find("/sku"))),
		title: cmp.Or(textOf(v.Find("/name")), textOf(v.Find("/title"))),
		ships: isTrue(v.Find("/requiresShipping")), giftCard: isTrue(v.Find("/isGiftCard")), licenseFor: a.attribute(v.Find("/customAttributes")),
	}
	l.tip = l.isTip()
	quantity, ok := v.Find("/quantity").Quantity()
	current, now := v.Find("/currentQuantity").Quantity()
	l.price = charged{
		price: v.Find("/originalUnitPriceSet/shopMoney/amount"), discounts: all(v.Find("/discountAllocations"), "/allocatedAmountSet/shopMoney/amount"),
		taxes: all(v.Find("/taxLines"), "/priceSet/shopMoney/amount"),
	}.perUnit(quantity, p)
	l.setBought(quantity, current, p.refunds)
	switch {
	case l.id == "":
		return line{}, missing(place+"id", p.id)
	case !ok || quantity < 0:
		return line{}, missing(place+"quantity", p.id)
	case !now || current < 0:
		return line{}, missing(place+"currentQuantity", p.id)
	}
	return l, nil
}

// refunds returns the refunds of an order, of which the first were found.
func (a api) refunds(ctx context.Context, of string, found []payload.Value) ([]refund, error) {
	if len(found) >= refundsAtOnce {
		all, err := a.query(ctx, refundsQuery, map[string]any{"id": gid("Order", of), "refunds": moreAtOnce})
		if err != nil {
			return nil, err
		}
		if all.Find("/order/refunds").Missing() {
			return nil, a.unreadable()
		}
		found = all.Find("/order/refunds").List
	}
	var refunds []refund
	for _, v := range found {
		if numberOf(v.Find("/id")) == "" {
			return nil, missing("refunds.id", of)
		}
		whole := func(from any) (payload.Value, error) {
			got, err := a.query(ctx, refundQuery, map[string]any{"id": textOf(v.Find("/id")), "refundLines": moreAtOnce, "after": from})
			return got.Find("/refund"), err
		}
		// One without lines and payments may have adjustments, which are too dear to ask for of all.
		if v.Find("/refundLineItems").Missing() || len(v.Find("/refundLineItems/nodes").List)+len(v.Find("/transactions/nodes").List) == 0 {
			var err error
			if v, err = whole(nil); err != nil {
				return nil, err
			}
		}
		nodes, err := a.rest(v.Find("/refundLineItems"), func(from string) (payload.Value, error) {
			next, err := whole(from)
			return next.Find("/refundLineItems"), err
		})
		if err != nil {
			return nil, err
		}
		r, err := refundOf(v, nodes, of)
		if err != nil {
			return nil, err
		}
		refunds = append(refunds, r)
	}
	return refunds, nil
}

func refundOf(v payload.Value, lines []payload.Value, of string) (refund, error) {
	r := refund{id: numberOf(v.Find("/id")), at: timeOf(v.Find("/createdAt"))}
	if r.id == "" {
		return refund{}, missing("refunds.id", of)
	}
	for _, back := range lines {
		line := numberOf(back.Find("/lineItem/id"))
		quantity, ok := back.Find("/quantity").Quantity()
		if line == "" {
			return refund{}, missing("refunds.refundLineItems.lineItem.id", of)
		}
		if !ok || quantity < 0 {
			return refund{}, missing("refunds.refundLineItems.quantity", of)
		}
		r.lines = append(r.lines, refundedLine{
			id: line, quantity: quantity, ships: isTrue(back.Find("/lineItem/requiresShipping")), giftCard: isTrue(back.Find("/lineItem/isGiftCard")),
		})
	}
	for _, a := range v.Find("/orderAdjustments/nodes").List {
		r.adjusted = append(r.adjusted, adjustment{
			amount: textOf(a.Find("/amountSet/shopMoney/amount")), tax: textOf(a.Find("/taxAmountSet/shopMoney/amount")), currency: textOf(a.Find("/amountSet/shopMoney/currencyCode")),
		})
	}
	for _, t := range v.Find("/transactions/nodes").List {
		r.money = append(r.money, paymentOf(t))
	}
	return r, nil
}

func paymentOf(v payload.Value) payment {
	return payment{
		kind: strings.ToLower(textOf(v.Find("/kind"))), status: strings.ToLower(textOf(v.Find("/status"))), at: timeOf(v.Find("/processedAt")), test: isTrue(v.Find("/test")),
		amount: textOf(v.Find("/amountSet/shopMoney/amount")), currency: textOf(v.Find("/amountSet/shopMoney/currencyCode")),
	}
}

// riskOf returns Shopify's verdict in its own word: accept, investigate, cancel; "pending"
// while it is being made, "" where there is none.
func riskOf(v payload.Value) string {
	switch verdict := strings.ToLower(textOf(v.Find("/recommendation"))); verdict {
	case "", "none":
	default:
		return verdict
	}
	for _, assessment := range v.Find("/assessments").List {
		if textOf(assessment.Find("/riskLevel")) == "PENDING" {
			return "pending"
		}
	}
	return ""
}

// errEndless means that a list of orders did not end in one run: what was read of it counts.
var errEndless = fmt.Errorf("more orders have changed than one run reads: %w", platform.ErrTryAgain)
