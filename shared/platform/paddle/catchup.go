package paddle

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// pagesOfRun bounds the pages of one list that a run of catch-up reads: 30,000 transactions,
// or 200,000 events.
const pagesOfRun = 1000

// Changed implements platform.Lister, of the live side and of the sandbox together. What the
// sandbox's API fails with comes after all else: live orders do not wait for it.
func (a Adapter) Changed(ctx context.Context, account platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		shops, err := a.shopsOf(account)
		if err != nil {
			yield(platform.Purchase{}, err)
			return
		}
		ctx := a.paced(ctx)
		var all []platform.List
		for _, s := range shops {
			for _, list := range []iter.Seq2[platform.Purchase, error]{s.changedTransactions(ctx, since), s.changedAdjustments(ctx, since)} {
				all = append(all, platform.List{Purchases: list, ErrorLast: s.test && len(shops) > 1})
			}
		}
		platform.Merge(all...)(yield)
	}
}

// paced returns a context whose calls keep to the adapter's pace.
func (a Adapter) paced(ctx context.Context) context.Context {
	if a.Pace == nil {
		return ctx
	}
	return outbound.Limited(ctx, a.Pace)
}

// shopsOf returns the sides of an account whose API can be called: those that have a key.
func (a Adapter) shopsOf(account platform.Account) ([]shop, error) {
	var shops []shop
	for _, test := range []bool{false, true} {
		s, err := a.shopOf(account, test)
		if err != nil {
			return nil, err
		}
		if s.key != "" {
			shops = append(shops, s)
		}
	}
	if shops == nil {
		return nil, a.apiOf(account, false).missingKey()
	}
	return shops, nil
}

// changedTransactions yields the completed transactions that changed, each with what happened
// to it since it was paid.
func (s shop) changedTransactions(ctx context.Context, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		query := url.Values{
			"status": {"completed"}, "updated_at[GTE]": {since.UTC().Format(time.RFC3339)}, "order_by": {"updated_at[ASC]"},
			"include": {shown}, "per_page": {strconv.Itoa(transactionsAtOnce)},
		}
		goesOn := true
		err := s.list(ctx, "/transactions", query, pagesOfRun, func(page []node) (bool, error) {
			purchases, err := s.purchases(ctx, page)
			for _, p := range purchases {
				if goesOn = goesOn && yield(p, nil); !goesOn {
					break
				}
			}
			return goesOn, err
		})
		if err != nil && goesOn {
			yield(platform.Purchase{}, err)
		}
	}
}

