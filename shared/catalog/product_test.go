package catalog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
)

// products are a merchant's, by id. One that is nil cannot be read.
type products map[string]*catalog.Product

var errUnreadable = errors.New("the catalog does not answer")

func (p products) Product(_ context.Context, _, id string) (catalog.Product, bool, error) {
	product, known := p[id]
	switch {
	case !known:
		return catalog.Product{}, false, nil
	case product == nil:
		return catalog.Product{}, false, errUnreadable
	default:
		return *product, true, nil
	}
}

func TestReadProduct(t *testing.T) {
	own := catalog.Product{ID: "special", Pool: "own", Original: "plain"}
	plain := catalog.Product{ID: "plain", Title: "Elden", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}
	plain.Renewal, plain.OrderPage = catalog.ParentKey, catalog.OrderPageOn
	both := own
	both.Title, both.Keys, both.Renewal, both.OrderPage = plain.Title, plain.Keys, plain.Renewal, plain.OrderPage
	itself := own
	itself.Renewal, itself.OrderPage = catalog.NewKey, catalog.OrderPageOff
	kept := both
	kept.Renewal, kept.OrderPage = catalog.NewKey, catalog.OrderPageOff

	for name, test := range map[string]struct {
		there products
		want  catalog.Product
		known bool
		err   error
	}{
		"takes what it lacks from its original": {products{"special": &own, "plain": &plain}, both, true, nil},
		"keeps its own while that is missing":   {products{"special": &own}, own, true, nil},
		"keeps what it sets itself":             {products{"special": &itself, "plain": &plain}, kept, true, nil},
		"is not known":                          {products{"plain": &plain}, catalog.Product{}, false, nil},
		"cannot be read":                        {products{"special": nil}, catalog.Product{}, false, errUnreadable},
		"has an original that cannot be read":   {products{"special": &own, "plain": nil}, catalog.Product{}, false, errUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			got, known, err := catalog.ReadProduct(t.Context(), test.there, "acme", "special")
			if known != test.known || !errors.Is(err, test.err) {
				t.Errorf("known %v, %v; want %v, %v", known, err, test.known, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the product (-want +got):\n%s", diff)
			}
		})
	}
}
