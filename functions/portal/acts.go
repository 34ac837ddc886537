package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/phrase"
	"keypool/shared/pool"
)

const byHandAccount = catalog.ByHandName

// orderAct is something that a person does to an order. Its page says what will happen; the
// form there does it.
type orderAct struct {
	name, operation, title string
	fresh                  bool
	whole                  bool // it is done to the order: nobody chooses of its lines
	// says tells what will happen to the lines.
	says   func(v *visit, lines []order.Fulfillment) []string
	can    func(order.Fulfillment) bool // it does something to such a line
	fields []string                     // of the form, beside the lines and the reason
	button string
	stop   bool
	leads  string // the page that it leads to, below the order's; "": the order's
	// do does it to the lines that were chosen. It returns the word for the address of the
	// order's page: see orderDone.
	do func(p *portal, v *visit, a chosen) (string, error)
}

// chosen are the lines that an act is about, as they were seen.
type chosen struct {
	all, lines []order.Fulfillment
	seen       []order.LineVersion
}

func (p *portal) actScreens() []screen {
	screens := []screen{
		{pattern: "POST /portal/orders/{order}/hold", does: "hold-order", serve: p.serveAct(holding)},
		{pattern: "POST /portal/orders/{order}/keys", does: "show-order-keys", fresh: true, serve: p.showKeys},
		{pattern: "POST /portal/orders/several", does: "list-orders", serve: p.several},
		{pattern: "POST /portal/orders/held", does: "list-held", serve: p.decideHeld},
		{pattern: "GET /portal/orders/brake", does: "set-brake", serve: p.askBrake},
		{pattern: "POST /portal/orders/brake", does: "set-brake", serve: p.setBrake},
		{pattern: "POST /portal/orders/brake/release", does: "release-brake", serve: p.releaseBrake},
	}
	for _, act := range orderActs {
		path := "/portal/orders/{order}/" + act.name
		screens = append(screens,
			screen{pattern: "GET " + path, does: act.operation, fresh: act.fresh, serve: p.askAct(act)},
			screen{pattern: "POST " + path, does: act.operation, fresh: act.fresh, serve: p.serveAct(act)},
		)
	}
	return screens
}

// holding is an act without a page of its own: it can be undone.
var holding = orderAct{name: "hold", operation: "hold-order", title: "Hold", do: func(p *portal, v *visit, a chosen) (string, error) {
	return p.onEach(v, a, "held", p.orders.acts.Hold)
}}

