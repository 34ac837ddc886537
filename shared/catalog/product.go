package catalog

import "context"

// ReadProduct returns a product with the settings that it inherits from its original,
// and false if there is no such product. While the original does not exist, the
// product's own settings are in force.
func ReadProduct(ctx context.Context, r ProductReader, merchant, id string) (Product, bool, error) {
	product, known, err := r.Product(ctx, merchant, id)
	if err != nil || !known || product.Original == "" {
		return product, known, err
	}
	original, exists, err := r.Product(ctx, merchant, product.Original)
	if err != nil {
		return Product{}, false, err
	}
	if exists {
		product = product.Inherit(original)
	}
	return product, true, nil
}

// LineProduct returns the product that a line is delivered by: its own, or for a dynamic
// product that the catalog does not know, its original. No original is "".
func LineProduct(ctx context.Context, r ProductReader, merchant, id, original string) (Product, bool, error) {
	product, known, err := ReadProduct(ctx, r, merchant, id)
	if err != nil || known || original == "" {
		return product, known, err
	}
	return ReadProduct(ctx, r, merchant, original)
}

// ProductReader reads products as they are set. It returns false for one that does
// not exist.
type ProductReader interface {
	Product(ctx context.Context, merchant, id string) (Product, bool, error)
}

// Inherit returns the product with its empty settings taken from its original. A
// product with a pool for one currency has a pool of its own, one with a code for one side
// has its own codes, and one with a text in one language has its own texts.
func (p Product) Inherit(original Product) Product {
	if p.Title == "" {
		p.Title, p.ShortTitle = original.Title, original.ShortTitle
	}
	if p.Pool == "" && len(p.PoolsByCurrency) == 0 {
		p.Pool, p.PoolsByCurrency = original.Pool, original.PoolsByCurrency
	}
	if p.Keys.Count == 0 {
		p.Keys = original.Keys
	}
	if len(p.Codes) == 0 {
		p.Codes = original.Codes
	}
	if len(p.Texts) == 0 {
		p.Texts = original.Texts
	}
	if p.Instructions == "" {
		p.Instructions = original.Instructions
	}
	if p.Download == "" {
		p.Download = original.Download
	}
	if p.Redeem == (Redeem{}) {
		p.Redeem = original.Redeem
	}
	if p.Review == nil {
		p.Review = original.Review
	}
	if p.ReturnedKeys == "" {
		p.ReturnedKeys = original.ReturnedKeys
	}
	if p.Renewal == "" {
		p.Renewal = original.Renewal
	}
	if p.OrderPage == "" {
		p.OrderPage = original.OrderPage
	}
	return p
}
