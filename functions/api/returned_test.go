package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// Each line is named once: what is said of it twice may differ.
func TestActs_linesNamedTwice(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.paidOrder("7", 3)
	before := w.dump()
	for act, where := range map[string]string{"hold": "lines[2]", "release": "lines[2]", "resend": "lines[2]", "reject": "lines[2]", "return": "lines[2].line"} {
		body := `{"lines":["1","2","1"]}`
		if act == "return" {
			body = `{"refund":"RMA-1","lines":[{"line":"1","units":1},{"line":"2"},{"line":"1","units":2}]}`
		}
		if got := w.shop(token, "POST", "/v1/orders/7/"+act, body).Want(422).Locations(); fmt.Sprint(got) != "[body."+where+"]" {
			t.Errorf("%s: at fault are %v", act, got)
		}
	}
	if after := w.dump(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("a refused act changed something")
	}
}

// A return that names the platform's refund does what it says: it gives back all of the order
// for an amount, and refuses a refund that failed.
func TestReturn_byThePlatformsRefund(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	line := w.paidOrder("7", 3)
	platform := &lifecycle.Lifecycle{Store: w.store, Wholes: w.store, Uploads: w.store, Settings: w.store, Fill: w.fill, Notices: w.store, By: "webhook", Now: time.Now}
	of := order.Whole{ID: line.ID.OrderHalf(), Merchant: line.Merchant, Side: line.Side, Account: line.Account, Order: line.Order}
	if _, clear, err := platform.ReturnAmount(t.Context(), of, order.Return{ID: "re_1", By: "webhook", Amount: "1.23", Currency: "EUR"}); err != nil || clear {
		t.Fatal(clear, err)
	}
	if _, _, err := platform.RefundFailed(t.Context(), of, order.Return{ID: "re_2", By: "webhook"}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"refund":"re_2"}`, `{"refund":"re_2","lines":[{"line":"1","units":1}]}`} {
		w.shop(token, "POST", "/v1/orders/7/return", body).Want(409)
	}
	if now := w.state(line.ID); now.ReturnedUnits != 0 {
		t.Errorf("%d units are returned", now.ReturnedUnits)
	}
	w.shop(token, "POST", "/v1/orders/7/return", `{"refund":"RMA-1","lines":[{"line":"1","units":1}]}`).Want(200)
	back := lifecycle.LineReturn{
		Identity: order.Identity{Merchant: line.Merchant, Side: line.Side, Origin: line.Origin, Order: line.Order, Line: line.Line},
		Account:  line.Account, Refund: "re_3", Units: 1, Act: lifecycle.Act{By: "webhook"},
	}
	if now, err := platform.ReturnLine(t.Context(), back); err != nil || now.ReturnedUnits != 1 {
		t.Errorf("%d units are returned after the refund of what was returned by hand: %v", now.ReturnedUnits, err)
	}
	for range 2 {
		var got Acted
		w.shop(token, "POST", "/v1/orders/7/return", `{"refund":"re_1"}`).Want(200).Into(&got)
		if len(got.Lines) != 1 || !got.Lines[0].Done || got.Lines[0].State != "returned" {
			t.Errorf("returned by the id of an amount: %+v", got)
		}
	}
	dynamotest.Audit(t, w.tables)
}
