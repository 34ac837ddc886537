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

	refusedFor = 24 * time.Hour // how long a refused webhook is told of
)

// homeData is what the first page shows.
type homeData struct {
	Greeting string
	Needs    []need
	Today    *today // nil: the visitor sees no orders
	Pools    []poolRow
	AllPools int
	Steps    []step // before the first sale; none: they are done, or were left
	Done     int    // of the steps
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
	steps := v.may("put-pool") && cookie(v.Request, leftCookie) == ""
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
		data.Steps, data.Done = firstSteps(v, saw)
	}
	return answer{page: "home", title: "Home", data: data, band: done(v, map[string]band{"left": {Says: "The first steps are put away in this browser."}})}, nil
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
	keys := func(of, do string) (path, button string) {
		return offered(v, "create-upload", addPath(of, pool.Live), do, poolPath(of), "Look at it")
	}
	if b := saw.review.Brake; b.Set() {
		add("stop", "Brake", "The brake is set by "+b.By+": every order waits until somebody releases it.", attentionPath, "Look at the orders")
	}
	short := map[string]bool{}
	for _, of := range saw.stock.Pools {
		if of.Live.Waiting > 0 {
			short[of.Name] = true
			path, do := keys(of.Name, "Add keys now")
			add("stop", "Waiting", phrase.Capital(waiting(of.Live.Waiting))+" for keys of "+of.Name+".", path, do)
		}
	}
	list = append(list, orderNeeds(v, saw.needs, short)...)
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
		add("stop", "Refused", phrase.Capital(phrase.Count(refused, "paid order"))+more+" could not be read in the last day.", platformsPath, "See why")
	}
	for _, u := range saw.files {
		if u.State == upload.NeedsConfirmation {
			path, do := offered(v, "load-upload", uploadPath(u.ID), "Say how to read it", uploadPath(u.ID), "Look at it")
			add("warn", "Question", "The file "+u.File+" waits: it does not read like a list of keys.", path, do)
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
		path, do := keys(of.Name, "Add keys")
		add("warn", "Low", says, path, do)
	}
	return list
}

// offered is where a need ends, or, for who may not do what ends it, where it is seen.
func offered(v *visit, operation, path, do, seen, look string) (string, string) {
	if v.may(operation) {
		return path, do
	}
	return seen, look
}

// orderNeeds are the things to do for orders that do not go on by themselves, but for those that
// wait for keys of a pool that is named already.
func orderNeeds(v *visit, page search.Page, short map[string]bool) (list []need) {
	type group struct {
		kind  order.Mend
		about string // a product or a pool
	}
	counts := map[group]int{}
	var groups []group
	for _, line := range page.Lines {
		g := group{kind: line.Mend()}
		switch g.kind {
		case order.MendNothing:
			continue
		case order.MendConnect:
			g.about = line.ConnectedBy()
		case order.MendStock:
			if g.about = line.Pool; short[g.about] {
				continue
			}
		case order.MendDispute, order.MendErased, order.MendAddress:
			g.kind = order.MendHold
		case order.MendHold, order.MendMail:
		}
		if counts[g]++; counts[g] == 1 {
			groups = append(groups, g)
		}
	}
	worst := []order.Mend{order.MendStock, order.MendMail, order.MendConnect, order.MendHold}
	slices.SortStableFunc(groups, func(a, b group) int { return slices.Index(worst, a.kind) - slices.Index(worst, b.kind) })
	for _, g := range groups {
		n, or, look := counts[g], "", "Look at "+phrase.Plural(counts[g], "it", "them")
		if page.Next != "" {
			or = " or more"
		}
		switch g.kind {
		case order.MendStock:
			path, do := offered(v, "create-upload", addPath(g.about, pool.Live), "Add keys now", attentionPath, look)
			list = append(list, need{"stop", "Waiting", phrase.Capital(phrase.Count(n, "order")) + or + phrase.Plural(n, " waits", " wait") + " for keys of " + g.about + " for over an hour.", path, do})
		case order.MendMail:
			path, do := offered(v, "resend-order", attentionPath, "Correct "+phrase.Plural(n, "it", "them"), attentionPath, look)
			list = append(list, need{"stop", "Bounced", phrase.Capital(phrase.Count(n, "mail")) + or + " reached nobody.", path, do})
		case order.MendConnect:
			path, do := offered(v, "put-product", newProductPath(g.about), "Connect it", attentionPath, look)
			list = append(list, need{"stop", "Not connected", "No pool feeds the product " + g.about + ": " + phrase.Count(n, "order") + or + phrase.Plural(n, " waits.", " wait."), path, do})
		case order.MendHold:
			path, do := offered(v, "release-order", attentionPath, "Release or reject", attentionPath, look)
			list = append(list, need{"warn", "On hold", phrase.Capital(phrase.Count(n, "order")) + or + phrase.Plural(n, " is", " are") + " held until somebody decides.", path, do})
		default: // none is left, as groups are made
		}
	}
	return list
}

// firstSteps are the steps before the first sale, none if all are done.
func firstSteps(v *visit, saw seen) (steps []step, finished int) {
	add, try := poolsPath, productsPath+"/new"
	if len(saw.products) > 0 {
		try = testPurchasePath
	}
	if len(saw.stock.Pools) > 0 {
		add = addPath(saw.stock.Pools[0].Name, pool.Live)
	}
	steps = []step{
		{"A pool, which holds the keys of one thing that you sell", poolsPath + "/-/new", "Make it", saw.stock.All > 0},
		{"The first keys", add, "Add keys", saw.stock.Keys},
		{"A product that takes keys from the pool", productsPath + "/new", "Set it up", len(saw.products) > 0},
		{"A payment platform that we heard from", platformsPath, "Connect one", saw.heard},
		{"A test order, from the platform to the mail", try, "Send one", slices.ContainsFunc(saw.tests.Lines, isMailed)},
		{"Mails from your own domain", homePath + "/settings/mail", "Set it up", saw.sender.Proven()},
	}
	for _, s := range steps {
		if s.Done {
			finished++
		}
	}
	if finished == len(steps) {
		return nil, finished
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
