package dynamo

import (
	"context"

	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// textsItem is a merchant's texts in the mails of all products, in the catalog. It stands by
// itself: only mails read it, and merchants change it, who change nothing else of themselves.
type textsItem struct {
	primaryKey
	V       int                 `dynamodbav:"v"`
	Version int                 `dynamodbav:"version"`
	Texts   map[string]textItem `dynamodbav:"texts,omitempty"` // by language
}

// Texts returns a merchant's texts, of version 0 if none were ever set: one consistent read.
func (s *Store) Texts(ctx context.Context, merchant string) (catalog.Texts, error) {
	item, _, err := getAs[textsItem](ctx, s, s.tables.Catalog, textsKey(merchant), oldestInCatalog)
	return catalog.Texts{
		Merchant: merchant, Version: item.Version,
		Texts: mapped(item.Texts, func(t textItem) catalog.Text { return catalog.Text(t) }),
	}, wrap(err, "read the texts of %s", merchant)
}

// PutTexts stores a merchant's texts.
func (s *Store) PutTexts(ctx context.Context, t catalog.Texts, with ...audit.Record) error {
	item := textsItem{
		primaryKey: textsKey(t.Merchant), V: schema, Version: t.Version + 1,
		Texts: mapped(t.Texts, func(t catalog.Text) textItem { return textItem(t) }),
	}
	return wrap(s.putCatalog(ctx, item, locked(t.Version), with...), "store the texts of %s", t.Merchant)
}
