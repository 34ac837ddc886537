package simulate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// What the merchant's people do about orders that somebody looks at first: rules, the
// brake, decisions by the API, and by the links in mails.

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

// linkSaid is a link in a mail, read by what is written in it.
type linkSaid struct{ token, purpose, about string }

var linkForm = regexp.MustCompile(`https://api\.keypool\.example/links/(([\w-]+)\.[\w-]+)`)

// linksIn returns the links in a mail, each once.
func linksIn(text string) (all []linkSaid) {
	for _, found := range linkForm.FindAllStringSubmatch(text, -1) {
		body, err := base64.RawURLEncoding.DecodeString(found[2])
		said := strings.Split(string(body), "\n")
		if err != nil || len(said) != 5 {
			panic("a link that nobody can read")
		}
		if l := (linkSaid{found[1], said[1], said[3]}); !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	return all
}

// decision returns what somebody decides who answers the link's page, seen at a time.
func (l linkSaid) decision(verdict review.Verdict, seen time.Time) decision {
	d := decision{verdict: string(verdict)}
	switch l.purpose {
	case "held":
		d.line, d.ruled = order.LineID(l.about), true
	case "held-all":
		d.side, d.until = l.about, seen
	}
	return d
}

// followLinks has somebody follow some of the links in a mail to the merchant. A program
// that looks at mails only opens them; some are followed when they are good no more.
func (w *world) followLinks(mail, text string) {
	for n, l := range linksIn(text) {
		name := fmt.Sprintf("link %d of %s", n, mail)
		if !w.happens(name, w.plan.Conditions.LinksFollowed) {
			continue
		}
		verdict := []review.Verdict{review.Release, review.Release, review.Reject}[w.number(name+" verdict", 3)]
		switch l.purpose {
		case "set-brake":
			verdict = review.SetBrake
		case "release-brake":
			verdict = review.ReleaseBrake
		}
		w.spawn(func() {
			time.Sleep(w.upTo(name+" later", 20*time.Minute) >> w.number(name+" sooner", 8))
			w.followLink(name, l, verdict)
		})
	}
}

func (w *world) followLink(name string, l linkSaid, verdict review.Verdict) {
	opens, late := w.number(name+" opens", 5) == 0, w.number(name+" late", 6) == 0
	seen := time.Now()
	w.untilDone(name, func(ctx context.Context, now time.Time) error {
		clock := func() time.Time { return now }
		if late {
			clock = func() time.Time { return now.Add(link.GoodFor + time.Hour) }
		}
		links := &review.Links{Reader: w.store, Desk: w.desk(clock), Now: clock}
		page, err := links.Look(ctx, l.token)
		if err == nil && !opens {
			d := l.decision(verdict, seen)
			if d.line != "" {
				d.version = page.Version
			}
			if !late {
				defer w.ledger.decides(d)()
			}
			page, err = links.Follow(ctx, l.token, verdict, review.Seen{At: seen, Version: page.Version})
		}
		switch {
		case errors.Is(err, link.ErrExpired):
			w.count("link that was good no more")
			return nil
		case errors.Is(err, link.ErrInvalid):
			w.ledger.report("a link of a mail is not valid: %s", l.purpose)
			return nil
		case err != nil:
			return err
		case opens:
			w.count("link opened and not followed")
		case page.Outcome == review.Done:
			w.count("link followed: " + l.purpose)
		default:
			w.count("link followed too late")
		}
		return nil
	})
}
