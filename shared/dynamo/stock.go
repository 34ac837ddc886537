package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/pool"
)

// alertItem is what a merchant has been told about a pool side, in the orders table.
type alertItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Version  int    `dynamodbav:"version"`
	Level    string `dynamodbav:"level,omitempty"`
	Sequence int    `dynamodbav:"sequence"`
	ToldAt   int64  `dynamodbav:"toldAt,omitempty"`
}

// countItem is the count of a pool side's keys that is shown, in the catalog.
// Ingest adds to accepted, deliver to taken; what is shown is the difference. The
// recount has two more attributes: recounted, the day that it was last done, and
// recountEnds, until when it is leased.
type countItem struct {
	V           int   `dynamodbav:"v"`
	Accepted    int   `dynamodbav:"accepted"`
	Taken       int   `dynamodbav:"taken"`
	Revoked     int   `dynamodbav:"revoked"`
	RecountedAt int64 `dynamodbav:"recountedAt"` // when it was last put right
}

// PoolNames calls see with each pool of each merchant, until see fails. A pool
// made within the last moment may be missing: the index lags.
func (s *Store) PoolNames(ctx context.Context, see func(merchant, name string) error) error {
	for page, err := range s.pages(ctx, query{
		table: s.tables.Catalog, index: kindIndex, where: "kind = :kind", values: attrs{":kind": text(poolKind)},
	}) {
		if err != nil {
			return fmt.Errorf("list the pools: %w", err)
		}
		for _, item := range page.Items {
			key := keyOf(item)
			if err := see(key.merchant(), key.after(poolSort)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Alert returns what a merchant has been told about a pool side: one consistent read.
func (s *Store) Alert(ctx context.Context, p pool.ID) (notice.Alert, error) {
	item, ok, err := getAs[alertItem](ctx, s, s.tables.Orders, alertKey(p), oldestInOrders)
	if !ok {
		return notice.Alert{Pool: p}, wrap(err, "read the alert of %s", p)
	}
	return notice.Alert{
		Pool: p, Version: item.Version,
		Level: notice.StockLevel(item.Level), Sequence: item.Sequence, ToldAt: at(item.ToldAt),
	}, nil
}

// ChangeAlert stores the alert as the version after the one it names, and with
// it the notice, if any: both or none. Were they two writes, a crash between
// them would leave a merchant untold for good, or told twice. It returns
// retry.ErrChanged if the alert was changed meanwhile.
func (s *Store) ChangeAlert(ctx context.Context, next notice.Alert, n *notice.Notice) error {
	var tx transaction
	tx.add(put(s.tables.Orders, encode(alertItem{
		primaryKey: alertKey(next.Pool), V: schema, Version: next.Version + 1,
		Level: string(next.Level), Sequence: next.Sequence, ToldAt: millis(next.ToldAt),
	}), locked(next.Version)))
	if n != nil {
		tx.add(noticePut(s.tables.Orders, *n))
	}
	return wrap(s.transact(ctx, &tx), "change the alert of %s", next.Pool)
}

// RaiseEmpty stores the notice that a pool has nothing left while orders wait,
// once until the last of those is served. Since says how long the first of them
// has waited. Nobody is told of a test side. Facts are asked for only if there is
// something to tell, because they take a look at the queue. It returns
// retry.ErrChanged if the alert was changed meanwhile.
func (s *Store) RaiseEmpty(ctx context.Context, p pool.ID, since time.Time, facts func() (notice.Facts, error), now time.Time) error {
	before, err := s.Alert(ctx, p)
	if err != nil {
		return err
	}
	if _, tell := before.AfterEmpty(notice.Facts{Started: since}, now); tell == nil {
		return nil
	}
	seen, err := facts()
	if err != nil {
		return err
	}
	after, tell := before.AfterEmpty(seen, now)
	if tell == nil {
		return nil
	}
	return s.ChangeAlert(ctx, after, tell)
}

// LeaseRecount gives the day's recount of a pool side to its caller until then,
// with the count that is shown now; false if it is done, or being done.
func (s *Store) LeaseRecount(ctx context.Context, p pool.ID, day string, now, until time.Time) (int, bool, error) {
	// Nearly every check finds the day's recount done: half a read unit, where the
	// condition below would cost a write unit each time.
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(s.tables.Catalog), Key: countKey(p).attrs()})
	if err != nil {
		return 0, false, fmt.Errorf("read the count of %s: %w", p, err)
	}
	if stringOf(out.Item["recounted"]) == day {
		return 0, false, nil
	}
	u := newUpdate(condition{
		"(attribute_not_exists(recounted) OR recounted <> :day) AND (attribute_not_exists(recountEnds) OR recountEnds <= :now)",
		attrs{":day": text(day), ":now": number(millis(now))},
	})
	u.set("v", number(schema))
	u.set("recountEnds", number(millis(until)))
	leased, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, countKey(p)))
	if _, taken := failedCondition(err, 0); taken {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("lease the recount of %s: %w", p, err)
	}
	count, err := decode[countItem](leased, oldestInCatalog)
	return count.Accepted - count.Taken, err == nil, wrap(err, "lease the recount of %s", p)
}

// CorrectCount adds to the count of a pool side that is shown, and marks the day
// as done, if it is not.
func (s *Store) CorrectCount(ctx context.Context, p pool.ID, day string, add int, now time.Time) error {
	u := newUpdate(condition{"attribute_not_exists(recounted) OR recounted <> :day", attrs{":day": text(day)}})
	u.add("taken", -add) // keys that are missing were taken unseen; keys too many were given back unseen
	u.set("recounted", text(day))
	u.set("recountedAt", number(millis(now)))
	u.remove("recountEnds")
	err := s.write(ctx, u.write(s.tables.Catalog, countKey(p)))
	if _, done := failedCondition(err, 0); done {
		return nil
	}
	return wrap(err, "correct the count of %s", p)
}

// shownExactly is how many keys, and waiting lines, are counted to be shown.
const shownExactly = 1_000

// Stock counts the keys of a pool side: exactly up to 1,000 keys, beyond that as
// uploads and takes add up since the count was last put right.
func (s *Store) Stock(ctx context.Context, p pool.ID, shards int, now time.Time) (catalog.Stock, error) {
	available, err := s.Available(ctx, p, shards, shownExactly+1)
	if err != nil {
		return catalog.Stock{}, err
	}
	_, waiting, err := s.Missing(ctx, p, shownExactly)
	if err != nil {
		return catalog.Stock{}, err
	}
	count, _, err := getAs[countItem](ctx, s, s.tables.Catalog, countKey(p), oldestInCatalog)
	if err != nil {
		return catalog.Stock{}, wrap(err, "read the count of %s", p)
	}
	stock := catalog.Stock{
		Pool: p, Available: available, Claimed: max(0, count.Taken), Revoked: count.Revoked, Waiting: waiting, AsOf: now,
	}
	if available > shownExactly {
		// The sum may lag behind, but this many were just seen.
		stock.Available = max(available, count.Accepted-count.Taken)
		stock.AsOf = at(count.RecountedAt)
	}
	return stock, nil
}
