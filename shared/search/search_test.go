package search_test

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/search"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type shop struct {
	*testing.T
	store  *dynamo.Store
	finder *search.Finder
	salt   []byte
}

func open(t *testing.T, options ...dynamotest.Option) *shop {
	store, _ := dynamotest.Open(t, options...)
	s := &shop{T: t, store: store, salt: []byte("salt")}
	s.finder = &search.Finder{Merchants: catalog.NewCached(store, s.now), Lines: store, Now: s.now}
	if err := store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Salt: s.salt}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) now() time.Time { return noon.Add(24 * time.Hour) }

// add stores a line that was received seconds after noon.
func (s *shop) add(number string, seconds int, change func(*order.Fulfillment)) {
	s.Helper()
	f := order.Fulfillment{
		Merchant: "acme", Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: "1", Product: "game", Pool: "game",
		Quantity: 1, KeysPerUnit: 1, Wanted: 1, ReceivedAt: noon.Add(time.Duration(seconds) * time.Second),
		Customer: order.Customer{Email: "Ada@example.com"},
	}
	if change != nil {
		change(&f)
	}
	f.CustomerHash = order.HashAddress(s.salt, f.Customer.Email)
	f.ID = f.Identity().ID()
	if err := s.store.Commit(s.Context(), order.NewLine(f)); err != nil {
		s.Fatal(err)
	}
}

