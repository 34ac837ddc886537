package dynamo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// alertItem is what a merchant has been told about a pool side, in the orders table.
type alertItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Version  int    `dynamodbav:"version"`
	TestOf   string `dynamodbav:"testOf,omitempty"` // see wipe.go
	Level    string `dynamodbav:"level,omitempty"`
	Sequence int    `dynamodbav:"sequence"`
	ToldAt   int64  `dynamodbav:"toldAt,omitempty"`
}

// countItem is the count of a pool side's keys that is shown, in the catalog. Ingest
// adds to accepted, deliver to taken, and a line that gives keys back to taken and
// revoked, in the transaction that takes them from it. The recount writes the rest.
//
// A job, or a block, that takes keys out of sale adds them to withdrawn in their own
// transaction. A job that moves keys takes them from accepted of the one pool and adds them to
// that of the other.
type countItem struct {
	V         int `dynamodbav:"v"`
	Accepted  int `dynamodbav:"accepted"`
	Taken     int `dynamodbav:"taken"`
	Revoked   int `dynamodbav:"revoked"`
	Withdrawn int `dynamodbav:"withdrawn"`

	SettledAt int64  `dynamodbav:"settledAt"`
	SettledOn string `dynamodbav:"settledOn"`

	Shards int `dynamodbav:"shards"` // of the pool when it was last deleted, on its live side

	LookAt        int64 `dynamodbav:"lookAt"`
	LookAvailable *int  `dynamodbav:"lookAvailable"` // nil: not counted
}

// soldPrefix begins the names of the attributes of a count that say how many keys were
// sold in a day: sold20261123. They are numbers of their own, so that the write that adds to
// taken adds to them, and the item stays below one write unit.
const soldPrefix = "sold"

const soldDay = "20060102"

func soldAttribute(day time.Time) string { return soldPrefix + day.UTC().Format(soldDay) }

// soldOf reads the keys that were sold by day.
func soldOf(item attrs) catalog.Sales {
	var sold catalog.Sales
	for name, value := range item {
		day, is := strings.CutPrefix(name, soldPrefix)
		at, err := time.Parse(soldDay, day)
		if !is || err != nil {
			continue
		}
		if sold == nil {
			sold = catalog.Sales{}
		}
		sold[catalog.Day(at, 0)] = int(numberOf(value))
	}
	return sold
}