// purchases returns transactions as purchases, without those that are no concern of ours. One
// that cannot be read is passed over.
func (s shop) purchases(ctx context.Context, transactions []node) ([]platform.Purchase, error) {
	var ids []string
	var readable []node
	for _, t := range transactions {
		if s.check(t) == nil {
			readable, ids = append(readable, t), append(ids, t.id("/id", "txn_"))
		}
	}
	var calls errgroup.Group
	var adjustments map[string]adjustmentsOf
	var parents map[string]string
	calls.Go(func() (err error) {
		adjustments, err = s.adjustmentsOfEach(ctx, ids)
		return err
	})
	calls.Go(func() (err error) {
		parents, err = s.parents(ctx, readable)
		return err
	})
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	var all []platform.Purchase
	for _, t := range transactions {
		id := t.id("/id", "txn_")
		p, err := s.purchase(t, adjustments[id], parents[id])
		if passed, ok := platform.PassOver(err, changedAt(t)); ok {
			p = passed
		}
		if p.Paid != nil || p.Returned != nil || p.Disputed != nil || p.Unreadable != nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// check says whether a transaction of a list has what it is told from others by.
func (s shop) check(t node) error {
	id := t.id("/id", "txn_")
	switch {
	case id == "":
		return unlike("id", "")
	case changedAt(t).IsZero():
		return unlike("updated_at", id)
	case s.checkCustomer(t) != nil:
		return &platform.FieldError{Field: "customer.id", Problem: "is another than customer_id", Order: id}
	}
	return nil
}

// unlike returns the mistake in a member of an entity that the API shows.
func unlike(field, order string) error {
	return &platform.FieldError{Field: field, Problem: notDocumented, Order: order}
}

// purchase returns a transaction, which was read with its customer, as a purchase. Its error is
// a *platform.FieldError.
func (s shop) purchase(t node, of adjustmentsOf, parent string) (platform.Purchase, error) {
	if err := cmp.Or(s.check(t), of.err); err != nil {
		return platform.Purchase{}, err
	}
	p := s.happened(t, of.all)
	p.ChangedAt = changedAt(t)
	if !s.delivers(t) {
		return p, nil
	}
	paid, err := s.order(t)
	if err != nil {
		return platform.Purchase{}, err
	}
	paid.Parent, paid.PaidAt = parent, paidAt(t, t.time("/created_at"))
	paid.Customer, paid.Language = s.customer(t, t), t.text("/customer/locale")
	p.Paid = &paid
	return p, nil
}

// adjustmentsOf are the adjustments of a transaction.
type adjustmentsOf struct {
	all []node
	err error // a *platform.FieldError: one of them cannot be read
}

// adjustmentsOfEach reads the adjustments of transactions. Where one of them does not say whose
// it is, those of each are read by themselves: of that transaction alone it is not known what
// went back.
func (s shop) adjustmentsOfEach(ctx context.Context, ids []string) (map[string]adjustmentsOf, error) {
	each := map[string]adjustmentsOf{}
	found, err := s.adjustments(ctx, ids...)
	for id, all := range found {
		each[id] = adjustmentsOf{all: all}
	}
	if !errors.As(err, new(*platform.UnfitError)) {
		return each, err
	}
	for _, id := range ids {
		found, err := s.adjustments(ctx, id)
		var unfit *platform.UnfitError
		switch {
		case errors.As(err, &unfit):
			unfit.Mistake.Order = id
			each[id] = adjustmentsOf{err: unfit.Mistake}
		case err != nil:
			return nil, err
		default:
			each[id] = adjustmentsOf{all: found[id]}
		}
	}
	return each, nil
}

// happened returns the refunds and disputes of a transaction.
func (s shop) happened(t node, adjustments []node) platform.Purchase {
	var p platform.Purchase
	sold := soldOf(t, adjustments)
	for _, adjustment := range byAge(adjustments) {
		if adjustment.text("/action") == actionRefund && isDone(adjustment) {
			p.Returned = append(p.Returned, s.refund(adjustment, sold)...)
		}
	}
	p.Disputed = s.disputes(adjustments)
	return p
}

// eventsAtOnce is how many events a page has, Paddle's maximum.
const eventsAtOnce = 200

// change is a transaction whose adjustments changed.
type change struct {
	transaction string
	at          time.Time // zero: not known
	wrong       error     // a *platform.FieldError: the event cannot be read
}

// changedAdjustments yields the transactions whose refunds and disputes changed, with those as
// they stand now, and not as orders: such a transaction may be years old, and it may not have
// changed itself.
//
// They are found by the events. The list of adjustments can only be ordered by id: a refund
// that waited for days to be approved is nowhere near its end.
func (s shop) changedAdjustments(ctx context.Context, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		changes, err := s.adjustedSince(ctx, since)
		for part := range slices.Chunk(changes, transactionsAtOnce) {
			var purchases []platform.Purchase
			if err == nil {
				purchases, err = s.adjusted(ctx, part)
			}
			for _, p := range purchases {
				if !yield(p, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(platform.Purchase{}, err)
		}
	}
}

// adjustedSince returns the transactions whose adjustments changed, each once, at its last
// change, and the events that cannot be read: the earliest first.
func (s shop) adjustedSince(ctx context.Context, since time.Time) ([]change, error) {
	var all []change // the latest first
	seen := map[string]bool{}
	query := url.Values{
		"event_type": {typeAdjusted + "," + typeReviewed}, "order_by": {"id[DESC]"}, "per_page": {strconv.Itoa(eventsAtOnce)},
	}
	err := s.list(ctx, "/events", query, pagesOfRun, func(page []node) (bool, error) {
		for _, event := range page {
			at, of := event.time("/occurred_at"), event.id("/data/transaction_id", "txn_")
			action := event.text("/data/action")
			switch {
			case !at.IsZero() && at.Before(since.Add(-eventsAstray)):
				return false, nil
			case !at.IsZero() && at.Before(since), action == actionCredit, action == actionCreditReverse, !isDone(event.at("/data")), seen[of]:
				continue
			case of == "":
				all = append(all, change{at: at, wrong: unlike("data.transaction_id", "")})
				continue
			}
			seen[of] = true
			all = append(all, change{transaction: of, at: at})
		}
		return true, nil
	})
	slices.SortStableFunc(all, func(a, b change) int { return a.at.Compare(b.at) })
	return all, err
}

// eventsAstray is how far the order of the events' ids and that of their times may differ.
const eventsAstray = time.Minute

// adjusted returns what happened to transactions.
func (s shop) adjusted(ctx context.Context, changes []change) ([]platform.Purchase, error) {
	var ids []string
	for _, c := range changes {
		if c.wrong == nil {
			ids = append(ids, c.transaction)
		}
	}
	var transactions []node
	var err error
	if len(ids) > 0 { // without any, all transactions would be listed
		transactions, err = s.all(ctx, "/transactions", url.Values{"id": {strings.Join(ids, ",")}, "per_page": {strconv.Itoa(transactionsAtOnce)}})
	}
	if err != nil {
		return nil, err
	}
	byID := map[string]node{}
	for _, t := range transactions {
		byID[t.text("/id")] = t
	}
	adjustments, err := s.adjustmentsOfEach(ctx, ids)
	if err != nil {
		return nil, err
	}
	var all []platform.Purchase
	for _, c := range changes {
		of := adjustments[c.transaction]
		if passed, ok := platform.PassOver(cmp.Or(c.wrong, of.err), c.at); ok {
			all = append(all, passed)
			continue
		}
		p := s.happened(byID[c.transaction], of.all)
		p.ChangedAt = c.at
		if p.Returned != nil || p.Disputed != nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// Probe implements platform.Prober, of the live side if the account has its key. A key without
// the permission to ask is one that does all else.
func (a Adapter) Probe(ctx context.Context, account platform.Account, address string) (platform.WebhookStatus, error) {
	shops, err := a.shopsOf(account)
	if err != nil {
		return platform.WebhookUnknown, err
	}
	status := platform.WebhookMissing
	err = shops[0].list(a.paced(ctx), "/notification-settings", url.Values{"per_page": {"200"}}, pagesOfRun, func(page []node) (bool, error) {
		for _, destination := range page {
			switch {
			case !platform.SameAddress(destination.text("/destination"), address) || !isSubscribed(destination):
			case destination.at("/active").Kind == 't':
				status = platform.WebhookActive
				return false, nil
			default:
				status = platform.WebhookInactive
			}
		}
		return true, nil
	})
	var forbidden *forbiddenError
	switch {
	case errors.As(err, &forbidden):
		return platform.WebhookUnknown, nil
	case err != nil:
		return platform.WebhookUnknown, err
	}
	return status, nil
}

// isSubscribed says whether a destination is sent the events that are needed, and not only
// simulated ones.
func isSubscribed(destination node) bool {
	needed := map[string]bool{typeCompleted: true, typeAdjusted: true, typeReviewed: true}
	for _, event := range destination.list("/subscribed_events") {
		delete(needed, event.text("/name"))
	}
	return len(needed) == 0 && destination.text("/traffic_source") != "simulation"
}
