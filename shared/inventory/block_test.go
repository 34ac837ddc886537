package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/audit"
	"keypool/shared/inventory"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

func (w *world) blocker() *inventory.Blocker {
	finder := &inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}
	return &inventory.Blocker{Merchants: w.store, Keys: w.store, Finder: finder, Now: w.jobs.Now}
}

func (w *world) block(texts ...string) inventory.Blocked {
	w.Helper()
	b, err := w.blocker().Block(w.Context(), "nova", texts, "the token", "in a forum")
	w.must(err)
	return b
}

func TestBlock(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "FREE-1\nFREE-2\nSOLD-1\nREVOKED-1\nOTHER-1\n")
	w.load("uploads/nova/ring/test/try.txt", "BOTH-1\n")
	w.load("uploads/nova/ring/second.txt", "RING-1\nBOTH-1\n")
	wrong := w.load("uploads/nova/elden/wrong.txt", "WRONG-1\n")
	w.sell("A-1", elden, "SOLD-1")
	w.giveBack(w.sell("A-2", elden, "REVOKED-1"), order.Revoke)
	w.finish(w.withdraw(wrong).ID)
	w.later(3 * time.Hour)
	texts := []string{"FREE-1", " FREE-2\t", "SOLD-1", "REVOKED-1", "RING-1", "BOTH-1", "WRONG-1", "NEW-1", "SOLD-1"}

	got := w.block(texts...)
	var sold []string
	for _, key := range got.Sold {
		sold = append(sold, fmt.Sprint(key.Text, " ", key.Sold.Order))
	}
	if diff := cmp.Diff([]string{"2 A-1", "3 A-2", "8 A-1"}, sold); diff != "" || got.Withdrawn != 5 || got.Unknown != 1 || got.Before != 0 {
		t.Errorf("%d withdrawn, %d unknown, %d before, sold (-want +got):\n%s", got.Withdrawn, got.Unknown, got.Before, diff)
	}
	w.wantCount(elden, 6, 3)
	w.wantCount(pool.ID{Merchant: "nova", Pool: "ring", Side: pool.Live}, 2, 2)
	w.wantCount(pool.ID{Merchant: "nova", Pool: "ring", Side: pool.Test}, 1, 1)
	if keys := w.forSale(elden); len(keys) != 1 || keys[0].Text.Reveal() != "OTHER-1" {
		t.Errorf("%d keys are for sale", len(keys))
	}
	var became []string
	for _, k := range w.find(texts[:8]...) {
		if !k.BlockedAt.Equal(w.now) {
			t.Errorf("key %d is blocked at %s", k.Text, k.BlockedAt)
		}
		if e := k.History[len(k.History)-1]; e.What != pool.KeyBlocked || e.By != "the token" || !e.At.Equal(w.now) {
			t.Errorf("key %d: its last event is %+v", k.Text, e)
		}
		became = append(became, fmt.Sprint(k.Text, " ", k.Side, " ", k.State, " ", k.Pool))
	}
	if diff := cmp.Diff([]string{
		"0 live withdrawn elden", "1 live withdrawn elden", "2 live claimed elden", "3 live revoked elden", "4 live withdrawn ring",
		"5 live withdrawn ring", "5 test withdrawn ring", "6 live withdrawn elden", "7 live withdrawn ",
	}, became); diff != "" {
		t.Errorf("what became of them (-want +got):\n%s", diff)
	}

	if again := w.block(texts...); again.Before != 8 || again.Withdrawn != 0 || again.Unknown != 0 || len(again.Sold) != 3 {
		t.Errorf("again: %d before, %d withdrawn, %d unknown, %d sold", again.Before, again.Withdrawn, again.Unknown, len(again.Sold))
	}
	w.wantCount(elden, 6, 3)
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 10)
	w.must(err)
	trail = slices.DeleteFunc(trail, func(e audit.Entry) bool { return e.Thing != audit.Keys })
	if len(trail) != 1 || trail[0].By != "the token" || trail[0].After["reason"] != "in a forum" {
		t.Errorf("the audit trail: %+v", trail)
	}
}

