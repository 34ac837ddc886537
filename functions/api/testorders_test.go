package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/settings"
)

// reported returns the order that a webhook of a test order reports, as function webhook reads it.
func (w *world) reported(p posted) platform.Paid {
	w.Helper()
	name := p.path[strings.LastIndex(p.path, "/")+1:]
	account, _, err := w.store.Account(w.Context(), "acme", name)
	if err != nil {
		w.Fatal(err)
	}
	as := platform.AccountOf(account)
	for _, sealed := range account.Secrets {
		key, err := w.kms.Unseal(w.Context(), "acme", name, sealed.Blob)
		if err != nil {
			w.Fatal(err)
		}
		as.Secrets = append(as.Secrets, platform.SigningSecret{Secret: platform.Conceal(key)})
	}
	if _, err := (standard.Adapter{}).Verify(p.Request, as, w.now()); err != nil {
		w.Errorf("the webhook is not signed: %v", err)
	}
	events, err := standard.Adapter{}.Decode(w.Context(), p.Request, as)
	if err != nil || len(events) != 1 {
		w.Fatalf("the webhook reports %v, %v: %s", events, err, p.Body)
	}
	return events[0].(platform.Paid)
}

const takenReply = `{"order":"x","lines":[{"line":"1","product":"game","state":"waiting","wanted":2,"allocated":1}]}`

func TestTestOrder(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.clock = noon.Add(700 * time.Millisecond) // an account delivers what is paid from then on
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", map[string]any{}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/game", map[string]any{"title": "The Game", "pool": "elden"}).Want(201)
	w.front = func(posted) (platform.Response, error) {
		return platform.Response{Status: 200, Body: []byte(takenReply)}, nil
	}

	var first, second TestOrdered
	w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game", "quantity": 2, "currency": "USD", "language": "de"}).Want(200).Into(&first)
	w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game", "email": "me@example.com"}).Want(200).Into(&second)
	want := TestOrdered{
		Account: settings.TestAccount, Order: first.Order, Status: 200,
		Lines: []TestLine{{Line: "1", Product: "game", State: "waiting", Wanted: 2, Allocated: 1}},
	}
	if diff := cmp.Diff(want, first); diff != "" || first.Order == second.Order {
		t.Errorf("%+v (-want +got):\n%s", second, diff)
	}
	for i, c := range []struct {
		order, currency, language, email string
		quantity                         int
	}{{first.Order, "USD", "de", "acme@example.com", 2}, {second.Order, "", "", "me@example.com", 1}} {
		p := w.posted[i]
		got := w.reported(p)
		if account, _, err := w.store.Account(t.Context(), "acme", settings.TestAccount); err != nil || got.PaidAt.Before(account.DeliversFrom) {
			t.Errorf("paid at %s, and the account delivers from %s, %v", got.PaidAt, account.DeliversFrom, err)
		}
		if p.path != "/webhooks/acme/test-orders" || !got.Test || got.Order != c.order || got.Currency != c.currency || got.Language != c.language ||
			got.Customer.Email != c.email || len(got.Lines) != 1 || got.Lines[0].Product != "game" || got.Lines[0].Quantity != c.quantity {
			t.Errorf("to %s: %+v", p.path, got)
		}
	}

	// The account that is named, with its own secret.
	w.shop(bearer, "PUT", "/v1/accounts/shop", map[string]any{}).Want(201)
	w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game", "account": "shop"}).Want(200)
	if p := w.posted[2]; p.path != "/webhooks/acme/shop" || !w.reported(p).Test {
		t.Errorf("reported to %s", p.path)
	}
}

