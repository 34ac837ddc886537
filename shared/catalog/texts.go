package catalog

import (
	"context"
	"time"
)

// Texts are a merchant's texts in the mails of all products that have none in the customer's
// language.
type Texts struct {
	Merchant string
	Version  int
	Texts    map[string]Text // by BCP 47 tag
}

// Shown returns the fields of texts.
func (t Texts) Shown() Shown {
	s := Shown{}
	s.texts(t.Texts)
	return s
}

// TextReader reads merchants' texts, of version 0 where none were ever set.
type TextReader interface {
	Texts(ctx context.Context, merchant string) (Texts, error)
}

// CachedTexts reads merchants' texts through a cache, which also knows of merchants that
// have none. It implements TextReader.
type CachedTexts struct{ cache *Cache[Texts] }

// NewCachedTexts returns an empty cache of the texts that r reads.
func NewCachedTexts(r TextReader, now func() time.Time) *CachedTexts {
	return &CachedTexts{NewCache(now, func(ctx context.Context, merchant string) (Texts, bool, error) {
		texts, err := r.Texts(ctx, merchant)
		return texts, true, err
	})}
}

// Texts implements TextReader.
func (c *CachedTexts) Texts(ctx context.Context, merchant string) (Texts, error) {
	texts, _, err := c.cache.Get(ctx, merchant)
	return texts, err
}
