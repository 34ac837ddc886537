package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
)

// listing is an adapter whose platform lists what the test gives it.
type listing struct {
	standard.Adapter
	found *[]platform.Purchase
	fails *error
}

func (listing) CheckCredential(string, string) error { return nil }

func (l listing) Changed(context.Context, platform.Account, time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		for _, p := range *l.found {
			if !yield(p, nil) {
				return
			}
		}
		if *l.fails != nil {
			yield(platform.Purchase{}, *l.fails)
		}
	}
}

func (listing) Probe(context.Context, platform.Account, string) (platform.WebhookStatus, error) {
	return platform.WebhookInactive, nil
}

// Whatever goes wrong while what webhooks did not tell is applied, no customer, key or
// credential stands in what the function answers, returns or logs.
func TestSecrecy(t *testing.T) {
	var found []platform.Purchase
	var fails error
	all.Adapters["listing"] = listing{found: &found, fails: &fails}
	t.Cleanup(func() { delete(all.Adapters, "listing") })
	s := lambdatest.Open(t, wire)
	t.Cleanup(func() { dynamotest.Audit(t, s.Tables) })
	s.Stock(lambdatest.Pool, 2000)
	shops := 0
	// Each run is of another account: a run that failed keeps its lease for a while.
	shop := func(what func(p *platform.Purchase)) []byte {
		shops++
		name := fmt.Sprintf("shop-%d", shops)
		err := s.Store.PutAccount(t.Context(), catalog.Account{
			Merchant: lambdatest.Merchant, Name: name, Platform: "listing", Origin: name, DeliversFrom: time.Now().Add(-time.Hour),
			Credentials: []catalog.SealedCredential{{Name: "key", Blob: []byte("sealed")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		number := fmt.Sprintf("A-%d", shops)
		p := platform.Purchase{ChangedAt: time.Now().Add(-time.Minute), Paid: &platform.Paid{
			Order: number, PaidAt: time.Now().Add(-time.Minute),
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)},
			Lines:    []platform.Line{{ID: "1", Product: lambdatest.Product, Quantity: 1}},
		}}
		what(&p)
		found = []platform.Purchase{p}
		return message(t, name)
	}
	returned := func(p *platform.Purchase, lines ...platform.ReturnedLine) {
		p.Returned = []platform.Returned{{Order: p.Paid.Order, ID: "R-1", All: len(lines) == 0, Lines: lines}}
	}

	s.RefuseEachCall("an order", func() []byte { return shop(func(*platform.Purchase) {}) })
	s.RefuseEachCall("an order that waits", func() []byte {
		return shop(func(p *platform.Purchase) { p.Paid.Lines[0].Product = lambdatest.DryProduct })
	})
	s.RefuseEachCall("an order that no pool feeds", func() []byte {
		return shop(func(p *platform.Purchase) { p.Paid.Lines[0].Product = "unknown" })
	})
	s.RefuseEachCall("an order over the cap", func() []byte { return shop(func(p *platform.Purchase) { p.Paid.Lines[0].Quantity = 5000 }) })
	s.RefuseEachCall("an order that was refunded", func() []byte { return shop(func(p *platform.Purchase) { returned(p) }) })
	s.RefuseEachCall("an order that was refunded in part", func() []byte {
		return shop(func(p *platform.Purchase) {
			p.Paid.Lines[0].Quantity = 2
			returned(p, platform.ReturnedLine{ID: "1", Quantity: 1})
		})
	})
	for name, product := range map[string]string{"an order": lambdatest.Product, "an order that waits": lambdatest.DryProduct, "an order that no pool feeds": "unknown"} {
		s.RefuseEachCall(name+", and is refunded", func() []byte {
			paid := shop(func(p *platform.Purchase) { p.Paid.Lines[0].Product, p.Paid.Lines[0].Quantity = product, 30 })
			s.Invoke("the order", paid)
			returned(&found[0])
			return paid
		})
	}
	s.RefuseEachCall("an order in dispute", func() []byte {
		paid := shop(func(*platform.Purchase) {})
		s.Invoke("the order", paid)
		found[0].Disputed = []platform.Disputed{{Order: found[0].Paid.Order, ID: "D-1", State: platform.DisputeOpen}}
		return paid
	})
	fails = &platform.SetupError{Field: "credentials.key", Problem: "does not serve"}
	s.RefuseEachCall("a platform that refuses the key", func() []byte { return shop(func(*platform.Purchase) {}) })
	fails = nil
	s.RefuseEachCall("a tick", func() []byte { return []byte(`{}`) })

	key := s.Canaries.New(canary.Key)
	for _, body := range []string{key, `{"v":"` + key + `"}`, `{"v":1,"merchant":{"` + key + `":1}}`, `{"v":99,"merchant":"` + key + `"}`} {
		event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: body}}})
		if err != nil {
			t.Fatal(err)
		}
		s.Invoke("a message that cannot be read", event)
	}
	s.Invoke("no event", []byte(`{"Records":"`+key+`"}`))
}

func message(t *testing.T, account string) []byte {
	t.Helper()
	body, err := json.Marshal(platform.AskCatchup(lambdatest.Merchant, account))
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", ReceiptHandle: "1", Body: string(body)}}})
	if err != nil {
		t.Fatal(err)
	}
	return event
}
