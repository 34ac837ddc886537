package stripe

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// invoice is an invoice, in both shapes that it has had: since the API's version
// 2025-03-31 its subscription stands in its parent, before that at its top.
type invoice struct {
	ID            string   `json:"id"`
	BillingReason shown    `json:"billing_reason"`
	Status        shown    `json:"status"`
	Livemode      bool     `json:"livemode"`
	Currency      shown    `json:"currency"`
	Total         int64    `json:"total"`
	Subscription  id       `json:"subscription"` // the older shape
	Created       int64    `json:"created"`
	Customer      id       `json:"customer"`
	CustomerEmail shown    `json:"customer_email"`
	CustomerName  shown    `json:"customer_name"`
	CustomerPhone shown    `json:"customer_phone"`
	Address       *address `json:"customer_address"`
	Parent        *struct {
		Details *struct {
			Subscription id `json:"subscription"`
		} `json:"subscription_details"`
	} `json:"parent"`
	Transitions struct {
		PaidAt int64 `json:"paid_at"`
	} `json:"status_transitions"`
	Lines page[invoiceLine] `json:"lines"`
}

func (i invoice) name() string { return i.ID }

func (i invoice) subscription() string {
	if i.Parent != nil && i.Parent.Details != nil {
		return string(cmp.Or(i.Parent.Details.Subscription, i.Subscription))
	}
	return string(i.Subscription)
}

// invoiceLine is a line of an invoice, in both shapes.
type invoiceLine struct {
	ID          string `json:"id"`
	Description shown  `json:"description"`
	Quantity    *int64 `json:"quantity"`
	Amount      int64  `json:"amount"` // before discounts, and without taxes that come on top
	Discounts   []struct {
		Amount int64 `json:"amount"`
	} `json:"discount_amounts"`
	Taxes []struct {
		Amount   int64 `json:"amount"`
		Behavior shown `json:"tax_behavior"` // exclusive, inclusive
	} `json:"taxes"`
	OldTaxes []struct { // the older shape
		Amount    int64 `json:"amount"`
		Inclusive bool  `json:"inclusive"`
	} `json:"tax_amounts"`
	Currency  shown  `json:"currency"`
	Proration *bool  `json:"proration"` // the older shape
	Price     *price `json:"price"`     // the older shape
	Parent    *struct {
		Item         *prorated `json:"invoice_item_details"`
		Subscription *prorated `json:"subscription_item_details"`
	} `json:"parent"`
	Pricing *struct {
		Details *struct {
			Price   id     `json:"price"`
			Product string `json:"product"`
		} `json:"price_details"`
	} `json:"pricing"`
}

type prorated struct {
	Proration bool `json:"proration"`
}

func (l invoiceLine) name() string { return l.ID }

// isPart says whether a line is a part of a price, for a change within a period: it sells
// nothing.
func (l invoiceLine) isPart() bool {
	if l.Parent != nil {
		for _, details := range []*prorated{l.Parent.Item, l.Parent.Subscription} {
			if details != nil && details.Proration {
				return true
			}
		}
	}
	return l.Proration != nil && *l.Proration || l.Amount < 0
}

// paid returns what was paid for the line: after discounts, and with taxes.
func (l invoiceLine) paid() int64 {
	amount := l.Amount
	for _, d := range l.Discounts {
		amount -= d.Amount
	}
	taxed := false
	for _, tax := range l.Taxes {
		taxed = true
		if tax.Behavior == "exclusive" {
			amount += tax.Amount
		}
	}
	for _, tax := range l.OldTaxes {
		if !taxed && !tax.Inclusive {
			amount += tax.Amount
		}
	}
	return amount
}

// price returns what the line sells, without what only the price itself says.
func (l invoiceLine) price() (price, bool) {
	switch {
	case l.Pricing != nil && l.Pricing.Details != nil && l.Pricing.Details.Price != "":
		return price{ID: string(l.Pricing.Details.Price), Product: product{ID: l.Pricing.Details.Product}}, true
	case l.Price != nil && l.Price.ID != "":
		return *l.Price, true
	}
	return price{}, false
}

// reasonCycle is the billing reason of a renewal.
const reasonCycle = "subscription_cycle"

// renews says whether an invoice is a renewal that Keypool delivers. For any other see
// otherInvoice.
func (in *reading) renews(i invoice) bool {
	return i.BillingReason == reasonCycle && i.Status == paid && (i.Total > 0 || in.settings.NoPaymentRequired == freeDelivered)
}

