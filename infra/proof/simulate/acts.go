package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/claim"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// act is one thing that happens from outside.
type act interface {
	fmt.Stringer
	do(w *world)
}

const platform = "standard"

// paid is an order that a platform tells of, some times over.
type paid struct {
	order    string
	side     pool.Side
	lines    []paidLine
	currency string
	times    int
	apart    time.Duration
	changed  bool // other content than the first time
	serial   int  // tells repeats apart
}

type paidLine struct {
	id       string
	product  string
	quantity int
}

func (p paid) String() string {
	var lines []string
	for _, l := range p.lines {
		lines = append(lines, fmt.Sprintf("%d x %s", l.quantity, l.product))
	}
	says := fmt.Sprintf("order %s is paid in %s: %s", p.order, p.currency, strings.Join(lines, ", "))
	if p.side == pool.Test {
		says += ", as a test"
	}
	if p.serial > 0 {
		says += ", once more"
	}
	if p.changed {
		says += ", otherwise"
	}
	if p.times > 1 {
		says += fmt.Sprintf(", told %d times within %s", p.times, p.apart)
	}
	return says
}

func (p paid) do(w *world) {
	for n := range p.times {
		w.spawn(func() {
			name := fmt.Sprintf("order %s/%d/%d", p.order, p.serial, n)
			time.Sleep(w.upTo(name, p.apart))
			p.call(w, name)
		})
	}
}

// call is the platform that calls until it is answered, less and less often.
func (p paid) call(w *world, name string) {
	for try := 0; ; try++ {
		if p.answered(w, fmt.Sprintf("%s/%d", name, try)) {
			return
		}
		time.Sleep(min(time.Second<<try, 5*time.Minute))
	}
}

// answered does what the function webhook does with a call.
func (p paid) answered(w *world, name string) bool {
	instance := w.instances[w.number(name, len(w.instances))]
	process := w.begin(name, 29*time.Second, instance.skew)
	defer process.end()
	claims := &claim.Claimer{Store: w.store, Cached: instance.recent, Uncached: w.store, Fill: w.fills, Now: process.now}
	var (
		lines  sync.WaitGroup
		failed = make([]error, len(p.lines))
	)
	for i, line := range p.lines {
		lines.Go(func() {
			id := order.Identity{Merchant: merchant, Side: p.side, Origin: platform, Order: p.order, Line: line.id}.ID()
			ctx := random.Split(process.ctx, string(id))
			asked := time.Now()
			got, err := claims.Claim(ctx, order.Fulfillment{
				ID: id, Merchant: merchant, Side: p.side, Account: platform, Origin: platform, Order: p.order, Line: line.id,
				Product: line.product, Quantity: line.quantity, Currency: p.currency,
				Customer: order.Customer{Name: "Ada", Email: "ada@customers.example"},
			})
			told, raised := w.raise(ctx, process, instance, p.order, got, err)
			if raised != nil {
				err = raised
			}
			if process.gone() {
				err = errGone
			}
			failed[i] = w.answers.claimed(line, id, asked, got, told, err)
		})
	}
	lines.Wait()
	return errors.Join(failed...) == nil
}

// raise tells the merchant, as the function webhook does, of a line that no
// pool feeds, and of one that was paid again with other content. It returns the
// notice that there must be, "" if there is nothing to tell.
func (w *world) raise(ctx context.Context, p *process, i *instance, orderName string, got order.Fulfillment, claimed error) (id string, err error) {
	var changed *claim.MismatchError
	kind, dedupKey := notice.Kind(""), ""
	switch {
	case errors.As(claimed, &changed):
		kind, dedupKey = notice.ChangedRepeat, string(changed.Line)
	case claimed == nil && got.State() == order.Unconnected:
		if _, _, err := i.recent.Product(ctx, merchant, got.Product); err != nil {
			return "", err
		}
		kind, dedupKey = notice.Unconnected, string(got.Side)+"#"+notice.Day(p.now())+"#"+got.Product
	default:
		return "", nil
	}
	facts := notice.Facts{Product: got.Product, Side: got.Side, Orders: []string{orderName}, Count: 1}
	return merchant + "#" + string(kind) + "#" + dedupKey, w.store.RaiseNotice(ctx, notice.New(merchant, kind, dedupKey, facts, p.now()))
}

