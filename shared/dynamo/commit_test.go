package dynamo_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random histories")

// shop is a pool side with keys, and lines that are fed by it.
type shop struct {
	t      *testing.T
	store  *dynamo.Store
	tables dynamo.Tables
	keys   []pool.Key
}

const shards = 4

func openShop(t *testing.T, keys int) *shop {
	t.Helper()
	store, tables := dynamotest.Open(t)
	return &shop{t, store, tables, dynamotest.Stock(t, tables, elden, shards, dynamotest.Texts("K", keys)...)}
}

func paidLine(number string, wanted int) order.Fulfillment {
	return order.Fulfillment{
		ID:       order.Identity{Merchant: elden.Merchant, Side: elden.Side, Origin: "shop", Order: number, Line: "1"}.ID(),
		Merchant: elden.Merchant, Side: elden.Side, Account: "shop", Origin: "shop", Order: number, Line: "1",
		Product: "game", Pool: "elden", Quantity: wanted, Wanted: wanted,
		ReceivedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
}

// sell stores a line that holds the keys, the first of which fit in its own item.
func (s *shop) sell(number string, wanted int, keys ...pool.Key) order.Fulfillment {
	s.t.Helper()
	inline := min(order.InlineKeys, len(keys))
	change := order.NewLine(paidLine(number, wanted))
	change.Allocate(keys[:inline], stockNoon)
	s.commit(change)
	if len(keys) > inline {
		change = order.ChangeOf(s.line(change.After.ID))
		change.Allocate(keys[inline:], stockNoon)
		s.commit(change)
	}
	return s.line(change.After.ID)
}

func (s *shop) commit(changes ...order.Change) {
	s.t.Helper()
	if err := s.store.Commit(s.t.Context(), changes...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) line(id order.LineID) order.Fulfillment {
	s.t.Helper()
	line, ok, err := s.store.Fulfillment(s.t.Context(), id)
	if err != nil || !ok {
		s.t.Fatalf("read line %s: %v, %v", id, ok, err)
	}
	return line
}

func (s *shop) chunks(id order.LineID) []order.Chunk {
	s.t.Helper()
	chunks, err := s.store.Chunks(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return chunks
}

// release takes keys from the line of a change.
func (s *shop) release(change *order.Change, to order.Disposition, keys ...pool.Key) {
	s.t.Helper()
	for _, key := range keys {
		if err := change.Release(order.Release{Key: key.ID, To: to, Shards: shards}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// stands says where a key stands: its state and, if a line has or had it, the line.
func (s *shop) stands() map[string]string {
	stands := map[string]string{}
	for _, item := range dynamotest.Items(s.t, s.tables.Keys, "") {
		line, _ := item["line"].(string)
		stands[item["pk"].(string)] = fmt.Sprint(item["state"], " ", line)
	}
	return stands
}

// audit checks the tables, and that no key was lost.
func (s *shop) audit() dynamotest.Books {
	s.t.Helper()
	books := dynamotest.Audit(s.t, s.tables)
	if sum := books.Available + books.Claimed + books.Revoked + books.Kept; sum != len(s.keys) {
		s.t.Errorf("%d keys are available, claimed, revoked or kept; %d were accepted", sum, len(s.keys))
	}
	return books
}

func TestCommit_replacesAKeyInOneTransaction(t *testing.T) {
	t.Parallel()
	s := openShop(t, 5)
	line := s.sell("1", 2, s.keys[:2]...)

	change := order.ChangeOf(line)
	s.release(&change, order.Revoke, s.keys[0])
	change.Allocate(s.keys[2:3], stockNoon)
	s.commit(change)

	after := s.line(line.ID)
	if diff := cmp.Diff([]pool.KeyID{s.keys[1].ID, s.keys[2].ID}, idsOf(after.Keys)); diff != "" {
		t.Errorf("the line holds other keys (-want +got):\n%s", diff)
	}
	if after.State() != order.Fulfilled || after.Allocated != 2 || after.Version != line.Version+1 {
		t.Errorf("the line is %s with %d keys at version %d", after.State(), after.Allocated, after.Version)
	}
	if books := s.audit(); books.Revoked != 1 || books.Claimed != 2 || books.Available != 2 {
		t.Errorf("%d keys revoked, %d claimed, %d available", books.Revoked, books.Claimed, books.Available)
	}
	if at := s.stands()[string(s.keys[0].ID)]; at != "revoked "+string(line.ID) {
		t.Errorf("the replaced key is %q: it should still name its line", at)
	}
}

func TestCommit_releasesAllKeys(t *testing.T) {
	t.Parallel()
	for disposition, want := range map[order.Disposition]dynamotest.Books{
		order.Revoke:  {Keys: 25, Available: 0, Revoked: 25},
		order.Keep:    {Keys: 25, Available: 0, Kept: 25},
		order.Restock: {Keys: 25, Available: 25},
	} {
		t.Run(string(disposition), func(t *testing.T) {
			t.Parallel()
			s := openShop(t, 25)
			line := s.sell("1", 25, s.keys...)

			change := order.ChangeOf(line)
			change.Chunk = s.chunks(line.ID)[0]
			change.After.Returned = line.Wanted
			s.release(&change, disposition, s.keys...)
			s.commit(change)

			after := s.line(line.ID)
			if after.State() != order.Returned || after.Allocated != 0 || len(after.Keys) != 0 || len(s.chunks(line.ID)) != 0 {
				t.Errorf("the line is %s with %d keys, %d of them listed, and %d chunks", after.State(), after.Allocated, len(after.Keys), len(s.chunks(line.ID)))
			}
			if len(after.Takes) > 0 {
				t.Errorf("keys that it has not are still to be counted: %v", after.Takes)
			}
			books := s.audit()
			books.Lines = nil
			if diff := cmp.Diff(want, books); diff != "" {
				t.Errorf("the books (-want +got):\n%s", diff)
			}
		})
	}
}

// A key is given back while a recount settles the count that the change was made from:
// the change is refused, and right when it is made again.
func TestCommit_givesBackAsOfTheRecount(t *testing.T) {
	t.Parallel()
	var between func()
	store, tables := dynamotest.Open(t, func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Between",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					if _, is := in.Parameters.(*dynamodb.TransactWriteItemsInput); is && between != nil {
						between()
						between = nil
					}
					return next.HandleInitialize(ctx, in)
				}), middleware.Before)
		})
	})
	s := &shop{t, store, tables, dynamotest.Stock(t, tables, elden, shards, dynamotest.Texts("K", 5)...)}
	line := s.sell("1", 5, s.keys...)
	look := catalog.Look{At: stockNoon.Add(time.Minute), Counted: true}
	if err := store.Look(t.Context(), elden, catalog.Look{}, look); err != nil {
		t.Fatal(err)
	}
	giveBack := func() error {
		change := order.ChangeOf(line)
		change.After.Returned = 2
		s.release(&change, order.Restock, s.keys[:2]...)
		return store.Commit(t.Context(), change)
	}
	between = func() {
		if err := store.Settle(t.Context(), elden, look, catalog.Settlement{Taken: 5, Until: look.At, Day: "2026-11-23"}); err != nil {
			t.Error(err)
		}
	}
	if err := giveBack(); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if err := giveBack(); err != nil {
		t.Fatal(err)
	}
	if count, err := store.Count(t.Context(), elden); err != nil || count.Taken != 3 {
		t.Errorf("%d taken, want 3 (error %v)", count.Taken, err)
	}
}

