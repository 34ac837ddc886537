package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// line plants a line of an order that nothing was given to, as alter says.
func (w *world) line(number string, alter func(*order.Fulfillment)) {
	w.Helper()
	f := order.Fulfillment{
		Version: 1, Merchant: "acme", Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: "1", Product: "4711",
		Quantity: 1, KeysPerUnit: 1, Wanted: 1, ReceivedAt: noon.Add(-2 * time.Hour), PaidAt: noon.Add(-2 * time.Hour),
		Customer: order.Customer{Email: "customer" + number + "@example.com"},
	}
	alter(&f)
	f.ID = f.Identity().ID()
	if err := w.store.Commit(w.Context(), order.Change{After: f}); err != nil {
		w.Fatal(err)
	}
}

func TestHome_aNewShop(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	home := b.get("/portal").has("Good day, Ada Byron", "Nothing.", "Set up your shop", "0 of 6", "Make a pool: it holds the keys", "Make it", "Orders 0")
	if !strings.Contains(home.body, `href="/portal/pools/-/new"`) {
		t.Error("the first step leads nowhere")
	}
	w.newPool("acme", "elden")
	b.get("/portal").has("1 of 6", "The pool elden is empty.")
	// Whoever cannot set up is not asked to.
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	w.signIn("rita@acme.example").get("/portal").has("elden").hasNot("Set up your shop", "New pool")
	b.post("/portal/first-steps/leave", nil).has("The first steps are put away").hasNot("Set up your shop")
	b.get("/portal").hasNot("Set up your shop")
}

func TestHome_firstStepsAreDoneByThemselves(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	w.newPool("acme", "elden")
	if err := w.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutAccount(t.Context(), catalog.Account{Merchant: "acme", Name: "shop", Platform: "standard", Origin: "shop"}); err != nil {
		t.Fatal(err)
	}
	b.get("/portal").has("2 of 6")
	// A test purchase comes from no platform, and is not there before its mail is.
	if err := w.store.PutAccount(t.Context(), catalog.Account{Merchant: "acme", Name: settings.TestAccount, Platform: "standard", Origin: "tests"}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.AddCalls(t.Context(), "acme", settings.TestAccount, catalog.Calls{LastSeenAt: noon}); err != nil {
		t.Fatal(err)
	}
	w.line("1", func(f *order.Fulfillment) { f.Side, f.Pool = pool.Test, "elden" })
	b.get("/portal").has("2 of 6")
	if err := w.store.AddCalls(t.Context(), "acme", "shop", catalog.Calls{LastSeenAt: noon}); err != nil {
		t.Fatal(err)
	}
	b.get("/portal").has("3 of 6")
	w.line("2", func(f *order.Fulfillment) {
		f.Side, f.Pool, f.Allocated, f.Mail = pool.Test, "elden", 1, outbox.Entry{Number: 1, State: outbox.Sent}
	})
	b.get("/portal").has("4 of 6", "Orders 0")
}

// A test order never takes a key that is for sale: what it waits for is added as test keys.
func TestHome_testOrderAsksForTestKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.line("1", func(f *order.Fulfillment) { f.Side, f.Pool = pool.Test, "elden" })
	id := order.Identity{Merchant: "acme", Side: pool.Test, Origin: "shop", Order: "1"}.OrderID()
	page := w.signIn("ada@acme.example").get(orderPath(id)).has("The pool elden is short of test keys", "Add test keys")
	if !strings.Contains(page.body, `href="/portal/pools/elden/add?side=test"`) || strings.Contains(page.body, `href="/portal/pools/elden/add"`) {
		t.Error("the test order leads to where keys go on sale")
	}
}

// What somebody has to do stands worst first, each with its one action, and names nobody.
func TestHome_needs(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.newPool("acme", "nova")
	w.newPool("acme", "full")
	w.keysIn(pool.ID{Merchant: "acme", Pool: "nova", Side: pool.Live}, "N-1", "N-2")
	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprintf("F-%d", i)
	}
	w.keysIn(pool.ID{Merchant: "acme", Pool: "full", Side: pool.Live}, many...)
	for _, n := range []string{"1", "2", "3"} {
		w.line(n, func(f *order.Fulfillment) { f.Pool = "elden" })
	}
	w.line("4", func(f *order.Fulfillment) { f.Product, f.Wanted = "4712", 0 })
	w.line("5", func(f *order.Fulfillment) {
		f.Pool, f.Keys, f.Allocated = "elden", []pool.Key{{ID: "acme#live#x", Text: pool.Conceal("ELDN-7")}}, 1
		f.Mail = outbox.Entry{State: outbox.Bounced, Kind: outbox.Keys, Number: 1, FailedAt: noon.Add(-time.Hour)}
	})
	w.line("6", func(f *order.Fulfillment) {
		f.Pool, f.Holds, f.HeldAt = "elden", []order.Hold{order.HoldByHand}, noon.Add(-time.Hour)
	})
	w.line("7", func(f *order.Fulfillment) { // of yesterday, and well
		f.Pool, f.Keys, f.Allocated = "elden", []pool.Key{{ID: "acme#live#y", Text: pool.Conceal("ELDN-8")}}, 1
		f.ReceivedAt, f.Mail = noon.AddDate(0, 0, -1), outbox.Entry{State: outbox.Delivered, Kind: outbox.Keys, Number: 1}
	})
	if err := w.store.SetBrake(t.Context(), "acme", catalog.Brake{SetAt: noon, By: "Ada Byron"}); err != nil {
		t.Fatal(err)
	}
	w.read("acme", "elden", func(u *upload.Upload) { u.State = upload.NeedsConfirmation })
	home := w.signIn("ada@acme.example").get("/portal")
	words, at := home.words(), -1
	for _, says := range []string{
		"The brake is set by Ada Byron", "Waits for keys 3 orders wait for keys of elden, the first of them for 2 hours. Add keys now", "Mail came back 1 mail reached nobody. Correct it",
		"No pool feeds the product 4712: 1 order waits. Choose its pool", "1 order is held until somebody decides",
		"The file elden-december.txt does not look like", "2 keys are left in nova. Add keys",
		"Orders 6, 4 waiting for keys", "Keys 1 sent", "0 delivered, 1 came back", "3 orders wait",
	} {
		next := strings.Index(words[at+1:], says)
		if next < 0 {
			t.Fatalf("Home does not say %q where it should:\n%s", says, words)
		}
		at += 1 + next
	}
	home.hasNot("example.com", "ELDN-", "left in full")
	// Whoever sees no orders hears of none.
	w.person("acme", "stan", "Stan", "stan@acme.example", access.Stock)
	w.signIn("stan@acme.example").get("/portal").has("3 orders wait for keys of elden").hasNot("reached nobody", "4712", "Orders 6", "The brake")
	// What somebody cannot do, they are not asked to.
	w.person("acme", "sue", "Sue", "sue@acme.example", access.Support)
	w.signIn("sue@acme.example").get("/portal").has("Waits for keys 3 orders wait for keys of elden, the first of them for 2 hours. Look at the orders", "1 mail reached nobody. Look at it", "4712: 1 order waits. Look at it").hasNot("Add keys", "Choose its pool", "Release or reject")
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	w.signIn("rita@acme.example").get("/portal").has("Look at the pool", "The file elden-december.txt does not look like a list of keys. Look at it").hasNot("Add keys", "Correct it")
}

