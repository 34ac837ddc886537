package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/platform"
)

// Catalogs reads all settings of a merchant as one, and replaces them as one: what is the
// merchant's own to set of itself, pools, products, the merchant's texts, the rules of review, order pages, the retention, and of
// accounts what is no secret.
//
// A change is checked whole before anything is stored. It is then made of the same single
// changes that a caller could make, in an order in which each of them is allowed by itself.
// So one that was cut off has left settings that are in force, and the same again goes on
// from them.
type Catalogs struct {
	Merchants  *Merchants
	Pools      *Pools
	Products   *Products
	Texts      *Texts
	Reviews    *Reviews
	OrderPages *OrderPages
	Retentions *Retentions
	Accounts   *Accounts
}

// Catalog is all settings of a merchant, each list by name.
type Catalog struct {
	Merchant   catalog.Merchant
	Pools      []catalog.Pool
	Products   []catalog.Product
	Texts      catalog.Texts
	Review     catalog.Review
	OrderPages catalog.OrderPages
	Retention  catalog.Retention
	Accounts   []catalog.Account
}

// empty says whether nothing was ever set.
func (c Catalog) empty() bool {
	return len(c.Pools)+len(c.Products)+len(c.Accounts) == 0 &&
		max(c.Merchant.Version, c.Review.Version, c.Texts.Version, c.OrderPages.Version, c.Retention.Version) == firstVersion
}

// firstVersion is the version of what there is one of, and was never set: see Reviews.Get. Of a
// merchant, it is that which the operator made.
const firstVersion = 1

// CatalogChange is what all settings shall be. A part that is nil stays as it is.
type CatalogChange struct {
	Merchant   *catalog.Merchant // what is its own to set
	Pools      []catalog.Pool
	Products   []catalog.Product
	Texts      map[string]catalog.Text // in the mails of all products, by language
	Review     *catalog.Review
	OrderPages *catalog.OrderPages
	Retention  *catalog.Retention
	// Accounts are all there are: they are neither made nor removed so, and keep their
	// secrets and credentials. A change of one needs the scope that put-account needs.
	Accounts []AccountChange

	Force bool // remove pools and products although keys or lines wait for them
	By    access.Principal
}

// Difference is what a change does to one thing.
type Difference struct {
	Thing  audit.Thing
	Name   string // empty: there is one of its kind
	Change audit.Change
	Fields []string // in order; of a thing that is removed, none
	// Before and After are all fields of the thing, nil where it is not there.
	Before, After catalog.Shown
}

// Get returns all settings of a merchant.
func (s *Catalogs) Get(ctx context.Context, merchant string) (c Catalog, err error) {
	var reading errgroup.Group
	reading.Go(func() (err error) { c.Merchant, err = s.Merchants.Get(ctx, merchant); return err })
	reading.Go(func() (err error) { c.Pools, err = s.Pools.Store.Pools(ctx, merchant, "", 0); return err })
	reading.Go(func() (err error) { c.Products, err = s.Products.Store.Products(ctx, merchant); return err })
	reading.Go(func() (err error) { c.Texts, err = s.Texts.Get(ctx, merchant); return err })
	reading.Go(func() (err error) { c.Review, err = s.Reviews.Get(ctx, merchant); return err })
	reading.Go(func() (err error) { c.OrderPages, err = s.OrderPages.Get(ctx, merchant); return err })
	reading.Go(func() (err error) { c.Retention, err = s.Retentions.Get(ctx, merchant); return err })
	var accounts catalog.Roster
	reading.Go(func() (err error) { accounts, err = s.Accounts.Store.Roster(ctx, merchant); return err })
	err = reading.Wait()
	c.Accounts = accounts.Accounts
	return c, err
}

// Put makes all settings of the principal's merchant what a change says, and returns what
// differed. A dry run returns the same, and stores nothing. Unchanged says whether the change
// was made from the settings as they are; nil: no condition is given, which is an
// ErrUnconditional unless nothing was set yet or nothing differs. Its error is an
// *InvalidError with all mistakes, an *access.DeniedError, or that of a single change.
func (s *Catalogs) Put(ctx context.Context, want CatalogChange, unchanged func(Catalog) bool, dryRun bool) ([]Difference, error) {
	now, err := s.Get(ctx, want.By.Merchant)
	if err != nil {
		return nil, err
	}
	if unchanged != nil && !unchanged(now) {
		return nil, catalog.ErrConflict
	}
	p, err := s.plan(ctx, now, want)
	if err != nil {
		return nil, err
	}
	if dryRun || len(p.differences) == 0 {
		return p.differences, nil
	}
	if unchanged == nil && !now.empty() {
		return nil, ErrUnconditional
	}
	return p.differences, p.apply(ctx)
}

