package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/inventory"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// orderView is what the page of an order shows.
type orderView struct {
	Path, Number string
	Account      string
	ByHand, Test bool
	Mark         mark
	Customer     order.Customer
	ErasedAt     time.Time
	Line         string // the title of the line that is shown alone; "": the order is
	Of           int    // so many lines the order has
	Lines        []lineView
	Listed       []listedLine // in place of Lines, where they are many
	Mends        []mendView
	MoreMends    int      // that are not shown
	Link         linkView // to the customer's page; the visitor may see it, or it is empty
	Acts         []actLink
	Timeline     []moment
	Earlier      int // moments before those
	// Live means that something may come to it at any moment: the page is to be read again.
	Live   bool
	Typing bool // the page has a field to type in, which must not be read again meanwhile
}

// An order of more lines than linesInFull is shown as a list of them, of which each leads to a page
// of its own. What is to do, and the timeline, are cut there to the most of them; the line's page
// has all.
const linesInFull, mostMends, mostMoments = 20, 10, 30

// listedLine is a line in the list of an order of many lines.
type listedLine struct {
	Path, Title string
	Quantity    int
	Mark        mark
}

// lineView is a line of an order, as its page shows it.
type lineView struct {
	Product, Title string
	Quantity       int
	Mark           mark
	Price          string
	PaidAt         time.Time
	ReceivedAt     time.Time
	Pool           string
	Parent         string // of a line that delivers its keys: the order's number
	Code           bool   // it has the code of its product
	Held           []string
	Keys           int
	First          int // so many of them are told of
	From           []fromFile
	Waits          string
	Risk           string
}

// mendView says what to do for a line, with a form or a link that does it.
type mendView struct {
	Line   string // the product, where the order has several lines
	Others int    // lines of which the same holds
	Says   []string
	Does   string // send: the address's form; a link to Path otherwise
	Path   string
	Text   string
	Email  string // that is offered
	ID     order.LineID
	Seen   string // see seenOf
	Before string // how often it was mailed
}

// actLink is something that can be done to an order.
type actLink struct {
	Path, Text string
	Post       bool   // done at once, since it can be undone
	Line       string // that it is done to; "": to all
	Seen       string // see seenOf
}

// wholeOrder is an order as it is read.
type wholeOrder struct {
	id      string
	lines   []order.Fulfillment
	known   order.Whole
	history map[order.LineID][]order.History
	of      int  // so many lines it has: lines are fewer where one is shown alone
	listed  bool // its lines are too many to show each in full
}

// alone leaves one line of the order, that of an address's "line"; errNotFound if it has none such.
func (w *wholeOrder) alone(half string) error {
	w.lines = slices.DeleteFunc(slices.Clone(w.lines), func(f order.Fulfillment) bool { return f.ID.LineHalf() != half })
	if len(w.lines) == 0 {
		return errNotFound
	}
	return nil
}

// readOrder returns the order that an address names. One of another merchant is errNotFound.
func (p *portal) readOrder(v *visit) (wholeOrder, error) {
	whole := wholeOrder{id: v.PathValue("order")}
	if !order.LineID(whole.id + whole.id).Valid() {
		return whole, errNotFound
	}
	reading, ctx := errgroup.WithContext(v.Context())
	reading.Go(func() (err error) {
		whole.lines, whole.known, err = p.knownOf(ctx, v, whole.id)
		return err
	})
	reading.Go(func() (err error) {
		whole.history, err = p.orders.store.OrderHistory(ctx, whole.id)
		return err
	})
	return whole, reading.Wait()
}

// linesOf returns the lines of an order of the visitor's merchant, errNotFound if it has none.
func (p *portal) linesOf(ctx context.Context, v *visit, id string) ([]order.Fulfillment, error) {
	lines, _, err := p.knownOf(ctx, v, id)
	return lines, err
}

// knownOf returns the lines of an order, as linesOf does, and what is known of it as a whole.
func (p *portal) knownOf(ctx context.Context, v *visit, id string) ([]order.Fulfillment, order.Whole, error) {
	lines, known, err := p.orders.store.Order(ctx, id)
	if err == nil && (len(lines) == 0 || lines[0].Merchant != v.Merchant) {
		err = errNotFound
	}
	return lines, known, err
}

// mostInQueue is the last place of a queue that is counted.
const mostInQueue = 1000

// order shows an order: what was paid, what to do, and what happened to it.
func (p *portal) order(v *visit) (answer, error) {
	whole, err := p.readOrder(v)
	if err != nil {
		return answer{}, err
	}
	band := orderDone(v, whole)
	whole.of = len(whole.lines)
	if v.URL.Query().Has("line") {
		if err := whole.alone(v.URL.Query().Get("line")); err != nil {
			return answer{}, err
		}
	}
	whole.listed = len(whole.lines) > linesInFull
	view, err := p.view(v, whole)
	return answer{page: "order", title: "Order", data: view, band: band}, err
}

