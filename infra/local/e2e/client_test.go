//go:build deployment

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keypool/infra/apiclient"
)

// client calls the API by the client that is made from its document.
func (m *merchant) client() *apiclient.ClientWithResponses {
	m.t.Helper()
	c, err := apiclient.NewClientWithResponses(world.shop.URL, apiclient.WithHTTPClient(world.shop.HTTP),
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
	pool := (*first.JSON200.Pools)[m.pool]
	pool.NoticeAddresses = &[]string{"stock@further.example"}
	changed.Pools = &map[string]apiclient.Pool{m.pool: pool}
	changed.Texts = &map[string]apiclient.Text{"en": {Body: "Of all products: {KEY}"}}
	changed.OrderPage = &apiclient.OrderPage{Default: apiclient.OrderPageDefaultOn}
	changed.Retention = &apiclient.Retention{Days: 3650}
	for _, dryRun := range []bool{true, false} {
		var differ []string
		for _, change := range put(changed, dryRun) {
			name := ""
			if change.Name != nil {
				name = *change.Name
			}
			differ = append(differ, strings.Join(append([]string{string(change.Thing), name}, *change.Fields...), " "))
		}
		slices.Sort(differ)
		want := []string{
			"order_page  default", "pool " + m.pool + " notice_addresses[0]", "product " + other + " keys.count keys.mode pool title",
			"retention  days", "texts  texts.en.body",
		}
		if !slices.Equal(differ, want) {
			t.Errorf("dry run %t: %q, want %q", dryRun, differ, want)
		}
	}
	product, err := c.GetProductWithResponse(ctx, other)
	if err != nil || product.JSON200 == nil || *product.JSON200.Title != title || product.JSON200.HasOrderPage == nil || !*product.JSON200.HasOrderPage {
		t.Errorf("the new product: %v, %s", err, product.Body)
	}
	kept, err := c.GetRetentionWithResponse(ctx)
	if err != nil || kept.JSON200 == nil || kept.JSON200.Days != 3650 {
		t.Errorf("how long customers are kept: %v, %s", err, kept.Body)
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
