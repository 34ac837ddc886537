package woocommerce_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

var (
	ada = order.Customer{
		FirstName: "Ada", LastName: "Byron", Email: "ada@example.com", Phone: "+44 20 7946 0000", Company: "Analytical Engines",
		Country: "GB", City: "London", Zip: "SW1Y 4LE", Address: "12 St James's Square",
	}
	paidAt    = time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	changedAt = time.Date(2026, 1, 2, 15, 4, 1, 0, time.UTC)
)

// paid is the order of events/woocommerce_paid.json.
func paid() platform.Paid {
	return platform.Paid{
		Order: "727", Currency: "EUR", Language: "en", PaidAt: paidAt, ChangedAt: changedAt, Customer: ada,
		Lines: []platform.Line{
			{ID: "315", Product: "94", Title: "The Game – Deluxe", Quantity: 2, UnitPrice: "59.99"},
			{ID: "316", Product: "88", Title: "A poster", Quantity: 1, UnitPrice: "19.90"},
		},
	}
}

func decodes(t *testing.T, a woocommerce.Adapter, r platform.Request, from platform.Account, want ...platform.Event) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	if err != nil {
		t.Errorf("refused: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ignored(topic string) platform.Event { return platform.Ignored{Type: topic} }

func TestDecode_paidOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "woocommerce_paid"), withKey(account(forUs)), paid())
	created := paid()
	created.Order, created.Lines = "728", []platform.Line{created.Lines[0]}
	created.Lines[0].ID = "320"
	decodes(t, a, webhook(t, "woocommerce_created"), account(forUs), created)
	if len(w.calls) != 0 {
		t.Errorf("it takes the calls %v", w.calls)
	}
}

// An order without an address is told all the same, and not refused: the shop reports it again
// when somebody enters one.
func TestDecode_withoutAnAddress(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	want := paid()
	want.Customer.Email = ""
	decodes(t, a, changed(t, "woocommerce_paid", `"email":"ada@example.com"`, `"email":""`), account(forUs), want)
	if err := want.Check(10); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// Trap: order.created comes before the payment, and an order that is paid on delivery is
// processing before it is. Only a time of payment and the status together mean paid.
func TestDecode_unpaid(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for name, topic := range map[string]string{
		"woocommerce_unpaid": "order.created", "woocommerce_paid_on_delivery": "order.created", "woocommerce_cancelled_unpaid": "order.updated",
	} {
		decodes(t, a, webhook(t, name), account(forUs), ignored(topic))
	}
	for _, status := range []string{"on-hold", "pending", "failed", "checkout-draft", "auto-draft", "trash", "shipped", "wc-processing"} {
		decodes(t, a, changed(t, "woocommerce_paid", `"status":"processing"`, `"status":"`+status+`"`), account(forUs), ignored("order.updated"))
	}
	decodes(t, a, changed(t, "woocommerce_cancelled_unpaid", `"cancelled"`, `"refunded"`), account(forUs), ignored("order.updated"))
	// A late payment lifts it.
	decodes(t, a, changed(t, "woocommerce_cancelled", `"cancelled"`, `"completed"`, "2026-01-03T10:00:00", "2026-01-02T15:04:01"), account(forUs), paid())
	// A shop may have a status of its own that means paid.
	own := `{"shop":"shop.example.com","paid_statuses":["shipped"]}`
	decodes(t, a, changed(t, "woocommerce_paid", `"status":"processing"`, `"status":"shipped"`), account(own), paid())
}

// WooCommerce itself has no test orders. Two payment plugins say that no money was paid.
func TestDecode_testOrder(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	test := paid()
	test.Test = true
	decodes(t, a, webhook(t, "woocommerce_paid_test"), account(forUs), test)
	decodes(t, a, changed(t, "woocommerce_paid_test", `"_wcpay_mode","value":"test"`, `"_ppcp_paypal_payment_mode","value":"sandbox"`), account(forUs), test)
	decodes(t, a, changed(t, "woocommerce_paid_test", `"value":"test"`, `"value":"prod"`), account(forUs), paid())
	all := platform.Returned{Order: "727", ID: "refunded", Test: true, All: true, At: changedAt}
	decodes(t, a, changed(t, "woocommerce_paid_test", `"status":"processing"`, `"status":"refunded"`), account(forUs), all)
	// All orders of a test site are.
	decodes(t, a, webhook(t, "woocommerce_paid"), account(`{"shop":"shop.example.com","test":true}`), test)
}

func refuses(t *testing.T, a woocommerce.Adapter, r platform.Request, from platform.Account, field, says string) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	var wrong *platform.FieldError
	if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(wrong.Problem, says) {
		t.Errorf("%+v, %v, want that %s %s", got, err, field, says)
	}
}

