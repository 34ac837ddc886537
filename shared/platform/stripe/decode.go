package stripe

import (
	"context"
	"errors"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/platform"
)

// timeForCalls bounds all calls that one webhook takes. Stripe's own time-out is not
// documented; senders like it wait for ten seconds.
const timeForCalls = 8 * time.Second

// kind is what every webhook has.
type kind struct {
	Object string `json:"object"` // "event", or "v2.core.event" of a thin notification
	Type   string `json:"type"`
}

// envelope is what every event has around its object.
type envelope struct {
	Created  int64 `json:"created"`
	Livemode bool  `json:"livemode"`
	Account  shown `json:"account"` // of Connect: another account than the endpoint's
}

// event is an event with its object.
type event[T any] struct {
	Data struct {
		Object T `json:"object"`
	} `json:"data"`
}

// within is where the object of an event stands in the body.
const within = "data.object."

// reading is one webhook that is being decoded.
type reading struct {
	kind
	envelope
	body     []byte
	api      api
	settings settings
	now      time.Time
	from     time.Time // what was paid before was not delivered
	others   bool      // the account ignores what it does not deliver
	order    string    // once it is known: the merchant is told which order waits
}

// The types of events that are acted on.
const (
	typeSession        = "checkout.session.completed"
	typeDelayedSession = "checkout.session.async_payment_succeeded"
	typeInvoice        = "invoice.paid"
	typeCharge         = "charge.refunded"
	typeRefund         = "refund.updated"
	typeRefundFailed   = "refund.failed"
	typeDispute        = "charge.dispute.created"
	typeDisputeClosed  = "charge.dispute.closed"
)

// decoders decode the events that are acted on, by their types.
var decoders = map[string]func(*reading, context.Context) ([]platform.Event, error){
	typeSession:        (*reading).session,
	typeDelayedSession: (*reading).session,
	typeInvoice:        (*reading).invoice,
	typeCharge:         (*reading).charge,
	typeRefund:         (*reading).refund,
	typeRefundFailed:   (*reading).refund,
	typeDispute:        (*reading).dispute,
	typeDisputeClosed:  (*reading).dispute,
}

// Decode implements platform.Adapter. What the body lacks is read from Stripe's API.
func (a Adapter) Decode(ctx context.Context, r platform.Request, account platform.Account) ([]platform.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, timeForCalls)
	defer cancel()
	in := reading{body: r.Body, now: a.Now(), from: account.DeliversFrom, others: account.OtherProducts == catalog.OthersIgnored}
	if err := read(r.Body, &in.kind); err != nil {
		return nil, err
	}
	decode, known := decoders[in.Type]
	switch {
	case in.Object == "" || in.Type == "":
		return nil, &platform.FieldError{Field: "type", Problem: "is not there as Stripe documents it: it says what happened"}
	case in.Object != "event" || !known:
		return in.ignored(), nil
	}
	err := read(r.Body, &in.envelope)
	switch {
	case err != nil:
		return nil, err
	case in.Account != "":
		return nil, &platform.FieldError{Field: "account", Problem: "names a connected account: have that account send its own events"}
	case in.Livemode && account.Test:
		return nil, &platform.FieldError{Field: "livemode", Problem: "is true, and the secret that signed is marked as test: mark the secret as live, and have Stripe send the event again"}
	case !in.Livemode && !account.Test:
		return nil, &platform.FieldError{Field: "livemode", Problem: "is false, and the secret that signed is marked as live: mark the secret as test, and have Stripe send the event again"}
	}
	if in.settings, err = parseSettings(account.Settings); err != nil {
		return nil, &platform.SetupError{Field: "settings", Problem: "are not those of a Stripe account: " + err.Error()}
	}
	in.api = a.apiOf(account, !in.Livemode)
	events, err := decode(&in, ctx)
	var setup *platform.SetupError
	if errors.As(err, &setup) {
		setup.Order = in.order
	}
	return events, err
}

// ignored is the answer to an event that does not concern Keypool.
func (in *reading) ignored() []platform.Event {
	return []platform.Event{platform.Ignored{Type: in.Type}}
}

// objectOf reads the object of the event. Its error is a *platform.FieldError, which names the
// order that the object is, where its id can be read.
func objectOf[T any](in *reading) (T, error) {
	var e event[T]
	err := read(in.body, &e)
	var mistake *platform.FieldError
	var named event[struct {
		ID string `json:"id"`
	}]
	if errors.As(err, &mistake) && read(in.body, &named) == nil {
		if id := named.Data.Object.ID; isID(id, "cs_") || isID(id, "in_") {
			mistake.Order = id
		}
	}
	return e.Data.Object, err
}

// missing returns the mistake in a member of the object.
func missing(field, order string) error {
	return &platform.FieldError{Field: within + field, Problem: "is not there as Stripe documents it", Order: order}
}

// at returns a time of Stripe's, zero for none.
func at(seconds int64) time.Time {
	if seconds <= 0 || seconds > maxSeconds {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

const maxSeconds = 253402300799 // the year 9999: JSON has no form for later ones

func capitals(currency shown) string { return strings.ToUpper(string(currency)) }
