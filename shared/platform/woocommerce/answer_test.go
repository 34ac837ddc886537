package woocommerce_test

import (
	"net/http"
	"testing"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

// Trap: WooCommerce repeats nothing, and switches a webhook off that is refused six times in
// a row. Only what was not stored is no success.
func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "727", Line: "315", Product: "94", State: order.Waiting, Wanted: 2, Allocated: 1}
	const line = `{"line":"315","product":"94","state":"waiting","wanted":2,"allocated":1}`
	refused := &platform.FieldError{Field: "lines[0].quantity", Problem: "is another"}
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"nothing":  {nil, http.StatusOK, `{"received":true}`},
		"ignored":  {[]platform.Result{{Outcome: platform.Skipped, Type: "product.updated"}}, http.StatusOK, `{"received":true}`},
		"an order": {[]platform.Result{accepted}, http.StatusOK, `{"received":true,"order":"727","lines":[` + line + `]}`},
		"another product": {
			[]platform.Result{accepted, {Outcome: platform.Skipped, Order: "727", Line: "316", Product: "88", Why: platform.OtherProduct}},
			http.StatusOK, `{"received":true,"order":"727","lines":[` + line + `,{"line":"316","product":"88","skipped":"other_product"}]}`,
		},
		"remembered": {[]platform.Result{{Outcome: platform.Accepted, Order: "727"}}, http.StatusOK, `{"received":true,"order":"727"}`},
		"changed":    {[]platform.Result{{Outcome: platform.Changed, Order: "727", Field: refused}}, http.StatusOK, `{"received":true,"order":"727","refused":"lines[0].quantity is another"}`},
		"rejected":   {[]platform.Result{{Outcome: platform.Rejected, Order: "727", Field: refused}}, http.StatusOK, `{"received":true,"order":"727","refused":"lines[0].quantity is another"}`},
		"failed":     {[]platform.Result{accepted, {Outcome: platform.Failed}}, http.StatusServiceUnavailable, `{"received":false,"order":"727"}`},
	} {
		got := woocommerce.Adapter{}.Answer(test.results)
		if got.Status != test.status || string(got.Body) != test.body {
			t.Errorf("%s: answered %d %s", name, got.Status, got.Body)
		}
	}
}
