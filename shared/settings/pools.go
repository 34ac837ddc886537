package settings

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Pools creates, changes, reads and deletes a merchant's pools.
type Pools struct {
	Store   PoolStore
	Uses    PoolUses
	Stock   StockCounter
	Refill  *Refill
	Uploads ParkedUploads
	Ranges  Queue // of upload.Message
	Now     func() time.Time
}

// PoolStore keeps the settings of pools, under optimistic locks as MerchantStore
// does. DeletePool succeeds if the pool is gone already.
type PoolStore interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	// Pools returns up to limit of a merchant's pools, by name, after the one with that
	// name. Limit 0 means all of them.
	Pools(ctx context.Context, merchant, after string, limit int) ([]catalog.Pool, error)
	PutPool(ctx context.Context, p catalog.Pool, with ...audit.Record) error
	DeletePool(ctx context.Context, p catalog.Pool, with ...audit.Record) error
}

// PoolUses reads the other settings that can name a pool.
type PoolUses interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	ProductLister
}

// StockCounter counts the keys of pools.
type StockCounter interface {
	// Stock counts the keys of both sides of pools, all at once: exactly up to 1,000 keys
	// a side, and beyond that as of Stock.AsOf.
	Stock(ctx context.Context, pools []catalog.Pool, now time.Time) (map[pool.ID]catalog.Stock, error)
	// LiveStock counts the keys of the live sides of pools, by the counts of Counts, and looks at
	// those that have few by them.
	LiveStock(ctx context.Context, pools []catalog.Pool, counts map[pool.ID]catalog.Count, now time.Time) (map[pool.ID]catalog.Stock, error)
	// Counts returns what uploads, mails and the last recount say of all pool sides of a
	// merchant that anything was counted of.
	Counts(ctx context.Context, merchant string) (map[pool.ID]catalog.Count, error)
	// FormerShards returns how many shards those of the pools had, by name, that were deleted. They
	// are read together.
	FormerShards(ctx context.Context, merchant string, names ...string) (map[string]int, error)
}

// ParkedUploads returns the ids of the uploads that wait for a pool of that name,
// oldest first.
type ParkedUploads interface {
	Parked(ctx context.Context, merchant, pool string) ([]string, error)
}

// PoolStock is a pool and the stock of its two sides.
type PoolStock struct {
	catalog.Pool
	Live, Test catalog.Stock
	At         time.Time // when they were counted
}

// readsAtOnce bounds the reads that count the pools of a page, each on a connection of its
// own and all in one round trip: it is those of ten pools of pool.DefaultShards. No count
// that is kept knows of a waiting line, or of a key that was taken a moment ago, so that each
// shard and each queue is looked at.
const readsAtOnce = 100

// reads is how many reads count a pool: of each shard of each side, and of each queue.
func reads(p catalog.Pool) int { return len(pool.Sides) * (p.Shards + 1) }

