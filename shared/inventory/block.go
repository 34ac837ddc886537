package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Blocker blocks keys that leaked, or that were sold elsewhere: nobody is sold one from then
// on, on either side of any pool of the merchant.
//
// A key that is for sale is taken out of sale. One that a line holds stays with the line, and
// is not sold again if it comes back. The code of a product is given to no order that comes
// from then on: those wait until there is another. A text that no upload has brought is remembered by its
// hash, so that the upload that brings it is refused that line.
type Blocker struct {
	Merchants Merchants
	Keys      BlockStore
	Finder    *Finder
	Now       func() time.Time
}

// BlockStore keeps the keys, and the audit trail.
type BlockStore interface {
	Records
	// BlockForSale blocks keys of a pool side that are for sale: all or nothing.
	// *order.KeysTakenError names those that are not for sale any more.
	BlockForSale(ctx context.Context, p pool.ID, keys []pool.Key, by string, now time.Time) error
	// BlockKey blocks a key that is not for sale, or that is not there. One that is blocked
	// stays as it is. It fails with retry.ErrChanged if the key is for sale.
	BlockKey(ctx context.Context, id pool.KeyID, by string, now time.Time) error
	// AddEntry adds an entry to the audit trail.
	AddEntry(ctx context.Context, e audit.Entry) error
}

// Blocked says what a call found.
type Blocked struct {
	Withdrawn int     // keys that were for sale until now
	Unknown   int     // texts that no upload has brought yet
	Before    int     // texts that were blocked before
	Sold      []Found // keys that lines hold, or held last, whenever they were blocked
	Codes     []Found // codes of products, whenever they were blocked
}

// Block blocks the keys that have one of the texts. It may be called again, after an error
// too: what is blocked stays so, and is not counted twice. An entry of the audit trail comes
// before the first change.
func (b *Blocker) Block(ctx context.Context, merchant string, texts []string, by, why string) (Blocked, error) {
	m, err := known(ctx, b.Merchants, merchant)
	if err != nil {
		return Blocked{}, err
	}
	ids := map[pool.Side][]pool.KeyID{}
	for _, side := range pool.Sides {
		for _, text := range texts {
			ids[side] = append(ids[side], pool.Identify(m.Salt, merchant, side, pool.TrimKey(text)))
		}
		slices.Sort(ids[side])
		ids[side] = slices.Compact(ids[side])
	}
	w := blocking{Blocker: b, by: by, announce: audit.New(ctx, audit.Entry{
		Merchant: merchant, By: by, Thing: audit.Keys, After: announced(len(ids[pool.Live]), why),
	}, b.Now())}
	// The live side comes first. A test key of a text that stands there is refused, so that
	// none can come once the test side is looked at.
	if err := w.block(ctx, ids[pool.Live], true); err != nil {
		return w.found, err
	}
	if err := w.block(ctx, ids[pool.Test], false); err != nil {
		return w.found, err
	}
	all, err := b.Finder.Find(ctx, merchant, texts)
	for _, key := range all {
		if key.State == pool.KeyShared {
			w.found.Codes = append(w.found.Codes, key)
		}
		if key.Sold != nil {
			w.found.Sold = append(w.found.Sold, key)
		}
	}
	return w.found, err
}

func announced(texts int, why string) catalog.Shown {
	shown := catalog.Shown{"blocked": texts}
	if why != "" {
		shown["reason"] = why
	}
	return shown
}

// blocking is one call.
type blocking struct {
	*Blocker
	by        string
	announce  audit.Entry
	announced bool
	found     Blocked
}

const (
	blockTries  = 10 // looks at keys that change meanwhile
	blockAtOnce = 25 // keys that are not for sale: a write for each
)

// block blocks the keys of a side as they stand: those that are not there only if they are to
// be remembered. Keys that change meanwhile are looked at again.
func (w *blocking) block(ctx context.Context, ids []pool.KeyID, remember bool) error {
	for try := range blockTries {
		records, err := w.Keys.KeyRecords(ctx, ids)
		if err != nil {
			return err
		}
		todo := w.sort(ids, records, remember, try == 0)
		if len(todo.others) == 0 && len(todo.forSale) == 0 {
			return nil
		}
		if err := w.tell(ctx); err != nil {
			return err
		}
		ids, err = w.do(ctx, todo)
		if err != nil || len(ids) == 0 {
			return err
		}
	}
	return fmt.Errorf("block %d keys: %w", len(ids), retry.ErrChanged)
}

// toBlock are keys as they were seen.
type toBlock struct {
	forSale map[pool.ID][]pool.Key
	others  []pool.KeyID
	absent  map[pool.KeyID]bool // of the others, those that no upload has brought
}

func (w *blocking) sort(ids []pool.KeyID, records []pool.Record, remember, first bool) toBlock {
	todo := toBlock{forSale: map[pool.ID][]pool.Key{}, absent: map[pool.KeyID]bool{}}
	there := make(map[pool.KeyID]pool.Record, len(records))
	for _, r := range records {
		there[r.ID] = r
	}
	for _, id := range ids {
		r, ok := there[id]
		switch {
		case !ok && remember:
			todo.absent[id] = true
			todo.others = append(todo.others, id)
		case !ok:
		case !r.BlockedAt.IsZero():
			if first && remember {
				w.found.Before++
			}
		case r.Shard != "":
			p := pool.ID{Merchant: w.announce.Merchant, Pool: r.Pool, Side: r.Side}
			todo.forSale[p] = append(todo.forSale[p], pool.Key{ID: id, Upload: r.Upload, Shard: r.Shard})
		default:
			todo.others = append(todo.others, id)
		}
	}
	return todo
}

// tell adds the call's entry to the audit trail, once.
func (w *blocking) tell(ctx context.Context) error {
	if w.announced {
		return nil
	}
	w.announced = true
	return w.Keys.AddEntry(ctx, w.announce)
}

// do blocks the keys, and returns those that changed meanwhile.
func (w *blocking) do(ctx context.Context, todo toBlock) (changed []pool.KeyID, err error) {
	now := w.Now()
	for p, keys := range todo.forSale {
		for len(keys) > 0 {
			batch := keys[:min(len(keys), batchSize)]
			err := w.Keys.BlockForSale(ctx, p, batch, w.by, now)
			if taken, is := errors.AsType[*order.KeysTakenError](err); is {
				keys, changed = without(keys, taken.Keys), append(changed, taken.Keys...)
				continue
			}
			if err != nil {
				return nil, err
			}
			keys = keys[len(batch):]
			w.found.Withdrawn += len(batch)
		}
	}
	outcomes := make([]error, len(todo.others))
	var calls errgroup.Group
	calls.SetLimit(blockAtOnce)
	for i, id := range todo.others {
		calls.Go(func() error {
			outcomes[i] = w.Keys.BlockKey(ctx, id, w.by, now)
			if errors.Is(outcomes[i], retry.ErrChanged) {
				return nil
			}
			return outcomes[i]
		})
	}
	err = calls.Wait()
	for i, id := range todo.others {
		switch {
		case outcomes[i] != nil:
			changed = append(changed, id)
		case todo.absent[id]:
			w.found.Unknown++
		}
	}
	return changed, err
}
