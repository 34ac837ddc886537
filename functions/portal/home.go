package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/search"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

func (p *portal) homeScreens() []screen {
	return []screen{
		{pattern: "GET /portal", serve: p.home},
		{pattern: "POST /portal/first-steps/leave", does: "put-pool", serve: p.leaveFirstSteps},
		{pattern: "POST /portal/first-steps/keep", does: "put-pool", serve: p.keepFirstSteps},
	}
}

// overview are the reads of the first page, beside those of pools and uploads.
type overview struct {
	lines  *search.Finder
	held   heldBack
	shopIs shopSetUp
}

// heldBack reads what keeps orders from their keys.
type heldBack interface {
	Refusals(ctx context.Context, merchant, before string, limit int) (refusals []order.Refusal, next string, err error)
	Review(ctx context.Context, merchant string) (catalog.Review, error)
}

// shopSetUp reads what a shop has set up beside pools and products.
type shopSetUp interface {
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
	Calls(ctx context.Context, merchant, account string) (catalog.Calls, error)
	Sender(ctx context.Context, merchant string) (catalog.Sender, error)
}

// How much the first page looks at, so that it costs the same however much there is.
const (
	homePools    = 10
	homeLines    = 200 // orders of today
	homeNeeds    = 100 // orders that somebody has to look at
	homeRefusals = 20
	homeAccounts = 10
	homeFiles    = 20
	homeTests    = 5 // test orders
	homeQueues   = 8 // pools that orders wait for

	refusedFor = 24 * time.Hour // how long a refused webhook is told of
)

// homeData is what the first page shows.
type homeData struct {
	Greeting string
	Needs    []need
	Today    *today // nil: the visitor sees no orders
	Pools    []poolRow
	AllPools int
	Steps    []step // before the first sale; none: they are done, or were put away
	Done     int    // of the steps
	Left     bool   // they were put away, and are shown since somebody asked for them
}

// need is a thing that somebody has to do, worst first.
type need struct {
	Class string // of its mark: stop or warn
	Mark  string
	Says  string
	Path  string
	Do    string // the words of its link
}

// today is what has happened since midnight in the merchant's zone.
type today struct {
	Orders, Keys, Delivered, Bounced, OnTheWay, Waiting int
	More                                                bool // there are more orders than were looked at
}

// step is one before the first sale.
type step struct {
	Says, Path, Do string
	Done           bool
	Next           bool // the first that is not done
}

// seen is what the first page has read.
type seen struct {
	stock    settings.Shortest
	needs    search.Page
	today    search.Page
	tests    search.Page
	refusals []order.Refusal
	files    []upload.Upload
	review   catalog.Review
	products []catalog.Product
	heard    bool
	sender   catalog.Sender
}

func (p *portal) home(v *visit) (answer, error) {
	asked, left := v.URL.Query().Has("first-steps"), cookie(v.Request, leftCookie) != ""
	steps := v.may("put-pool") && (asked || !left)
	saw, err := p.look(v, steps)
	if err != nil {
		return answer{}, err
	}
	data := homeData{Greeting: greeting(v) + ", " + v.Called, Needs: needs(v, saw), AllPools: saw.stock.All}
	if v.may("list-orders") {
		data.Today = sum(saw.today)
	}
	for _, of := range saw.stock.Pools {
		data.Pools = append(data.Pools, newPoolRow(of))
	}
	if steps {
		if data.Steps, data.Done = firstSteps(v, saw); data.Done == len(data.Steps) && !asked {
			data.Steps = nil
		}
		data.Left = left
	}
	return answer{page: "home", title: "Home", data: data, band: done(v, map[string]band{"left": {Says: "The first steps are put away in this browser. A link in the settings brings them back."}})}, nil
}

