package main

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
)

// noventiqSecret signs the events of events/ that Noventiq sends.
const noventiqSecret = "noventiq-example-secret"

// The webhooks of Noventiq are answered as it needs: 200 for what is stored and for what
// can never be taken, since it sends that again.
func TestHandle_noventiq(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.store.PutAccount(t.Context(), catalog.Account{
		Merchant: "acme", Name: "noventiq", Platform: "noventiq", Origin: "its shop",
		Secrets: []catalog.SealedSecret{{Name: "all", Blob: []byte(noventiqSecret), CreatedAt: now}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		event  string
		status int
		body   string
	}{
		{"good_noventiq_paid", http.StatusOK, `{"order":"90001","lines":[{"line":"game","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`},
		{"good_noventiq_paid", http.StatusOK, `{"order":"90001","lines":[{"line":"game","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`},
		{"good_noventiq_paid_second_product", http.StatusOK, `{"order":"90001","lines":[{"line":"112","product":"112","state":"unconnected","wanted":0,"allocated":0}]}`},
		{"again_noventiq_paid_other_quantity", http.StatusOK, `{"order":"90001","refused":"lines[0].quantity is another than this line was paid with before"}`},
		{"good_noventiq_paid_renewal", http.StatusOK, `{"order":"90003","lines":[{"line":"game","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`},
		{"good_noventiq_paid_dynamic", http.StatusOK, `{"order":"90002","lines":[{"line":"990002","product":"990002","state":"fulfilled","wanted":1,"allocated":1}]}`},
		{"good_noventiq_returned", http.StatusOK, `{"order":"90001","lines":[{"line":"game","product":"game","state":"returned","wanted":1,"allocated":0}]}`},
		{"good_noventiq_subscription", http.StatusOK, `{"order":"90001","ignored":true,"type":"subscription.cancelled"}`},
		{"good_noventiq_ignored", http.StatusOK, `{"ignored":true,"type":"order.created"}`},
		{"bad_noventiq_quantity", http.StatusOK, `{"order":"90005","refused":"product.quantity is less than 1"}`},
	} {
		status, body := s.call(t, fixture(t, test.event))
		if diff := cmp.Diff(test.body, body); status != test.status || diff != "" {
			t.Errorf("%s: status %d (-want +got):\n%s", test.event, status, diff)
		}
	}
	if status, _ := s.call(t, fixture(t, "bad_noventiq_signature")); status != http.StatusUnauthorized {
		t.Errorf("a wrong signature is answered %d", status)
	}
	// The signature of one platform is worth nothing at an account of another.
	crossed := fixture(t, "good_noventiq_paid")
	crossed.RawPath, crossed.PathParameters["account"] = "/webhooks/acme/standard", "standard"
	if status, _ := s.call(t, crossed); status != http.StatusUnauthorized {
		t.Errorf("at an account of another platform it is answered %d", status)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 2 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}
