package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// An order is read and cancelled whatever its number is.
func TestOrders_anyNumber(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	for _, number := range []string{".", "..", "a/../b", "a//b", "/a", "a%2Fb", "50%", "a b", "a+b", "a?b=c", "x/cancel", "x/resend", "cancel", "ü"} {
		w.claim("acme", "elden", pool.Live, number, 1)
		var got OrderList
		w.shop(token, "GET", "/v1/orders?order="+url.QueryEscape(number), nil).Want(200).Into(&got)
		if len(got.Items) != 1 || got.Items[0].Order != number {
			t.Errorf("%q: read %+v", number, got)
		}
		var cancelled Cancellation
		w.shop(token, "POST", "/v1/orders/cancel?order="+url.QueryEscape(number), nil).Want(200).Into(&cancelled)
		if cancelled.Order != number || len(cancelled.Lines) != 1 || !cancelled.Lines[0].Cancelled {
			t.Errorf("%q: cancelled %+v", number, cancelled)
		}
	}
	w.shop(token, "GET", "/v1/orders?order=", nil).Want(422)
	w.shop(token, "GET", "/v1/orders?order=nobody's", nil).Want(404)
}

// Lines that wait become returned and leave their queues, and their keys are for sale
// again. A line that is filled is left. Twice is as once.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	elden := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	dynamotest.Stock(w, w.tables, elden, 4, dynamotest.Texts("KEY", 150)...)

	// 150 of 200 keys: some in the line's own item, others in chunks.
	line := w.claim("acme", "elden", pool.Live, "1", 200)
	for allocated := 0; allocated < 150; allocated = line.Allocated {
		n := min(order.InlineKeys, 150-allocated)
		if allocated > 0 {
			n = min(order.MaxKeys, 150-allocated)
		}
		keys, err := w.store.Candidates(w.Context(), elden, 4, n)
		if err != nil {
			t.Fatal(err)
		}
		change := order.ChangeOf(line)
		change.Allocate(keys[:min(n, len(keys))], time.Now())
		if err := w.store.Commit(w.Context(), change); err != nil {
			t.Fatal(err)
		}
		line = change.After
	}
	w.fill.drain()
	for range 2 {
		var got Cancellation
		w.shop(token, "POST", "/v1/orders/1/cancel", nil).Want(200).Into(&got)
		if len(got.Lines) != 1 || got.Lines[0].State != "returned" || !got.Lines[0].Cancelled {
			t.Errorf("cancelled: %+v", got)
		}
	}
	if sent := w.fill.drain(); len(sent) != 1 {
		t.Errorf("asked for a fill %q", sent)
	}
	if n, err := w.store.Available(w.Context(), elden, 4, 1000); err != nil || n != 150 {
		t.Errorf("%d keys are for sale, %v", n, err)
	}
	if queue, err := w.store.Queue(w.Context(), elden); err != nil || len(queue.Lines) != 0 {
		t.Errorf("the queue has %+v, %v", queue.Lines, err)
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/1", nil).Want(200).Into(&read)
	if l, h := read.Items[0].Lines[0], inHistory(read.Items[0]); l.Allocated != 0 || l.Missing != 0 || l.Returned != 200 || len(h) != 1 || h[0].What != "cancelled" || h[0].By == "" {
		t.Errorf("read %+v", read.Items[0])
	}
	dynamotest.Audit(t, w.tables)

	// A line without a pool gets none any more.
	w.claim("acme", "", pool.Live, "2", 1)
	w.shop(token, "POST", "/v1/orders/2/cancel", nil).Want(200)
	if waits, err := w.store.CountUnconnected(w.Context(), "acme", []string{"4711"}, 1); err != nil || waits > 0 {
		t.Errorf("it still waits: %v", err)
	}

	// A line that has its keys is left.
	before := w.claim("acme", "elden", pool.Live, "3", 1)
	keys, err := w.store.Candidates(w.Context(), elden, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	filled := order.ChangeOf(before)
	filled.Allocate(keys[:1], time.Now())
	if err := w.store.Commit(w.Context(), filled); err != nil {
		t.Fatal(err)
	}
	var left Cancellation
	w.shop(token, "POST", "/v1/orders/3/cancel", nil).Want(200).Into(&left)
	if l := left.Lines[0]; l.Cancelled || l.State != "fulfilled" {
		t.Errorf("a filled line: %+v", l)
	}
	dynamotest.Audit(t, w.tables)
}

// A number that fits several orders is refused with those it fits, and nothing is done.
func TestCancel_severalOrdersOfANumber(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.claim("acme", "elden", pool.Live, "1", 1)
	w.claim("acme", "elden", pool.Test, "1", 1)
	for _, path := range []string{"/v1/orders/1/cancel", "/v1/orders/cancel?order=1", "/v1/orders/1/cancel?account=shop-eu"} {
		got := w.shop(token, "POST", path, nil).Want(409)
		if want := `"add one of these: account=shop-eu\u0026test=false, account=shop-eu\u0026test=true"`; !strings.Contains(strings.ReplaceAll(got.Body, "&", `\u0026`), want) {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
	var got Cancellation
	w.shop(token, "POST", "/v1/orders/1/cancel?test=true", nil).Want(200).Into(&got)
	if !got.Test || !got.Lines[0].Cancelled {
		t.Errorf("cancelled %+v", got)
	}
	var live OrderList
	w.shop(token, "GET", "/v1/orders/1?test=false", nil).Want(200).Into(&live)
	if state := live.Items[0].Lines[0].State; state != "waiting" {
		t.Errorf("the paid order is %s", state)
	}
	w.shop(token, "POST", fmt.Sprintf("/v1/orders/1/cancel?account=%s", "other"), nil).Want(404)
}