func TestDecode_topics(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for topic, unknown := range map[string]bool{
		"order.deleted": false, "product.updated": false, "coupon.created": false, "customer.deleted": false, "subscription.updated": false,
		"action.woocommerce_add_to_cart": false, "order.paid": true, "something.new": true, "nothing": true,
	} {
		r := webhook(t, "woocommerce_paid")
		r.Header.Set("X-WC-Webhook-Topic", topic)
		decodes(t, a, r, account(forUs), platform.Ignored{Type: topic, Unknown: unknown})
	}
	decodes(t, a, webhook(t, "woocommerce_deleted"), account(forUs), ignored("order.deleted"))
	decodes(t, a, webhook(t, "woocommerce_product"), account(forUs), ignored("product.updated"))
	restored := webhook(t, "woocommerce_paid")
	restored.Header.Set("X-WC-Webhook-Topic", "order.restored")
	decodes(t, a, restored, account(forUs), paid())
	none := webhook(t, "woocommerce_paid")
	none.Header.Del("X-WC-Webhook-Topic")
	refuses(t, a, none, account(forUs), "X-WC-Webhook-Topic", "missing")
}

// Trap: a copy of the shop keeps address, secret and order numbers, and sends its orders
// to the live side.
func TestDecode_otherShop(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	refuses(t, a, webhook(t, "woocommerce_staging"), account(forUs), "X-WC-Webhook-Source", "copy")
	for source, ours := range map[string]bool{
		"https://shop.example.com/": true, "https://Shop.Example.com": true, "http://shop.example.com/": true,
		"https://shop.example.com/shop/": false, "https://www.shop.example.com/": false, "https://shop.example.com:8080/": false,
		"shop.example.com": false, "": false, "https://shop.example.com.evil.example/": false,
	} {
		r := webhook(t, "woocommerce_paid")
		r.Header.Set("X-WC-Webhook-Source", source)
		if ours {
			decodes(t, a, r, account(forUs), paid())
			continue
		}
		refuses(t, a, r, account(forUs), "X-WC-Webhook-Source", "shop")
	}
	folder := webhook(t, "woocommerce_paid")
	folder.Header.Set("X-WC-Webhook-Source", "https://shop.example.com/buy/")
	decodes(t, a, folder, account(`{"shop":"https://shop.example.com/buy/"}`), paid())
}

// Trap: the user who made the webhook was deleted, or may not read orders any more. What is
// signed and sent for each order then is an error.
func TestDecode_errorInThePlaceOfAnOrder(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	refuses(t, a, webhook(t, "woocommerce_not_allowed"), account(forUs), "", "Save the webhook again")
	refuses(t, a, ofTopic(changed(t, "woocommerce_deleted", "727", "null"), "order.updated"), account(forUs), "id", "missing")
}

// Trap: a line that staff adds after the payment is a line of its own; one whose quantity
// they change is the same line.
func TestDecode_edited(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	edited := paid()
	edited.ChangedAt = time.Date(2026, 1, 2, 16, 0, 0, 0, time.UTC)
	edited.Lines[0].Quantity = 3
	edited.Lines = append(edited.Lines, platform.Line{ID: "330", Product: "94", Title: "The Game – Deluxe", Quantity: 1, UnitPrice: "59.99"})
	decodes(t, a, webhook(t, "woocommerce_edited"), account(forUs), edited)
}

