package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Store is what claiming needs of the tables.
type Store interface {
	KeyStore

	OrderStore

	// Queue returns the front of a pool side's queue as it stands now.
	Queue(ctx context.Context, p pool.ID) (order.Queue, error)
}

// OrderStore reads orders.
type OrderStore interface {
	// Order returns the lines of an order as they stand now, with the keys of their own
	// items, and what is known of it as a whole. It is named by the half of a LineID.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)

	// AdmitOrder reports whether the line's order is among the first of its address in its
	// day, up to most. An order that was admitted once is admitted again.
	AdmitOrder(ctx context.Context, line order.Fulfillment, most int) (bool, error)
}

// KeyStore finds available keys and allocates them to lines.
type KeyStore interface {
	// Candidates returns available keys from a random place, so that concurrent
	// orders do not all reach for the same ones. It returns 2n keys, so that there
	// is another for one that is taken meanwhile, or all there are if those are
	// fewer. The answer may lag: a candidate may be taken already.
	Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error)

	// Remaining returns those candidates that are still available, as far as one
	// read without a retry tells.
	Remaining(ctx context.Context, candidates []pool.Key) ([]pool.Key, error)

	// Code returns the key that is a product's code, false unless it is that of the product
	// at this moment, and not blocked.
	Code(ctx context.Context, code catalog.Code) (pool.Key, bool, error)

	// Commit writes the changes, all or nothing. *order.ExistsError holds the record
	// that was there before a new line. *order.KeysTakenError names the keys to
	// replace. On retry.ErrChanged the lines should be read again.
	Commit(ctx context.Context, changes ...order.Change) error
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Claimer claims keys for paid lines.
type Claimer struct {
	Store    Store
	Cached   catalog.Reader // up to catalog.CacheFor old, so that a claim needs no read of the catalog
	Uncached catalog.Reader
	Fill     Sender // the queue of order.FillRequest
	Notices  Notices
	By       string // who acts in histories for what a platform reports: a function
	Now      func() time.Time
}

// indexLag is the time in which the index of available keys shows nearly every
// write. Fill starts that much later than a line began to wait.
const indexLag = 2 * time.Second

// Claim allocates the keys that a paid line has a right to, and returns the line's
// record. The caller fills in paid with what the platform says; Claim adds what the
// catalog says.
//
// A line whose order was returned, or is in dispute, takes no key and is on hold. So is
// one that is given with a hold, or that a rule of the merchant's holds: see catalog.Review. Of a line that was returned
// in part, the other units get their keys.
//
// Beside are the other lines that were paid with this one: their keys count in the order
// though they may not be stored yet.
//
// A repeat of the same line by the same customer allocates nothing and returns the
// stored record. A repeat with another product, quantity or customer is
// *MismatchError; but where the platform's ids are never used again (ChangedAt), another
// address is the same customer's, corrected. If keys are missing, or older lines wait for them, the line is
// stored waiting, and function fill is asked to serve it. After any other error the
// line may be stored or not: the platform's repeat finds out.
func (c *Claimer) Claim(ctx context.Context, paid order.Fulfillment, beside ...order.Fulfillment) (order.Fulfillment, error) {
	return c.claim(ctx, paid, question{by: c.By}, beside)
}

// claim claims for a line, of which ask says who brought it.
func (c *Claimer) claim(ctx context.Context, paid order.Fulfillment, ask question, beside []order.Fulfillment) (order.Fulfillment, error) {
	line, from, err := connect(ctx, c.Cached, paid)
	if err == nil && !connected(line) {
		line, from, err = connect(ctx, c.Uncached, paid) // it may have been connected just now
	}
	if err != nil {
		return order.Fulfillment{}, fmt.Errorf("claim for line %s: %w", paid.ID, err)
	}
	return c.claimFrom(ctx, line, from, ask, beside)
}