// Orders that wait are told of whether or not their pool is one of those that are shortest.
func TestHome_everyPoolThatOrdersWaitFor(t *testing.T) {
	t.Parallel()
	w := open(t)
	for n := range 30 {
		if err := w.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: fmt.Sprintf("empty-%02d", n), LowStock: 1000, Shards: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "sold-out", Shards: 1}); err != nil {
		t.Fatal(err)
	}
	w.line("1", func(f *order.Fulfillment) { f.Pool, f.ReceivedAt = "sold-out", noon.Add(-20*time.Minute) })
	b := w.signIn("ada@acme.example")
	b.get("/portal").has("1 order waits for keys of sold-out, for 20 minutes. Add keys now")
	for n := range 12 {
		w.line(fmt.Sprint("more-", n), func(f *order.Fulfillment) {
			f.Pool, f.ReceivedAt = fmt.Sprintf("empty-%02d", 29-n), noon.Add(-time.Duration(n+30)*time.Minute)
		})
	}
	b.get("/portal").has("for keys of empty-18, for 41 minutes.", "Orders wait for keys of 5 further pools. Look at the orders").hasNot("sold-out, for")
}

func TestHome_firstStepsArePutAwayAndComeBack(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get("/portal").has("Put this list away")
	b.post("/portal/first-steps/leave", nil).has("A link in the settings brings them back.").hasNot("Set up your shop")
	if p := b.get(peoplePath).has("First steps"); !strings.Contains(p.body, `href="`+firstStepsPath+`"`) {
		t.Error("the settings do not lead to them")
	}
	b.get(firstStepsPath).has("Set up your shop", "Show this list on Home again")
	b.get("/portal").hasNot("Set up your shop") // to look is no change
	b.post("/portal/first-steps/keep", nil).has("Set up your shop", "Put this list away")
}

// The first page takes as many round trips, whatever there is.
func TestHome_costsTheSameWithMuch(t *testing.T) {
	t.Parallel()
	calls := &counter{}
	w := open(t, calls.option())
	b := w.signIn("ada@acme.example")
	measure := func() (n int64, size int) {
		b.get("/portal") // the merchant is read once in half a minute
		before := calls.n.Load()
		home := b.get("/portal")
		return calls.n.Load() - before, len(home.body)
	}
	for n := range 12 {
		w.newPool("acme", fmt.Sprintf("pool-%03d", n))
	}
	few, _ := measure()
	// Of pools with plenty, what was counted is enough.
	for n := range 12 {
		item := map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: dynamo.CountsPrefix + "acme"}, "sk": &types.AttributeValueMemberS{Value: fmt.Sprintf("count#pool-%03d#live", n)},
			"v": &types.AttributeValueMemberN{Value: "1"}, "accepted": &types.AttributeValueMemberN{Value: "5000"},
		}
		if _, err := dynamotest.Client(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.tables.Catalog, Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	plenty, _ := measure()
	b.get("/portal").has("5,000").hasNot("is empty")
	b.post("/portal/first-steps/leave", nil)
	least, _ := measure()
	b.post("/portal/first-steps/keep", nil)
	if plenty > few-20 || least > plenty-8 {
		t.Errorf("%d calls of pools without keys, %d of pools with plenty, %d without the first steps", few, plenty, least)
	}
	for n := range 120 {
		w.newPool("acme", fmt.Sprintf("more-%03d", n))
		w.line(fmt.Sprint(n), func(f *order.Fulfillment) { f.Pool = fmt.Sprintf("more-%03d", n) })
	}
	many, size := measure()
	t.Logf("%d calls with 12 empty pools, %d with 12 of 5,000 keys, %d once the first steps are put away; %d with 132 pools and 120 orders; %d bytes", few, plenty, least, many, size)
	if many > few+4 { // the lines that were found are read
		t.Errorf("%d calls with few, %d with many", few, many)
	}
	if size > 60<<10 {
		t.Errorf("the page has %d bytes", size)
	}
}