// CutOffError means that a change of all settings ended on the way: what was done of it stays.
type CutOffError struct {
	Done, Of int // single changes
	Err      error
}

func (e *CutOffError) Error() string {
	return fmt.Sprintf("after %d of %d changes: %v", e.Done, e.Of, e.Err)
}

func (e *CutOffError) Unwrap() error { return e.Err }

// plan is a change that was checked.
type plan struct {
	differences []Difference
	problems    problems
	steps       [lastPhase][]step
	products    *phaseProducts // as the steps see them
}

// phaseProducts lists products once for all steps of a phase, of which each could be the first:
// a change of thousands of products would read them all each time.
type phaseProducts struct {
	ProductStore
	mu     sync.Mutex
	listed []catalog.Product // nil: not yet
}

// Products returns all products.
func (l *phaseProducts) Products(ctx context.Context, merchant string) ([]catalog.Product, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listed == nil {
		products, err := l.ProductStore.Products(ctx, merchant)
		if err != nil {
			return nil, err
		}
		l.listed = append([]catalog.Product{}, products...)
	}
	return slices.Clone(l.listed), nil
}

// begin forgets the products of the phase before.
func (l *phaseProducts) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed = nil
}

// phaseUses reads what names pools: see phaseProducts.
type phaseUses struct {
	PoolUses
	products *phaseProducts
}

// Products returns all products.
func (u phaseUses) Products(ctx context.Context, merchant string) ([]catalog.Product, error) {
	return u.products.Products(ctx, merchant)
}

// stepwise returns the same use cases over products that are listed once a phase.
func (s *Catalogs) stepwise(products *phaseProducts) *Catalogs {
	steps, refill, pools, sold, merchants := *s, *s.Products.Refill, *s.Pools, *s.Products, *s.Merchants
	refill.Products = products
	merchants.Refill = &refill
	pools.Refill, pools.Uses = &refill, phaseUses{s.Pools.Uses, products}
	sold.Refill, sold.Store = &refill, products
	steps.Pools, steps.Products, steps.Merchants = &pools, &sold, &merchants
	return &steps
}

// step is a single change.
type step func(context.Context) error

// The phases of a change. Steps of one phase may be made in any order.
const (
	makePools        = iota // first, for products to name them
	putMerchant             // texts are wanted in no language that is new, and in none that is gone
	addTexts                // that products fall back on
	freeAliases             // that another product shall have, as its id or an alias
	removeInheritors        // nothing inherits from them
	putOriginals            // products that inherit from none
	putInheritors           // those that inherit now: nothing inherits from them
	putNewInheritors        // those from which nothing inherits by now
	removeProducts
	putAliases  // that were ids of removed products
	removeTexts // that no product falls back on by now
	addLanguages
	putReview
	putOrderPages
	putAccounts
	removePools  // when no product names them
	putRetention // last: customers that it erases are not brought back
	lastPhase
)

// stepsAtOnce bounds the steps that are made together, looksAtOnce what is looked up before.
const stepsAtOnce, looksAtOnce = 8, 32

// apply makes the steps. Its error is a *CutOffError once one was made.
func (p *plan) apply(ctx context.Context) error {
	var done atomic.Int32
	for _, steps := range p.steps {
		p.products.begin()
		var making errgroup.Group
		making.SetLimit(stepsAtOnce)
		for _, one := range steps {
			making.Go(func() error {
				err := one(ctx)
				if err == nil {
					done.Add(1)
				}
				return err
			})
		}
		if err := making.Wait(); err != nil {
			err = fmt.Errorf("replace the catalog: %w", err)
			if done.Load() > 0 {
				err = &CutOffError{int(done.Load()), len(slices.Concat(p.steps[:]...)), err}
			}
			return err
		}
	}
	return nil
}

