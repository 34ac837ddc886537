package shopify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	orders "keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

var (
	ada = orders.Customer{
		FirstName: "Ada", LastName: "Byron", Email: "ada@example.com", Phone: "+44 20 7946 0000", Company: "Analytical Engines",
		Country: "GB", City: "London", Zip: "SW1Y 4LE", Address: "12 St James's Square", LicenseFor: "Augusta King",
	}
	placedAt = time.Date(2026, 1, 2, 15, 3, 0, 0, time.UTC)
)

// paid is the order of events/shopify_paid.json.
func paid() platform.Paid {
	return platform.Paid{
		Order: "5501234567890", Currency: "EUR", Language: "en-GB", PaidAt: placedAt, ChangedAt: time.Date(2026, 1, 2, 15, 4, 1, 0, time.UTC), Customer: ada,
		Lines: []platform.Line{{ID: "14001234567890", Product: "44001234567890", Title: "The Game - Deluxe", Quantity: 2, UnitPrice: "59.99"}},
	}
}

func decodes(t *testing.T, a shopify.Adapter, r platform.Request, from platform.Account, want ...platform.Event) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	if err != nil {
		t.Errorf("refused: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// refuses holds a webhook to be refused for a mistake in a field, and to quote nothing.
func refuses(t *testing.T, r platform.Request, from platform.Account, field, says string) {
	t.Helper()
	got, err := shopify.Adapter{}.Decode(t.Context(), r, from)
	var mistake *platform.FieldError
	if !errors.As(err, &mistake) || mistake.Field != field || !strings.Contains(mistake.Problem, says) {
		t.Errorf("%+v, %v, want that %q %s", got, err, field, says)
	}
}

func ignored(topic string) platform.Event { return platform.Ignored{Type: topic} }

func TestDecode_paidOrder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shopify_paid", "shopify_paid_by_hand"} {
		decodes(t, shopify.Adapter{}, webhook(t, name), account(), paid())
	}
	test := paid()
	test.Order, test.Test = "5501234567891", true
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_paid_test"), account(), test)
	// The bogus gateway takes no money, whatever else the order says.
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid_test", `"test":true`, `"test":false`), account(), test)
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid_test", `"bogus"`, `"shopify_payments"`), account(), test)
}

// Of what is not paid nothing is sold: not by another topic, and not by another state.
func TestDecode_notPaid(t *testing.T) {
	t.Parallel()
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_updated"), account(), ignored("orders/updated"))
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_pending"), account(), ignored("orders/paid"))
	for _, status := range []string{"authorized", "voided", "expired", "partially_paid", "Paid", ""} {
		r := changed(t, "shopify_pending", `"pending"`, `"`+status+`"`)
		if status == "" {
			refuses(t, r, account(), "financial_status", "is not there")
			continue
		}
		decodes(t, shopify.Adapter{}, r, account(), ignored("orders/paid"))
	}
	for _, topic := range []string{"orders/create", "orders/edited", "app/uninstalled"} {
		r := webhook(t, "shopify_paid")
		r.Header.Set("X-Shopify-Topic", topic)
		decodes(t, shopify.Adapter{}, r, account(), ignored(topic))
	}
	r := webhook(t, "shopify_paid")
	r.Header.Set("X-Shopify-Topic", "orders/reticulated")
	decodes(t, shopify.Adapter{}, r, account(), platform.Ignored{Type: "orders/reticulated", Unknown: true})
}

// The topic is not signed: each body has to be as its topic says, so that a recorded
// webhook cannot be sent again as another.
func TestDecode_topicIsHeldAgainstTheBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, topic, field string }{
		{"shopify_paid", "orders/cancelled", "cancelled_at"},
		{"shopify_paid", "refunds/create", "order_id"},
		{"shopify_disputed", "refunds/create", "refund_line_items"},
		{"shopify_disputed", "orders/paid", "financial_status"},
		{"shopify_refunded_all", "disputes/create", "status"},
		{"shopify_refunded_all", "orders/paid", "financial_status"},
		{"shopify_risk", "disputes/create", "id"},
		{"shopify_paid", "", "X-Shopify-Topic"},
		{"shopify_paid", "<script>/x", "X-Shopify-Topic"},
	} {
		r := webhook(t, test.name)
		r.Header.Set("X-Shopify-Topic", test.topic)
		refuses(t, r, account(), test.field, "")
	}
	r := webhook(t, "shopify_paid")
	r.Header.Set("X-Shopify-Topic", "ORDERS/PAID")
	decodes(t, shopify.Adapter{}, r, account(), paid())
}

