package simulate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// What the merchant's people do about orders that somebody looks at first: rules, the
// brake, decisions by the API, and those that mails lead to.

// risks are the words of platforms about an order, and whether they ask for a look.
var risks = map[string]bool{"": false, "normal": false, "Low": false, "elevated": true, "highest": true, "a word that nobody knows": true}

// An account delivers what was paid since deliversFrom. Some orders were paid long before,
// and the merchant may have his account deliver from earlier on.
var (
	deliversFrom    = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
	paidLongAgo     = time.Date(1999, 6, 1, 12, 0, 0, 0, time.UTC)
	deliversEarlier = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// setRules sets the rules of the merchant, or those of a product.
type setRules struct {
	product string         // empty: of the merchant
	rules   *catalog.Rules // nil, of a product: it follows the merchant's
	itself  bool           // the brake sets itself
	serial  int
}

func (s setRules) String() string {
	of := "the merchant"
	if s.product != "" {
		of = "product " + s.product
	}
	if s.rules == nil {
		return fmt.Sprintf("%s has no rules of review any more", of)
	}
	says := fmt.Sprintf("the rules of review of %s are %+v", of, *s.rules)
	if s.itself {
		says += ", and the brake sets itself"
	}
	return says
}

func (s setRules) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("rules %d", s.serial), func(ctx context.Context, _ time.Time) error {
			if s.product != "" {
				product, _, err := w.store.Product(ctx, merchant, s.product)
				if err != nil {
					return err
				}
				product.Review = s.rules
				return w.store.PutProduct(ctx, product)
			}
			now, err := w.store.Review(ctx, merchant)
			if err != nil {
				return err
			}
			now.Rules, now.BrakesItself = *s.rules, s.itself
			return w.store.PutReview(ctx, now)
		})
	})
}

// desk is where the merchant's people decide.
func (w *world) desk(now func() time.Time) *review.Desk {
	return &review.Desk{Changes: w.lifecycle(now), Held: w.store, Brakes: w.store, Now: now}
}

// turnBrake sets the brake, or takes it off.
type turnBrake struct {
	verdict review.Verdict
	serial  int
}

func (b turnBrake) String() string { return "the merchant decides: " + string(b.verdict) }

func (b turnBrake) do(w *world) {
	w.spawn(func() {
		defer w.ledger.decides(decision{verdict: string(b.verdict)})()
		w.untilDone(fmt.Sprintf("brake %d", b.serial), func(ctx context.Context, now time.Time) (err error) {
			desk := w.desk(func() time.Time { return now })
			if b.verdict == review.SetBrake {
				_, _, err = desk.SetBrake(ctx, merchant, "simulation")
			} else {
				_, _, err = desk.ReleaseBrake(ctx, merchant, "simulation", "")
			}
			return err
		})
	})
}

// decideLine releases or rejects a line that a rule holds.
type decideLine struct {
	verdict review.Verdict
	of      payOrder
	line    string
	seen    bool // by somebody who has seen the line, and decides of it as it was
	serial  int
}

func (d decideLine) String() string {
	return fmt.Sprintf("line %s of order %s: the merchant decides, %s", d.line, d.of.order, d.verdict)
}

func (d decideLine) do(w *world) {
	id := d.of.lineID(d.line)
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("decision %d", d.serial), func(ctx context.Context, now time.Time) (err error) {
			act := lifecycle.Act{By: "simulation"}
			if d.seen {
				if act.Version, err = w.versionOf(ctx, id); err != nil {
					return err
				}
			}
			defer w.ledger.decides(decision{verdict: string(d.verdict), line: id, ruled: true, version: act.Version})()
			_, _, err = w.desk(func() time.Time { return now }).Decide(ctx, id, d.verdict, act)
			if errors.As(err, new(*order.StaleError)) {
				w.count("act refused: its line had changed since it was seen")
				err = nil
			}
			return err
		})
	})
}

// decideAll releases or rejects all lines of a side that rules hold.
type decideAll struct {
	verdict review.Verdict
	side    pool.Side
	serial  int
}

