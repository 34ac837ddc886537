package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// seller is a merchant with a product that a pool feeds, and their token.
func (w *world) seller(keys int) (token string) {
	w.Helper()
	token = w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.shop(token, "PUT", "/v1/products/game", Product{Title: "Elden", Pool: "elden"}).Want(201)
	if keys > 0 {
		dynamotest.Stock(w, w.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, 4, dynamotest.Texts("KEY", keys)...)
	}
	return token
}

const gift = `{"reason":"a key for the press","customer":{"name":"Ada","email":"ada@example.com"},"language":"de","lines":[{"product":"game","quantity":2}]}`

// A person gives a customer keys that no platform knows of. It is an order as any other.
func TestFulfil(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(5)
	var got Order
	w.shop(token, "POST", "/v1/orders/press-1/fulfil", gift).Want(200).Into(&got)
	if got.Order != "press-1" || got.Account != "by-hand" || got.Test || len(got.Lines) != 1 || got.Customer.Email != "ada@example.com" {
		t.Fatalf("fulfilled %+v", got)
	}
	line := got.Lines[0]
	if line.State != "fulfilled" || line.Allocated != 2 || line.Line != "game" || line.Language != "de" || line.Delivery == nil || line.Delivery.State != "due" {
		t.Errorf("the line: %+v", line)
	}
	if h := inHistory(got); len(h) != 1 || h[0].What != "fulfilled-by-hand" || !strings.HasPrefix(h[0].By, "the token ") || h[0].Code != "a key for the press" {
		t.Errorf("its history: %+v", got.Timeline)
	}
	for _, path := range []string{"/v1/orders/press-1", "/v1/orders?order=press-1", "/v1/orders/press-1?account=by-hand&test=false"} {
		var read OrderList
		if w.shop(token, "GET", path, nil).Want(200).Into(&read); len(read.Items) != 1 || read.Items[0].Lines[0].ID != line.ID {
			t.Errorf("%s: %+v", path, read)
		}
	}
	w.shop(token, "GET", "/v1/orders/press-1?test=true", nil).Want(404)
	var acted Acted
	w.shop(token, "POST", "/v1/orders/press-1/hold", `{}`).Want(200).Into(&acted)
	w.shop(token, "POST", "/v1/orders/press-1/release", `{}`).Want(200).Into(&acted)
	w.shop(token, "POST", "/v1/orders/press-1/replace", `{"line":"game","key_id":"`+line.KeyIDs[0]+`"}`).Want(200).Into(&acted)
	w.shop(token, "POST", "/v1/orders/press-1/return", `{"keys":"restock"}`).Want(200).Into(&acted)
	if acted.Lines[0].State != "returned" {
		t.Errorf("given back: %+v", acted.Lines)
	}
	w.shop(token, "POST", "/v1/orders/press-1/fulfil", gift).Want(200).Into(&got) // given back, it stays so
	if books := dynamotest.Audit(t, w.tables); got.Lines[0].State != "returned" || books.Claimed != 0 || books.Revoked != 1 || books.Available != 4 {
		t.Errorf("again: %s; %+v", got.Lines[0].State, books)
	}
}

// The same call again, or several at once, give the customer nothing more. Another order
// under the number is refused.
func TestFulfil_again(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(20)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { w.shop(token, "POST", "/v1/orders/fulfil?order=a%2F..%2Fb", gift).Want(200) })
	}
	calls.Wait()
	w.shop(token, "POST", "/v1/orders/fulfil?order=a%2F..%2Fb", strings.ReplaceAll(gift, "the press", "a colleague")).Want(200)
	for _, other := range []string{
		strings.ReplaceAll(gift, `"quantity":2`, `"quantity":1`),
		strings.ReplaceAll(gift, "ada@", "eve@"),
		strings.ReplaceAll(gift, `"product"`, `"line":"2","product"`),
		strings.ReplaceAll(gift, `{"product"`, `{"product":"game","line":"2","quantity":1},{"product"`),
	} {
		got := w.shop(token, "POST", "/v1/orders/fulfil?order=a%2F..%2Fb", other).Want(409)
		if !strings.Contains(got.Body, "nothing was stored") {
			t.Errorf("%s: %s", other, got.Body)
		}
	}
	if books := dynamotest.Audit(t, w.tables); books.Claimed != 2 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
	test := strings.Replace(gift, `{`, `{"test":true,`, 1)
	var got Order
	w.shop(token, "POST", "/v1/orders/fulfil?order=a%2F..%2Fb", test).Want(200).Into(&got)
	if !got.Test || got.Lines[0].State != "waiting" {
		t.Errorf("of the test side: %+v", got)
	}
}

