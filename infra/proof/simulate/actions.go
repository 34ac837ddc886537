package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"keypool/shared/claim"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// action is something that platforms, merchants, operators or the schedule do.
type action interface {
	fmt.Stringer
	do(w *world)
}

const platform = "standard"

// payOrder reports an order as paid, several times if a platform repeats the call.
type payOrder struct {
	order    string
	side     pool.Side
	lines    []paidLine
	currency string
	times    int
	apart    time.Duration
	changed  bool // other content than in the first call
	serial   int  // distinguishes repeats
}

type paidLine struct {
	id       string
	product  string
	quantity int
}

func (p payOrder) String() string {
	var lines []string
	for _, l := range p.lines {
		lines = append(lines, fmt.Sprintf("%d x %s", l.quantity, l.product))
	}
	says := fmt.Sprintf("order %s is paid in %s: %s", p.order, p.currency, strings.Join(lines, ", "))
	if p.side == pool.Test {
		says += ", as a test"
	}
	if p.serial > 0 {
		says += ", repeated"
	}
	if p.changed {
		says += ", with other content"
	}
	if p.times > 1 {
		says += fmt.Sprintf(", reported %d times within %s", p.times, p.apart)
	}
	return says
}

func (p payOrder) do(w *world) {
	for n := range p.times {
		w.spawn(func() {
			name := fmt.Sprintf("order %s/%d/%d", p.order, p.serial, n)
			time.Sleep(w.upTo(name, p.apart))
			p.repeatUntilAnswered(w, name)
		})
	}
}

// repeatUntilAnswered repeats the call, with growing delays, until it is answered.
func (p payOrder) repeatUntilAnswered(w *world, name string) {
	for try := 0; ; try++ {
		if p.handleWebhook(w, fmt.Sprintf("%s/%d", name, try)) {
			return
		}
		time.Sleep(min(time.Second<<try, 5*time.Minute))
	}
}

// handleWebhook does what the function webhook does with a call. It reports whether all
// lines were answered.
func (p payOrder) handleWebhook(w *world, name string) bool {
	instance := w.instances[w.number(name, len(w.instances))]
	process := w.begin(name, 29*time.Second, instance.skew)
	defer process.end()
	claims := &claim.Claimer{Store: w.store, Cached: instance.cached, Uncached: w.store, Fill: w.fillQueue, Now: process.now}
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
			notice, raised := w.raise(ctx, process, instance, p.order, got, err)
			if raised != nil {
				err = raised
			}
			if process.dead() {
				err = errProcessDied
			}
			failed[i] = w.answers.noteClaim(line, id, asked, got, notice, err)
		})
	}
	lines.Wait()
	return errors.Join(failed...) == nil
}

// raise raises the notices of the function webhook: a line has no pool, or was paid again
// with other content. It returns the ID of the notice, "" if none is due.
func (w *world) raise(ctx context.Context, p *process, i *instance, orderName string, got order.Fulfillment, claimed error) (id string, err error) {
	var changed *claim.MismatchError
	kind, dedupKey := notice.Kind(""), ""
	switch {
	case errors.As(claimed, &changed):
		kind, dedupKey = notice.ChangedRepeat, string(changed.Line)
	case claimed == nil && got.State() == order.Unconnected:
		if _, _, err := i.cached.Product(ctx, merchant, got.Product); err != nil {
			return "", err
		}
		kind, dedupKey = notice.Unconnected, string(got.Side)+"#"+notice.Day(p.now())+"#"+got.Product
	default:
		return "", nil
	}
	facts := notice.Facts{Product: got.Product, Side: got.Side, Orders: []string{orderName}, Count: 1}
	return merchant + "#" + string(kind) + "#" + dedupKey, w.store.RaiseNotice(ctx, notice.New(merchant, kind, dedupKey, facts, p.now()))
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

// changeLine changes a line, paid or not yet: it is returned in whole or in part, put on
// hold by hand, released from the hold, or one of its keys is replaced.
type changeLine struct {
	kind   string
	order  string
	side   pool.Side
	line   string
	keysTo order.Disposition // what becomes of the returned keys
	units  int               // returned in part
	times  int               // a platform reports a refund so often
	serial int
}

func (h changeLine) String() string {
	says := fmt.Sprintf("line %s of order %s is %s", h.line, h.order, h.kind)
	if h.keysTo != "" {
		says += fmt.Sprintf(" (%s its keys)", h.keysTo)
	}
	if h.units > 0 {
		says += fmt.Sprintf(", %d units", h.units)
	}
	return says
}

func (h changeLine) do(w *world) {
	identity := order.Identity{Merchant: merchant, Side: h.side, Origin: platform, Order: h.order, Line: h.line}
	id, refund, act := identity.ID(), fmt.Sprint("refund ", h.serial), lifecycle.Act{By: "simulation", Why: h.kind}
	if h.kind == returnedLine || h.kind == returnedUnits {
		w.ledger.expectReturn(id, refund, h.units)
	}
	for n := range max(h.times, 1) {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("%s %d/%d", h.kind, h.serial, n), func(ctx context.Context, now time.Time) error {
				changes := w.lifecycle(func() time.Time { return now })
				var err error
				switch h.kind {
				case returnedLine, returnedUnits:
					_, err = changes.ReturnLine(ctx, lifecycle.LineReturn{
						Identity: identity, Account: platform, Refund: refund, Units: h.units, Act: act, KeysBack: h.keysTo,
					})
					if err == nil {
						w.ledger.returnAnswered(id, refund)
					}
				case "held":
					_, err = changes.Hold(ctx, id, act)
				case "released":
					_, err = changes.Release(ctx, id, act)
				case "sent again":
					_, err = changes.Resend(ctx, id, act)
				case "replaced":
					err = h.replace(ctx, w, changes, id, act)
				}
				if errors.Is(err, order.ErrState) || errors.Is(err, order.ErrNoKeys) || errors.Is(err, order.ErrNotHeld) {
					return nil
				}
				return err
			})
		})
	}
}