// claimFrom claims for a line that was looked up in the catalog.
func (c *Claimer) claimFrom(ctx context.Context, line order.Fulfillment, from feeder, ask question, beside []order.Fulfillment) (order.Fulfillment, error) {
	// It keeps its place in the queue, and its day, whatever number of attempts it takes.
	line.ReceivedAt, line.BroughtBy = c.Now(), c.By
	id := line.ID
	ask.rules = from.rules
	var err error
	if connected(line) { // else it is asked about when it is connected
		err = c.prepare(ctx, &ask, line, beside)
	}
	var tries int
	if err == nil {
		err = retry.Contention.Do(ctx, func() (err error) {
			tries++
			line, err = c.attempt(ctx, line, &from, &ask, tries == retry.Contention.Tries)
			return err
		})
	}
	if err != nil {
		return order.Fulfillment{}, fmt.Errorf("claim for line %s: %w", id, err)
	}
	c.askForFill(ctx, line)
	return line, nil
}

// Repeat applies a paid line to its record, if it was paid before: as Claim does to a
// repeat, with one read. It is false for a line that was not paid yet, and stores none.
func (c *Claimer) Repeat(ctx context.Context, paid order.Fulfillment) (line order.Fulfillment, known bool, err error) {
	paid, _, err = connect(ctx, c.Cached, paid)
	if err == nil {
		err = retry.Contention.Do(ctx, func() (err error) {
			lines, _, err := c.Store.Order(ctx, paid.ID.OrderHalf())
			if err != nil {
				return err
			}
			var f found
			f.sort(lines, paid.ID)
			if known = f.exists && !f.stored.Expected; known {
				line, err = c.repeat(ctx, f.stored, paid)
			}
			return err
		})
	}
	if err != nil {
		return order.Fulfillment{}, known, fmt.Errorf("apply a repeat of line %s: %w", paid.ID, err)
	}
	return line, known, nil
}

// attempt reads, decides and commits once. On success it returns the line as it is
// stored, otherwise as it was given. The last attempt stores the line waiting, where
// others would look for more keys.
func (c *Claimer) attempt(ctx context.Context, line order.Fulfillment, from *feeder, ask *question, last bool) (order.Fulfillment, error) {
	found, err := c.read(ctx, line, *from, ask)
	if err != nil {
		return line, err
	}
	if found.exists && !found.stored.Expected {
		return c.repeat(ctx, found.stored, line)
	}
	start := found.start(line)
	ask.note(&start, c.Now())
	ask.hold(&start, found, c.Now())
	if start.After.SharedCode && start.After.Active() {
		if !found.isCode {
			return c.otherCode(ctx, line, from)
		}
		start.GiveCode(found.code, c.Now())
	}
	takes := 0
	if start.After.Active() {
		takes = min(start.After.Missing(), order.MaxKeys)
	}
	var candidates []pool.Key
	needed := 0
	if takes > 0 {
		if candidates, needed, err = c.allowedCandidates(ctx, start.After, found, from.shards); err != nil {
			return line, err
		}
	}
	for {
		n := min(takes, len(candidates))
		change := start
		change.Allocate(candidates[:n], c.Now())
		change.Settle(c.Now())
		err := c.Store.Commit(ctx, change)

		var exists *order.ExistsError
		var taken *order.KeysTakenError
		switch {
		case err == nil:
			return change.After, nil
		case errors.As(err, &exists) && exists.Fulfillment.Expected:
			return line, retry.ErrChanged // a return came meanwhile
		case errors.As(err, &exists):
			return c.repeat(ctx, exists.Fulfillment, line)
		case !errors.As(err, &taken):
			return line, err
		}
		candidates = remaining(ctx, c.Store, without(candidates, taken.Keys))
		switch {
		case needed > 0 && len(candidates) <= needed:
			candidates = nil // there are fewer keys than it seemed: the line queues after all
		case len(candidates) < n && !last:
			return line, retry.ErrChanged // the next attempt may find others
		}
	}
}

// otherCode looks up anew what feeds a line, since what was taken for the code of its product
// must not be given: it is another by now, or was taken off sale. While it is blocked, the
// line waits until there is another.
func (c *Claimer) otherCode(ctx context.Context, line order.Fulfillment, from *feeder) (order.Fulfillment, error) {
	now, feeds, err := connect(ctx, c.Uncached, line)
	if err != nil {
		return line, err
	}
	if feeds.code.Key == from.code.Key {
		now.Disconnect()
	}
	*from = feeds
	return now, retry.ErrChanged
}