// orderActs are the acts that have a page each.
var orderActs = []orderAct{
	{
		name: "send", operation: "resend-order", title: "Send again", button: "Send", fields: []string{"email"}, can: order.Fulfillment.Mailable,
		says: func(_ *visit, lines []order.Fulfillment) []string { return mailFacts(lines) },
		do:   sendAgain,
	},
	{
		name: "replace", operation: "replace-key", title: "Replace a key", button: "Replace and mail", fields: []string{"key"}, whole: true, can: order.Fulfillment.Replaceable,
		says: func(_ *visit, lines []order.Fulfillment) []string {
			return append([]string{"The order gets another key of the pool in place of the one that you choose, which is never sold again. All keys of the order are mailed again.", "This cannot be undone."}, mailFacts(lines)...)
		},
		do: replaceKey,
	},
	{
		name: "release", operation: "release-order", title: "Release", button: "Release", fields: []string{"disputes"},
		can: func(f order.Fulfillment) bool { return f.Releasable() || f.InDispute() },
		says: func(_ *visit, lines []order.Fulfillment) []string {
			says := []string{"It gets its keys, in its old place in the queue, and its mail. A mail cannot be taken back."}
			for _, line := range lines {
				if line.State() == order.OnHold {
					says = append(says, productName(line)+" is on hold: "+phrase.List(heldFor(line))+".")
				}
			}
			return says
		},
		do: release,
	},
	{
		name: "reject", operation: "reject-order", title: "Reject", button: "Reject", stop: true, can: order.Fulfillment.HeldByRule,
		says: func(*visit, []order.Fulfillment) []string {
			return []string{"What your rules hold of the order is given back, without a key. The customer is not told, and nothing is paid back: do that at the platform.", "This cannot be undone."}
		},
		do: func(p *portal, v *visit, a chosen) (string, error) {
			return p.onEach(v, a, "rejected", p.orders.acts.Reject)
		},
	},
	{
		name: "cancel", operation: "cancel-order", title: "Cancel", button: "Cancel what waits", stop: true, can: order.Fulfillment.Waits,
		says: func(*visit, []order.Fulfillment) []string {
			return []string{"What waits for keys does not wait any more, and gets none. Keys that it has got so far are for sale again. The customer is not told, and nothing is paid back: do that at the platform.", "This cannot be undone."}
		},
		do: func(p *portal, v *visit, a chosen) (string, error) {
			return p.onEach(v, a, "cancelled", p.orders.acts.Cancel)
		},
	},
	{
		name: "return", operation: "return-order", title: "Give back", button: "Give back", stop: true, fields: []string{"return"}, whole: true,
		can: func(f order.Fulfillment) bool { return f.State() != order.Returned && f.State() != order.Expected },
		says: func(_ *visit, lines []order.Fulfillment) []string {
			says := []string{"For an order, or a part of it, that was returned or refunded: it is not delivered any more. The customer is not told, and no money is paid back: do that at the platform.", "This cannot be undone."}
			if slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return f.KeysSeen() && f.Allocated > 0 }) {
				says = append(says, "Its keys were mailed or shown, so none of them is ever sold again.")
			}
			return says
		},
		do: giveBack,
	},
	{
		name: "replace-link", operation: "replace-order-link", title: "Replace the link", button: "Replace", leads: "/page", whole: true,
		says: func(*visit, []order.Fulfillment) []string {
			return []string{
				"The order's page gets another link. The one that the customer has stops working at once, for everybody who has it.",
				"The customer is not told of the other one: it stands in each mail of the order from then on. Send the order again if the customer is to have it.", "This cannot be undone.",
			}
		},
		do: func(p *portal, v *visit, a chosen) (string, error) {
			return p.onWhole(v, a, "link-replaced", p.orders.acts.ReplaceLink)
		},
	},
	{
		name: "revoke-link", operation: "revoke-order-link", title: "Revoke the link", button: "Revoke", stop: true, leads: "/page", whole: true,
		says: func(*visit, []order.Fulfillment) []string {
			return []string{
				"The link that the customer has stops working at once, for everybody who has it, and the order has no page until you give it another link. The customer is not told.",
				"Keys that somebody has seen there are seen. This cannot be undone.",
			}
		},
		do: func(p *portal, v *visit, a chosen) (string, error) {
			return p.onWhole(v, a, "link-revoked", p.orders.acts.RevokeLink)
		},
	},
	{
		name: "erase", operation: "erase-order", title: "Erase the customer", button: "Erase", stop: true, fresh: true, fields: []string{"erase"},
		can: func(f order.Fulfillment) bool { return f.ErasedAt.IsZero() && !f.Expected },
		says: func(*visit, []order.Fulfillment) []string {
			return []string{
				"Name, addresses, phone, company and all else that is kept of the customer is taken away, and so are reasons that people wrote. What was sold stays: numbers, products, keys, times and prices.",
				"Its keys cannot be mailed again then, since there is nobody to mail them to. This cannot be undone.",
			}
		},
		do: erase,
	},
}

// mailFacts says to whom the mails of lines go, and how often they went before.
func mailFacts(lines []order.Fulfillment) []string {
	var says []string
	for _, line := range lines {
		if !line.Complete() {
			continue
		}
		what := "Its " + phrase.Plural(line.Allocated, "key goes", "keys go")
		if len(lines) > 1 {
			what = productName(line) + ": its " + phrase.Plural(line.Allocated, "key goes", "keys go")
		}
		before := mailedBefore(line.Mail.Number)
		if line.Mail.Number > 0 {
			before += " The last mail " + lastMail(line.Mail) + "."
		}
		says = append(says, what+" to "+mailaddress.Masked(line.Customer.Email)+". "+before)
	}
	return says
}

