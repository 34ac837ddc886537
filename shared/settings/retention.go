package settings

import (
	"context"
	"fmt"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// Retentions changes and reads how long merchants keep what is known of customers.
type Retentions struct {
	Store RetentionStore
	Now   func() time.Time
}

// RetentionStore keeps retentions. PutRetention stores a change of the version that it is
// given, and has the job due that keeps to it; its errors are as those of ReviewStore.
type RetentionStore interface {
	Retention(ctx context.Context, merchant string) (catalog.Retention, error)
	PutRetention(ctx context.Context, r catalog.Retention, now time.Time, with ...audit.Record) error
}

// Get returns a merchant's retention. One that was never set is for ever, at version 1.
func (s *Retentions) Get(ctx context.Context, merchant string) (catalog.Retention, error) {
	r, err := s.Store.Retention(ctx, merchant)
	r.Version++
	return r, err
}

// CheckRetention returns what is wrong with a retention.
func CheckRetention(r catalog.Retention) []Problem {
	if r.Days < 0 || r.Days > catalog.MaxRetention {
		return []Problem{{"days", fmt.Sprintf("give a number from 1 to %d, or 0 to keep customers for ever", catalog.MaxRetention)}}
	}
	return nil
}

// Put changes a merchant's retention, and returns it with its new version. The version of next
// is ignored.
func (s *Retentions) Put(ctx context.Context, next catalog.Retention, by access.Principal, c Condition) (r catalog.Retention, err error) {
	if err := invalid(CheckRetention(next)...); err != nil {
		return r, err
	}
	before, err := s.Get(ctx, next.Merchant)
	if err != nil {
		return r, err
	}
	next.Version = before.Version
	same := next == before
	if err := c.check(before.Version, same); err != nil || same {
		return before, err
	}
	stored := next
	stored.Version-- // see Get
	e := entry(ctx, by, audit.Retention, next.Merchant, "", before.Shown(), next.Shown(), s.Now())
	if err := s.Store.PutRetention(ctx, stored, s.Now(), audit.Record{Entry: e}); err != nil {
		return r, err
	}
	next.Version++
	return next, nil
}
