//go:build deployment

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/figures"
	"keypool/shared/order"
)

// liveWithin is how soon the open page of an order shows what a webhook, or new keys, made of it.
const liveWithin = 2 * time.Second

// The open page of an order that waits shows by itself what comes to it from outside: a refund of
// a unit by webhook, five times, then its keys.
//
// Each time runs from the moment when the store has it: a webhook is answered then, and the
// timeline names the moment when keys were taken. How long a webhook takes, and a file of keys, is
// measured elsewhere. The page asks each second, and each refund follows at once on what the page
// showed before, when it has just asked: these are its longest times. The bar holds for the median
// of the six, since the emulator and Chromium share the processors with whatever else runs here, and
// one of six may meet a pause. So that it is not the other tests, this one is not parallel.
func TestPortal_orderAsThingsAre(t *testing.T) {
	const refunds = 5
	m := newMerchant(t)
	o := m.order(refunds + 1)
	m.pay(o, "waiting", 0)
	b := m.portal()
	b.Press("Orders")
	b.Press(o.ID)
	b.Has(fmt.Sprintf("%d keys are missing", refunds+1))
	b.Run(`window.keypoolSame = true`)
	var times figures.Times
	shows := func(text string, since func() time.Time) {
		t.Helper()
		b.Has(text)
		seen := time.Now()
		times = append(times, seen.Sub(since()))
	}
	for left := refunds; left > 0; left-- {
		body := fmt.Appendf(nil, `{"type":"order.refunded","data":{"order":%q,"refund":"re-%d","lines":[{"line":"1","quantity":1}]}}`, o.ID, left)
		if answer := m.send(body, time.Now()); answer.Status != http.StatusOK {
			t.Fatalf("the refund is answered %d: %s", answer.Status, answer.Body)
		}
		stored := time.Now()
		says := fmt.Sprintf("%d keys are missing", left)
		if left == 1 {
			says = "1 key is missing"
		}
		shows(says, func() time.Time { return stored })
	}
	file := m.drop(newKeys(1)[0] + "\n")
	shows("1, from "+file, func() time.Time { return m.at(o.ID, order.KeysTaken) })
	b.Until("it is the page that was opened", `window.keypoolSame`)

	slices.Sort(times)
	figures.Keep(t, "open-page", times)
	t.Logf("an order's open page shows a webhook, or its keys, after %s", times)
	if times.Median() > liveWithin {
		t.Errorf("that is not within %v", liveWithin)
	}
}

// at is when something happened to an order.
func (m *merchant) at(number string, what order.EventKind) time.Time {
	m.t.Helper()
	traces, err := world.shop.Traces(m.t.Context(), m.token, number)
	if err != nil || len(traces) != 1 {
		m.t.Fatalf("%d orders, %v", len(traces), err)
	}
	for _, e := range traces[0].Timeline {
		if e.What == string(what) && !e.Ahead {
			return e.At
		}
	}
	m.t.Fatalf("%s: it did not happen", what)
	return time.Time{}
}