// dropped is a key file that a merchant drops, and the events that tell of it.
type dropped struct {
	file   string
	pool   string
	side   pool.Side
	lines  []string
	events int
}

func (u dropped) name() string {
	if u.side == pool.Test {
		return "uploads/" + merchant + "/" + u.pool + "/test/" + u.file
	}
	return "uploads/" + merchant + "/" + u.pool + "/" + u.file
}

func (u dropped) String() string {
	says := fmt.Sprintf("%s of %d lines is dropped for %s (%s)", u.file, len(u.lines), u.pool, u.side)
	if u.events > 1 {
		says += fmt.Sprintf(", told %d times", u.events)
	}
	return says
}

func (u dropped) do(w *world) {
	object := w.bucket.put(u.name(), []byte(strings.Join(u.lines, "\n")))
	w.answers.dropped(u, object)
	for n := range u.events {
		w.spawn(func() {
			name := fmt.Sprintf("event %d of %s", n, u.name())
			time.Sleep(w.upTo(name, time.Second) >> w.number(name+" closer", 8)) // often while another works on it
			w.receive(name, object)
		})
	}
}

// handled is what happens to a line after it was paid: it is given back, whole or in
// part, held for review, released from that, or one of its keys is replaced. No
// function does so yet; the commit path is there.
type handled struct {
	what   string
	order  string
	side   pool.Side
	line   string
	keys   order.Disposition // of what it gives back
	serial int
}

func (h handled) String() string {
	says := fmt.Sprintf("line %s of order %s is %s", h.line, h.order, h.what)
	if h.keys != "" {
		says += fmt.Sprintf(" (%s its keys)", h.keys)
	}
	return says
}