func mailedBefore(times int) string {
	switch times {
	case 0:
		return "Not mailed before."
	case 1:
		return "Mailed once before."
	}
	return "Mailed " + phrase.Number(times) + " times before."
}

func lastMail(m outbox.Entry) string {
	switch m.State {
	case outbox.Due, outbox.Sending:
		return "is under way, which is enough: no further one is sent to the same address"
	case outbox.Delivered:
		return "was taken by the customer's mail server"
	case outbox.Bounced:
		return "came back"
	case outbox.Complained:
		return "was marked as spam"
	case outbox.Failed:
		return "could not be sent"
	default:
		return "was handed over"
	}
}

// actView is the page of an act.
type actView struct {
	Says    []string
	Does    string
	Back    string
	Button  string
	Stop    bool
	Form    form
	Seen    string
	Choose  []lineChoice // where the order has several lines
	Changed []changedLine
	Refused string // why nothing was done

	// What the form asks besides.
	Email, Disputes, Return, Erase, All bool
	Keys                                []option // to replace
	Parts                               []option // to give back
}

// lineChoice is a line that an act may be about.
type lineChoice struct {
	ID, Text string
	Checked  bool
}

// askAct returns the page of an act.
func (p *portal) askAct(act orderAct) func(*visit) (answer, error) {
	return func(v *visit) (answer, error) {
		lines, err := p.linesOf(v.Context(), v, v.PathValue("order"))
		if err != nil {
			return answer{}, err
		}
		sent := url.Values{}
		if line := v.URL.Query().Get("line"); line != "" { // it came from the page of one line
			sent.Set("line", line)
			sent.Set("part", line)
		}
		return p.actPage(v, act, lines, form{Values: sent}, http.StatusOK), nil
	}
}

func (p *portal) actPage(v *visit, act orderAct, lines []order.Fulfillment, f form, status int) answer {
	path := orderPath(lines[0].ID.OrderHalf())
	view := actView{Does: path + "/" + act.name, Back: path, Button: act.button, Stop: act.stop, Form: f, Seen: seenOf(lines...)}
	if act.says != nil {
		view.Says = act.says(v, lines)
	}
	if len(lines) > 1 && !act.whole {
		for _, line := range lines {
			if !act.can(line) {
				continue
			}
			checked := !f.Values.Has("line") || f.Has("line", string(line.ID))
			view.Choose = append(view.Choose, lineChoice{string(line.ID), fmt.Sprintf("%s × %d: %s", productName(line), line.Quantity, strings.ToLower(lineMark(line).Text)), checked})
		}
	}
	for _, field := range act.fields {
		switch field {
		case "email":
			view.Email = v.MayCorrectAddress() == nil
		case "disputes":
			view.Disputes = slices.ContainsFunc(lines, order.Fulfillment.InDispute)
		case "erase":
			view.Erase = true
			view.All = v.may("erase-customer") && lines[0].Customer.Email != ""
		case "key":
			view.Keys = keysOf(slices.DeleteFunc(slices.Clone(lines), func(line order.Fulfillment) bool {
				return f.Values.Has("line") && !f.Has("line", string(line.ID))
			}))
		case "return":
			view.Return = true
			view.Parts = []option{{"", "All that is left of the order"}}
			for _, line := range lines {
				if left := line.Quantity - line.ReturnedUnits; !line.ReturnedAll && left > 0 && (len(lines) > 1 || line.Quantity > 1) {
					view.Parts = append(view.Parts, option{string(line.ID), fmt.Sprintf("Of %s, of which %s left", productName(line), phrase.Count(left, "unit is", "units are"))})
				}
			}
		}
	}
	return answer{page: "act", title: act.title, status: status, data: view}
}

