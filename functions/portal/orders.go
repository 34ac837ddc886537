package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/inventory"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/orderpage"
	"keypool/shared/phrase"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/search"
)

const ordersPath = homePath + "/orders"

// orderDesk holds the use cases of orders.
type orderDesk struct {
	store   orderStore
	search  *search.Finder
	numbers *search.Numbers
	keys    *inventory.Finder
	origins *inventory.Origins
	acts    *lifecycle.Lifecycle
	shower  *lifecycle.Shower
	eraser  *lifecycle.Eraser
	review  *review.Desk
	jobs    *inventory.Jobs
	pages   *orderpage.Pages
	byHand  *intake.ByHand
}

// newOrderDesk returns the use cases of orders over the tables. Fill and jobs are the queues
// of those functions. MostUnits is how many units a line may have.
func newOrderDesk(store *dynamo.Store, merchants *catalog.Cached, fill, jobs lifecycle.Sender, mostUnits int, now func() time.Time) *orderDesk {
	acts := &lifecycle.Lifecycle{
		Store: store, Wholes: store, Uploads: store, Notices: store, Keys: store, Corrections: store, Settings: store,
		Fill: fill, By: "portal", Now: now,
	}
	shower := &lifecycle.Shower{Store: store, Now: now}
	return &orderDesk{
		store:   store,
		search:  &search.Finder{Merchants: merchants, Lines: store, Now: now},
		numbers: &search.Numbers{Accounts: store},
		keys:    &inventory.Finder{Merchants: merchants, Keys: store, Lines: store, Uploads: store},
		origins: &inventory.Origins{Keys: store, Uploads: store},
		acts:    acts,
		shower:  shower,
		eraser:  &lifecycle.Eraser{Lines: store, Words: store, Fill: fill, Now: now},
		review:  &review.Desk{Changes: acts, Held: store, Brakes: store, Now: now},
		jobs:    &inventory.Jobs{Store: store, Pools: store, Uploads: store, Merchants: store, Queue: jobs, Now: now},
		pages:   &orderpage.Pages{Settings: merchants, Common: catalog.NewCachedOrderPages(store, now), Keys: shower, Now: now},
		byHand: &intake.ByHand{
			Claims: &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: fill, Notices: store, By: "portal", Now: now},
			Orders: store, Notices: store, MaxQuantity: mostUnits,
		},
	}
}

// orderStore reads orders.
type orderStore interface {
	// Lines returns the lines of an order, none if there is no such order.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
	// Order returns the lines of an order, and what is known of it as a whole.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)
	// OrderHistory returns the events of each line of an order, oldest first.
	OrderHistory(ctx context.Context, orderID string) (map[order.LineID][]order.History, error)
	// QueuePlace returns the place of a line in its queue, up to most; 0: it does not wait.
	QueuePlace(ctx context.Context, f order.Fulfillment, most int) (int, error)
}

func (p *portal) orderScreens() []screen {
	return slices.Concat(
		[]screen{
			{pattern: "GET /portal/orders", does: "list-orders", serve: p.listOrders},
			{pattern: "POST /portal/find", does: "list-orders", serve: p.find},
			{pattern: "GET /portal/orders/{order}", does: "get-order", serve: p.order},
		},
		p.actScreens(),
		p.linkScreens(),
		p.byHandScreens(),
	)
}

// listed is how many lines a page of the list has.
const listed = 50

// shows are what the list can be narrowed to, by the word in its address.
var shows = []option{
	{"", "All orders"},
	{"attention", "Those that need somebody"},
	{string(order.Waiting), "Waiting for keys, the oldest first"},
	{string(order.Unconnected), "Of products that no pool feeds"},
	{string(order.OnHold), "On hold"},
	{string(order.Fulfilled), "Fulfilled"},
	{string(order.Returned), "Given back"},
}

// ordersPage is what the list shows.
type ordersPage struct {
	Form     form
	Views    []place
	Shows    []option
	Sides    []option
	Orders   []orderRow
	Next     string // where the next page starts
	Filtered bool
	Test     bool
	Brake    catalog.Brake

	Send, Release                bool // lines that are listed can be sent again, or released
	MaySetBrake, MayReleaseBrake bool

	DecideAll bool // those that rules hold
}

// orderRow is an order in a list.
type orderRow struct {
	Path, Number string
	Customer     string // empty: nothing is known
	Email        string
	Test         bool
	Lines        []lineRow
	At           time.Time
}

// lineRow is a line of an order in a list.
type lineRow struct {
	Product  string
	Quantity int
	Mark     mark
	Seen     string // see seenOf; "": nothing can be done to it from the list
}

// newOrderRows returns orders as a list shows them. Act reports whether something can be done to a
// line from the list; nil: nothing can.
func newOrderRows(orders [][]order.Fulfillment, act func(order.Fulfillment) bool) []orderRow {
	rows := make([]orderRow, len(orders))
	for i, lines := range orders {
		first := lines[0]
		rows[i] = orderRow{
			Path: orderPath(first.ID.OrderHalf()), Number: first.Order, Customer: first.Customer.Name, Email: first.Customer.Email,
			Test: first.Side == pool.Test, At: first.ReceivedAt,
		}
		for _, line := range lines {
			row := lineRow{Product: productName(line), Quantity: line.Quantity, Mark: lineMark(line)}
			if act != nil && act(line) {
				row.Seen = seenOf(line)
			}
			rows[i].Lines = append(rows[i].Lines, row)
		}
	}
	return rows
}

