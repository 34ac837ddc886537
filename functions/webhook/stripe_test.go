package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/platform/stripe"
	"keypool/shared/pool"
)

// sold is Stripe's answer to what was bought in any session, in its documented shape.
type sold struct{ calls, keys []string }

func (s *sold) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls, s.keys = append(s.calls, r.URL.Path), append(s.keys, r.Header.Get("Authorization"))
	const items = `{"object":"list","has_more":false,"data":[{"id":"li_1","quantity":2,"currency":"eur","amount_subtotal":11998,"amount_total":11998,
		"price":{"id":"price_1","product":{"id":"prod_1","name":"The Game","metadata":{"keypool_product":"game"}}}}]}`
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(items))}, nil
}

// asItIs opens what was never sealed.
type asItIs struct{}

func (asItIs) Unseal(_ context.Context, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

func (asItIs) UnsealCredential(_ context.Context, _, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// An order of Stripe's waits for the key that reads what was bought: it is answered 503,
// listed, and told once. It is delivered when Stripe sends it again after the key is there.
func TestStripe(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	clock := func() time.Time { return now }
	account := catalog.Account{Merchant: "acme", Name: "stripe", Platform: stripe.Name, Origin: "its own id", Secrets: []catalog.SealedSecret{
		{Name: "live", Blob: []byte("whsec_live_secret_of_the_examples"), CreatedAt: now}, {Name: "sandbox", Test: true, Blob: []byte("whsec_test_secret_of_the_examples"), CreatedAt: now},
	}}
	for _, err := range []error{
		store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		store.PutAccount(t.Context(), account),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: side}, pool.DefaultShards, dynamotest.Texts("KEY-"+string(side), 3)...)
	}
	api := &sold{}
	adapters := map[string]platform.Adapter{platform.Standard: standard.Adapter{}, stripe.Name: stripe.Adapter{API: outbound.Through(api), Now: clock}}
	call := func(name string) (int, string) {
		t.Helper()
		answer, err := serve(&handler{
			accounts: platform.NewAccounts(adapters, store.Account, asItIs{}, clock), // which remembers nothing
			intake: &intake.Intake{
				Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: ignore{}, Notices: store, By: "webhook", Now: clock},
				Records: store, Products: store, MaxQuantity: 1000, By: "webhook", Now: clock,
			},
		})(t.Context(), fixture(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Body
	}

	for range 2 {
		if status, body := call("stripe_paid"); status != http.StatusServiceUnavailable || !strings.Contains(body, "credentials.live_key is missing") {
			t.Errorf("without a key it is answered %d: %s", status, body)
		}
	}
	if refused := dynamotest.Items(t, tables.Orders, "refused#acme"); len(refused) != 1 || refused[0]["order"] != "cs_live_a1" || len(api.calls) != 0 {
		t.Errorf("listed %v, called %v", refused, api.calls)
	}
	if told := dynamotest.Partitions(t, tables.Orders, "notice#acme#order-refused#"); len(told) != 1 {
		t.Errorf("told %v", told)
	}

	account, _, err := store.Account(t.Context(), "acme", "stripe")
	if err != nil {
		t.Fatal(err)
	}
	account.Credentials = []catalog.SealedCredential{{Name: "live_key", Blob: []byte("rk_live_1"), CreatedAt: now}, {Name: "test_key", Blob: []byte("rk_test_1"), CreatedAt: now}}
	if err := store.PutAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	const want = `{"order":"cs_live_a1","lines":[{"line":"price_1","product":"game","state":"fulfilled","wanted":2,"allocated":2}]}`
	for range 2 {
		if status, body := call("stripe_paid"); status != http.StatusOK || body != want {
			t.Errorf("answered %d: %s", status, body)
		}
	}
	if status, body := call("stripe_paid_test"); status != http.StatusOK || !strings.Contains(body, `"state":"fulfilled"`) {
		t.Errorf("the sandbox is answered %d: %s", status, body)
	}
	if got := strings.Join(api.keys, ", "); got != "Bearer rk_live_1, Bearer rk_live_1, Bearer rk_test_1" {
		t.Errorf("called with %s", got)
	}
	for nothing, of := range map[string]string{
		"stripe_unpaid": "checkout.session.completed", "stripe_invoice_first": "invoice.paid",
		"stripe_payment_intent": "payment_intent.succeeded", "stripe_thin": "v1.billing.meter.error_report_triggered",
	} {
		if status, body := call(nothing); status != http.StatusOK || body != `{"ignored":true,"type":"`+of+`"}` {
			t.Errorf("%s is answered %d: %s", nothing, status, body)
		}
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 4 || len(books.Lines) != 2 {
		t.Errorf("%d keys for %d lines", books.Claimed, len(books.Lines))
	}
}
