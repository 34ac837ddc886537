package shopify

import (
	"context"
	"errors"
	"strings"
	"time"

	"keypool/shared/lazy"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// timeForCalls bounds all calls that one webhook takes: Shopify waits 5 seconds for the
// answer.
const timeForCalls = 3 * time.Second

// The topics that are acted on.
const (
	topicPaid           = "orders/paid"
	topicCancelled      = "orders/cancelled"
	topicRefund         = "refunds/create"
	topicDispute        = "disputes/create"
	topicDisputeUpdated = "disputes/update"
	topicRisk           = "orders/risk_assessment_changed"
)

// passedOver are topics that a shop may send as well, and nothing is done for. Above all
// orders/create and orders/updated: such an order need not be paid.
var passedOver = map[string]bool{
	"orders/create": true, "orders/updated": true, "orders/edited": true, "orders/delete": true, "orders/fulfilled": true, "orders/partially_fulfilled": true,
	"checkouts/create": true, "checkouts/update": true, "checkouts/delete": true, "order_transactions/create": true,
	"customers/create": true, "customers/update": true, "customers/delete": true, "products/create": true, "products/update": true, "products/delete": true,
	"fulfillments/create": true, "fulfillments/update": true, "app/uninstalled": true, "shop/update": true,
	"customers/data_request": true, "customers/redact": true, "shop/redact": true,
}

// sampleOrder is the order of what Shopify sends on "Send test notification". It is signed
// as a true one is.
const sampleOrder = "820982911946154508"

// topicForm is the form of a topic.
var topicForm = lazy.Regexp(`^[a-z_]{1,60}/[a-z_]{1,60}$`)

// Decode implements platform.Adapter. The topic is in no body: it comes from a header that
// is not signed, and each body has to be as its topic says.
func (a Adapter) Decode(ctx context.Context, r platform.Request, account platform.Account) ([]platform.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, timeForCalls)
	defer cancel()
	s, err := settingsOf(account)
	if err != nil {
		return nil, err
	}
	topic := strings.ToLower(r.Header.Get(topicHeader))
	decode, known := map[string]func(*reading, context.Context) ([]platform.Event, error){
		topicPaid:           (*reading).paid,
		topicCancelled:      (*reading).cancelled,
		topicRefund:         (*reading).refund,
		topicDispute:        (*reading).dispute,
		topicDisputeUpdated: (*reading).dispute,
		topicRisk:           (*reading).risk,
	}[topic]
	switch {
	case !topicForm().MatchString(topic):
		return nil, &platform.FieldError{Field: topicHeader, Problem: "is not there as Shopify sends it: the header says what happened"}
	case !strings.EqualFold(r.Header.Get(shopHeader), s.Shop):
		return nil, &platform.FieldError{Field: shopHeader, Problem: "names another shop than the account's: give each shop an account, and an address, of its own"}
	case !known:
		return []platform.Event{platform.Ignored{Type: topic, Unknown: !passedOver[topic]}}, nil
	}
	in := reading{topic: topic, settings: s}
	in.body.Value, err = payload.Parse(r.Body)
	switch {
	case err != nil && strings.HasPrefix(strings.TrimSpace(string(payload.WithoutMark(r.Body))), "<"):
		return nil, &platform.FieldError{Problem: "is XML: in Shopify, Settings, Notifications, Webhooks, set the webhook's format to JSON"}
	case err != nil:
		return nil, &platform.FieldError{Problem: strings.TrimPrefix(err.Error(), "the body ") + ", as Shopify documents it"}
	case r.Header.Get(testHeader) == "true" || in.isSample():
		return in.ignored(), nil
	}
	in.api, in.hasAPI = a.apiOf(account, s)
	return decode(&in, ctx)
}

// reading is one webhook that is being decoded.
type reading struct {
	topic    string
	settings settings
	body     body
	api      api
	hasAPI   bool
}

func (in *reading) isSample() bool {
	for _, at := range []payload.Pointer{"/id", "/order_id"} {
		if id, _ := in.body.Find(at).ID(); id == sampleOrder {
			return true
		}
	}
	return false
}

func (in *reading) ignored() []platform.Event {
	return []platform.Event{platform.Ignored{Type: in.topic}}
}

// eventsOf returns what an order comes to. What went back of it is told before what is
// delivered: it takes no key that it gives back at once.
func (in *reading) eventsOf(p *purchase) []platform.Event {
	var events []platform.Event
	for _, event := range p.returned(in.settings) {
		events = append(events, event)
	}
	for _, event := range p.disputed() {
		events = append(events, event)
	}
	paid := p.paid(in.settings)
	if paid != nil && (len(paid.Lines) > 0 || paid.Customer.Email != "") {
		events = append(events, *paid)
	}
	if events == nil {
		return in.ignored() // also an order of the point of sale, of things that ship and nobody's address
	}
	return events
}

