package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"keypool/shared/catalog"
	"keypool/shared/platform"
)

// The types of events by which an order was paid, and by which it was given back or is in
// dispute.
var (
	paidTypes  = []string{typeSession, typeDelayedSession, typeInvoice}
	givenTypes = []string{typeCharge, typeRefund, typeRefundFailed, typeDispute, typeDisputeClosed}
)

// Changed implements platform.Lister. Stripe lists its events for 30 days, as it sent them:
// each is decoded like a webhook. The sides are listed together, by time.
func (a Adapter) Changed(ctx context.Context, account platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		settings, err := parseSettings(account.Settings)
		if err != nil {
			yield(platform.Purchase{}, &platform.SetupError{Field: "settings", Problem: "are not those of a Stripe account: " + err.Error()})
			return
		}
		var sides []platform.List
		for _, test := range []bool{false, true} {
			if _, ok := account.Credentials[credentialOf(test)]; !ok {
				continue
			}
			l := listing{
				api: a.apiOf(account, test), settings: settings, now: a.Now(), from: account.DeliversFrom, since: since,
				others: account.OtherProducts == catalog.OthersIgnored,
			}
			sides = append(sides, platform.List{Purchases: l.purchases(ctx), ErrorLast: test})
		}
		platform.Merge(sides...)(yield)
	}
}

// listing lists the purchases of one side of an account.
type listing struct {
	api      api
	settings settings
	now      time.Time
	from     time.Time // the account delivers
	since    time.Time
	others   bool // see reading
}

// purchases yields what changed, the earliest first. What was given back is read first, all
// of it, so that no order is yielded without its refunds.
func (l listing) purchases(ctx context.Context) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		pending, unread, err := l.given(ctx)
		if err != nil {
			yield(platform.Purchase{}, err)
			return
		}
		// before yields what was given back until then of orders that were paid before since.
		before := func(until time.Time) bool {
			for len(pending) > 0 && !pending[0].ChangedAt.After(until) {
				if !yield(pending[0], nil) {
					return false
				}
				pending = pending[1:]
			}
			return true
		}
		for event, err := range l.events(ctx, paidTypes) {
			if err != nil {
				yield(platform.Purchase{}, err)
				return
			}
			decoded, err := l.decode(ctx, event)
			if passed, ok := platform.PassOver(err, at(event.Created)); ok {
				if !before(passed.ChangedAt) || !yield(passed, nil) {
					return
				}
				continue
			}
			if err != nil {
				yield(platform.Purchase{}, err)
				return
			}
			for _, d := range decoded {
				p := platform.Purchase{ChangedAt: at(event.Created)}
				paid, ok := d.(platform.Paid)
				switch other, isIgnored := d.(platform.Ignored); {
				case ok && unread.holds(paid.Order, event.payment()):
					continue
				case ok:
					p.Paid = &paid
				case isIgnored && other.Payment != "":
					p.Ignored = []platform.Ignored{other}
				default:
					continue
				}
				if i := slices.IndexFunc(pending, func(g platform.Purchase) bool { return ok && orderGiven(g) == paid.Order }); i >= 0 {
					p.Returned, p.Disputed = pending[i].Returned, pending[i].Disputed
					pending = slices.Delete(pending, i, i+1)
				}
				if !before(p.ChangedAt) || !yield(p, nil) {
					return
				}
			}
		}
		before(time.Unix(maxSeconds, 0))
	}
}

// orderGiven returns the order of a purchase that holds only what was given back.
func orderGiven(p platform.Purchase) string {
	for _, r := range p.Returned {
		return r.Order
	}
	for _, d := range p.Disputed {
		return d.Order
	}
	return ""
}

// unread are the refunds and disputes that were passed over. Their orders are not delivered:
// keys would leave for what may have been given back.
type unread []unreadOne

type unreadOne struct {
	charge, payment, order string // each "" if it is not known
	mistake                *platform.FieldError
}

// holds says whether an order, or its payment, is one of those, and names the order in what is
// told of it.
func (u unread) holds(order, payment string) bool {
	held := false
	for _, one := range u {
		if one.order == order || payment != "" && one.payment == payment {
			one.mistake.Order, held = order, true
		}
	}
	return held
}

// heldBack is added to the mistake of each of those that names a payment. Most of their orders were
// delivered long before.
const heldBack = "; unless its order was delivered before, catch-up does not deliver it: fulfil it by hand if the customer is to have keys"

