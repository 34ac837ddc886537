// Package audit is the record of who changed which setting, and who did what to an order,
// when, from where, and how. An entry is stored in the transaction of its change, and nobody
// changes or deletes one afterwards: no function has the right to. So it is kept as long as
// its merchant, with the names and network addresses of those who work there; of customers,
// it holds nothing.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/random"
)

// Entry is one change.
type Entry struct {
	Merchant string
	ID       string // grows with time, and of the changes of one call in their order
	At       time.Time
	By       string // who, as a mail to the merchant says it
	From     string // network address of the call that did it; "": no call did
	Change   Change
	Thing    Thing
	Name     string // empty: the merchant has one of its kind

	// Before and After are the fields that the change changed. Before is empty for a thing
	// that was made, After for one that was removed. Long texts are cut short.
	Before, After catalog.Shown
}

// Change is what became of a thing.
type Change string

// What may become of one.
const (
	Added   Change = "added"
	Changed Change = "changed"
	Removed Change = "removed"
)

// Thing is a kind of thing that changes are recorded of.
type Thing string

// The things.
const (
	Merchant  Thing = "merchant"
	Pool      Thing = "pool"
	Product   Thing = "product"
	Account   Thing = "account"
	Review    Thing = "review"
	Brake     Thing = "brake"
	Token     Thing = "token"
	Keys      Thing = "keys" // of a merchant, in their pools or not
	Job       Thing = "job"
	Person    Thing = "person"
	Sender    Thing = "sender"
	Retention Thing = "retention"
	Link      Thing = "link"  // to the file of an export
	Texts     Thing = "texts" // in the mails of all products
	OrderPage Thing = "order_page"
	Order     Thing = "order" // one of its lines

	OperatorHelp Thing = "operator_help" // a merchant's portal that the operator opened
)

// Record is what is stored with a change: its entry, and the notices that tell of it.
type Record struct {
	Entry Entry
	Tell  []notice.Notice
}

// longest is how many bytes of a text an entry keeps: of the longest product, all fields fit
// in an item of the table twice.
const longest = 500

// New returns the entry of a change, from what is shown of a thing before and after it: nil
// where it did not exist.
func New(ctx context.Context, e Entry, now time.Time) Entry {
	e.At = now.UTC().Truncate(time.Millisecond)
	e.ID = fmt.Sprintf("%s-%04x%012x", e.At.Format("20060102T150405.000Z"), access.Act(ctx), random.Uint64(ctx)>>16)
	e.From = access.From(ctx).From
	e.Change = Changed
	switch {
	case e.Before == nil:
		e.Change = Added
	case e.After == nil:
		e.Change = Removed
	}
	changed := e.Before.Differences(e.After)
	e.Before, e.After = only(e.Before, changed), only(e.After, changed)
	return e
}

// only returns some of the fields.
func only(s catalog.Shown, names []string) catalog.Shown {
	some := catalog.Shown{}
	for _, name := range names {
		if value, ok := s[name]; ok {
			some[name] = value
		}
	}
	for name, value := range maps.All(some) {
		if long, ok := value.(string); ok && len(long) > longest {
			some[name] = cut(long)
		}
	}
	return some
}

func cut(s string) string {
	short := s[:longest]
	for !utf8.ValidString(short) {
		short = short[:len(short)-1]
	}
	return strings.TrimSpace(short) + fmt.Sprintf("… (%d bytes)", len(s))
}

// OfBrake returns the entry of a brake that was set or taken off.
func OfBrake(ctx context.Context, merchant string, b catalog.Brake) Entry {
	on, off := catalog.Shown{"set": true}, catalog.Shown{"set": false}
	if b.Set() {
		return New(ctx, Entry{Merchant: merchant, By: b.By, Thing: Brake, Before: off, After: on}, b.SetAt)
	}
	if b.Reason != "" {
		off["reason"] = b.Reason
	}
	return New(ctx, Entry{Merchant: merchant, By: b.ReleasedBy, Thing: Brake, Before: on, After: off}, b.ReleasedAt)
}

// OfJob returns the entry of a job that somebody asked for.
func OfJob(ctx context.Context, j job.Job) Entry {
	asked := catalog.Shown{"kind": string(j.Kind)}
	for name, value := range map[string]string{
		"upload": j.Upload, "pool": j.Pool, "side": string(j.Side), "to": j.To, "which": string(j.Choice.Which), "format": string(j.Choice.Format),
		"from": shownTime(j.Choice.From), "until": shownTime(j.Choice.Until),
	} {
		if value != "" {
			asked[name] = value
		}
	}
	if j.Force {
		asked["force"] = true
	}
	if j.Most > 0 {
		asked["count"] = j.Most
	}
	return New(ctx, Entry{Merchant: j.Merchant, By: j.By, Thing: Job, Name: j.ID, After: asked}, j.CreatedAt)
}

func shownTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// OfEndedJob returns the entry of a job that has ended, with what it has done.
func OfEndedJob(ctx context.Context, j job.Job) Entry {
	done := catalog.Shown{"state": string(j.State())}
	for name, n := range map[string]int{"keys": j.Keys, "lines": j.Lines, "left": j.Look.Left} {
		if n > 0 {
			done[name] = n
		}
	}
	return New(ctx, Entry{Merchant: j.Merchant, By: cmp.Or(j.CancelledBy, j.By), Thing: Job, Name: j.ID, Before: catalog.Shown{"state": string(job.Running)}, After: done}, j.FinishedAt)
}

// OfAct returns the entry of what a person did to a line, false if the change is none of a
// request, or a function made it on its own. It holds no reason, which may say something of
// the customer: the line's history does. What is done later, such as to the lines of an order
// whose return was cut off, stands there alone.
func OfAct(ctx context.Context, change order.Change) (Entry, bool) {
	if !access.Requested(ctx) {
		return Entry{}, false
	}
	line := change.After
	var did []string
	var last order.History
	for _, h := range change.History {
		if h.ByPerson() {
			did, last = append(did, string(h.Event)), h
		}
	}
	if len(did) == 0 {
		return Entry{}, false
	}
	e := Entry{Merchant: line.Merchant, By: last.By, Thing: Order, Name: line.Order, After: shownLine(line)}
	if change.Before != nil {
		e.Before = shownLine(*change.Before)
	}
	e.After["line"], e.After["account"], e.After["did"] = line.Line, line.Account, strings.Join(did, ", ")
	return New(ctx, e, last.At), true
}

// shownLine returns what is shown of a line that somebody acted on: of its customer, nothing.
func shownLine(line order.Fulfillment) catalog.Shown {
	s := catalog.Shown{"state": string(line.State()), "keys": line.Allocated}
	if line.Returned > 0 {
		s["returned"] = line.Returned
	}
	return s
}
