package stripe_test

import (
	"net/http"
	"testing"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// Stripe repeats what is not answered 2xx for three days, and then switches the endpoint
// off: what is refused for good is answered 200, what may pass 503.
func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "cs_1", Line: "price_1", Product: "game", State: order.Waiting, Wanted: 2, Allocated: 1}
	refused := platform.Result{Outcome: platform.Changed, Order: "cs_1", Field: &platform.FieldError{Field: "lines[0].quantity", Problem: "is another"}}
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"nothing":  {nil, http.StatusOK, `{"received":true}`},
		"ignored":  {[]platform.Result{{Outcome: platform.Skipped, Type: "payment_intent.succeeded"}}, http.StatusOK, `{"received":true}`},
		"an order": {[]platform.Result{accepted}, http.StatusOK, `{"received":true,"order":"cs_1","lines":[{"line":"price_1","product":"game","state":"waiting","wanted":2,"allocated":1}]}`},
		"a line with nothing to deliver": {
			[]platform.Result{{Outcome: platform.Skipped, Order: "cs_1", Line: "li_9", Why: platform.NothingToDo}},
			http.StatusOK, `{"received":true,"order":"cs_1","lines":[{"line":"li_9","skipped":"nothing_to_deliver"}]}`,
		},
		"refused": {
			[]platform.Result{accepted, refused},
			http.StatusOK,
			`{"received":true,"order":"cs_1","lines":[{"line":"price_1","product":"game","state":"waiting","wanted":2,"allocated":1}],"refused":"lines[0].quantity is another"}`,
		},
		"failed": {
			[]platform.Result{accepted, {Outcome: platform.Failed}},
			http.StatusServiceUnavailable,
			`{"received":false,"order":"cs_1","reason":"not stored, or not all of it: send the same again"}`,
		},
		"a key that is missing": {
			[]platform.Result{{Outcome: platform.Failed, Field: &platform.FieldError{Field: "credentials.live_key", Problem: "is missing"}}},
			http.StatusServiceUnavailable, `{"received":false,"reason":"credentials.live_key is missing"}`,
		},
	} {
		got := stripe.Adapter{}.Answer(test.results)
		if got.Status != test.status || string(got.Body) != test.body || (got.Header.Get("Retry-After") != "") != (test.status != http.StatusOK) {
			t.Errorf("%s: answered %d %s %v", name, got.Status, got.Body, got.Header)
		}
	}
}