// The report of a file tells of each line that is blocked, on either side, and whatever else
// became of its key.
func TestBlock_refusedWhenUploaded(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "FREE-1\nSOLD-1\n")
	w.load("uploads/nova/elden/test/try.txt", "TRY-1\n")
	w.sell("A-1", elden, "SOLD-1")
	w.block("FREE-1", "SOLD-1", "TRY-1", "NEW-1")
	for i, name := range []string{"ring/later.txt", "ring/test/later.txt", "elden/test/later.txt"} {
		u := w.load("uploads/nova/"+name, fmt.Sprintf("FREE-1\nSOLD-1\nTRY-1\nNEW-1\nFINE-%d\n", i))
		if diff := cmp.Diff(upload.Counts{upload.Blocked: 4, upload.Accepted: 1}, u.Counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(u.Kept) != 4 || u.Kept[3].Line != 4 || u.Kept[3].Reason != upload.Blocked {
			t.Errorf("%s: it tells of %+v", name, u.Kept)
		}
	}
	if keys := w.forSale(elden); len(keys) != 0 {
		t.Errorf("%d blocked keys are for sale", len(keys))
	}
	w.must(w.loader.Receive(t.Context(), w.bucket.Put("uploads/mallory/elden/hers.txt", []byte("NEW-1\n"))))
	if keys := w.forSale(pool.ID{Merchant: "mallory", Pool: "elden", Side: pool.Live}); len(keys) != 1 {
		t.Error("another merchant's key is blocked")
	}
}

// A block keeps no text of a key that nobody has uploaded.
func TestBlock_keepsNoText(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.block("NEW-1")
	items := dynamotest.Items(t, w.tables.Keys, "nova#")
	if len(items) != 1 || items[0]["text"] != nil || strings.Contains(fmt.Sprint(items), "NEW-1") {
		t.Errorf("it stores %v", items)
	}
}

// Of a key that a claim takes at the same moment, one of the two has it; of two blocks, one
// counts it.
func TestBlock_whileItSells(t *testing.T) {
	t.Parallel()
	w := open(t)
	const keys = 120
	w.load("uploads/nova/elden/leaked.txt", lines("LEAK", keys))
	var texts []string
	for i := range keys {
		texts = append(texts, fmt.Sprintf("LEAK-%04d", i))
	}
	var calls sync.WaitGroup
	var mu sync.Mutex
	sold := map[pool.KeyID]int{}
	for n := range 60 {
		calls.Go(func() {
			if key, ok := w.take(fmt.Sprint("R-", n)); ok {
				mu.Lock()
				defer mu.Unlock()
				sold[key]++
			}
		})
	}
	var blocked [2]inventory.Blocked
	for i := range blocked {
		calls.Go(func() {
			var err error
			if blocked[i], err = w.blocker().Block(context.Background(), "nova", texts, "the token", ""); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	withdrawn := blocked[0].Withdrawn + blocked[1].Withdrawn
	if withdrawn+len(sold) != keys || len(w.forSale(elden)) != 0 {
		t.Errorf("%d withdrawn, %d sold and %d for sale, of %d", withdrawn, len(sold), len(w.forSale(elden)), keys)
	}
	for i, k := range w.find(texts...) {
		want := map[bool]pool.KeyState{true: pool.KeyClaimed, false: pool.KeyWithdrawn}[sold[k.ID] == 1]
		if k.State != want || sold[k.ID] > 1 || k.BlockedAt.IsZero() {
			t.Errorf("key %d is %s, sold %d times, blocked at %s", i, k.State, sold[k.ID], k.BlockedAt)
		}
	}
	w.wantCount(elden, keys, withdrawn)
}

// meanwhile does something when the keys were looked at, and before they are blocked.
type meanwhile struct {
	inventory.BlockStore
	do func()
}

func (m *meanwhile) KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error) {
	records, err := m.BlockStore.KeyRecords(ctx, ids)
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return records, err
}

// A key that changes after it was looked at is looked at again: one that is sold, one that comes
// back from an order, and one that is uploaded.
func TestBlock_keysThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "SELLS-1\nBACK-1\nFREE-1\n")
	back := w.sell("A-1", elden, "BACK-1")
	b := w.blocker()
	b.Keys = &meanwhile{w.store, func() {
		w.sell("A-2", elden, "SELLS-1")
		w.giveBack(back, order.Restock)
		w.load("uploads/nova/elden/second.txt", "COMES-1\n")
	}}
	got, err := b.Block(t.Context(), "nova", []string{"SELLS-1", "BACK-1", "FREE-1", "COMES-1"}, "the token", "")
	w.must(err)
	if got.Withdrawn != 3 || got.Unknown != 0 || len(got.Sold) != 1 || got.Sold[0].Sold.Order != "A-2" || len(w.forSale(elden)) != 0 {
		t.Errorf("%d withdrawn, %d unknown, %d sold, %d for sale", got.Withdrawn, got.Unknown, len(got.Sold), len(w.forSale(elden)))
	}
	w.wantCount(elden, 4, 3)
}

