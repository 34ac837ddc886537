package main

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/figures"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// The most bytes of a page's HTML, and of what it loads beside it, compressed.
const mostHTML, mostZipped, mostAssets = 60 << 10, 14 << 10, 20 << 10

// Every page that somebody finds by links, in a shop with orders in every state and names as long
// as they may be: its round trips and its size.
func TestFigures_pages(t *testing.T) {
	var calls dynamotest.Trips
	s := selling(t, calls.Option)
	b := s.signIn("ada@acme.example")
	seen, measured := map[string]bool{}, []figures.Page(nil)
	for _, p := range b.crawl() {
		path, _, _ := strings.Cut(p.at, "?")
		name := screenOf("GET", path)
		if p.status != 200 || seen[name] {
			continue
		}
		seen[name] = true
		page := figures.Page{Name: strings.TrimPrefix(name, "GET "), Bytes: len(p.body), Zipped: figures.Zipped(p.body), Trips: b.tripsOf(&calls, p.at) - sessionTrips}
		if page.Bytes > mostHTML || page.Zipped > mostZipped || page.Trips > mostTrips {
			t.Errorf("too much: %+v", page)
		}
		measured = append(measured, page)
	}
	large := s.ofAHundredLines()
	p := b.get(large).has("100 lines")
	page := figures.Page{Name: figures.HundredLines, Bytes: len(p.body), Zipped: figures.Zipped(p.body), Trips: b.tripsOf(&calls, large) - sessionTrips}
	if page.Bytes > mostHTML || page.Zipped > mostZipped || page.Trips > mostTrips {
		t.Errorf("too much: %+v", page)
	}
	measured = append(measured, page)
	if len(measured) < 30 {
		t.Errorf("only %d pages were found", len(measured))
	}
	figures.Keep(t, "pages", measured)

	all, paths := assets()
	zipped := func(file string) int { return len(all[strings.TrimPrefix(paths[file], assetsPath)].zipped) }
	loaded := map[string]int{"style": zipped("portal.css"), "script": zipped("portal.js"), "add keys": zipped("addkeys.js"), "judge": zipped("judge.js")}
	if sum := loaded["style"] + loaded["script"]; sum > mostAssets || sum < 1000 {
		t.Errorf("style and script have %d bytes, compressed", sum)
	}
	figures.Keep(t, "assets", loaded)
}

// ofAHundredLines sells an order of as many lines as one may have, with long titles, and has its
// mails sent. It returns the address of its page.
func (s *seller) ofAHundredLines() (path string) {
	s.Helper()
	s.stock("acme", several(100, "LINE-OF-MANY-")...)
	for n := range 100 {
		line := s.sell("acme", "of-a-hundred", 1, func(f *order.Fulfillment) {
			f.Line, f.OrderLines, f.Title = fmt.Sprint(n), 100, fmt.Sprintf("Part %03d of %s", n, strings.Repeat("a long story, ", 13))
		})
		s.mail(line)
		path = pathOf(line)
	}
	return path
}

// sizes are those of a shop.
type sizes struct{ orders, pools, products int }

// smallShop has so many orders that a list of few of them looks through as many as it ever does
// for one page.
var smallShop = sizes{2_000, 60, 120}

// largeShop has a million orders where the page of results is measured, and otherwise so many that
// one call more for each page of a list would be seen.
func largeShop() sizes {
	n, err := strconv.Atoi(os.Getenv("KEYPOOL_ORDERS"))
	if err != nil {
		n = 2 * smallShop.orders
	}
	return sizes{n, 200, 2_000}
}

// full are the units more of a shop of 200 pools, whose names some pages offer to choose from, and
// of a list that finds each partition of its index full.
const full = 10

