package platform_test

import (
	"net/http"
	"testing"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// What may pass is 503, which platforms repeat. All else is 200, also what is refused for
// good, and what is left to catch-up.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "1001", Line: "1", Product: "game", State: order.Waiting, Wanted: 2, Allocated: 1}
	skipped := platform.Result{Outcome: platform.Skipped, Order: "1001", Line: "9", Why: platform.NothingToDo}
	mistake := &platform.FieldError{Field: "lines[0].quantity", Problem: "is another"}
	const line = `"order":"1001","lines":[{"line":"1","product":"game","state":"waiting","wanted":2,"allocated":1}]`
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"nothing":    {nil, http.StatusOK, `{}`},
		"ignored":    {[]platform.Result{{Outcome: platform.Skipped, Type: "transaction.paid"}}, http.StatusOK, `{"ignored":true,"type":"transaction.paid"}`},
		"an order":   {[]platform.Result{accepted}, http.StatusOK, `{` + line + `}`},
		"a skipped":  {[]platform.Result{accepted, skipped}, http.StatusOK, `{` + line + `,"skipped":[{"line":"9","why":"nothing_to_deliver"}]}`},
		"remembered": {[]platform.Result{{Outcome: platform.Accepted, Order: "1001"}}, http.StatusOK, `{"order":"1001"}`},
		"changed": {
			[]platform.Result{accepted, {Outcome: platform.Changed, Order: "1001", Field: mistake}},
			http.StatusOK, `{` + line + `,"refused":"lines[0].quantity is another"}`,
		},
		"rejected": {
			[]platform.Result{{Outcome: platform.Rejected, Order: "1001", Field: mistake}},
			http.StatusOK, `{"order":"1001","refused":"lines[0].quantity is another"}`,
		},
		"left to catch-up": {
			[]platform.Result{{Outcome: platform.Left, Order: "1001"}},
			http.StatusOK, `{"order":"1001","left":"to catch-up: what the webhook does not say could not be read now, so nothing was stored yet"}`,
		},
		"failed": {
			[]platform.Result{accepted, {Outcome: platform.Failed}, skipped},
			http.StatusServiceUnavailable, `{"order":"1001","reason":"not stored, or not all of it: send the same again"}`,
		},
		"an account to mend": {
			[]platform.Result{{Outcome: platform.Failed, Field: &platform.FieldError{Field: "credentials.live_key", Problem: "is missing"}}},
			http.StatusServiceUnavailable, `{"reason":"credentials.live_key is missing"}`,
		},
	} {
		got := platform.Acknowledge(test.results)
		if got.Status != test.status || string(got.Body) != test.body || (got.Header.Get("Retry-After") != "") != (test.status != http.StatusOK) {
			t.Errorf("%s: answered %d %s %v", name, got.Status, got.Body, got.Header)
		}
	}
}