// passedOver returns a refund or dispute that was passed over. Its order is looked for by the
// payment, which may be readable where something else is not.
func (l listing) passedOver(ctx context.Context, e listed, mistake platform.FieldError) (unreadOne, error) {
	one := unreadOne{charge: e.charge(), payment: e.payment(), mistake: &mistake}
	in := reading{api: l.api}
	var err error
	one.order, _, err = in.orderOf(ctx, one.payment)
	if err = e.unreadable(err, ""); err != nil && !errors.As(err, new(*platform.FieldError)) {
		return unreadOne{}, err
	}
	mistake.Order = one.order
	return one, nil
}

// given returns what was given back and disputed, by order, the earliest first. The refunds
// of a charge are read once, whatever number of events tells of them.
func (l listing) given(ctx context.Context) ([]platform.Purchase, unread, error) {
	var all []platform.Purchase
	var missed unread
	byOrder, read := map[string]int{}, map[string]bool{}
	for event, err := range l.events(ctx, givenTypes) {
		if err != nil {
			return nil, nil, err
		}
		if charge := event.charge(); charge != "" {
			if read[charge] {
				continue
			}
			read[charge] = true
		}
		decoded, err := l.decode(ctx, event)
		if passed, ok := platform.PassOver(err, at(event.Created)); ok {
			one, err := l.passedOver(ctx, event, *passed.Unreadable)
			if err != nil {
				return nil, nil, err
			}
			passed.Unreadable = one.mistake
			all, missed = append(all, passed), append(missed, one)
			delete(read, event.charge()) // another event may tell of it
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, d := range decoded {
			p := platform.Purchase{ChangedAt: at(event.Created)}
			switch d := d.(type) {
			case platform.Returned:
				p.Returned = []platform.Returned{d}
			case platform.Disputed:
				p.Disputed = []platform.Disputed{d}
			default:
				continue
			}
			order := orderGiven(p)
			i, ok := byOrder[order]
			if !ok {
				byOrder[order] = len(all)
				all = append(all, p)
				continue
			}
			all[i].Returned, all[i].Disputed = append(all[i].Returned, p.Returned...), append(all[i].Disputed, p.Disputed...)
		}
	}
	missed = slices.DeleteFunc(missed, func(one unreadOne) bool { return read[one.charge] })
	for _, one := range missed {
		if one.payment != "" {
			one.mistake.Problem += heldBack
		}
	}
	return all, missed, nil
}

// listed is an event of Stripe's list.
type listed struct {
	ID      string
	Created int64
	Type    string
	body    jsontext.Value
	wrong   error // a *platform.FieldError: the others may be empty
}

func (e listed) name() string { return e.ID }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (e *listed) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	body, err := d.ReadValue()
	if err != nil {
		return err
	}
	e.body = slices.Clone(body)
	var members struct {
		ID      string `json:"id"`
		Created int64  `json:"created"`
		Type    string `json:"type"`
		Side    *bool  `json:"livemode"` // taken for the other side's, the event would end the list
	}
	if e.wrong = read(e.body, &members); e.wrong == nil && members.Side == nil {
		e.wrong = &platform.FieldError{Field: "livemode", Problem: "is not there as Stripe documents it"}
	}
	e.ID, e.Created, e.Type = members.ID, members.Created, members.Type
	return nil // one that cannot be read leaves the others of the page readable
}

// charge returns the charge whose refunds an event tells of, "" if it is about none.
func (e listed) charge() string {
	var event event[struct {
		ID     string `json:"id"`
		Charge id     `json:"charge"`
	}]
	switch {
	case e.Type == typeDispute || e.Type == typeDisputeClosed || read(e.body, &event) != nil:
		return ""
	case e.Type == typeCharge:
		return event.Data.Object.ID
	}
	return string(event.Data.Object.Charge)
}

// payment returns the payment that an event is about, "" where it names none that can be read.
func (e listed) payment() string {
	var event event[struct {
		Payment id `json:"payment_intent"`
	}]
	if read(e.body, &event) != nil || !isID(string(event.Data.Object.Payment), "pi_") {
		return ""
	}
	return string(event.Data.Object.Payment)
}

// decode decodes an event as a webhook is. Its error is a *platform.FieldError if that can
// never be taken. So it is of an event about an object that is gone, such as an old plan that
// was deleted, or that the API shows otherwise than documented: it would hold up all events
// after it for the 30 days that Stripe lists it.
func (l listing) decode(ctx context.Context, e listed) ([]platform.Event, error) {
	if e.wrong != nil {
		return nil, e.wrong
	}
	in := reading{body: e.body, api: l.api, settings: l.settings, now: l.now, from: l.from, others: l.others}
	if err := read(e.body, &in.kind); err != nil {
		return nil, err
	}
	if err := read(e.body, &in.envelope); err != nil {
		return nil, err
	}
	decode, known := decoders[in.Type]
	if !known || in.Account != "" {
		return nil, nil
	}
	if in.Livemode == l.api.test {
		return nil, errOther
	}
	events, err := decode(&in, ctx)
	return events, e.unreadable(err, in.order)
}

