package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/orderpage"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

const public = "https://keys.example.com"

// pageReads counts what is read for the pages of orders, through the caches.
type pageReads struct {
	*dynamo.Store
	of *shop
}

func (p pageReads) Order(ctx context.Context, id string) ([]order.Fulfillment, order.Whole, error) {
	p.of.pageReads++
	if p.of.pageErr != nil {
		return nil, order.Whole{}, p.of.pageErr
	}
	return p.Store.Order(ctx, id)
}

func (p pageReads) OrderPages(ctx context.Context, merchant string) (catalog.OrderPages, error) {
	p.of.pageReads++
	return p.Store.OrderPages(ctx, merchant)
}

// answersPage has the answers of an account name the pages of orders, and every order have one.
func (s *shop) answersPage(t *testing.T) {
	t.Helper()
	s.change(t, func(a *catalog.Account) { a.Settings = json.RawMessage(`{"order_page_in_answer":true}`) })
	s.pages(t, catalog.OrderPages{Default: catalog.OrderPageOn})
}

func (s *shop) change(t *testing.T, change func(a *catalog.Account)) {
	t.Helper()
	a, _, err := s.store.Account(t.Context(), "acme", "standard")
	if err != nil {
		t.Fatal(err)
	}
	change(&a)
	if err := s.store.PutAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) pages(t *testing.T, o catalog.OrderPages) {
	t.Helper()
	o.Merchant = "acme"
	if err := s.store.PutOrderPages(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) product(t *testing.T, page catalog.OrderPage) {
	t.Helper()
	p, _, err := s.store.Product(t.Context(), "acme", "game")
	if err != nil {
		t.Fatal(err)
	}
	p.OrderPage = page
	if err := s.store.PutProduct(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// pageIn returns the order_page of the answer to a webhook that is taken.
func (s *shop) pageIn(t *testing.T, event string, change ...string) string {
	t.Helper()
	r := fixture(t, event)
	r.Body = strings.NewReplacer(change...).Replace(r.Body)
	sign(t, &r, s.now)
	status, body := s.call(t, r)
	var answer struct {
		Order string
		Page  *string `json:"order_page"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Order == "" {
		t.Fatalf("%s is answered %d %s, %v", event, status, body, err)
	}
	if answer.Page == nil {
		return ""
	}
	if *answer.Page == "" {
		t.Errorf("the answer has a link that is empty: %s", body)
	}
	return *answer.Page
}

// wantPage is the link of an order, as its mail has it.
func (s *shop) wantPage(t *testing.T, number string, side pool.Side, replaced int) string {
	t.Helper()
	m, _, err := s.store.Merchant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	page := link.Page{Merchant: "acme", Order: s.order(number, side), Number: replaced}
	address, err := page.URL(public, m.LinkKey)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (*shop) order(number string, side pool.Side) string {
	return order.Identity{Merchant: "acme", Side: side, Origin: "its own id", Order: number}.OrderID()
}

// The answer to a paid order names its page where the account is set so, the first time and each
// time the order is sent again, and where the order has a page.
func TestOrderPage_inTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(t *testing.T, s *shop)
		want bool
	}{
		"an account like any other": {func(t *testing.T, s *shop) { s.pages(t, catalog.OrderPages{Default: catalog.OrderPageOn}) }, false},
		"one that is set so":        {func(t *testing.T, s *shop) { s.answersPage(t) }, true},
		"one that is set not to": {func(t *testing.T, s *shop) {
			s.answersPage(t)
			s.change(t, func(a *catalog.Account) { a.Settings = json.RawMessage(`{"order_page_in_answer":false}`) })
		}, false},
		"no orders have pages": {func(t *testing.T, s *shop) {
			s.change(t, func(a *catalog.Account) { a.Settings = json.RawMessage(`{"order_page_in_answer":true}`) })
		}, false},
		"those of the product have": {func(t *testing.T, s *shop) {
			s.change(t, func(a *catalog.Account) { a.Settings = json.RawMessage(`{"order_page_in_answer":true}`) })
			s.product(t, catalog.OrderPageOn)
		}, true},
		"those of the product have none": {func(t *testing.T, s *shop) {
			s.answersPage(t)
			s.product(t, catalog.OrderPageOff)
		}, false},
		"an account that passes over other products": {func(t *testing.T, s *shop) {
			s.answersPage(t)
			s.change(t, func(a *catalog.Account) { a.OtherProducts = catalog.OthersIgnored })
		}, true},
		"an order that was paid before the account delivers": {func(t *testing.T, s *shop) {
			s.answersPage(t)
			s.change(t, func(a *catalog.Account) { a.DeliversFrom = now })
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			c.set(t, s)
			want := ""
			if c.want {
				want = s.wantPage(t, "10001", pool.Live, 0)
			}
			for range 2 {
				if got := s.pageIn(t, "good_order_paid"); got != want {
					t.Errorf("the answer names %q, want %q", got, want)
				}
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}

// An order has a page if one of its products has.
func TestOrderPage_ofSomeLines(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	s.product(t, catalog.OrderPageOff)
	if got := s.pageIn(t, "good_order_paid_lines"); got != s.wantPage(t, "10003", pool.Live, 0) {
		t.Errorf("the answer names %q", got)
	}
}

// The link that an answer has opens the order's page.
func TestOrderPage_opens(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	token, is := strings.CutPrefix(s.pageIn(t, "good_order_paid"), public+link.PagePath)
	pages := orderpage.Pages{Orders: s.store, Settings: s.store, Common: s.store, Counts: s.store, Now: func() time.Time { return s.now }}
	view, err := pages.Open(t.Context(), token, "192.0.2.1")
	if !is || err != nil || view.Order != "10001" || len(view.Lines) != 1 || view.Lines[0].State != orderpage.Ready {
		t.Errorf("%t, %v: the link opens %+v", is, err, view)
	}
}

// An order that is sent again is answered with the link that is good by then.
func TestOrderPage_asTheLinkStands(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	s.pageIn(t, "good_order_paid")
	lines, _, err := s.store.Order(t.Context(), s.order("10001", pool.Live))
	if err != nil || len(lines) != 1 {
		t.Fatal(lines, err)
	}
	acts := &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Settings: s.store, Fill: ignore{}, By: "api", Now: func() time.Time { return s.now }}
	if _, err := acts.RevokeLink(t.Context(), lines[0], lifecycle.Act{By: "api"}); err != nil {
		t.Fatal(err)
	}
	if got := s.pageIn(t, "good_order_paid"); got != "" {
		t.Errorf("a link that was revoked is named: %s", got)
	}
	if _, err := acts.ReplaceLink(t.Context(), lines[0], lifecycle.Act{By: "api"}); err != nil {
		t.Fatal(err)
	}
	replaced := s.now
	if got := s.pageIn(t, "good_order_paid"); got != s.wantPage(t, "10001", pool.Live, 2) {
		t.Errorf("the link that was made instead is not named, but %q", got)
	}
	for days, want := range map[int]bool{catalog.DefaultPageDays - 1: true, catalog.DefaultPageDays: false} {
		s.now = replaced.AddDate(0, 0, days)
		if got := s.pageIn(t, "good_order_paid"); got != "" != want {
			t.Errorf("after %d days, the answer names %q", days, got)
		}
	}
}

// A test order has a page of its own, a refund's answer and a refusal name none, and neither
// does another account of the merchant.
func TestOrderPage_ofWhichAnswers(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	key, err := platform.ParseSecret(signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.PutAccount(t.Context(), catalog.Account{
		Merchant: "acme", Name: "my-shop", Platform: "standard", Origin: "another id", Secrets: []catalog.SealedSecret{{Blob: key, CreatedAt: now}},
	}); err != nil {
		t.Fatal(err)
	}
	live := s.pageIn(t, "good_order_paid")
	test := s.pageIn(t, "good_order_paid", `"test":false`, `"test":true`)
	if live == test || test != s.wantPage(t, "10001", pool.Test, 0) {
		t.Errorf("the page of the test order is %q, that of the paid one %q", test, live)
	}
	other := fixture(t, "good_order_paid")
	other.PathParameters["account"] = "my-shop"
	refused := fixture(t, "again_order_paid_other_quantity")
	if status, body := s.call(t, other); status != http.StatusOK || strings.Contains(body, "order_page") {
		t.Errorf("the other account is answered %d %s", status, body)
	}
	if status, body := s.call(t, refused); status != http.StatusConflict || strings.Contains(body, public) {
		t.Errorf("another quantity is answered %d %s", status, body)
	}
	if got := s.pageIn(t, "good_order_refunded"); got != "" {
		t.Errorf("a refund's answer names %q", got)
	}
	if got := s.pageIn(t, "good_order_paid"); got != live {
		t.Errorf("the answer to an order that was given back names %q, want its page, which says so", got)
	}
}

// An order of which a line was given back before it was paid has a page like any other.
func TestOrderPage_refundedBeforeItIsPaid(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	s.pageIn(t, "good_order_refunded")
	want := s.wantPage(t, "10001", pool.Live, 0)
	for range 2 {
		if got := s.pageIn(t, "good_order_paid"); got != want {
			t.Errorf("the answer names %q, want %q", got, want)
		}
	}
}

// An order whose page cannot be looked for is taken all the same.
func TestOrderPage_notFoundNow(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.answersPage(t)
	s.pageErr = errors.New("the table does not answer")
	if got := s.pageIn(t, "good_order_paid"); got != "" {
		t.Errorf("the answer names %q", got)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
	s.pageErr = nil
	if got := s.pageIn(t, "good_order_paid"); got != s.wantPage(t, "10001", pool.Live, 0) {
		t.Errorf("sent again, the answer names %q", got)
	}
}

// An answer that names the page takes no round trip more, and one read, beside the others; an
// answer that does not takes nothing.
func TestOrderPage_roundTrips(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]int{"off": 0, "on": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var trips dynamotest.Trips
			s := open(t, trips.Option)
			dynamotest.Stock(t, s.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("MORE", 100)...)
			if name == "on" {
				s.answersPage(t)
			}
			s.pageIn(t, "good_order_paid") // reads the settings, once in 30 seconds
			fewest := 100
			for i := range 5 { // to find keys may take one more
				s.pageReads = 0
				trips.Reset(20 * time.Millisecond)
				s.pageIn(t, "good_order_paid", "10001", "2000"+string(rune('0'+i)))
				if s.pageReads != reads {
					t.Errorf("%d reads for the page, want %d", s.pageReads, reads)
				}
				fewest = min(fewest, trips.RoundTrips())
			}
			if fewest != 2 {
				t.Errorf("%d round trips, want 2", fewest)
			}
		})
	}
}
