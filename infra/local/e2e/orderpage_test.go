//go:build deployment

package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
)

// pageForm is the link to an order's page in a mail's text.
var pageForm = regexp.MustCompile(`https://\S+(/o/[A-Za-z0-9_-]{44})`)

// The page that a customer's mail leads to holds no key until its button is pressed; then it
// holds the key of the mail. A link that is changed leads nowhere.
func TestOrderPage(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	if err := world.shop.Change(t.Context(), m.token, "/v1/order-page", map[string]any{"default": "on"}); err != nil {
		t.Fatalf("turn order pages on: %v", err)
	}
	m.stock(1)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	key := m.keysOf(o)[0]
	mail := m.mailTo(o.Email)
	link := pageForm.FindStringSubmatch(mail.Text)
	if link == nil {
		t.Fatalf("the mail %q has no link to the order's page", mail.Subject)
	}
	world.canaries.Add(canary.Link, strings.TrimPrefix(link[1], "/o/"))
	if !strings.HasPrefix(link[0], world.outputs["ApiUrl"]+"/") {
		t.Errorf("the link does not lead to %s", world.outputs["ApiUrl"])
	}
	closed := m.page(do(t, shop.Request{Method: http.MethodGet, Path: link[1]}), o.ID)
	if strings.Contains(closed, key) {
		t.Error("the page holds the key before its button is pressed")
	}
	for path, holds := range map[string]bool{link[1] + "/keys": true, link[1][:len(link[1])-1] + "/keys": false} {
		opened := do(t, shop.Request{Method: http.MethodPost, Path: path, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}})
		if strings.Contains(string(opened.Body), key) != holds || opened.Status == http.StatusOK != holds {
			t.Errorf("the button is answered %d, holds the key: %t", opened.Status, !holds)
		}
	}
}
