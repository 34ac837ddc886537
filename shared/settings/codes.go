package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Codes sets the codes of products: what every order of one gets, and is not used up, while
// the product's mode is catalog.Shared. A code is a key of the merchant's like any other, which
// is in no pool. From a change on, no order that comes gets the former one; what was sold stays.
type Codes struct {
	Store  CodeStore
	Refill *Refill
	Now    func() time.Time
}

// CodeStore keeps products and their codes.
type CodeStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
	// KeyRecords returns what is known of those of the keys that are stored, in any order.
	KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error)
	// PutCodes stores a product under an optimistic lock, as PutProduct does, with keys that
	// become its codes, and those that are none any more: all or nothing. It fails with
	// retry.ErrChanged if a key is not free to become a code.
	PutCodes(ctx context.Context, p catalog.Product, codes []catalog.NewCode, former []pool.KeyID, with audit.Record) error
}

// CodeTakenError means that a text cannot be the code of a product, since there is a key of
// it already.
type CodeTakenError struct {
	Code pool.Side   // whose code it was to be
	Key  pool.Record // as it stands
}

func (e *CodeTakenError) Error() string {
	return fmt.Sprintf("the %s code is the text of a key that is %s", e.Code, e.Key.State)
}

// CheckCodes returns the mistakes in the codes of a product, by their sides. It names no text.
func CheckCodes(codes map[pool.Side]string) []Problem {
	var p problems
	if len(codes) == 0 {
		p.add("code", "give code, test_code or both")
	}
	for _, side := range slices.Sorted(maps.Keys(codes)) {
		if why := keyText(pool.TrimKey(codes[side])); why != "" {
			p.add(codeName(side), "%s", why)
		}
	}
	if live, both := codes[pool.Live]; both && pool.TrimKey(live) == pool.TrimKey(codes[pool.Test]) {
		p.add(codeName(pool.Test), "a test order must not get the code that customers pay for: use another one")
	}
	return p
}

// codeName is what the code of a side is called, in the API.
func codeName(side pool.Side) string {
	if side == pool.Test {
		return "test_code"
	}
	return "code"
}

// Set sets the codes of some sides of a product, and leaves the other side as it is. Its error
// is an *InvalidError, ErrNotFound, an *AliasError, that of the condition, or a *CodeTakenError.
func (s *Codes) Set(ctx context.Context, by access.Principal, product string, codes map[pool.Side]string, c Condition) (catalog.Product, error) {
	if err := invalid(CheckCodes(codes)...); err != nil {
		return catalog.Product{}, err
	}
	return s.change(ctx, by, product, c, func(m catalog.Merchant, p *catalog.Product, now time.Time) map[pool.Side]catalog.NewCode {
		added := map[pool.Side]catalog.NewCode{}
		for _, side := range slices.Sorted(maps.Keys(codes)) {
			text := pool.TrimKey(codes[side])
			key := pool.Identify(m.Salt, m.Name, side, text)
			other := pool.SideOf(side == pool.Live)
			added[side] = catalog.NewCode{Key: key, OtherSide: pool.Identify(m.Salt, m.Name, other, text), Text: pool.Conceal(text)}
			if p.Codes[side].Key != key {
				p.Codes[side] = catalog.Code{Product: p.ID, Key: key, SetAt: now}
			}
		}
		return added
	})
}

// Remove takes the codes of sides of a product off sale: orders wait until there is another.
// What is not there is removed already. Its error is as that of Set.
func (s *Codes) Remove(ctx context.Context, by access.Principal, product string, sides []pool.Side, c Condition) error {
	_, err := s.change(ctx, by, product, c, func(_ catalog.Merchant, p *catalog.Product, _ time.Time) map[pool.Side]catalog.NewCode {
		for _, side := range sides {
			delete(p.Codes, side)
		}
		return nil
	})
	return err
}

// change changes the codes of a product, in a map that is the product's own, and returns the
// product with its new version. It looks again while others change the same keys.
func (s *Codes) change(ctx context.Context, by access.Principal, id string, c Condition, decide func(catalog.Merchant, *catalog.Product, time.Time) map[pool.Side]catalog.NewCode) (p catalog.Product, err error) {
	m, ok, err := s.Store.Merchant(ctx, by.Merchant)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, fmt.Errorf("merchant %s is not known", by.Merchant)
	}
	err = retry.Contention.Do(ctx, func() error {
		before, ok, err := s.Store.Product(ctx, by.Merchant, id)
		switch {
		case err != nil:
			return err
		case !ok:
			return ErrNotFound
		case before.ID != id:
			return &AliasError{before.ID}
		}
		now := s.Now().UTC().Truncate(time.Millisecond)
		p = before
		if p.Codes = maps.Clone(before.Codes); p.Codes == nil {
			p.Codes = map[pool.Side]catalog.Code{}
		}
		added := decide(m, &p, now)
		same := maps.Equal(before.Codes, p.Codes)
		if err := c.check(before.Version, same); err != nil {
			return err
		}
		if err := s.free(ctx, before, added); err != nil || same {
			return err
		}
		return s.store(ctx, by, before, &p, added, now)
	})
	return p, err
}

// store stores a product with other codes than before.
func (s *Codes) store(ctx context.Context, by access.Principal, before catalog.Product, p *catalog.Product, added map[pool.Side]catalog.NewCode, now time.Time) error {
	var codes []catalog.NewCode
	var former []pool.KeyID
	for _, side := range pool.Sides {
		if code, is := added[side]; is && code.Key != before.Codes[side].Key {
			codes = append(codes, code)
		}
		if old, was := before.Codes[side]; was && old.Key != p.Codes[side].Key {
			former = append(former, old.Key)
		}
	}
	e := entry(ctx, by, audit.Product, p.Merchant, p.ID, before.ShownCodes(), p.ShownCodes(), now)
	e.Change = audit.Changed
	if err := s.Store.PutCodes(ctx, *p, codes, former, audit.Record{Entry: e, Tell: textsChanged(before, *p, by, now)}); err != nil {
		return err
	}
	p.Version++
	s.Refill.newCode(ctx, *p)
	return nil
}

// free returns a *CodeTakenError if a text is one of a key that cannot become a code: one that
// is in a pool, was ever sold, is withdrawn or blocked, is the code of another product, or
// stands on the other side. A code that the product has may not be blocked.
func (s *Codes) free(ctx context.Context, before catalog.Product, added map[pool.Side]catalog.NewCode) error {
	sides := map[pool.KeyID]pool.Side{}
	for side, code := range added {
		sides[code.Key], sides[code.OtherSide] = side, side
	}
	if len(sides) == 0 {
		return nil
	}
	records, err := s.Store.KeyRecords(ctx, slices.Sorted(maps.Keys(sides)))
	for _, r := range records {
		side := sides[r.ID]
		if before.Codes[side].Key == added[side].Key && r.BlockedAt.IsZero() {
			continue
		}
		if r.Side != side || r.State != pool.KeyShared || r.Current || !r.BlockedAt.IsZero() {
			return errors.Join(err, &CodeTakenError{Code: side, Key: r})
		}
	}
	return err
}
