package lifecycle

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// Eraser takes away what is kept of customers. It is safe for concurrent use.
//
// What is known of a customer stands in these places, and nowhere else:
//   - the line: name, addresses, former ones too, phone, company, what they added, and the keyed
//     hashes of the mail addresses, by which the index who lists it. Erase takes them away in
//     one transaction;
//   - what counts the orders of an address in its day, under the same hash: goes with that;
//   - reasons that persons wrote, in the line's history, in the returns and dropped disputes of
//     its order: they may name anybody. They go before the line, so that whoever is cut off
//     finds the line again.
//
// A key's history, notices, refusals, the calls of an account and the audit trail name orders
// and no customer. A job that erases an address holds its hash until it ends. The name of a
// refusal is a digest of several things, the hash among them where a number was another
// customer's; refusals are deleted after order.RefusalsKept. Addresses that were corrected are
// counted by their hash for some hours. The stream of the orders table holds its items for a
// day, and its backups for as long as they are kept: neither can be changed.
type Eraser struct {
	Lines ErasedLines
	Words Words
	Fill  Sender // the queue of order.FillRequest
	Now   func() time.Time
}

// ErasedLines reads and changes lines; see Store.
type ErasedLines interface {
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)
	Commit(ctx context.Context, changes ...order.Change) error
}

// Words keeps what persons wrote about lines and orders.
type Words interface {
	// EraseWords takes the codes of those entries of a line's history away that hold words.
	EraseWords(ctx context.Context, id order.LineID) error
	History(ctx context.Context, id order.LineID) ([]order.History, error)
	Whole(ctx context.Context, orderID string) (order.Whole, error)
	PutWhole(ctx context.Context, w order.Whole, seen ...order.LineVersion) error
}

// Erasure says how lines are erased.
type Erasure struct {
	Act
	// Force erases a line too that owes its customer something: see order.Fulfillment.Erase.
	Force bool
	// Customer is the keyed hash of the address that is erased, or that was corrected since: a
	// line that is another's by now stays as it is. Empty: whoever it is.
	Customer string
	// QuietSince leaves a line that something has happened to since then; zero: it does not
	// matter.
	QuietSince time.Time
	Job        *job.Job // that does it; nil: none
}

// Erase takes away what is kept of a line's customer, and returns the line as it is then. A
// line that was erased stays as it is. Its error is order.ErrOwes of a line that owes its
// customer something, order.ErrRecent of one that something has happened to since,
// order.ErrMailing while a mail of it is being sent, *order.StaleError of one that was seen as
// another.
func (e *Eraser) Erase(ctx context.Context, id order.LineID, how Erasure) (order.Fulfillment, error) {
	var line order.Fulfillment
	err := retry.Contention.Do(ctx, func() (err error) {
		var known bool
		if line, known, err = e.Lines.Fulfillment(ctx, id); err != nil || !known {
			return err
		}
		now := e.Now()
		switch {
		case how.Version != 0 && how.Version != line.Version:
			return &order.StaleError{Lines: []order.Fulfillment{line}}
		case line.Expected || !line.ErasedAt.IsZero():
			return nil
		case how.Customer != "" && !line.IsOf(how.Customer):
			return nil
		case line.Mail.State == outbox.Sending && line.Mail.LeaseEndsAt.After(now):
			return order.ErrMailing
		case line.Owes() && !how.Force:
			return order.ErrOwes
		}
		if !how.QuietSince.IsZero() {
			history, err := e.Words.History(ctx, id)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(history, func(h order.History) bool { return h.At.After(how.QuietSince) }) {
				return order.ErrRecent
			}
		}
		waited := line.Waits()
		if line, err = e.erase(ctx, line, how, now); err == nil && waited {
			e.askForFill(ctx, line)
		}
		return err
	})
	return line, wrap(err, "erase the customer of line %s", id)
}

func (e *Eraser) erase(ctx context.Context, line order.Fulfillment, how Erasure, now time.Time) (order.Fulfillment, error) {
	whole, err := e.Words.Whole(ctx, line.ID.OrderHalf())
	if err != nil {
		return line, err
	}
	if silent, any := whole.WithoutWords(); any {
		if err := e.Words.PutWhole(ctx, silent); err != nil {
			return line, err
		}
		silent.Version++
		whole = silent
	}
	if err := e.Words.EraseWords(ctx, line.ID); err != nil {
		return line, err
	}
	change := order.ChangeOf(line)
	change.After.Erase(now)
	change.Known, change.Job = &whole, how.Job
	change.History = []order.History{{Line: line.ID, At: now, Event: order.Erased, By: how.By}}
	change.Settle(now)
	if err := e.Lines.Commit(ctx, change); err != nil {
		return line, err
	}
	return change.After, nil
}

// askForFill asks for a fill of the queue that the line has left.
func (e *Eraser) askForFill(ctx context.Context, line order.Fulfillment) {
	if line.Pool == "" {
		return
	}
	if err := e.Fill.Send(ctx, order.FillPool(line.PoolID()), indexLag); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "line", line.ID, "error", err)
	}
}
