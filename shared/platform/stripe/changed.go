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

// purchases yields what changed, the earliest first. Of what was given back the events are
// listed first, all of them, so that no order is yielded without its refunds; its API is asked
// when its order comes, or its own time, so that a run that is cut off has come somewhere.
func (l listing) purchases(ctx context.Context) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		back, err := l.given(ctx)
		if err != nil {
			yield(platform.Purchase{}, err)
			return
		}
		for event, err := range l.events(ctx, paidTypes) {
			var all []platform.Purchase
			if err == nil {
				all, err = l.paid(ctx, event, back)
			}
			if passed, ok := platform.PassOver(err, at(event.Created)); ok {
				all, err = []platform.Purchase{passed}, nil
			}
			if err != nil {
				yield(platform.Purchase{}, err)
				return
			}
			if !back.until(ctx, at(event.Created), yield) {
				return
			}
			for _, p := range all {
				if !yield(p, nil) {
					return
				}
			}
		}
		back.until(ctx, time.Unix(maxSeconds, 0), yield)
	}
}

// paid returns what an event of a payment tells, with what was given back of it. An order of
// which a refund or dispute cannot be read is not delivered: keys would leave for what may have
// been given back.
func (l listing) paid(ctx context.Context, e listed, back *given) ([]platform.Purchase, error) {
	decoded, err := l.decode(ctx, e)
	if err != nil {
		return nil, err
	}
	var all []platform.Purchase
	for _, d := range decoded {
		p := platform.Purchase{ChangedAt: at(e.Created)}
		switch d := d.(type) {
		case platform.Paid:
			held, err := back.of(ctx, e, d.Order, &p)
			if err != nil {
				return nil, err
			}
			if !held {
				p.Paid = &d
			}
		case platform.Ignored:
			if d.Payment != "" {
				p.Ignored = []platform.Ignored{d}
			}
		}
		all = append(all, p)
	}
	return all, nil
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

// invoice returns the invoice by which the order of a paid event was paid, "" where it names none
// that can be read.
func (e listed) invoice() string {
	var event event[struct {
		ID      string `json:"id"`
		Invoice id     `json:"invoice"`
	}]
	if read(e.body, &event) != nil {
		return ""
	}
	for _, invoice := range []string{event.Data.Object.ID, string(event.Data.Object.Invoice)} {
		if isID(invoice, "in_") {
			return invoice
		}
	}
	return ""
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