// inUses returns, for each thing, why it is kept. They are looked up together.
func inUses[T any](ctx context.Context, things []T, uses func(context.Context, T) (*InUseError, error)) ([]*InUseError, error) {
	all := make([]*InUseError, len(things))
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(looksAtOnce)
	for i, thing := range things {
		looking.Go(func() (err error) {
			all[i], err = uses(ctx, thing)
			return err
		})
	}
	return all, looking.Wait()
}

func (p *plan) add(phase int, s step) { p.steps[phase] = append(p.steps[phase], s) }

// differs notes the difference of a thing, and reports whether there is one.
func (p *plan) differs(thing audit.Thing, name string, version int, before, next catalog.Shown) bool {
	d := Difference{Thing: thing, Name: name, Change: audit.Changed, Before: before, After: next}
	if version == 0 {
		d.Change, d.Before = audit.Added, nil
	}
	d.Fields = d.Before.Differences(next)
	if version > 0 && len(d.Fields) == 0 {
		return false
	}
	p.differences = append(p.differences, d)
	return true
}

func (p *plan) removes(thing audit.Thing, name string) {
	p.differences = append(p.differences, Difference{Thing: thing, Name: name, Change: audit.Removed})
}

// wrong notes the mistakes in the thing at a path, and reports whether there are any. A
// thing's name and id stand in its path.
func (p *plan) wrong(path string, mistakes ...Problem) bool {
	for _, m := range mistakes {
		at := path
		if m.Path != "" && m.Path != "name" && m.Path != "id" {
			at += "." + m.Path
		}
		p.problems.add(at, "%s", m.Message)
	}
	return len(mistakes) > 0
}

// inUse notes that a thing cannot be removed.
func (p *plan) inUse(path string, inUse *InUseError, force bool) bool {
	if !inUse.refuses(force) {
		return false
	}
	message := "it cannot be removed: " + strings.Join(inUse.All(), "; ")
	if len(inUse.Reasons) == 0 {
		message += "; by force it is removed all the same"
	}
	return p.wrong(path, Problem{Message: message})
}

// at is the condition that a thing has a version.
func at(version int) Condition {
	if version == 0 {
		return Condition{New: true}
	}
	return Condition{Version: func(v int) bool { return v == version }}
}

func (s *Catalogs) plan(ctx context.Context, now Catalog, want CatalogChange) (*plan, error) {
	p := &plan{products: &phaseProducts{ProductStore: s.Products.Store}}
	steps := s.stepwise(p.products)
	m := now.Merchant
	if want.Merchant != nil {
		m = own(m, *want.Merchant)
	}
	var err error
	pools, products, texts := now.Pools, now.Products, now.Texts.Texts
	if want.Pools != nil {
		pools = want.Pools
	}
	if want.Products != nil {
		products = want.Products
	}
	if want.Texts != nil {
		texts = want.Texts
	}
	t := newTarget(m, pools, products)
	t.texts = texts
	t.ProductStore, t.ProductRelations = s.Products.Store, s.Products.Related
	if want.Merchant != nil {
		steps.planMerchant(p, now, m, want.By, t)
	}
	if want.Pools != nil {
		err = steps.planPools(ctx, p, now, want, t)
	}
	if want.Products != nil && err == nil {
		err = steps.planProducts(ctx, p, now, want, t)
	}
	if want.Texts != nil && err == nil {
		s.planTexts(p, now, want, t)
	}
	if want.Review != nil {
		s.planReview(p, now, *want.Review, want.By)
	}
	if want.OrderPages != nil {
		s.planOrderPages(p, now, *want.OrderPages, want.By)
	}
	if want.Retention != nil {
		s.planRetention(p, now, *want.Retention, want.By)
	}
	if want.Accounts != nil && err == nil {
		err = s.planAccounts(p, now, want)
	}
	if err == nil {
		err = invalid(p.problems...)
	}
	return p, err
}

