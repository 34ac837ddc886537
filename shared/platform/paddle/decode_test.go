package paddle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/PaddleHQ/paddle-go-sdk/v4/pkg/paddlenotification"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/platformtest"
	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

var (
	ada = order.Customer{
		Name: "Ada Byron", Email: "ada@example.com", Country: "GB", City: "London", Zip: "SW1Y 4LE", Address: "12 St James's Square", LicenseFor: "Augusta King",
	}
	paidAt = time.Date(2026, 1, 2, 15, 4, 3, 0, time.UTC)
)

// paid is the order of events/paddle_paid.json.
func paid() platform.Paid {
	return platform.Paid{
		Within: "data.", Order: id("txn", 1), Currency: "EUR", Language: "en", PaidAt: paidAt, Customer: ada,
		Lines: []platform.Line{{ID: id("txnitm", 1), Product: "game", Title: "The Game", Quantity: 2, UnitPrice: "59.99"}},
	}
}

// one is an order of one unit of the game.
func one(n int) platform.Paid {
	p := paid()
	p.Order, p.Lines[0].ID, p.Lines[0].Quantity = id("txn", n), id("txnitm", n), 1
	return p
}

func decodes(t *testing.T, a paddle.Adapter, r platform.Request, from platform.Account, want ...platform.Event) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	if err != nil {
		t.Errorf("refused: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ignored(kind string) platform.Event { return platform.Ignored{Type: kind} }

// setup returns the *platform.SetupError of a refusal.
func setup(t *testing.T, a paddle.Adapter, r platform.Request, from platform.Account) platform.SetupError {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	var wrong *platform.SetupError
	if !errors.As(err, &wrong) {
		t.Fatalf("%+v, %v", got, err)
	}
	return *wrong
}

// The examples have the shapes that Paddle's own library knows: no member more, none of
// another type.
func TestExamples_areInPaddlesShapes(t *testing.T) {
	t.Parallel()
	for _, name := range platformtest.Examples(t, "paddle", 1) {
		if name == "paddle_twice" {
			continue // is no JSON to us
		}
		body := webhook(t, name).Body
		var kind paddlenotification.GenericNotificationEvent
		if err := json.Unmarshal(body, &kind); err != nil || kind.EventID == "" || kind.NotificationID == "" || kind.OccurredAt == "" {
			t.Errorf("%s: %+v, %v", name, kind, err)
		}
		var event any
		switch kind.EventType {
		case paddlenotification.EventTypeNameTransactionCompleted, paddlenotification.EventTypeNameTransactionPaid, paddlenotification.EventTypeNameTransactionUpdated:
			event = &paddlenotification.TransactionCompleted{}
		case paddlenotification.EventTypeNameAdjustmentCreated, paddlenotification.EventTypeNameAdjustmentUpdated:
			event = &paddlenotification.AdjustmentCreated{}
		case paddlenotification.EventTypeNameSubscriptionCreated:
			event = &paddlenotification.SubscriptionCreated{}
		default:
			t.Errorf("%s: %s", name, kind.EventType)
		}
		strict := json.NewDecoder(bytes.NewReader(body))
		strict.DisallowUnknownFields()
		if err := strict.Decode(event); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The stand-in of the API answers Paddle's own client.
func TestWorld_answersPaddlesLibrary(t *testing.T) {
	t.Parallel()
	w, _ := open(t)
	client, err := sdk.New(liveKey, sdk.WithBaseURL("https://api.paddle.com"), sdk.WithClient(doer{w}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetTransaction(t.Context(), &sdk.GetTransactionRequest{TransactionID: id("txn", 1), IncludeCustomer: true})
	if err != nil || got.ID != id("txn", 1) || got.Customer.Email != "ada@example.com" || got.Details.LineItems[0].Quantity != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	listed, err := client.ListTransactions(t.Context(), &sdk.ListTransactionsRequest{Status: []string{"completed"}, PerPage: sdk.PtrTo(2), OrderBy: sdk.PtrTo("id[ASC]")})
	if err != nil || !listed.HasMore() {
		t.Fatal(err)
	}
	var ids []string
	if err := listed.Iter(t.Context(), func(tx *sdk.Transaction) (bool, error) {
		ids = append(ids, tx.ID)
		return true, nil
	}); err != nil || len(ids) != len(w.live.transactions) || !slices.IsSorted(ids) {
		t.Errorf("%v, %v", ids, err)
	}
}

// doer calls the world in place of the network.
type doer struct{ w *world }

func (d doer) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Paddle-Version", "1") // which the library leaves out
	return served(d.w, r), nil
}

func TestDecode_paidOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "paddle_paid"), account(""), paid())
	if len(w.calls) != 1 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	test := one(2)
	test.Test = true
	decodes(t, a, webhook(t, "paddle_paid_test"), ofTestSide(account("")), test)
	if !strings.HasPrefix(w.calls[1], "sandbox-api.paddle.com/") {
		t.Errorf("the sandbox is %s", w.calls[1])
	}
}

// What reports the same payment beside transaction.completed is nothing: it would deliver
// twice.
func TestDecode_onePaymentIsOneOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for name, kind := range map[string]string{
		"paddle_money_in": "transaction.paid", "paddle_updated": "transaction.updated", "paddle_subscription": "subscription.created",
	} {
		decodes(t, a, webhook(t, name), account(""), ignored(kind))
	}
	decodes(t, a, changed(t, "paddle_subscription", "subscription.created", "subscription.activated"), account(""), ignored("subscription.activated"))
	decodes(t, a, changed(t, "paddle_paid", "transaction.completed", "transaction.payment_failed"), account(""), ignored("transaction.payment_failed"))
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
}

// A change of the card, or of the subscription, sells nothing. Of an origin that is not
// documented the merchant is told.
func TestDecode_origins(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	decodes(t, a, webhook(t, "paddle_upgraded"), account(`{"no_payment_required":"deliver"}`), ignored("transaction.completed"))
	decodes(t, a, webhook(t, "paddle_card_changed"), account(`{"no_payment_required":"deliver"}`), ignored("transaction.completed"))
	decodes(t, a, changed(t, "paddle_paid", `"origin":"web"`, `"origin":"kiosk"`), account(""), platform.Ignored{Type: "transaction.completed, origin kiosk", Unknown: true})
	decodes(t, a, changed(t, "paddle_paid", `"origin":"web"`, `"origin":"api"`), account(""), paid())
	charged := one(6)
	charged.Customer.LicenseFor = ""
	decodes(t, a, webhook(t, "paddle_charged"), account(""), charged)
}

func TestDecode_freeOrderBySetting(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for settings, delivered := range map[string]bool{"": false, `{}`: false, `{"no_payment_required":"ignore"}`: false, `{"no_payment_required":"deliver"}`: true} {
		got, err := a.Decode(t.Context(), webhook(t, "paddle_free"), account(settings))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", settings, got, err)
		}
		order, isPaid := got[0].(platform.Paid)
		if isPaid != delivered {
			t.Errorf("%s: %+v", settings, got[0])
		}
		if isPaid && !order.PaidAt.Equal(paidAt.Add(time.Second)) {
			t.Errorf("paid at %s, which is not when it was billed", order.PaidAt)
		}
	}
	// What the customer's credit paid for cost something.
	decodes(t, a, changed(t, "paddle_paid", `"credit":"0"`, `"credit":"11998"`, `"grand_total":"11998"`, `"grand_total":"0"`), account(""), paid())
}

