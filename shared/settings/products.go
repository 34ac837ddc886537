package settings

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// Products creates, changes, reads and deletes a merchant's products.
type Products struct {
	Store   ProductStore
	Related ProductRelations
	Refill  *Refill
	Now     func() time.Time
}

// ProductStore keeps products, under optimistic locks as MerchantStore does.
// DeleteProduct succeeds if the product is gone already.
type ProductStore interface {
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
	ProductLister
	PutProduct(ctx context.Context, p catalog.Product, tell ...notice.Notice) error
	DeleteProduct(ctx context.Context, merchant, id string, version int, tell ...notice.Notice) error
}

// ProductRelations reads the things that a product names, and those that need it.
type ProductRelations interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	// HasUnconnected says whether paid lines wait for the product to get a pool.
	HasUnconnected(ctx context.Context, merchant, product string) (bool, error)
}

// List returns up to limit of a merchant's products, by id, after the one with that
// id. Next is the id to go on after, "" on the last page.
func (s *Products) List(ctx context.Context, merchant, after string, limit int) (products []catalog.Product, next string, err error) {
	products, err = s.Store.Products(ctx, merchant, after, limit+1)
	products, next = page(products, limit, func(p catalog.Product) string { return p.ID })
	return products, next, err
}

// Get returns a product. Its error is ErrNotFound if there is none.
func (s *Products) Get(ctx context.Context, merchant, id string) (catalog.Product, error) {
	p, ok, err := s.Store.Product(ctx, merchant, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return p, err
}

// Put creates or changes a product, and returns it with its new version. Version of
// next is ignored. The merchant is told if the product's mails say something else.
func (s *Products) Put(ctx context.Context, next catalog.Product, by access.Principal, c Condition) (p catalog.Product, created bool, err error) {
	if err := invalid(CheckProduct(next)...); err != nil {
		return p, false, err
	}
	before, _, err := s.Store.Product(ctx, next.Merchant, next.ID)
	if err != nil {
		return p, false, err
	}
	next.Version = before.Version
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, false, err
	}
	problems, err := s.checkRelations(ctx, next)
	if err != nil {
		return p, false, err
	}
	if err := invalid(problems...); err != nil {
		return p, false, err
	}
	if err := s.Store.PutProduct(ctx, next, textsChanged(before, next, by, s.Now())...); err != nil {
		return p, false, err
	}
	s.Refill.changedProduct(ctx, before, next)
	next.Version++
	return next, before.Version == 0, nil
}

// Delete deletes a product of the principal's merchant that nothing needs any more. Its
// error is ErrNotFound, an *InUseError, or that of the condition. The merchant is told if
// texts or links go with it: lines that it sold before are mailed without them.
func (s *Products) Delete(ctx context.Context, by access.Principal, id string, c Condition) error {
	merchant := by.Merchant
	p, err := s.Get(ctx, merchant, id)
	if err != nil {
		return err
	}
	if err := c.check(p.Version, false); err != nil {
		return err
	}
	waits, err := s.Related.HasUnconnected(ctx, merchant, p.ID)
	if err != nil {
		return err
	}
	if waits {
		return &InUseError{"product", []string{"paid order lines wait for it to get a pool"}}
	}
	inheritor, ok, err := s.inheritor(ctx, p)
	if err != nil {
		return err
	}
	if ok {
		return &InUseError{"product", []string{fmt.Sprintf("the product %q inherits from it", inheritor)}}
	}
	gone := catalog.Product{Merchant: merchant, ID: p.ID, Title: p.Title, ShortTitle: p.ShortTitle}
	return s.Store.DeleteProduct(ctx, merchant, p.ID, p.Version, textsChanged(p, gone, by, s.Now())...)
}

// checkRelations returns the mistakes in the names of other settings.
func (s *Products) checkRelations(ctx context.Context, p catalog.Product) ([]Problem, error) {
	m, ok, err := s.Related.Merchant(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("product %s: its merchant %s does not exist", p.ID, p.Merchant)
	}
	pools, err := s.checkPools(ctx, p)
	if err != nil {
		return nil, err
	}
	originals, err := s.checkOriginal(ctx, p)
	return slices.Concat(checkLanguages(m, p), pools, originals), err
}

// checkPools reports the pools that a product names and that do not exist.
func (s *Products) checkPools(ctx context.Context, p catalog.Product) (problems []Problem, err error) {
	named := map[string]string{"pool": p.Pool}
	for code, name := range p.PoolsByCurrency {
		named["pools_by_currency."+code] = name
	}
	known := map[string]bool{"": true}
	for _, path := range slices.Sorted(maps.Keys(named)) {
		name := named[path]
		if _, ok := known[name]; !ok {
			if _, known[name], err = s.Related.Pool(ctx, p.Merchant, name); err != nil {
				return nil, err
			}
		}
		if !known[name] {
			problems = append(problems, noPool(path))
		}
	}
	return problems, nil
}

// checkOriginal reports an original that does not exist, or that would make a chain
// of three: the original of a product has no original itself.
func (s *Products) checkOriginal(ctx context.Context, p catalog.Product) (problems []Problem, err error) {
	if p.Original == "" {
		return nil, nil
	}
	original, ok, err := s.Store.Product(ctx, p.Merchant, p.Original)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		problems = append(problems, Problem{Path: "original", Message: "there is no product of that id; create it first"})
	case original.Original != "":
		problems = append(problems, Problem{Path: "original", Message: "that product has an original itself; name that one"})
	}
	if p.Version == 0 {
		return problems, nil
	}
	inheritor, ok, err := s.inheritor(ctx, p)
	if ok {
		problems = append(problems, Problem{
			Path: "original", Message: fmt.Sprintf("this product is the original of %q, so that it cannot have one itself", inheritor),
		})
	}
	return problems, err
}

// inheritor returns the id of a product that has this one as its original, false if none has.
func (s *Products) inheritor(ctx context.Context, p catalog.Product) (string, bool, error) {
	products, err := s.Store.Products(ctx, p.Merchant, "", 0)
	for _, other := range products {
		if other.Original == p.ID {
			return other.ID, true, nil
		}
	}
	return "", false, err
}
