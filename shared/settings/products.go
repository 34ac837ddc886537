package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
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
	// ProductPage returns up to limit of a merchant's products, by id, after that id, and the
	// id to go on after, "" on the last page. A page of long ones, or among many aliases, has
	// fewer, or none.
	ProductPage(ctx context.Context, merchant, after string, limit int) (products []catalog.Product, next string, err error)
	PutProduct(ctx context.Context, p catalog.Product, with ...audit.Record) error
	DeleteProduct(ctx context.Context, merchant, id string, version int, with ...audit.Record) error
}

// ProductRelations reads the things that a product names, and those that need it.
type ProductRelations interface {
	Merchant
	catalog.TextReader
	OrderPages(ctx context.Context, merchant string) (catalog.OrderPages, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	// CountUnconnected says how many paid lines of these ids wait for their product to get
	// a pool, counted up to limit for each id and side.
	CountUnconnected(ctx context.Context, merchant string, products []string, limit int) (int, error)
}

// List returns a page of a merchant's products: see ProductStore.
func (s *Products) List(ctx context.Context, merchant, after string, limit int) (products []catalog.Product, next string, err error) {
	return s.Store.ProductPage(ctx, merchant, after, limit)
}

// ListedProduct is a product with what its settings come to: Whole has what it inherits.
type ListedProduct struct {
	catalog.Product
	Whole catalog.Product
	Texts []TextSource // in each of the merchant's languages
}

// ListWhole returns a page of a merchant's products as List does, each with what its settings
// come to.
func (s *Products) ListWhole(ctx context.Context, merchant, after string, limit int) (list []ListedProduct, next string, err error) {
	var (
		products []catalog.Product
		m        catalog.Merchant
		common   catalog.Texts
		reading  errgroup.Group
	)
	reading.Go(func() (err error) { products, next, err = s.List(ctx, merchant, after, limit); return err })
	reading.Go(func() (err error) { m, _, err = s.Related.Merchant(ctx, merchant); return err })
	reading.Go(func() (err error) { common, err = s.Related.Texts(ctx, merchant); return err })
	if err := reading.Wait(); err != nil {
		return nil, "", err
	}
	originals := make([]catalog.Product, len(products))
	for i, p := range products {
		if p.Original != "" {
			reading.Go(func() (err error) { originals[i], _, err = s.Store.Product(ctx, merchant, p.Original); return err })
		}
	}
	if err := reading.Wait(); err != nil {
		return nil, "", err
	}
	for i, p := range products {
		list = append(list, ListedProduct{p, p.Inherit(originals[i]), sources(p, originals[i], m, common)})
	}
	return list, next, nil
}

// Waiting says how many paid lines wait for a product of these ids to get a pool, up to 1,000 for
// each id and side.
func (s *Products) Waiting(ctx context.Context, merchant string, ids ...string) (int, error) {
	return s.Related.CountUnconnected(ctx, merchant, ids, countedWaiting)
}

// Get returns the product of an id, or of an alias. Its error is ErrNotFound if there is
// none.
func (s *Products) Get(ctx context.Context, merchant, id string) (catalog.Product, error) {
	p, ok, err := s.Store.Product(ctx, merchant, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return p, err
}

// AliasError means that an id is an alias of a product, which is changed by its own id.
type AliasError struct{ Product string }

func (e *AliasError) Error() string {
	return fmt.Sprintf("the id is an alias of the product %q", e.Product)
}

// Put creates or changes a product, and returns it with its new version. Version and Codes of
// next are ignored: see Codes. Its error is an *AliasError if the id is an alias. The merchant is told if the product's mails say something else.
func (s *Products) Put(ctx context.Context, next catalog.Product, by access.Principal, c Condition) (p catalog.Product, created bool, err error) {
	if err := invalid(CheckProduct(next)...); err != nil {
		return p, false, err
	}
	before, _, err := s.Store.Product(ctx, next.Merchant, next.ID)
	if err != nil {
		return p, false, err
	}
	if before.Version > 0 && before.ID != next.ID {
		return p, false, &AliasError{before.ID}
	}
	next.Version, next.Codes = before.Version, before.Codes
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, false, err
	}
	problems, err := s.checkRelations(ctx, before, next)
	if err != nil {
		return p, false, err
	}
	if err := invalid(problems...); err != nil {
		return p, false, err
	}
	e := entry(ctx, by, audit.Product, next.Merchant, next.ID, shownIf(before.Version > 0, before), next.Shown(), s.Now())
	if err := s.Store.PutProduct(ctx, next, audit.Record{Entry: e, Tell: textsChanged(before, next, by, s.Now())}); err != nil {
		return p, false, err
	}
	s.Refill.changedProduct(ctx, before, next)
	next.Version++
	return next, before.Version == 0, nil
}

// ErrConnected means that a product gets its keys from somewhere by now.
var ErrConnected = errors.New("the product is connected")

// Ignore says that a product of the principal's merchant, which no pool feeds, needs no keys: see
// catalog.Product.Ignored. One that is not there is made, with its id as its title. It returns the
// product, and whether that changed anything. Its error is ErrConnected if it was connected
// meanwhile, ErrNotFound if no product can have the id, or as Put's.
func (s *Products) Ignore(ctx context.Context, by access.Principal, id string) (p catalog.Product, changed bool, err error) {
	if productID(id) != "" {
		return p, false, ErrNotFound
	}
	p, there, err := s.Store.Product(ctx, by.Merchant, id)
	switch {
	case err != nil:
		return p, false, err
	case !there:
		p = catalog.Product{Merchant: by.Merchant, ID: id, Title: id, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}
	case p.ID != id:
		return p, false, &AliasError{p.ID}
	case p.Ignored:
		return p, false, nil
	case p.Pool != "" || len(p.PoolsByCurrency) > 0 || p.Original != "" || p.Keys.Mode == catalog.Shared:
		return p, false, ErrConnected
	}
	next := p
	next.Ignored = true
	p, _, err = s.Put(ctx, next, by, at(p.Version))
	return p, err == nil, err
}

// Unignore undoes Ignore, if the product is of the version still that it returned: one that it made
// is gone again, and its orders wait for a product of its id. Its error is ErrNotFound, an
// *access.DeniedError, or that of the condition.
func (s *Products) Unignore(ctx context.Context, by access.Principal, id string, version int) error {
	if productID(id) != "" {
		return ErrNotFound
	}
	p, err := s.Get(ctx, by.Merchant, id)
	if err != nil {
		return err
	}
	if err := at(version).check(p.Version, false); err != nil {
		return err
	}
	if p.Version == firstVersion {
		if err := by.May("delete-product"); err != nil {
			return err
		}
		return s.Delete(ctx, by, id, true, at(version))
	}
	p.Ignored = false
	_, _, err = s.Put(ctx, p, by, at(version))
	return err
}

// countedWaiting is how many waiting lines of an id and side a refusal counts.
const countedWaiting = 1_000

// Delete deletes a product of the principal's merchant that nothing needs any more, or
// by force one that paid lines wait for: they go on waiting for a product of its id. Its
// error is ErrNotFound, an *AliasError, an *InUseError, or that of the condition. The merchant is told if
// texts or links go with it: lines that it sold before are mailed without them.
func (s *Products) Delete(ctx context.Context, by access.Principal, id string, force bool, c Condition) error {
	merchant := by.Merchant
	p, err := s.Get(ctx, merchant, id)
	if err != nil {
		return err
	}
	if p.ID != id {
		return &AliasError{p.ID}
	}
	if err := c.check(p.Version, false); err != nil {
		return err
	}
	inUse, err := s.uses(ctx, p)
	if err != nil {
		return err
	}
	if inUse.refuses(force) {
		return inUse
	}
	gone := catalog.Product{Merchant: merchant, ID: p.ID, Title: p.Title, ShortTitle: p.ShortTitle}
	e := entry(ctx, by, audit.Product, merchant, p.ID, p.Shown(), nil, s.Now())
	return s.Store.DeleteProduct(ctx, merchant, p.ID, p.Version, audit.Record{Entry: e, Tell: textsChanged(p, gone, by, s.Now())})
}

// uses returns the reasons to keep a product.
func (s *Products) uses(ctx context.Context, p catalog.Product) (*InUseError, error) {
	inUse := &InUseError{Thing: "product"}
	inheritor, ok, err := s.inheritor(ctx, p)
	if err != nil {
		return nil, err
	}
	if ok {
		inUse.Reasons = append(inUse.Reasons, fmt.Sprintf("the product %q inherits from it", inheritor))
	}
	waiting, err := s.Related.CountUnconnected(ctx, p.Merchant, p.IDs(), countedWaiting)
	if err != nil {
		return nil, err
	}
	if waiting > 0 {
		inUse.Forcible = append(inUse.Forcible, fmt.Sprintf("paid order lines wait for it to get a pool (%d)", waiting))
	}
	return inUse, nil
}

// checkRelations returns the mistakes that show beside other settings, and beside what the
// product was before.
func (s *Products) checkRelations(ctx context.Context, before, p catalog.Product) ([]Problem, error) {
	m, ok, err := s.Related.Merchant(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("product %s: its merchant %s does not exist", p.ID, p.Merchant)
	}
	common, err := s.Related.Texts(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	pools, err := s.checkPools(ctx, p)
	if err != nil {
		return nil, err
	}
	aliases, err := s.checkAliases(ctx, p)
	if err != nil {
		return nil, err
	}
	originals, err := s.checkOriginal(ctx, p)
	return slices.Concat(checkLanguages(m, common.Texts, p), aliases, pools, originals, checkRedeemBy(m, before, p, s.Now())), err
}

// checkRedeemBy reports a day that is newly set, and has passed for the merchant.
func checkRedeemBy(m catalog.Merchant, before, next catalog.Product, now time.Time) []Problem {
	day, err := time.Parse(time.DateOnly, next.Redeem.By)
	if err != nil || next.Redeem.By == before.Redeem.By || !day.Before(m.Day(now)) {
		return nil
	}
	return []Problem{{"redeem_by", "the day has passed; use today or a later day"}}
}

// checkAliases reports the aliases that are ids of other products.
func (s *Products) checkAliases(ctx context.Context, p catalog.Product) (problems []Problem, err error) {
	for i, alias := range p.Aliases {
		other, ok, err := s.Store.Product(ctx, p.Merchant, alias)
		if err != nil {
			return nil, err
		}
		path := fmt.Sprintf("aliases[%d]", i)
		switch {
		case !ok || other.ID == p.ID:
		case other.ID == alias:
			problems = append(problems, Problem{path, "a product of its own has that id; delete it first"})
		default:
			problems = append(problems, Problem{path, fmt.Sprintf("the product %q has that alias; take it from that one first", other.ID)})
		}
	}
	return problems, nil
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
	case original.ID != p.Original:
		problems = append(problems, Problem{Path: "original", Message: fmt.Sprintf("this is an alias of the product %q; name that one", original.ID)})
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
	products, err := s.Store.Products(ctx, p.Merchant)
	for _, other := range products {
		if other.Original == p.ID {
			return other.ID, true, nil
		}
	}
	return "", false, err
}
