package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// held stores a line that the cap holds.
func (w *world) held(merchant string, side pool.Side, number string, at time.Time) order.Fulfillment {
	w.Helper()
	line := w.claim(merchant, "elden", side, number, 120)
	change := order.ChangeOf(line)
	change.After.HoldByRules([]order.Hold{order.HoldCap}, at)
	change.Settle(at)
	if err := w.store.Commit(w.Context(), change); err != nil {
		w.Fatal(err)
	}
	return change.After
}

func (w *world) state(id order.LineID) order.Fulfillment {
	w.Helper()
	line, _, err := w.store.Fulfillment(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return line
}

func TestReview_isSetUnderALock(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var got ReviewSettings
	first := w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&got)
	if got.Brake == nil || got.Brake.Set || got.BrakesItself || got.Rules.MaxKeys != 0 {
		t.Errorf("a new merchant has %+v", got)
	}
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50}}`).Want(428)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50}}`, "if-none-match", "*").Want(412)
	second := w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50,"above":{"EUR":"500.00"}},"brakes_itself":true}`, "if-match", first.ETag()).Want(200)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":60}}`, "if-match", first.ETag()).Want(412)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"max_keys":50,"above":{"EUR":"500.00"}},"brakes_itself":true}`).Want(200) // a repeat
	got = ReviewSettings{}
	if third := w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&got); third.ETag() != second.ETag() || got.Rules.MaxKeys != 50 || got.Rules.Above["EUR"] != "500.00" || !got.BrakesItself {
		t.Errorf("read %s %+v", third.ETag(), got)
	}
	where := w.shop(token, "PUT", "/v1/review", `{"rules":{"above":{"EUR":"much"}}}`, "if-match", "*").Want(422).Locations()
	if fmt.Sprint(where) != "[body.rules.above.EUR]" {
		t.Errorf("at fault: %v", where)
	}
}

func TestBrake_isSetOnceAndTakenOff(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var set, again, off Brake
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&set)
	w.advance(time.Hour)
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&again)
	if !set.Set || !set.SetAt.Equal(noon) || !again.SetAt.Equal(noon) || !strings.Contains(set.By, "the token") {
		t.Errorf("set %+v, then %+v", set, again)
	}
	for _, why := range []string{"?reason=it+was+the+sale", "", "?reason=again"} {
		w.shop(token, "DELETE", "/v1/brake"+why, nil).Want(204)
		w.advance(time.Hour)
	}
	want := Brake{SetAt: noon, By: set.By, ReleasedAt: noon.Add(time.Hour), ReleasedBy: set.By, Reason: "it was the sale"}
	if w.shop(token, "GET", "/v1/brake", nil).Want(200).Into(&off); off != want {
		t.Errorf("it is off: %+v, want %+v", off, want)
	}
	var all ReviewSettings
	if w.shop(token, "GET", "/v1/review", nil).Want(200).Into(&all); *all.Brake != want {
		t.Errorf("review shows %+v, want %+v", *all.Brake, want)
	}
	w.shop(token, "DELETE", "/v1/brake?reason="+strings.Repeat("a", 201), nil).Want(422)

	var anew Brake
	w.shop(token, "POST", "/v1/brake", nil).Want(200).Into(&anew)
	if anew != (Brake{Set: true, SetAt: noon.Add(4 * time.Hour), By: set.By}) {
		t.Errorf("set anew: %+v", anew)
	}
}

func TestHeld_isListedAndDecided(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	one, two := w.held("acme", pool.Live, "1", noon), w.held("acme", pool.Live, "2", noon)
	three, later := w.held("acme", pool.Live, "3", noon), w.held("acme", pool.Live, "4", noon.Add(time.Hour))
	test := w.held("acme", pool.Test, "5", noon)
	var orders []string
	for path := "/v1/held?limit=3"; path != ""; {
		var page HeldList
		w.shop(token, "GET", path, nil).Want(200).Into(&page)
		for _, l := range page.Items {
			if fmt.Sprint(l.Holds) != "[cap]" || l.Quantity != 120 || l.Title != "Elden" {
				t.Errorf("listed %+v", l)
			}
			orders = append(orders, l.Order)
		}
		if path = ""; page.Next != "" {
			path = "/v1/held?limit=3&after=" + url.QueryEscape(page.Next)
		}
	}
	if len(orders) != 4 {
		t.Errorf("listed %v", orders)
	}
	var acted Acted
	w.shop(token, "POST", "/v1/orders/1/reject", `{"reason":"a stolen card"}`).Want(200).Into(&acted)
	if l := acted.Lines[0]; !l.Done || l.State != "returned" {
		t.Errorf("rejected: %+v", l)
	}
	w.shop(token, "POST", "/v1/orders/reject?order=1", `{}`).Want(200).Into(&acted)
	if acted.Lines[0].Done {
		t.Error("it was rejected again")
	}
	w.shop(token, "POST", "/v1/orders/2/release", `{}`).Want(200)
	w.shop(token, "POST", "/v1/orders/2/reject", `{}`).Want(200).Into(&acted)
	if acted.Lines[0].Done {
		t.Error("a line was rejected that nothing holds any more")
	}
	var done Decided
	w.shop(token, "POST", "/v1/held/reject", `{"held_until":"2026-11-23T12:00:00Z"}`).Want(200).Into(&done)
	if done.Done != 1 || done.Left {
		t.Errorf("decided %+v", done)
	}
	for id, want := range map[order.LineID]order.State{
		one.ID: order.Returned, two.ID: order.Waiting, three.ID: order.Returned, later.ID: order.OnHold, test.ID: order.OnHold,
	} {
		if got := w.state(id); got.State() != want {
			t.Errorf("order %s is %s, want %s", got.Order, got.State(), want)
		}
	}
	w.advance(2 * time.Hour)
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&done)
	w.shop(token, "POST", "/v1/held/release?test=true", `{}`).Want(200).Into(&done)
	if w.state(later.ID).State() != order.Waiting || w.state(test.ID).State() != order.Waiting {
		t.Error("not all were released")
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/1", nil).Want(200).Into(&read)
	if h := inHistory(read.Items[0]); len(h) == 0 || h[len(h)-1].Code != "rejected: a stolen card" {
		t.Errorf("history %+v", h)
	}
}

// Lines are decided in parts, of which a caller is told.
func TestHeld_inParts(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	for i := range review.AllAtOnce + 2 {
		w.held("acme", pool.Live, fmt.Sprint(i), noon)
	}
	var first, second Decided
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&first)
	w.shop(token, "POST", "/v1/held/release", `{}`).Want(200).Into(&second)
	if first != (Decided{Done: review.AllAtOnce, Left: true}) || second != (Decided{Done: 2}) {
		t.Errorf("decided %+v, then %+v", first, second)
	}
}
