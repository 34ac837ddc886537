package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// openGeneric adds the account that events/good_api_account_generic.json sets up, and
// another shop's with the same settings.
func openGeneric(t *testing.T, answer string) *shop {
	t.Helper()
	s := open(t)
	var set struct {
		Platform string
		Secrets  []struct{ Name, Secret string }
		Settings map[string]any
	}
	if err := json.Unmarshal([]byte(fixture(t, "good_api_account_generic").Body), &set); err != nil {
		t.Fatal(err)
	}
	if answer != "" {
		set.Settings["answer"] = answer
	}
	settings, err := json.Marshal(set.Settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"my-shop", "my-shop-2"} {
		if err := s.store.PutAccount(t.Context(), catalog.Account{
			Merchant: "acme", Name: name, Platform: set.Platform, Origin: "origin of " + name, Settings: settings,
			Secrets: []catalog.SealedSecret{{Name: set.Secrets[0].Name, Blob: []byte(set.Secrets[0].Secret), CreatedAt: now}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestHandle_generic(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		"good_generic_paid": `{"order":"42","lines":[{"line":"7001","product":"game","state":"fulfilled","wanted":2,"allocated":2},` +
			`{"line":"7002","product":"unheard-of","state":"unconnected","wanted":0,"allocated":0}]}`,
		"good_generic_paid_test": `{"order":"43","lines":[{"line":"7001","product":"game","state":"waiting","wanted":2,"allocated":0}]}`,
		"good_generic_pending":   `{"ignored":true,"type":"order.paid (not passed: when[0])"}`,
		"good_generic_ignored":   `{"ignored":true,"type":"ping"}`,
		"good_generic_refunded":  `{"order":"42","lines":[{"line":"7001","product":"","state":"expected","wanted":0,"allocated":0}]}`,
		"bad_generic_no_product": `{"order":"44","refused":"lines[0].product finds nothing at /sku"}`,
		"bad_generic_twice":      `{"refused":"order names a member of an object twice at /order/id"}`,
	} {
		for _, answer := range []string{"", "OK"} {
			s := openGeneric(t, answer)
			status, body := s.call(t, fixture(t, event))
			if answer != "" {
				want = answer
			}
			if diff := cmp.Diff(want, body); status != http.StatusOK || diff != "" {
				t.Errorf("%s is answered %d (-want +got):\n%s", event, status, diff)
			}
			refused := len(dynamotest.Items(t, s.tables.Orders, "refused#acme"))
			if bad := strings.HasPrefix(event, "bad_"); (refused == 1) != bad {
				t.Errorf("%s: %d are kept as refused", event, refused)
			}
			dynamotest.Audit(t, s.tables)
		}
	}
	s := openGeneric(t, "OK")
	if status, body := s.call(t, fixture(t, "bad_generic_signature")); status != http.StatusUnauthorized || body == "OK" {
		t.Errorf("a wrong signature is answered %d %s", status, body)
	}
}

// A refund takes the units that it names: none of a line of which it names none, whether the
// order was paid yet or not.
func TestHandle_genericRefundOfSomeLines(t *testing.T) {
	t.Parallel()
	const (
		paid   = `{"event":"order.paid","order":{"id":42,"status":"paid","sandbox":false,"email":"ada@example.com","items":[{"id":"a","sku":"game","qty":2},{"id":"b","sku":"game","qty":1}]}}`
		refund = `{"event":"order.refunded","order":{"id":42,"status":"refunded","sandbox":false},"refund":{"id":9001,"items":[{"id":"a","qty":1},{"id":"b","qty":0}]}}`
	)
	for name, bodies := range map[string][]string{"after it was paid": {paid, refund, paid, refund}, "before it was paid": {refund, paid, refund}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openGeneric(t, "")
			for _, body := range bodies {
				if status, answer := s.call(t, genericWebhook(t, body)); status != http.StatusOK || strings.Contains(answer, "refused") {
					t.Errorf("answered %d %s", status, answer)
				}
			}
			for line, want := range map[string]int{"a": 1, "b": 1} {
				id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "origin of my-shop", Order: "42", Line: line}.ID()
				if f, ok, err := s.store.Fulfillment(t.Context(), id); err != nil || !ok || f.Allocated != want {
					t.Errorf("line %s has %d keys, want %d: %v, %v", line, f.Allocated, want, ok, err)
				}
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}

// A refund that a test of the settings passes over is told: the customer has money and key.
func TestHandle_genericRefundPassedOver(t *testing.T) {
	t.Parallel()
	s := openGeneric(t, "")
	account, _, err := s.store.Account(t.Context(), "acme", "my-shop")
	if err != nil {
		t.Fatal(err)
	}
	account.Settings = json.RawMessage(strings.Replace(string(account.Settings), `"return":{`, `"return":{"when":[{"pointer":"/refund/state","in":["done"]}],`, 1))
	if err := s.store.PutAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status, body := s.call(t, fixture(t, "good_generic_refunded")); status != http.StatusOK || body != `{"ignored":true,"type":"order.refunded (not passed: return.when[0])"}` {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if told := dynamotest.Partitions(t, s.tables.Orders, "notice#"); len(told) != 1 {
		t.Errorf("told: %v", told)
	}
}

// genericWebhook is a webhook of my-shop, signed as its fixtures are.
func genericWebhook(t *testing.T, body string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	r := fixture(t, "good_generic_paid")
	const at = "1767366245"
	mac := hmac.New(sha256.New, []byte("keypool-generic-secret"))
	mac.Write([]byte(at + "." + body))
	r.Headers["x-signature"], r.Body = "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)), body
	return r
}

// Trap: two shops of a merchant number their orders alike. Each has an account of its own.
func TestHandle_genericShopsAreApart(t *testing.T) {
	t.Parallel()
	s := openGeneric(t, "")
	for _, account := range []string{"my-shop", "my-shop-2", "my-shop"} {
		r := fixture(t, "good_generic_paid")
		r.PathParameters["account"] = account
		if status, body := s.call(t, r); status != http.StatusOK {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 3 || len(books.Lines) != 4 { // of three keys that there are
		t.Errorf("%d keys for %d lines", books.Claimed, len(books.Lines))
	}
}