// List returns up to limit of a merchant's pools, by name, after the one with that
// name: fewer if readsAtOnce does not count so many, and one in any case. Next is the name
// to go on after, "" on the last page.
func (s *Pools) List(ctx context.Context, merchant, after string, limit int) (list []PoolStock, next string, err error) {
	limit = min(limit, readsAtOnce/reads(catalog.Pool{Shards: 1}))
	pools, err := s.Store.Pools(ctx, merchant, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	pools, next = page(pools, min(limit, counted(pools)), func(p catalog.Pool) string { return p.Name })
	list, err = s.count(ctx, pools...)
	return list, next, err
}

// Names returns the names of up to limit of a merchant's pools, in their order.
func (s *Pools) Names(ctx context.Context, merchant string, limit int) (names []string, err error) {
	pools, err := s.Store.Pools(ctx, merchant, "", limit)
	for _, p := range pools {
		names = append(names, p.Name)
	}
	return names, err
}

// Shortest is a merchant's pools that have the fewest keys left on the live side.
type Shortest struct {
	Pools []PoolStock // without their test sides; that with the most waiting lines first, then that with the fewest keys beyond its warning
	All   int         // pools there are
	Keys  bool        // one of them got a key, ever, on either side
}

// Shortest returns up to limit of the merchant's pools, those that are shortest of keys. Which
// they are is told by what was counted of all pools, which may lag behind; they are then counted
// themselves, where few keys are left. It takes two round trips, however many pools there are.
func (s *Pools) Shortest(ctx context.Context, merchant string, limit int) (Shortest, error) {
	var pools []catalog.Pool
	var counts map[pool.ID]catalog.Count
	var reading errgroup.Group
	reading.Go(func() (err error) { pools, err = s.Store.Pools(ctx, merchant, "", 0); return err })
	reading.Go(func() (err error) { counts, err = s.Stock.Counts(ctx, merchant); return err })
	if err := reading.Wait(); err != nil {
		return Shortest{}, err
	}
	found := Shortest{All: len(pools)}
	for _, c := range counts {
		found.Keys = found.Keys || c.Accepted > 0
	}
	spare := func(p catalog.Pool) int {
		return counts[pool.ID{Merchant: merchant, Pool: p.Name, Side: pool.Live}].Available() - p.LowStock
	}
	slices.SortStableFunc(pools, func(a, b catalog.Pool) int { return spare(a) - spare(b) })
	pools = pools[:min(limit, counted(pools))]
	now := s.Now()
	stocks, err := s.Stock.LiveStock(ctx, pools, counts, now)
	if err != nil {
		return found, err
	}
	for _, p := range pools {
		found.Pools = append(found.Pools, PoolStock{Pool: p, Live: stocks[pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: pool.Live}], At: now})
	}
	slices.SortStableFunc(found.Pools, func(a, b PoolStock) int {
		return cmp.Or(b.Live.Waiting-a.Live.Waiting, a.Live.Available-a.LowStock-(b.Live.Available-b.LowStock))
	})
	return found, nil
}

// counted returns how many of the pools one page counts.
func counted(pools []catalog.Pool) int {
	sum := 0
	for n, p := range pools {
		if sum += reads(p); sum > readsAtOnce && n > 0 {
			return n
		}
	}
	return len(pools)
}

// Get returns a pool. Its error is ErrNotFound if there is none.
func (s *Pools) Get(ctx context.Context, merchant, name string) (PoolStock, error) {
	p, ok, err := s.Store.Pool(ctx, merchant, name)
	if err != nil {
		return PoolStock{}, err
	}
	if !ok {
		return PoolStock{}, ErrNotFound
	}
	return s.countOne(ctx, p)
}

// Waiting counts the lines that wait for keys of a pool side: exactly up to 1,000.
func (s *Pools) Waiting(ctx context.Context, of pool.ID) (int, error) {
	stock, err := s.Stock.Stock(ctx, []catalog.Pool{{Merchant: of.Merchant, Name: of.Pool, Shards: 1}}, s.Now())
	return stock[of].Waiting, err
}

// Put creates or changes a pool, and returns it with its new version. Version of
// next is ignored. Shards 0 keeps the number there is, or takes the default.
func (s *Pools) Put(ctx context.Context, next catalog.Pool, by access.Principal, c Condition) (p PoolStock, created bool, err error) {
	before, known, err := s.Store.Pool(ctx, next.Merchant, next.Name)
	if err == nil && !known {
		before, err = s.former(ctx, next.Merchant, next.Name)
	}
	if err != nil {
		return p, false, err
	}
	created, next = before.Version == 0, following(before, next)
	if err := invalid(CheckPool(next)...); err != nil {
		return p, false, err
	}
	same := !created && reflect.DeepEqual(next, before)
	if err := c.check(before.Version, same); err != nil {
		return p, false, err
	}
	if err := invalid(checkShards(before, next)...); err != nil {
		return p, false, err
	}
	if !same {
		e := entry(ctx, by, audit.Pool, next.Merchant, next.Name, shownIf(!created, before), next.Shown(), s.Now())
		if err := s.Store.PutPool(ctx, next, audit.Record{Entry: e, Tell: warningsChanged(before, next, by, s.Now())}); err != nil {
			return p, false, err
		}
		next.Version++
	}
	if created {
		s.resumeUploads(ctx, next)
		s.Refill.newPool(ctx, next)
	}
	p, err = s.countOne(ctx, next)
	return p, created, err
}