// renewed is the renewal of events/paddle_renewed.json.
func renewed() platform.Paid {
	p := paid()
	p.Order, p.Parent, p.Customer.LicenseFor = id("txn", 5), id("txn", 4), ""
	p.Lines = []platform.Line{{ID: id("txnitm", 5), Product: id("pri", 3), Title: "Pro", Quantity: 1, UnitPrice: "12.00"}}
	return p
}

func TestDecode_renewal(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "paddle_renewed"), account(""), renewed())
	if len(w.calls) != 2 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	decodes(t, a, webhook(t, "paddle_renewed"), account(`{"renewals":"ignore"}`), ignored("transaction.completed"))
	decodes(t, a, webhook(t, "paddle_subscribed"), account(`{"renewals":"ignore"}`), first())
}

// first is the order that events/paddle_renewed.json renews.
func first() platform.Paid {
	p := renewed()
	p.Order, p.Parent, p.Customer.LicenseFor = id("txn", 4), "", "Augusta King"
	p.Lines[0].ID = id("txnitm", 4)
	return p
}

// A renewal renews the first transaction of the subscription that was delivered: an order
// that nobody delivered is no parent to wait for.
func TestDecode_parentOfARenewal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change   func(*side)
		from     time.Time
		settings string
		want     string // of the second renewal
	}{
		"a paid order":                     {func(*side) {}, time.Time{}, "", id("txn", 4)},
		"a free trial":                     {free, time.Time{}, "", id("txn", 5)},
		"a free trial that was delivered":  {free, time.Time{}, `{"no_payment_required":"deliver"}`, id("txn", 4)},
		"an order before the account":      {func(*side) {}, at("2026-01-01T00:00:00Z"), "", id("txn", 5)},
		"an order long before the account": {func(s *side) { s.transaction(id("txn", 4))["billed_at"] = "2024-12-02T15:04:04Z" }, at("2026-01-01T00:00:00Z"), "", id("txn", 5)},
		"all before the account, but this": {func(*side) {}, at("2026-02-01T00:00:00Z"), "", ""},
		"a subscription from elsewhere": {func(s *side) {
			s.transactions = s.transactions[1:]
			s.transaction(id("txn", 4))["origin"] = "subscription_update"
		}, time.Time{}, "", id("txn", 5)},
		"an invoice that was paid in terms": {invoiced, at("2026-01-01T00:00:00Z"), "", id("txn", 4)},
	} {
		w, a := open(t)
		test.change(w.live)
		third := w.live.transaction(id("txn", 5)).and(object{"id": id("txn", 50), "billed_at": "2026-02-02T15:04:04Z"})
		third["payments"] = []any{object{"status": "captured", "captured_at": "2026-02-02T15:04:03Z"}}
		w.live.transactions = append(w.live.transactions, third)
		from := account(test.settings)
		from.DeliversFrom = test.from
		r := changed(t, "paddle_renewed", id("txn", 5), id("txn", 50), "2026-01-02T15:04:03Z", "2026-02-02T15:04:03Z")
		got, err := a.Decode(t.Context(), r, from)
		if err != nil || len(got) != 1 || got[0].(platform.Paid).Parent != test.want {
			t.Errorf("%s: %+v, %v, want the parent %q", name, got, err, test.want)
		}
	}
}