// look reads what the first page shows, all side by side: two round trips.
func (p *portal) look(v *visit, steps bool) (saw seen, err error) {
	var reading errgroup.Group
	read := func(operation string, f func() error) {
		if operation == "" || v.may(operation) {
			reading.Go(f)
		}
	}
	find := func(into *search.Page, q search.Query, limit int) func() error {
		return func() (err error) {
			q.Merchant = v.Merchant
			*into, err = p.lines.Find(v.Context(), q, "", limit)
			return err
		}
	}
	read("list-pools", func() (err error) {
		saw.stock, err = p.pools.Shortest(v.Context(), v.Merchant, homePools)
		return err
	})
	read("list-orders", find(&saw.needs, search.Query{Side: pool.Live, Attention: true}, homeNeeds))
	read("list-orders", find(&saw.today, search.Query{Side: pool.Live, From: midnight(v)}, homeLines))
	read("list-refusals", func() (err error) {
		saw.refusals, _, err = p.held.Refusals(v.Context(), v.Merchant, "", homeRefusals)
		return err
	})
	read("list-uploads", func() (err error) {
		saw.files, _, err = p.uploads.List(v.Context(), v.Merchant, "", homeFiles)
		return err
	})
	read("get-brake", func() (err error) {
		saw.review, err = p.held.Review(v.Context(), v.Merchant)
		return err
	})
	if steps {
		read("list-products", func() (err error) {
			saw.products, _, err = p.productPages.ProductPage(v.Context(), v.Merchant, "", 1)
			return err
		})
		read("list-orders", find(&saw.tests, search.Query{Side: pool.Test}, homeTests))
		read("get-sender", func() (err error) {
			saw.sender, err = p.shopIs.Sender(v.Context(), v.Merchant)
			return err
		})
		read("get-account", func() (err error) {
			saw.heard, err = p.heard(v)
			return err
		})
	}
	return saw, reading.Wait()
}

// heard reports whether a platform has sent a webhook that it signed.
func (p *portal) heard(v *visit) (bool, error) {
	accounts, err := p.shopIs.Accounts(v.Context(), v.Merchant)
	accounts = slices.DeleteFunc(accounts, func(a catalog.Account) bool { return a.Name == settings.TestAccount }) // it is ours
	accounts = accounts[:min(homeAccounts, len(accounts))]
	signed := make([]bool, len(accounts))
	var reading errgroup.Group
	for i, a := range accounts {
		reading.Go(func() error {
			calls, err := p.shopIs.Calls(v.Context(), v.Merchant, a.Name)
			signed[i] = !calls.LastSeenAt.IsZero()
			return err
		})
	}
	err = cmp.Or(reading.Wait(), err)
	return slices.Contains(signed, true), err
}

func zoneOf(v *visit) *time.Location { return frame{v: v}.zone() }

// midnight is when the day began in the merchant's zone.
func midnight(v *visit) time.Time {
	y, m, d := v.now.In(zoneOf(v)).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zoneOf(v))
}

func greeting(v *visit) string {
	switch hour := v.now.In(zoneOf(v)).Hour(); {
	case hour < 5, hour >= 18:
		return "Good evening"
	case hour < 12:
		return "Good morning"
	}
	return "Good day"
}

// sum counts what has happened today.
func sum(page search.Page) *today {
	t := &today{Orders: len(page.Lines), More: page.Next != ""}
	for _, line := range page.Lines {
		t.Keys += line.Allocated
		switch line.Mail.State {
		case outbox.Delivered, outbox.Complained:
			t.Delivered++
		case outbox.Bounced, outbox.Failed:
			t.Bounced++
		case outbox.Due, outbox.Sending, outbox.Sent:
			t.OnTheWay++
		case outbox.None: // nothing was written to the customer
		}
		if line.State() == order.Waiting || line.State() == order.Unconnected {
			t.Waiting++
		}
	}
	return t
}

const (
	attentionPath = homePath + "/orders?show=attention"
)

// needs are the things that somebody has to do, worst first.
func needs(v *visit, saw seen) (list []need) {
	add := func(class, mark, says, path, do string) { list = append(list, need{class, mark, says, path, do}) }
	if b := saw.review.Brake; b.Set() {
		add("stop", "Brake", "The brake is set by "+b.By+": every order waits until somebody releases it.", attentionPath, "Look at the orders")
	}
	list = append(list, waitingNeeds(v, saw)...)
	list = append(list, orderNeeds(v, saw.needs)...)
	refused := 0
	for _, r := range saw.refusals {
		if v.now.Sub(r.At) < refusedFor {
			refused++
		}
	}
	if refused > 0 {
		more := ""
		if refused == homeRefusals {
			more = " or more"
		}
		add("stop", "Refused", phrase.Capital(phrase.Count(refused, "paid order"))+more+" could not be read in the last day.", refusedPath, "See why")
	}
	for _, u := range saw.files {
		if u.State == upload.NeedsConfirmation {
			add("warn", "Needs your answer", "The file "+u.File+" does not look like a list of keys.", uploadPath(u.ID), either(v.may("load-upload"), "Say how to read it", "Look at it"))
		}
	}
	for _, of := range saw.stock.Pools {
		if of.Live.Waiting > 0 || of.Live.Available >= of.LowStock {
			continue
		}
		says := "The pool " + of.Name + " is empty."
		if of.Live.Available > 0 {
			says = phrase.Capital(phrase.Count(of.Live.Available, "key")) + phrase.Plural(of.Live.Available, " is", " are") + " left in " + of.Name + "."
		}
		path, do := addOrLook(v, of.Name, "Add keys")
		add("warn", stockMark(of).Text, says, path, do)
	}
	return list
}

