package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/infra/proof/resttest"
	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// Whatever goes wrong with a request, no key, address or link stands in what the function
// answers or logs: keys are in what the button's POST is answered alone, and the link in its
// own page. Each right of the function is used.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	if err := s.Store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: lambdatest.Merchant, Default: catalog.OrderPageOn, QueuePlace: true}); err != nil {
		t.Fatal(err)
	}
	m, _, err := s.Store.Merchant(t.Context(), lambdatest.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	m.ReplyTo = "help@nova.example" // which the page names, and the address of notices never
	if err := s.Store.PutMerchant(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	call := func(method, path string, form url.Values) []byte {
		e := resttest.Event(t, map[string]string{"GET": "good_orderpage_open", "POST": "good_orderpage_keys"}[method])
		e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
		e.Body = form.Encode()
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	lines := 0
	page := func(wanted, held int, feeds string) string {
		lines++
		f := order.Fulfillment{
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "standard", Origin: "shop", Order: fmt.Sprint("A-", lines), Line: "1", Product: lambdatest.Product,
			Quantity: wanted, ReceivedAt: time.Now(), Customer: order.Customer{Email: s.Canaries.Address(canary.Customer)},
			Mail: outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1},
		}
		f.ID = f.Identity().ID()
		if feeds != "" {
			f.Connect(feeds, 1, wanted)
		}
		texts := s.Keys(held)
		change := order.NewLine(f)
		inline := min(held, order.InlineKeys)
		change.Allocate(dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, texts[:inline]...), time.Now())
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if held > inline {
			more := order.ChangeOf(change.After)
			more.Allocate(dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, texts[inline:]...), time.Now())
			if err := s.Store.Commit(t.Context(), more); err != nil {
				t.Fatal(err)
			}
		}
		token, err := link.Page{Merchant: m.Name, Order: f.ID.OrderHalf()}.Token(m.LinkKey)
		if err != nil {
			t.Fatal(err)
		}
		s.Canaries.Add(canary.Token, token)
		return link.PagePath + token
	}
	s.RefuseEachCall("a page", func() []byte { return call("GET", page(1, 1, lambdatest.Pool), nil) }, canary.Token)
	s.RefuseEachCall("a page of a line that waits", func() []byte { return call("GET", page(2, 1, lambdatest.Pool), nil) }, canary.Token)
	s.RefuseEachCall("a page of a line that nothing feeds", func() []byte { return call("GET", page(2, 0, ""), nil) }, canary.Token)
	s.RefuseEachCall("the keys", func() []byte { return call("POST", page(23, 23, lambdatest.Pool)+"/keys", nil) }, canary.Token, canary.Key)
	s.RefuseEachCall("the keys of a line that waits", func() []byte { return call("POST", page(2, 1, lambdatest.Pool)+"/keys", nil) }, canary.Token)
	s.RefuseEachCall("the keys as a text", func() []byte {
		return call("POST", page(1, 1, lambdatest.Pool)+"/keys", url.Values{"as": {"text"}})
	}, canary.Key)
	s.RefuseEachCall("the mail again", func() []byte { return call("POST", page(1, 1, lambdatest.Pool)+"/send", nil) }, canary.Token)
	s.RefuseEachCall("a link that is cut", func() []byte {
		at := page(1, 1, lambdatest.Pool)
		return call("GET", at[:len(at)-1], nil)
	})
	s.RefuseEachCall("a form of who lost the mail", func() []byte { return call("GET", link.LostPath+lambdatest.Merchant, nil) })
	s.RefuseEachCall("a mail that was lost", func() []byte {
		page(1, 1, lambdatest.Pool)
		return call("POST", link.LostPath+lambdatest.Merchant, url.Values{"email": {s.Canaries.Address(canary.Customer)}, "order": {fmt.Sprint("A-", lines)}})
	})
	key := s.Canaries.New(canary.Key)
	for _, raw := range []string{`"` + key + `"`, `{"headers":"` + key + `"}`, `{"isBase64Encoded":true,"body":"` + key + `!"}`, `{"rawPath":"/` + key + `","rawQueryString":"` + key + `"}`} {
		s.Invoke("an event that cannot be read", []byte(raw))
	}
	for _, path := range []string{"/" + key, "/o/" + key, "/o/" + key + "/keys", "/o/" + key + "/send", page(1, 1, lambdatest.Pool) + "?x=" + key} {
		for _, method := range []string{"GET", "POST"} {
			s.Invoke("an address with a key in it", call(method, path, url.Values{key: {key}}), canary.Token)
		}
	}
}