func free(s *side) {
	began := s.transaction(id("txn", 4))
	began["details"] = object{"totals": object{"total": "0"}}
	began["payments"] = []any{}
}

// invoiced lets the subscription begin with an invoice that was billed before the account
// delivers, and paid after.
func invoiced(s *side) {
	began := s.transaction(id("txn", 4))
	began["billed_at"] = "2025-12-02T15:04:04Z"
	began["payments"] = []any{object{"status": "captured", "captured_at": "2026-01-02T09:00:00Z"}}
}

// An invoice was paid when its money came, weeks after it was billed.
func TestDecode_paidTime(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	invoice := one(9)
	invoice.Customer.Company = "Analytical Engines"
	decodes(t, a, webhook(t, "paddle_invoice"), account(""), invoice)
	for replaced, want := range map[[2]string]time.Time{
		{`"captured_at":"2026-01-02T15:04:03Z"`, `"captured_at":null`}:                               paidAt.Add(time.Second), // billed_at
		{`"captured_at":null,"error_code":"declined"`, `"captured_at":"2026-01-02T16:00:00Z","x":1`}: paidAt,                  // of a payment that failed
	} {
		got, err := a.Decode(t.Context(), changed(t, "paddle_paid", replaced[0], replaced[1]), account(""))
		if err != nil || !got[0].(platform.Paid).PaidAt.Equal(want) {
			t.Errorf("%v: %+v, %v", replaced, got, err)
		}
	}
	neither := changed(t, "paddle_paid", `"captured_at":"2026-01-02T15:04:03Z"`, `"captured_at":null`, `"billed_at":"2026-01-02T15:04:04Z"`, `"billed_at":null`)
	got, err := a.Decode(t.Context(), neither, account(""))
	if err != nil || !got[0].(platform.Paid).PaidAt.Equal(time.Date(2026, 1, 2, 15, 4, 5, 123456000, time.UTC)) {
		t.Errorf("the time of the event: %+v, %v", got, err)
	}
}