// waitingNeeds are the pools that orders wait for, those that wait the longest first. A pool is
// found by its queue, if it is among those that are short of keys, else by the orders of today and
// those that wait for over an hour.
func waitingNeeds(v *visit, saw seen) []need {
	type queue struct {
		pool, says string
		lines      int
		since      time.Time
	}
	var queues []queue
	for _, of := range saw.stock.Pools {
		if of.Live.Waiting > 0 {
			queues = append(queues, queue{of.Name, phrase.Capital(waiting(of.Live.Waiting)), of.Live.Waiting, of.Live.WaitingSince})
		}
	}
	counted := len(queues)
	type found struct {
		lines map[order.LineID]bool
		since time.Time
	}
	others := map[string]*found{}
	for _, line := range slices.Concat(saw.needs.Lines, saw.today.Lines) {
		if line.State() != order.Waiting || slices.ContainsFunc(queues[:counted], func(q queue) bool { return q.pool == line.Pool }) {
			continue
		}
		f := others[line.Pool]
		if f == nil {
			f = &found{map[order.LineID]bool{}, line.ReceivedAt}
			others[line.Pool] = f
		}
		f.lines[line.ID] = true
		if line.ReceivedAt.Before(f.since) {
			f.since = line.ReceivedAt
		}
	}
	more := saw.needs.Next != "" || saw.today.Next != ""
	for name, f := range others {
		says := phrase.Capital(waiting(len(f.lines)))
		if more {
			says = phrase.Capital(phrase.Count(len(f.lines), "order")) + " or more wait"
		}
		queues = append(queues, queue{name, says, len(f.lines), f.since})
	}
	slices.SortFunc(queues, func(a, b queue) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.pool, b.pool)) })
	var list []need
	for i, q := range queues {
		if i == homeQueues && len(queues) > homeQueues+1 {
			says := "Orders wait for keys of " + phrase.Count(len(queues)-homeQueues, "further pool") + "."
			return append(list, need{"stop", waitingMark.Text, says, ordersPath + "?show=" + string(order.Waiting), "Look at the orders"})
		}
		first := ", the first of them for "
		if q.lines == 1 {
			first = ", for "
		}
		path, do := addOrLook(v, q.pool, "Add keys now")
		list = append(list, need{"stop", waitingMark.Text, q.says + " for keys of " + q.pool + first + lasted(v.now.Sub(q.since)) + ".", path, do})
	}
	return list
}

// addOrLook is what somebody can do about a pool that is short of keys: add some or, who may not,
// look at it, or at the orders that wait.
func addOrLook(v *visit, name, add string) (path, do string) {
	switch {
	case v.may("create-upload"):
		return addPath(name, pool.Live), add
	case v.may("get-pool"):
		return poolPath(name), "Look at the pool"
	}
	return ordersPath + "?show=" + string(order.Waiting), "Look at the orders"
}

// lasted says how long something has lasted.
func lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "a moment"
	case d < time.Hour:
		return phrase.Count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return phrase.Count(int(d/time.Hour), "hour")
	}
	return phrase.Count(int(d/(24*time.Hour)), "day")
}