// A line that loses a key without being returned misses it, and waits again.
func TestCommit_lineThatLosesAKeyWaits(t *testing.T) {
	t.Parallel()
	s := openShop(t, 2)
	line := s.sell("1", 2, s.keys...)
	change := order.ChangeOf(line)
	s.release(&change, order.Revoke, s.keys[1])
	s.commit(change)
	if after := s.line(line.ID); after.State() != order.Waiting || after.Missing() != 1 {
		t.Errorf("the line is %s and misses %d keys", after.State(), after.Missing())
	}
	if books := s.audit(); len(books.Queue) != 1 {
		t.Errorf("%d lines stand in the queue", len(books.Queue))
	}
}

func TestCommit_releasesPartOfAChunk(t *testing.T) {
	t.Parallel()
	s := openShop(t, 60)
	line := s.sell("1", 60, s.keys[:50]...)

	change := order.ChangeOf(line)
	change.Chunk = s.chunks(line.ID)[0]
	change.After.Returned = 15
	s.release(&change, order.Revoke, s.keys[45:50]...)
	s.commit(change)
	chunks := s.chunks(line.ID)
	if len(chunks) != 1 || chunks[0].Version != line.Version+1 {
		t.Fatalf("the chunks are %+v", chunks)
	}
	if diff := cmp.Diff(idsOf(s.keys[20:45]), idsOf(chunks[0].Keys)); diff != "" {
		t.Errorf("the chunk holds other keys (-want +got):\n%s", diff)
	}
	s.audit()

	// The rest of the chunk, for as many others: they take the place of those.
	change = order.ChangeOf(s.line(line.ID))
	change.Chunk = chunks[0]
	s.release(&change, order.Restock, s.keys[20:45]...)
	change.After.Returned += 25
	s.commit(change)
	if chunks := s.chunks(line.ID); len(chunks) != 0 {
		t.Errorf("an empty chunk was left: %+v", chunks)
	}
	s.audit()

	// The number of a chunk that is gone is not used again.
	change = order.ChangeOf(s.line(line.ID))
	change.After.Returned = 30
	change.Allocate(s.keys[50:60], stockNoon)
	s.commit(change)
	if chunks := s.chunks(line.ID); len(chunks) != 1 || chunks[0].Number != 2 || len(chunks[0].Keys) != 10 {
		t.Errorf("the chunks are %+v", chunks)
	}
	if after := s.line(line.ID); after.State() != order.Fulfilled || after.Allocated != 30 {
		t.Errorf("the line is %s with %d keys", after.State(), after.Allocated)
	}
	s.audit()
}