// paid decodes an order that was paid. With credentials it is read from the API as well:
// for its risk, when it was paid, and what went back of it since. The lines are the body's,
// which is signed.
func (in *reading) paid(ctx context.Context) ([]platform.Event, error) {
	p, err := in.body.order(in.settings)
	if err != nil {
		return nil, err
	}
	if !p.delivers() {
		return in.eventsOf(p), nil
	}
	if in.hasAPI && (in.settings.FraudRisk == riskRead || p.customer.Email == "") {
		switch now, ok, err := in.api.order(ctx, p.id); {
		case errors.Is(err, platform.ErrTryAgain):
			return nil, err
		case err != nil:
			// The credentials are of no use, or the API shows the order otherwise than documented. The body holds all that is needed to deliver: a
			// customer does not wait for the merchant to mend them. No rule holds an order of
			// unknown risk. Catch-up tells the merchant.
			if in.settings.FraudRisk == riskRead {
				p.risk = riskUnknown
			}
		case !ok || now.test != p.test:
			if in.settings.FraudRisk == riskRead {
				p.risk = riskUnknown // older than the app may read, or not to be found yet
			}
		default:
			now.lines, now.unreadable = p.lines, p.unreadable
			if p.customer.Email != "" {
				now.customer = p.customer
			}
			p = now
		}
	}
	return in.eventsOf(p), nil
}

// riskUnknown is the risk of an order where the API could not be asked, or did not find it.
const riskUnknown = "unknown"

// cancelled decodes an order that was cancelled. One that was never paid is nothing.
func (in *reading) cancelled(context.Context) ([]platform.Event, error) {
	p, err := in.body.order(in.settings)
	if err != nil {
		return nil, err
	}
	if p.cancelled.IsZero() {
		return nil, &platform.FieldError{Field: "cancelled_at", Problem: "is not there, though the topic says that the order was cancelled", Order: p.id}
	}
	return in.eventsOf(p), nil
}

// refund decodes a refund. One that names no line is an amount: the order says whether it
// was all of its money.
func (in *reading) refund(ctx context.Context) ([]platform.Event, error) {
	of, err := in.body.id("/order_id", "")
	if err != nil {
		return nil, err
	}
	r, err := in.body.refund(in.body.Value, of)
	if err != nil {
		return nil, err
	}
	event, ok := r.event(in.settings, of)
	if !ok {
		return in.ignored(), nil
	}
	if len(event.Lines) > 0 || event.Failed || !in.hasAPI {
		return []platform.Event{event}, nil
	}
	switch p, found, err := in.api.order(ctx, of); {
	case errors.Is(err, platform.ErrTryAgain):
		return nil, err
	case err == nil && found && p.wasPaid():
		event.Test, event.TestUnknown = p.test, false
		if p.status == statusRefunded {
			event.ID, event.All, event.Amount, event.Currency = allRefunded, true, "", ""
		}
	}
	return []platform.Event{event}, nil
}

// dispute decodes a dispute. Its order may be none of Shopify's.
func (in *reading) dispute(context.Context) ([]platform.Event, error) {
	if in.body.Find("/order_id").Missing() {
		return in.ignored(), nil
	}
	of, err := in.body.id("/order_id", "")
	if err != nil {
		return nil, err
	}
	id, err := in.body.id("/id", of)
	if err != nil {
		return nil, err
	}
	state, known := disputeStates[in.body.text("/status")]
	if !known {
		return nil, &platform.FieldError{Field: "status", Problem: "is none of the states of a dispute that Shopify documents", Order: of}
	}
	return []platform.Event{platform.Disputed{Order: of, TestUnknown: true, ID: id, State: state, At: in.body.time("/initiated_at")}}, nil
}

// risk decodes a new assessment of an order's risk, which may come after the order was
// paid: the order is reported again, as the API shows it now.
func (in *reading) risk(ctx context.Context) ([]platform.Event, error) {
	of, err := in.body.id("/order_id", "")
	if err != nil {
		return nil, err
	}
	if !in.hasAPI || in.settings.FraudRisk != riskRead {
		return in.ignored(), nil
	}
	p, found, err := in.api.order(ctx, of)
	if err != nil || !found {
		return in.ignored(), passing(err)
	}
	return in.eventsOf(p), nil
}

// passing returns an error that may pass, nil for any other.
func passing(err error) error {
	if errors.Is(err, platform.ErrTryAgain) {
		return err
	}
	return nil
}
