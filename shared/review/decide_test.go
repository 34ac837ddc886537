package review_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// office is a merchant's desk, with lines that rules hold.
type office struct {
	*counter
	desk *review.Desk
	acts *lifecycle.Lifecycle
}

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{counter: open(t, catalog.Review{})}
	now := func() time.Time { return o.now }
	o.acts = &lifecycle.Lifecycle{Store: o.store, Wholes: o.store, Uploads: o.store, Notices: o.store, Keys: o.store, Settings: o.store, Fill: quiet{}, By: "webhook", Now: now}
	o.desk = &review.Desk{Changes: o.acts, Held: o.store, Brakes: o.store, Now: now}
	o.must(o.store.PutMerchant(t.Context(), catalog.Merchant{Name: "nova", Title: "Nova"}))
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// line stores a line, on hold for the reasons.
func (o *office) line(number string, side pool.Side, holds ...order.Hold) order.Fulfillment {
	o.Helper()
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: "nova", Side: side, Origin: "shop", Order: number, Line: "1"}.ID(),
		Merchant: "nova", Side: side, Account: "shop", Origin: "shop", Order: number, Line: "1", Product: "game", Quantity: 2, ReceivedAt: o.now,
		Customer: order.Customer{Email: "ada@example.com"},
	}
	f.Connect("elden", 1, 2)
	for _, h := range holds {
		f.Hold(h)
		f.HeldAt = o.now
	}
	change := order.NewLine(f)
	change.Settle(o.now)
	o.must(o.store.Commit(o.Context(), change))
	return change.After
}

func (o *office) stands(id order.LineID) order.Fulfillment {
	o.Helper()
	f, ok, err := o.store.Fulfillment(o.Context(), id)
	if o.must(err); !ok {
		o.Fatal("the line is gone")
	}
	return f
}

var by = lifecycle.Act{By: "ada"}

// What a verdict does to a line, by how the line stands.
func TestDecide(t *testing.T) {
	released := func(o *office, f order.Fulfillment) {
		_, err := o.acts.Release(o.Context(), f.ID, by)
		o.must(err)
	}
	rejected := func(o *office, f order.Fulfillment) {
		_, err := o.acts.Reject(o.Context(), f.ID, by)
		o.must(err)
	}
	for name, c := range map[string]struct {
		holds  []order.Hold
		before func(o *office, f order.Fulfillment)
		v      review.Verdict
		want   review.Outcome
		state  order.State
	}{
		"held by a rule, released":                 {[]order.Hold{order.HoldCap}, nil, review.Release, review.Done, order.Waiting},
		"held by a rule, rejected":                 {[]order.Hold{order.HoldReviewRisk}, nil, review.Reject, review.Done, order.Returned},
		"held by the brake, released":              {[]order.Hold{order.HoldBrake}, nil, review.Release, review.Done, order.Waiting},
		"in dispute too, released":                 {[]order.Hold{order.HoldCap, order.DisputeHold("D1")}, nil, review.Release, review.Done, order.OnHold},
		"held by hand alone, released":             {[]order.Hold{order.HoldByHand}, nil, review.Release, review.Outdated, order.OnHold},
		"held by hand alone, rejected":             {[]order.Hold{order.HoldByHand}, nil, review.Reject, review.Outdated, order.OnHold},
		"never held, released":                     {nil, nil, review.Release, review.Outdated, order.Waiting},
		"released before, released":                {[]order.Hold{order.HoldCap}, released, review.Release, review.Already, order.Waiting},
		"released before, rejected":                {[]order.Hold{order.HoldCap}, released, review.Reject, review.Outdated, order.Waiting},
		"rejected before, rejected":                {[]order.Hold{order.HoldCap}, rejected, review.Reject, review.Already, order.Returned},
		"rejected before, released":                {[]order.Hold{order.HoldCap}, rejected, review.Release, review.Outdated, order.Returned},
		"in dispute alone, rejected":               {[]order.Hold{order.DisputeHold("D1")}, nil, review.Reject, review.Outdated, order.OnHold},
		"paid before its account, released":        {[]order.Hold{order.HoldPaidBefore}, nil, review.Release, review.Outdated, order.OnHold},
		"paid before, and the brake, released":     {[]order.Hold{order.HoldBrake, order.HoldPaidBefore}, nil, review.Release, review.Done, order.OnHold},
		"paid after a return, and risky, released": {[]order.Hold{order.HoldReviewRisk, order.HoldPaidAfterReturn}, nil, review.Release, review.Done, order.OnHold},
		"by hand and by a rule, released":          {[]order.Hold{order.HoldByHand, order.HoldCap}, nil, review.Release, review.Done, order.OnHold},
		"paid before, and the brake, rejected":     {[]order.Hold{order.HoldBrake, order.HoldPaidBefore}, nil, review.Reject, review.Done, order.Returned},
	} {
		t.Run(name, func(t *testing.T) {
			o := openOffice(t)
			line := o.line("1", pool.Live, c.holds...)
			if c.before != nil {
				c.before(o, line)
			}
			before := o.stands(line.ID)
			got, outcome, err := o.desk.Decide(t.Context(), line.ID, c.v, by)
			if err != nil || outcome != c.want || got.State() != c.state {
				t.Errorf("%s, and the line is %s, %v; want %s, %s", outcome, got.State(), err, c.want, c.state)
			}
			if after := o.stands(line.ID); (after.Version != before.Version) != (outcome == review.Done) || after.Mail.State == outbox.Due && after.Mail.Kind == outbox.Keys {
				t.Errorf("%s, at version %d, before %d", outcome, after.Version, before.Version)
			}
		})
	}
}

