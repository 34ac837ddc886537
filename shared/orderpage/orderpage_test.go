package orderpage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/orderpage"
	"keypool/shared/pool"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const home = "192.0.2.1"

// shop is the pages of orders over tables of their own, with the merchants nova and acme.
type shop struct {
	testing.TB
	*orderpage.Pages
	store  *dynamo.Store
	tables dynamo.Tables
	acts   *lifecycle.Lifecycle
	now    time.Time
	sent   int // mails that were asked for
}

func open(t testing.TB) *shop {
	t.Helper()
	s := &shop{TB: t, now: noon}
	s.store, s.tables = dynamotest.Open(t)
	clock := func() time.Time { return s.now }
	s.Pages = &orderpage.Pages{
		Orders: s.store, Settings: s.store, Common: s.store, Counts: s.store, Keys: &lifecycle.Shower{Store: s.store, Now: clock}, Mails: s, Now: clock,
	}
	s.acts = &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Keys: s.store, Settings: s.store, Fill: nobody{}, By: "api", Now: clock}
	for _, name := range []string{"nova", "acme"} {
		s.must(s.store.PutMerchant(t.Context(), catalog.Merchant{Name: name, Title: name}))
		s.must(s.store.PutProduct(t.Context(), catalog.Product{Merchant: name, ID: "elden", Title: "Elden", Pool: "elden", OrderPage: catalog.OrderPageOn, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}))
	}
	return s
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Resend counts the mails that are asked for.
func (s *shop) Resend(context.Context, order.LineID, lifecycle.Act) (order.Fulfillment, error) {
	s.sent++
	return order.Fulfillment{}, nil
}

// nobody gets the messages that ask for keys.
type nobody struct{}

func (nobody) Send(context.Context, any, time.Duration) error { return nil }

// sold has an order of one key delivered, and returns its line and the token of its page.
func (s *shop) sold(merchant, number string) (order.Fulfillment, string) {
	s.Helper()
	f := order.Fulfillment{
		Merchant: merchant, Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: "1", Product: "elden",
		Quantity: 1, ReceivedAt: s.now, PaidAt: s.now, Customer: order.Customer{Name: "Mara Berg", Email: "mara@example.com"},
	}
	f.Connect("elden", 1, 1)
	f.ID = f.Identity().ID()
	c := order.NewLine(f)
	c.Allocate(dynamotest.Stock(s, s.tables, c.After.PoolID(), 4, "KEY-"+merchant+"-"+number), s.now)
	c.Settle(s.now)
	s.must(s.store.Commit(s.Context(), c))
	return c.After, s.token(c.After)
}

// token returns the token of the page of a line's order, as its mail would have it now.
func (s *shop) token(f order.Fulfillment) string {
	s.Helper()
	m, _, err := s.store.Merchant(s.Context(), f.Merchant)
	s.must(err)
	whole, err := s.store.Whole(s.Context(), f.ID.OrderHalf())
	s.must(err)
	token, err := link.Page{Merchant: f.Merchant, Order: f.ID.OrderHalf(), Number: whole.Link.Number}.Token(m.LinkKey)
	s.must(err)
	return token
}

// answers is what the three things that a token is for say of it.
func (s *shop) answers(token, from string) map[string]error {
	s.Helper()
	_, opened := s.Open(s.Context(), token, from)
	view, shown := s.Show(s.Context(), token, from)
	for _, line := range view.Lines {
		if shown != nil && len(line.Keys) > 0 {
			s.Error("keys, beside an error")
		}
	}
	_, sent := s.Send(s.Context(), token, from)
	return map[string]error{"open": opened, "show": shown, "send": sent}
}

// refused fails the test unless a token is of no use, and changes nothing of the line.
func (s *shop) refused(why, token string, f order.Fulfillment) {
	s.Helper()
	s.now = s.now.Add(time.Hour) // within the limits
	before := s.sent
	for act, err := range s.answers(token, home) {
		if !errors.Is(err, link.ErrInvalid) {
			s.Errorf("%s, to %s: %v", why, act, err)
		}
	}
	if s.sent != before || s.shownAt(f) {
		s.Errorf("%s: a mail is asked for, or keys were shown", why)
	}
}

func (s *shop) shownAt(f order.Fulfillment) bool {
	s.Helper()
	now, _, err := s.store.Fulfillment(s.Context(), f.ID)
	s.must(err)
	return !now.ShownAt.IsZero()
}