// A key that was blocked since a return looked at it is not for sale again.
func TestBlock_inTheMiddleOfAReturn(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", "SOLD-1\n")
	line := w.sell("A-1", elden, "SOLD-1")
	w.block("SOLD-1")
	change := order.ChangeOf(line)
	change.After.Returned = 1
	w.must(change.Release(order.Release{Key: line.Keys[0].ID, To: order.Restock, Shards: shards, At: w.now}))
	if err := w.store.Commit(t.Context(), change); !errors.Is(err, retry.ErrChanged) || len(w.forSale(elden)) != 0 {
		t.Errorf("the return ends with %v, and %d keys are for sale", err, len(w.forSale(elden)))
	}
	w.giveBack(line, order.Revoke)
	if k := w.find("SOLD-1")[0]; k.State != pool.KeyRevoked || k.BlockedAt.IsZero() {
		t.Errorf("it is %s, blocked at %s", k.State, k.BlockedAt)
	}
}

// diesUnsaved has a worker die when it has stored its keys, and before it saves that.
type diesUnsaved struct {
	ranges
	then func()
}

// ranges are those of ingest, which takes them.
type ranges interface {
	TakeRange(ctx context.Context, u upload.Upload, n int, now time.Time) (upload.Range, error)
	SaveRange(ctx context.Context, u upload.Upload, r upload.Range) error
	EndRange(ctx context.Context, u upload.Upload, r upload.Range, dueAt time.Time) error
	Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error)
}

var errDied = errors.New("the worker died")

func (d diesUnsaved) EndRange(context.Context, upload.Upload, upload.Range, time.Time) error {
	d.then()
	return errDied
}

// A key that is blocked while its file is loaded, by a worker that dies, is counted once.
func TestBlock_whileItLoads(t *testing.T) {
	t.Parallel()
	w := open(t)
	o := w.bucket.Put("uploads/nova/elden/first.txt", []byte("FREE-1\nFREE-2\n"))
	dying := *w.loader
	dying.Ranges = diesUnsaved{w.store, func() { w.block("FREE-1") }}
	if err := dying.Receive(t.Context(), o); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	w.must(w.loader.Receive(t.Context(), o))
	w.loadRest()
	w.wantCount(elden, 2, 1)
	if n := len(w.forSale(elden)); n != 1 {
		t.Errorf("%d keys are for sale", n)
	}
}

// The same of a key that was never for sale, since its upload was withdrawn before.
func TestBlock_whileAWithdrawnUploadLoads(t *testing.T) {
	t.Parallel()
	w := open(t)
	file := "FIRST-1\n"
	for len(file) < upload.RangeSize {
		file += strings.Repeat("x", 2100) + "\n"
	}
	u := w.receive("uploads/nova/elden/large.txt", file+"SECOND-1\nSECOND-2\n")
	w.withdraw(u)
	dying := *w.loader
	dying.Ranges = diesUnsaved{w.store, func() { w.block("SECOND-1") }}
	message, _ := w.ranges.Next()
	if err := dying.Handle(t.Context(), message.(upload.Message)); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	w.must(w.loader.Handle(t.Context(), message.(upload.Message)))
	w.wantCount(elden, 3, 2)
}
