package order

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keypool/shared/pool"
)

// Whole is what is known of an order as a whole, whether its lines are known or not:
// the returns and disputes that name no line, the refunds that failed, and the link of its
// page. It is only added to, and never deleted.
//
// Who brings a return or a dispute writes it here, and then reads the lines. Who lets a
// key leave (the mailer) writes to the line, and then reads here. One of the two always
// sees the other, so that no key leaves after a return.
type Whole struct {
	ID      string // see Identity.OrderID
	Version int    // 0: nothing is known

	Merchant string
	Side     pool.Side
	Account  string
	Order    string

	Returns  []Return // in the order they came
	Disputes map[string]Dispute
	Drops    map[string]Drop // by dispute: those that a person dropped

	Link PageLink

	// ChangedAt is when something was last added.
	ChangedAt time.Time
	// DueAt is when the sweep applies it to the order's lines; zero: no more.
	DueAt time.Time
}

// PageLink is the link of the order's page, as far as it is not that of every order: see
// link.Page. One that is replaced or revoked is good no more.
type PageLink struct {
	Number  int       // of links before it
	MadeAt  time.Time // when it replaced another; zero: it came with the order
	Revoked bool      // there is none until another is made
}

// Replace makes another link.
func (l *PageLink) Replace(now time.Time) { *l = PageLink{Number: l.Number + 1, MadeAt: now} }

// Revoke leaves the order without a link.
func (l *PageLink) Revoke() { *l = PageLink{Number: l.Number + 1, Revoked: true} }

// Since returns when the link was made, of an order with these lines.
func (l PageLink) Since(lines ...Fulfillment) time.Time {
	since := l.MadeAt
	for _, line := range lines {
		if l.MadeAt.IsZero() && (since.IsZero() || line.ReceivedAt.Before(since)) {
			since = line.ReceivedAt
		}
	}
	return since
}

// Return is a return that names no line of its order.
type Return struct {
	ID string // the platform's
	// Refund is the refund that the return follows from, if it has an id of its own: that
	// of everything, once several refunds make it up. It is void if that refund failed.
	Refund string

	By  string // who brought it; see History
	Why string
	At  time.Time // when it was stored

	// GivenBackAt is when its platform gave it back, by the platform's clock where it says;
	// zero: a person did.
	GivenBackAt time.Time

	// KeysBack is what becomes of the keys; empty: what the settings say.
	KeysBack Disposition

	// Amount is a decimal if an amount was given back, and not everything.
	Amount   string
	Currency string

	// BeforePayment means that no line of the order was stored when an amount was given
	// back, so that nobody could tell for what: lines that are paid for it are held.
	BeforePayment bool

	// FailedAt is when the platform said that the refund failed; zero: it did not. It may
	// have said so before it told of the refund: then there is nothing but the ID.
	FailedAt time.Time
}

// All reports whether everything was given back.
func (r Return) All() bool { return r.Amount == "" }

// Dispute is how far a dispute has come.
type Dispute string

// The states of a dispute.
const (
	DisputeOpen    Dispute = "open"
	DisputeWon     Dispute = "won"     // by the merchant: the order stands
	DisputeLost    Dispute = "lost"    // the money went back
	DisputeDropped Dispute = "dropped" // a person waits no longer for how it ends: the order goes on
)

// Settles reports whether a dispute of this state stays as it is when a state of it is
// reported. One that was won or lost stays so: its opening may be reported later. One that a
// person dropped is not opened again, but the platform may still say how it ended.
func (d Dispute) Settles(reported Dispute) bool {
	if d == DisputeDropped {
		return reported == DisputeOpen
	}
	return d == reported || d == DisputeWon || d == DisputeLost
}

// Drop says who dropped a dispute, and why.
type Drop struct {
	By  string // see History
	Why string
	At  time.Time
}

// LongestClaim is longer than any claim goes on with what it read of an order: a
// function runs for 15 minutes at most, and clocks differ.
const LongestClaim = 20 * time.Minute

// AddReturn adds a return, and reports whether it is new. One that is void is not: its
// refund failed, and is reported late.
func (w *Whole) AddReturn(r Return) bool {
	if w.Knows(r.ID) || w.Void(r) {
		return false
	}
	w.Returns = append(slices.Clip(w.Returns), r)
	return true
}