// Which of its ids names a product is the account's setting. Trap: the product's id is the
// same for all its variations, and a SKU may be gone.
func TestDecode_products(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for settings, want := range map[string]string{
		`{"shop":"shop.example.com"}`:                       "94 88",
		`{"shop":"shop.example.com","product":"variation"}`: "94 88",
		`{"shop":"shop.example.com","product":"product"}`:   "93 88",
		`{"shop":"shop.example.com","product":"sku"}`:       "GAME-DLX POSTER",
	} {
		got, err := a.Decode(t.Context(), webhook(t, "woocommerce_paid"), account(settings))
		if err != nil {
			t.Fatal(err)
		}
		lines := got[0].(platform.Paid).Lines
		if products := lines[0].Product + " " + lines[1].Product; products != want {
			t.Errorf("%s: %s, want %s", settings, products, want)
		}
	}
	for _, gone := range []string{`"sku":null`, `"sku":""`, `"sku":" "`} {
		got, err := a.Decode(t.Context(), changed(t, "woocommerce_paid", `"sku":"GAME-DLX"`, gone), account(`{"shop":"shop.example.com","product":"sku"}`))
		if err != nil || got[0].(platform.Paid).Lines[0].Product != "94" {
			t.Errorf("%s: %+v, %v", gone, got, err)
		}
	}
}

func TestDecode_lines(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	read := func(oldnew ...string) platform.Paid {
		t.Helper()
		got, err := a.Decode(t.Context(), changed(t, "woocommerce_paid", oldnew...), account(forUs))
		if err != nil || len(got) != 1 {
			t.Fatalf("%v: %+v, %v", oldnew, got, err)
		}
		return got[0].(platform.Paid)
	}
	// What is sold by weight, or not at all, is nothing to deliver, and no reason to refuse
	// what is beside it.
	for _, quantity := range []string{"1.5", "0", "null", "-1", `"many"`} {
		p := read(`"variation_id":0,"quantity":1`, `"variation_id":0,"quantity":`+quantity)
		if len(p.Lines) != 1 || fmt.Sprint(p.SkippedLines) != "[316]" {
			t.Errorf("quantity %s: %+v", quantity, p)
		}
	}
	// The price is with tax and after discounts, in as many digits as the shop writes.
	for total, want := range map[string]string{
		`"total":"100.00","total_tax":"19.98"`:     "59.99",
		`"total":"59.99","total_tax":"0.00"`:       "30.00",
		`"total":"5000","total_tax":"0"`:           "2500",
		`"total":"0.00","total_tax":"0.00"`:        "0.00",
		`"total":"1.000","total_tax":"0.001"`:      "0.501",
		`"total":null,"total_tax":"0.00"`:          "",
		`"total":"119.98","total_tax":null`:        "59.99",
		`"total":"59.985","total_tax":"0.00"`:      "29.993",
		`"total":"100.00","total_tax":"0.01"`:      "50.01",
		`"total":"1e9","total_tax":"0.00"`:         "",
		`"total":"-119.98","total_tax":"not text"`: "-59.99",
	} {
		if p := read(`"total":"119.98","total_tax":"0.00"`, total); p.Lines[0].UnitPrice != want {
			t.Errorf("%s: %s, want %s", total, p.Lines[0].UnitPrice, want)
		}
	}
	// A bundle and its part are a line each: keys are due to those whose product is known here.
	if p := read(`"id":315,`, `"bundled_items":[317],"id":315,`, `{"id":316,`, `{"id":317,"bundled_by":315,"product_id":94,"variation_id":0,"quantity":2,"name":"A part","total":"0.00","total_tax":"0.00"},{"id":316,`); len(p.Lines) != 3 ||
		p.Lines[0].ID != "315" || p.Lines[1].ID != "317" || p.Lines[1].Product != "94" || p.Lines[1].Quantity != 2 {
		t.Errorf("%+v", p.Lines)
	}
	// Ids of many digits stay what they are.
	if p := read(`"id":315,`, `"id":9007199254740993,`); p.Lines[0].ID != "9007199254740993" {
		t.Errorf("%+v", p.Lines[0])
	}
	refuses(t, a, changed(t, "woocommerce_paid", `"id":315,`, `"id":null,`), account(forUs), "line_items[0].id", "missing")
	// An order of fees alone holds nothing for anybody to deliver.
	body := string(webhook(t, "woocommerce_paid").Body)
	from, to := strings.Index(body, `"line_items":[`)+len(`"line_items":[`), strings.Index(body, `],"tax_lines"`)
	decodes(t, a, changed(t, "woocommerce_paid", body[from:to], ""), account(forUs), ignored("order.updated"))
}