// The kinds of returns of one line.
const (
	returnedLine  = "returned"
	returnedUnits = "returned in part"
)

// replace has one of the line's keys replaced, as its merchant does who reads the order
// first: any of its keys, be it in a chunk.
func (h changeLine) replace(ctx context.Context, w *world, changes *lifecycle.Lifecycle, id order.LineID, act lifecycle.Act) error {
	line, ok, err := w.store.Fulfillment(ctx, id)
	if err != nil || !ok {
		return err
	}
	chunks, err := w.store.Chunks(ctx, id)
	if err != nil {
		return err
	}
	held := line.Keys
	if n := w.number(fmt.Sprint("replaced chunk ", h.serial), len(chunks)+1); n > 0 || len(held) == 0 && len(chunks) > 0 {
		held = chunks[max(n-1, 0)].Keys
	}
	if len(held) == 0 {
		return nil
	}
	_, err = changes.Replace(ctx, id, held[w.number(fmt.Sprint("replaced ", h.serial), len(held))].ID, act)
	return err
}

// changeOrder is what a platform reports of an order as a whole: it was returned, or a
// dispute of it was opened, won or lost. The order may not be paid yet.
type changeOrder struct {
	kind   string
	order  string
	side   pool.Side
	id     string // of the refund or the dispute
	times  int
	serial int
}

func (h changeOrder) String() string {
	return fmt.Sprintf("order %s is %s (%s), reported %d times", h.order, h.kind, h.id, h.times)
}

func (h changeOrder) do(w *world) {
	id := order.Identity{Merchant: merchant, Side: h.side, Origin: platform, Order: h.order}.OrderID()
	of := order.Whole{ID: id, Merchant: merchant, Side: h.side, Account: platform, Order: h.order}
	for n := range h.times {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("%s %d/%d", h.kind, h.serial, n), func(ctx context.Context, now time.Time) (err error) {
				changes := w.lifecycle(func() time.Time { return now })
				if h.kind == "returned" {
					_, err = changes.ReturnOrder(ctx, of, order.Return{ID: h.id, By: "simulation", Why: h.kind})
				} else {
					_, err = changes.Dispute(ctx, of, h.id, order.Dispute(h.kind))
				}
				return err
			})
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

// withdrawKeys withdraws keys, or moves them to another pool, while a lagging index may
// still show them in their old place.
type withdrawKeys struct {
	move     bool
	keys     int
	from, to string
	chance   uint64
	serial   int
}

func (s withdrawKeys) String() string {
	if s.move {
		return fmt.Sprintf("%d keys are moved from %s to %s", s.keys, s.from, s.to)
	}
	return fmt.Sprintf("%d keys of %s are withdrawn", s.keys, s.from)
}

func (s withdrawKeys) do(w *world) {
	for n := range s.keys {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("withdraw %d/%d", s.serial, n), func(ctx context.Context, _ time.Time) error {
				keys := w.ledger.availableKeys(pool.ID{Merchant: merchant, Pool: s.from, Side: pool.Live})
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
	for _, side := range []pool.Side{pool.Live, pool.Test} {
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
