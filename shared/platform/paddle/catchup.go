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
		var all []*changes
		for _, s := range shops {
			for _, list := range []iter.Seq2[platform.Purchase, error]{s.changedTransactions(ctx, since), s.changedAdjustments(ctx, since)} {
				next, stop := iter.Pull2(list)
				defer stop()
				all = append(all, &changes{next: next, mayFail: s.test && len(shops) > 1})
			}
		}
		merge(all, yield)
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

// changes is a list of purchases in the order of their change, and the next of them.
type changes struct {
	next    func() (platform.Purchase, error, bool)
	head    platform.Purchase
	hasHead bool
	mayFail bool // its error holds up no other list
}

// merge yields the purchases of several lists in the order of their change, and the first
// error.
func merge(lists []*changes, yield func(platform.Purchase, error) bool) {
	var late error
	for {
		var first *changes
		for i := 0; i < len(lists); i++ {
			list := lists[i]
			if !list.hasHead {
				head, err, ok := list.next()
				switch {
				case err != nil && !list.mayFail:
					yield(platform.Purchase{}, err)
					return
				case err != nil || !ok:
					late = cmp.Or(late, err)
					lists = slices.Delete(lists, i, i+1)
					i--
					continue
				}
				list.head, list.hasHead = head, true
			}
			if first == nil || list.head.ChangedAt.Before(first.head.ChangedAt) {
				first = list
			}
		}
		if first == nil {
			break
		}
		first.hasHead = false
		if !yield(first.head, nil) {
			return
		}
	}
	if late != nil {
		yield(platform.Purchase{}, late)
	}
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

// purchases returns transactions as purchases, without those that are no concern of ours.
func (s shop) purchases(ctx context.Context, transactions []node) ([]platform.Purchase, error) {
	var ids []string
	for _, t := range transactions {
		id := t.id("/id", "txn_")
		if id == "" || changedAt(t).IsZero() {
			return nil, s.unreadable()
		}
		if err := s.checkCustomer(t); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	var calls errgroup.Group
	var adjustments map[string][]node
	var parents map[string]string
	calls.Go(func() (err error) {
		adjustments, err = s.adjustments(ctx, ids...)
		return err
	})
	calls.Go(func() (err error) {
		parents, err = s.parents(ctx, transactions)
		return err
	})
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	var all []platform.Purchase
	for i, t := range transactions {
		p := s.happened(t, adjustments[ids[i]])
		p.ChangedAt = changedAt(t)
		if s.delivers(t) {
			paid := s.paid(t)
			paid.Parent = parents[ids[i]]
			p.Paid = &paid
		}
		if p.Paid != nil || p.Returned != nil || p.Disputed != nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// paid reads a transaction that was read with its customer. One whose lines cannot be read
// has none: the merchant is told of it, as by a webhook.
func (s shop) paid(t node) platform.Paid {
	paid, err := s.order(t)
	if err != nil {
		paid.Lines, paid.SkippedLines = nil, nil
	}
	paid.PaidAt = paidAt(t, t.time("/created_at"))
	paid.Customer, paid.Language = s.customer(t, t), t.text("/customer/locale")
	return paid
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
	at          time.Time
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
// change, the earliest first.
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
			case at.IsZero():
				return false, s.unreadable()
			case at.Before(since.Add(-eventsAstray)):
				return false, nil
			case at.Before(since), of == "", seen[of], action == actionCredit, action == actionCreditReverse, !isDone(event.at("/data")):
				continue
			}
			seen[of] = true
			all = append(all, change{of, at})
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
		ids = append(ids, c.transaction)
	}
	transactions, err := s.all(ctx, "/transactions", url.Values{"id": {strings.Join(ids, ",")}, "per_page": {strconv.Itoa(transactionsAtOnce)}})
	if err != nil {
		return nil, err
	}
	byID := map[string]node{}
	for _, t := range transactions {
		byID[t.text("/id")] = t
	}
	adjustments, err := s.adjustments(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var all []platform.Purchase
	for _, c := range changes {
		p := s.happened(byID[c.transaction], adjustments[c.transaction])
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
			case !sameAddress(destination.text("/destination"), address) || !isSubscribed(destination):
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

// sameAddress compares addresses, with or without a slash at the end.
func sameAddress(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
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
