package standin_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/machine"
	"keypool/infra/local/sample"
	"keypool/infra/local/standin"
	"keypool/infra/proof/apitest"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
	"keypool/shared/platform/shopify"
	"keypool/shared/platform/stripe"
	"keypool/shared/platform/woocommerce"
)

var events = os.DirFS("../../../events")

// account is an account with the credentials of a random text, and a sample of its orders.
type account struct {
	*testing.T
	apis        *standin.APIs
	p           sample.Platform
	credentials map[string]string
}

func accountOf(t *testing.T, apis *standin.APIs, platform, random string) account {
	t.Helper()
	p, ok := sample.Of(platform)
	if !ok {
		t.Fatalf("%s has no samples", platform)
	}
	return account{t, apis, p, p.Credentials(random, p.Secret(random))}
}

var paidAt = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// happens has the platform's API know of an event of an order at a time, and returns the
// order's number.
func (a account) happens(event, number string, at time.Time) string {
	a.Helper()
	w, err := a.p.Read(events, event)
	if err != nil {
		a.Fatal(err)
	}
	o := sample.Order{ID: a.p.ID(number, w.Test), Product: "elden", Quantity: 2, Email: "ada@shop.example", PaidAt: at}
	w.Be(o)
	if err := a.apis.Take(w, o, a.credentials); err != nil {
		a.Fatal(err)
	}
	return w.Order
}

// A platform's API lists what happened of an account's orders, to the account's credentials
// alone, as the platform's adapter asks for it, and whether its webhooks come.
func TestAPIs_tellWhatHappened(t *testing.T) {
	t.Parallel()
	for name, disputed := range map[string]string{"stripe": "disputed", "shopify": "disputed", "woocommerce": "", "paddle": "chargeback"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var apis standin.APIs
			own, other := accountOf(t, &apis, name, strings.Repeat("0a", 16)), accountOf(t, &apis, name, strings.Repeat("0b", 16))
			bought := own.happens("paid", "700000001", paidAt)
			given := own.happens("paid", "700000002", paidAt)
			own.happens("refunded_all", "700000002", paidAt.Add(time.Second))
			own.happens("paid", "700000002", paidAt) // told again: it stays given back
			other.happens("paid", "700000003", paidAt)
			orders, inDispute := 2, ""
			if disputed != "" {
				orders, inDispute = 3, own.happens("paid", "700000004", paidAt)
				own.happens(disputed, "700000004", paidAt.Add(time.Second))
			}

			adapter := through(t, name, &apis)
			account := own.open()
			found := map[string]platform.Purchase{}
			for p, err := range adapter.Changed(t.Context(), account, paidAt) {
				switch {
				case err != nil:
					t.Fatal(err)
				case p.Paid != nil:
					found[p.Paid.Order] = p
				case len(p.Returned) > 0:
					found[p.Returned[0].Order] = p
				case len(p.Disputed) > 0:
					found[p.Disputed[0].Order] = p
				}
			}
			if p := found[bought]; len(found) != orders || p.Paid == nil || p.Returned != nil || p.Paid.Customer.Email != "ada@shop.example" || !slices.ContainsFunc(p.Paid.Lines, func(l platform.Line) bool { return l.Product == "elden" && l.Quantity == 2 }) {
				t.Errorf("%s was bought; of %d orders, it is listed as %+v", bought, len(found), p.Paid)
			}
			if p := found[given]; len(p.Returned) == 0 || !p.Returned[0].All && len(p.Returned[0].Lines) == 0 {
				t.Errorf("%s was given back; it is listed with %+v", given, p.Returned)
			}
			if p := found[inDispute]; inDispute != "" && (len(p.Disputed) != 1 || p.Disputed[0].State != platform.DisputeOpen) {
				t.Errorf("%s is in dispute; it is listed with %+v", inDispute, p.Disputed)
			}
			for p, err := range adapter.Changed(t.Context(), account, paidAt.Add(2*time.Second)) {
				t.Errorf("listed as changed after all of it: %+v, %v", p, err)
			}

			const address = "https://keypool.example.com/webhooks/acme/shop"
			want := func(status platform.WebhookStatus) {
				t.Helper()
				if got, err := adapter.Probe(t.Context(), account, address); got != status || err != nil {
					t.Errorf("the webhook is %q, %v; want %q", got, err, status)
				}
			}
			want(platform.WebhookMissing)
			if maker, ok := adapter.(platform.Subscriber); ok {
				if err := maker.Subscribe(t.Context(), account, address); err != nil {
					t.Error(err)
				}
			} else if err := apis.Send(own.p, address, own.credentials); err != nil {
				t.Error(err)
			}
			want(platform.WebhookActive)

			stranger := accountOf(t, &apis, name, strings.Repeat("0c", 16)).open()
			for p, err := range adapter.Changed(t.Context(), stranger, paidAt) {
				if err == nil {
					t.Errorf("listed to unknown credentials: %+v", p)
				}
			}
		})
	}
}

