//go:build deployment

package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/shop"
)

// A merchant finds an order by its customer's address, in any letter case, by its state and
// by what needs somebody, page by page, and its place in the queue; another merchant finds none.
func TestListOrders(t *testing.T) {
	t.Parallel()
	m, other := newMerchant(t), newMerchant(t)
	m.stock(1)
	filled := m.order(1)
	m.pay(filled, "fulfilled", 1)
	m.keysOf(filled)
	waits := m.order(1)
	m.pay(waits, "waiting", 0)

	list := func(of *merchant, query url.Values) (orders []string) {
		t.Helper()
		for range 10 {
			var page struct {
				Items []struct{ Order string }
				Next  string
			}
			if err := world.shop.Ask(t.Context(), of.token, http.MethodGet, "/v1/orders?"+query.Encode(), nil, &page); err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Items {
				orders = append(orders, o.Order)
			}
			if page.Next == "" {
				break
			}
			query.Set("after", page.Next)
		}
		return orders
	}
	for name, c := range map[string]struct {
		query url.Values
		want  []string
	}{
		"all, a line a page":  {url.Values{"limit": {"1"}}, []string{waits.ID, filled.ID}},
		"an address":          {url.Values{"email": {strings.ToUpper(filled.Email)}}, []string{filled.ID}},
		"a state":             {url.Values{"state": {"waiting"}}, []string{waits.ID}},
		"of a day ago":        {url.Values{"until": {time.Now().Add(-24 * time.Hour).Format(time.RFC3339)}}, nil},
		"test orders":         {url.Values{"test": {"true"}}, nil},
		"what needs somebody": {url.Values{"attention": {"true"}}, nil}, // it has not waited for an hour
	} {
		if got := list(m, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		c.query.Del("after")
		if got := list(other, c.query); len(got) != 0 {
			t.Errorf("%s: another merchant finds %v", name, got)
		}
	}

	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/orders/"+waits.ID+"/hold", map[string]any{"reason": "a look"}, nil); err != nil {
		t.Fatal(err)
	}
	err := shop.Await(t.Context(), 10*time.Second, "the order on hold being listed", func() (bool, error) {
		return slices.Equal(list(m, url.Values{"attention": {"true"}}), []string{waits.ID}), nil
	})
	if err != nil {
		t.Error(err)
	}
}