func (h handled) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("%s %d", h.what, h.serial), func(ctx context.Context, now time.Time) error {
			for more, err := true, error(nil); more; {
				if more, err = h.change(ctx, w, now); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// change makes one change of the line, and reports whether the line has more keys to
// give back than that.
func (h handled) change(ctx context.Context, w *world, now time.Time) (more bool, err error) {
	id := order.Identity{Merchant: merchant, Side: h.side, Origin: platform, Order: h.order, Line: h.line}.ID()
	before, ok, err := w.store.Fulfillment(ctx, id)
	if err != nil || !ok {
		return false, err
	}
	change, state := order.ChangeOf(before), before.State()
	after := &change.After
	switch {
	case h.what == "returned" && before.Wanted > 0 && (state != order.Returned || before.Allocated > 0):
		after.Returned = before.Wanted
		more, err = h.releaseSurplus(ctx, w, &change)
	case h.what == "returned in part" && (state == order.Waiting || state == order.Fulfilled) && before.Returned < before.Wanted:
		after.Returned += 1 + w.number(fmt.Sprint("returned ", h.serial), before.Wanted-before.Returned)
		_, err = h.releaseSurplus(ctx, w, &change) // what else it holds is left to it
	case h.what == "replaced" && state == order.Fulfilled && before.Allocated > 0:
		if err = h.replace(ctx, w, &change); len(change.Released) == 0 {
			return false, err
		}
	case h.what == "held" && (state == order.Waiting || state == order.Unconnected):
		after.OnHold = true
	case h.what == "released" && before.OnHold:
		after.OnHold = false
	default:
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch is := after.State(); {
	case is == order.Fulfilled && (state != order.Fulfilled || len(change.Allocated) > 0):
		after.Mail = after.Mail.Next(outbox.Keys, now) // it has all that it is still due
	case (is == order.Waiting || is == order.Unconnected) && after.Mail.DueAt.IsZero():
		after.Mail.DueAt = now.Add(outbox.SweepAfter)
	}
	if err := w.store.Commit(ctx, change); err != nil {
		return false, err
	}
	restocked := slices.ContainsFunc(change.Released, func(r order.Release) bool { return r.To == order.Restock })
	if restocked || after.State() == order.Waiting {
		w.send(ctx, order.FillPool(after.PoolID()))
	}
	return more, nil
}

// releaseSurplus takes from the line the keys that it has no right to any more, the
// newest first: of its newest chunk, or of its own item if it has no chunk.
func (h handled) releaseSurplus(ctx context.Context, w *world, change *order.Change) (more bool, err error) {
	chunks, err := w.store.Chunks(ctx, change.After.ID)
	if err != nil {
		return false, err
	}
	held := change.After.Keys
	if len(chunks) > 0 {
		change.Chunk = chunks[len(chunks)-1]
		held = change.Chunk.Keys
	}
	surplus := -change.After.Missing()
	for _, key := range slices.Backward(held[max(0, len(held)-max(0, surplus)):]) {
		if err := h.release(w, change, key.ID); err != nil {
			return false, err
		}
	}
	return len(change.Released) < surplus, nil
}

// replace gives the line an available key for one that it holds.
func (h handled) replace(ctx context.Context, w *world, change *order.Change) error {
	chunks, err := w.store.Chunks(ctx, change.After.ID)
	if err != nil {
		return err
	}
	held := change.After.Keys
	if n := w.number(fmt.Sprint("replaced chunk ", h.serial), len(chunks)+1); n > 0 || len(held) == 0 && len(chunks) > 0 {
		change.Chunk = chunks[max(n-1, 0)]
		held = change.Chunk.Keys
	}
	candidates, err := w.store.Candidates(ctx, change.After.PoolID(), w.plan.Weather.Shards, 1)
	if err != nil || len(candidates) == 0 || len(held) == 0 {
		return err
	}
	if err := h.release(w, change, held[w.number(fmt.Sprint("replaced ", h.serial), len(held))].ID); err != nil {
		return err
	}
	change.Allocate(candidates[:1])
	return nil
}

// release takes a key from the line. A key may be restocked only if no mailer ever
// had it.
func (h handled) release(w *world, change *order.Change, key pool.KeyID) error {
	to, mail := h.keys, change.Before.Mail
	unseen := mail.Number == 0 || mail.Number == 1 && (mail.Kind == outbox.Delay || mail.State == outbox.Due && mail.Tries == 0)
	if to == order.Restock && !unseen {
		to = order.Revoke
	}
	return change.Release(order.Release{Key: key, To: to, Shards: w.plan.Weather.Shards})
}

// send asks for fills as the API does: once. What is lost here is left to the sweep.
func (w *world) send(ctx context.Context, requests ...order.FillRequest) {
	for _, request := range requests {
		if w.fills.Send(ctx, request, 2*time.Second) != nil {
			w.count("fill left to the sweep")
		}
	}
}

// fillProducts asks for the lines that wait for products to be connected.
func (w *world) fillProducts(ctx context.Context, names ...string) {
	for _, name := range names {
		w.send(ctx, order.FillProduct(merchant, pool.Live, name), order.FillProduct(merchant, pool.Test, name))
	}
}

// withdrawn is keys that an operator takes out of sale, or moves to another pool,
// while the index may still show them where they were.
type withdrawn struct {
	move     bool
	keys     int
	from, to string
	chance   uint64
	serial   int
}

func (s withdrawn) String() string {
	if s.move {
		return fmt.Sprintf("%d keys are moved from %s to %s", s.keys, s.from, s.to)
	}
	return fmt.Sprintf("%d keys of %s are taken out of sale", s.keys, s.from)
}

func (s withdrawn) do(w *world) {
	for n := range s.keys {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("withdraw %d/%d", s.serial, n), func(ctx context.Context, _ time.Time) error {
				keys := w.ledger.available(pool.ID{Merchant: merchant, Pool: s.from, Side: pool.Live})
				if len(keys) == 0 {
					return nil
				}
				key := keys[(s.chance+uint64(n))%uint64(len(keys))]
				if !s.move {
					return w.withdraw(ctx, key, "")
				}
				if err := w.withdraw(ctx, key, s.to); err != nil {
					return err
				}
				w.send(ctx, order.FillPool(pool.ID{Merchant: merchant, Pool: s.to, Side: pool.Live}))
				return nil
			})
		})
	}
}

