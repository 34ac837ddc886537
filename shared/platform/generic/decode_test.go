package generic_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/generic"
)

const paidBody = `{"event":"order.paid","order":{"id":42,"status":"paid","sandbox":false,"paid_at":"2026-01-02T15:04:05Z","currency":"EUR","lang":"de",
 "email":"ada@example.com","name":"Ada Byron","country":"GB",
 "items":[{"id":"a","sku":"game","name":"The Game","qty":2,"price":59.90},{"id":7,"sku":4711,"name":null,"qty":"1"}]}}`

const refundBody = `{"event":"order.refunded","order":{"id":42,"status":"refunded"},"refund":{"id":9007199254740993,"order_id":42,"full":false,"items":[{"item_id":"a","qty":1}]}}`

func decode(t testing.TB, settings, body string, headers ...string) (platform.Event, error) {
	t.Helper()
	events, err := generic.Adapter{}.Decode(t.Context(), request(body, headers...), platform.Account{Settings: json.RawMessage(settings)})
	if err != nil {
		return nil, err
	}
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return events[0], nil
}

// is decodes a body with a part replaced, and compares the event.
func is(t *testing.T, name, settings, body string, want platform.Event, headers ...string) {
	t.Helper()
	got, err := decode(t, settings, body, headers...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func paid() platform.Paid {
	return platform.Paid{
		Order: "42", Currency: "EUR", Language: "de", PaidAt: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		Customer: order.Customer{Name: "Ada Byron", Email: "ada@example.com", Country: "GB"},
		Lines: []platform.Line{
			{ID: "a", Product: "game", Title: "The Game", Quantity: 2, UnitPrice: "59.90"},
			{ID: "7", Product: "4711", Quantity: 1},
		},
	}
}

func TestDecode_paid(t *testing.T) {
	t.Parallel()
	is(t, "as it is", whole, paidBody, paid())
	for _, test := range []struct {
		name, old, new string
		alter          func(*platform.Paid)
	}{
		{"a mark before it", `{"event"`, "\ufeff" + `{"event"`, func(*platform.Paid) {}},
		{"an id as text", `"id":42`, `"id":"42"`, func(*platform.Paid) {}},
		{"an id beyond any float", `"id":42`, `"id":900719925474099312345`, func(p *platform.Paid) { p.Order = "900719925474099312345" }},
		{"a product beyond any float", `4711`, `9007199254740993`, func(p *platform.Paid) { p.Lines[1].Product = "9007199254740993" }},
		{"null is absent", `"currency":"EUR"`, `"currency":null`, func(p *platform.Paid) { p.Currency = "" }},
		{"absent", `"currency":"EUR",`, ``, func(p *platform.Paid) { p.Currency = "" }},
		{"a line without an id", `"id":"a",`, ``, func(p *platform.Paid) { p.Lines[0].ID = "" }},
		{"a test order", `"sandbox":false`, `"sandbox":true`, func(p *platform.Paid) { p.Test = true }},
		{"a test order, in another form", `"sandbox":false`, `"sandbox":1`, func(p *platform.Paid) { p.Test = true }},
		{"no flag", `"sandbox":false,`, ``, func(*platform.Paid) {}},
		{"quantity 2.0", `"qty":2`, `"qty":2.0`, func(*platform.Paid) {}},
		{"a price as text", `59.90`, `"59,90 €"`, func(p *platform.Paid) { p.Lines[0].UnitPrice = "59,90 €" }},
		{"money is no float", `59.90`, `59.900000000000000000001`, func(p *platform.Paid) { p.Lines[0].UnitPrice = "59.900000000000000000001" }},
		{"seconds", `"2026-01-02T15:04:05Z"`, `1767366245`, func(*platform.Paid) {}},
		{"no time", `"2026-01-02T15:04:05Z"`, `"yesterday"`, func(p *platform.Paid) { p.PaidAt, p.IgnoredFields = time.Time{}, []string{"paid_at"} }},
		{"shown and not to be read", `"name":"Ada Byron"`, `"name":{"first":"Ada"}`, func(p *platform.Paid) { p.Customer.Name, p.IgnoredFields = "", []string{"customer.name"} }},
		{"the same in a line", `"name":null`, `"name":[1]`, func(p *platform.Paid) { p.IgnoredFields = []string{"lines[1].title"} }},
		{"what nobody points to", `"event"`, `"a":{"b":[1.5e300,{}]},"event"`, func(*platform.Paid) {}},
	} {
		want := paid()
		test.alter(&want)
		is(t, test.name, whole, replaced(t, paidBody, test.old, test.new), want)
	}
}

func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%s is not there", old)
	}
	return strings.Replace(text, old, new, 1)
}