func (s *Catalogs) planMerchant(p *plan, now Catalog, next catalog.Merchant, by access.Principal, t target) {
	if !p.differs(audit.Merchant, "", now.Merchant.Version, now.Merchant.Shown(), next.Shown()) {
		return
	}
	mistakes := CheckShop(next)
	if _, ok := t.pools[next.DefaultPool]; next.DefaultPool != "" && !ok {
		mistakes = append(mistakes, noPool("default_pool"))
	}
	if p.wrong("shop", mistakes...) {
		return
	}
	put := func(phase int, m catalog.Merchant) {
		version := next.Version
		p.add(phase, func(ctx context.Context) error {
			_, err := s.Merchants.PutOwn(ctx, m, by, at(version))
			return err
		})
		next.Version++
	}
	first := next
	first.Languages = without(next.Languages, func(tag string) bool { return !slices.Contains(now.Merchant.Languages, tag) })
	if len(now.Merchant.Shown().Differences(first.Shown())) > 0 {
		put(putMerchant, first)
	}
	if len(first.Languages) < len(next.Languages) {
		put(addLanguages, next)
	}
}

func (s *Catalogs) planPools(ctx context.Context, p *plan, now Catalog, want CatalogChange, t target) error {
	stored := byName(now.Pools, func(p catalog.Pool) string { return p.Name })
	var made []string
	for _, next := range want.Pools {
		if _, known := stored[next.Name]; !known {
			made = append(made, next.Name)
		}
	}
	former, err := s.Pools.Stock.FormerShards(ctx, want.By.Merchant, made...)
	if err != nil {
		return err
	}
	for _, next := range want.Pools {
		before, known := stored[next.Name]
		if !known {
			before.Shards = former[next.Name]
		}
		next.Merchant = want.By.Merchant
		next = following(before, next)
		if !p.differs(audit.Pool, next.Name, before.Version, before.Shown(), next.Shown()) {
			continue
		}
		if p.wrong("pools."+next.Name, append(CheckPool(next), checkShards(before, next)...)...) {
			continue
		}
		p.add(makePools, func(ctx context.Context) error {
			_, _, err := s.Pools.Put(ctx, next, want.By, at(before.Version))
			return err
		})
	}
	later := *s.Pools
	later.Uses = t
	removed := slices.DeleteFunc(slices.Clone(now.Pools), func(old catalog.Pool) bool { _, kept := t.pools[old.Name]; return kept })
	uses, err := inUses(ctx, removed, later.uses)
	if err != nil {
		return err
	}
	for i, old := range removed {
		p.removes(audit.Pool, old.Name)
		if !p.inUse("pools."+old.Name, uses[i], want.Force) {
			p.add(removePools, func(ctx context.Context) error {
				return s.Pools.Delete(ctx, want.By, old.Name, want.Force, at(old.Version))
			})
		}
	}
	return nil
}

// productPlan plans what becomes of products.
type productPlan struct {
	*plan
	later   *Products           // as they shall be
	owners  map[string][]string // of each id, the products that shall be sold by it
	removed map[string]bool     // by id
	writes  *productWrites
}

func (s *Catalogs) planProducts(ctx context.Context, p *plan, now Catalog, want CatalogChange, t target) error {
	pp := productPlan{
		plan: p, later: &Products{Store: t, Related: t, Now: s.Products.Now}, owners: map[string][]string{}, removed: map[string]bool{},
		writes: &productWrites{products: s.Products, by: want.By, force: want.Force, versions: map[string]int{}},
	}
	for _, product := range want.Products {
		for _, id := range product.IDs() {
			pp.owners[id] = append(pp.owners[id], product.ID)
		}
	}
	stored := byName(now.Products, func(p catalog.Product) string { return p.ID })
	for _, old := range now.Products {
		pp.writes.versions[old.ID] = old.Version
		_, kept := t.products[old.ID]
		pp.removed[old.ID] = !kept
		pp.free(old)
	}
	for _, next := range want.Products {
		before := stored[next.ID]
		next.Merchant, next.Version = want.By.Merchant, before.Version
		if !p.differs(audit.Product, next.ID, before.Version, before.Shown(), next.Shown()) {
			continue
		}
		if err := pp.put(ctx, before, next); err != nil {
			return err
		}
	}
	removed := slices.DeleteFunc(slices.Clone(now.Products), func(old catalog.Product) bool { return !pp.removed[old.ID] })
	uses, err := inUses(ctx, removed, pp.later.uses)
	if err != nil {
		return err
	}
	for i, old := range removed {
		p.removes(audit.Product, old.ID)
		pp.remove(old, uses[i])
	}
	return nil
}