// keysOf lists the keys that can be replaced, by line and name.
func keysOf(lines []order.Fulfillment) []option {
	var keys []option
	for _, line := range lines {
		if !line.Replaceable() {
			continue
		}
		for n, key := range line.Keys {
			keys = append(keys, option{string(line.ID) + " " + string(key.ID), fmt.Sprintf("%s, key %d", productName(line), n+1)})
		}
	}
	return keys
}

// serveAct returns what does an act: on the lines that the form names, or all, if they are as
// they were seen. Else its page says what has changed.
func (p *portal) serveAct(act orderAct) func(*visit) (answer, error) {
	return func(v *visit) (answer, error) {
		lines, err := p.linesOf(v.Context(), v, v.PathValue("order"))
		if err != nil {
			return answer{}, err
		}
		path := orderPath(lines[0].ID.OrderHalf())
		a := chosen{all: lines, lines: lines, seen: seenIn(v.form, lines)}
		if v.form.Has("line") {
			a.lines = slices.DeleteFunc(slices.Clone(lines), func(f order.Fulfillment) bool { return !slices.Contains(v.form["line"], string(f.ID)) })
		}
		word, err := act.do(p, v, a)
		if err == nil {
			return answer{see: path + act.leads + "?done=" + word}, nil
		}
		var stale *order.StaleError
		if f, is := again(v.form, err); is {
			return p.actPage(v, act, lines, f, http.StatusUnprocessableEntity), nil
		}
		if errors.As(err, &stale) {
			now, err := p.linesOf(v.Context(), v, lines[0].ID.OrderHalf())
			if err != nil {
				return answer{}, err
			}
			page := p.actPage(v, act, now, form{Values: v.form}, http.StatusConflict)
			view := page.data.(actView)
			view.Changed = changedSince(v.form, now)
			if act.says == nil {
				view.Says, view.Button = []string{"Nothing was done."}, act.title
			}
			page.data = view
			return page, nil
		}
		if refused := whyRefused(err); refused != "" {
			page := p.actPage(v, act, lines, form{Values: v.form}, http.StatusConflict)
			view := page.data.(actView)
			view.Refused = refused
			page.data = view
			return page, nil
		}
		return answer{}, err
	}
}

// whyRefused says why an act cannot be done, "" for another error.
func whyRefused(err error) string {
	var limit *order.CorrectionLimitError
	switch {
	case errors.As(err, &limit):
		what := "Too many addresses were corrected in this hour."
		if limit.OfOrder {
			what = "The address of this order was corrected too often in this hour."
		}
		return what + " It can be done again in " + phrase.Count(int(limit.In.Minutes())+1, "minute") + "."
	case errors.Is(err, order.ErrCorrections):
		return "The address of this order was corrected ten times, and that is the most."
	case errors.Is(err, order.ErrErased):
		return "The customer was erased: there is nobody to mail it to."
	case errors.Is(err, order.ErrMailing):
		return "A mail of it is being sent at this moment. Try again in ten minutes."
	case errors.Is(err, order.ErrOwes):
		return "It still owes its customer something: keys, or a mail that reaches them. Deliver it or give it back first, or say that it is erased all the same."
	case errors.Is(err, order.ErrNoKeys):
		return "The pool has no key left. Add some first."
	case errors.Is(err, order.ErrSharedCode):
		return "It has the code of its product, which is everybody's. Set another code for the product."
	case errors.Is(err, order.ErrNotHeld):
		return "The order does not have that key any more."
	case errors.Is(err, order.ErrRefundFailed):
		return "The platform said that this refund failed: the customer has no money back."
	case errors.Is(err, order.ErrState):
		return "Its state does not allow that. Look at the order as it is now."
	}
	return ""
}

// act says who acts, and why.
func (v *visit) act() lifecycle.Act {
	return lifecycle.Act{By: v.Name, Why: strings.TrimSpace(v.form.Get("reason"))}
}

