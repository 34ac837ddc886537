package inventory

import (
	"context"
	"errors"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Retentions reads how long a merchant keeps what is known of customers.
type Retentions interface {
	Retention(ctx context.Context, merchant string) (catalog.Retention, error)
}

const (
	retainEvery    = 24 * time.Hour
	retainedAtOnce = 50 // lines that are looked at in one step
	byRetention    = "retention"
)

// retention erases the customers of lines that nothing has happened to for as many days as
// the merchant's setting says. A merchant without the setting has no such job.
//
// It looks once a day, and waits in between as every job does that has paused, so that nothing
// is read for it until it is due. A look begins where the last one ended. Lines that owe their
// customer something, or that something has happened to since, are left, and the next look
// begins at the earliest of them: it passes over those behind it that are erased, at a read
// each.
type retention struct {
	progress
	days int
}

// Step erases the next lines. It ends the job if the setting is off.
func (r *retention) Step(ctx context.Context) (last bool, err error) {
	if r.days == 0 {
		return true, nil
	}
	look := &r.job.Look
	if look.Began.IsZero() {
		look.Began = r.Now()
		look.Until = look.Began.AddDate(0, 0, -r.days)
	}
	places, err := r.Lines.Places(ctx, order.Search{
		Merchant: r.job.Merchant, Side: pool.Sides[look.Shard], From: r.job.Seen, Until: look.Until,
	}, parsePlace(look.After), retainedAtOnce)
	if err != nil {
		return false, err
	}
	ids := make([]order.LineID, len(places))
	for i, place := range places {
		ids[i] = place.Line
	}
	lines, err := r.Lines.LinesByID(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, place := range places {
		if line, there := lines[place.Line]; there && line.ErasedAt.IsZero() {
			if err := r.erase(ctx, line); err != nil {
				return false, err
			}
		}
		look.After = formatPlace(place)
	}
	if len(places) == retainedAtOnce {
		return false, nil
	}
	look.Shard, look.After = look.Shard+1, ""
	if look.Shard < len(pool.Sides) {
		return false, nil
	}
	if look.Until.After(r.job.Seen) {
		r.job.Seen = look.Until
	}
	if look.Left > 0 {
		r.job.Seen = look.LeftAt
	}
	r.dueAt = look.Began.Add(retainEvery)
	r.job.Look = job.Look{}
	return false, job.ErrPaused
}

// erase erases a line, or notes that it is left.
func (r *retention) erase(ctx context.Context, line order.Fulfillment) error {
	look := &r.job.Look
	r.job.SavedAt = r.Now()
	_, err := r.Eraser.Erase(ctx, line.ID, lifecycle.Erasure{Act: lifecycle.Act{By: byRetention}, QuietSince: look.Until, Job: &r.job})
	if !errors.Is(err, order.ErrState) {
		return err
	}
	look.Left++
	if look.LeftAt.IsZero() || line.ReceivedAt.Before(look.LeftAt) {
		look.LeftAt = line.ReceivedAt
	}
	return nil
}
