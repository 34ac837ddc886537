package inventory_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/ingesttest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/ingest"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var (
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	elden = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}
)

const shards = 2

// world has tables of its own on the engine, and buckets and queues in memory. Merchant nova
// has the pools elden and ring.
type world struct {
	*testing.T
	store   *dynamo.Store
	tables  dynamo.Tables
	bucket  *ingesttest.Uploads
	reports *ingesttest.Reports
	ranges  *ingesttest.Queue
	fills   *ingesttest.Queue
	asked   *ingesttest.Queue // of jobs
	loader  *ingest.Worker
	jobs    *inventory.Jobs
	worker  *inventory.Worker
	eraser  *lifecycle.Eraser
	files   *bucket // of exports

	mu  sync.Mutex
	now time.Time
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	w := &world{T: t, ranges: &ingesttest.Queue{}, fills: &ingesttest.Queue{}, asked: &ingesttest.Queue{}, reports: &ingesttest.Reports{}, files: newBucket(), now: noon}
	w.bucket = ingesttest.NewUploads(func() time.Time { return noon })
	now := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	w.store, w.tables = dynamotest.Open(t, options...)
	w.loader = &ingest.Worker{
		Catalog: w.store, Records: w.store, Ranges: w.store, Keys: w.store,
		Objects: w.bucket, Reports: w.reports, RangeJobs: w.ranges, Fill: w.fills, Now: now,
	}
	w.jobs = &inventory.Jobs{Store: w.store, Pools: w.store, Uploads: w.store, Merchants: w.store, Queue: w.asked, Now: now}
	w.eraser = &lifecycle.Eraser{Lines: w.store, Words: w.store, Fill: w.fills, Now: now}
	w.worker = &inventory.Worker{Progress: w.store, Keys: w.store, Pools: w.store, Uploads: w.store, Lines: w.store, Fill: w.fills, Eraser: w.eraser, Kept: w.store, Stored: w.store, Files: w.files, Rests: w.files, Now: now}
	w.worker.Test = inventory.TestSide{Rows: w.store, Orders: w.store, Keys: w.store, Uploads: w.store, Reports: w.reports}
	for _, name := range []string{"nova", "mallory"} {
		w.must(w.store.PutMerchant(t.Context(), catalog.Merchant{Name: name, NoticeAddress: "ops@nova.example"}))
		for _, p := range []string{"elden", "ring"} {
			w.must(w.store.PutPool(t.Context(), catalog.Pool{Merchant: name, Name: p, Shards: shards}))
		}
	}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// receive has ingest begin with a file, and load its first range.
func (w *world) receive(name, content string) upload.Upload {
	w.Helper()
	o := w.bucket.Put(name, []byte(content))
	w.must(w.loader.Receive(w.Context(), o))
	return w.upload(upload.NewID(o, noon))
}

// load has ingest load a file to its end.
func (w *world) load(name, content string) upload.Upload {
	w.Helper()
	u := w.receive(name, content)
	w.loadRest()
	return w.upload(u.ID)
}

// loadRest has ingest load what is left of files.
func (w *world) loadRest() {
	w.Helper()
	for {
		message, ok := w.ranges.Next()
		if !ok {
			return
		}
		err := w.loader.Handle(w.Context(), message.(upload.Message))
		if errors.Is(err, job.ErrUnfinished) {
			w.ranges.Send(w.Context(), message, 0)
			continue
		}
		w.must(err)
	}
}

func (w *world) upload(id string) upload.Upload {
	w.Helper()
	u, ok, err := w.store.Upload(w.Context(), "nova", id)
	w.must(err)
	if !ok {
		w.Fatalf("no upload %s", id)
	}
	return u
}

// later lets time pass.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// sell gives the keys of these texts to a line of an order.
func (w *world) sell(number string, from pool.ID, texts ...string) order.Fulfillment {
	w.Helper()
	keys := w.forSale(from)
	keys = slices.DeleteFunc(keys, func(k pool.Key) bool { return !slices.Contains(texts, k.Text.Reveal()) })
	if len(keys) != len(texts) {
		w.Fatalf("%d of %d keys are for sale", len(keys), len(texts))
	}
	line := lineOf(number, from, len(keys), w.now)
	change := order.NewLine(line)
	change.Allocate(keys, w.now)
	w.must(w.store.Commit(w.Context(), change))
	return change.After
}

// lineOf returns a line that is to get keys of a pool side.
func lineOf(number string, from pool.ID, keys int, now time.Time) order.Fulfillment {
	return order.Fulfillment{
		ID:       order.Identity{Merchant: from.Merchant, Side: from.Side, Origin: "own", Order: number, Line: "1"}.ID(),
		Merchant: from.Merchant, Side: from.Side, Account: "own", Origin: "own", Order: number, Line: "1", Product: "4711", Pool: from.Pool,
		Quantity: keys, Wanted: keys, ReceivedAt: now,
	}
}

// take gives a key of elden that is for sale to a line, as a claim does, and returns it; false
// if another has it. It may be called by any goroutine.
func (w *world) take(number string) (pool.KeyID, bool) {
	found, err := w.store.Candidates(context.Background(), elden, shards, 1)
	if err != nil || len(found) == 0 {
		return "", false
	}
	change := order.NewLine(lineOf(number, elden, 1, noon))
	change.Allocate(found[:1], noon)
	return found[0].ID, w.store.Commit(context.Background(), change) == nil
}

// giveBack takes the line's keys away.
func (w *world) giveBack(line order.Fulfillment, to order.Disposition) {
	w.Helper()
	change := order.ChangeOf(line)
	change.After.Returned = change.After.Wanted
	for _, key := range line.Keys {
		w.must(change.Release(order.Release{Key: key.ID, To: to, Shards: shards, At: w.now.Add(time.Hour)}))
	}
	w.must(w.store.Commit(w.Context(), change))
}

// forSale returns the keys of a pool side that a claim may find.
func (w *world) forSale(p pool.ID) []pool.Key {
	w.Helper()
	keys, err := w.store.Candidates(w.Context(), p, shards, 1000)
	w.must(err)
	return keys
}
