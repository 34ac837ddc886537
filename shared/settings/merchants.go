package settings

import (
	"context"
	"reflect"
	"slices"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// Merchants creates, changes and reads merchants. It is the operator's.
type Merchants struct {
	Store  MerchantStore
	Refill *Refill
	Now    func() time.Time
}

// MerchantStore keeps merchants. PutMerchant stores a change of the version that
// it is given, and returns catalog.ErrConflict or ErrMissing if that is not the
// stored one. It makes a new merchant's salt.
type MerchantStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	PutMerchant(ctx context.Context, m catalog.Merchant, with ...audit.Record) error
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
}

// Get returns a merchant. Its error is ErrNotFound if there is none.
func (s *Merchants) Get(ctx context.Context, name string) (catalog.Merchant, error) {
	m, ok, err := s.Store.Merchant(ctx, name)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return m, err
}

// Put creates or changes a merchant, and returns it with its new version. Version
// and what is random in next are ignored. Another notice address is told to the new and to the
// former one.
func (s *Merchants) Put(ctx context.Context, next catalog.Merchant, by access.Principal, c Condition) (m catalog.Merchant, created bool, err error) {
	if err := invalid(CheckMerchant(next)...); err != nil {
		return m, false, err
	}
	before, _, err := s.Store.Merchant(ctx, next.Name)
	if err != nil {
		return m, false, err
	}
	next.Version, next.Salt, next.LinkKey = before.Version, before.Salt, before.LinkKey
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, false, err
	}
	if next.DefaultPool != "" {
		_, ok, err := s.Store.Pool(ctx, next.Name, next.DefaultPool)
		if err != nil {
			return m, false, err
		}
		if !ok {
			return m, false, invalid(noPool("default_pool"))
		}
	}
	e := entry(ctx, by, audit.Merchant, next.Name, "", shownIf(before.Version > 0, before), next.Shown(), s.Now())
	if err := s.Store.PutMerchant(ctx, next, audit.Record{Entry: e, Tell: slices.Concat(addressChanged(before, next, by, s.Now()), framesChanged(before, next, by, s.Now()))}); err != nil {
		return m, false, err
	}
	if next.DefaultPool != "" && next.DefaultPool != before.DefaultPool {
		s.Refill.newDefaultPool(ctx, next.Name)
	}
	next.Version++
	return next, before.Version == 0, nil
}

func noPool(path string) Problem {
	return Problem{Path: path, Message: "there is no pool of that name; create it first"}
}
