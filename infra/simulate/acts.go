package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dice"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// act is one thing that happens from outside.
type act interface {
	fmt.Stringer
	do(w *world)
}

const platform = "standard"

// paid is an order that a platform tells of, some times over.
type paid struct {
	order   string
	side    pool.Side
	lines   []paidLine
	times   int
	apart   time.Duration
	changed bool // other content than the first time
	serial  int  // tells repeats apart
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
	says := fmt.Sprintf("order %s is paid: %s", p.order, strings.Join(lines, ", "))
	if p.side == pool.Test {
		says += ", as a test"
	}
	if p.serial > 0 {
		says += ", once more"
	}
	if p.changed {
		says += " with another quantity"
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

// answered does what the function orderpaid does with a call.
func (p paid) answered(w *world, name string) bool {
	instance := w.instances[w.number(name, len(w.instances))]
	process := w.begin(name, 29*time.Second, instance.skew)
	defer process.end()
	claims := &claim.Claimer{Store: w.store, Recent: instance.recent, Fresh: w.store, Fill: w.fills, Now: process.now}
	var (
		lines  sync.WaitGroup
		failed = make([]error, len(p.lines))
	)
	for i, line := range p.lines {
		lines.Go(func() {
			id := order.NewLineID(merchant, p.side, platform, p.order, line.id)
			ctx := dice.Split(process.ctx, string(id))
			asked := time.Now()
			got, err := claims.Claim(ctx, order.Fulfillment{
				ID: id, Merchant: merchant, Side: p.side, Platform: platform, Order: p.order, Line: line.id,
				Product: line.product, Quantity: line.quantity,
				Customer: order.Customer{Name: "Ada", Email: "ada@customers.example"},
			})
			if process.gone() {
				err = errGone
			}
			failed[i] = w.answers.claimed(line, id, asked, got, err)
		})
	}
	lines.Wait()
	return errors.Join(failed...) == nil
}

// upload is a key file that is dropped, and the events that tell of it.
type upload struct {
	file   string
	pool   string
	side   pool.Side
	lines  []string
	events int
	long   bool
}

func (u upload) name() string {
	if u.side == pool.Test {
		return "uploads/" + merchant + "/" + u.pool + "/test/" + u.file
	}
	return "uploads/" + merchant + "/" + u.pool + "/" + u.file
}

func (u upload) String() string {
	says := fmt.Sprintf("%s of %d lines is dropped for %s (%s)", u.file, len(u.lines), u.pool, u.side)
	if u.events > 1 {
		says += fmt.Sprintf(", told %d times", u.events)
	}
	return says
}

func (u upload) do(w *world) {
	object := w.bucket.put(u.name(), []byte(strings.Join(u.lines, "\n")))
	w.answers.dropped(u, object)
	for n := range u.events {
		w.spawn(func() {
			name := fmt.Sprintf("event %d of %s", n, u.name())
			time.Sleep(w.upTo(name, time.Second))
			w.receive(name, object)
		})
	}
}

// handled is an order that is given back, held for review, or released from it:
// what the record has room for and no function does yet.
type handled struct {
	what   string
	order  string
	serial int
}

func (h handled) String() string { return fmt.Sprintf("order %s is %s", h.order, h.what) }

func (h handled) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("%s %d", h.what, h.serial), func(ctx context.Context, now time.Time) error {
			id := order.NewLineID(merchant, pool.Live, platform, h.order, "1")
			before, ok, err := w.store.Fulfillment(ctx, id)
			if err != nil || !ok {
				return err
			}
			after := before
			switch {
			case h.what == "returned" && before.State() != order.Returned && before.Wanted > 0:
				after.Returned = before.Wanted
			case h.what == "held" && before.State() == order.Waiting:
				after.OnHold = true
			case h.what == "released" && before.OnHold:
				after.OnHold = false
			default:
				return nil
			}
			after.Version++
			if err := w.store.Commit(ctx, claim.Take{Before: &before, After: after}); err != nil {
				return err
			}
			if after.State() == order.Waiting {
				return w.fills.Send(ctx, claim.FillPool(after.PoolID()), 2*time.Second)
			}
			return nil
		})
	})
}

// shelved is keys that an operator takes out of sale, or moves to another pool,
// while an index may still show them where they were.
type shelved struct {
	move     bool
	keys     int
	from, to string
	chance   uint64
	serial   int
}

func (s shelved) String() string {
	if s.move {
		return fmt.Sprintf("%d keys are moved from %s to %s", s.keys, s.from, s.to)
	}
	return fmt.Sprintf("%d keys of %s are taken out of sale", s.keys, s.from)
}

func (s shelved) do(w *world) {
	for n := range s.keys {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("shelve %d/%d", s.serial, n), func(ctx context.Context, _ time.Time) error {
				keys := w.ledger.available(pool.ID{Merchant: merchant, Pool: s.from, Side: pool.Live})
				if len(keys) == 0 {
					return nil
				}
				key := keys[(s.chance+uint64(n))%uint64(len(keys))]
				if !s.move {
					return w.shelve(ctx, key, "")
				}
				if err := w.shelve(ctx, key, s.to); err != nil {
					return err
				}
				return w.fills.Send(ctx, claim.FillPool(pool.ID{Merchant: merchant, Pool: s.to, Side: pool.Live}), 2*time.Second)
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
			if err != nil {
				return err
			}
			product.Pool = c.pool
			if err := w.store.PutProduct(ctx, product); err != nil {
				return err
			}
			for _, side := range []pool.Side{pool.Live, pool.Test} {
				if err := w.fills.Send(ctx, claim.FillProduct(merchant, side, c.product), 2*time.Second); err != nil {
					return err
				}
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

// open makes a pool, unless it is there, and sets on its way what waited for it.
func (w *world) open(ctx context.Context, name string) error {
	_, there, err := w.store.Pool(ctx, merchant, name)
	if err != nil {
		return err
	}
	if !there {
		p := catalog.Pool{Merchant: merchant, Name: name, Shards: w.plan.Weather.Shards, LowStock: 5, Reminder: 24 * time.Hour}
		if err := w.store.PutPool(ctx, p); err != nil {
			return err
		}
	}
	parked, err := w.store.Parked(ctx, merchant, name)
	if err != nil {
		return err
	}
	for _, id := range parked {
		if err := w.ranges.Send(ctx, startUpload(id), 0); err != nil {
			return err
		}
	}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		if err := w.fills.Send(ctx, claim.FillPool(pool.ID{Merchant: merchant, Pool: name, Side: side}), 2*time.Second); err != nil {
			return err
		}
		for _, product := range slices.Sorted(maps.Keys(productPools)) {
			if err := w.fills.Send(ctx, claim.FillProduct(merchant, side, product), 2*time.Second); err != nil {
				return err
			}
		}
	}
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