// All lines of the side that were held until then are decided, page by page, and no other.
func TestDecideAll(t *testing.T) {
	o := openOffice(t)
	var seen, left []order.LineID
	for i := range 60 { // more than a page
		seen = append(seen, o.line(fmt.Sprint("A-", i), pool.Live, order.HoldCap).ID)
	}
	both := o.line("paid before, too", pool.Live, order.HoldCap, order.HoldPaidBefore).ID
	left = append(left, both, o.line("test", pool.Test, order.HoldCap).ID, o.line("by hand", pool.Live, order.HoldByHand).ID)
	until := o.now
	o.now = o.now.Add(time.Minute)
	left = append(left, o.line("later", pool.Live, order.HoldCap).ID)
	_, err := o.acts.Hold(t.Context(), seen[0], by)
	o.must(err)
	left, seen = append(left, seen[0]), seen[1:]

	all, err := o.desk.DecideAll(t.Context(), "nova", pool.Live, until, review.Release, by)
	if err != nil || all != (review.All{Done: 60, Held: 1}) {
		t.Errorf("decided %+v, %v", all, err)
	}
	for _, id := range seen {
		if got := o.stands(id); got.State() != order.Waiting {
			t.Errorf("order %s is %s", got.Order, got.State())
		}
	}
	for _, id := range left {
		if got := o.stands(id); got.State() != order.OnHold {
			t.Errorf("order %s is %s", got.Order, got.State())
		}
	}
	again, err := o.desk.DecideAll(t.Context(), "nova", pool.Live, until, review.Release, by)
	if err != nil || again != (review.All{}) {
		t.Errorf("decided again: %+v, %v", again, err)
	}
}

// A decision of all ends before its caller gives up, and says that there are more.
func TestDecideAll_takesItsTime(t *testing.T) {
	o := openOffice(t)
	for i := range 5 {
		o.line(fmt.Sprint("A-", i), pool.Live, order.HoldCap)
	}
	until := o.now
	o.desk.Now = func() time.Time { o.now = o.now.Add(6 * time.Second); return o.now }
	all, err := o.desk.DecideAll(t.Context(), "nova", pool.Live, until, review.Reject, by)
	if err != nil || all != (review.All{Done: 2, Left: true}) {
		t.Errorf("with 15 seconds, and 6 for a line: %+v, %v", all, err)
	}
}