// A secret that is marked test signs test orders, whatever the body says.
func TestDecode_testSecret(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{whole, replaced(t, whole, `"test":{"pointer":"/order/sandbox","in":[true,"1"]},`, "")} {
		for _, test := range []bool{true, false} {
			events, err := generic.Adapter{}.Decode(t.Context(), request(paidBody), platform.Account{Settings: json.RawMessage(settings), Test: test})
			if err != nil || events[0].(platform.Paid).Test != test {
				t.Errorf("signed by a test secret, %v: %+v, %v", test, events, err)
			}
			events, err = generic.Adapter{}.Decode(t.Context(), request(refundBody), platform.Account{Settings: json.RawMessage(settings), Test: test})
			if err != nil || events[0].(platform.Returned).Test != test {
				t.Errorf("a refund signed by a test secret, %v: %+v, %v", test, events, err)
			}
		}
	}
}

func TestDecode_oneLine(t *testing.T) {
	t.Parallel()
	settings := `{"signature":{"header":"X-Signature"},"order":"/number","customer":{"email":"/who/0/mail~1address"},"lines":{"product":"/plan~0id"}}`
	is(t, "product and one unit", settings, `{"number":"A-1","who":[{"mail/address":"ada@example.com"}],"plan~id":"game"}`, platform.Paid{
		Order: "A-1", Customer: order.Customer{Email: "ada@example.com"}, Lines: []platform.Line{{Product: "game", Quantity: 1}},
	})
}

func TestDecode_form(t *testing.T) {
	t.Parallel()
	settings := `{"signature":{"header":"X-Signature"},"body":"form","event":{"pointer":"/action","paid":["sale"],"returned":["refund"]},"order":"/order[id]","test":{"pointer":"/test","in":[true]},
 "customer":{"email":"/email"},"lines":{"product":"/sku","quantity":"/qty"},"return":{"order":"/order[id]"}}`
	want := platform.Paid{Order: "0042", Test: true, Customer: order.Customer{Email: "ada+1@example.com"}, Lines: []platform.Line{{Product: "game é", Quantity: 3}}}
	is(t, "a sale", settings, "action=sale&order%5Bid%5D=0042&email=ada%2B1%40example.com&sku=game+%C3%A9&qty=3&qty=4&test=true&more=1", want)
	is(t, "a refund", settings, "action=refund&order%5Bid%5D=0042", platform.Returned{Order: "0042", ID: "full", All: true, TestUnknown: true})
	for body, field := range map[string]string{
		"action=sale;order=1": "",
		"action=%zz":          "",
		"action=sale&order%5Bid%5D=1&email=%ff&sku=1&qty=1":       "",
		"action=sale&email=a%40example.com&sku=1&qty=1":           "order",
		"action=sale&order%5Bid%5D=1&email=a%40b.c&sku=1&qty=2e0": "lines.quantity",
		`{"action":"sale","order":1}`:                             "event.pointer",
		"order%5Bid%5D=1":                                         "event.pointer",
	} {
		refusedFor(t, settings, body, field)
	}
	// Which of the two a body is, the settings say: a header that says so is not signed.
	_, err := decode(t, whole, "event=order.paid", "Content-Type", "application/x-www-form-urlencoded")
	if err == nil || !strings.Contains(err.Error(), "set body to form") {
		t.Errorf("a form for JSON: %v", err)
	}
}

func refusedFor(t *testing.T, settings, body, field string, headers ...string) *platform.FieldError {
	t.Helper()
	event, err := decode(t, settings, body, headers...)
	var wrong *platform.FieldError
	if !errors.As(err, &wrong) {
		t.Errorf("%s: taken as %+v, %v", body, event, err)
		return nil
	}
	if wrong.Field != field {
		t.Errorf("%s: names %q (%v), want %q", body, wrong.Field, err, field)
	}
	if strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), "hush") {
		t.Errorf("quotes the body: %v", err)
	}
	return wrong
}

