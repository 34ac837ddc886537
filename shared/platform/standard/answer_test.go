package standard_test

import (
	"net/http"
	"testing"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// The worst result decides what the sender is told, wherever it stands in the list.
func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{
		Outcome: platform.Accepted, Order: "1", Line: "a", Product: "game", State: order.Fulfilled, Wanted: 1, Allocated: 1,
	}
	changed := platform.Result{
		Outcome: platform.Changed, Order: "1", Line: "b", Field: &platform.FieldError{Field: "data.lines[1].quantity", Problem: "is another"},
	}
	failed := platform.Result{Outcome: platform.Failed, Order: "1", Line: "c"}
	field := &platform.FieldError{Field: "data.order", Problem: "is missing"}
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"an order": {
			[]platform.Result{accepted},
			http.StatusOK,
			`{"order":"1","lines":[{"line":"a","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		"an order of which something was left out": {
			[]platform.Result{{Outcome: platform.Accepted, Order: "1", Line: "a", Product: "game", State: order.Waiting, Wanted: 1, IgnoredFields: []string{"data.paid_at"}}},
			http.StatusOK,
			`{"order":"1","lines":[{"line":"a","product":"game","state":"waiting","wanted":1,"allocated":0}],"ignored_fields":["data.paid_at"]}`,
		},
		"an event that does not concern us": {
			[]platform.Result{{Outcome: platform.Skipped, Type: "order.created"}},
			http.StatusOK,
			`{"ignored":true,"type":"order.created"}`,
		},
		"an order from before, and lines that hold nothing": {
			[]platform.Result{
				{Outcome: platform.Skipped, Order: "1", Line: "a", Product: "game", Why: platform.OtherProduct},
				{Outcome: platform.Skipped, Order: "1", Line: "shipping", Why: platform.NothingToDo},
			},
			http.StatusOK,
			`{"order":"1","skipped":[{"line":"a","product":"game","why":"other_product"},{"line":"shipping","why":"nothing_to_deliver"}]}`,
		},
		"one line was changed": {
			[]platform.Result{accepted, changed, accepted},
			http.StatusConflict,
			`{"status":409,"title":"Conflict","detail":"The line was paid before with another product or quantity, or by another customer; nothing was changed.",` +
				`"errors":[{"message":"is another","location":"body.data.lines[1].quantity"}]}`,
		},
		"one was changed and one failed": {
			[]platform.Result{failed, accepted, changed},
			http.StatusServiceUnavailable,
			`{"status":503,"title":"Service Unavailable","detail":"Not stored, or not all of it: send the same again."}`,
		},
		"a field": {
			[]platform.Result{{Outcome: platform.Rejected, Field: field}},
			http.StatusBadRequest,
			`{"type":"/openapi.json#/webhooks","status":400,"title":"Bad Request","detail":"data.order is missing.","errors":[{"message":"is missing","location":"body.data.order"}]}`,
		},
		"the body": {
			[]platform.Result{{Outcome: platform.Rejected, Field: &platform.FieldError{Problem: "is no JSON"}}},
			http.StatusBadRequest,
			`{"type":"/openapi.json#/webhooks","status":400,"title":"Bad Request","detail":"the body is no JSON.","errors":[{"message":"is no JSON","location":"body"}]}`,
		},
	} {
		got := standard.Adapter{}.Answer(test.results)
		if got.Status != test.status || string(got.Body) != test.body {
			t.Errorf("%s: answered %d %s", name, got.Status, got.Body)
		}
		if again := got.Header.Get("Retry-After") != ""; again != (test.status == http.StatusServiceUnavailable) {
			t.Errorf("%s: asks for a repeat: %v", name, again)
		}
	}
}