// The list price is not what was paid: it knows no prices by country.
func TestDecode_amounts(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for currency, want := range map[string]string{"EUR": "59.99", "JPY": "5999", "KRW": "5999", "VND": "5999", "HUF": "59.99"} {
		got, err := a.Decode(t.Context(), changed(t, "paddle_paid", `"currency_code":"EUR","customer_id"`, `"currency_code":"`+currency+`","customer_id"`), account(""))
		if err != nil || got[0].(platform.Paid).Lines[0].UnitPrice != want {
			t.Errorf("%s: %+v, %v", currency, got, err)
		}
	}
	// Of two units, with what the rounded price of one says beside it.
	for amount, want := range map[string]string{
		`"10000"`: "50.00", `"10001"`: "50.01", `"7"`: "0.04", `"0"`: "0.00", `"1e3"`: "", `null`: "", `"5999.5"`: "", `"999999999999999999999"`: "",
	} {
		const totals = `"totals":{"subtotal":"11998","discount":"0","tax":"0","total":`
		got, err := a.Decode(t.Context(), changed(t, "paddle_paid", totals+`"11998"}`, totals+amount+`}`), account(""))
		if err != nil || got[0].(platform.Paid).Lines[0].UnitPrice != want {
			t.Errorf("%s: %+v, %v", amount, got, err)
		}
	}
}

func TestDecode_products(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	ofPrice := `"type":"standard","custom_data":{"keypool_product":"of-price"},"unit_price"`
	for _, test := range []struct{ settings, old, new, want string }{
		{``, "", "", "game"},
		{`{"product":"custom_data"}`, "", "", "game"},
		{`{"product":"price"}`, "", "", id("pri", 1)},
		{`{"product":"product"}`, "", "", id("pro", 1)},
		{``, `"type":"standard","custom_data":null,"unit_price"`, ofPrice, "of-price"},
		{`{"product":"price"}`, `"type":"standard","custom_data":null,"unit_price"`, ofPrice, id("pri", 1)},
		{``, `{"keypool_product":"game"}`, `null`, id("pri", 1)},
		{``, `{"keypool_product":"game"}`, `{"keypool_product":4711}`, "4711"},
		{``, `{"keypool_product":"game"}`, `{"keypool_product":["game"]}`, id("pri", 1)},
		{`{"product":"custom_data"}`, `{"keypool_product":"game"}`, `{}`, id("pri", 1)},
	} {
		r := webhook(t, "paddle_paid")
		if test.old != "" {
			r = changed(t, "paddle_paid", test.old, test.new)
		}
		got, err := a.Decode(t.Context(), r, account(test.settings))
		if err != nil || got[0].(platform.Paid).Lines[0].Product != test.want {
			t.Errorf("%s, %s: %+v, %v, want %s", test.settings, test.new, got, err, test.want)
		}
	}
}