// orderNeeds are the things to do for orders that do not go on by themselves, but for those that
// wait for keys of a pool.
func orderNeeds(v *visit, page search.Page) (list []need) {
	type group struct {
		kind  order.Mend
		mark  mark
		about string // a product
	}
	members := map[group][]order.Fulfillment{}
	var groups []group
	for _, line := range page.Lines {
		g := group{kind: line.Mend(), mark: lineMark(line)}
		switch g.kind {
		case order.MendNothing, order.MendStock:
			continue
		case order.MendConnect:
			g.about = line.ConnectedBy()
		case order.MendErased, order.MendAddress:
			g.kind = order.MendHold
		case order.MendHold, order.MendMail, order.MendDispute:
		}
		if members[g] == nil {
			groups = append(groups, g)
		}
		members[g] = append(members[g], line)
	}
	worst := []order.Mend{order.MendMail, order.MendConnect, order.MendDispute, order.MendHold}
	slices.SortStableFunc(groups, func(a, b group) int { return slices.Index(worst, a.kind) - slices.Index(worst, b.kind) })
	for _, g := range groups {
		n, or, path := len(members[g]), "", attentionPath
		switch {
		case page.Next != "":
			or = " or more"
		case n == 1:
			path = orderPath(members[g][0].ID.OrderHalf())
		}
		look := "Look at " + phrase.Plural(n, "it", "them")
		say := func(class, says, path, do string) { list = append(list, need{class, g.mark.Text, says, path, do}) }
		count := func(what string) string { return phrase.Capital(phrase.Count(n, what)) + or }
		switch g.kind {
		case order.MendMail:
			says := " reached nobody."
			if g.mark == mailMark(outbox.Entry{State: outbox.Failed}) {
				says = " could not be sent."
			}
			corrects := v.may("resend-order") && v.MayCorrectAddress() == nil
			say("stop", count("mail")+says, path, either(corrects, "Correct "+phrase.Plural(n, "it", "them"), look))
		case order.MendConnect:
			may := v.may("put-product")
			do, to := either(may, "Choose its pool", look), either(may, newProductPath(g.about), path)
			say("stop", "No pool feeds the product "+g.about+": "+phrase.Count(n, "order")+or+phrase.Plural(n, " waits.", " wait."), to, do)
		case order.MendDispute:
			say("warn", count("order")+phrase.Plural(n, " is", " are")+" in dispute: nothing is sent until the platform says how that ended.", path, look)
		case order.MendHold:
			say("warn", count("order")+phrase.Plural(n, " is", " are")+" held until somebody decides.", path, either(v.may("release-order"), "Release or reject", look))
		default: // none is left, as groups are made
		}
	}
	return list
}

func either(is bool, one, other string) string {
	if is {
		return one
	}
	return other
}

// firstSteps are the steps before the first sale.
func firstSteps(v *visit, saw seen) (steps []step, finished int) {
	add, try := poolsPath, productsPath+"/new"
	if len(saw.products) > 0 {
		try = testPurchasePath
	}
	if len(saw.stock.Pools) > 0 {
		add = addPath(saw.stock.Pools[0].Name, pool.Live)
	}
	steps = []step{
		{"Make a pool: it holds the keys of one thing that you sell", poolsPath + "/-/new", "Make it", saw.stock.All > 0, false},
		{"Add its first keys", add, "Add keys", saw.stock.Keys, false},
		{"Set up a product that takes keys from it", productsPath + "/new", "Set it up", len(saw.products) > 0, false},
		{"Connect a payment platform, and hear from it", platformsPath, "Connect one", saw.heard, false},
		{"Make a test purchase, from the order to the mail", try, "Make one", slices.ContainsFunc(saw.tests.Lines, isMailed), false},
		{"Send mails from your own domain", homePath + "/settings/mail", "Set it up", saw.sender.Proven(), false},
	}
	for _, s := range steps {
		if s.Done {
			finished++
		}
	}
	if next := slices.IndexFunc(steps, func(s step) bool { return !s.Done }); next >= 0 {
		steps[next].Next = true
	}
	return steps, finished
}

// isMailed reports whether a line's mail is on its way, or there.
func isMailed(f order.Fulfillment) bool {
	return slices.Contains([]outbox.State{outbox.Sent, outbox.Delivered, outbox.Complained}, f.Mail.State)
}

// leftCookie says that the first steps are not shown any more.
const leftCookie = "__Host-keypool-first-steps"

func (p *portal) leaveFirstSteps(*visit) (answer, error) {
	return answer{see: homePath + "?" + url.Values{"done": {"left"}}.Encode(), cookies: func(w http.ResponseWriter) {
		setCookie(w, leftCookie, "left", 365*24*time.Hour)
	}}, nil
}

// firstStepsPath shows the first steps, also to who has put them away.
const firstStepsPath = homePath + "?first-steps"

func (p *portal) keepFirstSteps(*visit) (answer, error) {
	return answer{see: homePath, cookies: func(w http.ResponseWriter) { setCookie(w, leftCookie, "", 0) }}, nil
}