// find returns the numbers of the orders that are found, in pages, and how many those were.
func (s *shop) find(q search.Query, limit int) (orders []string, pages int) {
	s.Helper()
	q.Merchant = "acme"
	if q.Side == "" {
		q.Side = pool.Live
	}
	for after := ""; ; {
		page, err := s.finder.Find(s.Context(), q, after, limit)
		if err != nil {
			s.Fatal(err)
		}
		pages++
		if len(page.Lines) > limit {
			s.Fatalf("%d lines in a page of %d", len(page.Lines), limit)
		}
		for _, line := range page.Lines {
			orders = append(orders, line.Order)
		}
		if after = page.Next; after == "" {
			return orders, pages
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.add("1", 1, nil)
	s.add("2", 2, func(f *order.Fulfillment) { f.Product, f.Account = "tool", "other-shop" })
	s.add("3", 3, func(f *order.Fulfillment) { f.Customer.Email = "bob@example.com" })
	s.add("4", 4, func(f *order.Fulfillment) { f.Customer.Email = "" })
	s.add("5", 5, func(f *order.Fulfillment) { f.ReturnAll() })
	s.add("6", 6, func(f *order.Fulfillment) { f.Pool, f.Wanted, f.Product, f.Original = "", 0, "bundle-6", "bundle" })
	s.add("7", 7, func(f *order.Fulfillment) { f.Hold(order.HoldByHand); f.HeldAt = s.now() })
	s.add("8", 8, func(f *order.Fulfillment) { f.Side = pool.Test })
	s.add("9", 9, func(f *order.Fulfillment) { f.Merchant = "other" })
	s.add("10", 10, func(f *order.Fulfillment) { f.Expected = true })
	s.add("11", 24*60*60-60, nil) // has waited for a minute
	for _, c := range []struct {
		name string
		q    search.Query
		want string
	}{
		{"all", search.Query{}, "11 7 6 5 4 3 2 1"},
		{"test side", search.Query{Side: pool.Test}, "8"},
		{"an address", search.Query{Email: " ada@EXAMPLE.com"}, "11 7 6 5 2 1"},
		{"an address that nobody has", search.Query{Email: "eve@example.com"}, ""},
		{"of a time", search.Query{From: noon.Add(2 * time.Second), Until: noon.Add(4 * time.Second)}, "3 2"},
		{"an address, of a time", search.Query{Email: "ada@example.com", From: noon.Add(2 * time.Second), Until: noon.Add(6 * time.Second)}, "5 2"},
		{"no time", search.Query{From: noon.Add(2 * time.Second), Until: noon}, ""},
		{"a product", search.Query{Product: "tool"}, "2"},
		{"an original product", search.Query{Product: "bundle"}, "6"},
		{"an account", search.Query{Account: "other-shop"}, "2"},
		{"a state", search.Query{State: order.Waiting}, "11 4 3 2 1"},
		{"returned", search.Query{State: order.Returned}, "5"},
		{"what needs somebody", search.Query{Attention: true}, "7 4 3 2 1 6"},
		{"what needs somebody, in a state", search.Query{Attention: true, State: order.Unconnected}, "6"},
		{"what needs somebody, of a time", search.Query{Attention: true, From: noon.Add(7 * time.Second)}, "7"},
		{"what needs somebody, of an address", search.Query{Attention: true, Email: "ada@example.com"}, "7 6 2 1"},
	} {
		for _, limit := range []int{1, 2, 100} {
			if got, _ := s.find(c.q, limit); strings.Join(got, " ") != c.want {
				t.Errorf("%s, %d a page: %v, want %s", c.name, limit, got, c.want)
			}
		}
	}
}

// A place is good for the searches of its index only, and names nobody.
func TestFind_places(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := range 3 {
		s.add(fmt.Sprint(n), n, nil)
	}
	var places []string
	for _, q := range []search.Query{{}, {Email: "ada@example.com"}, {Attention: true}} {
		q.Merchant, q.Side = "acme", pool.Live
		page, err := s.finder.Find(t.Context(), q, "", 1)
		if err != nil || page.Next == "" {
			t.Fatalf("%+v, %v", page, err)
		}
		places = append(places, page.Next)
	}
	hash := order.HashAddress(s.salt, "ada@example.com")
	for i, place := range places {
		if clear, ok := decoded(place); !ok || strings.Contains(strings.ToLower(clear), "ada") || strings.Contains(clear, hash) {
			t.Errorf("place %d is %q", i, clear)
		}
		q := search.Query{Merchant: "acme", Side: pool.Live, Attention: i != 2}
		if _, err := s.finder.Find(t.Context(), q, place, 1); !errors.Is(err, order.ErrPlace) {
			t.Errorf("place %d for another search: %v", i, err)
		}
	}
	for _, junk := range []string{"x", "====", "bGlzdGVk", places[0] + "A", "bGlzdGVkIDEgMCB4"} {
		if _, err := s.finder.Find(t.Context(), search.Query{Merchant: "acme", Side: pool.Live}, junk, 1); !errors.Is(err, order.ErrPlace) {
			t.Errorf("%q: %v", junk, err)
		}
	}
}

// An order is found by each address that it had, once, page by page too.
func TestFind_formerAddresses(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := range 5 { // of one moment
		s.add(fmt.Sprint(n), 1, nil)
	}
	s.add("9", 2, nil)
	correct := func(number string, emails ...string) {
		t.Helper()
		id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop", Order: number, Line: "1"}.ID()
		for _, email := range emails {
			line, _, err := s.store.Fulfillment(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			change := order.ChangeOf(line)
			if err := cmp.Or(change.After.CorrectAddress(email, order.HashAddress(s.salt, email)), s.store.Commit(t.Context(), change)); err != nil {
				t.Fatal(err)
			}
		}
	}
	correct("0", "eve@example.com")
	correct("1", "eve@example.com", "ada@example.com")
	correct("2", "eve@example.com", "ada@example.com", "eve@example.com")
	correct("3", "bob@example.com", "eve@example.com", "bob@example.com", "eve@example.com", "carl@example.com")
	for email, want := range map[string]string{
		"ada@example.com": "0 1 2 3 4 9", "eve@example.com": "0 1 2 3", "bob@example.com": "3", "carl@example.com": "3",
	} {
		for _, limit := range []int{1, 2, 100} {
			got, _ := s.find(search.Query{Email: email}, limit)
			if slices.Sort(got); strings.Join(got, " ") != want {
				t.Errorf("%s, %d a page: %v, want %s", email, limit, got, want)
			}
		}
	}
}

// Blanks are nobody's address, and no reason to list the lines of everybody.
func TestFind_blanksForAnAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.add("1", 1, nil)
	page, err := s.finder.Find(t.Context(), search.Query{Merchant: "acme", Side: pool.Live, Email: " "}, "", 10)
	if err != nil || len(page.Lines) > 0 || page.Next != "" {
		t.Errorf("%d lines, next %q, %v", len(page.Lines), page.Next, err)
	}
}

// A page takes two round trips and reads no more of many lines than of few. A filter reads
// on within a page, up to a bound, and then says where to go on.
func TestFind_costs(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	s := open(t, meter.Option)
	var before float64
	lines := 0
	for _, size := range []int{1000, 5000} {
		for ; lines < size; lines++ {
			s.add(fmt.Sprint(lines), lines, func(f *order.Fulfillment) {
				if lines == 0 {
					f.Product = "rare"
				}
			})
		}
		for name, q := range map[string]search.Query{
			"all": {}, "an address": {Email: "ada@example.com"}, "what needs somebody": {Attention: true},
		} {
			q.Merchant, q.Side = "acme", pool.Live
			if _, err := s.finder.Find(t.Context(), q, "", 1); err != nil { // reads the merchant
				t.Fatal(err)
			}
			meter.Reset()
			page, err := s.finder.Find(t.Context(), q, "", 100)
			if err != nil || len(page.Lines) != 100 || page.Next == "" {
				t.Fatalf("%s: %d lines, %v", name, len(page.Lines), err)
			}
			calls := map[string]int{}
			for _, call := range meter.Calls() {
				calls[call.Operation]++
			}
			queries := 1
			if name == "all" {
				queries = 8 // side by side
			}
			if calls["Query"] != queries || calls["BatchGetItem"] != 1 || len(calls) != 2 {
				t.Errorf("%s of %d takes %v", name, size, calls)
			}
			reads, _ := meter.Units()
			if name != "all" {
				continue
			}
			if before > 0 && reads > before {
				t.Errorf("100 of %d lines take %v read units, of fewer %v", size, reads, before)
			}
			before = reads
		}
	}

	meter.Reset()
	page, err := s.finder.Find(t.Context(), search.Query{Merchant: "acme", Side: pool.Live, Product: "rare"}, "", 10)
	if err != nil || len(page.Lines) != 0 || page.Next == "" {
		t.Errorf("the first page has %d lines and goes on at %q, %v", len(page.Lines), page.Next, err)
	}
	var operations []string
	for _, call := range meter.Calls() {
		operations = append(operations, call.Operation)
	}
	slices.Sort(operations)
	if len(operations) != 8+3 {
		t.Errorf("a page that filters takes %v", operations)
	}
	if got, pages := s.find(search.Query{Product: "rare"}, 10); strings.Join(got, " ") != "0" || pages < 5000/300 {
		t.Errorf("found %v in %d pages", got, pages)
	}
}

func decoded(place string) (string, bool) {
	clear, err := base64.RawURLEncoding.DecodeString(place)
	return string(clear), err == nil
}
