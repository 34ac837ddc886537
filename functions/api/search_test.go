package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// numbers returns the orders of a list as it shows them, with their lines.
func numbers(list OrderList) (shown []string) {
	for _, o := range list.Items {
		for _, line := range o.Lines {
			shown = append(shown, o.Order+"/"+line.Line)
		}
	}
	return shown
}

func TestListOrders(t *testing.T) {
	t.Parallel()
	w := open(t)
	other := w.merchant("other")
	bearer := w.merchant("shop")
	add := func(number, line string, seconds int, change func(*order.Fulfillment)) {
		t.Helper()
		merchant, _, err := w.store.Merchant(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		f := order.Fulfillment{
			Merchant: "shop", Side: pool.Live, Account: catalog.ByHandName, Origin: catalog.ByHand("shop").Origin, Order: number, Line: line, Product: "4711", Pool: "elden",
			Quantity: 1, Wanted: 1, ReceivedAt: noon.Add(time.Duration(seconds-3600) * time.Second), Customer: order.Customer{Email: "ada@example.com"},
		}
		if change != nil {
			change(&f)
		}
		f.CustomerHash, f.ID = order.HashAddress(merchant.Salt, f.Customer.Email), f.Identity().ID()
		if err := w.store.Commit(t.Context(), order.NewLine(f)); err != nil {
			t.Fatal(err)
		}
	}
	add("1", "a", 1, nil)
	add("2", "a", 2, nil)
	add("2", "b", 2, func(f *order.Fulfillment) { f.Product = "4712" })
	add("3", "a", 3, func(f *order.Fulfillment) { f.Customer.Email = "bob@example.com" })
	add("4", "a", 4, func(f *order.Fulfillment) { f.Hold(order.HoldByHand); f.HeldAt = noon })
	add("5", "a", 5, func(f *order.Fulfillment) { f.Side = pool.Test })

	for query, want := range map[string][]string{
		"":                                      {"4/a", "3/a", "2/a", "2/b", "1/a"},
		"test=true":                             {"5/a"},
		"email=ADA%40example.com":               {"4/a", "2/a", "2/b", "1/a"},
		"email=eve%40example.com":               nil,
		"product=4712":                          {"2/b"},
		"state=on_hold":                         {"4/a"},
		"attention=true":                        {"4/a"}, // the others have not waited for an hour
		"account=shop-eu":                       nil,
		"from=2026-11-23T11:00:03Z":             {"4/a", "3/a"},
		"until=2026-11-23T12:00:02%2B01:00":     {"1/a"},
		"order=2":                               {"2/a", "2/b"},
		"order=2&account=by-hand&test=false":    {"2/a", "2/b"},
		"email=bob%40example.com&state=waiting": {"3/a"},
	} {
		var list OrderList
		w.shop(bearer, "GET", "/v1/orders?"+query, nil).Want(200).Into(&list)
		got := numbers(list)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || list.Next != "" {
			t.Errorf("%q: %v, next %q", query, got, list.Next)
		}
		list = OrderList{}
		if strings.HasPrefix(query, "order=") {
			w.shop(other, "GET", "/v1/orders?"+query, nil).Want(404)
			continue
		}
		w.shop(other, "GET", "/v1/orders?"+query, nil).Want(200).Into(&list)
		if len(list.Items) != 0 {
			t.Errorf("%q: another merchant sees %v", query, numbers(list))
		}
	}

	var pages []string
	var first OrderList
	for after, n := "", 0; n < 10; n++ {
		var list OrderList
		w.shop(bearer, "GET", fmt.Sprintf("/v1/orders?limit=2&after=%s", after), nil).Want(200).Into(&list)
		if n == 0 {
			first = list
		}
		pages = append(pages, numbers(list)...)
		if after = list.Next; after == "" {
			break
		}
	}
	if want := []string{"4/a", "3/a", "2/a", "2/b", "1/a"}; !slices.Equal(slices.Sorted(slices.Values(pages)), slices.Sorted(slices.Values(want))) || pages[0] != "4/a" {
		t.Errorf("in pages: %v", pages)
	}
	held := first.Items[0]
	if diff := cmp.Diff([]any{catalog.ByHandName, "ada@example.com", "on_hold", noon}, []any{held.Account, held.Customer.Email, held.Lines[0].State, held.Lines[0].AttentionSince}); diff != "" {
		t.Error(diff)
	}

	for query, at := range map[string]string{
		"order=2&state=waiting":  "query.order",
		"order=2&email=a%40b.de": "query.order",
		"order=2&attention=true": "query.order",
		"order=":                 "query.order",
		"email=":                 "query.email",
		"email=%20":              "query.email",
		"product=&account=":      "query.account query.product",
		"state=&test=":           "query.state query.test",
		"from=":                  "query.from",
		"attention=true&limit=":  "query.limit",
		"attention=":             "query.attention",
		"order=1&order=2":        "query.order",
		"email=a%zz":             "query",
		"email=a;b":              "query",
		"state=lost":             "query.state",
		"from=yesterday":         "query.from",
		"limit=101":              "query.limit",
	} {
		if got := w.shop(bearer, "GET", "/v1/orders?"+query, nil).Want(422).Locations(); fmt.Sprint(got) != "["+at+"]" {
			t.Errorf("%q: at fault are %v", query, got)
		}
	}
	w.shop(bearer, "GET", "/v1/orders?after=junk", nil).Want(422)
	for _, query := range []string{"attention", "attention=true&after="} {
		var flagged OrderList
		if w.shop(bearer, "GET", "/v1/orders?"+query, nil).Want(200).Into(&flagged); fmt.Sprint(numbers(flagged)) != "[4/a]" {
			t.Errorf("%q lists %v", query, numbers(flagged))
		}
	}
	w.shop(bearer, "GET", "/v1/orders?attention=true&after="+first.Next, nil).Want(422)
	w.shop(bearer, "GET", "/v1/orders?order=9", nil).Want(404)
}
