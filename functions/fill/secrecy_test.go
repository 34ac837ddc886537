package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Whatever goes wrong while a line is filled, neither its customer nor a key
// stands in what the function answers, returns or logs.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	s.Stock(lambdatest.Pool, 200)
	lines := 0
	waits := func(product, from string) {
		lines++
		name := fmt.Sprintf("A-%d", lines)
		err := s.Store.Commit(t.Context(), order.Change{After: order.Fulfillment{
			ID: order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "standard", Order: name, Line: "1"}.ID(), Version: 1,
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "standard", Origin: "standard", Order: name, Line: "1", Product: product, Pool: from,
			Quantity: 1, Wanted: min(1, len(from)), ReceivedAt: time.Now(),
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	message := func(body string) []byte {
		event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", ReceiptHandle: "1", Body: body}}})
		if err != nil {
			t.Fatal(err)
		}
		return event
	}
	asks := func(r order.FillRequest) []byte {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return message(string(body))
	}

	s.RefuseEachCall("a line that is filled", func() []byte {
		waits(lambdatest.Product, lambdatest.Pool)
		return asks(order.FillPool(pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}))
	})
	waits(lambdatest.DryProduct, lambdatest.DryPool)
	s.RefuseEachCall("a line for which there is no key", func() []byte {
		return asks(order.FillPool(pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.DryPool, Side: pool.Live}))
	})
	s.RefuseEachCall("a line whose product was connected", func() []byte {
		waits(lambdatest.Product, "")
		return asks(order.FillProduct(lambdatest.Merchant, pool.Live, lambdatest.Product))
	})
	key := s.Canaries.New(canary.Key)
	for _, body := range []string{key, `{"v":"` + key + `"}`, `{"v":1,"merchant":{"` + key + `":1}}`, `{"v":99,"merchant":"` + key + `"}`} {
		s.Invoke("a message that cannot be read", message(body))
	}
	s.Invoke("no event", []byte(`{"Records":"`+key+`"}`))
}
