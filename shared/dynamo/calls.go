package dynamo

import (
	"context"

	"keypool/shared/catalog"
	"keypool/shared/order"
)

// callsItem counts the webhooks of an account, in the catalog. Function webhook writes
// it, beside the counts of pools: it cannot write the account.
type callsItem struct {
	V            int   `dynamodbav:"v"`
	LastSeenAt   int64 `dynamodbav:"lastSeenAt"`
	Failed       int   `dynamodbav:"failed"`
	LastFailedAt int64 `dynamodbav:"lastFailedAt"`

	FailedHours []failedHourItem `dynamodbav:"failedHours"` // newest first
	Last        []callItem       `dynamodbav:"last"`        // newest first
}

type failedHourItem struct {
	From     int64 `dynamodbav:"from"`
	Webhooks int   `dynamodbav:"webhooks"`
}

type callItem struct {
	At     int64  `dynamodbav:"at"`
	Event  string `dynamodbav:"event,omitempty"`
	Order  string `dynamodbav:"order,omitempty"`
	Became string `dynamodbav:"became,omitempty"`
	State  string `dynamodbav:"state,omitempty"`
}

// AddCalls adds to the webhooks of an account. Times that more does not tell stay. The last
// webhooks, and the counts of hours, are read first and written as a whole: of two processes that do
// so at once, one may lose what it adds. Failed counts each.
func (s *Store) AddCalls(ctx context.Context, merchant, account string, more catalog.Calls) error {
	u := newUpdate(always)
	u.set("v", number(schema))
	u.add("failed", more.Failed)
	if !more.LastSeenAt.IsZero() {
		u.set("lastSeenAt", number(millis(more.LastSeenAt)))
	}
	if !more.LastFailedAt.IsZero() {
		u.set("lastFailedAt", number(millis(more.LastFailedAt)))
	}
	if len(more.Last)+len(more.FailedHours) > 0 {
		before, err := s.Calls(ctx, merchant, account)
		if err != nil {
			return err
		}
		var item callsItem
		for _, h := range catalog.AddFailedHours(before.FailedHours, more.FailedHours) {
			item.FailedHours = append(item.FailedHours, failedHourItem{millis(h.From), h.Webhooks})
		}
		for _, c := range catalog.MergeCalls(before.Last, more.Last) {
			item.Last = append(item.Last, callItem{millis(c.At), c.Event, c.Order, c.Became, string(c.State)})
		}
		encoded := encode(item)
		u.set("failedHours", encoded["failedHours"])
		u.set("last", encoded["last"])
	}
	err := s.addOnce(ctx, u.write(s.tables.Catalog, callsKey(merchant, account)))
	return wrap(err, "count the webhooks of account %s of %s", account, merchant)
}

// Calls returns the webhooks of an account.
func (s *Store) Calls(ctx context.Context, merchant, account string) (catalog.Calls, error) {
	item, _, err := getAs[callsItem](ctx, s, s.tables.Catalog, callsKey(merchant, account), oldestInCatalog)
	calls := catalog.Calls{LastSeenAt: at(item.LastSeenAt), Failed: item.Failed, LastFailedAt: at(item.LastFailedAt)}
	for _, h := range item.FailedHours {
		calls.FailedHours = append(calls.FailedHours, catalog.FailedHour{From: at(h.From), Webhooks: h.Webhooks})
	}
	for _, c := range item.Last {
		calls.Last = append(calls.Last, catalog.Call{At: at(c.At), Event: c.Event, Order: c.Order, Became: c.Became, State: order.State(c.State)})
	}
	return calls, wrap(err, "read the webhooks of account %s of %s", account, merchant)
}
