package platform

import (
	"context"

	"keypool/shared/catalog"
)

// Products finds a product of a merchant's; false if there is none.
type Products interface {
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// PassesOver reports whether the account passes over a line: it ignores products that the
// catalog does not know, and that knows neither the line's product nor the original that a
// dynamic product stands for. A product that is no id is for Check to refuse.
func (a Account) PassesOver(ctx context.Context, line Line, products Products) (bool, error) {
	if a.OtherProducts != catalog.OthersIgnored {
		return false, nil
	}
	ids := []string{line.Product}
	if line.Original != "" {
		ids = append(ids, line.Original)
	}
	for _, id := range ids {
		if CheckID(id) != "" {
			return false, nil
		}
		if _, known, err := products.Product(ctx, a.Merchant, id); known || err != nil {
			return false, err
		}
	}
	return true, nil
}
