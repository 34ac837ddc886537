package paddle_test

import (
	"net/http"
	"testing"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

// Paddle repeats what is not answered 200: what is refused for good is answered so too, and
// what may pass by 503.
func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "txn_1", Line: "txnitm_1", Product: "game", State: order.Waiting, Wanted: 2, Allocated: 1}
	refused := platform.Result{Outcome: platform.Changed, Order: "txn_1", Field: &platform.FieldError{Field: "lines[0].quantity", Problem: "is another"}}
	const line = `{"line":"txnitm_1","product":"game","state":"waiting","wanted":2,"allocated":1}`
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"nothing":  {nil, http.StatusOK, `{}`},
		"ignored":  {[]platform.Result{{Outcome: platform.Skipped, Type: "transaction.paid"}}, http.StatusOK, `{"ignored":true,"type":"transaction.paid"}`},
		"an order": {[]platform.Result{accepted}, http.StatusOK, `{"order":"txn_1","lines":[` + line + `]}`},
		"a line with nothing to deliver": {
			[]platform.Result{{Outcome: platform.Skipped, Order: "txn_1", Line: "txnitm_9", Why: platform.NothingToDo}},
			http.StatusOK, `{"order":"txn_1","skipped":[{"line":"txnitm_9","why":"nothing_to_deliver"}]}`,
		},
		"refused": {[]platform.Result{accepted, refused}, http.StatusOK, `{"order":"txn_1","lines":[` + line + `],"refused":"lines[0].quantity is another"}`},
		"failed": {
			[]platform.Result{accepted, {Outcome: platform.Failed}},
			http.StatusServiceUnavailable, `{"order":"txn_1","reason":"not stored, or not all of it: send the same again"}`,
		},
		"a key that is missing": {
			[]platform.Result{{Outcome: platform.Failed, Order: "txn_1", Field: &platform.FieldError{Field: "credentials.live_key", Problem: "is missing"}}},
			http.StatusServiceUnavailable, `{"order":"txn_1","reason":"credentials.live_key is missing"}`,
		},
	} {
		got := paddle.Adapter{}.Answer(test.results)
		if got.Status != test.status || string(got.Body) != test.body || (got.Header.Get("Retry-After") != "") != (test.status != http.StatusOK) {
			t.Errorf("%s: answered %d %s %v", name, got.Status, got.Body, got.Header)
		}
	}
}
