package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Whatever goes wrong with a call, no secret stands in what the function answers
// or logs, but for what the caller asked for.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	bearer := access.NewText(lambdatest.Merchant)
	s.Canaries.Add(canary.Token, bearer)
	_, random, _ := strings.Cut(strings.TrimPrefix(bearer, access.TokenPrefix), "_")
	s.Canaries.Add(canary.Token, random)
	for _, put := range []access.Token{
		{Hash: access.HashToken(bearer), Merchant: lambdatest.Merchant, Scopes: access.Scopes},
		{Hash: sampleTokens.Items[0].ID, Merchant: lambdatest.Merchant, Scopes: access.Scopes},
	} {
		if err := s.Store.PutToken(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store.PutPerson(t.Context(), 0, access.Person{Merchant: lambdatest.Merchant, ID: "ada", Role: access.Manager}, ""); err != nil {
		t.Fatal(err)
	}
	s.Stock(lambdatest.Pool, 3)
	u := upload.Upload{Merchant: lambdatest.Merchant, ID: sampleUpload.ID, File: "keys.txt", Pool: lambdatest.Pool, Side: pool.Live, State: upload.Finished, Ranges: 1, ReceivedAt: time.Now()}
	if ok, err := s.Store.MoveUpload(t.Context(), "", u, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	leaked := u
	leaked.ID, leaked.State, leaked.Ranges = "leaked", upload.Loading, 1
	if ok, err := s.Store.MoveUpload(t.Context(), "", leaked, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	j := job.Job{Merchant: u.Merchant, ID: sampleJob.ID, Kind: job.Withdraw, Upload: leaked.ID, Pool: u.Pool, Side: u.Side, By: "somebody", CreatedAt: time.Now(), DueAt: time.Now()}
	if _, err := s.Store.StartWithdrawal(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	held := u
	held.ID, held.State, held.Seen.Asked = "held", upload.NeedsConfirmation, []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}
	if ok, err := s.Store.MoveUpload(t.Context(), "", held, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	loading := u
	loading.ID, loading.State, loading.Ranges = "loading", upload.Loading, 1
	if ok, err := s.Store.MoveUpload(t.Context(), "", loading, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	calls := 0
	call := func(method, path, body string) []byte {
		calls++
		e := resttest.Event(t, "good_api_pool")
		e.RequestContext.HTTP.Method, e.Body = method, body
		e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
		e.Headers["authorization"], e.Headers["if-match"] = "Bearer "+bearer, "*"
		e.Headers["idempotency-key"] = fmt.Sprint(calls)
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		method, path string
		body         func() string
		may          []string
	}{
		{"PUT", "/v1/accounts/standard", func() string {
			return `{"secret":"` + platform.FormatSecret([]byte(s.Canaries.New(canary.Secret)+"123")) + `"}`
		}, nil},
		{"GET", "/v1/accounts/standard", nil, nil},
		{"PUT", "/v1/codes/" + lambdatest.Product, func() string {
			return `{"code":"` + s.Canaries.New(canary.Key) + `","test_code":"` + s.Canaries.New(canary.Key) + `"}`
		}, nil},
		{"GET", "/v1/codes/" + lambdatest.Product, nil, nil},
		{"PUT", "/v1/codes/" + lambdatest.Product, func() string { return `{"code":"` + s.Canaries.New(canary.Key) + `"}` }, nil},
		{"DELETE", "/v1/codes/" + lambdatest.Product, nil, nil},
		{"POST", "/v1/accounts/standard/dry-run", func() string { return `{"body":"{}","headers":{"x":"` + s.Canaries.New(canary.Secret) + `"}}` }, nil},
		{"GET", "/v1/refusals", nil, nil},
		{"GET", "/v1/held", nil, nil},
		{"GET", "/v1/order-page", nil, nil},
		{"PUT", "/v1/order-page", func() string { return `{"default":"on"}` }, nil},
		{"GET", "/v1/shop", nil, []string{"setting", canary.Merchant}},
		{"PUT", "/v1/shop", func() string {
			return `{"title":"` + s.Canaries.New("setting") + `","notice_address":"` + s.Canaries.Address(canary.Merchant) + `"}`
		}, []string{"setting", canary.Merchant}},
		{"GET", "/v1/retention", nil, nil},
		{"PUT", "/v1/retention", func() string { return `{"days":30}` }, nil},
		{"GET", "/v1/review", nil, nil},
		{"GET", "/v1/sender", func() string { s.PlantSender(catalog.SenderPending); return "" }, nil},
		{"PUT", "/v1/sender", func() string {
			return `{"address":"keys@` + strings.ToLower(rand.Text()) + `.example"}`
		}, nil},
		{"DELETE", "/v1/sender", func() string { s.PlantSender(catalog.SenderVerified); return "" }, nil},
		{"PUT", "/v1/review", func() string { return `{"rules":{"max_keys":7}}` }, nil},
		{"POST", "/v1/brake", nil, nil},
		{"DELETE", "/v1/brake", nil, nil},
		{"GET", "/v1/tokens", nil, nil},
		{"PUT", "/v1/people/ada", func() string {
			return `{"name":"` + s.Canaries.New("setting") + `","email":"` + s.Canaries.Address(canary.Merchant) + `","role":"manager"}`
		}, []string{"setting", canary.Merchant}},
		{"GET", "/v1/people/ada", nil, []string{"setting", canary.Merchant}},
		{"GET", "/v1/people", nil, []string{"setting", canary.Merchant}},
		{"DELETE", "/v1/people/ada", nil, nil},
		{"GET", "/v1/audit", nil, []string{"setting", canary.Merchant}},
		{"GET", "/v1/notices", nil, []string{"setting", canary.Merchant}},
		{"DELETE", "/v1/tokens/" + sampleTokens.Items[0].ID, nil, nil},
		{"GET", "/v1/pools", nil, nil},
		{"GET", "/v1/pools/elden", nil, nil},
		{"PUT", "/v1/pools/elden", func() string { return `{"title":"` + s.Canaries.New("setting") + `"}` }, []string{"setting"}},
		{"PUT", "/v1/products/4711", func() string { return `{"title":"` + s.Canaries.New("setting") + `","pool":"elden"}` }, []string{"setting"}},
		{"PUT", "/v1/products/4711", func() string {
			return `{"title":7,"pool":"` + s.Canaries.New(canary.Key) + `","download":"` + s.Canaries.New(canary.Key) + `"}`
		}, nil},
		{"POST", "/v1/pools/elden/uploads", func() string { return `{"name":"keys.txt","size":3}` }, nil},
		{"GET", "/v1/uploads/" + sampleUpload.ID, nil, nil},
		{"GET", "/v1/uploads/loading", nil, nil},
		{"POST", "/v1/uploads/held/load", func() string { return `{"skip_heading":"` + s.Canaries.New(canary.Key) + `"}` }, nil},
		{"POST", "/v1/uploads/held/load", func() string { return `{"skip_heading":true}` }, nil},
		{"POST", "/v1/keys/find", func() string {
			k := s.Keys(1)[0]
			stockText(s, s.Store, s.Tables, lambdatest.Merchant, lambdatest.Pool, k)
			return `{"keys":["` + k + `","` + s.Keys(1)[0] + `"]}`
		}, nil},
		{"POST", "/v1/keys/block", func() string {
			k := s.Keys(1)[0]
			stockText(s, s.Store, s.Tables, lambdatest.Merchant, lambdatest.Pool, k)
			return `{"keys":["` + k + `","` + s.Keys(1)[0] + `"],"reason":"` + s.Canaries.New("setting") + `"}`
		}, nil},
		{"POST", "/v1/pools/elden/move", func() string {
			return `{"to":"ring","upload":"loading","reason":"` + s.Canaries.New("setting") + `"}`
		}, []string{"setting"}},
		{"POST", "/v1/uploads/" + sampleUpload.ID + "/withdraw", func() string { return `{"reason":"` + s.Canaries.New("setting") + `"}` }, []string{"setting"}},
		{"POST", "/v1/customers/erase", func() string { return `{"email":"` + s.Canaries.Address(canary.Customer) + `"}` }, nil},
		{"GET", "/v1/jobs", nil, []string{"setting"}},
		{"GET", "/v1/jobs/" + sampleJob.ID, nil, []string{"setting"}},
		{"POST", "/v1/jobs/" + sampleJob.ID + "/cancel", nil, []string{"setting"}},
		{"POST", "/v1/pools/elden/keys", func() string { return `{"keys":["` + strings.Join(s.Keys(2), `","`) + `"]}` }, nil},
		{"POST", "/v1/pools/elden/keys", func() string {
			return `{"keys":["` + s.Keys(1)[0] + `\n","","` + strings.Repeat(s.Keys(1)[0], 100) + `"]}`
		}, nil},
		{"POST", "/v1/keys/find", func() string { return `{"keys":"` + s.Keys(1)[0] + `"}` }, nil},
		{"GET", "/v1/orders?email=" + s.Canaries.Address(canary.Customer) + "&state=waiting", nil, nil},
		{"GET", "/v1/orders?email=" + s.Canaries.Address(canary.Customer) + "&after=" + s.Canaries.Address(canary.Customer), nil, nil},
		{"DELETE", "/v1/pools/elden", nil, nil},
	} {
		s.RefuseEachCall(c.method+" "+c.path, func() []byte {
			body := ""
			if c.body != nil {
				body = c.body()
			}
			return call(c.method, c.path, body)
		}, c.may...)
	}
	account, _, err := s.Store.Account(t.Context(), lambdatest.Merchant, "standard")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	s.RefuseEachCall("a cancelled line whose first key was mailed", func() []byte {
		lines++
		name := fmt.Sprint("A-", lines)
		key := dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, s.Keys(1)...)
		change := order.NewLine(order.Fulfillment{
			ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: account.Origin, Order: name, Line: "1"}.ID(),
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: name, Line: "1", Product: lambdatest.Product, Pool: lambdatest.Pool,
			Quantity: 2, Wanted: 2, ReceivedAt: time.Now(), Mail: outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1},
		})
		change.Allocate(key, time.Now())
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		return call("POST", "/v1/orders/"+name+"/cancel", "")
	})
	for _, act := range []string{"return", "hold", "release", "resend", "erase"} {
		for _, feeds := range []string{lambdatest.Pool, ""} {
			s.RefuseEachCall("to "+act+" a line that waits", func() []byte {
				lines++
				name := fmt.Sprint("A-", lines)
				f := order.Fulfillment{
					ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: account.Origin, Order: name, Line: "1"}.ID(),
					Merchant: lambdatest.Merchant, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: name, Line: "1", Product: lambdatest.Product,
					Quantity: 2, ReceivedAt: time.Now(),
				}
				if feeds != "" {
					f.Connect(feeds, 1, 2)
				}
				if act == "release" {
					f.Hold(order.HoldByHand)
				}
				body := `{"reason":"` + s.Canaries.New("setting") + `"}`
				if act == "erase" {
					f.Customer.Email, f.CustomerHash, body = s.Canaries.Address(canary.Customer), name, `{"force":true}`
				}
				if err := s.Store.Commit(t.Context(), order.NewLine(f)); err != nil {
					t.Fatal(err)
				}
				return call("POST", "/v1/orders/"+name+"/"+act, body)
			}, "setting")
		}
	}
	s.RefuseEachCall("a key that is replaced, and its line returned", func() []byte {
		lines++
		name := fmt.Sprint("A-", lines)
		keys := dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, s.Keys(31)...)
		f := order.Fulfillment{
			ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: account.Origin, Order: name, Line: "1"}.ID(),
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: name, Line: "1", Product: lambdatest.Product,
			Quantity: 30, ReceivedAt: time.Now(),
		}
		f.Connect(lambdatest.Pool, 1, 30)
		change := order.NewLine(f)
		change.Allocate(keys[:30], time.Now())
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if lines%2 == 0 {
			return call("POST", "/v1/orders/"+name+"/return", "{}")
		}
		return call("POST", "/v1/orders/"+name+"/replace", `{"line":"1","key_id":"`+string(keys[7].ID)+`"}`)
	})
	s.RefuseEachCall("an order whose address is corrected", func() []byte {
		lines++
		name := fmt.Sprint("A-", lines)
		f := order.Fulfillment{
			ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: account.Origin, Order: name, Line: "1"}.ID(),
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: name, Line: "1", Product: lambdatest.Product,
			Quantity: 1, ReceivedAt: time.Now(), Customer: order.Customer{Email: s.Canaries.Address(canary.Customer)},
		}
		f.Connect(lambdatest.Pool, 1, 1)
		change := order.NewLine(f)
		change.Allocate(dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, s.Keys(1)...), time.Now())
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		return call("POST", "/v1/orders/"+name+"/resend", `{"email":"`+s.Canaries.Address(canary.Customer)+`"}`)
	})
	s.RefuseEachCall("an order that is fulfilled by hand", func() []byte {
		lines++
		dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, s.Keys(1)...)
		return call("POST", fmt.Sprintf("/v1/orders/by-hand-%d/fulfil", lines),
			`{"reason":"a gift","customer":{"email":"`+s.Canaries.Address(canary.Customer)+`"},"lines":[{"product":"`+lambdatest.Product+`","quantity":1}]}`)
	}, canary.Customer)
	for _, query := range []string{"", "?attention=true"} {
		s.RefuseEachCall("a list of orders", func() []byte { return call("GET", "/v1/orders"+query, "") }, canary.Customer, "setting")
	}
	key := s.Canaries.New(canary.Key)
	for _, raw := range []string{`"` + key + `"`, `{"headers":"` + key + `"}`, `{"isBase64Encoded":true,"body":"` + key + `!"}`, `{"rawPath":"/` + key + `","rawQueryString":"` + key + `"}`} {
		s.Invoke("an event that cannot be read", []byte(raw))
	}
	for _, path := range []string{"/" + key, "/v1/pools/" + key, "/v1/orders/" + key, "/v1/uploads?after=" + key, "/v1/uploads/" + key, "/v1/products/" + key + "?x=" + key} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
			s.Invoke("an address with a key in it", call(method, path, key))
		}
	}
}
