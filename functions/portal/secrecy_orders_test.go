package main

import (
	"crypto/rand"
	"net/url"
	"strconv"
	"time"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// plant stores an order of one line that wants so many keys and has those that there are.
func (s *sandbox) plant(wanted, has int, alter ...func(*order.Fulfillment)) order.Fulfillment {
	s.Helper()
	number := rand.Text()
	account, _, err := s.Store.Account(s.Context(), lambdatest.Merchant, "standard")
	if err != nil {
		s.Fatal(err)
	}
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: account.Origin, Order: number, Line: "1"}.ID(),
		Merchant: lambdatest.Merchant, Side: pool.Live, Account: account.Name, Origin: account.Origin, Order: number, Line: "1", Product: lambdatest.Product,
		Quantity: wanted, ReceivedAt: time.Now(), Customer: order.Customer{Email: s.Canaries.Address(canary.Customer)}, CustomerHash: number,
	}
	f.Connect(lambdatest.Pool, 1, wanted)
	for _, change := range alter {
		change(&f)
	}
	change := order.NewLine(f)
	if has > 0 {
		change.Allocate(dynamotest.Stock(s, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, 4, s.Keys(has)...), time.Now())
	}
	if err := s.Store.Commit(s.Context(), change); err != nil {
		s.Fatal(err)
	}
	return change.After
}

// refuseOrderCalls refuses each call of the screens of orders.
func (s *sandbox) refuseOrderCalls() {
	s.Helper()
	unfed := func(f *order.Fulfillment) { f.Disconnect() }
	held := func(f *order.Fulfillment) { f.Hold(order.HoldByHand) }
	ruled := func(f *order.Fulfillment) { f.Hold(order.HoldReview); f.HeldAt = f.ReceivedAt }
	post := func(path string, form url.Values) []byte {
		form.Set("once", rand.Text())
		return s.call(path, form, map[string]string{sessionCookie: s.session(0)})
	}
	for _, c := range []struct {
		name, act string
		of        func() order.Fulfillment
		form      url.Values
		may       []string
	}{
		{"an order", "", func() order.Fulfillment { return s.plant(2, 1) }, nil, []string{canary.Customer, setting}},
		{"to send again", "/send", func() order.Fulfillment { return s.plant(1, 1) }, url.Values{}, []string{canary.Customer, setting}},
		{"to hold what no pool feeds", "/hold", func() order.Fulfillment { return s.plant(1, 0, unfed) }, url.Values{}, []string{canary.Customer, setting}},
		{"to release what no pool feeds", "/release", func() order.Fulfillment { return s.plant(1, 0, held, unfed) }, url.Values{}, []string{canary.Customer, setting}},
		{"to reject", "/reject", func() order.Fulfillment { return s.plant(1, 0, ruled) }, url.Values{}, []string{canary.Customer, setting}},
		{"to cancel", "/cancel", func() order.Fulfillment { return s.plant(2, 1) }, url.Values{}, []string{canary.Customer, setting}},
		{"to give all back", "/return", func() order.Fulfillment { return s.plant(22, 22) }, url.Values{}, []string{canary.Customer, setting}},
		{"to erase a customer", "/erase", func() order.Fulfillment { return s.plant(1, 0) }, url.Values{"force": {"1"}, "all": {"1"}}, []string{canary.Customer, setting}},
		{"the link of the customer's page", "/page", func() order.Fulfillment { return s.plant(1, 1) }, nil, []string{canary.Link, setting}},
		{"to replace the link", "/replace-link", func() order.Fulfillment { return s.plant(1, 1) }, url.Values{}, nil},
		{"to revoke the link", "/revoke-link", func() order.Fulfillment { return s.plant(1, 1) }, url.Values{}, nil},
		{"to show keys", "/keys", func() order.Fulfillment { return s.plant(22, 22) }, url.Values{}, []string{canary.Customer, canary.Key, setting}},
	} {
		s.RefuseEachCall(c.name, func() []byte {
			path := pathOf(c.of()) + c.act
			if c.form == nil {
				return s.call(path, nil, map[string]string{sessionCookie: s.session(0)})
			}
			return post(path, c.form)
		}, c.may...)
	}
	s.RefuseEachCall("to correct an address", func() []byte {
		return post(pathOf(s.plant(1, 1))+"/send", url.Values{"email": {s.Canaries.Address(canary.Customer)}})
	}, canary.Customer, setting)
	s.RefuseEachCall("to replace a key", func() []byte {
		line := s.plant(1, 1)
		s.Stock(lambdatest.Pool, 1)
		return post(pathOf(line)+"/replace", url.Values{"key": {string(line.ID) + " " + string(line.Keys[0].ID)}})
	}, canary.Customer, setting)
	for _, path := range []string{"/portal/orders", "/portal/orders?show=attention"} {
		s.RefuseEachCall(path, func() []byte { return s.call(path, nil, map[string]string{sessionCookie: s.session(0)}) }, canary.Customer, setting)
	}
	s.RefuseEachCall("to find an address", func() []byte {
		return post("/portal/find", url.Values{"find": {s.Canaries.Address(canary.Customer)}})
	}, canary.Customer)
	s.RefuseEachCall("to find a key", func() []byte { return post("/portal/find", url.Values{"find": {s.Keys(1)[0]}}) })
	s.RefuseEachCall("to release several", func() []byte {
		return post("/portal/orders/several", url.Values{"act": {"release"}, "sure": {"1"}, "seen": {seenOf(s.plant(1, 0, held))}})
	})
	decide := func(act string) []byte {
		return post("/portal/orders/held", url.Values{"act": {act}, "side": {"live"}, "sure": {"1"}, "until": {strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)}})
	}
	s.Invoke("to release what the calls before left on hold", decide("release"))
	for _, act := range []string{"release", "reject"} {
		s.RefuseEachCall("to "+act+" all on hold", func() []byte {
			s.plant(1, 0, held)
			return decide(act)
		})
	}
	byHand := func(sure ...string) func() []byte {
		return func() []byte {
			return post(byHandPath, url.Values{"order": {rand.Text()}, "customer.email": {s.Canaries.Address(canary.Customer)}, "lines[0].product": {lambdatest.DryProduct}, "lines[0].quantity": {"1"}, "reason": {"a test"}, "sure": sure})
		}
	}
	s.RefuseEachCall("the form of an order by hand", func() []byte { return s.call(byHandPath, nil, map[string]string{sessionCookie: s.session(0)}) }, setting)
	s.RefuseEachCall("to ask about an order by hand", byHand(), canary.Customer, setting)
	s.RefuseEachCall("to set the brake", func() []byte { return post("/portal/orders/brake", url.Values{}) })
	s.RefuseEachCall("to fulfil an order by hand while the brake is set", byHand("1"))
	s.RefuseEachCall("to take the brake off", func() []byte { return post("/portal/orders/brake/release", url.Values{}) })
}