// A key that the line does not have stays where it is, and so does everything else.
func TestCommit_refusesToReleaseAKeyThatIsNotTheLines(t *testing.T) {
	t.Parallel()
	s := openShop(t, 5)
	mine := s.sell("1", 2, s.keys[:2]...)
	s.sell("2", 1, s.keys[2])
	change := order.ChangeOf(mine)
	s.release(&change, order.Revoke, s.keys[1])
	change.After.Returned = 1
	s.commit(change)
	before, stands := s.line(mine.ID), s.stands()

	for name, key := range map[string]pool.Key{
		"another line's":      s.keys[2],
		"available":           s.keys[3],
		"given back already":  s.keys[1],
		"nobody's, not there": {ID: "nova#live#unheard-of"},
	} {
		for _, to := range []order.Disposition{order.Revoke, order.Restock, order.Keep} {
			release := order.Release{Key: key.ID, To: to, Shards: shards}
			change := order.ChangeOf(before)
			if err := change.Release(release); !errors.Is(err, order.ErrNotHeld) {
				t.Errorf("a change releases a key that is %s: %v", name, err)
			}
			change.Released = append(change.Released, release)
			change.After.Returned++
			if err := s.store.Commit(t.Context(), change); !errors.Is(err, order.ErrNotHeld) || retry.Temporary(err) {
				t.Errorf("%s of a key that is %s: %v", to, name, err)
			}
		}
	}
	if after := s.line(mine.ID); after.Version != before.Version {
		t.Error("the line was changed")
	}
	if diff := cmp.Diff(stands, s.stands()); diff != "" {
		t.Errorf("keys were changed (-before +after):\n%s", diff)
	}
	s.audit()
}

func TestCommit_restockedKeyIsSoldAgainAndOnlyOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t, 1)
	first := s.sell("first", 1, s.keys[0])
	change := order.ChangeOf(first)
	change.After.Returned = 1
	s.release(&change, order.Restock, s.keys[0])
	s.commit(change)
	if item := dynamotest.Items(t, s.tables.Keys, "")[0]; item["soldAt"] != nil || item["line"] != nil {
		t.Errorf("a restocked key was sold at %v to line %v", item["soldAt"], item["line"])
	}
	s.audit()

	candidates, err := s.store.Candidates(t.Context(), elden, shards, 1)
	if err != nil || len(candidates) != 1 || candidates[0].Text.Reveal() != s.keys[0].Text.Reveal() || candidates[0].Upload == "" {
		t.Fatalf("%d keys are for sale again, %v", len(candidates), err)
	}
	var (
		racing sync.WaitGroup
		errs   = make([]error, 8)
	)
	for i := range errs {
		racing.Go(func() {
			change := order.NewLine(paidLine(fmt.Sprint("next ", i), 1))
			change.Allocate(candidates, stockNoon)
			errs[i] = s.store.Commit(t.Context(), change)
		})
	}
	racing.Wait()
	sold := 0
	for _, err := range errs {
		var taken *order.KeysTakenError
		switch {
		case err == nil:
			sold++
		case !errors.As(err, &taken) && !retry.Temporary(err):
			t.Error(err)
		}
	}
	if books := s.audit(); sold != 1 || books.Claimed != 1 {
		t.Errorf("sold %d times, %d keys claimed", sold, books.Claimed)
	}
}