// ByHand returns the return that a person means who gives it an id. The id of an amount says
// that all that is left of the order goes back for that amount.
func (w Whole) ByHand(r Return) Return {
	if i := w.find(r.ID); i >= 0 && !w.Returns[i].All() {
		r.ID, r.Refund = r.ID+" by hand", r.ID
	}
	return r
}

// FailRefund notes that a refund failed, be it known yet or not, and reports whether that
// is news. What it returned stays returned; whatever it has not returned by now stays.
func (w *Whole) FailRefund(r Return, at time.Time) bool {
	i := w.find(r.ID)
	switch {
	case i < 0:
		r.FailedAt = at
		w.Returns = append(slices.Clip(w.Returns), r)
	case w.Returns[i].FailedAt.IsZero():
		w.Returns = slices.Clone(w.Returns)
		w.Returns[i].FailedAt = at
	default:
		return false
	}
	return true
}

// FailedAt returns when the platform said that a refund failed; zero: it did not.
func (w Whole) FailedAt(refund string) time.Time {
	if i := w.find(refund); i >= 0 {
		return w.Returns[i].FailedAt
	}
	return time.Time{}
}

// Void reports whether a return gives nothing back, since its refund failed.
func (w Whole) Void(r Return) bool {
	if i := w.find(r.ID); i >= 0 {
		r.Refund = cmp.Or(r.Refund, w.Returns[i].Refund)
	}
	return !w.FailedAt(r.ID).IsZero() || !w.FailedAt(r.Refund).IsZero()
}

// Knows reports whether a return is known, or that it failed.
func (w Whole) Knows(id string) bool { return w.find(id) >= 0 }

// find returns the place of a return, -1 if it is not known.
func (w Whole) find(id string) int {
	return slices.IndexFunc(w.Returns, func(r Return) bool { return r.ID == id })
}

// KeepForPayment notes that an amount was given back before any line was stored, and
// reports whether that is news.
func (w *Whole) KeepForPayment(id string) bool {
	for i, r := range w.Returns {
		if r.ID == id && !r.All() && !r.BeforePayment && !w.Void(r) {
			w.Returns = slices.Clone(w.Returns)
			w.Returns[i].BeforePayment = true
			return true
		}
	}
	return false
}

// AddDispute adds what a platform reports of a dispute, and reports whether it is news; see
// Dispute.Settles.
func (w *Whole) AddDispute(id string, state Dispute) bool {
	if w.Disputes[id].Settles(state) {
		return false
	}
	w.Disputes = maps.Clone(w.Disputes)
	if w.Disputes == nil {
		w.Disputes = map[string]Dispute{}
	}
	w.Disputes[id] = state
	return true
}

// OpenDisputes returns the ids of the disputes that hold the order, sorted.
func (w Whole) OpenDisputes() []string {
	var open []string
	for _, id := range slices.Sorted(maps.Keys(w.Disputes)) {
		if w.Disputes[id] == DisputeOpen {
			open = append(open, id)
		}
	}
	return open
}

// DropDisputes drops those of the disputes that are open still, and reports whether there
// are any. They hold the order no longer, until the platform says that one was lost.
func (w *Whole) DropDisputes(ids []string, drop Drop) bool {
	disputes, drops := maps.Clone(w.Disputes), maps.Clone(w.Drops)
	if drops == nil {
		drops = map[string]Drop{}
	}
	any := false
	for _, id := range ids {
		if disputes[id] == DisputeOpen {
			disputes[id], drops[id], any = DisputeDropped, drop, true
		}
	}
	if any {
		w.Disputes, w.Drops = disputes, drops
	}
	return any
}

// DropOf returns who dropped the dispute of a hold, false if nobody did, or the platform has
// said since how it ended.
func (w Whole) DropOf(h Hold) (Drop, bool) {
	id := strings.TrimPrefix(string(h), disputeHold)
	drop, is := w.Drops[id]
	return drop, is && h.Dispute() && w.Disputes[id] == DisputeDropped
}

// Returned returns the ids of all returns of the whole order, sorted. A dispute that was
// lost is one.
func (w Whole) Returned() []string {
	var ids []string
	for _, r := range w.Returns {
		if r.All() && !w.Void(r) {
			ids = append(ids, r.ID)
		}
	}
	return slices.Sorted(slices.Values(append(ids, w.disputes(DisputeLost)...)))
}

