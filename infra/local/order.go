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
	order := shop.Order{
		ID: newOrderID(), Email: email, Name: "Ada Example",
		Currency: c.setting("CURRENCY", "EUR"), Language: c.setting("LANGUAGE", "en"), Test: c.setting("TEST", "") != "",
		Lines: []shop.Line{{Product: c.setting("PRODUCT", env["KEYPOOL_PRODUCT"]), Quantity: quantity, UnitPrice: "29.90"}},
	}
	account := shop.Account{Merchant: env["KEYPOOL_MERCHANT"], Secret: env["KEYPOOL_SECRET"]}
	request, err := account.Sign(order.Body(), now())
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
	fmt.Printf("\nThe mail comes within seconds:  make inbox\n")
	return nil
}

// newOrderID returns an order number that no run has used.
func newOrderID() string { return "A-" + strings.ToUpper(rand.Text()[:10]) }