func TestDecode_refusalNamesTheField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, field string }{
		{`"id":42`, `"id":null`, "order"},
		{`"id":42,`, ``, "order"},
		{`"id":42`, `"id":{"hush":42}`, "order"},
		{`"id":42`, `"id":[42]`, "order"},
		{`"id":42`, `"id":4.2`, "order"},
		{`"id":42`, `"id":42.0`, "order"}, // which id that is in the next webhook is not known
		{`"id":42`, `"id":4e1`, "order"},
		{`"id":42`, `"id":true`, "order"},
		{`"email":"ada@example.com",`, ``, "customer.email"},
		{`"email":"ada@example.com"`, `"email":["ada@example.com"]`, "customer.email"},
		{`"sku":"game",`, ``, "lines[0].product"},
		{`"sku":4711`, `"sku":true`, "lines[1].product"},
		{`"sku":4711`, `"sku":{"hush":1}`, "lines[1].product"},
		{`"id":7`, `"id":7.5`, "lines[1].line"},
		{`"qty":2`, `"qty":null`, "lines[0].quantity"},
		{`"qty":2,`, ``, "lines[0].quantity"},
		{`"qty":2`, `"qty":2.5`, "lines[0].quantity"},
		{`"qty":2`, `"qty":2e1`, "lines[0].quantity"},
		{`"qty":2`, `"qty":"two"`, "lines[0].quantity"},
		{`"qty":2`, `"qty":true`, "lines[0].quantity"},
		{`"qty":2`, `"qty":{}`, "lines[0].quantity"},
		{`"items":[`, `"items":{},"others":[`, "lines.pointer"},
		{`"items":[`, `"others":[`, "lines.pointer"},
		{`"items":[`, `"items":["game",`, "lines[0]"},
		{`"items":[`, `"items":[` + strings.Repeat(`{"id":"b","sku":"hush","qty":1},`, 100), "lines"},
		{`"sandbox":false`, `"sandbox":{"hush":1}`, "test.pointer"},
		{`"status":"paid"`, `"status":["paid"]`, "when[0].pointer"},
		{`"event":"order.paid"`, `"event":null`, "event.pointer"},
		{`"event":"order.paid",`, ``, "event.pointer"},
		{`"event":"order.paid"`, `"event":{"hush":1}`, "event.pointer"},
		{`"id":42`, `"id":42,"id":43`, "order"},
		{`"id":42`, `"hush":42,"hush":43`, ""},
		{`Ada`, `\ud83c`, "customer.name"},
		{`Ada`, "Ad\xe4", "customer.name"},
		{`{"event"`, `[{"event"`, ""},
		{`{"event"`, `{} {"event"`, ""},
		{`{"event"`, ``, ""},
	} {
		refusedFor(t, whole, replaced(t, paidBody, test.old, test.new), test.field)
	}
	// The merchant is told which order it was, and where the settings point to.
	wrong := refusedFor(t, whole, replaced(t, paidBody, `"qty":2,`, ``), "lines[0].quantity")
	if wrong.Order != "42" || !strings.Contains(wrong.Problem, "/qty") {
		t.Errorf("%+v", wrong)
	}
	wrong = refusedFor(t, whole, replaced(t, refundBody, `"item_id":"a",`, ``), "return.lines[0].line")
	if wrong.Order != "42" {
		t.Errorf("%+v", wrong)
	}
	for _, deep := range []string{strings.Repeat("[", platform.MaxBody), strings.Repeat(`{"a":`, platform.MaxBody/5)} {
		if _, err := decode(t, whole, deep); err == nil {
			t.Error("taken")
		}
	}
}

