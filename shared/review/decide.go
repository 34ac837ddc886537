package review

import (
	"context"
	"errors"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Verdict is what a person decides.
type Verdict string

// The verdicts: of lines that a rule holds, and of the brake.
const (
	Release Verdict = "release" // it gets its keys
	Reject  Verdict = "reject"  // it is given back, and gets none

	SetBrake     Verdict = "set-brake"
	ReleaseBrake Verdict = "release-brake"
)

// Outcome says what a decision did.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	Already  Outcome = "already"  // it was decided so before, and nothing was changed
	Outdated Outcome = "outdated" // it was decided otherwise meanwhile, and nothing was changed
)

// Changes changes lines; see lifecycle.Lifecycle.
type Changes interface {
	ReleaseHeld(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
	Reject(ctx context.Context, id order.LineID, act lifecycle.Act) (order.Fulfillment, error)
}

// HeldStore lists lines that rules hold.
type HeldStore interface {
	// Held returns up to limit lines, oldest first, after the place that the last call
	// returned as next: "" to begin with, and after the last one.
	Held(ctx context.Context, merchant string, side pool.Side, after string, limit int) (held []order.HeldLine, next string, err error)
}

// Desk is where people decide. It is safe for concurrent use.
type Desk struct {
	Changes Changes
	Held    HeldStore
	Brakes  BrakeStore
	Now     func() time.Time
}

// Decide releases or rejects a line that a rule holds, and returns it as it stands. One that
// is released may be on hold still, for another reason.
func (d *Desk) Decide(ctx context.Context, id order.LineID, v Verdict, act lifecycle.Act) (order.Fulfillment, Outcome, error) {
	do := d.Changes.ReleaseHeld
	if v == Reject {
		do = d.Changes.Reject
	}
	line, err := do(ctx, id, act)
	if errors.Is(err, order.ErrState) {
		return line, Stands(line, v), nil
	}
	return line, Done, err
}

// Stands returns the outcome of a verdict on a line that no rule holds any more.
func Stands(line order.Fulfillment, v Verdict) Outcome {
	returned := line.State() == order.Returned
	if v == Reject && returned || v == Release && !returned && len(line.Released) > 0 {
		return Already
	}
	return Outdated
}

// A decision of all lines ends after so many, or after so long: its caller waits.
const (
	AllAtOnce = 200
	allLasts  = 15 * time.Second
	pageSize  = 50
)

// All is what a decision of all lines did.
type All struct {
	Done int
	Held int  // of them, released but on hold for another reason than a rule
	Left bool // there are more: decide again
}

// DecideAll releases or rejects the lines of a side that rules have held until then,
// oldest first: lines that were held later, by a rule or by hand, are seen by nobody yet.
func (d *Desk) DecideAll(ctx context.Context, merchant string, side pool.Side, until time.Time, v Verdict, act lifecycle.Act) (all All, err error) {
	act.HeldUntil = until
	began := d.Now()
	after := ""
	for {
		held, next, err := d.Held.Held(ctx, merchant, side, after, pageSize)
		if err != nil {
			return all, err
		}
		for _, line := range held {
			if line.HeldAt.After(until) {
				continue
			}
			if all.Done == AllAtOnce || d.Now().Sub(began) > allLasts {
				all.Left = true
				return all, nil
			}
			now, outcome, err := d.Decide(ctx, line.Line, v, act)
			if err != nil {
				return all, err
			}
			if outcome != Done {
				continue
			}
			if all.Done++; now.State() == order.OnHold {
				all.Held++
			}
		}
		if after = next; next == "" {
			return all, nil
		}
	}
}

// SetBrake sets a merchant's brake, and returns it: Already, with the brake as it is, if
// it was set before.
func (d *Desk) SetBrake(ctx context.Context, merchant, by string) (catalog.Brake, Outcome, error) {
	now, err := d.Brakes.Review(ctx, merchant)
	if err != nil || now.Brake.Set() {
		return now.Brake, Already, err
	}
	if err := d.Brakes.SetBrake(ctx, merchant, catalog.Brake{SetAt: d.Now(), By: by}); err != nil {
		return catalog.Brake{}, "", err
	}
	now, err = d.Brakes.Review(ctx, merchant) // somebody else may have been the first
	return now.Brake, Done, err
}

// ReleaseBrake takes a merchant's brake off, and returns it: Already, with who took it off,
// if it was off before. What it holds stays on hold.
func (d *Desk) ReleaseBrake(ctx context.Context, merchant, by, why string) (catalog.Brake, Outcome, error) {
	now, err := d.Brakes.Review(ctx, merchant)
	if err != nil || !now.Brake.Set() {
		return now.Brake, Already, err
	}
	off := now.Brake
	off.ReleasedAt, off.ReleasedBy, off.Reason = d.Now(), by, why
	if err := d.Brakes.ReleaseBrake(ctx, merchant, off); err != nil {
		return catalog.Brake{}, "", err
	}
	now, err = d.Brakes.Review(ctx, merchant) // somebody else may have been the first
	return now.Brake, Done, err
}
