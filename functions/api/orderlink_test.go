package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// The page of an order is told to those alone who may see its keys, as JSON too, and its keys
// are shown by an act of their own, which the timeline tells.
func TestOrderLink(t *testing.T) {
	t.Parallel()
	w := open(t)
	o := newOwner(w)
	var link, keys OrderLink
	got := w.shop(o.token, "GET", "/v1/orders/A-1001/page", nil).Want(200)
	got.Into(&link)
	if !strings.HasPrefix(link.Page, "https://keypool.example/o/") || len(link.Lines) != 1 || link.Lines[0].State != "ready" || link.Lines[0].Keys != nil {
		t.Fatalf("the page: %+v", link)
	}
	key := o.lineOf("A-1001").Keys[0].Text.Reveal()
	if strings.Contains(got.Body, key) {
		t.Error("the page's JSON holds the key")
	}
	var orders OrderList
	w.shop(o.token, "GET", "/v1/orders/A-1001", nil).Want(200).Into(&orders)
	if orders.Items[0].Page != link.Page {
		t.Errorf("the order says %q", orders.Items[0].Page)
	}
	w.shop(o.token, "POST", "/v1/orders/keys?order=A-1001", nil).Want(200).Into(&keys)
	if diff := cmp.Diff([]string{key}, keys.Lines[0].Keys); diff != "" || keys.Page != link.Page {
		t.Errorf("the keys: %s", diff)
	}
	if o.lineOf("A-1001").ShownAt.IsZero() {
		t.Error("it does not say that its keys were shown")
	}
	orders = OrderList{}
	w.shop(o.token, "GET", "/v1/orders/A-1001", nil).Want(200).Into(&orders)
	if !slices.ContainsFunc(orders.Items[0].Timeline, func(e Entry) bool { return e.What == string(order.KeysShown) && e.By != "" && !e.Ahead }) {
		t.Errorf("the timeline: %+v", orders.Items[0].Timeline)
	}
	for _, role := range []access.Role{access.Support, access.Read} {
		bearer := w.person(ownersName, string(role), role)
		var seen OrderList
		w.shop(bearer, "GET", "/v1/orders/A-1001", nil).Want(200).Into(&seen)
		if seen.Items[0].Page != "" {
			t.Errorf("%s gets the link", role)
		}
		w.shop(bearer, "GET", "/v1/orders/A-1001/page", nil).Want(403)
		w.shop(bearer, "POST", "/v1/orders/A-1001/keys", nil).Want(403)
	}
}

// A link that is replaced is another one, and one that is revoked is none.
func TestOrderLink_replaced(t *testing.T) {
	t.Parallel()
	w := open(t)
	o := newOwner(w)
	page := func() string {
		t.Helper()
		var link OrderLink
		w.shop(o.token, "GET", "/v1/orders/A-1001/page", nil).Want(200).Into(&link)
		return link.Page
	}
	first := page()
	w.advance(time.Second)
	w.shop(o.token, "POST", "/v1/orders/A-1001/replace-link", Reason{"forwarded"}).Want(200)
	second := page()
	w.advance(time.Second)
	w.shop(o.token, "POST", "/v1/orders/A-1001/revoke-link", Reason{"posted"}).Want(200)
	w.shop(o.token, "POST", "/v1/orders/A-1001/revoke-link", Reason{"posted"}).Want(200)
	w.shop(o.token, "GET", "/v1/orders/A-1001/page", nil).Want(404)
	w.shop(o.token, "POST", "/v1/orders/A-1001/keys", nil).Want(404)
	w.advance(time.Second)
	w.shop(o.token, "POST", "/v1/orders/replace-link?order=A-1001", Reason{"again"}).Want(200)
	third := page()
	if first == second || second == third || first == third {
		t.Errorf("%s, then %s, then %s", first, second, third)
	}
	var orders OrderList
	w.shop(o.token, "GET", "/v1/orders/A-1001", nil).Want(200).Into(&orders)
	var did []string
	for _, e := range orders.Items[0].Timeline {
		if strings.HasPrefix(e.What, "link-") {
			did = append(did, e.What+": "+e.Code)
		}
	}
	if diff := cmp.Diff([]string{"link-replaced: forwarded", "link-revoked: posted", "link-replaced: again"}, did); diff != "" {
		t.Errorf("the timeline: %s", diff)
	}
	var trail AuditList
	w.shop(o.token, "GET", "/v1/audit?limit=1", nil).Want(200).Into(&trail)
	if len(trail.Items) != 1 || trail.Items[0].Thing != "order" || trail.Items[0].After["did"] != "link-replaced" {
		t.Errorf("the audit trail: %+v", trail.Items)
	}
}

// lineOf returns the one line of an order of the owner's.
func (o *owner) lineOf(number string) order.Fulfillment {
	o.Helper()
	account, _, err := o.store.Account(o.Context(), ownersName, "shop-eu")
	if err != nil {
		o.Fatal(err)
	}
	lines, err := o.store.Lines(o.Context(), order.Identity{Merchant: ownersName, Side: pool.Live, Origin: account.Origin, Order: number}.OrderID())
	if err != nil || len(lines) != 1 {
		o.Fatalf("%d lines, %v", len(lines), err)
	}
	return lines[0]
}