func TestDecode_events(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want platform.Event
	}{
		"ignored":              {`{"event":"ping"}`, platform.Ignored{Type: "ping"}},
		"unknown":              {`{"event":"order.shipped"}`, platform.Ignored{Type: "order.shipped", Unknown: true}},
		"in another case":      {`{"event":"Order.Paid"}`, platform.Ignored{Type: "Order.Paid", Unknown: true}},
		"a number":             {`{"event":7}`, platform.Ignored{Type: "7", Unknown: true}},
		"not paid yet":         {`{"event":"order.paid","order":{"status":"pending"}}`, platform.Ignored{Type: "order.paid (not passed: when[0])"}},
		"without the state":    {`{"event":"order.paid","order":{}}`, platform.Ignored{Type: "order.paid (not passed: when[0])", Unknown: true}},
		"a state that is null": {`{"event":"order.paid","order":{"status":null}}`, platform.Ignored{Type: "order.paid (not passed: when[0])", Unknown: true}},
	} {
		is(t, name, whole, test.body, test.want)
	}
	// Trap: a paid event that is sent again after the order was given back.
	is(t, "sent again", whole, replaced(t, paidBody, `"status":"paid"`, `"status":"refunded"`), platform.Ignored{Type: "order.paid (not passed: when[0])"})

	inHeader := replaced(t, whole, `"header":"","pointer":"/event"`, `"header":"X-Event"`)
	is(t, "a header", inHeader, paidBody, paid(), "X-Event", " order.paid ")
	is(t, "another header", inHeader, paidBody, platform.Ignored{Type: "ping"}, "X-Event", "ping")
	refusedFor(t, inHeader, paidBody, "event.header")

	none := replaced(t, whole, `"event":{"header":"","pointer":"/event","paid":["order.paid"],"returned":["order.refunded"],"ignored":["ping"]},`, "")
	is(t, "each is a paid order", none, `{"order":{}}`, platform.Ignored{Type: "(not passed: when[0])", Unknown: true})
	is(t, "each is a paid order", none, paidBody, paid())
}

func TestDecode_returned(t *testing.T) {
	t.Parallel()
	want := platform.Returned{Order: "42", ID: "9007199254740993", Lines: []platform.ReturnedLine{{ID: "a", Quantity: 1}}, TestUnknown: true}
	is(t, "of a line", whole, refundBody, want)
	all := want
	all.Lines, all.All = nil, true
	is(t, "of all", whole, replaced(t, refundBody, `"full":false`, `"full":true`), all)
	is(t, "of all, without lines", whole, replaced(t, refundBody, `"full":false,"items":[{"item_id":"a","qty":1}]`, `"full":true`), all)
	sided := want
	sided.TestUnknown, sided.Test = false, true
	is(t, "of a test order", whole, replaced(t, refundBody, `"status":"refunded"`, `"status":"refunded","sandbox":true`), sided)
	sided.Test = false
	is(t, "of a live order", whole, replaced(t, refundBody, `"status":"refunded"`, `"status":"refunded","sandbox":false`), sided)

	refusedFor(t, whole, replaced(t, refundBody, `[{"item_id":"a","qty":1}]`, `[]`), "return.lines")
	// Trap: a line of which no unit was given back is not one of which all were.
	is(t, "of a line beside one of no unit", whole, replaced(t, refundBody, `"qty":1}`, `"qty":1},{"item_id":"b","qty":0}`), want)
	is(t, "of a line after one of no unit", whole, replaced(t, refundBody, `{"item_id":"a"`, `{"item_id":"b","qty":"0"},{"item_id":"a"`), want)
	refusedFor(t, whole, replaced(t, refundBody, `"qty":1}`, `"qty":0},{"item_id":"b","qty":0}`), "return.lines")
	refusedFor(t, whole, replaced(t, refundBody, `"qty":1}`, `"qty":1},{"item_id":"b","qty":-1}`), "return.lines[1].quantity")
	refusedFor(t, whole, replaced(t, refundBody, `"items":`, `"others":`), "return.lines")
	refusedFor(t, whole, replaced(t, refundBody, `"id":9007199254740993,`, ``), "return.id")
	refusedFor(t, whole, replaced(t, refundBody, `"order_id":42`, `"order_id":null`), "return.order")
	refusedFor(t, whole, replaced(t, refundBody, `"qty":1`, `"qty":-`), "")
	refusedFor(t, whole, replaced(t, refundBody, `"qty":1`, `"qty":"x"`), "return.lines[0].quantity")

	const without = `"return":{"id":"/refund/id","order":"/refund/order_id","lines":"/refund/items","line":"/item_id","quantity":"/qty","full_when":{"pointer":"/refund/full","in":[true]}}`
	whole1 := replaced(t, whole, without, `"return":{"order":"/refund/order_id"}`)
	is(t, "each is of all", whole1, refundBody, platform.Returned{Order: "42", ID: "full", All: true, TestUnknown: true})
	amount := replaced(t, whole, without, `"return":{"id":"/refund/id","order":"/refund/order_id","amount":"/refund/amount","currency":"/refund/currency","full_when":{"pointer":"/refund/full","in":[true]}}`)
	is(t, "of an amount", amount, replaced(t, refundBody, `"full":false`, `"full":false,"amount":10.10,"currency":"eur"`), platform.Returned{
		Order: "42", ID: "9007199254740993", Amount: "10.10", Currency: "EUR", TestUnknown: true,
	})
	is(t, "of all", amount, replaced(t, refundBody, `"full":false`, `"full":true`), platform.Returned{Order: "42", ID: "9007199254740993", All: true, TestUnknown: true})
	refusedFor(t, amount, refundBody, "return.amount")
}

