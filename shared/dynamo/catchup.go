package dynamo

import (
	"context"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/retry"
)

// catchupItem is how far catch-up has come with an account, in the catalog. Function
// catchup writes it, beside the counts of webhooks: it cannot write the account.
type catchupItem struct {
	V               int    `dynamodbav:"v"`
	Watermark       int64  `dynamodbav:"watermark"`
	From            int64  `dynamodbav:"from"`
	RanAt           int64  `dynamodbav:"ranAt"`
	SucceededAt     int64  `dynamodbav:"succeededAt"`
	UnansweredSince int64  `dynamodbav:"unansweredSince"`
	Error           string `dynamodbav:"error"`
	Webhook         string `dynamodbav:"webhook"`
	LeaseEndsAt     int64  `dynamodbav:"leaseEndsAt"`
}

func (i catchupItem) catchup() catalog.Catchup {
	return catalog.Catchup{
		Watermark: at(i.Watermark), From: at(i.From), RanAt: at(i.RanAt), SucceededAt: at(i.SucceededAt), UnansweredSince: at(i.UnansweredSince),
		Error: i.Error, Webhook: i.Webhook,
	}
}

// FetchingAccounts calls see with each account of each merchant that has credentials of
// its platform's API, until see fails. An account that was given some within the last
// moment may be missing: the index lags.
func (s *Store) FetchingAccounts(ctx context.Context, see func(merchant, account string) error) error {
	for page, err := range s.pages(ctx, query{
		table: s.tables.Catalog, index: kindIndex, where: "kind = :kind", values: attrs{":kind": text(fetchingKind)},
	}) {
		if err != nil {
			return wrap(err, "list the accounts with credentials")
		}
		for _, item := range page.Items {
			key := keyOf(item)
			if err := see(key.merchant(), key.after(accountSort)); err != nil {
				return err
			}
		}
	}
	return nil
}

// BeginCatchup takes the lease on the catch-up of an account, and returns how far that has
// come. It is false while another run has the lease.
func (s *Store) BeginCatchup(ctx context.Context, merchant, account string, now, leaseEndsAt time.Time) (catalog.Catchup, bool, error) {
	u := newUpdate(condition{"attribute_not_exists(leaseEndsAt) OR leaseEndsAt < :now", attrs{":now": number(millis(now))}})
	u.set("v", number(schema))
	u.set("leaseEndsAt", number(millis(leaseEndsAt)))
	read, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, catchupKey(merchant, account)))
	if _, busy := failedCondition(err, 0); busy {
		return catalog.Catchup{}, false, nil
	}
	if err != nil {
		return catalog.Catchup{}, false, wrap(err, "begin to catch up with account %s of %s", account, merchant)
	}
	item, err := decode[catchupItem](read, oldestInCatalog)
	return item.catchup(), err == nil, wrap(err, "begin to catch up with account %s of %s", account, merchant)
}

// SaveCatchup stores how far the run has come that has the lease, and gives the lease back
// if the run ends. It is job.ErrFenced if another run has the lease by now.
func (s *Store) SaveCatchup(ctx context.Context, merchant, account string, c catalog.Catchup, leaseEndsAt time.Time, ends bool) error {
	u := newUpdate(condition{"leaseEndsAt = :lease", attrs{":lease": number(millis(leaseEndsAt))}})
	u.set("watermark", number(millis(c.Watermark)))
	u.set("from", number(millis(c.From)))
	u.set("ranAt", number(millis(c.RanAt)))
	u.set("succeededAt", number(millis(c.SucceededAt)))
	u.set("unansweredSince", number(millis(c.UnansweredSince)))
	u.set("error", text(c.Error))
	u.set("webhook", text(c.Webhook))
	if ends {
		u.remove("leaseEndsAt")
	}
	err := s.write(ctx, u.write(s.tables.Catalog, catchupKey(merchant, account)))
	if _, fenced := failedCondition(err, 0); fenced {
		return job.ErrFenced
	}
	return wrap(err, "store how far catch-up is with account %s of %s", account, merchant)
}

// Catchup returns how far catch-up has come with an account: one consistent read.
func (s *Store) Catchup(ctx context.Context, merchant, account string) (catalog.Catchup, error) {
	item, _, err := getAs[catchupItem](ctx, s, s.tables.Catalog, catchupKey(merchant, account), oldestInCatalog)
	return item.catchup(), wrap(err, "read how far catch-up is with account %s of %s", account, merchant)
}

// Known returns what is stored of lines, of orders as a whole, and of refunds: a consistent
// batch read for each hundred. What cannot be read is left out: whoever changes it then
// meets the error, and holds up no other.
func (s *Store) Known(ctx context.Context, lines []order.LineID, orders []string, refunds []order.LineRefund) (order.Known, error) {
	known := order.Known{Lines: map[order.LineID]order.Fulfillment{}, Wholes: map[string]order.Whole{}, Refunds: map[order.LineRefund]bool{}}
	var keys []attrs
	asked := map[primaryKey]bool{}
	ask := func(key primaryKey) {
		if !asked[key] { // DynamoDB refuses a batch that names an item twice
			asked[key] = true
			keys = append(keys, key.attrs())
		}
	}
	refundOf := map[primaryKey]order.LineRefund{}
	for _, id := range lines {
		ask(lineKey(id))
	}
	for _, id := range orders {
		ask(wholeKey(id))
	}
	for _, r := range refunds {
		key := refundKey(r.Line, r.Refund)
		refundOf[key] = r
		ask(key)
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Orders, keys)
	if err != nil {
		return known, wrap(err, "read what is known of %d purchases", len(keys))
	}
	for _, item := range items {
		key := keyOf(item)
		_, isWhole := key.whole()
		refund, isRefund := refundOf[key]
		switch {
		case isRefund:
			known.Refunds[refund] = true
		case isWhole:
			if w, err := decodeWhole(item); err == nil {
				known.Wholes[w.ID] = w
			}
		default:
			if f, err := decodeFulfillment(item); err == nil {
				known.Lines[f.ID] = f
			}
		}
	}
	return known, nil
}