// Parts of prices, and what a change gives back, sell nothing. A line of no units neither.
func TestDecode_skippedLines(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	line := `"quantity":2,"proration":null,"tax_rate"`
	for _, test := range [][2]string{
		{line, `"quantity":2,"proration":{"rate":"0.5"},"tax_rate"`},
		{line, `"quantity":0,"proration":null,"tax_rate"`},
		{`"totals":{"subtotal":"11998","discount":"0","tax":"0","total":"11998"}`, `"totals":{"subtotal":"-11998","discount":"0","tax":"0","total":"-11998"}`},
	} {
		want := paid()
		want.Lines, want.SkippedLines = nil, []string{id("txnitm", 1)}
		decodes(t, a, changed(t, "paddle_paid", test[0], test[1]), account(""), want)
	}
}

// Two lines of one price are two lines: each is refunded by its own id.
func TestDecode_severalLines(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	second := `{"id":"` + id("txnitm", 77) + `","price_id":"` + id("pri", 1) + `","quantity":1,"proration":null,"unit_totals":{"total":"500"},"totals":{"total":"500"},"product":null}`
	want := paid()
	want.Lines = append(want.Lines, platform.Line{ID: id("txnitm", 77), Product: id("pri", 1), Title: "Standard", Quantity: 1, UnitPrice: "5.00"})
	decodes(t, a, changed(t, "paddle_paid", `{"keypool_product":"game"}}}]}`, `{"keypool_product":"game"}}},`+second+`]}`), account(""), want)
}

// Without a key only an order is delivered whose checkout passes the address.
func TestDecode_withoutKey(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	keyless := without(account(""), "live_key")
	passed := one(10)
	passed.Customer = order.Customer{Email: "ada@example.com"}
	passed.Language = ""
	decodes(t, a, webhook(t, "paddle_email_passed"), keyless, passed)
	if len(w.calls) != 0 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	decodes(t, a, webhook(t, "paddle_email_passed"), account(""), one(10)) // with one, who the customer is counts
	for _, name := range []string{"paddle_paid", "paddle_renewed"} {
		if wrong := setup(t, a, webhook(t, name), keyless); wrong.Field != "credentials.live_key" || !strings.Contains(wrong.Problem, "is missing") || wrong.Order == "" {
			t.Errorf("%s: %+v", name, wrong)
		}
	}
	if wrong := setup(t, a, webhook(t, "paddle_paid_test"), without(ofTestSide(account("")), "test_key")); wrong.Field != "credentials.test_key" {
		t.Errorf("the sandbox: %+v", wrong)
	}
}

// An event that was simulated is signed like any other, and the API knows nothing of it. Nor
// does it if the secret is marked as the other side's.
func TestDecode_whatTheAPIDoesNotKnow(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	if wrong := setup(t, a, changed(t, "paddle_paid", id("txn", 1), id("txn", 999)), account("")); wrong.Field != "credentials.live_key" || wrong.Order != id("txn", 999) || !strings.Contains(wrong.Problem, "simulated") {
		t.Errorf("%+v", wrong)
	}
	if wrong := setup(t, a, webhook(t, "paddle_paid"), ofTestSide(account(""))); wrong.Field != "credentials.test_key" || !strings.Contains(wrong.Problem, "marked as the other side's") {
		t.Errorf("%+v", wrong)
	}
}