// A number that an account's order has is refused: the customer would get keys twice when
// the account's webhook is only late.
func TestFulfil_numberOfAnAccount(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(5)
	w.claim("acme", "elden", pool.Live, "7", 1)
	if got := w.shop(token, "POST", "/v1/orders/7/fulfil", gift).Want(409); !strings.Contains(got.Body, "shop-eu") {
		t.Errorf("%s", got.Body)
	}
	w.shop(token, "POST", "/v1/orders/8/fulfil", gift).Want(200)
	w.claim("acme", "elden", pool.Live, "8", 1) // the platform's came later
	w.shop(token, "POST", "/v1/orders/8/fulfil", gift).Want(200)
	w.shop(token, "POST", "/v1/orders/8/hold", `{}`).Want(409)
	w.shop(token, "POST", "/v1/orders/8/hold?account=by-hand", `{}`).Want(200)
	w.shop(token, "PUT", "/v1/accounts/by-hand", Account{}).Want(422)
	w.shop(token, "GET", "/v1/accounts/by-hand", nil).Want(404)
	if books := dynamotest.Audit(t, w.tables); books.Claimed != 2 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
}

// What cannot be fulfilled is refused with the field at fault, and nothing is stored.
func TestFulfil_mistakes(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(200)
	w.shop(token, "PUT", "/v1/products/poolless", Product{Title: "No pool yet"}).Want(201)
	before := w.dump()
	for where, body := range map[string]string{
		"[body.lines[1].product body.lines[2].product]": `{"reason":"x","customer":{"email":"ada@example.com"},"lines":[{"product":"game","quantity":1},{"product":"nothing","quantity":1},{"product":"poolless","quantity":1}]}`,
		"[body.reason]":            strings.ReplaceAll(gift, "a key for the press", " "),
		"[body.customer.email]":    strings.ReplaceAll(gift, "ada@example.com", "ada"),
		"[body.lines[1].line]":     strings.ReplaceAll(gift, `{"product"`, `{"product":"game","quantity":1},{"product"`),
		"[body.lines[0].quantity]": strings.ReplaceAll(gift, `:2`, `:1001`),
		"[body.keys]":              strings.ReplaceAll(gift, `:2`, `:101`),
	} {
		if got := w.shop(token, "POST", "/v1/orders/1/fulfil", body).Want(422).Locations(); fmt.Sprint(got) != where {
			t.Errorf("%s: at fault are %v, want %s", body, got, where)
		}
	}
	for _, body := range []string{`{}`, strings.ReplaceAll(gift, "reason", "why"), strings.Replace(gift, `{`, `{"keys":3,`, 1)} {
		w.shop(token, "POST", "/v1/orders/1/fulfil", body).Want(422)
	}
	for path, where := range map[string]string{"/v1/orders/%20/fulfil": "[path.order]", "/v1/orders/fulfil?order=%20": "[query.order]"} {
		if got := w.shop(token, "POST", path, gift).Want(422).Locations(); fmt.Sprint(got) != where {
			t.Errorf("%s: at fault are %v", path, got)
		}
	}
	if after := w.dump(); len(after) != len(before) {
		t.Errorf("%d items are stored, before %d", len(after), len(before))
	}
}