func (i countItem) count() catalog.Count {
	c := catalog.Count{
		Accepted: i.Accepted, Taken: i.Taken, Revoked: i.Revoked, Withdrawn: i.Withdrawn,
		SettledAt: at(i.SettledAt), SettledOn: i.SettledOn, Look: catalog.Look{At: at(i.LookAt)},
	}
	if i.LookAt != 0 && i.LookAvailable != nil {
		c.Look.Counted, c.Look.Available = true, *i.LookAvailable
	}
	return c
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
// it the notices, if any: all or nothing. Were they several writes, a crash between
// them would leave a merchant untold for good, or told twice. It returns
// retry.ErrChanged if the alert was changed meanwhile.
func (s *Store) ChangeAlert(ctx context.Context, next notice.Alert, tell []notice.Notice) error {
	var tx transaction
	tx.add(put(s.tables.Orders, encode(alertItem{
		primaryKey: alertKey(next.Pool), V: schema, Version: next.Version + 1, TestOf: testOf(next.Pool.Merchant, next.Pool.Side),
		Level: string(next.Level), Sequence: next.Sequence, ToldAt: millis(next.ToldAt),
	}), locked(next.Version)))
	for _, n := range tell {
		tx.add(noticePut(s.tables.Orders, n))
	}
	return wrap(s.transact(ctx, &tx), "change the alert of %s", next.Pool)
}

// RaiseEmpty stores the notice that a pool has nothing left while orders wait,
// once until the last of those is served. Since says how long the first of them
// has waited. Nobody is told of a test side. Facts are asked for only if there is
// something to tell, because they take a look at the queue. Further are the pool's
// further addresses. It returns retry.ErrChanged if the alert was changed meanwhile.
func (s *Store) RaiseEmpty(ctx context.Context, p pool.ID, further []string, since time.Time, facts func() (notice.Facts, error), now time.Time) error {
	before, err := s.Alert(ctx, p)
	if err != nil {
		return err
	}
	if _, tell := before.AfterEmpty(notice.Facts{Started: since}, nil, now); len(tell) == 0 {
		return nil
	}
	seen, err := facts()
	if err != nil {
		return err
	}
	after, tell := before.AfterEmpty(seen, further, now)
	if len(tell) == 0 {
		return nil
	}
	return s.ChangeAlert(ctx, after, tell)
}

// addToCount returns the update that adds to a count of a pool side, and makes the
// recount's last look void.
func addToCount(c condition, name string, n int) *update {
	u := newUpdate(c)
	u.set("v", number(schema))
	u.add(name, n)
	u.remove("lookAt")
	return u
}

// AddTaken adds to the count of a pool side's taken keys, but for takes that a recount
// has counted already. It is one write, or two if there are such. If no answer comes, the
// takes may be counted or not, and never twice: a recount finds those that are not.
func (s *Store) AddTaken(ctx context.Context, p pool.ID, takes []pool.Take) error {
	var settledAt time.Time
	for {
		keys, first := 0, time.Time{}
		sold := map[string]int{}
		for _, take := range takes {
			if millis(take.At) <= millis(settledAt) {
				continue
			}
			keys += take.Keys
			sold[soldAttribute(take.At)] += take.Keys
			if first.IsZero() || take.At.Before(first) {
				first = take.At
			}
		}
		if keys == 0 {
			return nil
		}
		u := addToCount(condition{
			"attribute_not_exists(settledAt) OR settledAt < :first", attrs{":first": number(millis(first))},
		}, "taken", keys)
		for day, n := range sold {
			u.add(day, n)
		}
		err := s.addOnce(ctx, u.write(s.tables.Catalog, countKey(p)))
		item, settled := failedCondition(err, 0)
		if !settled {
			return wrap(err, "count %d taken keys of %s", keys, p)
		}
		there, err := decode[countItem](item, oldestInCatalog)
		if err != nil {
			return wrap(err, "read the count of %s", p)
		}
		settledAt = at(there.SettledAt)
	}
}

// Count returns the count of a pool side: one consistent read.
func (s *Store) Count(ctx context.Context, p pool.ID) (catalog.Count, error) {
	item, err := s.get(ctx, s.tables.Catalog, countKey(p))
	if err != nil || item == nil {
		return catalog.Count{}, wrap(err, "read the count of %s", p)
	}
	count, err := countOf(item)
	return count, wrap(err, "read the count of %s", p)
}

// Counts returns the counts of all pool sides of a merchant that anything was counted of: one
// query, of some 1,400 sides a page.
func (s *Store) Counts(ctx context.Context, merchant string) (map[pool.ID]catalog.Count, error) {
	items, err := s.items(ctx, withPrefix(s.tables.Catalog, CountsPrefix+merchant, countSort))
	counts := make(map[pool.ID]catalog.Count, len(items))
	for _, item := range items {
		name, side, _ := strings.Cut(keyOf(item).after(countSort), "#")
		p := pool.ID{Merchant: merchant, Pool: name, Side: pool.Side(side)}
		if counts[p], err = countOf(item); err != nil {
			break
		}
	}
	return counts, wrap(err, "read the counts of %s", merchant)
}

// countsOf returns the counts of pool sides by the keys of their items: one consistent read
// for each hundred. A side that nothing was counted of is left out.
func (s *Store) countsOf(ctx context.Context, sides []pool.ID) (map[primaryKey]catalog.Count, error) {
	keys := make([]attrs, len(sides))
	for i, side := range sides {
		keys[i] = countKey(side).attrs()
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Catalog, keys)
	if err != nil {
		return nil, wrap(err, "read the counts of %d pool sides", len(sides))
	}
	counts := make(map[primaryKey]catalog.Count, len(items))
	for _, item := range items {
		if counts[keyOf(item)], err = countOf(item); err != nil {
			return nil, wrap(err, "read the counts of %d pool sides", len(sides))
		}
	}
	return counts, nil
}

func countOf(item attrs) (catalog.Count, error) {
	decoded, err := decode[countItem](item, oldestInCatalog)
	count := decoded.count()
	count.Sold = soldOf(item)
	return count, err
}

// Look stores the recount's next look at a pool side. It does nothing if another look is
// stored by now, or if the last one is void.
func (s *Store) Look(ctx context.Context, p pool.ID, last, next catalog.Look) error {
	u := newUpdate(stands(last))
	u.set("v", number(schema))
	u.set("lookAt", number(millis(next.At)))
	if next.Counted {
		u.set("lookAvailable", number(next.Available))
	} else {
		u.remove("lookAvailable")
	}
	err := s.write(ctx, u.write(s.tables.Catalog, countKey(p)))
	if anyConditionFailed(err) {
		return nil
	}
	return wrap(err, "look at the count of %s", p)
}

// Settle sets the takes up to a moment, and marks the day's recount as done. It does
// nothing if the look that it rests on is void.
func (s *Store) Settle(ctx context.Context, p pool.ID, look catalog.Look, found catalog.Settlement) error {
	u := newUpdate(stands(look))
	u.set("v", number(schema))
	u.set("taken", number(found.Taken))
	u.set("settledAt", number(millis(found.Until)))
	u.set("settledOn", text(found.Day))
	u.remove("lookAt")
	if found.Late != 0 {
		u.add(soldAttribute(found.Until.AddDate(0, 0, -1)), found.Late)
	}
	for _, day := range found.Forget {
		u.remove(soldPrefix + strings.ReplaceAll(day, "-", ""))
	}
	err := s.write(ctx, u.write(s.tables.Catalog, countKey(p)))
	if anyConditionFailed(err) {
		return nil
	}
	return wrap(err, "settle the count of %s", p)
}

// stands holds while that look is the last one, and nothing was counted since.
func stands(look catalog.Look) condition {
	if look.At.IsZero() {
		return condition{expression: "attribute_not_exists(lookAt)"}
	}
	return condition{"lookAt = :look", attrs{":look": number(millis(look.At))}}
}

// shownExactly is how many keys, and waiting lines, are counted to be shown.
const shownExactly = 1_000

// Stock counts the keys of both sides of pools: exactly up to 1,000 keys a side, beyond that
// as uploads and takes add up since the count was last put right. Whatever was accepted is
// available, claimed, revoked or withdrawn.
//
// It is one round trip: of each side, a read of each shard and one of the queue; and one of
// the counts of all sides, up to a hundred.
func (s *Store) Stock(ctx context.Context, pools []catalog.Pool, now time.Time) (map[pool.ID]catalog.Stock, error) {
	var sides []poolSide
	var ids []pool.ID
	for _, p := range pools {
		for _, side := range pool.Sides {
			sides = append(sides, poolSide{pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}, p.Shards})
			ids = append(ids, sides[len(sides)-1].ID)
		}
	}
	var counts map[primaryKey]catalog.Count
	var seen []catalog.Stock
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() (err error) {
		seen, err = s.look(ctx, sides)
		return err
	})
	reading.Go(func() (err error) {
		counts, err = s.countsOf(ctx, ids)
		return err
	})
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	stocks := make(map[pool.ID]catalog.Stock, len(sides))
	for i, side := range sides {
		stocks[side.ID] = stockOf(side.ID, seen[i], counts[countKey(side.ID)], now)
	}
	return stocks, nil
}