// good fails the test unless a token is of use.
func (s *shop) good(why, token string) orderpage.View {
	s.Helper()
	s.now = s.now.Add(time.Hour)
	v, err := s.Open(s.Context(), token, home)
	if err != nil {
		s.Errorf("%s: %v", why, err)
	}
	return v
}

// No token but the last one of the very order opens its page.
func TestToken(t *testing.T) {
	t.Parallel()
	s := open(t)
	f, token := s.sold("nova", "1")
	_, others := s.sold("nova", "2")
	_, acmes := s.sold("acme", "1")
	half := len(f.ID.OrderHalf())
	for why, wrong := range map[string]string{
		"nothing": "", "cut": token[:len(token)-1], "its order alone": token[:half], "its MAC alone": token[half:], "longer": token + "A", "twice": token + token,
		"the MAC of another order":    token[:half] + others[half:],
		"the MAC of another merchant": token[:half] + acmes[half:],
		"of another merchant's key":   acmes[:half] + token[half:],
		"guessed":                     token[:half] + strings.Repeat("A", len(token)-half),
		"in other letters":            strings.ToUpper(token),
		"with a line break":           token[:half] + "\n" + token[half:],
		"with a blank":                " " + token,
		"escaped":                     strings.Replace(token, token[:1], "%"+fmt.Sprintf("%02X", token[0]), 1),
		"padded":                      token + "==",
	} {
		s.refused(why, wrong, f)
	}
	s.good("itself", token)
}

// A bit that is another one makes a token worthless, wherever it is.
func TestToken_bits(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.Counts = boundless{}
	_, token := s.sold("nova", "1")
	for i := range len(token) * 8 {
		altered := []byte(token)
		altered[i/8] ^= 1 << (i % 8)
		if _, err := s.Show(t.Context(), string(altered), home); !errors.Is(err, link.ErrInvalid) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
}

// boundless counts nothing.
type boundless struct{}

func (boundless) CountAttempts(context.Context, string, string, time.Duration, time.Time) (int, error) {
	return 2, nil
}

// FuzzToken holds that no text opens a page but the token of one.
func FuzzToken(f *testing.F) {
	s := open(f)
	s.Counts = boundless{}
	_, token := s.sold("nova", "1")
	for _, seed := range []string{token, "", token[:44-1], strings.ToLower(token), "lost/nova", "../" + token, token + "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		view, err := s.Open(t.Context(), text, home)
		if (err == nil) != (text == token) {
			t.Errorf("%q: %v, %v", text, view.Order, err)
		}
	})
}

// A token is worthless once it was replaced or revoked, and after its time; a new one begins a
// time of its own.
func TestToken_replacedRevokedOld(t *testing.T) {
	t.Parallel()
	s := open(t)
	f, first := s.sold("nova", "1")
	act := lifecycle.Act{By: "ada"}
	_, err := s.acts.ReplaceLink(t.Context(), f, act)
	s.must(err)
	second := s.token(f)
	s.refused("replaced", first, f)
	s.good("the next one", second)
	_, err = s.acts.RevokeLink(t.Context(), f, act)
	s.must(err)
	for why, token := range map[string]string{"revoked": second, "the first, once another was revoked": first, "made after it was revoked": s.token(f)} {
		s.refused(why, token, f)
	}
	s.now = s.now.AddDate(0, 6, 0)
	_, err = s.acts.ReplaceLink(t.Context(), f, act)
	s.must(err)
	third, made := s.token(f), s.now
	s.good("the third", third)
	s.refused("the second, once there is a third", second, f)
	s.now = made.AddDate(0, 0, 365).Add(-time.Hour - 1)
	s.good("a moment before its end", third)
	s.refused("a year later", third, f)
	s.must(s.store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: "nova", Days: 700}))
	s.good("where links are good for longer", third)
	// Nor is one of an order whose product has no page any more.
	p, _, err := s.store.Product(t.Context(), "nova", "elden")
	s.must(err)
	p.OrderPage = catalog.OrderPageOff
	s.must(s.store.PutProduct(t.Context(), p))
	s.refused("of a product without pages", third, f)
}