// WooCommerce's stand-in lists orders of any status, as the shop does: one that is on hold with a
// refund, and one that was never paid, of which nothing follows; but none that is in the trash.
func TestWooCommerce_statuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[string][2]int{"on-hold": {1, 1}, "trash": {0, 0}} {
		var apis standin.APIs
		own := accountOf(t, &apis, "woocommerce", strings.Repeat("0a", 16))
		own.happens("unpaid", "700000005", paidAt)
		w, err := own.p.Read(events, "refunded_part")
		if err != nil {
			t.Fatal(err)
		}
		o := sample.Order{ID: own.p.ID("700000006", false), Product: "elden", Quantity: 2, Email: "ada@shop.example", PaidAt: paidAt}
		w.Be(o)
		w.Body = bytes.Replace(w.Body, []byte(`"status":"processing"`), []byte(`"status":"`+status+`"`), 1)
		if err := apis.Take(w, o, own.credentials); err != nil {
			t.Fatal(err)
		}
		listed, given := 0, 0
		for p, err := range through(t, "woocommerce", &apis).Changed(t.Context(), own.open(), paidAt) {
			if err != nil || p.Paid != nil {
				t.Errorf("%s: %+v, %v", status, p, err)
			}
			listed, given = listed+1, given+len(p.Returned)
		}
		if got := [2]int{listed - 1, given}; got != want {
			t.Errorf("%s: beside the one that is not paid %d are listed, with %d refunds; want %v", status, got[0], got[1], want)
		}
	}
}

// open returns the account as catch-up has it.
func (a account) open() platform.Account {
	opened := platform.Account{Merchant: "acme", Name: "shop", Platform: a.p.Name, Settings: a.p.Settings, Credentials: map[string]platform.Secret{}}
	for name, text := range a.credentials {
		opened.Credentials[name] = platform.Conceal([]byte(text))
	}
	return opened
}

// asked is what catch-up asks a platform for.
type asked interface {
	platform.Lister
	platform.Prober
}

// through returns a platform's adapter, whose calls stand-ins answer.
func through(t *testing.T, name string, apis *standin.APIs) asked {
	client := apitest.Serve(t, apis)
	switch name {
	case "stripe":
		return stripe.Through(client)
	case "shopify":
		return shopify.Through(client)
	case "woocommerce":
		return woocommerce.Through(client)
	}
	return paddle.Adapter{API: client}
}

// Stripe's API answers about the orders that it knows, to the key of their side, and to calls
// that its description allows.
func TestStripe(t *testing.T) {
	t.Parallel()
	var apis standin.APIs
	own := accountOf(t, &apis, "stripe", "1")
	own.happens("paid", "a1", paidAt)
	live, test := own.credentials["live_key"], own.credentials["test_key"]
	client := apitest.Serve(t, &apis)
	for _, c := range []struct {
		path, key, query string
		status           int
	}{
		{"/v1/checkout/sessions/cs_live_a1/line_items", live, "limit=100", 0},
		{"/v1/refunds", live, "charge=ch_a1", 0},
		{"/v1/prices/price_a1", live, "expand[]=product", 0},
		{"/v1/invoices", live, "subscription=sub_a1r", 0},
		{"/v1/events", live, "limit=10&types[]=checkout.session.completed", 0},
		{"/v1/refunds", live, "charge=ch_a2", 404},
		{"/v1/refunds", test, "charge=ch_a1", 404},
		{"/v1/refunds", "rk_live_2", "charge=ch_a1", 401},
		{"/v1/refunds", live, "charge=ch_a1&color=red", 400},
		{"/v1/events", live, "color=red", 400},
		{"/v1/refounds", live, "charge=ch_a1", 404},
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
