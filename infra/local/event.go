package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// signEvent copies an event of a paid order from events/, with the merchant and product
// of this machine and a signature of this moment, and prints the name of the copy. For
// an event of another kind it prints the event's own name.
func signEvent(_ context.Context, c *call) error {
	source := c.setting("EVENT", "events/good_order_paid.json")
	content, err := os.ReadFile(source)
	if err != nil {
		return &machine.Fault{Says: "There is no such event.", Try: "ls events", Cause: err}
	}
	var event events.APIGatewayV2HTTPRequest
	if json.Unmarshal(content, &event) != nil || !strings.HasPrefix(event.RawPath, "/webhooks/") {
		fmt.Println(source)
		return nil
	}
	env, err := readEnvironment(c.checkout)
	if err != nil {
		return &machine.Fault{Says: "The one-machine run is not up.", Try: "make up"}
	}
	account := shop.Account{Merchant: env["KEYPOOL_MERCHANT"], Secret: env["KEYPOOL_SECRET"]}
	event.Body = strings.ReplaceAll(event.Body, `"product":"game"`, `"product":"`+env["KEYPOOL_PRODUCT"]+`"`)
	request, err := account.Sign([]byte(event.Body), now())
	if err != nil {
		return err
	}
	for name := range request.Header {
		event.Headers[strings.ToLower(name)] = request.Header.Get(name)
	}
	event.RawPath = request.Path
	event.PathParameters["merchant"] = account.Merchant
	signed, err := json.MarshalIndent(event, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(".local", "events", filepath.Base(source))
	if err := os.MkdirAll(filepath.Dir(filepath.Join(c.checkout, name)), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.checkout, name), signed, 0o600); err != nil {
		return err
	}
	fmt.Println(name)
	return nil
}
