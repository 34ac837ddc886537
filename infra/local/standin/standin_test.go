package standin_test

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"keypool/infra/local/machine"
	"keypool/infra/local/standin"
	"keypool/infra/proof/apitest"
	"keypool/shared/outbound"
)

// Stripe's API answers about the orders that it knows, to the key of their side.
func TestStripe(t *testing.T) {
	t.Parallel()
	stripe, err := standin.NewStripe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stripe.Add(standin.StripeOrder{Session: "cs_live_a1", Product: "game", Quantity: 2, Paid: time.Unix(1767366000, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := stripe.Add(standin.StripeOrder{Session: "in_a1"}); err == nil {
		t.Error("an invoice was taken for a session")
	}
	client := apitest.Serve(t, stripe)
	for _, c := range []struct {
		path, key, query string
		status           int
	}{
		{"/v1/checkout/sessions/cs_live_a1/line_items", "rk_live_1", "limit=100", 0},
		{"/v1/refunds", "rk_live_1", "charge=ch_a1", 0},
		{"/v1/prices/price_a1", "rk_live_1", "expand[]=product", 0},
		{"/v1/invoices", "rk_live_1", "subscription=sub_a1r", 0},
		{"/v1/refunds", "rk_live_1", "charge=ch_a2", 404},
		{"/v1/refunds", "rk_test_1", "charge=ch_a1", 401},
		{"/v1/refunds", "rk_live_1", "charge=ch_a1&color=red", 400},
		{"/v1/refounds", "rk_live_1", "charge=ch_a1", 404},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(t.Context(), outbound.Call{
			Host: outbound.API(standin.StripeHost), Path: c.path, Query: query, Header: http.Header{"Authorization": {"Bearer " + c.key}},
		})
		var refused *outbound.Error
		switch errors.As(err, &refused); {
		case c.status == 0 && (err != nil || len(answer.Body) == 0), c.status != 0 && (refused == nil || refused.Status != c.status):
			t.Errorf("%s?%s by %s: %v, want %d", c.path, c.query, c.key, err, c.status)
		}
	}
}

// Nothing stands in for a machine that was never up.
func TestOpen_down(t *testing.T) {
	t.Parallel()
	m, err := machine.Open(t.TempDir(), filepath.Join(t.TempDir(), "machine"))
	if err != nil {
		t.Fatal(err)
	}
	var fault *machine.Fault
	if _, err := standin.Open(t.Context(), m); !errors.As(err, &fault) {
		t.Error(err)
	}
}
