// Package orderpage is the page of an order: what its customer, who has a link, sees and can
// do there.
//
// A link names an order and is signed (see link.Page): nothing is stored of it. Links that were
// cut, made up, replaced, revoked, or have ended, and those of orders whose products have no
// page by now, are all link.ErrInvalid.
//
// To look at the page shows no key. To show the keys is an act of its own, which programs that
// look at mails do not do by following links; see lifecycle.Shower.
package orderpage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Orders reads orders, and notes that they were looked at.
type Orders interface {
	// Order returns the lines of an order, and what is known of it as a whole.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)
	// QueuePlace returns the place of a line in its queue, up to most; 0: it does not wait.
	QueuePlace(ctx context.Context, f order.Fulfillment, most int) (int, error)
	// AddHistory adds to the history of a line. The same entry twice is stored once.
	AddHistory(ctx context.Context, h order.History) error
}

// Settings are those that pages are made with, at most half a minute old.
type Settings interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// Mails has the mails of lines sent again: see lifecycle.Lifecycle.
type Mails interface {
	Resend(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
}

// Pages shows the pages of orders. It is safe for concurrent use.
type Pages struct {
	Orders   Orders
	Settings Settings
	Common   catalog.OrderPageReader // at most half a minute old
	Counts   access.Counts           // nil where no page is opened by its link
	Keys     *lifecycle.Shower
	Mails    Mails
	Shops    *catalog.Cache[[]catalog.Account] // of a merchant; for Lost only
	Now      func() time.Time
}

// By is who acts in histories where a customer does.
const By = "orderpage"

// The limits. A customer comes back to a page, and an office has one network address. To have
// the mail sent again a few times is enough.
var (
	viewsOfLink    = access.Limit{What: "page", Most: 300, Span: time.Hour}
	viewsOfNetwork = access.Limit{What: "page-network", Most: 1200, Span: time.Hour}
	keysOfLink     = access.Limit{What: "page-keys", Most: 60, Span: time.Hour}
	sendsOfLink    = access.Limit{What: "page-send", Most: 3, Span: time.Hour}
	sendsOfNetwork = access.Limit{What: "page-send-network", Most: 30, Span: time.Hour}
)

// ErrTooOften means that a link, or a network, was used too often in this hour.
var ErrTooOften = errors.New("the page was used too often")

// State is how a line stands to its customer.
type State string

// The states.
const (
	Ready    State = "ready"    // its keys can be shown
	Waiting  State = "waiting"  // they are to come
	Partly   State = "partly"   // some are there, and the others to come
	Held     State = "held"     // they are not shown until somebody has looked at the order
	Returned State = "returned" // they are not shown any more
	Renewed  State = "renewed"  // they are those of the order that this one renews
	Erased   State = "erased"   // nothing of its customer is kept
)

// StateOf returns how a line stands to its customer. W is what is known of its order.
func StateOf(f order.Fulfillment, w order.Whole) State {
	reason, forbidden := w.Forbids(f)
	switch {
	case !f.ErasedAt.IsZero():
		return Erased
	case f.State() == order.Returned || reason == "OrderReturned":
		return Returned
	case f.State() == order.OnHold || forbidden || f.Surplus() > 0:
		return Held
	case f.KeysOfParent:
		return Renewed
	case f.Showable(w):
		return Ready
	case f.Allocated > 0:
		return Partly
	default:
		return Waiting
	}
}

// Line is a line of an order that has a page.
type Line struct {
	order.Fulfillment
	State   State
	Product catalog.Product
	Place   int        // in the queue; 0: it is not shown
	Keys    []pool.Key // of Show, where they may be shown
}

// Title is the product's name, as customers know it.
func (l Line) Title() string {
	for _, name := range []string{l.Product.Title, l.Fulfillment.Title} {
		if strings.TrimSpace(name) != "" {
			return name
		}
	}
	return l.Fulfillment.Product
}

// View is the page of an order.
type View struct {
	Merchant catalog.Merchant
	Order    string // as the platform names it
	Test     bool
	PaidAt   time.Time
	Language string // of the order
	Lines    []Line // those of products that have a page, at least one
	Ends     time.Time
	Link     link.Page

	whole order.Whole
	all   []order.Fulfillment
}

// Any reports whether a line is in the state.
func (v View) Any(state State) bool {
	for _, line := range v.Lines {
		if line.State == state {
			return true
		}
	}
	return false
}

// Address returns the address that the mail is sent to again, as a stranger may see it; "":
// there is nothing to send, or nobody to send it to.
func (v View) Address() string {
	for _, line := range v.Lines {
		if line.sends() {
			return Mask(line.Customer.Email)
		}
	}
	return ""
}

// sends reports whether the line's mail can be sent again.
func (l Line) sends() bool {
	return (l.State == Ready || l.State == Renewed) && l.Complete() && l.Customer.Email != ""
}

// Mask returns an address of which its owner knows that it is theirs, and nobody else whose:
// "m•••@example.com".
func Mask(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	_, n := utf8.DecodeRuneInString(local)
	return local[:n] + "•••@" + domain
}

// Open returns the page that a link leads to, and notes once an hour that it was opened. Its
// error is link.ErrInvalid or ErrTooOften.
func (p *Pages) Open(ctx context.Context, token, from string) (View, error) {
	v, attempts, err := p.read(ctx, token, map[access.Limit]string{viewsOfLink: token, viewsOfNetwork: access.Network(from)})
	if err != nil {
		return v, err
	}
	common, err := p.Common.OrderPages(ctx, v.Merchant.Name)
	if err != nil {
		return v, err
	}
	var asks errgroup.Group
	if attempts[viewsOfLink] == 1 {
		asks.Go(func() error {
			h := order.History{Line: v.Lines[0].ID, At: p.Now(), Event: order.PageOpened, By: By}
			if err := p.Orders.AddHistory(ctx, h); err != nil {
				slog.WarnContext(ctx, "history.lost", "line", string(h.Line), "event_kind", string(h.Event), "error", err)
			}
			return nil
		})
	}
	if common.QueuePlace {
		p.findPlaces(ctx, &asks, v)
	}
	return v, asks.Wait()
}

// mostInQueue is the last place in a queue that is counted: from there on, none is shown.
const mostInQueue = 1000

func (p *Pages) findPlaces(ctx context.Context, asks *errgroup.Group, v View) {
	for i, line := range v.Lines {
		if line.State != Waiting && line.State != Partly {
			continue
		}
		asks.Go(func() error {
			place, err := p.Orders.QueuePlace(ctx, line.Fulfillment, mostInQueue)
			if place < mostInQueue {
				v.Lines[i].Place = place
			}
			return err
		})
	}
}

// Show returns the page that a link leads to with its keys, as far as they may be shown. It
// writes first that they are: see lifecycle.Shower. Its error is link.ErrInvalid or
// ErrTooOften.
func (p *Pages) Show(ctx context.Context, token, from string) (View, error) {
	v, attempts, err := p.read(ctx, token, map[access.Limit]string{keysOfLink: token, viewsOfNetwork: access.Network(from)})
	if err != nil {
		return v, err
	}
	return v, p.show(ctx, &v, attempts[keysOfLink] == 1, By)
}

func (p *Pages) show(ctx context.Context, v *View, tell bool, by string) error {
	places := map[order.LineID]int{}
	for i, line := range v.Lines {
		if line.State == Ready {
			places[line.ID] = i
		}
	}
	if len(places) == 0 {
		return nil
	}
	shown, err := p.Keys.Show(ctx, v.Link.Order, &lifecycle.Read{Lines: v.all, Whole: v.whole}, func(f order.Fulfillment) bool {
		_, is := places[f.ID]
		return is && f.ErasedAt.IsZero()
	}, tell, lifecycle.Act{By: by})
	for _, s := range shown {
		v.Lines[places[s.Line.ID]].Keys = s.Keys
	}
	for _, i := range places {
		if v.Lines[i].Keys == nil {
			v.Lines[i].State = Held // it came meanwhile
		}
	}
	return err
}

// Send has the mails with the keys sent again, to the address of the order. Its error is
// link.ErrInvalid or ErrTooOften.
func (p *Pages) Send(ctx context.Context, token, from string) (View, error) {
	v, _, err := p.read(ctx, token, map[access.Limit]string{sendsOfLink: token, sendsOfNetwork: access.Network(from)})
	if err != nil {
		return v, err
	}
	for _, line := range v.Lines {
		if !line.sends() {
			continue
		}
		if _, err := p.Mails.Resend(ctx, line.ID, lifecycle.Act{By: By}); err != nil && !errors.Is(err, order.ErrState) {
			return v, err
		}
	}
	return v, nil
}

// read returns the page that a link leads to. The order is read beside the counts, and the
// settings after that.
func (p *Pages) read(ctx context.Context, token string, limits map[access.Limit]string) (View, access.Attempts, error) {
	id, err := link.PageOrder(token)
	var v View
	var attempts access.Attempts
	reading, group := errgroup.WithContext(ctx)
	reading.Go(func() (err error) {
		attempts, err = access.CountAttempts(group, p.Counts, p.Now(), limits)
		return err
	})
	if err == nil {
		reading.Go(func() (err error) {
			v.all, v.whole, err = p.Orders.Order(group, id)
			return err
		})
	}
	if failed := reading.Wait(); failed != nil {
		return v, nil, failed
	}
	if !attempts.Within() {
		return v, nil, ErrTooOften
	}
	if err == nil {
		v, err = p.view(ctx, id, v.all, v.whole)
	}
	if err == nil && (v.Link.Check(token, v.Merchant.LinkKey) != nil || v.whole.Link.Revoked || !p.Now().Before(v.Ends)) {
		err = link.ErrInvalid
	}
	if err != nil {
		return View{}, nil, err
	}
	return v, attempts, nil
}

// Link says how the link of an order's page stands.
type Link string

// What it says.
const (
	NoPage      Link = ""        // the order has no page: its products have none
	LinkGood    Link = "good"    // whoever has it sees the page
	LinkRevoked Link = "revoked" // there is none until another is made
	LinkEnded   Link = "ended"   // it was made too long ago
)

// LinkOf returns the page of an order as it was read, and how its link stands. There is no View
// with NoPage.
func (p *Pages) LinkOf(ctx context.Context, read lifecycle.Read) (View, Link, error) {
	if len(read.Lines) == 0 {
		return View{}, NoPage, nil
	}
	v, err := p.view(ctx, read.Lines[0].ID.OrderHalf(), read.Lines, read.Whole)
	switch {
	case errors.Is(err, link.ErrInvalid):
		return View{}, NoPage, nil
	case err != nil:
		return View{}, NoPage, err
	case v.whole.Link.Revoked:
		return v, LinkRevoked, nil
	case !p.Now().Before(v.Ends):
		return v, LinkEnded, nil
	}
	return v, LinkGood, nil
}

// Of returns the page of an order as it was read, false if nobody can open it.
func (p *Pages) Of(ctx context.Context, read lifecycle.Read) (View, bool, error) {
	v, stands, err := p.LinkOf(ctx, read)
	if err != nil || stands != LinkGood {
		return View{}, false, err
	}
	return v, true, nil
}

// LinkOfPaid returns the address, below the public one, of the page of the order that these lines
// are being paid for, false if nobody can open it. They need not be stored yet.
func (p *Pages) LinkOfPaid(ctx context.Context, public string, paid []order.Fulfillment) (string, bool, error) {
	lines, whole, err := p.Orders.Order(ctx, paid[0].ID.OrderHalf())
	if err != nil {
		return "", false, err
	}
	for _, line := range paid {
		isThis := func(stored order.Fulfillment) bool { return stored.ID == line.ID }
		if i := slices.IndexFunc(lines, isThis); i >= 0 && !lines[i].Expected {
			continue
		}
		lines = slices.DeleteFunc(lines, isThis)
		line.ReceivedAt = p.Now()
		lines = append(lines, line)
	}
	v, opens, err := p.Of(ctx, lifecycle.Read{Lines: lines, Whole: whole})
	if err != nil || !opens {
		return "", false, err
	}
	address, err := v.URL(public)
	return address, err == nil, err
}

// ShowTo adds the keys to a page, as far as they may be shown, for somebody who asks for them
// otherwise than by its link. Each time is in the history.
func (p *Pages) ShowTo(ctx context.Context, v *View, by string) error {
	return p.show(ctx, v, true, by)
}

// URL returns the address of the page below the public one.
func (v View) URL(public string) (string, error) { return v.Link.URL(public, v.Merchant.LinkKey) }

// view returns the page of an order.
func (p *Pages) view(ctx context.Context, id string, lines []order.Fulfillment, whole order.Whole) (View, error) {
	if len(lines) == 0 {
		return View{}, link.ErrInvalid
	}
	first := lines[0]
	v := View{
		Order: first.Order, Test: first.Side == pool.Test, Link: link.Page{Merchant: first.Merchant, Order: id, Number: whole.Link.Number},
		all: lines, whole: whole,
	}
	var there bool
	var common catalog.OrderPages
	products := make([]catalog.Product, len(lines))
	var reading errgroup.Group
	reading.Go(func() (err error) {
		v.Merchant, there, err = p.Settings.Merchant(ctx, first.Merchant)
		return err
	})
	reading.Go(func() (err error) {
		common, err = p.Common.OrderPages(ctx, first.Merchant)
		return err
	})
	for i, line := range lines {
		reading.Go(func() (err error) {
			products[i], _, err = catalog.LineProduct(ctx, p.Settings, line.Merchant, line.Product, line.Original)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return View{}, err
	}
	v.Ends = common.Ends(whole.Link.Since(lines...))
	for i, line := range lines {
		if line.Expected || !products[i].HasOrderPage(common) {
			continue
		}
		if len(v.Lines) == 0 {
			v.Language, v.PaidAt = line.Language, line.PaidAt
			if v.PaidAt.IsZero() {
				v.PaidAt = line.ReceivedAt
			}
		}
		v.Lines = append(v.Lines, Line{Fulfillment: line, State: StateOf(line, whole), Product: products[i]})
	}
	if !there || len(v.Lines) == 0 {
		return View{}, link.ErrInvalid
	}
	return v, nil
}