func TestCommit_lineThatChangedMeanwhileKeepsItsKeys(t *testing.T) {
	t.Parallel()
	s := openShop(t, 4)
	read := s.sell("1", 3, s.keys[:3]...)
	other := order.ChangeOf(read)
	other.After.Hold(order.HoldByHand)
	s.commit(other)
	stands := s.stands()

	change := order.ChangeOf(read)
	s.release(&change, order.Restock, s.keys[0])
	change.Allocate(s.keys[3:], stockNoon)
	if err := s.store.Commit(t.Context(), change); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("a change of an old version: %v", err)
	}
	if diff := cmp.Diff(stands, s.stands()); diff != "" {
		t.Errorf("keys were changed (-before +after):\n%s", diff)
	}
	s.audit()
}

// A chunk may have been read before the line was: the line's version does not tell.
func TestCommit_chunkThatChangedMeanwhileIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := openShop(t, 50)
	line := s.sell("1", 40, s.keys[:40]...)
	stale := s.chunks(line.ID)[0]
	other := order.ChangeOf(line)
	other.Chunk = stale
	s.release(&other, order.Revoke, s.keys[30])
	other.Allocate(s.keys[40:41], stockNoon)
	s.commit(other)

	change := order.ChangeOf(s.line(line.ID))
	change.Chunk = stale
	s.release(&change, order.Revoke, s.keys[31])
	change.Allocate(s.keys[41:42], stockNoon)
	if err := s.store.Commit(t.Context(), change); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("a change of an old chunk: %v", err)
	}

	// One that is emptied is not deleted with what came to it meanwhile.
	change = order.ChangeOf(s.line(line.ID))
	change.Chunk = order.Chunk{Number: stale.Number, Version: stale.Version}
	if err := s.store.Commit(t.Context(), change); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("an old chunk is deleted: %v", err)
	}
	s.audit()
}

// A transaction of DynamoDB writes 100 items: a change of MaxKeys fits whatever else
// it writes, and a larger one is refused before it is tried.
func TestCommit_mostKeysInOneChange(t *testing.T) {
	t.Parallel()
	const half = order.MaxKeys / 2
	s := openShop(t, 400)
	line := s.sell("1", 200, s.keys[:order.InlineKeys+half]...)
	chunk := s.chunks(line.ID)[0]

	change := order.ChangeOf(line)
	change.Chunk = chunk
	s.release(&change, order.Restock, chunk.Keys...)
	change.Allocate(s.keys[200:200+half], stockNoon)
	change.History = []order.History{{Line: line.ID, At: stockNoon, Event: order.Resent, By: "somebody"}} // in the audit trail too
	if err := s.store.Commit(access.With(t.Context(), access.Principal{}), change); err != nil {
		t.Fatal(err)
	}
	if after := s.line(line.ID); after.Allocated != order.InlineKeys+half {
		t.Errorf("the line holds %d keys", after.Allocated)
	}
	s.audit()

	tooMany := order.NewLine(paidLine("2", 200))
	tooMany.Allocate(s.keys[200+half:200+half+order.MaxKeys+1], stockNoon)
	large := order.ChangeOf(s.line(line.ID))
	large.Chunk = s.chunks(line.ID)[0]
	large.Allocate(s.keys[200+half:200+half+order.MaxKeys-half+1], stockNoon) // in a chunk with as many
	released := order.ChangeOf(s.line(line.ID))
	for range order.MaxKeys + 1 {
		released.Released = append(released.Released, order.Release{Key: s.keys[0].ID, To: order.Revoke})
	}
	for name, change := range map[string]order.Change{"allocated": tooMany, "in a chunk": large, "released": released} {
		if err := s.store.Commit(t.Context(), change); !errors.Is(err, order.ErrTooManyKeys) {
			t.Errorf("more than %d keys %s: %v", order.MaxKeys, name, err)
		}
	}
	s.audit()
}

