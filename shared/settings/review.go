package settings

import (
	"context"
	"reflect"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// Reviews changes and reads merchants' rules of review.
type Reviews struct {
	Store ReviewStore
	Now   func() time.Time
}

// ReviewStore keeps rules of review. PutReview stores a change of the version that it is
// given, and returns catalog.ErrConflict or ErrMissing if that is not the stored one.
type ReviewStore interface {
	Review(ctx context.Context, merchant string) (catalog.Review, error)
	PutReview(ctx context.Context, r catalog.Review, with ...audit.Record) error
}

// Get returns a merchant's rules, and the brake. Rules that were never set are those of
// the zero catalog.Rules, at version 1: there are always some.
func (s *Reviews) Get(ctx context.Context, merchant string) (catalog.Review, error) {
	r, err := s.Store.Review(ctx, merchant)
	r.Version++
	return r, err
}

// Put changes a merchant's rules, and returns them with their new version. Version and
// brake of next are ignored.
func (s *Reviews) Put(ctx context.Context, next catalog.Review, by access.Principal, c Condition) (r catalog.Review, err error) {
	if err := invalid(CheckReview(next)...); err != nil {
		return r, err
	}
	before, err := s.Get(ctx, next.Merchant)
	if err != nil {
		return r, err
	}
	next.Version, next.Brake = before.Version, before.Brake
	same := reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, err
	}
	stored := next
	stored.Version-- // see Get
	e := entry(ctx, by, audit.Review, next.Merchant, "", before.Shown(), next.Shown(), s.Now())
	if err := s.Store.PutReview(ctx, stored, audit.Record{Entry: e}); err != nil {
		return r, err
	}
	next.Version++
	return next, nil
}
