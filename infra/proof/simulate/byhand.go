package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// fulfilByHand has the merchant's people fulfil an order that no platform knows.
type fulfilByHand struct {
	payOrder
	keys int // how many they mean it to get; 0: they do not say
}

// byHandOrigin is the shop of orders that people fulfil, as the tables name it.
const byHandOrigin = "by hand"

func (f fulfilByHand) String() string {
	says := "by hand: " + f.payOrder.String()
	if f.keys > 0 {
		says += fmt.Sprintf(", %d keys are meant", f.keys)
	}
	return says
}

func (f fulfilByHand) do(w *world) {
	w.ledger.expectByHand(f)
	for n := range f.times {
		w.spawn(func() {
			name := fmt.Sprintf("by hand %s/%s/%d/%d", f.order, f.side, f.serial, n)
			time.Sleep(w.upTo(name, f.apart))
			w.untilDone(name, func(ctx context.Context, now time.Time) error { return f.fulfil(ctx, w, now) })
		})
	}
}

// fulfil does what the API does with such an order. What it refuses is done.
func (f fulfilByHand) fulfil(ctx context.Context, w *world, now time.Time) error {
	clock := func() time.Time { return now }
	api := &intake.ByHand{
		Claims: &claim.Claimer{Store: w.store, Cached: w.store, Uncached: w.store, Fill: w.fillQueue, By: "api", Now: clock},
		Orders: shopOrders{w.store}, Notices: w.store, MaxQuantity: 10_000,
	}
	asked := time.Now()
	lines, err := api.Fulfil(ctx, intake.Wish{Merchant: merchant, Order: f.event(), By: "simulation", Why: "a person asked", Keys: f.keys})
	failed := err
	if err == nil && processOf(ctx).dead() {
		failed = errProcessDied
	}
	var used *order.NumberUsedError
	for i, line := range f.lines {
		seen := seenClaim{asked: asked, err: failed}
		if failed == nil {
			seen.got = lines[i]
		}
		_ = w.answers.noteClaim(line, f.lineID(line.id), asked, seen.got, w.noticeDue(seen, platform.Paid{}), failed)
	}
	switch {
	case errors.As(err, &used):
		w.count("order by hand refused: its number is another's")
	case errors.As(err, new(*claim.KeysError)):
		w.count("order by hand refused: other keys were meant")
	case errors.As(err, new(*claim.UnconnectedError)):
		w.count("order by hand refused: no pool feeds it")
	default:
		return err
	}
	return nil
}

// shopOrders are the orders of the merchant's one account.
type shopOrders struct{ *dynamo.Store }

func (shopOrders) Accounts(context.Context, string) ([]catalog.Account, error) {
	return []catalog.Account{{Merchant: merchant, Name: shopName, Platform: platform.Standard, Origin: shopName}}, nil
}

// expectByHand records that somebody fulfils an order by hand.
func (l *ledger) expectByHand(f fulfilByHand) {
	l.expectPaid(f.payOrder)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reported.byHand[f.orderID()] = append(l.reported.byHand[f.orderID()], f)
}

// checkByHand checks a line that is paid now: somebody fulfils it by hand, as its history
// tells, and meant so many keys; or nobody does.
func (l *ledger) checkByHand(c dynamosim.Commit, now *line, why reasons) {
	wishes := l.reported.byHand[now.id.OrderHalf()]
	if told := why.tells("fulfilled-by-hand", "a person asked"); told != (len(wishes) > 0) {
		l.problem("%s is fulfilled by hand: %v; its history tells so: %v", l.name(now.id), len(wishes) > 0, told)
	}
	if len(wishes) == 0 {
		return
	}
	now.released["review"], now.released["cap"] = true, true // a person releases it with that
	began := l.beganAt(c)
	meant := slices.ContainsFunc(wishes, func(f fulfilByHand) bool {
		keys, most := 0, 0
		for i, line := range f.lines {
			keys += keysFor(line.product, line.quantity)
			cap := 0
			for _, r := range l.review.rulesFor(line.product, began) {
				cap = max(cap, r.cap())
			}
			if i == 0 || cap < most {
				most = cap
			}
		}
		return f.keys == keys || f.keys == 0 && keys <= most
	})
	if !meant {
		l.problem("%s is fulfilled by hand with other keys than somebody meant", l.name(now.id))
	}
	p := wishes[0]
	for _, id := range l.linesOf[orderIDOf(p.side, p.order)] {
		if l.lines[id].storedAt.Before(began) && len(l.linesOf[now.id.OrderHalf()]) == 1 { // another call may complete the order
			l.problem("%s is fulfilled by hand, and an account had an order of that number", l.name(now.id))
			break
		}
	}
	l.w.count("line fulfilled by hand")
}
