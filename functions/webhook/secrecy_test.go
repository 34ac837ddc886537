package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/catalog"
	"keypool/shared/platform/standard"
)

// The function's response, error and log hold no customer, no key and no secret,
// whichever of its calls to AWS is refused.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	t.Cleanup(func() { dynamotest.Audit(t, s.Tables) })
	s.Stock(lambdatest.Pool, 2000)
	orders := 0
	order := func(product string, quantity int) string {
		orders++
		return fmt.Sprintf(`{"type":"order.paid","data":{"order":"A-%d","customer":{"name":%q,"email":%q},"lines":[{"product":%q,"quantity":%d}]}}`,
			orders, s.Canaries.New(canary.Customer), s.Canaries.Address(canary.Customer), product, quantity)
	}
	signed := func(body string) []byte {
		now := time.Now()
		event, err := json.Marshal(events.APIGatewayV2HTTPRequest{
			PathParameters: map[string]string{"merchant": lambdatest.Merchant, "account": lambdatest.Account},
			Headers: map[string]string{
				"webhook-id": "msg_1", "webhook-timestamp": strconv.FormatInt(now.Unix(), 10),
				"webhook-signature": standard.Sign(s.Secret, "msg_1", now, []byte(body)),
			},
			Body: base64.StdEncoding.EncodeToString([]byte(body)), IsBase64Encoded: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return event
	}

	s.RefuseEachCall("a paid order", func() []byte { return signed(order(lambdatest.Product, 1)) })
	s.RefuseEachCall("an order that waits", func() []byte { return signed(order(lambdatest.DryProduct, 2)) })
	s.RefuseEachCall("an order that no pool feeds", func() []byte { return signed(order("unknown", 1)) })
	s.RefuseEachCall("an order over the cap", func() []byte { return signed(order(lambdatest.Product, 5000)) })
	s.RefuseEachCall("an order paid again with another quantity", func() []byte {
		body := order(lambdatest.DryProduct, 2)
		s.Invoke("an order", signed(body))
		return signed(strings.Replace(body, `"quantity":2`, `"quantity":3`, 1))
	})

	for name, bought := range map[string]func() string{
		"an order that is refunded":             func() string { return order(lambdatest.Product, 30) },
		"an order that waits and is refunded":   func() string { return order(lambdatest.DryProduct, 2) },
		"an unconnected order that is refunded": func() string { return order("unknown", 1) },
	} {
		s.RefuseEachCall(name, func() []byte {
			s.Invoke("an order", signed(bought()))
			return signed(fmt.Sprintf(`{"type":"order.refunded","data":{"order":"A-%d","refund":"R-1"}}`, orders))
		})
	}
	s.RefuseEachCall("an order of which a unit is refunded", func() []byte {
		s.Invoke("an order", signed(order(lambdatest.DryProduct, 2)))
		return signed(fmt.Sprintf(`{"type":"order.refunded","data":{"order":"A-%d","refund":"R-1","lines":[{"line":%q,"quantity":1}]}}`, orders, lambdatest.DryProduct))
	})
	s.RefuseEachCall("an order in dispute", func() []byte {
		s.Invoke("an order", signed(order(lambdatest.Product, 1)))
		return signed(fmt.Sprintf(`{"type":"order.disputed","data":{"order":"A-%d","dispute":"D-1","state":"open"}}`, orders))
	})
	account, _, err := s.Store.Account(t.Context(), lambdatest.Merchant, lambdatest.Account)
	account.Settings = json.RawMessage(`{"order_page_in_answer":true}`)
	err = errors.Join(err, s.Store.PutAccount(t.Context(), account),
		s.Store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: lambdatest.Merchant, Default: catalog.OrderPageOn}))
	if err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("an order whose answer names its page", func() []byte { return signed(order(lambdatest.Product, 1)) })

	key, customer := s.Canaries.New(canary.Key), s.Canaries.Address(canary.Customer)
	good := order(lambdatest.Product, 1)
	for _, body := range []string{
		key, `{"type":"` + key + `"`, `{"type":"order.paid","data":{"paid_at":"` + customer + `"}}`, `{"type":"order.paid","data":{"order":"` + customer + "\\u0000" + `"}}`,
		strings.Replace(good, `"quantity":1`, `"quantity":"`+key+`"`, 1), strings.Replace(good, `"email":"`, `"email":"`+customer+", ", 1),
		strings.Replace(good, `"product":"`, `"product":" `+key, 1), strings.Replace(good, `"lines":[`, `"currency":"`+key+`","lines":[`, 1),
	} {
		s.Invoke("a body that cannot be taken", signed(body))
		s.Invoke("a body that is not signed", []byte(strings.Replace(string(signed(body)), "v1,", "v1,"+key, 1)))
	}
	s.Invoke("a body that is not the base64 it says", []byte(`{"isBase64Encoded":true,"body":"`+key+`!"}`))
	s.Invoke("no event", []byte(`"`+key+`"`))
	s.Invoke("an event of another kind", []byte(`{"headers":"`+key+`","requestContext":{"timeEpoch":"`+customer+`"}}`))
}
