package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
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
