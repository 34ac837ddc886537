//go:build deployment

package e2e

import (
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"keypool/infra/local/shop"
)

// A person gives a customer keys by hand: they are mailed once, however often it is asked
// for, and another order under the number is refused.
func TestFulfilByHand(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(3)
	o := m.order(2)
	number := "press-" + rand.Text()[:10]
	for _, call := range []struct {
		number, product string
		quantity        int
		refused         int // status; 0: it is taken
	}{
		{number, m.product, 2, 0},
		{number, m.product, 2, 0},
		{number, m.product, 1, http.StatusConflict},
		{number + "-2", "nothing-of-ours", 1, http.StatusUnprocessableEntity},
		{number + "-3", m.product, 101, http.StatusUnprocessableEntity},
	} {
		err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/orders/"+call.number+"/fulfil", map[string]any{
			"reason": "a key for the press", "customer": map[string]any{"name": o.Name, "email": o.Email},
			"lines": []any{map[string]any{"product": call.product, "quantity": call.quantity}},
		}, nil)
		var refusal *shop.Refusal
		if errors.As(err, &refusal); refusal == nil && (err != nil || call.refused != 0) || refusal != nil && refusal.Status != call.refused {
			t.Errorf("%+v: %v", call, err)
		}
	}
	if got := m.keysOf(o); len(got) != 2 {
		t.Errorf("the mail holds %d keys", len(got))
	}
	lines, err := world.shop.OrderLines(t.Context(), m.token, number)
	if err != nil || len(lines) != 1 || lines[0].State != "fulfilled" || lines[0].Allocated != 2 {
		t.Errorf("the order: %+v, %v", lines, err)
	}
	if mails := m.mails(o.Email, world.mark); len(mails) != 1 {
		t.Errorf("%d mails", len(mails))
	}
}