// LiveStock counts the keys of the live sides of pools, by what was counted of all, and looks at
// those alone that have few by that: it is one round trip, or none. What it says of the others is
// what Stock says of them but for lines that wait, which a side of that many keys has for moments
// only.
func (s *Store) LiveStock(ctx context.Context, pools []catalog.Pool, counts map[pool.ID]catalog.Count, now time.Time) (map[pool.ID]catalog.Stock, error) {
	stocks := map[pool.ID]catalog.Stock{}
	var short []poolSide
	for _, p := range pools {
		side := poolSide{pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: pool.Live}, p.Shards}
		if left := counts[side.ID].Available(); left > shownExactly {
			stocks[side.ID] = stockOf(side.ID, catalog.Stock{Available: left}, counts[side.ID], now)
		} else {
			short = append(short, side)
		}
	}
	seen, err := s.look(ctx, short)
	if err != nil {
		return nil, err
	}
	for i, side := range short {
		stocks[side.ID] = stockOf(side.ID, seen[i], counts[side.ID], now)
	}
	return stocks, nil
}

// poolSide is a side of a pool, and in how many shards its keys stand.
type poolSide struct {
	pool.ID
	shards int
}

// look counts the keys of sides of pools, and the lines that wait for them, all at once.
func (s *Store) look(ctx context.Context, sides []poolSide) ([]catalog.Stock, error) {
	seen := make([]catalog.Stock, len(sides))
	reading, ctx := errgroup.WithContext(ctx)
	for i, side := range sides {
		reading.Go(func() (err error) {
			seen[i].Available, err = s.availableAtOnce(ctx, side.ID, side.shards, shownExactly+1)
			return err
		})
		reading.Go(func() (err error) {
			_, seen[i].Waiting, seen[i].WaitingSince, err = s.waiting(ctx, side.ID, shownExactly)
			return err
		})
	}
	return seen, reading.Wait()
}

// stockOf returns what is shown of a pool side: what was seen of it, and what was counted.
func stockOf(side pool.ID, seen catalog.Stock, count catalog.Count, now time.Time) catalog.Stock {
	stock := catalog.Stock{
		Pool: side, Available: seen.Available, Revoked: count.Revoked, Withdrawn: count.Withdrawn, Waiting: seen.Waiting, WaitingSince: seen.WaitingSince, AsOf: now, Sold: count.Sold,
	}
	if stock.Available > shownExactly {
		// The sum may lag behind, but this many were just seen.
		stock.Available = max(stock.Available, count.Available())
		stock.AsOf = count.SettledAt
	}
	// A key is for sale a moment before its upload is counted.
	stock.Claimed = max(0, count.Accepted-stock.Available-count.Revoked-count.Withdrawn)
	return stock
}