// Trap: the tests under when are those of a paid order, whose status is another once it was
// refunded. A refund has tests of its own, and one that is passed over is told.
func TestDecode_returnWhen(t *testing.T) {
	t.Parallel()
	settings := replaced(t, whole, `"return":{"id"`, `"return":{"when":[{"pointer":"/refund/state","in":["done"]}],"id"`)
	done := replaced(t, refundBody, `"full":false`, `"full":false,"state":"done"`)
	want := platform.Returned{Order: "42", ID: "9007199254740993", Lines: []platform.ReturnedLine{{ID: "a", Quantity: 1}}, TestUnknown: true}
	is(t, "it passes", settings, done, want)
	passedOver := platform.Ignored{Type: "order.refunded (not passed: return.when[0])", Unknown: true}
	is(t, "it does not pass", settings, replaced(t, done, `"done"`, `"pending"`), passedOver)
	is(t, "there is no value", settings, refundBody, passedOver)
	is(t, "a paid order is not asked", settings, paidBody, paid())
	refusedFor(t, settings, replaced(t, done, `"done"`, `["done"]`), "return.when[0].pointer")
}

// Trap: two shops of a merchant number their orders alike. Each has an account of its own,
// whose origin is part of a line's identity.
func TestDecode_twoShopsAreApart(t *testing.T) {
	t.Parallel()
	line := func(origin string) order.LineID {
		event, err := decode(t, whole, paidBody)
		if err != nil {
			t.Fatal(err)
		}
		p := event.(platform.Paid)
		return order.Identity{Merchant: "acme", Side: "live", Origin: origin, Order: p.Order, Line: p.Lines[0].ID}.ID()
	}
	first := line("generic")
	if again := line("generic"); first != again || first == line("generic-2") {
		t.Error("orders of two shops are one")
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	accepted := platform.Result{Outcome: platform.Accepted, Order: "42", Line: "a", Product: "game", State: order.Fulfilled, Wanted: 1, Allocated: 1, IgnoredFields: []string{"paid_at"}}
	field := &platform.FieldError{Field: "lines[0].quantity", Problem: "is another than before"}
	for name, test := range map[string]struct {
		results []platform.Result
		status  int
		body    string
	}{
		"an order": {[]platform.Result{accepted}, 200, `{"order":"42","lines":[{"line":"a","product":"game","state":"fulfilled","wanted":1,"allocated":1}],"ignored_fields":["paid_at"]}`},
		"ignored":  {[]platform.Result{{Outcome: platform.Skipped, Type: "ping"}}, 200, `{"ignored":true,"type":"ping"}`},
		"skipped":  {[]platform.Result{{Outcome: platform.Skipped, Order: "42", Line: "b", Product: "mug", Why: platform.OtherProduct}}, 200, `{"order":"42","skipped":[{"line":"b","product":"mug","why":"other_product"}]}`},
		"changed":  {[]platform.Result{accepted, {Outcome: platform.Changed, Field: field}}, 200, `{"order":"42","lines":[{"line":"a","product":"game","state":"fulfilled","wanted":1,"allocated":1}],"ignored_fields":["paid_at"],"refused":"lines[0].quantity is another than before"}`},
		"refused":  {[]platform.Result{{Outcome: platform.Rejected, Field: &platform.FieldError{Problem: "is no JSON"}}}, 200, `{"refused":"the body is no JSON"}`},
		"failed":   {[]platform.Result{accepted, {Outcome: platform.Failed}}, 503, `{"order":"42","reason":"not stored, or not all of it: send the same again"}`},
	} {
		for settings, answer := range map[string]string{whole: "OK", replaced(t, whole, `"answer":"OK"`, `"answer":""`): test.body} {
			got := platform.Sender{Adapter: generic.Adapter{}, Account: platform.Account{Settings: json.RawMessage(settings)}}.Answer(test.results)
			want := answer
			if test.status != 200 {
				want = test.body
			}
			if got.Status != test.status || string(got.Body) != want || (got.Header.Get("Retry-After") != "") != (test.status == 503) {
				t.Errorf("%s: answered %d %s", name, got.Status, got.Body)
			}
		}
	}
}

// FuzzGeneric holds that no signature is made without the secret, and that what is
// decoded names a place or can be checked.
func FuzzGeneric(f *testing.F) {
	timed := strings.NewReplacer(`"signed":"{body}"`, `"signed":"{id}.{time}.{body}"`).Replace(whole)
	form := `{"signature":{"header":"X-Signature"},"body":"form","order":"/id","customer":{"email":"/email"},"lines":{"product":"/sku"}}`
	f.Add([]byte(paidBody), "sha256="+inHex(secret, paidBody), "1767366245", "msg")
	f.Add([]byte(refundBody), "sha256=,sha256=00, sha256=zz", "", "")
	f.Add([]byte("id=1&email=ada%40example.com&sku=game"), "sha256="+strings.Repeat("0", 64), "-1", "\x00")
	f.Add([]byte(`{"event":"order.paid","order":{"status":"paid","items":[{}]}}`), ",,,", "9223372036854775807", "id")
	f.Fuzz(func(t *testing.T, body []byte, signature, stamp, id string) {
		r := request(string(body), "X-Signature", signature, "X-Timestamp", stamp, "X-Event-Id", id)
		for _, settings := range []string{whole, timed, form} {
			a := platform.Account{Settings: json.RawMessage(settings), Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("a secret that the fuzzer does not know"))}}}
			if _, err := (generic.Adapter{}).Verify(r, a, at); err == nil {
				t.Fatal("a signature was made without the secret")
			}
			events, err := generic.Adapter{}.Decode(t.Context(), r, a)
			var field *platform.FieldError
			if err != nil && !errors.As(err, &field) {
				t.Fatalf("an error that names no field: %v", err)
			}
			for _, event := range events {
				paid, ok := event.(platform.Paid)
				if !ok || paid.Check(1000) != nil {
					continue
				}
				for _, line := range paid.Lines {
					if line.Quantity < 1 || line.Product == "" || line.ID == "" {
						t.Fatalf("a line that nobody can claim for passed the check: %+v", line)
					}
				}
			}
		}
	})
}

// FuzzSettings holds that settings are taken or refused with a place, and that those
// taken read no body wrongly.
func FuzzSettings(f *testing.F) {
	f.Add([]byte(whole), []byte(paidBody))
	f.Add([]byte(`{}`), []byte(`{}`))
	f.Add([]byte(`{"when":[{"pointer":"/a/0","in":[1,true,"x"]}]}`), []byte(`{"a":[1]}`))
	f.Fuzz(func(t *testing.T, settings, body []byte) {
		var several platform.FieldErrors
		var one *platform.FieldError
		err := generic.Adapter{}.CheckSettings(settings)
		if err != nil && !errors.As(err, &several) && !errors.As(err, &one) {
			t.Fatalf("an error without a place: %v", err)
		}
		a := platform.Account{Settings: settings, Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte(""))}}}
		r := request(string(body), "X-Signature", strings.Repeat("0", 64))
		if _, verified := (generic.Adapter{}).Verify(r, a, at); verified == nil {
			t.Fatal("an empty secret signed")
		}
		if _, err := (generic.Adapter{}).Decode(t.Context(), r, a); err != nil && !errors.As(err, &one) {
			t.Fatal(fmt.Errorf("an error without a place: %w", err))
		}
	})
}