// One client secret signs for every shop of an app, and no shop is signed.
func TestDecode_otherShop(t *testing.T) {
	t.Parallel()
	refuses(t, webhook(t, "shopify_other_shop"), account(), "X-Shopify-Shop-Domain", "another shop")
	r := webhook(t, "shopify_paid")
	r.Header.Del("X-Shopify-Shop-Domain")
	refuses(t, r, account(), "X-Shopify-Shop-Domain", "another shop")
}

// What "Send test notification" sends is signed as a true order is, and sells nothing.
func TestDecode_testNotification(t *testing.T) {
	t.Parallel()
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_test_notification"), account(), ignored("orders/paid"))
	r := webhook(t, "shopify_test_notification") // without its header
	r.Header.Del("X-Shopify-Test")
	decodes(t, shopify.Adapter{}, r, account(), ignored("orders/paid"))
	r = changed(t, "shopify_refunded_all", `"order_id":5501234567890,"created_at"`, `"order_id":820982911946154508,"created_at"`)
	decodes(t, shopify.Adapter{}, r, account(), ignored("refunds/create"))
	// Ids are read by their digits: a float would make this the sample's neighbour.
	next := paid()
	next.Order = "820982911946154509"
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `{"id":5501234567890`, `{"id":820982911946154509`), account(), next)
}

func TestDecode_linesWithNothingToDeliver(t *testing.T) {
	t.Parallel()
	want := paid()
	want.Order, want.SkippedLines = "5501234567892", []string{"14001234567891", "14001234567892", "14001234567893"}
	want.Shipped = []platform.Line{{ID: "14001234567891", Product: "44001234567891"}} // of the gift card and the tip nothing is to be said
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_paid_mixed"), account(), want)

	want.Lines = append(want.Lines, platform.Line{ID: "14001234567891", Product: "44001234567891", Title: "The Mug", Quantity: 2, UnitPrice: "59.99"})
	want.SkippedLines, want.Shipped = want.SkippedLines[1:], nil
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_paid_mixed"), account(`"shipped_lines":"deliver"`), want)

	// An order of the point of sale, of what ships, has nobody's address, and needs none.
	ships := []string{`"requires_shipping":false`, `"requires_shipping":true`}
	decodes(t, shopify.Adapter{}, changed(t, "shopify_no_address", ships...), account(), ignored("orders/paid"))
}

// Quantities are as first bought: what is there now, and what refunds took. What was
// removed before the payment stands in line_items all the same.
func TestDecode_editedOrder(t *testing.T) {
	t.Parallel()
	want := paid()
	want.SkippedLines = []string{"14001234567894"}
	back := platform.Returned{
		Order: "5501234567890", ID: "920001", At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC),
		Lines: []platform.ReturnedLine{{ID: "14001234567890", Quantity: 1}},
	}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_paid_edited"), account(), back, want) // 3 ordered, 1 removed, 2 paid, 1 refunded

	r := changed(t, "shopify_paid_edited", `"current_quantity":1`, `"current_quantity":9`)
	want.Lines[0].Quantity = 3
	decodes(t, shopify.Adapter{}, r, account(), back, want) // never more than was ordered

	r = changed(t, "shopify_paid", `"current_quantity":2,`, ``) // of an API version before 2024-01
	decodes(t, shopify.Adapter{}, r, account(), paid())

	r = changed(t, "shopify_paid_edited", `"financial_status":"paid"`, `"financial_status":"partially_refunded"`)
	want.Lines[0].Quantity = 2
	decodes(t, shopify.Adapter{}, r, account(), back, want)
}

