package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
	"keypool/shared/pool"
)

// wooSecret signs the events of events/ that WooCommerce sends.
const wooSecret = `keypool & <woo> "secret" of 't examples`

// An order of WooCommerce is one order, however often it is edited and sent. The account has
// no key of the shop's API.
func TestHandle_woocommerce(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.wooProduct(t)
	s.wooAccount(t, "woocommerce", "shop.example.com")
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
		{"woocommerce_staging", `{"order":"727","refused":"X-WC-Webhook-Source does not name the shop of this account, shop.example.com, among the headers: a copy of the shop may send its orders here, so delete the webhook there; a shop that has moved, or whose address was mistyped, gets an account of its own"}`},
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

// An order that goes between processing and completed is one order, of one mail.
func TestHandle_woocommerceStatuses(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.wooProduct(t)
	s.wooAccount(t, "woocommerce", "shop.example.com")
	for range 2 {
		for _, status := range []string{"processing", "completed"} {
			r := fixture(t, "woocommerce_paid")
			r.Body = strings.Replace(r.Body, `"status":"processing"`, `"status":"`+status+`"`, 1)
			r.Headers["x-wc-webhook-signature"] = woocommerce.Sign([]byte(wooSecret), []byte(r.Body))
			if code, body := s.call(t, r); code != http.StatusOK || !strings.Contains(r.Body, status) || !strings.Contains(body, `"state":"fulfilled","wanted":2,"allocated":2`) {
				t.Errorf("%s: %d %s", status, code, body)
			}
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 2 || len(books.Lines) != 1 {
		t.Errorf("%d keys claimed by %d lines", books.Claimed, len(books.Lines))
	}
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop.example.com", Order: "727", Line: "315"}.ID()
	if line, _, err := s.store.Fulfillment(t.Context(), id); err != nil || line.Mail.Number != 1 {
		t.Errorf("mail %+v, %v", line.Mail, err)
	}
}

// An order that was cancelled by mistake and set back to processing gets no keys by itself,
// and its merchant is told, once. The payment as it was before the cancellation may come late.
func TestHandle_woocommercePaidAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.wooProduct(t)
	s.wooAccount(t, "woocommerce", "shop.example.com")
	told := func() int { return len(dynamotest.Partitions(t, s.tables.Orders, "notice#acme#paid-again#")) }
	for _, step := range []struct {
		event, state string
		told         int
	}{
		{"woocommerce_paid", `"state":"fulfilled","wanted":2,"allocated":2`, 0},
		{"woocommerce_cancelled", `"state":"returned","wanted":2,"allocated":0`, 0},
		{"woocommerce_paid", `"state":"returned","wanted":2,"allocated":0`, 0},
		{"woocommerce_address_corrected", `"state":"returned","wanted":2,"allocated":0`, 0}, // late too
		{"woocommerce_paid_again", `"state":"returned","wanted":2,"allocated":0`, 1},
		{"woocommerce_paid_again", `"state":"returned","wanted":2,"allocated":0`, 1},
		{"woocommerce_cancelled", `"state":"returned","wanted":2,"allocated":0`, 1},
	} {
		if code, body := s.call(t, fixture(t, step.event)); code != http.StatusOK || !strings.Contains(body, step.state) {
			t.Errorf("%s: %d %s", step.event, code, body)
		}
		if told() != step.told {
			t.Errorf("after %s: told %d times, want %d", step.event, told(), step.told)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
}

// Two shops count their orders alike: order 727 of each is an order of its own.
func TestHandle_woocommerceTwoShops(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.wooProduct(t)
	dynamotest.Stock(t, s.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("MORE", 2)...)
	for account, shop := range map[string]string{"woocommerce": "shop.example.com", "my-shop-2": "second.example.com"} {
		s.wooAccount(t, account, shop)
		for range 2 {
			r := fixture(t, "woocommerce_paid")
			r.RawPath, r.RequestContext.HTTP.Path = "/webhooks/acme/"+account, "/webhooks/acme/"+account
			r.PathParameters["account"], r.Headers["x-wc-webhook-source"] = account, "https://"+shop+"/"
			if code, body := s.call(t, r); code != http.StatusOK || !strings.Contains(body, `{"order":"727","lines":[{"line":"315","product":"94","state":"fulfilled","wanted":2,"allocated":2}]`) {
				t.Errorf("%s: %d %s", account, code, body)
			}
		}
		id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: shop, Order: "727", Line: "315"}.ID()
		if _, ok, err := s.store.Fulfillment(t.Context(), id); !ok || err != nil {
			t.Errorf("%s: %t, %v", shop, ok, err)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 4 || len(books.Lines) != 2 {
		t.Errorf("%d keys claimed by %d lines", books.Claimed, len(books.Lines))
	}
}

// unanswered is a shop whose REST API does not answer.
type unanswered struct{}

func (unanswered) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}, nil
}

// While the shop's API does not answer what was refunded, an order is answered 200, since
// WooCommerce switches off a webhook that is refused, and nothing is stored of it: catch-up takes
// it. So is a renewal whose parent cannot be read. An order that needs no call is delivered.
func TestHandle_woocommerceLeftToCatchup(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.wooProduct(t)
	s.wooAccount(t, "woocommerce", "shop.example.com")
	account, _, err := s.store.Account(t.Context(), "acme", "woocommerce")
	if err != nil {
		t.Fatal(err)
	}
	account.Credentials = []catalog.SealedCredential{{Name: "consumer_key", Blob: []byte("ck_0")}, {Name: "consumer_secret", Blob: []byte("cs_0")}}
	if err := s.store.PutAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	adapters := map[string]platform.Adapter{woocommerce.Name: woocommerce.Through(outbound.Through(unanswered{}))}
	s.serve = serve(&handler{
		accounts: platform.NewAccounts(adapters, s.store.Account, asItIs{}, clock),
		intake: &intake.Intake{
			Claims: s.claims, Orders: &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Settings: s.store, Fill: ignore{}, By: "webhook", Now: clock},
			Records: s.store, Products: s.store, MaxQuantity: 1000, By: "webhook", Now: clock,
		},
	})
	for event, order := range map[string]string{"woocommerce_refunded_part": "727", "woocommerce_renewed": "760"} {
		want := `{"order":"` + order + `","left":"to catch-up: what the webhook does not say could not be read now, so nothing was stored yet"}`
		if code, body := s.call(t, fixture(t, event)); code != http.StatusOK || body != want {
			t.Errorf("%s: %d %s", event, code, body)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 || len(books.Lines) != 0 {
		t.Errorf("%d keys claimed by %d lines", books.Claimed, len(books.Lines))
	}
	for _, kind := range []string{"notice#", "refused#", "order#"} {
		if left := dynamotest.Partitions(t, s.tables.Orders, kind); len(left) != 0 {
			t.Errorf("stored is %v", left)
		}
	}
	if code, body := s.call(t, fixture(t, "woocommerce_paid")); code != http.StatusOK || !strings.Contains(body, `"allocated":2`) {
		t.Errorf("of an order without refunds: %d %s", code, body)
	}
}

// wooProduct makes the product that the orders of the events are of.
func (s *shop) wooProduct(t *testing.T) {
	t.Helper()
	err := s.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "94", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	if err != nil {
		t.Fatal(err)
	}
}

// wooAccount makes an account of a WooCommerce shop.
func (s *shop) wooAccount(t *testing.T, name, origin string) {
	t.Helper()
	err := s.store.PutAccount(t.Context(), catalog.Account{
		Merchant: "acme", Name: name, Platform: "woocommerce", Origin: origin, OtherProducts: catalog.OthersIgnored,
		Settings: json.RawMessage(`{"shop":"https://` + origin + `"}`), Secrets: []catalog.SealedSecret{{Name: "live", Blob: []byte(wooSecret), CreatedAt: now}},
	})
	if err != nil {
		t.Fatal(err)
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
