package settings

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/mail/text"
)

// Texts changes and reads merchants' texts in the mails of all products.
type Texts struct {
	Store     TextStore
	Merchants Merchant
	Products  ProductLister
	Now       func() time.Time
}

// TextStore keeps merchants' texts; its errors are as those of ReviewStore.
type TextStore interface {
	catalog.TextReader
	PutTexts(ctx context.Context, t catalog.Texts, with ...audit.Record) error
}

// Merchant reads a merchant.
type Merchant interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
}

// Get returns a merchant's texts. Those that were never set are none, at version 1.
func (s *Texts) Get(ctx context.Context, merchant string) (catalog.Texts, error) {
	t, err := s.Store.Texts(ctx, merchant)
	t.Version++
	return t, err
}

// Put changes a merchant's texts, and returns them with their new version. The version of
// next is ignored. The merchant is told of each text that is another one now.
func (s *Texts) Put(ctx context.Context, next catalog.Texts, by access.Principal, c Condition) (t catalog.Texts, err error) {
	if err := invalid(CheckTexts(next.Texts)...); err != nil {
		return t, err
	}
	before, err := s.Get(ctx, next.Merchant)
	if err != nil {
		return t, err
	}
	next.Version = before.Version
	if len(next.Texts) == 0 {
		next.Texts = nil // as they are read
	}
	same := reflect.DeepEqual(before, next)
	if err := c.check(before.Version, same); err != nil || same {
		return before, err
	}
	problems, err := s.checkRelations(ctx, before, next)
	if err == nil {
		err = invalid(problems...)
	}
	if err != nil {
		return t, err
	}
	stored := next
	stored.Version-- // see Get
	e := entry(ctx, by, audit.Texts, next.Merchant, "", before.Shown(), next.Shown(), s.Now())
	if err := s.Store.PutTexts(ctx, stored, audit.Record{Entry: e, Tell: commonChanged(before, next, by, s.Now())}); err != nil {
		return t, err
	}
	next.Version++
	return next, nil
}

// CheckTexts returns the mistakes in a merchant's texts.
func CheckTexts(texts map[string]catalog.Text) []Problem {
	var p problems
	p.texts(texts, maxMerchantTexts)
	return p
}

// checkRelations returns the languages in which nothing would be left to fall back on.
func (s *Texts) checkRelations(ctx context.Context, before, next catalog.Texts) ([]Problem, error) {
	m, _, err := s.Merchants.Merchant(ctx, next.Merchant)
	if err != nil {
		return nil, err
	}
	var products []catalog.Product
	if len(languagesOnlyIn(before.Texts, next.Texts)) > 0 {
		if products, err = s.Products.Products(ctx, next.Merchant); err != nil {
			return nil, err
		}
	}
	return checkCommon(m, next.Texts, products), nil
}

// checkCommon reports the languages of the merchant in which there is no text although there
// are some, of the merchant's or of a product's.
func checkCommon(m catalog.Merchant, texts map[string]catalog.Text, products []catalog.Product) []Problem {
	var p problems
	p.covered(m, texts)
	for _, product := range products {
		if len(checkLanguages(m, texts, product)) > 0 {
			p.add("texts", "the product %s has texts, and would have none in one of your languages: it falls back on these", quoted(product.ID))
			break
		}
	}
	return p
}

// languagesOnlyIn returns the languages, in order, of the texts that others lack.
func languagesOnlyIn(texts, others map[string]catalog.Text) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(texts)), func(language string) bool { _, there := others[language]; return there })
}

// TextSource says where the text of a product's mails comes from, for customers of a language.
type TextSource struct {
	Language string
	From     string // product, original, merchant, keypool
	Text     string // language of the text
}

// InForce is what the settings of a product come to with those that they fall back on.
type InForce struct {
	Texts     []TextSource // in each of the merchant's languages
	OrderPage bool
}

// InForce returns what a product's settings come to, with those of its original and of the
// merchant.
func (s *Products) InForce(ctx context.Context, p catalog.Product) (is InForce, err error) {
	var (
		m        catalog.Merchant
		common   catalog.Texts
		pages    catalog.OrderPages
		original catalog.Product
		reading  errgroup.Group
	)
	reading.Go(func() (err error) { m, _, err = s.Related.Merchant(ctx, p.Merchant); return err })
	reading.Go(func() (err error) { common, err = s.Related.Texts(ctx, p.Merchant); return err })
	reading.Go(func() (err error) { pages, err = s.Related.OrderPages(ctx, p.Merchant); return err })
	if p.Original != "" {
		reading.Go(func() (err error) { original, _, err = s.Store.Product(ctx, p.Merchant, p.Original); return err })
	}
	if err := reading.Wait(); err != nil {
		return is, err
	}
	is.OrderPage = p.Inherit(original).HasOrderPage(pages)
	is.Texts = sources(p, original, m, common)
	return is, nil
}

// sources says where the text of a product's mails comes from, in each of the merchant's
// languages.
func sources(p, original catalog.Product, m catalog.Merchant, common catalog.Texts) (all []TextSource) {
	whole := p.Inherit(original)
	for _, language := range m.Languages {
		from := mail.SourceOf(whole, m, common.Texts, language)
		source := TextSource{language, string(from.From), from.Language}
		if from.From == mail.OfProduct && len(p.Texts) == 0 {
			source.From = "original"
		}
		all = append(all, source)
	}
	return all
}

// Foreign reports whether customers of the language get words that a merchant wrote in another
// one.
func (s TextSource) Foreign() bool {
	_, suits := text.Match([]string{s.Text}, s.Language)
	return s.From != string(mail.OfKeypool) && !suits
}

// planTexts plans a change of the merchant's texts. Products lean on them, before the change
// and after it: languages come before products change, and go afterwards.
func (s *Catalogs) planTexts(p *plan, now Catalog, want CatalogChange, t target) {
	before := now.Texts
	next := catalog.Texts{Merchant: want.By.Merchant, Version: before.Version, Texts: want.Texts}
	if !p.differs(audit.Texts, "", before.Version, before.Shown(), next.Shown()) {
		return
	}
	version := before.Version
	put := func(texts map[string]catalog.Text) step {
		return func(ctx context.Context) error {
			stored, err := s.Texts.Put(ctx, catalog.Texts{Merchant: want.By.Merchant, Texts: texts}, want.By, at(version))
			version = stored.Version
			return err
		}
	}
	mistakes := slices.Concat(CheckTexts(next.Texts), checkCommon(t.merchant, next.Texts, t.list))
	added, removed := languagesOnlyIn(next.Texts, before.Texts), languagesOnlyIn(before.Texts, next.Texts)
	phase := addTexts
	switch {
	case len(added) > 0 && len(removed) > 0:
		both := maps.Clone(before.Texts)
		maps.Copy(both, next.Texts)
		if len(mistakes) == 0 && len(CheckTexts(both)) > 0 {
			mistakes = []Problem{{"texts", fmt.Sprintf("with those that are there they are too many or too long, and products need both for a moment; add languages first (%v), and remove the others (%v) by another change", added, removed)}}
		}
		p.add(addTexts, put(both))
		phase = removeTexts
	case len(removed) > 0:
		phase = removeTexts
	}
	p.add(phase, put(next.Texts))
	p.problems = append(p.problems, mistakes...)
}
