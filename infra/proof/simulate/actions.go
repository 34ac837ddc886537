package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// action is something that platforms, merchants, operators or the schedule do.
type action interface {
	fmt.Stringer
	do(w *world)
}

// dropFile drops a key file of a merchant into the bucket. The bucket sends one event or
// more.
type dropFile struct {
	file   string
	pool   string
	side   pool.Side
	lines  []string
	headed bool // a heading stands before the lines
	events int
}

func (u dropFile) name() string {
	if u.side == pool.Test {
		return "uploads/" + merchant + "/" + u.pool + "/test/" + u.file
	}
	return "uploads/" + merchant + "/" + u.pool + "/" + u.file
}

func (u dropFile) String() string {
	says := fmt.Sprintf("%s of %d lines is dropped for %s (%s)", u.file, len(u.lines), u.pool, u.side)
	if u.headed {
		says += " and a heading"
	}
	if u.events > 1 {
		says += fmt.Sprintf(", with %d events", u.events)
	}
	return says
}

func (u dropFile) do(w *world) {
	content := strings.Join(u.lines, "\n")
	if u.headed {
		content = "License Key\n" + content
	}
	object := w.bucket.put(u.name(), []byte(content))
	w.answers.noteFile(u, object)
	for n := range u.events {
		w.spawn(func() {
			name := fmt.Sprintf("event %d of %s", n, u.name())
			time.Sleep(w.upTo(name, time.Second) >> w.number(name+" closer", 8)) // often while another event is being handled
			w.handleUploadEvent(name, object)
		})
	}
}

// answerHeld has a held file loaded without its heading, as its merchant does by the API, who
// may ask twice at once. A message that is lost here is left to the sweep.
func (w *world) answerHeld(id string) {
	for n := range 2 {
		name := fmt.Sprintf("answer %d about upload %s", n, id)
		if n > 0 && w.number(name+" again", 3) > 0 {
			continue
		}
		w.spawn(func() {
			time.Sleep(w.upTo(name, time.Hour) >> w.number(name+" closer", 12))
			w.untilDone(name, func(ctx context.Context, now time.Time) error {
				api := &settings.Uploads{Store: w.store, Ranges: w.rangeQueue, Now: func() time.Time { return now }}
				u, err := api.Load(ctx, merchant, id, upload.Reading{SkipHeading: true})
				if err != nil && u.State == upload.Confirmed {
					w.count("confirmed file left to the sweep")
					err = nil
				}
				return err
			})
			w.count("held file confirmed")
		})
	}
}

// send sends fill requests as the API does: once. A lost request is left to the sweep.
func (w *world) send(ctx context.Context, requests ...order.FillRequest) {
	for _, request := range requests {
		if w.fillQueue.Send(ctx, request, 2*time.Second) != nil {
			w.count("fill left to the sweep")
		}
	}
}

// fillProducts sends fill requests for the lines that wait for a pool for these products.
func (w *world) fillProducts(ctx context.Context, names ...string) {
	for _, name := range names {
		w.send(ctx, order.FillProduct(merchant, pool.Live, name), order.FillProduct(merchant, pool.Test, name))
	}
}

// connectProduct connects a product to another pool, or to none.
type connectProduct struct {
	product, pool string
	serial        int
}

func (c connectProduct) String() string {
	if c.pool == "" {
		return fmt.Sprintf("product %s is disconnected", c.product)
	}
	return fmt.Sprintf("product %s is connected to %s", c.product, c.pool)
}

func (c connectProduct) do(w *world) {
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

// setDefaultPool sets or removes the merchant's pool for products that name none.
type setDefaultPool struct {
	pool   string
	serial int
}

func (d setDefaultPool) String() string { return fmt.Sprintf("the default pool is %q", d.pool) }

func (d setDefaultPool) do(w *world) {
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

// makePool makes a pool that parked files and unconnected lines may wait for.
type makePool struct {
	pool   string
	serial int
}

func (o makePool) String() string { return fmt.Sprintf("pool %s is made", o.pool) }

func (o makePool) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("open %d", o.serial), func(ctx context.Context, _ time.Time) error {
			return w.makePool(ctx, o.pool)
		})
	})
}

// makePool makes a pool unless it exists, and resumes the files and lines that waited for
// it, as the API does. A message that is lost here is left to the sweep.
func (w *world) makePool(ctx context.Context, name string) error {
	_, there, err := w.store.Pool(ctx, merchant, name)
	if err != nil || there {
		return err
	}
	if err := w.store.PutPool(ctx, w.poolOf(name)); err != nil {
		return err
	}
	parked, err := w.store.Parked(ctx, merchant, name)
	for _, id := range parked {
		err = errors.Join(err, w.rangeQueue.Send(ctx, startUpload(id), 0))
	}
	if err != nil {
		w.count("parked file left to the sweep")
	}
	for _, side := range pool.Sides {
		w.send(ctx, order.FillPool(pool.ID{Merchant: merchant, Pool: name, Side: side}))
	}
	w.fillProducts(ctx, "late")
	return nil
}

// startSweep starts a sweep beside the scheduled ones, startStockCheck a stock check.
type startSweep struct{ serial int }

func (startSweep) String() string { return "a sweep starts beside the scheduled ones" }

func (s startSweep) do(w *world) {
	w.spawn(func() { w.sweep(fmt.Sprintf("sweep beside %d", s.serial)) })
}

type startStockCheck struct{ serial int }

func (startStockCheck) String() string { return "a stock check starts beside the scheduled ones" }

func (c startStockCheck) do(w *world) {
	w.spawn(func() { w.checkStock(fmt.Sprintf("stock beside %d", c.serial)) })
}
