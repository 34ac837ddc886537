package main

import (
	"net/http"
	"strings"
	"testing"

	"keypool/infra/proof/dynamotest"
)

// A shop reports what happens to an order after it was paid, or before, by Keypool's own
// scheme: each step is answered by how the lines stand then, and a repeat by the same.
func TestHandle_orderAfterItWasPaid(t *testing.T) {
	const fulfilled = `{"order":"10001","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`
	const held = `{"order":"10001","lines":[{"line":"1","product":"game","state":"on_hold","wanted":1,"allocated":1}]}`
	const returned = `{"order":"10001","lines":[{"line":"1","product":"game","state":"returned","wanted":1,"allocated":0}]}`
	const nothingYet = `{"order":"10001"}`
	type step struct{ event, body string }
	for name, c := range map[string]struct {
		steps            []step
		claimed, revoked int
	}{
		"refunded": {[]step{{"good_order_paid", fulfilled}, {"good_order_refunded", returned}, {"good_order_paid", returned}}, 0, 1},
		"refunded before it is paid": {[]step{
			{"good_order_refunded", nothingYet},
			{"good_order_paid", `{"order":"10001","lines":[{"line":"1","product":"game","state":"on_hold","wanted":1,"allocated":0}]}`},
		}, 0, 0},
		"a line is refunded before it is paid": {[]step{
			{"good_order_refunded_line", `{"order":"10003","lines":[{"line":"1","product":"","state":"expected","wanted":0,"allocated":0}]}`},
			{"good_order_paid_lines", `{"order":"10003","lines":[{"line":"1","product":"game","state":"returned","wanted":1,"allocated":0},{"line":"2","product":"unheard-of","state":"unconnected","wanted":0,"allocated":0}]}`},
		}, 0, 0},
		"disputed and won": {[]step{
			{"good_order_paid", fulfilled},
			{"good_order_disputed", held},
			{"good_order_paid", held},
			{"good_order_dispute_won", fulfilled},
			{"good_order_disputed", fulfilled},
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, step := range c.steps {
				for range 2 {
					if status, body := s.call(t, fixture(t, step.event)); status != http.StatusOK || body != step.body {
						t.Errorf("%s: answered %d %s, want %s", step.event, status, body, step.body)
					}
				}
			}
			if books := dynamotest.Audit(t, s.tables); books.Claimed != c.claimed || books.Revoked != c.revoked {
				t.Errorf("%d keys are claimed, %d revoked; want %d, %d", books.Claimed, books.Revoked, c.claimed, c.revoked)
			}
		})
	}
}

// An order of our own scheme that was refunded and is paid once more is told to its merchant,
// and gets no key by itself. The first payment, sent again, is not told.
func TestHandle_paidAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, step := range []struct {
		event, paidAt string
		told          int
	}{
		{"good_order_paid", "", 0},
		{"good_order_refunded", "", 0},
		{"good_order_paid", "", 0},
		{"good_order_paid", "2026-01-02T15:03:59Z", 0},
		{"good_order_paid", "2026-01-02T15:04:30Z", 1},
		{"good_order_paid", "2026-01-02T15:04:30Z", 1},
	} {
		r := fixture(t, step.event)
		if step.paidAt != "" {
			body := strings.Replace(r.Body, `"paid_at":"2026-01-02T15:04:00Z"`, `"paid_at":"`+step.paidAt+`"`, 1)
			if r.Body == body {
				t.Fatal("the event holds no time of payment")
			}
			r.Body = body
			sign(t, &r, now)
		}
		if status, body := s.call(t, r); status != http.StatusOK {
			t.Errorf("%s: answered %d %s", step.event, status, body)
		}
		if told := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#paid-again#"); len(told) != step.told {
			t.Errorf("after %s of %s: told %v, want %d", step.event, step.paidAt, told, step.told)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
}

// A dispute of a state that nobody knows is refused by its field, and kept.
func TestHandle_disputeOfAnUnknownState(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, fixture(t, "good_order_paid"))
	status, body := s.call(t, fixture(t, "bad_order_disputed_state"))
	const want = `{"type":"/openapi.json#/webhooks","status":400,"title":"Bad Request","detail":"data.state is none of: open, won, lost.","errors":[{"message":"is none of: open, won, lost","location":"body.data.state"}]}`
	if status != http.StatusBadRequest || body != want {
		t.Errorf("answered %d %s", status, body)
	}
	if kept := dynamotest.Items(t, s.tables.Orders, "refused#acme"); len(kept) != 1 {
		t.Errorf("%d are kept", len(kept))
	}
}
