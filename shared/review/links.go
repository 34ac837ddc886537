package review

import (
	"context"
	"errors"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Reader reads what links are about.
type Reader interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)
	// SoldBefore: see SalesStore.
	SoldBefore(ctx context.Context, merchant string, now time.Time, days int) ([]int, error)
}

// Links are the pages that links in mails lead to. A page shows what it would do; only
// Follow does it.
type Links struct {
	Reader Reader
	Desk   *Desk
	Now    func() time.Time
}

// Page is what a link's page shows: no key, no customer.
type Page struct {
	Link  link.Link
	At    time.Time // what it shows is of this time
	Title string    // of the merchant

	Line    *order.HeldLine // of link.Held, as it was held or stands now
	State   order.State     // of that line
	Version int             // of that line as it is shown: see Seen

	Side   pool.Side        // of link.HeldAll
	Held   []order.HeldLine // the first ones
	More   bool             // there are others
	Counts All              // what was done to all

	Sold  int // of a brake: keys that were sold on the day
	Brake catalog.Brake

	Verdict Verdict // what was done, empty before
	Outcome Outcome // empty: it can be done
}

// Takes reports whether a verdict can be given on the page: each of its buttons is one.
func (p Page) Takes(v Verdict) bool {
	switch p.Link.Purpose {
	case link.SetBrake:
		return v == SetBrake
	case link.ReleaseBrake:
		return v == ReleaseBrake
	default:
		return v == Release || v == Reject
	}
}

// shown is the number of lines that a page shows.
const shown = 20

// longest is longer than any token that is signed.
const longest = 1024

// Look returns the page of a link. Its error is link.ErrInvalid, the same for each token
// that nobody signed or that is about nothing, or link.ErrExpired.
func (l *Links) Look(ctx context.Context, token string) (Page, error) {
	p, err := l.open(ctx, token)
	if err != nil {
		return p, err
	}
	switch p.Link.Purpose {
	case link.Held:
		line, err := l.line(ctx, p.Link)
		if err != nil {
			return p, err
		}
		p.show(line)
		if !line.HeldByRule() {
			p.Outcome = Outdated
		}
	case link.HeldAll:
		var next string
		if p.Held, next, err = l.Desk.Held.Held(ctx, p.Link.Merchant, p.Side, "", shown); err != nil {
			return p, err
		}
		if p.More = next != ""; len(p.Held) == 0 {
			p.Outcome = Outdated
		}
	default:
		day, err := time.Parse(time.DateOnly, p.Link.About)
		if err != nil {
			return p, link.ErrInvalid
		}
		sold, err := l.Reader.SoldBefore(ctx, p.Link.Merchant, day.AddDate(0, 0, 1), 1)
		if err != nil {
			return p, err
		}
		for _, keys := range sold {
			p.Sold += keys
		}
		now, err := l.Desk.Brakes.Review(ctx, p.Link.Merchant)
		if err != nil {
			return p, err
		}
		p.Brake = now.Brake
		p.Outcome = standsBrake(p.Link, now.Brake)
	}
	return p, nil
}

// standsBrake returns the outcome of a link of the brake as it is, empty if it can be
// followed. A link takes off the brake of its day, and no other.
func standsBrake(l link.Link, b catalog.Brake) Outcome {
	switch {
	case b.Set() == (l.Purpose == link.SetBrake):
		return Already
	case l.Purpose == link.ReleaseBrake && notice.Day(b.SetAt) != l.About:
		return Outdated
	}
	return ""
}

// byLink is who acts by a link. Links name nobody: whoever reads the mail has them.
const byLink = "a link in a mail"

// Seen is what the page showed that somebody answers.
type Seen struct {
	At      time.Time // lines that were held later are left
	Version int       // of the one line that it was about: nothing is done to it at another
}

// Follow does what a link is for, to what somebody saw on its page. Where the line has
// changed since, nothing is done, and the page shows it as it is now: Changed.
func (l *Links) Follow(ctx context.Context, token string, v Verdict, seen Seen) (Page, error) {
	p, err := l.Look(ctx, token)
	if err != nil {
		return p, err
	}
	switch p.Verdict = v; p.Link.Purpose {
	case link.Held:
		err = l.decide(ctx, &p, v, seen)
	case link.HeldAll:
		p.Counts, err = l.Desk.DecideAll(ctx, p.Link.Merchant, p.Side, seen.At, v, lifecycle.Act{By: byLink})
		if p.Outcome = Done; p.Counts == (All{}) {
			p.Outcome = Already
		}
	case link.SetBrake:
		if p.Outcome == "" {
			p.Brake, p.Outcome, err = l.Desk.SetBrake(ctx, p.Link.Merchant, byLink)
		}
	case link.ReleaseBrake:
		if p.Outcome == "" {
			p.Brake, p.Outcome, err = l.Desk.ReleaseBrake(ctx, p.Link.Merchant, byLink, "")
		}
	}
	return p, err
}

// decide decides about the one line of a page.
func (l *Links) decide(ctx context.Context, p *Page, v Verdict, seen Seen) error {
	if p.Outcome == "" && p.Version != seen.Version {
		p.Outcome = Changed
		return nil
	}
	reasons := p.Line.Reasons
	line, outcome, err := l.Desk.Decide(ctx, p.Line.Line, v, lifecycle.Act{By: byLink, Version: p.Version})
	var stale *order.StaleError
	if errors.As(err, &stale) { // it changed just now
		line, outcome, err = stale.Lines[0], Changed, nil
		if !line.HeldByRule() {
			outcome = Stands(line, v)
		}
	}
	if err != nil {
		return err
	}
	if p.show(line); outcome == Done && p.State != order.OnHold {
		p.Line.Reasons = reasons
	}
	p.Outcome = outcome
	return nil
}

// open checks a token with its merchant's key.
func (l *Links) open(ctx context.Context, token string) (p Page, err error) {
	if len(token) > longest {
		return p, link.ErrInvalid
	}
	said, err := link.Read(token)
	if err != nil {
		return p, err
	}
	if pool.CheckName(said.Merchant) != nil {
		return p, link.ErrInvalid
	}
	merchant, ok, err := l.Reader.Merchant(ctx, said.Merchant)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, link.ErrInvalid
	}
	p.At = l.Now()
	if p.Link, err = link.Check(token, merchant.LinkKey, p.At); err != nil {
		return p, err
	}
	p.Title = merchant.Title
	switch p.Link.Purpose {
	case link.Held, link.SetBrake, link.ReleaseBrake:
	case link.HeldAll:
		if p.Side = pool.Side(p.Link.About); p.Side != pool.Live && p.Side != pool.Test {
			return p, link.ErrInvalid
		}
	default:
		return p, link.ErrInvalid
	}
	return p, nil
}

// line returns the line that a link is about.
func (l *Links) line(ctx context.Context, of link.Link) (order.Fulfillment, error) {
	id := order.LineID(of.About)
	if !id.Valid() {
		return order.Fulfillment{}, link.ErrInvalid
	}
	line, ok, err := l.Reader.Fulfillment(ctx, id)
	if err == nil && (!ok || line.Merchant != of.Merchant) {
		err = link.ErrInvalid
	}
	return line, err
}

func (p *Page) show(f order.Fulfillment) {
	p.State, p.Side, p.Version = f.State(), f.Side, f.Version
	p.Line = &order.HeldLine{
		Line: f.ID, Order: f.Order, Account: f.Account, Product: f.Product, Title: f.Title, Quantity: f.Quantity,
		Reasons: f.Holds, ReceivedAt: f.ReceivedAt, HeldAt: f.HeldAt,
	}
}