// invoice decodes a paid invoice.
func (in *reading) invoice(ctx context.Context) ([]platform.Event, error) {
	// The reason first: of other invoices, less is read.
	reason, err := objectOf[struct {
		BillingReason shown `json:"billing_reason"`
	}](in)
	if err == nil && reason.BillingReason != reasonCycle {
		return in.otherInvoice(ctx)
	}
	i, err := objectOf[invoice](in)
	switch {
	case err != nil:
		return nil, err
	case !isID(i.ID, "in_"):
		return nil, missing("id", "")
	case i.Livemode != in.Livemode:
		return nil, missing("livemode", i.ID)
	case !in.renews(i):
		return in.ignored(), nil
	}
	in.order = i.ID
	renewal := platform.Paid{
		Within: within, Order: i.ID, Test: !in.Livemode, Currency: capitals(i.Currency), PaidAt: at(cmp.Or(i.Transitions.PaidAt, in.Created)),
		Customer: order.Customer{Email: string(i.CustomerEmail), Name: string(i.CustomerName), Phone: string(i.CustomerPhone)},
	}
	i.Address.fill(&renewal.Customer)
	if renewal.Parent, err = in.firstOrder(ctx, i); err != nil {
		return nil, err
	}
	bought := i.Lines.Data
	if i.Lines.HasMore { // the body holds ten at most
		if bought, err = list[invoiceLine](ctx, in.api, "/v1/invoices/"+i.ID+"/lines", url.Values{}); err != nil {
			return nil, err
		}
	}
	items, skipped, err := in.itemsOf(ctx, bought)
	if err != nil {
		return nil, err
	}
	lines := lines{settings: in.settings, skipped: skipped}
	for _, item := range items {
		lines.add(item)
	}
	renewal.Lines, renewal.SkippedLines = lines.of()
	renewal.Shipped = lines.shipped
	return []platform.Event{renewal}, nil
}

// settled is how long after an invoice was paid its session names it for sure. Stripe reports
// both at the same time: a look at the session that comes earlier may find none.
const settled = 10 * time.Minute

// otherInvoice decodes a paid invoice that is no renewal. Nearly all belong to a session, which
// is the order: the first of a subscription, those of its changes, and one that Checkout makes
// of a purchase. One that belongs to none was paid without Checkout: the merchant is told, by
// catch-up, since a webhook comes before that is settled.
func (in *reading) otherInvoice(ctx context.Context) ([]platform.Event, error) {
	paidAt := at(in.Created)
	if in.others || in.api.key == "" || paidAt.Before(in.from) || in.now.Before(paidAt.Add(settled)) {
		return in.ignored(), nil
	}
	i, err := objectOf[invoice](in)
	if err != nil || !isID(i.ID, "in_") || i.Livemode != in.Livemode || i.Status != paid || i.Total <= 0 {
		return in.ignored(), nil
	}
	if ofCheckout, err := in.ofCheckout(ctx, i); err != nil || ofCheckout {
		return in.ignored(), err
	}
	return []platform.Event{platform.Ignored{Type: in.Type, Payment: i.ID, Why: "is an invoice that no Checkout session belongs to"}}, nil
}

// callsAtOnce bounds the calls that are in flight together: Stripe takes 25 a second in a
// sandbox.
const callsAtOnce = 5

// itemsOf returns an invoice's lines as items of a session, and the ids of those that
// sell nothing. A line holds the ids of its price and product alone: what they are called
// is read once for each price.
func (in *reading) itemsOf(ctx context.Context, bought []invoiceLine) (items []item, skipped []string, err error) {
	prices := map[string]*price{}
	for _, line := range bought {
		p, ok := line.price()
		if !ok || line.isPart() {
			skipped = append(skipped, line.ID)
			continue
		}
		if prices[p.ID] == nil {
			prices[p.ID] = &p
		}
		items = append(items, item{
			ID: line.ID, Description: line.Description, Quantity: line.Quantity, Currency: line.Currency,
			AmountTotal: line.paid(), Price: prices[p.ID],
		})
	}
	var calls errgroup.Group
	calls.SetLimit(callsAtOnce)
	for _, p := range prices {
		calls.Go(func() error { return in.api.priceOf(ctx, p) })
	}
	return items, skipped, calls.Wait()
}

// priceOf reads a price with its product. One that is gone, such as an old plan that was
// deleted, stays as the line has it: what was paid for is told as unconnected by that, and
// connected by hand.
func (a api) priceOf(ctx context.Context, p *price) error {
	if strings.Trim(p.ID, ".") == "" {
		return missing("lines", "") // it would name another path; any other text may be an old plan's id
	}
	var whole price
	err := a.get(ctx, "/v1/prices/"+url.PathEscape(p.ID), url.Values{"expand[]": {"product"}}, &whole)
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusNotFound:
		return nil
	case err != nil:
		return err
	}
	if whole.ID != p.ID || whole.Livemode == a.test {
		return errOther
	}
	*p = whole
	return nil
}