// What a return writes most of fits into a transaction: of a line that waits, and that a rule
// holds, by a person, with as many keys for sale again as one change takes, each of an upload of
// its own.
func TestCommit_largestReturn(t *testing.T) {
	t.Parallel()
	const back = order.MaxKeys / 2
	s := openShop(t, 200)
	line := s.sell("1", 200, s.keys[:order.InlineKeys+back]...)
	holding := order.ChangeOf(line)
	holding.After.Holds = []order.Hold{order.HoldCap}
	holding.After.HeldAt = stockNoon
	s.commit(holding)

	line = s.line(line.ID)
	change := order.ChangeOf(line)
	change.After.Holds = nil
	change.After.ReturnAll()
	change.Chunk = s.chunks(line.ID)[0]
	change.Refund, change.Known = "RMA-1", &order.Whole{ID: line.ID.OrderHalf()}
	change.History = []order.History{
		{Line: line.ID, At: stockNoon, Event: order.UnitsReturned, By: "somebody", Code: "RMA-1"},
		{Line: line.ID, At: stockNoon, Event: order.Released, By: "somebody"},
	}
	for i, key := range change.Chunk.Keys {
		if err := change.Release(order.Release{Key: key.ID, To: order.Restock, Shards: shards, Upload: fmt.Sprintf("20261123T120000-%016x", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.Commit(access.With(t.Context(), access.Principal{}), change); err != nil {
		t.Error(err)
	}
}

// TestCommit_randomHistories makes up changes of a few lines, from records and chunks
// that are often old, with keys that are often somebody else's. A model knows where
// each key must stand.
func TestCommit_randomHistories(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d (repeat with: go test ./shared/dynamo -run TestCommit_randomHistories -seed %d)", *seed, *seed)
	s := openShop(t, 150)
	h := &history{shop: s, rng: rand.New(rand.NewPCG(*seed, 0))}
	model := map[string]string{}
	for _, key := range s.keys {
		model[string(key.ID)] = "available "
	}
	outcomes := map[string]int{}
	for step := range 400 {
		change := h.change()
		err := s.store.Commit(t.Context(), change)
		outcomes[outcome(t, err)]++
		if err == nil {
			for _, key := range change.Allocated {
				model[string(key.ID)] = "claimed " + string(change.After.ID)
			}
			for _, r := range change.Released {
				model[string(r.Key)] = map[order.Disposition]string{
					order.Revoke: "revoked " + string(change.After.ID), order.Keep: "kept " + string(change.After.ID), order.Restock: "available ",
				}[r.To]
			}
		}
		if step%20 == 0 || step > 380 {
			if diff := cmp.Diff(model, s.stands()); diff != "" {
				t.Fatalf("step %d, %v: keys stand elsewhere than they should (-want +got):\n%s", step, err, diff)
			}
			if s.audit(); t.Failed() {
				t.Fatalf("step %d: %v", step, err)
			}
		}
	}
	t.Log(outcomes)
	for _, what := range []string{"written", "changed", "taken", "not held", "exists"} {
		if outcomes[what] == 0 {
			t.Errorf("no change was %s", what)
		}
	}
}

// TestCommit_randomHistoriesAtOnce lets several write at once.
func TestCommit_randomHistoriesAtOnce(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *seed)
	s := openShop(t, 150)
	var writing sync.WaitGroup
	for n := range 4 {
		h := &history{shop: s, rng: rand.New(rand.NewPCG(*seed, uint64(n)+1))}
		writing.Go(func() {
			for range 80 {
				outcome(t, s.store.Commit(t.Context(), h.change()))
			}
		})
	}
	writing.Wait()
	s.audit()
}

func outcome(t *testing.T, err error) string {
	var (
		taken  *order.KeysTakenError
		exists *order.ExistsError
	)
	switch {
	case err == nil:
		return "written"
	case errors.As(err, &taken):
		return "taken"
	case errors.As(err, &exists):
		return "exists"
	case errors.Is(err, order.ErrNotHeld):
		return "not held"
	case errors.Is(err, retry.ErrChanged):
		return "changed"
	default:
		t.Errorf("a change is answered: %v", err)
		return "failed"
	}
}

// history makes up changes. It remembers lines as they were read, some of them long ago.
type history struct {
	*shop
	rng  *rand.Rand
	seen []snapshot
}

type snapshot struct {
	line   order.Fulfillment
	chunks []order.Chunk
}

const historyLines = 6

func (h *history) change() order.Change {
	number := fmt.Sprint(h.rng.IntN(historyLines))
	paid := paidLine(number, 10+h.rng.IntN(40))
	line, there, err := h.store.Fulfillment(h.t.Context(), paid.ID)
	if err != nil {
		h.t.Error(err)
	}
	var change order.Change
	chunks := h.chunks(paid.ID)
	if !there || h.rng.IntN(20) == 0 {
		change = order.NewLine(paid)
	} else {
		read := snapshot{line, chunks}
		if h.seen = append(h.seen, read); h.rng.IntN(4) == 0 {
			read = h.seen[h.rng.IntN(len(h.seen))]
			if read.line.ID == line.ID && h.rng.IntN(2) == 0 {
				read.line = line // with the chunks as they were
			}
		}
		change = order.ChangeOf(read.line)
		if len(read.chunks) > 0 && h.rng.IntN(3) > 0 {
			change.Chunk = read.chunks[h.rng.IntN(len(read.chunks))]
		}
		h.releaseSome(&change)
		h.releaseAnother(&change, line, chunks)
	}
	if want := change.After.Missing(); want > 0 && len(change.After.Holds) == 0 {
		h.allocateSome(&change, want)
	}
	return change
}

// releaseSome gives keys back: for a return, to be replaced, or for no reason.
func (h *history) releaseSome(change *order.Change) {
	line := &change.After
	held := slices.Concat(line.Keys, change.Chunk.Keys)
	h.rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	for _, key := range held[:min(len(held), h.rng.IntN(12)*h.rng.IntN(2))] {
		to := []order.Disposition{order.Restock, order.Restock, order.Revoke, order.Keep}[h.rng.IntN(4)]
		h.release(change, to, key)
		if line.Returned < line.Wanted && h.rng.IntN(3) == 0 {
			line.Returned++
		}
	}
	line.Holds = nil
	if h.rng.IntN(8) == 0 {
		line.Hold(order.HoldByHand)
	}
}

// releaseAnother gives back a key that is not the line's, now and then.
func (h *history) releaseAnother(change *order.Change, line order.Fulfillment, chunks []order.Chunk) {
	key, held := h.keys[h.rng.IntN(len(h.keys))].ID, idsOf(line.Keys)
	for _, chunk := range chunks {
		held = append(held, idsOf(chunk.Keys)...)
	}
	for _, r := range change.Released {
		held = append(held, r.Key)
	}
	if change.After.ID == line.ID && h.rng.IntN(12) == 0 && !slices.Contains(held, key) {
		change.Released = append(change.Released, order.Release{Key: key, To: order.Revoke})
		change.After.Allocated--
	}
}

// allocateSome takes keys that are available, or were.
func (h *history) allocateSome(change *order.Change, want int) {
	candidates, err := h.store.Candidates(h.t.Context(), elden, shards, len(h.keys)) // all of them
	if err != nil {
		h.t.Error(err)
	}
	slices.SortFunc(candidates, func(a, b pool.Key) int { return strings.Compare(string(a.ID), string(b.ID)) })
	h.rng.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	if len(candidates) > 0 && h.rng.IntN(3) == 0 {
		candidates[0] = h.keys[h.rng.IntN(len(h.keys))]
	}
	ids := map[pool.KeyID]bool{}
	for _, r := range change.Released {
		ids[r.Key] = true
	}
	var keys []pool.Key
	for _, key := range candidates[:min(len(candidates), want, 1+h.rng.IntN(want))] {
		if !ids[key.ID] {
			ids[key.ID] = true
			keys = append(keys, key)
		}
	}
	change.Allocate(keys, stockNoon)
}

func idsOf(keys []pool.Key) []pool.KeyID {
	var ids []pool.KeyID
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	return ids
}