// former returns what a pool that is not there leaves to one of its name: the shards that
// keys may stand in.
func (s *Pools) former(ctx context.Context, merchant, name string) (catalog.Pool, error) {
	shards, err := s.Stock.FormerShards(ctx, merchant, name)
	return catalog.Pool{Shards: shards[name]}, err
}

// following returns the pool that a change leaves. Shards 0 keeps the number there is.
func following(before, next catalog.Pool) catalog.Pool {
	next.Version, next.Shards = before.Version, cmp.Or(next.Shards, before.Shards, pool.DefaultShards)
	return next
}

// checkShards returns the mistake in a change of the number of shards.
func checkShards(before, next catalog.Pool) []Problem {
	if next.Shards >= before.Shards {
		return nil
	}
	return []Problem{{Path: "shards", Message: fmt.Sprintf("keys stand in all %d of them, so that it can only grow", before.Shards)}}
}

// resumeUploads has the key files read that came before their pool.
func (s *Pools) resumeUploads(ctx context.Context, p catalog.Pool) {
	parked, err := s.Uploads.Parked(ctx, p.Merchant, p.Name)
	for _, id := range parked {
		if sent := s.Ranges.Send(ctx, upload.Resume(p.Merchant, id), 0); sent != nil {
			err = sent
		}
	}
	if err != nil {
		slog.WarnContext(ctx, "upload.not_resumed", "merchant", p.Merchant, "pool", p.Name, "error", err)
	}
}

// Delete deletes a pool of the principal's merchant that nothing needs any more, or by force one that holds keys for
// sale or that lines wait for: those are there again once a pool of that name is. Its error is ErrNotFound, an
// *InUseError, or that of the condition. Keys of sold lines stay with their lines.
func (s *Pools) Delete(ctx context.Context, by access.Principal, name string, force bool, c Condition) error {
	merchant := by.Merchant
	p, ok, err := s.Store.Pool(ctx, merchant, name)
	if err != nil {
		return err
	}
	if !ok {
		return ErrNotFound
	}
	if err := c.check(p.Version, false); err != nil {
		return err
	}
	inUse, err := s.uses(ctx, p)
	if err != nil {
		return err
	}
	if inUse.refuses(force) {
		return inUse
	}
	e := entry(ctx, by, audit.Pool, merchant, p.Name, p.Shown(), nil, s.Now())
	return s.Store.DeletePool(ctx, p, audit.Record{Entry: e})
}

// uses returns the reasons to keep a pool. A line or a key that comes between this
// and the deletion is not lost: it waits for a pool of that name.
func (s *Pools) uses(ctx context.Context, p catalog.Pool) (*InUseError, error) {
	inUse := &InUseError{Thing: "pool"}
	stock, err := s.countOne(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, side := range []catalog.Stock{stock.Live, stock.Test} {
		if side.Available > 0 {
			inUse.Forcible = append(inUse.Forcible, fmt.Sprintf("its %s side holds keys for sale (%d)", side.Pool.Side, side.Available))
		}
		if side.Waiting > 0 {
			inUse.Forcible = append(inUse.Forcible, fmt.Sprintf("order lines wait for its %s side (%d)", side.Pool.Side, side.Waiting))
		}
	}
	m, _, err := s.Uses.Merchant(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	if m.DefaultPool == p.Name {
		inUse.Reasons = append(inUse.Reasons, "it is the merchant's default pool")
	}
	products, err := s.Uses.Products(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	for _, product := range products {
		if names(product, p.Name) {
			inUse.Reasons = append(inUse.Reasons, fmt.Sprintf("the product %q names it", product.ID))
			break
		}
	}
	return inUse, nil
}

// count returns pools with the stock of their sides.
func (s *Pools) count(ctx context.Context, pools ...catalog.Pool) ([]PoolStock, error) {
	now := s.Now()
	stocks, err := s.Stock.Stock(ctx, pools, now)
	list := make([]PoolStock, len(pools))
	for i, p := range pools {
		of := func(side pool.Side) catalog.Stock {
			return stocks[pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}]
		}
		list[i] = PoolStock{Pool: p, Live: of(pool.Live), Test: of(pool.Test), At: now}
	}
	return list, err
}

func (s *Pools) countOne(ctx context.Context, p catalog.Pool) (PoolStock, error) {
	list, err := s.count(ctx, p)
	return list[0], err
}
