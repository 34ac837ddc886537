package woocommerce

import (
	"context"
	"errors"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// timeForCalls bounds all calls that one webhook takes. WooCommerce waits for 60 seconds,
// API Gateway for less.
const timeForCalls = 8 * time.Second

// orderTopics are the topics that are acted on. That of a deleted order names its id alone.
var orderTopics = map[string]bool{"order.created": true, "order.updated": true, "order.restored": true}

// ignoredTopics are the topics that nothing is done for, and the resources whose topics
// all are such.
var (
	ignoredTopics    = map[string]bool{"order.deleted": true}
	ignoredResources = map[string]bool{"coupon": true, "customer": true, "product": true, "subscription": true, "action": true}
)

// reading is what an order is read by.
type reading struct {
	account  platform.Account
	settings settings
	api      api
}

func (a Adapter) reading(account platform.Account) (reading, error) {
	s, err := parseSettings(account.Settings)
	if err != nil {
		return reading{}, &platform.SetupError{Field: "settings", Problem: "are not those of a WooCommerce account: " + err.Error()}
	}
	shop, err := a.apiOf(account, s)
	return reading{account, s, shop}, err
}

// Decode implements platform.Adapter. The body is the order as it was when the webhook was
// sent, whatever the topic says. What it lacks of refunds and renewals is read from the
// shop, where the account has a key. While the shop does not answer, the order is left to
// catch-up, which lists it by the time of its change.
func (a Adapter) Decode(ctx context.Context, r platform.Request, account platform.Account) ([]platform.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, timeForCalls)
	defer cancel()
	topic := r.Header.Get(topicHeader)
	resource, _, _ := strings.Cut(topic, ".")
	switch {
	case topic == "":
		return nil, &platform.FieldError{Field: topicHeader, Problem: "is missing among the headers: it says what the webhook is about"}
	case !orderTopics[topic]:
		return []platform.Event{platform.Ignored{Type: topic, Unknown: !ignoredTopics[topic] && !ignoredResources[resource]}}, nil
	}
	in, err := a.reading(account)
	if err != nil {
		return nil, err
	}
	body, err := payload.Parse(r.Body)
	if err != nil {
		return nil, &platform.FieldError{Problem: strings.TrimPrefix(err.Error(), "the body ")}
	}
	id, _ := body.Find("/id").ID()
	refuse := func(field, problem string) ([]platform.Event, error) {
		return nil, &platform.FieldError{Field: field, Problem: problem, Order: id}
	}
	switch {
	case id == "" && !body.Find("/code").Missing() && !body.Find("/data/status").Missing():
		return refuse("", "is an error of the shop's and no order: the user who made the webhook was deleted, or may not read orders any more. "+
			"Save the webhook again as an administrator (WooCommerce, Settings, Advanced, Webhooks)")
	case sourceOf(r.Header.Get(sourceHeader)) != in.settings.Shop:
		return refuse(sourceHeader, "does not name the shop of this account, "+in.settings.Shop+", among the headers: a copy of the shop may send its orders here, so delete the webhook there; "+
			"a shop that has moved, or whose address was mistyped, gets an account of its own")
	}
	found, err := in.purchase(ctx, object{body})
	switch {
	case errors.Is(err, platform.ErrTryAgain) && anyStatus[found.status] && !found.changedAt.Before(account.DeliversFrom):
		return nil, &platform.LeftError{Order: id, Cause: err} // the account has a key, or no call had failed
	case err != nil:
		return nil, err
	}
	return found.events(topic), nil
}

// purchase is an order as it stands.
type purchase struct {
	status    string
	changedAt time.Time
	paid      *platform.Paid // nil: it is not paid, or holds nothing to deliver
	returned  []platform.Returned
	recorded  []platform.Recorded
}

// events returns the events that tell how an order stands. What was given back comes
// first, so that an order whose payment was never heard of claims no key for it.
func (p purchase) events(topic string) []platform.Event {
	var all []platform.Event
	for _, event := range p.returned {
		all = append(all, event)
	}
	if p.paid != nil {
		all = append(all, *p.paid)
	}
	for _, event := range p.recorded {
		all = append(all, event)
	}
	if all == nil {
		return []platform.Event{platform.Ignored{Type: topic}}
	}
	return all
}

// The statuses of an order that Keypool knows. A shop may have others of its own.
const (
	processing = "processing"
	completed  = "completed"
	refunded   = "refunded"
	cancelled  = "cancelled"
)

// unpaid are the statuses of an order that is not paid, or not any more.
var unpaid = map[string]bool{
	"pending": true, "on-hold": true, "failed": true, "trash": true, "checkout-draft": true, "auto-draft": true, refunded: true, cancelled: true,
}

// anyStatus are WooCommerce's own statuses, of which catch-up lists each order. A status of the
// shop's own may be hidden from it.
var anyStatus = map[string]bool{
	"pending": true, "on-hold": true, "failed": true, processing: true, completed: true, refunded: true, cancelled: true,
}

// isPaid says whether a status means paid. By itself it does not: an order that is paid on
// delivery is processing before it is.
func (s settings) isPaid(status string) bool {
	if status == processing || status == completed {
		return true
	}
	for _, own := range s.PaidStatuses {
		if status == own {
			return true
		}
	}
	return false
}

// purchase reads an order. One without a time of payment was never paid, whatever its
// status: nothing is given back of it.
func (in reading) purchase(ctx context.Context, o object) (purchase, error) {
	id, ok := o.id("/id")
	if !ok {
		return purchase{}, &platform.FieldError{Field: "id", Problem: "is missing, or no whole number"}
	}
	refuse := func(field, problem string) (purchase, error) {
		return purchase{}, &platform.FieldError{Field: field, Problem: problem, Order: id}
	}
	status := o.text("/status")
	if status == "" {
		return refuse("status", "is missing: it says whether the order is paid")
	}
	paidAt, ok := o.time("/date_paid_gmt")
	if !ok {
		return refuse("date_paid_gmt", "is not a time: it says when the order was paid, null while it is not")
	}
	changedAt, ok := o.time("/date_modified_gmt")
	if !ok {
		return refuse("date_modified_gmt", "is not a time")
	}
	found := purchase{status: status, changedAt: changedAt}
	if changedAt.IsZero() {
		found.changedAt = paidAt
	}
	if paidAt.IsZero() {
		return found, nil
	}
	test := in.settings.Test || o.isTest()
	var err error
	switch status {
	case refunded, cancelled:
		// All of it, however many refunds it was: under an id of its own, since a refund
		// of those may have given back a part.
		found.returned = []platform.Returned{{Order: id, Test: test, ID: status, All: true, At: found.changedAt}}
		return found, nil
	default:
		found.returned, found.recorded, err = in.refunds(ctx, o, id, test)
	}
	if err != nil || !in.settings.isPaid(status) || len(o.Find("/line_items").List) == 0 {
		return found, err
	}
	found.paid = &platform.Paid{
		Order: id, Test: test, Currency: o.text("/currency"), Language: o.language(), PaidAt: paidAt, ChangedAt: found.changedAt,
		Customer: in.customer(o),
	}
	if found.paid.Lines, found.paid.SkippedLines, err = in.lines(o, id); err != nil {
		return purchase{}, err
	}
	found.paid.Parent, err = in.parent(ctx, o)
	return found, err
}