// A failure of the API is one that passes, or one that the merchant is told how to mend.
func TestDecode_failuresOfTheAPI(t *testing.T) {
	t.Parallel()
	for status, says := range map[int]string{429: "", 500: "", 503: "", 401: "revoked", 403: "permissions", 400: "refuses"} {
		w, a := open(t)
		w.fails["/transactions/"+id("txn", 1)] = status
		_, err := a.Decode(t.Context(), webhook(t, "paddle_paid"), account(""))
		var wrong *platform.SetupError
		if says == "" && !errors.Is(err, platform.ErrTryAgain) || says != "" && (!errors.As(err, &wrong) || !strings.Contains(wrong.Problem, says)) {
			t.Errorf("%d: %v", status, err)
		}
		if err == nil || strings.Contains(err.Error(), "apikey_01") {
			t.Errorf("%d: it quotes the key: %v", status, err)
		}
	}
	for name, answer := range map[string]string{
		"no JSON": `<html>`, "a list": `[]`, "a member twice": `{"data":{},"data":{}}`, "nothing": `{}`,
		"another order":          `{"data":{"id":"` + id("txn", 2) + `","customer_id":"` + id("ctm", 1) + `"}}`,
		"another order's member": `{"data":{"id":"` + id("txn", 1) + `","customer_id":"` + id("ctm", 2) + `"}}`,
		"another customer":       `{"data":{"id":"` + id("txn", 1) + `","customer_id":"` + id("ctm", 1) + `","customer":{"id":"` + id("ctm", 2) + `","email":"eve@example.com"}}}`,
	} {
		a := paddle.Adapter{API: through(func(*http.Request) string { return answer })}
		if got, err := a.Decode(t.Context(), webhook(t, "paddle_paid"), account("")); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Paddle gives up waiting after five seconds: an API that does not answer costs three.
func TestDecode_slowAPI(t *testing.T) {
	t.Parallel()
	a := paddle.Adapter{API: outbound.Through(never{})}
	began := time.Now()
	_, err := a.Decode(t.Context(), webhook(t, "paddle_paid"), account(""))
	if took := time.Since(began); !errors.Is(err, platform.ErrTryAgain) || took > 4*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

type never struct{}

func (never) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// What lacks what it needs is refused, with the place, and nothing of its value.
func TestDecode_refused(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for _, test := range []struct{ name, old, new, field string }{
		{"paddle_paid", `"event_type":"transaction.completed"`, `"event_type":null`, "event_type"},
		{"paddle_paid", `"data":{"id":"` + id("txn", 1) + `"`, `"data":{"id":"` + id("ctm", 1) + `"`, "data.id"},
		{"paddle_paid", `"data":{"id":"` + id("txn", 1) + `"`, `"data":{"id":"txn_../../customers"`, "data.id"},
		{"paddle_paid", `"data":{"id":"` + id("txn", 1) + `"`, `"data":{"id":null`, "data.id"},
		{"paddle_paid", `"origin":"web"`, `"origin":null`, "data.origin"},
		{"paddle_paid", `"status":"completed"`, `"status":"billed"`, "data.status"},
		{"paddle_paid", `"details":{"totals"`, `"details":{"tot"`, "data.details.totals.total"},
		{"paddle_paid", `"line_items":[{"id":"` + id("txnitm", 1) + `"`, `"line_items":[{"id":null`, "data.details.line_items[0].id"},
		{"paddle_paid", `"quantity":2,"proration":null,"tax_rate"`, `"quantity":1.5,"proration":null,"tax_rate"`, "data.details.line_items[0].quantity"},
		{"paddle_refund_approved", `"data":{"id":"` + id("adj", 1) + `"`, `"data":{"id":7`, "data.id"},
		{"paddle_refund_approved", `"transaction_id":"` + id("txn", 1) + `"`, `"transaction_id":null`, "data.transaction_id"},
		{"paddle_refund_approved", `"action":"refund"`, `"action":null`, "data.action"},
		{"paddle_refund_approved", `"status":"approved"`, `"status":null`, "data.status"},
		{"paddle_twice", "", "", ""},
	} {
		r := webhook(t, test.name)
		if test.old != "" {
			r = changed(t, test.name, test.old, test.new)
		}
		got, err := a.Decode(t.Context(), r, account(""))
		var wrong *platform.FieldError
		if !errors.As(err, &wrong) || wrong.Field != test.field {
			t.Errorf("%s, %s: %+v, %v", test.name, test.new, got, err)
		}
	}
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
	if wrong := setup(t, a, webhook(t, "paddle_paid"), account(`{"product":"sku"}`)); wrong.Field != "settings" {
		t.Errorf("%+v", wrong)
	}
}
