package shopify_test

import (
	"net/http"
	"testing"

	orders "keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

// Shopify deletes a webhook that is not answered 2xx for hours: what is refused for good is
// answered 200, what may pass 503.
func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "1", Line: "2", Product: "game", State: orders.Waiting, Wanted: 2, Allocated: 1}
	refused := platform.Result{Outcome: platform.Changed, Order: "1", Field: &platform.FieldError{Field: "lines[0].quantity", Problem: "is another"}}
	const line = `"order":"1","lines":[{"line":"2","product":"game","state":"waiting","wanted":2,"allocated":1}]`
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"nothing":  {nil, http.StatusOK, `{}`},
		"ignored":  {[]platform.Result{{Outcome: platform.Skipped, Type: "orders/updated"}}, http.StatusOK, `{"ignored":true,"type":"orders/updated"}`},
		"an order": {[]platform.Result{accepted}, http.StatusOK, `{` + line + `}`},
		"a line with nothing to deliver": {
			[]platform.Result{{Outcome: platform.Skipped, Order: "1", Line: "9", Why: platform.NothingToDo}},
			http.StatusOK, `{"order":"1","skipped":[{"line":"9","why":"nothing_to_deliver"}]}`,
		},
		"refused": {[]platform.Result{accepted, refused}, http.StatusOK, `{` + line + `,"refused":"lines[0].quantity is another"}`},
		"failed": {
			[]platform.Result{accepted, {Outcome: platform.Failed}},
			http.StatusServiceUnavailable, `{"reason":"not stored, or not all of it: send the same again"}`,
		},
		"an account to mend": {
			[]platform.Result{{Outcome: platform.Failed, Field: &platform.FieldError{Field: "settings", Problem: "are not those"}}},
			http.StatusServiceUnavailable, `{"reason":"settings are not those"}`,
		},
	} {
		got := shopify.Adapter{}.Answer(test.results)
		if got.Status != test.status || string(got.Body) != test.body || (got.Header.Get("Retry-After") != "") != (test.status != http.StatusOK) {
			t.Errorf("%s: answered %d %s %v", name, got.Status, got.Body, got.Header)
		}
	}
}
