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

// Merchants creates, changes and reads merchants. A merchant changes what is its own: see PutOwn.
type Merchants struct {
	Store  MerchantStore
	Refill *Refill
	Now    func() time.Time
}

// MerchantStore keeps merchants. PutMerchant stores a change of the version that
// it is given, and returns catalog.ErrConflict or ErrMissing if that is not the
// stored one. It makes a new merchant's salt. ChangeMerchant does the same for what is the
// merchant's own to set, and leaves the rest as it is.
type MerchantStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	PutMerchant(ctx context.Context, m catalog.Merchant, with ...audit.Record) error
	ChangeMerchant(ctx context.Context, m catalog.Merchant, with ...audit.Record) error
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
// and what is random in next are ignored. It is the operator's. What is told of a change is
// told of each, whoever makes it: another notice address to the new and to the former one, and
// what customers read to the notice address.
func (s *Merchants) Put(ctx context.Context, next catalog.Merchant, by access.Principal, c Condition) (m catalog.Merchant, created bool, err error) {
	before, _, err := s.Store.Merchant(ctx, next.Name)
	if err != nil {
		return m, false, err
	}
	m, err = s.put(ctx, before, next, by, c, s.Store.PutMerchant)
	return m, err == nil && before.Version == 0, err
}

// PutOwn changes what is the merchant's own to set, of the merchant that the principal acts
// for, and returns the merchant with its new version. The limits of a day are the operator's:
// those of next are ignored.
func (s *Merchants) PutOwn(ctx context.Context, next catalog.Merchant, by access.Principal, c Condition) (catalog.Merchant, error) {
	before, err := s.Get(ctx, by.Merchant)
	if err != nil {
		return before, err
	}
	return s.put(ctx, before, own(before, next), by, c, s.Store.ChangeMerchant)
}

// own returns a merchant with what another has that is a merchant's own to set.
func own(m, next catalog.Merchant) catalog.Merchant {
	next.Name, next.Version, next.Salt, next.LinkKey = m.Name, m.Version, m.Salt, m.LinkKey
	next.Uploads, next.Calls, next.Mails = m.Uploads, m.Calls, m.Mails
	return next
}

func (s *Merchants) put(ctx context.Context, before, next catalog.Merchant, by access.Principal, c Condition, store func(context.Context, catalog.Merchant, ...audit.Record) error) (m catalog.Merchant, err error) {
	if err := invalid(CheckMerchant(next)...); err != nil {
		return m, err
	}
	next.Version, next.Salt, next.LinkKey = before.Version, before.Salt, before.LinkKey
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, err
	}
	if next.DefaultPool != "" {
		_, ok, err := s.Store.Pool(ctx, next.Name, next.DefaultPool)
		if err != nil {
			return m, err
		}
		if !ok {
			return m, invalid(noPool("default_pool"))
		}
	}
	e := entry(ctx, by, audit.Merchant, next.Name, "", shownIf(before.Version > 0, before), next.Shown(), s.Now())
	if err := store(ctx, next, audit.Record{Entry: e, Tell: slices.Concat(addressChanged(before, next, by, s.Now()), framesChanged(before, next, by, s.Now()))}); err != nil {
		return m, err
	}
	if next.DefaultPool != "" && next.DefaultPool != before.DefaultPool {
		s.Refill.newDefaultPool(ctx, next.Name)
	}
	next.Version++
	return next, nil
}

func noPool(path string) Problem {
	return Problem{Path: path, Message: "there is no pool of that name; create it first"}
}