// onEach does something to each of the lines that were chosen. Its error is order.ErrState
// if the state of none allows it.
func (p *portal) onEach(v *visit, a chosen, word string, do func(context.Context, order.LineID, lifecycle.Act) (order.Fulfillment, error)) (string, error) {
	if len(a.lines) == 0 {
		return "", mistake("line", "Choose what it is to be done to.")
	}
	var last error
	_, refused, err := lifecycle.OnEach(a.lines, a.seen, v.act(), func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		now, err := do(v.Context(), line.ID, act)
		if err != nil {
			last = err
		}
		return now, err
	})
	if err == nil && !slices.Contains(refused, false) {
		err = cmp.Or(last, order.ErrState)
	}
	return word, err
}

// onWhole does something to an order as a whole, by its first line.
func (p *portal) onWhole(v *visit, a chosen, word string, do func(context.Context, order.Fulfillment, lifecycle.Act) (order.Whole, error)) (string, error) {
	first := a.all[0]
	a.lines = a.all[:1]
	return p.onEach(v, a, word, func(ctx context.Context, _ order.LineID, act lifecycle.Act) (order.Fulfillment, error) {
		_, err := do(ctx, first, act)
		return first, err
	})
}

func sendAgain(p *portal, v *visit, a chosen) (string, error) {
	email := strings.TrimSpace(v.form.Get("email"))
	if email == "" {
		return p.onEach(v, a, "sent", p.orders.acts.Resend)
	}
	if err := v.MayCorrectAddress(); err != nil {
		return "", err
	}
	if !v.Fresh(v.now) { // who reads the mails of the address that is typed sees the keys
		return "", errNotFresh
	}
	if !mailaddress.Valid(email) {
		return "", mistake("email", "This is no address that mail can be sent to. Give one alone, such as ada@example.com.")
	}
	return p.onEach(v, a, "corrected", func(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error) {
		return p.orders.acts.ResendTo(ctx, id, email, act)
	})
}

func release(p *portal, v *visit, a chosen) (string, error) {
	if v.form.Get("disputes") != "" {
		seen, err := a.conditions()
		if err == nil {
			_, err = p.orders.acts.ReleaseDisputed(v.Context(), wholeOf(a.all), v.act(), seen...)
		}
		return "released", err
	}
	return p.onEach(v, a, "released", p.orders.acts.Release)
}

// conditions returns the lines whose versions a transaction of a whole order is to compare: it
// has room for so many. Those beyond are compared with the lines as they were just read.
func (a chosen) conditions() ([]order.LineVersion, error) {
	var stale order.StaleError
	for _, line := range a.all {
		if slices.ContainsFunc(a.seen, func(s order.LineVersion) bool { return s.Line == line.ID && s.Version != line.Version }) {
			stale.Lines = append(stale.Lines, line)
		}
	}
	if len(stale.Lines) > 0 {
		return nil, &stale
	}
	return a.seen[:min(len(a.seen), order.MaxItems-1)], nil
}

func wholeOf(lines []order.Fulfillment) order.Whole {
	first := lines[0]
	return order.Whole{ID: first.ID.OrderHalf(), Merchant: first.Merchant, Side: first.Side, Account: first.Account, Order: first.Order}
}

func giveBack(p *portal, v *visit, a chosen) (string, error) {
	act, refund := v.act(), strings.TrimSpace(v.form.Get("refund"))
	back := order.Disposition(v.form.Get("keys"))
	if len(refund) > 128 || back != "" && !slices.Contains([]order.Disposition{order.Revoke, order.Restock, order.Keep}, back) {
		return "", mistake("refund", "This is too long: an id has at most 128 characters.")
	}
	part := v.form.Get("part")
	if part == "" {
		seen, err := a.conditions()
		if err == nil {
			_, err = p.orders.acts.ReturnSeen(v.Context(), wholeOf(a.all), order.Return{
				ID: cmp.Or(refund, order.ReturnByHand(a.all)), By: act.By, Why: act.Why, KeysBack: back,
			}, seen...)
		}
		return "returned", err
	}
	units := lifecycle.AllUnits
	if typed := strings.TrimSpace(v.form.Get("units")); typed != "" {
		n, err := strconv.Atoi(typed)
		if err != nil || n < 1 || n > 10_000 {
			return "", mistake("units", "Give a number from 1 on, or leave it empty for all that is left.")
		}
		units = n
	}
	if refund == "" { // the same form again is the same return
		refund = "portal " + cmp.Or(v.form.Get("once"), v.now.UTC().Format(time.RFC3339Nano))
	}
	a.lines = slices.DeleteFunc(slices.Clone(a.all), func(f order.Fulfillment) bool { return string(f.ID) != part })
	_, _, err := lifecycle.OnEach(a.lines, a.seen, act, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return p.orders.acts.ReturnLine(v.Context(), lifecycle.LineReturn{
			Identity: line.Identity(), Account: line.Account, Refund: refund, Units: units, Act: act, ByHand: true, KeysBack: back,
		})
	})
	return "returned", err
}