// free plans to take the aliases from a product that another shall be sold by.
func (pp productPlan) free(old catalog.Product) {
	freed := old
	freed.Aliases = without(old.Aliases, func(alias string) bool {
		return len(pp.owners[alias]) > 0 && !slices.Contains(pp.owners[alias], old.ID)
	})
	if len(freed.Aliases) < len(old.Aliases) {
		pp.add(freeAliases, pp.writes.put(freed))
	}
}

// put plans to make or change a product.
func (pp productPlan) put(ctx context.Context, before, next catalog.Product) error {
	path := "products." + next.ID
	if pp.wrong(path, CheckProduct(next)...) {
		return nil
	}
	mistakes, err := pp.later.checkRelations(ctx, before, next)
	if err != nil {
		return err
	}
	for _, id := range next.IDs() {
		if owners := pp.owners[id]; len(owners) > 1 {
			mistakes = append(mistakes, Problem{Message: fmt.Sprintf("the id %s is that of several products, or their alias: %s", quoted(id), strings.Join(owners, ", "))})
		}
	}
	if pp.wrong(path, mistakes...) {
		return nil
	}
	phase := putOriginals
	switch {
	case next.Original != "" && before.Original != "":
		phase = putInheritors
	case next.Original != "":
		phase = putNewInheritors
	}
	first := next
	first.Aliases = without(next.Aliases, func(alias string) bool { return pp.removed[alias] })
	pp.add(phase, pp.writes.put(first))
	if len(first.Aliases) < len(next.Aliases) {
		pp.add(putAliases, pp.writes.put(next))
	}
	return nil
}

// remove plans to remove a product.
func (pp productPlan) remove(old catalog.Product, inUse *InUseError) {
	if pp.inUse("products."+old.ID, inUse, pp.writes.force) {
		return
	}
	phase := removeProducts
	if old.Original != "" {
		phase = removeInheritors
	}
	pp.add(phase, pp.writes.remove(old))
}

// productWrites are the writes of products in a change, some of which are written twice.
type productWrites struct {
	products *Products
	by       access.Principal
	force    bool

	mu       sync.Mutex
	versions map[string]int // by id
}

func (w *productWrites) version(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.versions[id]
}

func (w *productWrites) put(p catalog.Product) step {
	return func(ctx context.Context) error {
		stored, _, err := w.products.Put(ctx, p, w.by, at(w.version(p.ID)))
		if err == nil {
			w.mu.Lock()
			w.versions[p.ID] = stored.Version
			w.mu.Unlock()
		}
		return err
	}
}

func (w *productWrites) remove(p catalog.Product) step {
	return func(ctx context.Context) error {
		return w.products.Delete(ctx, w.by, p.ID, w.force, at(w.version(p.ID)))
	}
}

func (s *Catalogs) planReview(p *plan, now Catalog, next catalog.Review, by access.Principal) {
	next.Merchant = now.Review.Merchant
	if !p.differs(audit.Review, "", now.Review.Version, now.Review.Shown(), next.Shown()) || p.wrong("review", CheckReview(next)...) {
		return
	}
	p.add(putReview, func(ctx context.Context) error {
		_, err := s.Reviews.Put(ctx, next, by, at(now.Review.Version))
		return err
	})
}

func (s *Catalogs) planOrderPages(p *plan, now Catalog, next catalog.OrderPages, by access.Principal) {
	before := now.OrderPages
	next.Merchant = before.Merchant
	if !p.differs(audit.OrderPage, "", before.Version, before.Shown(), next.Shown()) || p.wrong("order_page", CheckOrderPages(next)...) {
		return
	}
	p.add(putOrderPages, func(ctx context.Context) error {
		_, err := s.OrderPages.Put(ctx, next, by, at(before.Version))
		return err
	})
}

func (s *Catalogs) planRetention(p *plan, now Catalog, next catalog.Retention, by access.Principal) {
	before := now.Retention
	next.Merchant = before.Merchant
	if !p.differs(audit.Retention, "", before.Version, before.Shown(), next.Shown()) || p.wrong("retention", CheckRetention(next)...) {
		return
	}
	p.add(putRetention, func(ctx context.Context) error {
		_, err := s.Retentions.Put(ctx, next, by, at(before.Version))
		return err
	})
}