func orderPath(id string) string { return ordersPath + "/" + id }

// views are the lists that one press leads to, each by what its address asks for.
var views = []struct{ name, show, side string }{
	{"All", "", ""},
	{"Need somebody", "attention", ""},
	{"Waiting", string(order.Waiting), ""},
	{"On hold", string(order.OnHold), ""},
	{"Tests", "", "test"},
}

// viewsOf returns the lists that one press leads to, as who has asked for one sees them.
func viewsOf(in url.Values) []place {
	var all []place
	for _, view := range views {
		path := ordersPath
		if view.show != "" {
			path += "?show=" + view.show
		}
		if view.side != "" {
			path += "?side=" + view.side
		}
		all = append(all, place{view.name, path, in.Get("show") == view.show && in.Get("side") == view.side})
	}
	return all
}

// listOrders shows the orders that fit the filters, the newest first, or those that wait, the
// oldest first.
func (p *portal) listOrders(v *visit) (answer, error) {
	in := v.URL.Query()
	page := ordersPage{
		Form: form{Values: in}, Views: viewsOf(in), Shows: shows, Sides: []option{{"", "Paid orders"}, {"test", "Test orders"}}, Test: in.Get("side") == "test",
		MaySetBrake: v.may("set-brake"), MayReleaseBrake: v.may("release-brake"),
	}
	for name, values := range in {
		page.Filtered = page.Filtered || name != "after" && name != "done" && name != "n" && name != "left" && name != "more" && strings.Join(values, "") != ""
	}
	q := search.Query{
		Merchant: v.Merchant, Side: pool.SideOf(page.Test), Product: strings.TrimSpace(in.Get("product")),
		From: day(v, in.Get("from"), 0), Until: day(v, in.Get("until"), 1),
	}
	switch show := in.Get("show"); show {
	case "attention":
		q.Attention = true
	case string(order.Waiting):
		q.Waiting = true
	case string(order.OnHold), string(order.Unconnected): // they are among those that need somebody
		q.Attention, q.State = true, order.State(show)
	default:
		if slices.ContainsFunc(shows, func(o option) bool { return o.Value == show }) {
			q.State = order.State(show)
		}
	}
	var found search.Page
	reading, ctx := errgroup.WithContext(v.Context())
	reading.Go(func() (err error) {
		found, err = p.orders.search.Find(ctx, q, in.Get("after"), listed)
		return err
	})
	reading.Go(func() error {
		set, err := p.orders.review.Brakes.Review(ctx, v.Merchant)
		page.Brake = set.Brake
		return err
	})
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	maySend, mayRelease := v.may("resend-order"), v.may("release-order")
	page.Orders, page.Next = newOrderRows(found.Orders(), func(line order.Fulfillment) bool {
		send, release, byRule := maySend && line.Mailable(), mayRelease && line.Releasable(), line.HeldByRule()
		page.DecideAll = page.DecideAll || byRule && in.Get("show") == string(order.OnHold) && v.may("release-held")
		page.Send, page.Release = page.Send || send, page.Release || release
		return send || release
	}), found.Next
	return answer{page: "orders", title: "Orders", data: page, band: severalDone(v)}, nil
}

// day returns the beginning of a day in the merchant's zone, or of one that many days later;
// the zero time for what is no day.
func day(v *visit, typed string, later int) time.Time {
	at, err := time.ParseInLocation(time.DateOnly, typed, zoneOf(v))
	if err != nil {
		return time.Time{}
	}
	return at.AddDate(0, 0, later)
}

// severalDone returns the band that says what was done to several orders.
func severalDone(v *visit) *band {
	q := v.URL.Query()
	says := map[string]string{"sent": "mailed again", "released": "released from hold", "rejected": "rejected"}[q.Get("done")]
	if says == "" {
		return doneBrake(v)
	}
	b := &band{Class: "good", Says: phrase.Capital(counted(q, "n")) + " " + says + "."}
	if left := q.Get("left"); left != "" && left != "0" {
		b.Class = "warn"
		b.Says += " " + phrase.Capital(counted(q, "left")) + " left alone: what has changed meanwhile, or is in a state that does not allow it."
	}
	if q.Has("more") {
		b.Class = "warn"
		b.Says += " There are more, which did not fit in at once: press the button again."
	}
	return b
}

// counted says how many lines the address of a page counts.
func counted(q url.Values, name string) string {
	n := 0
	for _, digit := range q.Get(name) {
		if digit < '0' || digit > '9' || n > 1000 {
			return "some order lines were"
		}
		n = n*10 + int(digit-'0')
	}
	return phrase.Count(n, "order line") + " " + phrase.Plural(n, "was", "were")
}