func TestDecode_customer(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	got, err := a.Decode(t.Context(), changed(t, "woocommerce_paid", `"address_2":""`, `"address_2":"Flat 3"`, `"customer_note":""`, `"customer_note":"For Augusta"`,
		`"phone":"+44 20 7946 0000"`, `"phone":null`, `"wpml_language","value":"en"`, `"weglot_language","value":"pt_BR"`),
		account(`{"shop":"shop.example.com","license_field":"_licensee"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := ada
	want.Address, want.AddInfo, want.Phone, want.LicenseFor = "12 St James's Square\nFlat 3", "For Augusta", "", "Augusta King"
	p := got[0].(platform.Paid)
	if diff := cmp.Diff(want, p.Customer); diff != "" || p.Language != "pt-BR" {
		t.Errorf("language %s (-want +got):\n%s", p.Language, diff)
	}
	// Meta data may be of any type.
	got, err = a.Decode(t.Context(), changed(t, "woocommerce_paid", `"value":"en"`, `"value":{"a":[1]}`), account(forUs))
	if err != nil || got[0].(platform.Paid).Language != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A renewal of WooCommerce Subscriptions names its subscription, and the shop says with
// which order that began.
func TestDecode_renewal(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	renewed := paid()
	renewed.Order, renewed.Parent, renewed.Lines = "760", "741", renewed.Lines[:1]
	renewed.Lines[0].ID, renewed.Lines[0].Quantity = "340", 1
	decodes(t, a, webhook(t, "woocommerce_renewed"), withKey(account(forUs)), renewed)
	decodes(t, a, changed(t, "woocommerce_renewed", `"value":"742"`, `"value":742`), withKey(account(forUs)), renewed)
	if w.called("/subscriptions/742") != 2 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	renewed.Parent = ""
	decodes(t, a, webhook(t, "woocommerce_renewed"), account(forUs), renewed)
	for _, subscriptions := range [][]object{nil, {{"id": 742, "parent_id": 0}}, {{"id": 742}}, {{"id": 742, "parent_id": "../orders"}}} {
		w.subscriptions = subscriptions
		decodes(t, a, webhook(t, "woocommerce_renewed"), withKey(account(forUs)), renewed)
	}
	decodes(t, a, changed(t, "woocommerce_renewed", `"value":"742"`, `"value":"../orders"`), withKey(account(forUs)), renewed)
	w.fails["/subscriptions/742"] = http.StatusServiceUnavailable
	leaves(t, a, webhook(t, "woocommerce_renewed"), withKey(account(forUs)), "760")
}

func TestDecode_unreadable(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	for _, test := range []struct{ old, new, field, says string }{
		{`"date_paid_gmt":"2026-01-02T15:04:00"`, `"date_paid_gmt":"yesterday"`, "date_paid_gmt", "no"},
		{`"date_modified_gmt":"2026-01-02T15:04:01"`, `"date_modified_gmt":"later"`, "date_modified_gmt", "not a time"},
		{`"status":"processing"`, `"status":null`, "status", "missing"},
		{`"id":727,`, `"id":"x",`, "id", "whole number"},
		{`"id":727,`, `"id":0,`, "id", "whole number"},
		{`"id":727,`, `"id":727,"id":728,`, "", "twice"},
		{`{"id":727,`, `["id":727,`, "", "no JSON"},
	} {
		refuses(t, a, changed(t, "woocommerce_paid", test.old, test.new), account(forUs), test.field, test.says)
	}
	empty := platform.Request{Header: webhook(t, "woocommerce_paid").Header, Body: nil}
	refuses(t, a, empty, account(forUs), "", "no JSON")
	var setup *platform.SetupError
	if _, err := a.Decode(t.Context(), webhook(t, "woocommerce_paid"), account(`{}`)); !errors.As(err, &setup) || setup.Field != "settings" {
		t.Errorf("without settings: %v", err)
	}
}

func ofTopic(r platform.Request, topic string) platform.Request {
	r.Header.Set("X-WC-Webhook-Topic", topic)
	return r
}
