package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// wooSecret signs the events of events/ that WooCommerce sends.
const wooSecret = `keypool & <woo> "secret" of 't examples`

// An order of WooCommerce is one order, however often it is edited and sent. The account has
// no key of the shop's API.
func TestHandle_woocommerce(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, err := range []error{
		s.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "94", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		s.store.PutAccount(t.Context(), catalog.Account{
			Merchant: "acme", Name: "woocommerce", Platform: "woocommerce", Origin: "shop.example.com", OtherProducts: catalog.OthersIgnored,
			Settings: json.RawMessage(`{"shop":"https://shop.example.com"}`), Secrets: []catalog.SealedSecret{{Name: "live", Blob: []byte(wooSecret), CreatedAt: now}},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const (
		poster    = `"skipped":[{"line":"316","product":"88","why":"other_product"}]`
		fulfilled = `{"order":"727","lines":[{"line":"315","product":"94","state":"fulfilled","wanted":2,"allocated":2}],` + poster + `}`
		returned  = `{"order":"727","lines":[{"line":"330","product":"94","state":"returned","wanted":1,"allocated":0},{"line":"315","product":"94","state":"returned","wanted":2,"allocated":0}]}`
	)
	line := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop.example.com", Order: "727", Line: "315"}.ID()
	for _, test := range []struct{ event, body string }{
		{"woocommerce_unpaid", `{"ignored":true,"type":"order.created"}`},
		{"woocommerce_paid_on_delivery", `{"ignored":true,"type":"order.created"}`},
		{"woocommerce_paid", fulfilled},
		{"woocommerce_paid", fulfilled},
		{"woocommerce_address_corrected", fulfilled},
		{"woocommerce_paid", fulfilled}, // late, as it was before
		{"woocommerce_staging", `{"order":"727","refused":"X-WC-Webhook-Source does not name the shop of this account among the headers: a copy of the shop may send its orders here, so delete the webhook there; a shop that has moved gets an account of its own"}`},
		{"woocommerce_not_allowed", `{"refused":"the body is an error of the shop's and no order: the user who made the webhook was deleted, or may not read orders any more. Save the webhook again as an administrator (WooCommerce, Settings, Advanced, Webhooks)"}`},
		{"woocommerce_product", `{"ignored":true,"type":"product.updated"}`},
		{"woocommerce_deleted", `{"ignored":true,"type":"order.deleted"}`},
		{"woocommerce_edited", `{"order":"727","lines":[{"line":"330","product":"94","state":"fulfilled","wanted":1,"allocated":1}],` + poster + `,"refused":"lines[0].quantity is another than this line was paid with before"}`},
		{"woocommerce_refunded_all", returned},
		{"woocommerce_refunded_all", returned},
		{"woocommerce_cancelled_unpaid", `{"ignored":true,"type":"order.updated"}`},
	} {
		status, body := s.call(t, fixture(t, test.event))
		if diff := cmp.Diff(test.body, body); status != http.StatusOK || diff != "" {
			t.Errorf("%s: status %d (-want +got):\n%s", test.event, status, diff)
		}
	}
	stored, _, err := s.store.Fulfillment(t.Context(), line)
	if err != nil || stored.Customer.Email != "augusta@example.com" {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 || len(books.Lines) != 2 {
		t.Errorf("%d keys claimed by %d lines", books.Claimed, len(books.Lines))
	}
	if told := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#changed-repeat#"); len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

// A webhook that WooCommerce saves sends a ping, which nobody signs. It is answered alike at
// every address, whatever stands there, and leaves no trace.
func TestHandle_woocommercePing(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, account := range [][2]string{{"acme", "standard"}, {"acme", "woocommerce"}, {"acme", "nobody"}, {"nova", "shop"}, {"%", "../x"}} {
		r := fixture(t, "woocommerce_ping")
		r.PathParameters = map[string]string{"merchant": account[0], "account": account[1]}
		answer, err := s.serve(t.Context(), r)
		if err != nil || answer.StatusCode != http.StatusOK || answer.Body != "" {
			t.Errorf("%v is answered %d %q, %v", account, answer.StatusCode, answer.Body, err)
		}
	}
	if left := dynamotest.Partitions(t, s.tables.Orders, ""); len(left) != 0 || s.reads != 0 || s.counted != 0 {
		t.Errorf("it leaves %v, after %d reads", left, s.reads)
	}
	forged := fixture(t, "woocommerce_ping")
	forged.Body = "webhook_id=27&order=727"
	if status, _ := s.call(t, forged); status != http.StatusUnauthorized {
		t.Errorf("what is no ping is answered %d", status)
	}
}
