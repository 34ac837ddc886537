//go:build deployment

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"keypool/infra/apiclient"
)

// client calls the API by the client that is made from its document.
func (m *merchant) client() *apiclient.ClientWithResponses {
	m.t.Helper()
	c, err := apiclient.NewClientWithResponses(world.shop.Public, apiclient.WithHTTPClient(world.shop.HTTP),
		apiclient.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+m.token)
			return nil
		}))
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// A shop's catalog is read, changed, compared and put back.
func TestCatalog(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	c, ctx, yes, any := m.client(), t.Context(), true, "*"
	first, err := c.GetCatalogWithResponse(ctx)
	if err != nil || first.JSON200 == nil {
		t.Fatalf("%v, %d %s", err, first.StatusCode(), first.Body)
	}
	put := func(catalog apiclient.Catalog, dryRun bool) []apiclient.CatalogChange {
		t.Helper()
		params := &apiclient.PutCatalogParams{IfMatch: &any, Force: &yes}
		if dryRun {
			params.DryRun = &yes
		}
		answer, err := c.PutCatalogWithResponse(ctx, params, catalog)
		if err != nil || answer.JSON200 == nil {
			t.Fatalf("%v, %d %s", err, answer.StatusCode(), answer.Body)
		}
		return answer.JSON200.Changes
	}
	if changes := put(*first.JSON200, true); len(changes) != 0 {
		t.Errorf("what was read differs from what there is: %+v", changes)
	}
	title, other := "Another", m.product+"-other"
	changed := *first.JSON200
	changed.Products = &map[string]apiclient.Product{m.product: (*first.JSON200.Products)[m.product], other: {Title: &title, Pool: &m.pool}}
	for _, dryRun := range []bool{true, false} {
		if changes := put(changed, dryRun); len(changes) != 1 || changes[0].Name == nil || *changes[0].Name != other {
			t.Errorf("dry run %t: %+v", dryRun, changes)
		}
	}
	product, err := c.GetProductWithResponse(ctx, other)
	if err != nil || product.JSON200 == nil || *product.JSON200.Title != title {
		t.Errorf("the new product: %v, %s", err, product.Body)
	}
	put(*first.JSON200, false)
	if changes := put(*first.JSON200, true); len(changes) != 0 {
		t.Errorf("put back, it differs: %+v", changes)
	}
	if gone, err := c.GetProductWithResponse(ctx, other); err != nil || gone.StatusCode() != http.StatusNotFound {
		t.Errorf("a product that was put away: %v, %d", err, gone.StatusCode())
	}

	// As YAML, from a file, with a mistake in its fourth line.
	file := "products:\n  " + other + ":\n    title: Another\n    colour: red\n"
	wrong, err := c.PutCatalogWithBodyWithResponse(ctx, &apiclient.PutCatalogParams{IfMatch: &any}, "application/yaml", strings.NewReader(file))
	if err != nil || wrong.StatusCode() < 400 || wrong.StatusCode() >= 500 || !strings.Contains(string(wrong.Body), "colour") {
		t.Errorf("a file with a mistake: %v, %d %s", err, wrong.StatusCode(), wrong.Body)
	}
}