func replaceKey(p *portal, v *visit, a chosen) (string, error) {
	of, key, _ := strings.Cut(v.form.Get("key"), " ")
	a.lines = slices.DeleteFunc(slices.Clone(a.all), func(f order.Fulfillment) bool { return string(f.ID) != of })
	if len(a.lines) == 0 || key == "" {
		return "", mistake("key", "Choose the key that is replaced.")
	}
	return p.onEach(v, a, "replaced", func(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error) {
		return p.orders.acts.Replace(ctx, id, pool.KeyID(key), act)
	})
}

func erase(p *portal, v *visit, a chosen) (string, error) {
	force := v.form.Get("force") != ""
	email := a.all[0].Customer.Email
	word, err := p.onEach(v, a, "erased", func(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error) {
		act.Why = ""
		return p.orders.eraser.Erase(ctx, id, lifecycle.Erasure{Act: act, Force: force})
	})
	if err != nil || v.form.Get("all") == "" || email == "" {
		return word, err
	}
	if err := v.May("erase-customer"); err != nil {
		return "", err
	}
	_, err = p.orders.jobs.Erase(v.Context(), v.Merchant, email, force, v.Name)
	return "erased-all", err
}

// ordersDone says what was done to an order, by the word in the address of its page.
var ordersDone = map[string]band{
	"by-hand":        {Says: "Fulfilled by hand: it gets its keys and its mail, as any other order."},
	"by-hand-before": {Says: "This order was fulfilled by hand before, for the same customer. Nothing was done now."},
	"bought":         {Says: "Bought. What becomes of the order stands below."},
	"held":           {Says: "Held: no key and no mail of this order goes out until you release it."},
	"sent":           {Says: "Its mail is on its way."},
	"corrected":      {Says: "The address was corrected, and its mail is on its way there. You are told of it by mail."},
	"released":       {Says: "Released: it gets its keys and its mail."},
	"rejected":       {Says: "Rejected: it gets no key. Pay the customer back at the platform."},
	"cancelled":      {Says: "Cancelled: it waits no longer. Pay the customer back at the platform."},
	"returned":       {Says: "Given back. Pay the customer back at the platform, if that was not done there."},
	"replaced":       {Says: "It has another key, and its mail is on its way."},
	"erased":         {Says: "What was kept of the customer of this order was erased."},
	"erased-all":     {Says: "What was kept of the customer of this order was erased. Their other orders follow within minutes."},
}

// orderDone returns the band that says what was done. A hold can be undone by who may release,
// where it is the only one.
func orderDone(v *visit, whole wholeOrder) *band {
	b := done(v, ordersDone)
	if b == nil || v.URL.Query().Get("done") != "held" || !v.may("release-order") {
		return b
	}
	onlyByHand := func(f order.Fulfillment) bool {
		return f.State() != order.OnHold || slices.Equal(f.Holds, []order.Hold{order.HoldByHand})
	}
	if !slices.ContainsFunc(whole.lines, func(f order.Fulfillment) bool { return !onlyByHand(f) }) {
		b.Does, b.Button, b.Values = orderPath(whole.id)+"/release", "Undo", map[string]string{"seen": seenOf(whole.lines...)}
	}
	return b
}

// reasonOfOrder says what becomes of a reason.
const reasonOfOrder = "It stands in the order's timeline. Write nothing of the customer's."
