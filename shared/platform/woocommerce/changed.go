package woocommerce

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"time"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// ordersPerPage is how many orders are read at once. Plugins keep many kilobytes of meta
// data on an order, and an answer has a bound: of a page that is larger, half is asked for.
const ordersPerPage = 20

// fields are the members of an order that are read.
const fields = "id,status,currency,date_paid_gmt,date_modified_gmt,customer_note,billing,line_items,refunds,meta_data"

// Changed implements platform.Lister, of orders of any status: one that is on hold may have had a
// refund. From most that are not paid nothing follows, and catch-up goes on after them.
//
// Each page asks for what changed since the second of
// the last order before it, not for the page of that number: an order that is saved
// meanwhile moves to the end of the list, and the one after it would be passed over.
func (a Adapter) Changed(ctx context.Context, account platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		in, err := a.reading(account)
		if err != nil {
			yield(platform.Purchase{}, err)
			return
		}
		after, page, size := before(since), 1, ordersPerPage
		seen := map[string]bool{} // orders of the page before, as they were
		for {
			list, err := in.api.page(ctx, "/orders", url.Values{
				"status": {"any"}, "modified_after": {after.Format(withoutZone)}, "dates_are_gmt": {"true"},
				"orderby": {"modified"}, "order": {"asc"}, "per_page": {strconv.Itoa(size)}, "page": {strconv.Itoa(page)}, "_fields": {fields},
			})
			var large *largeError
			switch {
			case errors.As(err, &large) && size > 1:
				size, page = size/2, 1 // which begins with orders that were read before
				continue
			case err != nil:
				yield(platform.Purchase{}, err)
				return
			}
			now, last, news := map[string]bool{}, time.Time{}, false
			for _, o := range list {
				key := o.text("/id") + " " + o.text("/date_modified_gmt")
				now[key] = true
				if at, _ := o.time("/date_modified_gmt"); !at.IsZero() {
					last = at
				}
				if seen[key] {
					continue
				}
				news = true
				found, err := in.purchase(ctx, o)
				if errors.Is(err, outbound.ErrFault) && a.Now().Sub(last) > faultyFor {
					err = errFaulty(o)
				}
				next, passed := platform.PassOver(err, last)
				switch {
				case passed:
				case err != nil:
					yield(platform.Purchase{}, err)
					return
				default:
					next = platform.Purchase{ChangedAt: found.changedAt, Returned: found.returned, Paid: found.paid, Recorded: found.recorded}
				}
				if !yield(next, nil) {
					return
				}
			}
			switch next := before(last); {
			case len(list) < size:
				return
			case !news && page > 1:
				yield(platform.Purchase{}, errAlike())
				return
			case next.After(after):
				after, page = next, 1
			default:
				page++ // all of one second, such as those of a bulk edit
			}
			seen = now
		}
	}
}

// faultyFor is how long after it changed an order holds up those after it, if the shop answers
// 500 for a part of it while it answers for others.
const faultyFor = 24 * time.Hour

// errFaulty is the mistake of an order that is passed over since then.
func errFaulty(o object) error {
	id, _ := o.id("/id")
	return &platform.FieldError{
		Field: "id", Order: id, Problem: "names an order whose refunds or subscription the shop's REST API answers 500 for, since more than a day: " +
			"see its log of PHP errors. Catch-up does not deliver it: fulfil it by hand if the customer is to have keys",
	}
}

// errAlike is the answer of a shop that shows the same page of its orders again and again.
func errAlike() error {
	return &platform.SetupError{
		Field: "settings.shop", Problem: "answers calls of its REST API alike, whichever page is asked for: a cache stands before it; keep /wp-json/ out of the cache",
	}
}

// withoutZone is how the REST API writes times.
const withoutZone = "2006-01-02T15:04:05"

// before returns the second before a time: modified_after leaves its own second out.
func before(at time.Time) time.Time { return at.UTC().Truncate(time.Second).Add(-time.Second) }

// topics are those of the webhooks that an account needs.
var topics = []string{"order.created", "order.updated"}

// Probe implements platform.Prober. A webhook that WooCommerce has switched off is
// disabled, one that the merchant has stopped is paused or disabled.
func (a Adapter) Probe(ctx context.Context, account platform.Account, address string) (platform.WebhookStatus, error) {
	in, err := a.reading(account)
	if err != nil {
		return "", err
	}
	all, err := in.api.all(ctx, "/webhooks", url.Values{"status": {"all"}, "_fields": {"id,status,topic,delivery_url"}})
	if err != nil {
		return "", err
	}
	status := platform.WebhookActive
	for _, topic := range topics {
		there, active := false, false
		for _, webhook := range all {
			if webhook.text("/topic") == topic && platform.SameAddress(webhook.text("/delivery_url"), address) {
				there = true
				active = active || webhook.text("/status") == "active"
			}
		}
		switch {
		case !there:
			return platform.WebhookMissing, nil
		case !active:
			status = platform.WebhookInactive
		}
	}
	return status, nil
}