func (s *Catalogs) planAccounts(p *plan, now Catalog, want CatalogChange) error {
	stored := byName(now.Accounts, func(a catalog.Account) string { return a.Name })
	kept := map[string]bool{}
	for _, change := range want.Accounts {
		kept[change.Name] = true
		change.Merchant, change.By = want.By.Merchant, want.By
		path := "accounts." + change.Name
		before := stored[change.Name]
		if before.Version == 0 {
			p.wrong(path, Problem{Message: "there is no account of that name; set it up first, with its secrets"})
			continue
		}
		change.Platform = cmp.Or(change.Platform, before.Platform)
		change.KeepSecret = before.Platform == platform.Standard
		moment := s.Accounts.Now().UTC()
		next := s.Accounts.next(before, change, moment)
		next.Secrets, next.Credentials = before.Secrets, before.Credentials
		if !p.differs(audit.Account, change.Name, before.Version, before.Shown(), next.Shown()) {
			continue
		}
		_, err := s.Accounts.complete(before, change, moment)
		if err == nil {
			err = checkParts(next, s.Accounts.Adapters[next.Platform])
		}
		var wrong *InvalidError
		if errors.As(err, &wrong) {
			p.wrong(path, wrong.Problems...)
			continue
		}
		if err == nil {
			err = want.By.May("put-account")
		}
		if err != nil {
			return err
		}
		p.add(putAccounts, func(ctx context.Context) error {
			_, _, _, err := s.Accounts.Put(ctx, change, at(before.Version))
			return err
		})
	}
	for _, old := range now.Accounts {
		if !kept[old.Name] {
			p.wrong("accounts."+old.Name, Problem{Message: "an account is not removed so; name it, or leave accounts out, and they stay as they are"})
		}
	}
	return nil
}

// byName returns a list by the names of its items.
func byName[T any](list []T, name func(T) string) map[string]T {
	all := make(map[string]T, len(list))
	for _, item := range list {
		all[name(item)] = item
	}
	return all
}

// without returns the names that are not left out, nil if none is left.
func without(names []string, left func(string) bool) []string {
	if rest := slices.DeleteFunc(slices.Clone(names), left); len(rest) > 0 {
		return rest
	}
	return nil
}

// target is how pools and products shall be, to check each against the others.
type target struct {
	ProductStore
	ProductRelations
	merchant catalog.Merchant
	texts    map[string]catalog.Text
	pools    map[string]catalog.Pool
	products map[string]catalog.Product // by id
	aliases  map[string]catalog.Product
	list     []catalog.Product // by id
}

func newTarget(m catalog.Merchant, pools []catalog.Pool, products []catalog.Product) target {
	t := target{
		merchant: m, aliases: map[string]catalog.Product{},
		pools:    byName(pools, func(p catalog.Pool) string { return p.Name }),
		products: byName(products, func(p catalog.Product) string { return p.ID }),
		list:     slices.SortedFunc(slices.Values(products), func(a, b catalog.Product) int { return cmp.Compare(a.ID, b.ID) }),
	}
	for _, p := range products {
		for _, alias := range p.Aliases {
			t.aliases[alias] = p
		}
	}
	return t
}

// Merchant returns the merchant whose settings they are.
func (t target) Merchant(context.Context, string) (catalog.Merchant, bool, error) {
	return t.merchant, t.merchant.Version > 0, nil
}

// Texts returns the merchant's texts.
func (t target) Texts(context.Context, string) (catalog.Texts, error) {
	return catalog.Texts{Texts: t.texts}, nil
}

// Pool returns the pool of that name.
func (t target) Pool(_ context.Context, _, name string) (catalog.Pool, bool, error) {
	p, ok := t.pools[name]
	return p, ok, nil
}

// Product returns the product of that id or alias.
func (t target) Product(_ context.Context, _, id string) (catalog.Product, bool, error) {
	p, ok := t.products[id]
	if !ok {
		p, ok = t.aliases[id]
	}
	return p, ok, nil
}

// Products returns all products.
func (t target) Products(context.Context, string) ([]catalog.Product, error) {
	return t.list, nil
}
