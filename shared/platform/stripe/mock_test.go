package stripe_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
	"github.com/stripe/stripe-mock/spec"

	"keypool/infra/proof/apitest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// mocked returns the adapter with stripe-mock as its API: the answers have the members of
// Stripe's own examples, but for those that are given.
func mocked(t *testing.T, given map[spec.ResourceID]object) (stripe.Adapter, platform.Account) {
	t.Helper()
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, members := range given {
		resource, ok := fixtures.Resources[name].(map[string]any)
		if !ok {
			t.Fatalf("stripe-mock has no %s", name)
		}
		maps.Copy(resource, members)
	}
	stub, err := server.NewStubServer(fixtures, description(), true, false)
	if err != nil {
		t.Fatal(err)
	}
	from := ofTestSide(account(""))
	from.Credentials["test_key"] = platform.Conceal([]byte("rk_test_123456789"))
	return stripe.Through(apitest.Serve(t, http.HandlerFunc(stub.HandleRequest))), from
}

// inSandbox returns the webhook of a file, as a sandbox sends it.
func inSandbox(t *testing.T, name string) platform.Request {
	t.Helper()
	return changed(t, name, `"livemode":true`, `"livemode":false`)
}

// What Stripe's own mock answers is read: an order, a renewal, a refund, a dispute.
func TestDecode_answersOfStripesMock(t *testing.T) {
	t.Parallel()
	a, from := mocked(t, map[spec.ResourceID]object{
		"checkout.session": {"payment_intent": "pi_1", "subscription": "sub_1", "payment_status": "paid"},
		"item":             {"quantity": 2, "amount_subtotal": 11998, "amount_total": 11998, "currency": "eur"},
		"product":          {"id": "prod_1", "metadata": map[string]any{"keypool_product": "shirt"}},
		"refund":           {"id": "re_1", "charge": "ch_1", "payment_intent": "pi_1", "amount": 5999, "currency": "eur", "created": 1767366100},
	})
	got, err := a.Decode(t.Context(), webhook(t, "stripe_paid_test"), from)
	if err != nil || len(got) != 1 {
		t.Fatalf("an order: %+v, %v", got, err)
	}
	order := got[0].(platform.Paid)
	if len(order.Lines) != 1 || order.Lines[0].Product != "shirt" || order.Lines[0].Title != "T-shirt" || order.Lines[0].Quantity != 2 || order.Lines[0].UnitPrice != "59.99" {
		t.Errorf("an order: %+v", order)
	}

	got, err = a.Decode(t.Context(), inSandbox(t, "stripe_renewed"), from)
	if err != nil || len(got) != 1 {
		t.Fatalf("a renewal: %+v, %v", got, err)
	}
	renewal := got[0].(platform.Paid)
	if len(renewal.Lines) != 1 || renewal.Lines[0].ID != "price_3" || renewal.Lines[0].Product != "shirt" || renewal.Parent == "" || renewal.Order != "in_2" {
		t.Errorf("a renewal: %+v", renewal)
	}

	got, err = a.Decode(t.Context(), inSandbox(t, "stripe_refunded_part"), from)
	if err != nil || len(got) != 1 {
		t.Fatalf("a refund: %+v, %v", got, err)
	}
	want := platform.Returned{
		Order: renewal.Parent, Test: true, ID: "re_1", Lines: []platform.ReturnedLine{{ID: order.Lines[0].ID, Quantity: 1}},
		Amount: "59.99", Currency: "EUR", At: time.Unix(1767366100, 0).UTC(),
	}
	if fmt.Sprintf("%+v", got[0]) != fmt.Sprintf("%+v", want) {
		t.Errorf("a refund: %+v, want %+v", got[0], want)
	}

	got, err = a.Decode(t.Context(), inSandbox(t, "stripe_disputed"), from)
	if dispute, ok := got[0].(platform.Disputed); err != nil || !ok || dispute.Order != renewal.Parent || !dispute.Test {
		t.Errorf("a dispute: %+v, %v", got, err)
	}
}
