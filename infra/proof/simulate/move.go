package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// moveKeys moves keys to another pool, as their merchant does by the API, while a lagging index
// may still show them in their old place, and may cancel that.
type moveKeys struct {
	keys     int // at most; 0: all of an upload
	from, to string
	cancels  bool
	chance   uint64
	serial   int
}

func (m moveKeys) String() string {
	says := fmt.Sprintf("%d keys are moved from %s to %s", m.keys, m.from, m.to)
	if m.keys == 0 {
		says = fmt.Sprintf("an upload of %s is moved to %s", m.from, m.to)
	}
	if m.cancels {
		says += ", and that is cancelled"
	}
	return says
}

func (m moveKeys) do(w *world) {
	w.spawn(func() {
		w.startJob(fmt.Sprintf("move %d", m.serial), m.cancels, func(ctx context.Context, jobs *inventory.Jobs) (job.Job, error) {
			move := inventory.Move{From: pool.ID{Merchant: merchant, Pool: m.from, Side: pool.Live}, To: m.to, Most: m.keys, By: "a token"}
			if m.keys == 0 {
				ids := w.ledger.uploadsOf(m.from)
				if len(ids) == 0 {
					return job.Job{}, nil
				}
				move.Upload = ids[m.chance%uint64(len(ids))]
			}
			j, err := jobs.Move(ctx, move)
			if errors.Is(err, job.ErrWithdrawn) || errors.Is(err, job.ErrNotFound) { // of the other side
				return job.Job{}, nil
			}
			return j, err
		})
	})
}

// blockKeys blocks keys by their texts: of files that were dropped, of files to come, and some
// that orders gave back for good.
type blockKeys struct {
	texts  []string
	serial int
}

func (b blockKeys) String() string {
	return "keys are blocked: " + strings.Join(b.texts, ", ")
}

func (b blockKeys) do(w *world) {
	w.spawn(func() {
		name := fmt.Sprintf("block %d", b.serial)
		texts := b.texts
		if w.number(name+" revoked", 3) == 0 {
			texts = slices.Concat(texts, w.ledger.revoked(w.number(name+" from", 1000), 3))
		}
		w.untilDone(name, func(ctx context.Context, now time.Time) error {
			finder := &inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}
			blocker := &inventory.Blocker{Merchants: w.store, Keys: apart{w.store}, Finder: finder, Now: func() time.Time { return now }}
			_, err := blocker.Block(ctx, merchant, texts, "a token", "")
			return err
		})
	})
}

// BlockKey has a caller of its own for each key: they are blocked side by side.
func (s apart) BlockKey(ctx context.Context, id pool.KeyID, by string, now time.Time) error {
	return s.Store.BlockKey(random.Split(ctx, string(id)), id, by, now)
}

// revoked returns the texts of up to n keys that orders gave back for good, from one of them on.
func (l *ledger) revoked(from, n int) (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.keys)) {
		if k := l.keys[id]; k.state == "revoked" && k.text != "" {
			texts = append(texts, k.text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	from %= len(texts)
	return texts[from:min(from+n, len(texts))]
}

// checkMark checks the mark of a key that is blocked: it stays, and the key is not for sale.
func (l *ledger) checkMark(k *key, before, after map[string]types.AttributeValue) {
	marked := after["blockedAt"] != nil
	switch {
	case k.blocked && !marked:
		l.problem("key %s was blocked, and is not any more", l.text(k.id))
	case marked && str(after, "state") == "available":
		l.problem("key %s is blocked and for sale", l.text(k.id))
	case k.blocked && k.state != "claimed" && str(after, "state") == "claimed":
		l.problem("key %s was blocked and is sold", l.text(k.id))
	case marked && !k.blocked && before == nil:
		l.w.count("key blocked before it was uploaded")
	case marked && !k.blocked:
		l.w.count("key blocked that was " + k.state)
	}
	k.blocked = marked
}

// checkPlace checks that a key changes its pool only while it is for sale, and its upload was
// not withdrawn.
func (l *ledger) checkPlace(k *key, before, after map[string]types.AttributeValue) {
	if str(before, "pool") == str(after, "pool") {
		return
	}
	l.w.count("key moved to another pool")
	switch {
	case k.state != "available" || str(after, "state") != "available":
		l.problem("key %s was %s and is %s, and was moved", l.text(k.id), k.state, str(after, "state"))
	case l.withdrawn[k.upload]:
		l.problem("key %s was moved, and its upload is withdrawn", l.text(k.id))
	}
}