func (p *portal) view(v *visit, whole wholeOrder) (orderView, error) {
	var keys []pool.KeyID
	for _, line := range whole.lines {
		for _, key := range line.Keys {
			keys = append(keys, key.ID)
		}
	}
	places, known := make([]int, len(whole.lines)), make([]bool, len(whole.lines))
	var origins map[pool.KeyID]inventory.Origin
	var link linkView
	reading, ctx := errgroup.WithContext(v.Context())
	reading.SetLimit(32)
	if !whole.listed {
		reading.Go(func() (err error) {
			origins, err = p.orders.origins.Of(ctx, v.Merchant, keys)
			return err
		})
	}
	if v.may("get-order-link") {
		reading.Go(func() (err error) {
			link, err = p.linkOf(ctx, whole.lines, whole.known)
			return err
		})
	}
	for i, line := range whole.lines {
		if !whole.listed {
			reading.Go(func() (err error) {
				places[i], err = p.orders.store.QueuePlace(ctx, line, mostInQueue)
				return err
			})
		}
		if line.Mend() == order.MendConnect && v.may("put-product") {
			reading.Go(func() error {
				_, err := p.goods.Get(ctx, v.Merchant, line.ConnectedBy())
				known[i] = err == nil
				return unless(err, settings.ErrNotFound)
			})
		}
	}
	if err := reading.Wait(); err != nil {
		return orderView{}, err
	}
	first := whole.lines[0]
	view := orderView{
		Path: orderPath(whole.id), Number: first.Order, Account: first.Account, ByHand: first.Account == byHandAccount, Test: first.Side == pool.Test,
		Mark: orderMark(whole.lines), Customer: first.Customer, ErasedAt: first.ErasedAt,
		Of: whole.of, Link: link, Acts: actsOn(v, whole), Timeline: timeline(whole.lines, whole.history, v.now),
	}
	if len(whole.lines) < whole.of {
		view.Line = productName(first)
	}
	if n := len(view.Timeline) - mostMoments; whole.listed && n > 0 {
		view.Timeline, view.Earlier = view.Timeline[n:], n
	}
	for i, line := range whole.lines {
		if whole.listed {
			view.Listed = append(view.Listed, listedLine{view.Path + "?line=" + line.ID.LineHalf(), productName(line), line.Quantity, lineMark(line)})
		} else {
			view.Lines = append(view.Lines, newLineView(line, origins, places[i]))
		}
		if m, needed := mend(v, line, whole, known[i]); needed {
			if len(whole.lines) > 1 {
				m.Line = productName(line)
			}
			view.Typing = view.Typing || m.Does != ""
			same := func(o mendView) bool { return m.Does == "" && o.Path == m.Path && slices.Equal(o.Says, m.Says) }
			if i := slices.IndexFunc(view.Mends, same); i >= 0 {
				view.Mends[i].Others++
			} else if len(view.Mends) == mostMends && whole.listed {
				view.MoreMends++
			} else {
				view.Mends = append(view.Mends, m)
			}
		}
		view.Live = view.Live || soon(line, v.now)
	}
	view.Acts = slices.DeleteFunc(view.Acts, func(a actLink) bool { // which is what to do already
		return slices.ContainsFunc(view.Mends, func(m mendView) bool { return m.Path == a.Path })
	})
	return view, nil
}

// soon reports whether something may come to a line at any moment: what it waits for, from whoever
// loads keys or from its platform, its mail, or the word that a mail server took it.
func soon(f order.Fulfillment, now time.Time) bool {
	switch f.State() {
	case order.Waiting, order.Unconnected, order.Expected:
		return true
	case order.OnHold:
		return f.ErasedAt.IsZero() // else it is on hold for good
	case order.Fulfilled, order.Returned:
	}
	switch f.Mail.State {
	case outbox.Due, outbox.Sending:
		return f.Mail.TryAt.Before(now.Add(time.Minute))
	case outbox.Sent:
		return f.Mail.DueAt.IsZero() && now.Sub(f.ReceivedAt) < time.Hour
	default:
		return false
	}
}

func newLineView(f order.Fulfillment, origins map[pool.KeyID]inventory.Origin, place int) lineView {
	line := lineView{
		Product: f.Product, Title: productName(f), Quantity: f.Quantity, Mark: lineMark(f), PaidAt: f.PaidAt, ReceivedAt: f.ReceivedAt,
		Pool: f.Pool, Code: f.SharedCode, Keys: f.Allocated, First: len(f.Keys), From: whereFrom(f.Keys, origins), Risk: f.Risk,
	}
	if f.UnitPrice != "" {
		line.Price = strings.TrimSpace(f.UnitPrice + " " + f.Currency)
		if f.Quantity > 1 {
			line.Price = phrase.Number(f.Quantity) + " × " + line.Price
		}
	}
	if f.KeysOfParent {
		line.Parent = f.Parent
	}
	for _, hold := range f.Holds {
		line.Held = append(line.Held, hold.Says())
	}
	switch {
	case place == 1:
		line.Waits = "It is the first in the queue."
	case place >= mostInQueue:
		line.Waits = "At least " + phrase.Number(mostInQueue-1) + " wait before it."
	case place > 1:
		line.Waits = phrase.Capital(phrase.Count(place-1, "order waits", "orders wait")) + " before it."
	}
	return line
}