// A paid order that was refunded or cancelled before its webhook came takes no key.
func TestDecode_refundedBeforeItCame(t *testing.T) {
	t.Parallel()
	r := changed(t, "shopify_paid", `"financial_status":"paid"`, `"financial_status":"refunded"`)
	all := platform.Returned{Order: "5501234567890", ID: "refunded", All: true, At: time.Date(2026, 1, 2, 15, 4, 1, 0, time.UTC)}
	decodes(t, shopify.Adapter{}, r, account(), all)

	r = changed(t, "shopify_paid", `"cancelled_at":null`, `"cancelled_at":"2026-01-03T10:00:00+01:00"`)
	decodes(t, shopify.Adapter{}, r, account(), platform.Returned{Order: "5501234567890", ID: "cancelled", All: true, At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)})
}

func TestDecode_cancelledOrder(t *testing.T) {
	t.Parallel()
	back := platform.Returned{Order: "5501234567890", ID: "cancelled", All: true, At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_cancelled"), account(), back)
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_cancelled_unpaid"), account(), ignored("orders/cancelled"))
}

func TestDecode_refunds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	part := platform.Returned{
		Order: "5501234567890", TestUnknown: true, ID: "920001", At: at, Lines: []platform.ReturnedLine{{ID: "14001234567890", Quantity: 1}},
	}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_refunded_part"), account(), part)
	all := part
	all.ID, all.Lines = "920003", []platform.ReturnedLine{{ID: "14001234567890", Quantity: 2}}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_refunded_all"), account(), all)

	amount := platform.Returned{Order: "5501234567890", TestUnknown: true, ID: "920002", At: at, Amount: "10.00", Currency: "EUR"}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_refunded_amount"), account(), amount)

	failed := platform.Returned{Order: "5501234567890", TestUnknown: true, ID: "920004", At: at, Failed: true}
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_refund_failed"), account(), failed)

	// A payment of a test tells the side, and is the only thing that does.
	test := part
	test.Test, test.TestUnknown = true, false
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_part", `"test":false`, `"test":true`), account(), test)
	// One that is under way counts, and so does what an edit took: without any payment.
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_part", `"success"`, `"pending"`), account(), part)
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_part", `"transactions":[{"id":77,"order_id":5501234567890,"kind":"refund","status":"success","amount":"59.99","currency":"EUR","test":false}]`, `"transactions":[]`), account(), part)
	// Units of a line that ships are no business of ours, nor is a refund of nothing.
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_part", `"requires_shipping":false`, `"requires_shipping":true`), account(), ignored("refunds/create"))
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_amount", `"amount":"10.00"`, `"amount":"0.00"`), account(), ignored("refunds/create"))
	// Two payments of one refund are one amount.
	two := amount
	two.Amount = "12.50"
	decodes(t, shopify.Adapter{}, changed(t, "shopify_refunded_amount", `"transactions":[`,
		`"transactions":[{"id":80,"kind":"refund","status":"success","amount":"2.5","currency":"EUR","test":false},{"id":81,"kind":"sale","status":"success","amount":"99","currency":"EUR"},`), account(), two)
}

