package paddle

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// longestTerms is over any time in which an invoice is to be paid. What was billed so long
// before the account delivers was not delivered, whenever it was paid.
const longestTerms = 180 * 24 * time.Hour

// parents returns the orders that renewals renew, by the renewal: the first transaction of
// the subscription, or the first of its renewals where that was not delivered: the
// subscription began with a free trial, before the account delivered, or elsewhere. That
// first renewal itself has none. What is no renewal is passed over.
func (s shop) parents(ctx context.Context, transactions []node) (map[string]string, error) {
	parents, subscriptions := map[string]string{}, []string{}
	renewals := map[string][]node{}
	for _, t := range transactions {
		of := t.id("/subscription_id", "sub_")
		if of == "" || t.text("/origin") != originRenewal || !s.delivers(t) {
			continue
		}
		if renewals[of] == nil {
			subscriptions = append(subscriptions, of)
		}
		renewals[of] = append(renewals[of], t)
	}
	if len(subscriptions) == 0 {
		return parents, nil
	}
	began, err := s.firsts(ctx, "web,api", subscriptions...)
	if err != nil {
		return nil, err
	}
	for _, of := range subscriptions {
		first, ok := began[of]
		if !ok {
			renewed, err := s.firsts(ctx, originRenewal, of)
			if err != nil {
				return nil, err
			}
			first = renewed[of]
		}
		for _, t := range renewals[of] {
			if id := t.id("/id", "txn_"); id != first {
				parents[id] = first
			}
		}
	}
	return parents, nil
}

// firsts returns the first transaction of each subscription that has one of these origins
// and was delivered.
func (s shop) firsts(ctx context.Context, origins string, subscriptions ...string) (map[string]string, error) {
	query := url.Values{
		"subscription_id": {strings.Join(subscriptions, ",")}, "origin": {origins}, "status": {"completed"},
		"order_by": {"billed_at[ASC]"}, "per_page": {strconv.Itoa(transactionsAtOnce)},
	}
	if !s.from.IsZero() {
		query.Set("billed_at[GTE]", s.from.Add(-longestTerms).UTC().Format(time.RFC3339))
	}
	first := map[string]string{}
	const most = 20 // pages: fifty years of months
	err := s.list(ctx, "/transactions", query, most, func(page []node) (bool, error) {
		for _, t := range page {
			id, of := t.id("/id", "txn_"), t.id("/subscription_id", "sub_")
			if t.text("/subscription_id") == "" {
				continue // of no subscription that is named: it began none
			}
			if !strings.Contains(","+strings.Join(subscriptions, ",")+",", ","+of+",") || of == "" {
				return false, s.otherEntity()
			}
			if _, known := first[of]; !known && id != "" && s.delivers(t) && !paidAt(t, time.Time{}).Before(s.from) {
				first[of] = id
			}
		}
		return len(first) < len(subscriptions), nil
	})
	return first, err
}
