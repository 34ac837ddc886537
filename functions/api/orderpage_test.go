package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whether there are order pages is off at first, set under a lock, and told of each product as
// its own setting, its original's and the merchant's say.
func TestOrderPage(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	var got OrderPage
	first := w.shop(bearer, "GET", "/v1/order-page", nil).Want(200)
	if first.Into(&got); got.Default != "off" {
		t.Errorf("at first: %+v", got)
	}
	w.shop(bearer, "PUT", "/v1/products/own", Product{Title: "A", OrderPage: "on"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/copy", Product{Original: "own"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/plain", Product{Title: "A"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/never", Product{Original: "own", OrderPage: "off"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/half", Product{Title: "A", OrderPage: "half"}).Want(422)
	pages := func() map[string]bool {
		t.Helper()
		has := map[string]bool{}
		for _, id := range []string{"own", "copy", "plain", "never"} {
			var p Product
			w.shop(bearer, "GET", "/v1/products/"+id, nil).Want(200).Into(&p)
			has[id] = p.HasOrderPage
		}
		return has
	}
	if diff := cmp.Diff(map[string]bool{"own": true, "copy": true, "plain": false, "never": false}, pages()); diff != "" {
		t.Errorf("while the merchant says nothing: %s", diff)
	}
	w.shop(bearer, "PUT", "/v1/order-page", OrderPage{Default: "off"}).Want(200) // as it is
	w.shop(bearer, "PUT", "/v1/order-page", OrderPage{Default: "on"}).Want(428)
	w.shop(bearer, "PUT", "/v1/order-page", OrderPage{Default: ""}, "if-match", "*").Want(422)
	w.shop(bearer, "PUT", "/v1/order-page", map[string]string{}, "if-match", "*").Want(422)
	w.advance(time.Second)
	w.shop(bearer, "PUT", "/v1/order-page", OrderPage{Default: "on"}, "if-match", first.ETag()).Want(200)
	w.shop(bearer, "PUT", "/v1/order-page", OrderPage{Default: "off"}, "if-match", first.ETag()).Want(412)
	w.shop(bearer, "GET", "/v1/order-page", nil).Want(200).Into(&got)
	if got.Default != "on" {
		t.Errorf("once set: %+v", got)
	}
	if diff := cmp.Diff(map[string]bool{"own": true, "copy": true, "plain": true, "never": false}, pages()); diff != "" {
		t.Errorf("where the merchant says on: %s", diff)
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit?limit=1", nil).Want(200).Into(&trail)
	if len(trail.Items) != 1 || trail.Items[0].Thing != "order_page" || trail.Items[0].After["default"] != "on" {
		t.Errorf("the audit trail: %+v", trail)
	}
	w.shop(w.merchant("mallory"), "GET", "/v1/order-page", nil).Want(200).Into(&got)
	if got.Default != "off" {
		t.Errorf("another merchant has %+v", got)
	}
}