// found is what a claim reads first.
type found struct {
	stored     order.Fulfillment
	exists     bool                // the line is stored: unless it is only expected, the rest does not matter
	others     []order.Fulfillment // of its order
	whole      order.Whole
	queue      order.Queue
	candidates []pool.Key
	code       pool.Key // of the line's product
	isCode     bool     // the code is given to lines now
}

// read makes all reads of a claim at once. A line that no pool feeds, or that is held from
// the start, needs one, and one that gets the code of its product two.
func (c *Claimer) read(ctx context.Context, line order.Fulfillment, from feeder, ask *question) (*found, error) {
	var (
		f                                    found
		lineErr, queueErr, searchErr, askErr error
		reads                                sync.WaitGroup
	)
	if line.SharedCode && len(line.Holds) == 0 {
		reads.Go(func() { f.code, f.isCode, searchErr = c.Store.Code(ctx, from.code) })
	}
	if line.Pool != "" && len(line.Holds) == 0 {
		reads.Go(func() { f.queue, queueErr = c.Store.Queue(ctx, line.PoolID()) })
		reads.Go(func() {
			f.candidates, searchErr = c.Store.Candidates(ctx, line.PoolID(), from.shards, min(line.Missing(), order.MaxKeys))
		})
	}
	// Not on a third goroutine: its stack would have to grow first.
	var lines []order.Fulfillment
	lines, f.whole, lineErr = c.Store.Order(ctx, line.ID.OrderHalf())
	f.sort(lines, line.ID)
	reads.Wait()
	if lineErr == nil && (!f.exists || f.stored.Expected) {
		askErr = ask.admit(ctx, c.Store, line)
	}
	if lineErr == nil && f.exists && !f.stored.Expected {
		return &f, nil
	}
	return &f, errors.Join(lineErr, queueErr, searchErr, askErr)
}

// sort tells the line from the others of its order.
func (f *found) sort(lines []order.Fulfillment, id order.LineID) {
	for _, line := range lines {
		if line.ID == id {
			f.stored, f.exists = line, true
		} else {
			f.others = append(f.others, line)
		}
	}
}

// repeat returns the stored record of a line that is paid again by the same customer.
// A customer's address that the record lacks is added to it, and one that the shop has
// corrected since takes its place. An older state of the order that comes late corrects
// nothing, and a customer who was erased stays erased: product and quantity tell a repeat. A
// verdict on the order's risk may come with it: see lateRisk.
func (c *Claimer) repeat(ctx context.Context, stored, paid order.Fulfillment) (order.Fulfillment, error) {
	differs, corrected := Part(""), order.EventKind("")
	added := stored.ErasedAt.IsZero() && stored.Customer.Email == "" && paid.Customer.Email != ""
	late := !paid.ChangedAt.IsZero() && paid.ChangedAt.Before(stored.ChangedAt)
	switch {
	case stored.Product != paid.Product:
		differs = Product
	case stored.Quantity != paid.Quantity:
		differs = Quantity
	case !stored.SameCustomer(paid.Customer) && !corrects(stored, paid):
		differs = Customer
	case added && !paid.ChangedAt.IsZero() && !corrects(stored, paid):
		differs = Customer
	case !stored.SameCustomer(paid.Customer) && !late:
		corrected = order.AddressCorrected
	case added && !late:
		corrected = order.AddressAdded
	}
	if differs != "" {
		return stored, &MismatchError{Line: stored.ID, Part: differs}
	}
	if corrected != "" {
		var err error
		if stored, err = c.setCustomer(ctx, stored, paid, corrected); err != nil {
			return stored, err
		}
	}
	return c.lateRisk(ctx, stored, paid)
}

// corrects reports whether a repeat with another address is the same payment of a
// platform that never uses its ids again. A shop that was restored from a copy may: a
// payment at another time is another customer's.
func corrects(stored, paid order.Fulfillment) bool {
	return !paid.ChangedAt.IsZero() && order.SameMoment(paid.PaidAt, stored.PaidAt)
}