func (d decideAll) String() string {
	return fmt.Sprintf("all that is held of the %s side: the merchant decides, %s", d.side, d.verdict)
}

func (d decideAll) do(w *world) {
	w.spawn(func() {
		seen := time.Now()
		defer w.ledger.decides(decision{verdict: string(d.verdict), side: string(d.side), until: seen})()
		w.decideAll(fmt.Sprintf("decision %d", d.serial), d.side, seen, d.verdict)
	})
}

func (w *world) decideAll(name string, side pool.Side, seen time.Time, verdict review.Verdict) {
	done := 0
	for more, n := true, 0; more; n++ {
		w.untilDone(fmt.Sprintf("%s part %d", name, n), func(ctx context.Context, now time.Time) error {
			all, err := w.desk(func() time.Time { return now }).DecideAll(ctx, merchant, side, seen, verdict, lifecycle.Act{By: "simulation"})
			more, done = all.Left, done+all.Done
			return err
		})
	}
	if done > 1 {
		w.count("lines decided together")
	}
}

// setDeliversFrom has the merchant's account deliver what was paid long ago.
type setDeliversFrom struct{}

func (setDeliversFrom) String() string {
	return "the account delivers from " + deliversEarlier.Format(time.DateOnly)
}

func (setDeliversFrom) do(w *world) {
	w.ledger.mu.Lock()
	w.ledger.review.deliversFrom = append(w.ledger.review.deliversFrom, setting[time.Time]{deliversEarlier, time.Now()})
	w.ledger.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delivers = deliversEarlier
}

func (w *world) deliversFrom() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.delivers
}

var orderForm = regexp.MustCompile(`https://api\.keypool\.example/portal/orders/([\w-]{22})\b`)

// ordersIn returns the orders whose pages a mail to the merchant leads to, each once.
func ordersIn(text string) (all []string) {
	for _, found := range orderForm.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(all, found[1]) {
			all = append(all, found[1])
		}
	}
	return all
}

// followMail has somebody open some of the orders in a mail that tells of lines on hold, and
// decide about what the page shows.
func (w *world) followMail(mail, text string) {
	for n, id := range ordersIn(text) {
		name := fmt.Sprintf("order %d of %s", n, mail)
		if !w.happens(name, w.plan.Conditions.MailsFollowed) {
			continue
		}
		verdict := []review.Verdict{review.Release, review.Release, review.Reject}[w.number(name+" verdict", 3)]
		w.spawn(func() {
			time.Sleep(w.upTo(name+" later", 20*time.Minute) >> w.number(name+" sooner", 8))
			w.decideOrder(name, id, verdict)
		})
	}
}

// decideOrder decides about the lines of an order that rules hold, as its page showed them.
func (w *world) decideOrder(name, orderID string, verdict review.Verdict) {
	opens, slow := w.number(name+" opens", 5) == 0, w.number(name+" slow", 3) == 0
	var lines []order.Fulfillment
	w.untilDone(name+" opened", func(ctx context.Context, _ time.Time) (err error) {
		lines, err = w.store.Lines(ctx, orderID)
		return err
	})
	if opens {
		w.count("order opened from a mail, and left")
		return
	}
	if slow {
		time.Sleep(w.upTo(name+" reads", 2*time.Minute))
	}
	for _, line := range lines {
		if !line.HeldByRule() {
			w.count("order opened from a mail too late")
			continue
		}
		w.untilDone(name+" line "+line.Line, func(ctx context.Context, now time.Time) error {
			act := lifecycle.Act{By: "simulation", Version: line.Version}
			defer w.ledger.decides(decision{verdict: string(verdict), line: line.ID, ruled: true, version: line.Version})()
			_, outcome, err := w.desk(func() time.Time { return now }).Decide(ctx, line.ID, verdict, act)
			switch {
			case errors.As(err, new(*order.StaleError)):
				w.count("act refused: its line had changed since it was seen")
				return nil
			case err == nil && outcome == review.Done:
				w.count("line decided from a mail")
			}
			return err
		})
	}
}