// unreadable returns the error of reading an event: a *platform.FieldError if it stays so.
func (e listed) unreadable(err error, order string) error {
	var unfit *platform.UnfitError
	var refused *refusedError
	switch {
	case errors.As(err, &unfit):
		return &platform.FieldError{Field: unfit.Mistake.Field, Problem: unfit.Mistake.Problem, Order: order}
	case errors.As(err, &refused) && (refused.status == http.StatusNotFound || refused.status == http.StatusBadRequest):
		return &platform.FieldError{
			Field: strings.TrimSuffix(within, "."), Order: order,
			Problem: fmt.Sprintf("is about something that Stripe knows no more (the event %s, answered %d)", e.ID, refused.status),
		}
	}
	return err
}

const (
	// eventsAtOnce are read in one call: one takes some ten kilobytes.
	eventsAtOnce = "50"
	// eventsKept bounds the events that are held: Stripe lists the newest first.
	eventsKept = 2000
)

// events yields the events of some types since then, the oldest first.
func (l listing) events(ctx context.Context, types []string) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		since := l.since.Unix()
		for {
			found, all, err := l.oldest(ctx, types, since)
			if err != nil {
				yield(listed{}, err)
				return
			}
			for _, event := range found {
				if !yield(event, nil) {
					return
				}
			}
			if all {
				return
			}
			since = max(found[len(found)-1].Created, since+1)
		}
	}
}

// oldest returns the oldest events since then, and whether those are all.
func (l listing) oldest(ctx context.Context, types []string, since int64) (found []listed, all bool, err error) {
	query := url.Values{"types[]": types, "created[gte]": {strconv.FormatInt(max(since, 0), 10)}, "limit": {eventsAtOnce}}
	all = true
	for {
		var next page[listed]
		if err := l.api.get(ctx, "/v1/events", query, &next); err != nil {
			return nil, false, err
		}
		found = append(found, next.Data...)
		if len(next.Data) == 0 || !next.HasMore {
			break
		}
		last := ""
		for _, event := range next.Data {
			last = cmp.Or(event.ID, last) // that of one that cannot be read may be missing
		}
		if last == "" || last == query.Get("starting_after") {
			return nil, false, fmt.Errorf("a page of api.stripe.com's events cannot be read: %w", platform.ErrTryAgain)
		}
		query.Set("starting_after", last)
		if more := len(found) - eventsKept; more > 0 {
			found, all = slices.Clone(found[more:]), false
		}
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b listed) int { return int(a.Created - b.Created) })
	return found, all, nil
}

// endpoint is a webhook endpoint.
type endpoint struct {
	ID       string   `json:"id"`
	URL      shown    `json:"url"`
	Status   shown    `json:"status"`
	Livemode bool     `json:"livemode"`
	Events   []string `json:"enabled_events"`
}

func (e endpoint) name() string { return e.ID }

// needed are the types of events without which an order, or what became of it, is missed.
// A refund that changes is told by its charge as well.
var needed = []string{typeSession, typeDelayedSession, typeInvoice, typeCharge, typeRefundFailed, typeDispute, typeDisputeClosed}

// Probe implements platform.Prober: of the live side, unless there is a key of the sandbox
// alone. A key that may not read endpoints is as good as another.
func (a Adapter) Probe(ctx context.Context, account platform.Account, address string) (platform.WebhookStatus, error) {
	_, live := account.Credentials[liveKey]
	side := a.apiOf(account, !live)
	all, err := list[endpoint](ctx, side, "/v1/webhook_endpoints", url.Values{})
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusForbidden:
		return platform.WebhookUnknown, nil
	case err != nil:
		return platform.WebhookUnknown, err
	}
	status := platform.WebhookMissing
	for _, e := range all {
		switch {
		case !platform.SameAddress(string(e.URL), address) || e.Livemode == side.test || !e.sends():
		case e.Status == "enabled":
			return platform.WebhookActive, nil
		default:
			status = platform.WebhookInactive
		}
	}
	return status, nil
}

func (e endpoint) sends() bool {
	return slices.Contains(e.Events, "*") || !slices.ContainsFunc(needed, func(kind string) bool { return !slices.Contains(e.Events, kind) })
}