// Limits count by token and by network: guesses too, and a network of IPv6 as one.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := open(t)
	const left = 5 // of each limit: the others are used up
	s.Counts = used{s.store, map[string]int{"page": 300 - left, "page-keys": 60 - left, "page-network": 1200 - left, "page-send-network": 30 - left}}
	_, token := s.sold("nova", "1")
	from := func(i int) string { return fmt.Sprint("203.0.113.", i) }
	for name, c := range map[string]struct {
		most int
		try  func(i int) error
	}{
		"the page, by its link": {left, func(i int) error { return second(s.Open(t.Context(), token, from(i))) }},
		"keys, by their link":   {left, func(i int) error { return second(s.Show(t.Context(), token, from(20+i))) }},
		"mails, by the link":    {3, func(i int) error { return second(s.Send(t.Context(), token, from(40+i))) }},
		"guesses, of a network": {left, func(i int) error { return second(s.Open(t.Context(), fmt.Sprint(token[:20], i), from(100))) }},
		"guesses, of a network of IPv6": {left, func(i int) error {
			return second(s.Show(t.Context(), fmt.Sprint(token[:20], i), fmt.Sprintf("2001:db8::%x", i)))
		}},
		"mails, of a network": {left, func(i int) error { return second(s.Send(t.Context(), fmt.Sprint(token[:20], i), from(101))) }},
	} {
		for i := range c.most {
			if err := c.try(i); errors.Is(err, orderpage.ErrTooOften) {
				t.Fatalf("%s: too often after %d", name, i)
			}
		}
		if err := c.try(c.most); !errors.Is(err, orderpage.ErrTooOften) {
			t.Errorf("%s: %v after %d", name, err, c.most)
		}
	}
	s.now = s.now.Add(time.Hour)
	if err := second(s.Send(t.Context(), token, home)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// used counts as if there had been so many before.
type used struct {
	access.Counts
	before map[string]int
}

func (u used) CountAttempts(ctx context.Context, what, of string, span time.Duration, now time.Time) (int, error) {
	n, err := u.Counts.CountAttempts(ctx, what, of, span, now)
	return n + u.before[what], err
}

func second[T any](_ T, err error) error { return err }

// A page that many open at once is noted once an hour, and its keys are shown once for the first
// time.
func TestOpen_manyAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	f, token := s.sold("nova", "1")
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := s.Open(t.Context(), token, home); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if v, err := s.Show(t.Context(), token, home); err != nil || len(v.Lines[0].Keys) != 1 || v.Lines[0].Keys[0].Text.Reveal() != "KEY-nova-1" {
				t.Errorf("%+v, %v", v.Lines, err)
			}
		})
	}
	all.Wait()
	history, err := s.store.History(t.Context(), f.ID)
	s.must(err)
	events := map[order.EventKind]int{}
	for _, h := range history {
		events[h.Event]++
	}
	if events[order.PageOpened] != 1 || events[order.KeysShown] < 1 || events[order.KeysShown] > 2 {
		t.Errorf("%v", events)
	}
	if !s.shownAt(f) {
		t.Error("it does not say that its keys were shown")
	}
}

// Keys are shown after that is written, and not if something else came first: what is held,
// given back or disputed at this moment keeps its keys.
func TestShow_isConditional(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(s *shop, f order.Fulfillment) error{
		"a hold": func(s *shop, f order.Fulfillment) error {
			_, err := s.acts.Hold(s.Context(), f.ID, lifecycle.Act{By: "ada"})
			return err
		},
		"a return": func(s *shop, f order.Fulfillment) error {
			whole := order.Whole{ID: f.ID.OrderHalf(), Merchant: f.Merchant, Order: f.Order}
			whole.AddReturn(order.Return{ID: "r1", At: s.now})
			return s.store.PutWhole(s.Context(), whole)
		},
		"a dispute": func(s *shop, f order.Fulfillment) error {
			whole := order.Whole{ID: f.ID.OrderHalf(), Merchant: f.Merchant, Order: f.Order}
			whole.AddDispute("d1", order.DisputeOpen)
			return s.store.PutWhole(s.Context(), whole)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			f, token := s.sold("nova", "1")
			s.Orders = raced{s.store, sync.OnceFunc(func() { s.must(meanwhile(s, f)) })}
			v, err := s.Show(t.Context(), token, home)
			s.must(err)
			if len(v.Lines[0].Keys) > 0 || v.Lines[0].State != orderpage.Held || s.shownAt(f) {
				t.Errorf("%d keys, %s, shown: %v", len(v.Lines[0].Keys), v.Lines[0].State, s.shownAt(f))
			}
		})
	}
}

// raced is orders of which one changes once it was read.
type raced struct {
	orderpage.Orders
	meanwhile func()
}

func (r raced) Order(ctx context.Context, id string) ([]order.Fulfillment, order.Whole, error) {
	lines, whole, err := r.Orders.Order(ctx, id)
	r.meanwhile()
	return lines, whole, err
}