// connected is a product that gets another pool, or none.
type connected struct {
	product, pool string
	serial        int
}

func (c connected) String() string {
	if c.pool == "" {
		return fmt.Sprintf("product %s is disconnected", c.product)
	}
	return fmt.Sprintf("product %s is connected to %s", c.product, c.pool)
}

func (c connected) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("connect %d", c.serial), func(ctx context.Context, _ time.Time) error {
			product, _, err := w.store.Product(ctx, merchant, c.product)
			if err != nil || product.Pool == c.pool {
				return err
			}
			product.Pool = c.pool
			if err := w.store.PutProduct(ctx, product); err != nil {
				return err
			}
			w.fillProducts(ctx, c.product)
			return nil
		})
	})
}

// defaulted is a merchant who has another pool for products that name none, or none.
type defaulted struct {
	pool   string
	serial int
}

func (d defaulted) String() string { return fmt.Sprintf("the default pool is %q", d.pool) }

func (d defaulted) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("default %d", d.serial), func(ctx context.Context, _ time.Time) error {
			m, _, err := w.store.Merchant(ctx, merchant)
			if err != nil || m.DefaultPool == d.pool {
				return err
			}
			m.DefaultPool = d.pool
			if err := w.store.PutMerchant(ctx, m); err != nil {
				return err
			}
			if d.pool != "" {
				w.fillProducts(ctx, "dlc", "abroad")
			}
			return nil
		})
	})
}

// opened is a pool that is made, for which files and lines may have waited.
type opened struct {
	pool   string
	serial int
}

func (o opened) String() string { return fmt.Sprintf("pool %s is made", o.pool) }

func (o opened) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("open %d", o.serial), func(ctx context.Context, _ time.Time) error {
			return w.open(ctx, o.pool)
		})
	})
}

// open makes a pool, unless it is there, and sets on its way what waited for it,
// as the API does: what it loses of that is left to the sweep.
func (w *world) open(ctx context.Context, name string) error {
	_, there, err := w.store.Pool(ctx, merchant, name)
	if err != nil || there {
		return err
	}
	if err := w.store.PutPool(ctx, w.poolOf(name)); err != nil {
		return err
	}
	parked, err := w.store.Parked(ctx, merchant, name)
	for _, id := range parked {
		err = errors.Join(err, w.ranges.Send(ctx, startUpload(id), 0))
	}
	if err != nil {
		w.count("parked file left to the sweep")
	}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		w.send(ctx, order.FillPool(pool.ID{Merchant: merchant, Pool: name, Side: side}))
	}
	w.fillProducts(ctx, "late")
	return nil
}

// swept and counted are the schedule's, at a time of their own.
type swept struct{ serial int }

func (swept) String() string { return "a sweep starts beside the scheduled ones" }

func (s swept) do(w *world) { w.spawn(func() { w.sweep(fmt.Sprintf("sweep beside %d", s.serial)) }) }

type counted struct{ serial int }

func (counted) String() string { return "the stock is looked at" }

func (c counted) do(w *world) {
	w.spawn(func() { w.checkStock(fmt.Sprintf("stock beside %d", c.serial)) })
}