func TestDesk_brake(t *testing.T) {
	o := openOffice(t)
	if b, outcome, err := o.desk.ReleaseBrake(t.Context(), "nova", "nobody", ""); err != nil || outcome != review.Already || b != (catalog.Brake{}) {
		t.Errorf("a brake that is not set is taken off: %s, %v, %+v", outcome, err, b)
	}
	for i, want := range []review.Outcome{review.Done, review.Already} {
		b, outcome, err := o.desk.SetBrake(t.Context(), "nova", fmt.Sprint("person ", i))
		if err != nil || outcome != want || b.By != "person 0" || !b.SetAt.Equal(noon) {
			t.Errorf("%s, and the brake is %+v, %v", outcome, b, err)
		}
		o.now = o.now.Add(time.Hour)
	}
	off := catalog.Brake{SetAt: noon, By: "person 0", ReleasedAt: o.now, ReleasedBy: "person 0", Reason: "reason 0"}
	for i, want := range []review.Outcome{review.Done, review.Already} {
		b, outcome, err := o.desk.ReleaseBrake(t.Context(), "nova", fmt.Sprint("person ", i), fmt.Sprint("reason ", i))
		if err != nil || outcome != want || b != off || o.brake() != off || off.Set() {
			t.Errorf("taken off: %s, %v, %+v; there is %+v", outcome, err, b, o.brake())
		}
		o.now = o.now.Add(time.Hour)
	}
	again := catalog.Brake{SetAt: o.now, By: "person 2"}
	if b, outcome, err := o.desk.SetBrake(t.Context(), "nova", "person 2"); err != nil || outcome != review.Done || b != again || o.brake() != again {
		t.Errorf("set again: %s, %v, %+v; there is %+v", outcome, err, b, o.brake())
	}
}

// Of two people who take the brake off at once, the first is named, and so is whoever sets it
// again between a person's look and deed.
func TestDesk_brakeOfSeveral(t *testing.T) {
	o := openOffice(t)
	_, _, err := o.desk.SetBrake(t.Context(), "nova", "ada")
	o.must(err)
	first := review.Desk{Brakes: o.store, Now: o.desk.Now}
	second := review.Desk{Brakes: meanwhile{o.store, func() {
		_, _, err := first.ReleaseBrake(t.Context(), "nova", "ada", "first")
		o.must(err)
	}}, Now: o.desk.Now}
	if b, _, err := second.ReleaseBrake(t.Context(), "nova", "bob", "second"); err != nil || b.ReleasedBy != "ada" || b.Reason != "first" || b != o.brake() {
		t.Errorf("two took it off: %+v, %v; there is %+v", b, err, o.brake())
	}
	_, _, err = o.desk.SetBrake(t.Context(), "nova", "ada")
	o.must(err)
	o.now = o.now.Add(time.Hour)
	second.Brakes = meanwhile{o.store, func() {
		_, _, err := first.ReleaseBrake(t.Context(), "nova", "ada", "")
		o.must(err)
		_, _, err = first.SetBrake(t.Context(), "nova", "eve")
		o.must(err)
	}}
	if b, _, err := second.ReleaseBrake(t.Context(), "nova", "bob", ""); err != nil || b != (catalog.Brake{SetAt: o.now, By: "eve"}) || b != o.brake() {
		t.Errorf("it was set again meanwhile: %+v, %v; there is %+v", b, err, o.brake())
	}
}

// meanwhile is a store where others act before a brake is taken off.
type meanwhile struct {
	review.BrakeStore
	others func()
}

func (m meanwhile) ReleaseBrake(ctx context.Context, merchant string, b catalog.Brake) error {
	m.others()
	return m.BrakeStore.ReleaseBrake(ctx, merchant, b)
}