// A refund of money alone whose payments Shopify does not list is an amount, by its
// adjustments: of all of them, since one may add again what another took.
func TestDecode_refundByAdjustmentsAlone(t *testing.T) {
	t.Parallel()
	amount := func(text, currency string) platform.Event {
		return platform.Returned{
			Order: "5501234567890", TestUnknown: true, ID: "920002", At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC), Amount: text, Currency: currency,
		}
	}
	adjusted := func(amount, tax string) string {
		return fmt.Sprintf(`{"id":1,"amount":"%s","tax_amount":"%s","amount_set":{"shop_money":{"amount":"%s","currency_code":"EUR"}},"kind":"refund_discrepancy"}`, amount, tax, amount)
	}
	const (
		payments    = `"transactions":[{"id":78,"order_id":5501234567890,"kind":"refund","status":"success","amount":"10.00","currency":"EUR","test":false}]`
		adjustments = `"order_adjustments":[{"id":1,"order_id":5501234567890,"refund_id":920002,"amount":"-10.00","kind":"refund_discrepancy","reason":"Refund discrepancy"}]`
	)
	for name, test := range map[string]struct {
		payments, adjustments string
		want                  platform.Event
	}{
		"as old versions write it": {`"transactions":[]`, adjustments, amount("10.00", "")},
		"with its taxes":           {`"transactions":[]`, `"order_adjustments":[` + adjusted("-10.00", "-1.90") + `]`, amount("11.90", "EUR")},
		"several":                  {`"transactions":[]`, `"order_adjustments":[` + adjusted("-10.00", "0.00") + "," + adjusted("4.00", "0.00") + `]`, amount("6.00", "EUR")},
		"that come to nothing":     {`"transactions":[]`, `"order_adjustments":[` + adjusted("-3.95", "0.00") + "," + adjusted("3.95", "0.00") + `]`, ignored("refunds/create")},
		"that add to the order":    {`"transactions":[]`, `"order_adjustments":[` + adjusted("10.00", "0.00") + `]`, ignored("refunds/create")},
		"that nobody can read":     {`"transactions":[]`, `"order_adjustments":[{"amount":"much"}]`, ignored("refunds/create")},
		"none":                     {`"transactions":[]`, `"order_adjustments":[]`, ignored("refunds/create")},
		"beside a payment":         {payments, `"order_adjustments":[` + adjusted("-99.00", "0.00") + `]`, amount("10.00", "EUR")},
	} {
		r := changed(t, "shopify_refunded_amount", payments, test.payments, adjustments, test.adjustments)
		got, err := shopify.Adapter{}.Decode(t.Context(), r, account())
		if diff := cmp.Diff([]platform.Event{test.want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestDecode_disputes(t *testing.T) {
	t.Parallel()
	opened := platform.Disputed{Order: "5501234567890", TestUnknown: true, ID: "815", State: platform.DisputeOpen, At: time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)}
	won, lost := opened, opened
	won.State, lost.State = platform.DisputeWon, platform.DisputeLost
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_disputed"), account(), opened)
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_dispute_won"), account(), won)
	decodes(t, shopify.Adapter{}, webhook(t, "shopify_dispute_lost"), account(), lost)
	for status, want := range map[string]platform.Disputed{"under_review": opened, "prevented": opened, "accepted": lost, "charge_refunded": lost} {
		decodes(t, shopify.Adapter{}, changed(t, "shopify_dispute_won", `"won"`, `"`+status+`"`), account(), want)
	}
	decodes(t, shopify.Adapter{}, changed(t, "shopify_disputed", `"order_id":5501234567890`, `"order_id":null`), account(), ignored("disputes/create"))
	refuses(t, changed(t, "shopify_dispute_won", `"won"`, `"settled"`), account(), "status", "none of the states")
}

func TestDecode_products(t *testing.T) {
	t.Parallel()
	custom := []string{`"product_id":8001234567890,"variant_id":44001234567890,"sku":"GAME-DLX"`, `"product_id":null,"variant_id":null,"sku":null`}
	noSKU := []string{`"sku":"GAME-DLX"`, `"sku":""`}
	for _, test := range []struct {
		setting string
		change  []string
		want    string
	}{
		{"variant", nil, "44001234567890"},
		{"product", nil, "8001234567890"},
		{"sku", nil, "GAME-DLX"},
		{"sku", noSKU, "44001234567890"},
		{"variant", custom, "The Game - Deluxe"},
		{"sku", custom, "The Game - Deluxe"},
		{"variant", append([]string{`"name":"The Game - Deluxe"`, `"name":""`, `"title":"The Game"`, `"title":"` + strings.Repeat("x", 129) + `"`}, custom...), "14001234567890"},
		{"variant", []string{`"product_id":8001234567890,"variant_id":44001234567890`, `"product_id":null,"variant_id":null`}, "GAME-DLX"},
		{"variant", []string{`"product_exists":true`, `"product_exists":false`}, "44001234567890"}, // deleted since
	} {
		got, err := shopify.Adapter{}.Decode(t.Context(), changed(t, "shopify_paid", test.change...), account(`"product":"`+test.setting+`"`))
		if err != nil || len(got) != 1 || got[0].(platform.Paid).Lines[0].Product != test.want {
			t.Errorf("by %s it is %+v, %v, want %s", test.setting, got, err, test.want)
		}
	}
}

// The address stands in one of three places.
func TestDecode_address(t *testing.T) {
	t.Parallel()
	none := []string{`"email":"ada@example.com","contact_email":"ada@example.com"`, `"email":null,"contact_email":""`}
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", none...), account(), paid())
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"email":"ada@example.com","contact_email"`, `"email":"","contact_email"`, `"customer":{"id":9001,"email":"ada@example.com"`, `"customer":{"id":9001,"email":null`), account(), paid())
	// Without one the order is told all the same: its lines wait for an address.
	got, err := shopify.Adapter{}.Decode(t.Context(), webhook(t, "shopify_no_address"), account())
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if bare, ok := got[0].(platform.Paid); !ok || bare.Customer.Email != "" || len(bare.Lines) != 1 || bare.Check(10) != nil {
		t.Errorf("%+v", got[0])
	}
}

// An order that was brought from another shop was paid there, long ago.
func TestDecode_importedOrder(t *testing.T) {
	t.Parallel()
	want := paid()
	want.PaidAt = time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"processed_at":"2026-01-02T16:03:00+01:00"`, `"processed_at":"2020-05-06T07:08:09Z"`), account(), want)
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"processed_at":"2026-01-02T16:03:00+01:00"`, `"processed_at":null`), account(), paid())
}

// What is only shown is left out where it cannot be read.
func TestDecode_shownFields(t *testing.T) {
	t.Parallel()
	want := paid()
	want.Customer.City, want.IgnoredFields = "", []string{"billing_address.city"}
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"city":"London"`, `"city":["London"]`), account(), want)
	bare := paid()
	bare.Customer = orders.Customer{Email: "ada@example.com", FirstName: "Ada", LastName: "Byron", LicenseFor: "Augusta King"}
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"billing_address":{`, `"billing_address":null,"was":{`), account(), bare)
	// A license's holder may stand at a line; on old orders the properties are no list.
	line := paid()
	line.Customer.LicenseFor = "Charles"
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"note_attributes":[{"name":"license_for","value":"Augusta King"}]`, `"note_attributes":[]`, `"properties":[]`, `"properties":[{"name":"edition","value":"x"},{"name":"license_for","value":"Charles"}]`), account(), line)
	decodes(t, shopify.Adapter{}, changed(t, "shopify_paid", `"properties":[]`, `"properties":{}`), account(), paid())
}