// disputes returns the disputes of a state, each as the reason of its hold, sorted.
func (w Whole) disputes(state Dispute) []string {
	var found []string
	for id, is := range w.Disputes {
		if is == state {
			found = append(found, string(DisputeHold(id)))
		}
	}
	return slices.Sorted(slices.Values(found))
}

// ReturnByHand returns the id of a return of the whole order by a person who gave it none.
// It is the same again, so that a repeat returns nothing twice, until lines were paid after
// it: then it is another return.
func ReturnByHand(lines []Fulfillment) string {
	for n := 1; ; n++ {
		id := fmt.Sprintf("by hand %d", n)
		if !slices.ContainsFunc(lines, func(f Fulfillment) bool { return slices.Contains(f.PaidAfter, id) }) {
			return id
		}
	}
}

// ReturnOf returns the return that gives the line back, false if there is none: those
// that the line was paid after do not.
func (w Whole) ReturnOf(f Fulfillment) (id string, is bool) {
	for _, id := range w.Returned() {
		if !slices.Contains(f.PaidAfter, id) {
			return id, true
		}
	}
	return "", false
}

// Forbids returns the reason for which no key of the line may leave, false if there is
// none.
func (w Whole) Forbids(f Fulfillment) (reason string, forbids bool) {
	if _, returned := w.ReturnOf(f); returned {
		return "OrderReturned", true
	}
	if len(w.disputes(DisputeOpen)) > 0 {
		return "OrderDisputed", true
	}
	if len(w.amountsBeside(f)) > 0 {
		return "AmountReturned", true
	}
	return "", false
}

// amountsBeside returns the amounts that were given back while the line's payment was under
// way: nobody can tell whether they are for the line, and the line does not show them yet.
func (w Whole) amountsBeside(f Fulfillment) (ids []string) {
	for _, r := range w.Returns {
		if r.BeforePayment && !w.Void(r) && !slices.Contains(f.PaidAfter, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// ApplyToNew applies what is known to a line that is paid only now. Who pays for an order
// that was returned gets nothing until a person has looked at it.
func (w Whole) ApplyToNew(f *Fulfillment) {
	f.PaidAfter = w.Returned()
	for _, r := range w.Returns {
		if !r.All() && !w.Void(r) {
			f.PaidAfter = append(f.PaidAfter, r.ID)
		}
	}
	if len(f.PaidAfter) > 0 {
		f.Hold(HoldPaidAfterReturn)
	}
	w.hold(f)
}

// hold lets the line's holds of disputes follow the disputes, and returns those that came
// and went.
func (w Whole) hold(f *Fulfillment) (held, lifted []Hold) {
	open := w.disputes(DisputeOpen)
	f.Lift(func(h Hold) bool {
		ended := h.Dispute() && !slices.Contains(open, string(h))
		if ended {
			lifted = append(lifted, h)
		}
		return ended
	})
	for _, h := range open {
		if !slices.Contains(f.Holds, Hold(h)) {
			f.Hold(Hold(h))
			held = append(held, Hold(h))
		}
	}
	return held, lifted
}

// News is what an order as a whole says of a line that the line did not show.
type News struct {
	Return  string // the id of a return of everything; empty: none
	By, Why string // of that return

	KeysBack Disposition // of that return: see Return

	Held   []Hold // disputes that were opened
	Lifted []Hold // disputes that have ended, or were dropped
}

// Apply applies what is known to a line that was paid before. It is false if the line
// shows all of it already.
func (w Whole) Apply(f *Fulfillment) (news News, any bool) {
	if f.Expected {
		return News{}, false
	}
	if id, is := w.ReturnOf(*f); is && !f.ReturnedAll {
		news.Return = id
		var last Return // none, of a dispute that was lost
		for _, r := range w.Returns {
			if r.ID == id {
				news.By, news.Why = r.By, r.Why
				news.KeysBack = r.KeysBack
				last = r
			}
		}
		f.ReturnAll()
		f.NoteReturn(cmp.Or(last.Refund, last.ID), last.GivenBackAt)
	}
	news.Held, news.Lifted = w.hold(f)
	if beside := w.amountsBeside(*f); len(beside) > 0 {
		f.PaidAfter = append(slices.Clip(f.PaidAfter), beside...)
		f.Hold(HoldPaidAfterReturn)
		news.Held = append(news.Held, HoldPaidAfterReturn)
	}
	return news, news.Return != "" || len(news.Held) > 0 || len(news.Lifted) > 0
}
