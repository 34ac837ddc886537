package paddle

import (
	"context"
	"errors"
	"time"

	"keypool/shared/platform"
)

// timeForCalls bounds all calls that one webhook takes. Paddle waits for five seconds, of
// which a function that has to start first and the claim take their parts.
const timeForCalls = 3 * time.Second

// The types of events that are acted on. Of what was paid there is one event:
// transaction.paid, transaction.updated and subscription.created come beside it, and would
// deliver twice.
const (
	typeCompleted = "transaction.completed"
	typeAdjusted  = "adjustment.created"
	typeReviewed  = "adjustment.updated"
)

// shop is one side of an account: live, or the sandbox.
type shop struct {
	api
	settings settings
	from     time.Time // what was paid before was not delivered
}

// webhook is an event that is being decoded.
type webhook struct {
	node
	shop  shop
	kind  string
	order string // once it is known: the merchant is told which order waits
}

// Decode implements platform.Adapter. The customer, who is not in the body, is read from
// Paddle's API.
func (a Adapter) Decode(ctx context.Context, r platform.Request, account platform.Account) ([]platform.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, timeForCalls)
	defer cancel()
	body, err := parse(r.Body)
	if err != nil {
		return nil, err
	}
	in := webhook{node: body, kind: body.text("/event_type")}
	decode, known := map[string]func(*webhook, context.Context) ([]platform.Event, error){
		typeCompleted: (*webhook).transaction,
		typeAdjusted:  (*webhook).adjustment,
		typeReviewed:  (*webhook).adjustment,
	}[in.kind]
	switch {
	case in.kind == "":
		return nil, &platform.FieldError{Field: "event_type", Problem: "is not there as Paddle documents it: it says what happened"}
	case !known:
		return in.ignored(), nil
	}
	if in.shop, err = a.shopOf(account, account.Test); err != nil {
		return nil, err
	}
	events, err := decode(&in, ctx)
	var setup *platform.SetupError
	if errors.As(err, &setup) {
		setup.Order = in.order
	}
	return events, err
}

// shopOf returns a side of an account.
func (a Adapter) shopOf(account platform.Account, test bool) (shop, error) {
	settings, err := parseSettings(account.Settings)
	if err != nil {
		return shop{}, &platform.SetupError{Field: "settings", Problem: "are not those of a Paddle account: " + err.Error()}
	}
	return shop{api: a.apiOf(account, test), settings: settings, from: account.DeliversFrom}, nil
}

// ignored is the answer to an event that does not concern Keypool.
func (in *webhook) ignored() []platform.Event {
	return []platform.Event{platform.Ignored{Type: in.kind}}
}

// unknown is the answer to an event whose origin or action is not documented: it may be a
// sale, or a refund.
func (in *webhook) unknown(what string) []platform.Event {
	return []platform.Event{platform.Ignored{Type: in.kind + ", " + what, Unknown: true}}
}