// mend says what can be done for a line, to those who may do it; false if it needs nothing.
// Known says that its product is set up, though no pool feeds it.
func mend(v *visit, f order.Fulfillment, whole wholeOrder, known bool) (mendView, bool) {
	path := orderPath(whole.id)
	link := func(operation, act, text string) (string, string) {
		if v.may(operation) {
			return path + "/" + act, text
		}
		return "", ""
	}
	var m mendView
	switch f.Mend() {
	case order.MendNothing:
		return m, false
	case order.MendDispute:
		m.Says = []string{"The customer disputes the payment. When the platform says how that ended, the order goes on by itself (you won) or is given back (you lost).", "If that word will not come, you can drop the dispute: the customer gets the keys then, although the money may still go back."}
		m.Path, m.Text = link("release-order", "release", "Drop the dispute…")
	case order.MendAddress:
		m.Says = []string{"It has no mail address that keys could be sent to. It goes on when its platform reports the order with one."}
	case order.MendErased:
		m.Says = []string{"It is on hold for good: its customer was erased, and there is nobody to send anything to. Give it back."}
		m.Path, m.Text = link("return-order", "return", "Give back…")
	case order.MendHold:
		m.Says = []string{"It gets no key and no mail: " + phrase.List(heldFor(f)) + ". Release it, and it goes on, in its old place in the queue."}
		m.Path, m.Text = link("release-order", "release", "Release…")
	case order.MendConnect:
		m.Says = []string{"No pool feeds the product " + f.ConnectedBy() + ". Choose a pool for it, or set the code that all its orders get: the order gets its keys by itself then. Or say that it needs no keys."}
		if v.may("put-product") {
			m.Path, m.Text = newProductPath(f.ConnectedBy()), "Connect the product"
			if known {
				m.Path = productPath(f.ConnectedBy())
			}
		}
	case order.MendStock:
		keys := "keys"
		if f.Side == pool.Test {
			keys = "test keys"
		}
		m.Says = []string{"The pool " + f.Pool + " is short of " + keys + ": " + phrase.Count(max(0, f.Missing()), "key is", "keys are") + " missing. Add some, and the order gets them by itself, in its place of the queue."}
		if v.may("add-keys") {
			m.Path, m.Text = addPath(f.Pool, f.Side), "Add "+keys
		}
	case order.MendMail:
		domain := mailaddress.Domain(f.Customer.Email)
		m.Says = []string{"Its mail reached nobody: the mail server of " + domain + " did not take it. Ask the customer for the right address."}
		if f.Mail.State == outbox.Failed {
			m.Says = []string{"Its mail could not be sent to " + f.Customer.Email + ". Ask the customer for the right address."}
		}
		if meant, is := mailaddress.Meant(f.Customer.Email); is {
			m.Email = meant
			m.Says = []string{"The mail to " + domain + " came back. Did the customer mean " + mailaddress.Domain(meant) + "?"}
		}
		switch {
		case v.may("resend-order") && v.MayCorrectAddress() == nil && whole.listed: // one form for all
			m.Path, m.Text = link("resend-order", "send", "Correct and send…")
		case v.may("resend-order") && v.MayCorrectAddress() == nil:
			m.Does, m.ID, m.Seen = "send", f.ID, seenOf(f)
			m.Before = mailedBefore(f.Mail.Number)
		case v.may("resend-order"):
			m.Says = append(m.Says, "A manager can correct the address; you can send the mail to the same address once more.")
			m.Path, m.Text = link("resend-order", "send", "Send again…")
		}
	}
	return m, true
}

func heldFor(f order.Fulfillment) []string {
	var says []string
	for _, hold := range f.Holds {
		says = append(says, hold.Says())
	}
	return says
}

// actsOn returns what can be done to an order by who looks at it.
func actsOn(v *visit, whole wholeOrder) []actLink {
	path, alone, line := orderPath(whole.id), len(whole.lines) < whole.of, ""
	if alone {
		line = string(whole.lines[0].ID)
	}
	var acts []actLink
	add := func(operation, act, text string, can func(order.Fulfillment) bool) {
		if v.may(operation) && slices.ContainsFunc(whole.lines, can) {
			do := actLink{Path: path + "/" + act, Text: text, Post: act == holding.name || act == "keys", Line: line}
			switch {
			case act == holding.name:
				do.Seen = seenOf(whole.lines...)
			case alone:
				do.Path += "?line=" + line
			}
			acts = append(acts, do)
		}
	}
	for _, act := range orderActs {
		if alone && act.name == "erase" { // which is done to the customer of the whole order
			continue
		}
		if act.can != nil {
			add(act.operation, act.name, act.title+"…", act.can)
		}
		switch act.name {
		case "send":
			if alone { // all keys of the order are shown together
				continue
			}
			add("show-order-keys", "keys", "Show keys", func(f order.Fulfillment) bool { return f.Complete() && !f.KeysOfParent })
		case "replace":
			add(holding.operation, holding.name, holding.title, order.Fulfillment.Active)
		}
	}
	return acts
}