// Every list and search costs the same, whatever the shop holds.
func TestFigures_lists(t *testing.T) {
	var meter dynamotest.Meter
	w := openSeller(t, meter.Option).world
	b := w.signIn("ada@acme.example")
	var now sizes
	w.grow(&now, smallShop)
	newest := pathOf(w.numbered(0))
	searched := map[string]url.Values{
		"find an order by its number":     {"find": {"shop-0000007"}},
		"find orders by an address":       {"find": {"customer-7@mail.example"}},
		"find a number that nobody has":   {"find": {"shop-none"}},
		"find an address that nobody has": {"find": {"nobody@mail.example"}},
	}
	measure := func() map[string][2]float64 {
		found := map[string][2]float64{}
		ask := func(name string, do func() page) page {
			meter.Reset()
			p := do()
			units, _ := meter.Units()
			found[name] = [2]float64{float64(len(meter.Calls())), units}
			return p
		}
		b.get(homePath) // the merchant is read once in half a minute
		for _, path := range []string{
			homePath, ordersPath, ordersPath + "?show=waiting", newest, poolsPath, poolPath("pool-0"), productsPath, productPath("product-7"), textsPath, platformsPath,
			"/portal/settings/people", "/portal/settings/tokens", "/portal/settings/audit", jobsPath, "/portal/uploads",
		} {
			p := ask(path, func() page { return b.get(path) })
			if next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(p.body); next != nil {
				ask(path+", the next page", func() page { return b.get(unescape(next[1])) })
			}
		}
		for name, form := range searched {
			ask(name, func() page { return b.post("/portal/find", form) })
		}
		return found
	}
	measure() // what is kept for a while is read
	small := measure()
	b.get(ordersPath).has(w.numbered(smallShop.orders - 1).Order)
	b.get(newest).has("shop-0000000")
	b.get(productsPath).has("Product 10")
	b.post("/portal/find", searched["find orders by an address"]).has("shop-0000007")
	large := largeShop()
	w.grow(&now, large)
	var measured []figures.List
	for name, many := range measure() {
		few, known := small[name]
		name = strings.Replace(name, newest, "/portal/orders/{order}", 1)
		if !known || many[0] > few[0] || many[1] > few[1]+full {
			t.Errorf("%s: %v calls and %v units, and %v and %v of a small shop", name, many[0], many[1], few[0], few[1])
		}
		measured = append(measured, figures.List{Name: name, Calls: [2]float64{few[0], many[0]}, Units: [2]float64{few[1], many[1]}})
	}
	figures.Keep(t, "lists", measured)
}

// numbered is the n-th order of a shop that grows, delivered.
func (w *world) numbered(n int) order.Fulfillment {
	f := order.Fulfillment{
		Merchant: "acme", Side: pool.Live, Account: "shop-eu", Origin: "the shop of acme", Order: fmt.Sprintf("shop-%07d", n), Line: "1", Product: "product-7", Pool: "pool-0",
		Quantity: 1, Wanted: 1, Allocated: 1, OrderLines: 1, ReceivedAt: noon.Add(time.Duration(n-5_000_000) * time.Second),
		Customer: order.Customer{Email: fmt.Sprintf("customer-%d@mail.example", n)},
	}
	f.ID = f.Identity().ID()
	return f
}

// grow adds orders, pools and products up to a size.
func (w *world) grow(now *sizes, to sizes) {
	w.Helper()
	for ; now.pools < to.pools; now.pools++ {
		w.newPool("acme", fmt.Sprintf("pool-%d", now.pools))
	}
	for ; now.products < to.products; now.products++ {
		w.product(catalog.Product{Merchant: "acme", ID: fmt.Sprintf("product-%d", now.products), Title: fmt.Sprint("Product ", now.products), Pool: "pool-0", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	}
	m, _, err := w.store.Merchant(w.Context(), "acme")
	if err != nil {
		w.Fatal(err)
	}
	var changes []order.Change
	for ; now.orders < to.orders; now.orders++ {
		f := w.numbered(now.orders)
		f.CustomerHash = order.HashAddress(m.Salt, f.Customer.Email)
		if changes = append(changes, order.NewLine(f)); len(changes) == 50 || now.orders == to.orders-1 {
			if err := w.store.Commit(w.Context(), changes...); err != nil {
				w.Fatal(err)
			}
			changes = nil
		}
	}
}
