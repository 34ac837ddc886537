package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/order"
)

// An order is found under its corrected address, and not under the former one any more. Its
// history says who corrected it, and not to what. A second correction is told the limit.
func TestResendOrder_toACorrectedAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.shop(token, "PUT", "/v1/products/game", Product{Title: "Elden", Pool: "elden"}).Want(201)
	w.paidOrder("7", 1)
	find := func(email string) int {
		var found OrderList
		w.shop(token, "GET", "/v1/orders?email="+email, nil).Want(200).Into(&found)
		return len(found.Items)
	}
	for _, email := range []string{"ada", "Ada <ada@right.example>", "ada@right.example, eve@right.example"} {
		w.shop(token, "POST", "/v1/orders/7/resend", map[string]string{"email": email}).Want(422)
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	seen := read.Items[0].Lines[0].Version
	body := fmt.Sprintf(`{"email":"ada@right.example","reason":"she had mistyped it","versions":{"1":%d}}`, seen)
	var acted Acted
	w.shop(token, "POST", "/v1/orders/7/resend", body).Want(200).Into(&acted)
	if len(acted.Lines) != 1 || !acted.Lines[0].Done || acted.Lines[0].Version != seen+1 {
		t.Errorf("acted: %+v", acted)
	}
	w.shop(token, "POST", "/v1/orders/7/resend", strings.Replace(body, "ada@", "eve@", 1)).Want(409) // it has changed since
	if found := find("ada@right.example"); found != 1 {
		t.Errorf("%d orders of the corrected address", found)
	}
	if found := find("ada@example.com"); found != 0 {
		t.Errorf("%d orders of the former address", found)
	}
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	if email := read.Items[0].Customer.Email; email != "ada@right.example" {
		t.Errorf("the address is %q", email)
	}
	for _, h := range inHistory(read.Items[0]) {
		if h.What == string(order.AddressCorrected) && (!strings.HasPrefix(h.By, "the token ") || h.Code != "she had mistyped it") {
			t.Errorf("the history says %+v", h)
		}
	}
	for n := range 2 {
		w.shop(token, "POST", "/v1/orders/7/resend", fmt.Sprintf(`{"email":"ada%d@right.example"}`, n)).Want(200)
	}
	refused := w.shop(token, "POST", "/v1/orders/resend?order=7", `{"email":"ada9@right.example"}`).Want(429)
	if after, err := strconv.Atoi(refused.Headers["Retry-After"]); err != nil || after < 1 || after > 3600 {
		t.Errorf("Retry-After is %q", refused.Headers["Retry-After"])
	}
	w.shop(token, "POST", "/v1/orders/7/resend", `{}`).Want(200)
}

// Whoever looks after orders sends mails again, and only to the address that paid: keys must
// not be led away by the way.
func TestResendOrder_supportCorrectsNoAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.shop(token, "PUT", "/v1/products/game", Product{Title: "Elden", Pool: "elden"}).Want(201)
	w.paidOrder("7", 1)
	support, manager := w.person("acme", "ada", access.Support), w.person("acme", "grace", access.Manager)
	before := w.dump()
	for _, path := range []string{"/v1/orders/7/resend", "/v1/orders/resend?order=7"} {
		if got := w.shop(support, "POST", path, `{"email":"eve@example.org"}`).Want(403); !strings.Contains(got.Body, "role support") {
			t.Error(got.Body)
		}
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Error(diff)
	}
	w.shop(support, "POST", "/v1/orders/7/resend", `{}`).Want(200)
	w.shop(manager, "POST", "/v1/orders/7/resend", `{"email":"ada@right.example"}`).Want(200)
}