// An account of Keypool's own scheme has a setting, and other accounts do not have that.
func TestAccounts_orderPageInAnswer(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	settings := map[string]any{"order_page_in_answer": true}
	w.shop(bearer, "PUT", "/v1/accounts/shop", map[string]any{"settings": settings}).Want(201)
	if answer := w.shop(bearer, "GET", "/v1/accounts/shop", nil).Want(200); !strings.Contains(answer.Body, `"settings":{"order_page_in_answer":true}`) {
		t.Errorf("the account is %s", answer.Body)
	}
	for _, body := range []map[string]any{
		{"settings": map[string]any{"order_page": true}},
		{"settings": map[string]any{"order_page_in_answer": "on"}},
		{"platform": "stripe", "settings": settings},
	} {
		w.shop(bearer, "PUT", "/v1/accounts/other", body).Want(422)
	}
}

func TestTestOrder_refused(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/game", map[string]any{"title": "The Game"}).Want(201)
	w.shop(bearer, "PUT", "/v1/accounts/woo", map[string]any{
		"platform": "woocommerce", "settings": map[string]any{"shop": "shop.example.com"}, "secrets": []any{map[string]any{"name": "hook", "secret": strings.Repeat("s", 50)}},
	}).Want(201)
	for _, c := range []struct {
		body   map[string]any
		status int
		says   string
	}{
		{map[string]any{"product": "other"}, 422, "PUT /v1/products/{product}"},
		{map[string]any{"product": "game", "email": "nobody"}, 422, "is no mail address"},
		{map[string]any{"product": "game", "quantity": 0}, 422, ""},
		{map[string]any{"product": "game", "account": "woo"}, 422, "place a test order there"},
		{map[string]any{"product": "game", "account": "nothing"}, 404, ""},
		{map[string]any{}, 422, ""},
	} {
		if answer := w.shop(bearer, "POST", "/v1/test-orders", c.body).Want(c.status); !strings.Contains(answer.Body, c.says) {
			t.Errorf("%v: %s", c.body, answer.Body)
		}
	}
	if len(w.posted) != 0 {
		t.Errorf("%d webhooks were sent", len(w.posted))
	}

	// What the webhook is answered is told; where nobody answers, the call may be made again.
	w.front = func(posted) (platform.Response, error) {
		return platform.Response{Status: 429, Body: []byte(`{"message":"Too Many Requests"}`)}, nil
	}
	var ordered TestOrdered
	w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game"}).Want(200).Into(&ordered)
	if ordered.Status != 429 || ordered.Problem["message"] != "Too Many Requests" || ordered.Lines != nil {
		t.Errorf("%+v", ordered)
	}
	w.front = func(posted) (platform.Response, error) { return platform.Response{}, settings.ErrUnanswered }
	w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game"}).Want(503)
}

// Whatever is asked for, what is reported is a test: no test order reaches a live key.
func FuzzTestOrder(f *testing.F) {
	f.Add("game", 1, "EUR", "de", "me@example.com")
	f.Add("game", 3, `","test":false,"x":"`, "en", "a@example.com\",\"test\":false,\"b\":\"")
	f.Add("\u2028game\x00", 7, "test", "false", "\\u0074est@example.com")
	f.Fuzz(func(t *testing.T, product string, quantity int, currency, language, email string) {
		paid := platform.Paid{Order: "test-1", Currency: currency, Language: language, Lines: []platform.Line{{ID: "1", Product: product, Quantity: quantity}}}
		paid.Customer.Email = email
		r := standard.TestOrder([]byte("a key of the tests"), noon, paid)
		events, err := standard.Adapter{}.Decode(t.Context(), r, platform.Account{})
		if err != nil {
			return // it is refused whole
		}
		for _, event := range events {
			if got, ok := event.(platform.Paid); !ok || !got.Test || got.Order != "test-1" {
				t.Errorf("%s is read as %+v", r.Body, event)
			}
		}
	})
}

func TestTestOrder_needsTheScope(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	others := slices.DeleteFunc(slices.Clone(access.Scopes), func(s access.Scope) bool { return s == access.OrdersWrite })
	w.shop(w.token("acme", others...), "POST", "/v1/test-orders", map[string]any{"product": "game"}).Want(403)
}
