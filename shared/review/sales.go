package review

import (
	"context"
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// SalesStore keeps what merchants sell in a day, by UTC.
type SalesStore interface {
	// AddSold adds keys to the day of now, and returns it.
	AddSold(ctx context.Context, merchant string, keys int, now time.Time) (catalog.Sold, error)
	// SoldBefore returns what each of the days before that of now has sold, so many of them.
	SoldBefore(ctx context.Context, merchant string, now time.Time, days int) ([]int, error)
	// SetSold stores the limit of the day of now, and that the merchant was told.
	SetSold(ctx context.Context, merchant string, day catalog.Sold, now time.Time) error
}

// BrakeStore keeps brakes.
type BrakeStore interface {
	Review(ctx context.Context, merchant string) (catalog.Review, error)
	// SetBrake sets the brake; one that is set stays as it is.
	SetBrake(ctx context.Context, merchant string, b catalog.Brake) error
	// ReleaseBrake takes off the brake that was set when b says, and stores who did it. One
	// that is off, or was set anew since, stays as it is.
	ReleaseBrake(ctx context.Context, merchant string, b catalog.Brake) error
}

// Notices stores notices.
type Notices interface {
	// RaiseNotice stores a notice, once.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Sales watches what merchants sell. A day that sells far more than the days before is
// told, once, and sets the brake if the merchant chose so.
type Sales struct {
	Store   SalesStore
	Brakes  BrakeStore
	Notices Notices
	Now     func() time.Time
}

// Sold adds keys to what a merchant has sold today, on the live side. The days before are
// read once a day, and only on a day with more than catalog.BrakeKeys keys.
func (s *Sales) Sold(ctx context.Context, merchant string, keys int) error {
	now := s.Now()
	day, err := s.Store.AddSold(ctx, merchant, keys, now)
	if err != nil || day.Keys <= catalog.BrakeKeys || day.Told || day.Limit > 0 && day.Keys <= day.Limit {
		return err
	}
	before, err := s.Store.SoldBefore(ctx, merchant, now, catalog.BrakeDays)
	if err != nil {
		return err
	}
	day.Limit = catalog.BrakeLimit(before)
	if day.Keys > day.Limit {
		if err := s.tell(ctx, merchant, day.Keys, before, now); err != nil {
			return fmt.Errorf("tell of a day that sells far more than others: %w", err)
		}
		day.Told = true
	}
	return s.Store.SetSold(ctx, merchant, day, now)
}

func (s *Sales) tell(ctx context.Context, merchant string, keys int, before []int, now time.Time) error {
	review, err := s.Brakes.Review(ctx, merchant)
	if err != nil {
		return err
	}
	facts := notice.Facts{Count: keys}
	for _, sold := range before {
		facts.Threshold = max(facts.Threshold, sold)
	}
	if review.BrakesItself {
		if err := s.Brakes.SetBrake(ctx, merchant, catalog.Brake{SetAt: now, By: bySales}); err != nil {
			return err
		}
		facts.Cause = notice.BrakeSet
	}
	return s.Notices.RaiseNotice(ctx, notice.New(merchant, notice.BigDay, notice.Day(now), facts, now))
}

// bySales is who sets a brake that sets itself.
const bySales = "the brake itself"