func TestDecode_mistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change      []string
		field, says string
	}{
		{[]string{`{"id":5501234567890`, `{"id":null`}, "id", "whole number"},
		{[]string{`{"id":5501234567890`, `{"id":5.5e12`}, "id", "whole number"},
		{[]string{`{"id":14001234567890`, `{"id":"x"`}, "line_items[0].id", "whole number"},
		{[]string{`"variant_id":44001234567890`, `"variant_id":[]`}, "line_items[0].variant_id", "whole number"},
		{[]string{`"quantity":2,"current_quantity"`, `"quantity":-2,"current_quantity"`}, "line_items[0].quantity", "whole number"},
		{[]string{`"quantity":2,"current_quantity"`, `"quantity":"many","current_quantity"`}, "line_items[0].quantity", "whole number"},
		{[]string{`"line_items":[`, `"lines":[`}, "line_items", "is not there"},
		{[]string{`"refunds":[]`, `"refunds":[{"id":1}]`}, "refund_line_items", "is not there"},
		{[]string{`"refunds":[]`, `"refunds":[],"refunds":[]`}, "", "twice"},
		{[]string{`"Ada"`, `"\ud800"`}, "", "Unicode"},
	} {
		refuses(t, changed(t, "shopify_paid", test.change...), account(), test.field, test.says)
	}
	xml := webhook(t, "shopify_paid")
	xml.Body = []byte("\n<?xml version=\"1.0\"?><order/>")
	refuses(t, xml, account(), "", "format to JSON")
	var setup *platform.SetupError
	if _, err := (shopify.Adapter{}).Decode(t.Context(), webhook(t, "shopify_paid"), platform.Account{}); !errors.As(err, &setup) || setup.Field != "settings" {
		t.Errorf("without settings: %v", err)
	}
	if (shopify.Adapter{}).HasSignature(http.Header{}) {
		t.Error("nothing is taken for a signature")
	}
}
