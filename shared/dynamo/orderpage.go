package dynamo

import (
	"cmp"
	"context"

	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// orderPagesItem is a merchant's settings of order pages, in the catalog.
type orderPagesItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Version int    `dynamodbav:"version"`
	Default string `dynamodbav:"default"`
	Days    int    `dynamodbav:"days,omitempty"`
	Place   bool   `dynamodbav:"queuePlace,omitempty"`
}

// OrderPages returns a merchant's settings of order pages, which are off at version 0 if they
// were never set: one consistent read.
func (s *Store) OrderPages(ctx context.Context, merchant string) (catalog.OrderPages, error) {
	item, _, err := getAs[orderPagesItem](ctx, s, s.tables.Catalog, orderPagesKey(merchant), oldestInCatalog)
	return catalog.OrderPages{
		Merchant: merchant, Version: item.Version, Default: cmp.Or(catalog.OrderPage(item.Default), catalog.OrderPageOff),
		Days: item.Days, QueuePlace: item.Place,
	}, wrap(err, "read the settings of order pages of %s", merchant)
}

// PutOrderPages stores a merchant's settings of order pages.
func (s *Store) PutOrderPages(ctx context.Context, o catalog.OrderPages, with ...audit.Record) error {
	item := orderPagesItem{primaryKey: orderPagesKey(o.Merchant), V: schema, Version: o.Version + 1, Default: string(o.Default), Days: o.Days, Place: o.QueuePlace}
	return wrap(s.putCatalog(ctx, item, locked(o.Version), with...), "store the settings of order pages of %s", o.Merchant)
}
