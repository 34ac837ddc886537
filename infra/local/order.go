package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
)

// sendOrder sends a paid order as a payment platform does, and prints the same request
// as a curl command.
func sendOrder(ctx context.Context, c *call) error {
	s, env, err := running(ctx, c)
	if err != nil {
		return err
	}
	quantity, err := strconv.Atoi(c.setting("QTY", "1"))
	if err != nil {
		return &machine.Fault{Says: "QTY is not a whole number.", Try: "make order QTY=1 EMAIL=you@example.com"}
	}
	email := c.setting("EMAIL", "customer@shop.example")
	if !mailaddress.Valid(email) {
		return &machine.Fault{Says: "EMAIL is not a mail address.", Try: "make order QTY=1 EMAIL=you@example.com"}
	}
	paid := shop.Order{
		ID: newOrderID(), Email: email, Name: "Ada Example",
		Currency: c.setting("CURRENCY", "EUR"), Language: c.setting("LANGUAGE", "en"), Test: c.setting("TEST", "") != "",
		Lines: []shop.Line{{Product: c.setting("PRODUCT", env["KEYPOOL_PRODUCT"]), Quantity: quantity, UnitPrice: "29.90"}},
	}
	account := shop.Account{Merchant: env["KEYPOOL_MERCHANT"], Secret: env["KEYPOOL_SECRET"]}
	request, err := account.Sign(paid.Body(), now())
	if err != nil {
		return err
	}
	answer, err := s.Do(ctx, request)
	if err != nil {
		return err
	}
	fmt.Printf("POST %s%s\n%s\n\n%d in %s\n%s\n", s.URL, request.Path, request.Body, answer.Status, took(answer.Took), answer.Body)
	fmt.Printf("\nThe same with curl, in a shell (a repeat of this order: it gets no second key):\n\n. .local/env\n%s\n",
		account.Curl(`"$KEYPOOL_URL"`, request.Body, "KEYPOOL_SECRET"))
	if err := answer.Refused(); err != nil {
		return &machine.Fault{Says: "The order was refused.", Try: "make logs FUNCTION=webhook"}
	}
	var reply shop.Reply
	if err := answer.Decode(&reply); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", next(reply, env["KEYPOOL_POOL"]))
	return nil
}

// next says what happens to an order now. Pool is one that could feed its products.
func next(reply shop.Reply, pool string) string {
	for _, line := range reply.Lines {
		if says := waits(line.Product, line.State, pool); says != "" {
			return says
		}
	}
	return "The mail comes within seconds:  make inbox"
}

// waits says what a line waits for, by its state; nothing if it does not.
func waits(product, state, pool string) string {
	switch state {
	case string(order.Unconnected):
		return fmt.Sprintf("No pool feeds the product %s. The order waits, and the merchant is told. To connect the product to a pool, in a shell:\n\n"+
			". .local/env\n%s", product, shop.ConnectCurl(product, pool))
	case string(order.Waiting):
		return fmt.Sprintf("The pool of the product %s is short of keys: the order waits, and is filled and mailed by the next key file.", product)
	}
	return ""
}

// newOrderID returns an order number that no run has used.
func newOrderID() string { return "A-" + strings.ToUpper(rand.Text()[:10]) }