// setCustomer stores the customer of a line that had no address, or another. A line that was
// on hold for want of an address gets its keys, in its old place of the queue, unless the
// address has had too many orders. A mail with
// its keys that did not reach anybody is due again, or is once the line is not on hold any
// more; one that went out is not repeated.
func (c *Claimer) setCustomer(ctx context.Context, stored, paid order.Fulfillment, why order.EventKind) (order.Fulfillment, error) {
	change := order.ChangeOf(stored)
	line := &change.After
	line.Customer, line.CustomerHash, line.ChangedAt = paid.Customer, paid.CustomerHash, paid.ChangedAt
	line.Former, line.FormerHashes = nil, nil // the shop knows better than who corrected it here
	switch {
	case !line.Mail.ReachedNobody():
	case line.State() == order.Fulfilled:
		line.Mail = line.Mail.Next(outbox.Keys, c.Now())
	case line.Mail.Kind == outbox.Keys:
		line.Mail = line.Mail.OwedAgain()
	}
	change.History = []order.History{{Line: line.ID, At: c.Now(), Event: why, By: c.By}}
	lifted := line.Lift(func(h order.Hold) bool { return h == order.HoldNoAddress })
	if lifted {
		if err := c.askOfAddress(ctx, &change); err != nil {
			return paid, err
		}
		change.Settle(c.Now())
	}
	if err := c.Store.Commit(ctx, change); err != nil {
		return paid, err
	}
	if lifted {
		c.askForFill(ctx, change.After)
	}
	return change.After, nil
}

// maxNeeded bounds the keys that a claim counts to decide whether its line may bypass
// the queue: those that the queue misses and those of the line. Beyond that the line
// waits, unless fill, which reads the whole queue every two seconds, has allowed a
// bypass.
const maxNeeded = 1000

// allowedCandidates returns the candidates that a new line may take without harm to
// the lines that wait: all of them, or none. It reads more candidates if that is
// needed to know. If the line may take keys because there are more than it and the
// waiting lines need together, allowedCandidates also returns that number of needed
// keys.
func (c *Claimer) allowedCandidates(ctx context.Context, line order.Fulfillment, f *found, shards int) (candidates []pool.Key, needed int, err error) {
	if len(f.queue.Lines) == 0 || c.Now().Before(f.queue.BypassUntil) {
		return f.candidates, 0, nil
	}
	needed = line.Missing()
	for _, waiting := range f.queue.Lines {
		needed += waiting.Missing
	}
	if len(f.queue.Lines) >= order.QueueFront || needed > maxNeeded {
		return nil, 0, nil
	}
	candidates = f.candidates
	if len(candidates) <= needed {
		if candidates, err = c.Store.Candidates(ctx, line.PoolID(), shards, needed+1); err != nil {
			return nil, 0, err
		}
	}
	if len(candidates) <= needed {
		return nil, 0, nil
	}
	return candidates, needed, nil
}

// start begins the change that stores a line that is paid now: it is new, or was
// expected since something of it was returned. What is known of its order is applied.
func (f *found) start(line order.Fulfillment) order.Change {
	change := order.NewLine(line)
	if f.exists {
		change = order.ChangeOf(f.stored)
		change.After = f.stored.Paid(line)
	}
	f.whole.ApplyToNew(&change.After)
	return change
}

// without returns the candidates that are not among the taken keys.
func without(candidates []pool.Key, taken []pool.KeyID) []pool.Key {
	return slices.DeleteFunc(slices.Clone(candidates), func(k pool.Key) bool {
		return slices.Contains(taken, k.ID)
	})
}

// remaining returns the candidates that are still available. Where one was taken
// others were, since the index lags for all of them alike. If the read fails, all
// candidates are returned: the next transaction tells.
func remaining(ctx context.Context, store KeyStore, candidates []pool.Key) []pool.Key {
	left, err := store.Remaining(ctx, candidates)
	if err != nil {
		return candidates
	}
	return left
}

// askForFill asks for a fill of the queue that the line waits in. If the message is
// lost, the sweep finds the line.
//
// It also asks for a line that no pool feeds: its product may have been connected,
// and its queue filled, after Claim read the catalog and before it stored the line.
func (c *Claimer) askForFill(ctx context.Context, line order.Fulfillment) {
	var request order.FillRequest
	switch line.State() {
	case order.Waiting:
		request = order.FillPool(line.PoolID())
	case order.Unconnected:
		request = order.FillProduct(line.Merchant, line.Side, line.ConnectedBy())
	default:
		return
	}
	if err := c.Fill.Send(ctx, request, indexLag); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "line", line.ID, "error", err)
	}
}