// A person's order goes by no rule of review. What would be over the cap says how many keys
// are meant; the brake holds it as any other.
func TestFulfil_rules(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(140)
	w.shop(token, "PUT", "/v1/review", `{"rules":{"always":true,"max_keys":10,"max_orders":1}}`, "if-match", "*").Want(200)
	many := strings.ReplaceAll(gift, `"quantity":2`, `"quantity":12`)
	if got := w.shop(token, "POST", "/v1/orders/1/fulfil", many).Want(422); !strings.Contains(got.Body, "send keys: 12") {
		t.Errorf("%s", got.Body)
	}
	var got Order
	for i := range 2 { // two of one address in a day
		w.shop(token, "POST", fmt.Sprintf("/v1/orders/%d/fulfil", i), strings.Replace(many, `{`, `{"keys":12,`, 1)).Want(200).Into(&got)
		if got.Lines[0].State != "fulfilled" || got.Lines[0].Allocated != 12 {
			t.Errorf("%+v", got.Lines[0])
		}
	}
	w.shop(token, "POST", "/v1/brake", nil).Want(200)
	got = Order{}
	w.shop(token, "POST", "/v1/orders/7/fulfil", gift).Want(200).Into(&got)
	if fmt.Sprint(got.Lines[0].State, got.Lines[0].Holds, got.Lines[0].Allocated) != "on_hold[brake] 0" || len(got.Lines[0].KeyIDs) > 0 || len(inHistory(got)) != 2 {
		t.Errorf("while the brake is set: %+v", got.Lines[0])
	}
	if held, _, err := w.store.Held(t.Context(), "acme", pool.Live, "", 10); err != nil || len(held) != 1 {
		t.Errorf("held: %v, %v", held, err)
	}
	if n := dynamotest.Partitions(t, w.tables.Orders, "notice#acme#held-for-review"); len(n) != 2 {
		t.Errorf("the merchant is told by %v", n)
	}
	var acted Acted
	w.shop(token, "POST", "/v1/orders/7/release", `{"reason":"it is fine"}`).Want(200).Into(&acted)
	if acted.Lines[0].State != "waiting" {
		t.Errorf("released: %+v", acted.Lines)
	}
	dynamotest.Audit(t, w.tables)
}

// Lines that wait are served by fill, whatever rules of review were set meanwhile.
func TestFulfil_waits(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(0)
	w.fill.drain()
	var got Order
	w.shop(token, "POST", "/v1/orders/1/fulfil", gift).Want(200).Into(&got)
	if got.Lines[0].State != "waiting" || len(w.fill.drain()) != 1 {
		t.Errorf("without keys: %+v", got.Lines[0])
	}
	w.shop(token, "PUT", "/v1/review", `{"rules":{"always":true,"max_keys":1}}`, "if-match", "*").Want(200)
	elden := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	dynamotest.Stock(t, w.tables, elden, 4, dynamotest.Texts("LATE", 3)...)
	filler := &claim.Filler{Store: w.store, Bypass: w.store, Catalog: w.store, Notices: w.store, Now: w.now}
	if err := filler.Fill(t.Context(), order.FillPool(elden), noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if now := w.state(order.LineID(got.Lines[0].ID)); now.State() != order.Fulfilled || now.Allocated != 2 {
		t.Errorf("with keys, it is %s", now.State())
	}
	dynamotest.Audit(t, w.tables)
}

// Two lines of which one was stored when the process died: the repeat stores the other.
func TestFulfil_cutOff(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.seller(5)
	w.shop(token, "PUT", "/v1/products/dlc", Product{Title: "More", Pool: "elden"}).Want(201)
	account := catalog.ByHand("acme")
	stored := order.Fulfillment{
		ID:       order.Identity{Merchant: "acme", Side: pool.Live, Origin: account.Origin, Order: "1", Line: "game"}.ID(),
		Merchant: "acme", Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: "1", Line: "game", Product: "game",
		Quantity: 2, OrderLines: 2, Customer: order.Customer{Email: "ada@example.com"}, ReceivedAt: noon,
	}
	stored.Connect("elden", 1, 2)
	if err := w.store.Commit(t.Context(), order.NewLine(stored)); err != nil {
		t.Fatal(err)
	}
	w.shop(token, "POST", "/v1/orders/1/fulfil", gift).Want(409) // it had two lines
	both := strings.ReplaceAll(gift, `}]`, `},{"product":"dlc","quantity":1}]`)
	var got Order
	for range 2 {
		w.shop(token, "POST", "/v1/orders/1/fulfil", both).Want(200).Into(&got)
		if len(got.Lines) != 2 || got.Lines[0].Product != "game" || got.Lines[1].Product != "dlc" {
			t.Errorf("completed: %+v", got.Lines)
		}
	}
	dynamotest.Audit(t, w.tables)
}
