package standard_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// The example of the Standard Webhooks specification.
const (
	exampleSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	exampleID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	exampleTime      = "1614265330"
	exampleBody      = `{"test": 2432232314}`
	exampleSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var exampleAt = time.Unix(1614265330, 0)

func request(body string, header map[string]string) platform.Request {
	r := platform.Request{Header: http.Header{}, Body: []byte(body)}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

func signed(signature string) platform.Request {
	return request(exampleBody, map[string]string{
		"webhook-id": exampleID, "webhook-timestamp": exampleTime, "webhook-signature": signature,
	})
}

// signedAs returns the example with another id and time, which the account did sign.
func signedAs(id, timestamp string) platform.Request {
	key, err := platform.ParseSecret(exampleSecret)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + exampleBody))
	return request(exampleBody, map[string]string{
		"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	})
}

// holding returns an account with these secrets.
func holding(keys ...[]byte) platform.Account {
	var a platform.Account
	for _, key := range keys {
		a.Secrets = append(a.Secrets, platform.SigningSecret{Secret: platform.Conceal(key)})
	}
	return a
}

func secret(t *testing.T, s string) []byte {
	t.Helper()
	b, err := platform.ParseSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStandard_vectorOfTheSpecification(t *testing.T) {
	key := secret(t, exampleSecret)
	if got := standard.Sign(key, exampleID, exampleAt, []byte(exampleBody)); got != exampleSignature {
		t.Errorf("signed %s, want %s", got, exampleSignature)
	}
	if _, err := (standard.Adapter{}).Verify(signed(exampleSignature), holding(key), exampleAt); err != nil {
		t.Error(err)
	}
}

func TestStandard_agreesWithTheReferenceLibrary(t *testing.T) {
	key := secret(t, exampleSecret)
	reference, err := webhook.NewWebhook(exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	body := []byte(`{"type":"order.paid","data":{}}`)
	theirs, err := reference.Sign("msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	if ours := standard.Sign(key, "msg_1", now, body); ours != theirs {
		t.Errorf("we sign %s, the library %s", ours, theirs)
	}
	header := http.Header{}
	header.Set("webhook-id", "msg_1")
	header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("webhook-signature", standard.Sign(key, "msg_1", now, body))
	if err := reference.Verify(body, header); err != nil {
		t.Errorf("the library refuses what we sign: %v", err)
	}
}

func TestStandard_verify(t *testing.T) {
	key, old := secret(t, exampleSecret), []byte("an older secret of 32 characters")
	other := standard.Sign([]byte("somebody else's secret, as long."), exampleID, exampleAt, []byte(exampleBody))
	byOld := standard.Sign(old, exampleID, exampleAt, []byte(exampleBody))
	tests := []struct {
		name string
		r    platform.Request
		now  time.Time
		ok   bool
	}{
		{"good", signed(exampleSignature), exampleAt, true},
		{"the older of two secrets", signed(byOld), exampleAt, true},
		{"one of several signatures", signed("v1,bm8= " + other + " " + exampleSignature), exampleAt, true},
		{"at the edge of the tolerance", signed(exampleSignature), exampleAt.Add(5 * time.Minute), true},
		{"too old", signed(exampleSignature), exampleAt.Add(5*time.Minute + time.Second), false},
		{"from the future", signed(exampleSignature), exampleAt.Add(-5*time.Minute - time.Second), false},
		{"another secret", signed(other), exampleAt, false},
		{"another version", signed("v2," + strings.TrimPrefix(exampleSignature, "v1,")), exampleAt, false},
		{"no version", signed(strings.TrimPrefix(exampleSignature, "v1,")), exampleAt, false},
		{"half a signature", signed(exampleSignature[:20]), exampleAt, false},
		{"an empty signature", signed("v1,"), exampleAt, false},
		{"no signature", signed(""), exampleAt, false},
		{"no headers", request(exampleBody, nil), exampleAt, false},
		{"another body", request(exampleBody+" ", map[string]string{
			"webhook-id": exampleID, "webhook-timestamp": exampleTime, "webhook-signature": exampleSignature,
		}), exampleAt, false},
		{"another id", request(exampleBody, map[string]string{
			"webhook-id": "msg_2", "webhook-timestamp": exampleTime, "webhook-signature": exampleSignature,
		}), exampleAt, false},
		{"Svix's names of the headers", request(exampleBody, map[string]string{
			"svix-id": exampleID, "svix-timestamp": exampleTime, "svix-signature": exampleSignature,
		}), exampleAt, true},
		{"headers of both kinds", request(exampleBody, map[string]string{
			"webhook-id": exampleID, "svix-timestamp": exampleTime, "svix-signature": exampleSignature,
		}), exampleAt, false},
		{"a time with a sign", signedAs(exampleID, "+"+exampleTime), exampleAt, false},
		{"a time with white space", signedAs(exampleID, " "+exampleTime), exampleAt, false},
		{"an id of 256 characters", signedAs(strings.Repeat("x", 256), exampleTime), exampleAt, true},
		{"an id of 257 characters", signedAs(strings.Repeat("x", 257), exampleTime), exampleAt, false},
		{"an id beyond ASCII", signedAs("msg_ä", exampleTime), exampleAt, false},
		{"an id with a control character", signedAs("msg\x00", exampleTime), exampleAt, false},
		{"an empty id", signedAs("", exampleTime), exampleAt, false},
		{"a time that is no number", request(exampleBody, map[string]string{
			"webhook-id": exampleID, "webhook-timestamp": "yesterday", "webhook-signature": exampleSignature,
		}), exampleAt, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := standard.Adapter{}.Verify(test.r, holding(key, old), test.now)
			if test.ok && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !test.ok && !errors.Is(err, platform.ErrSignature) {
				t.Errorf("not refused: %v", err)
			}
		})
	}
	if _, err := (standard.Adapter{}).Verify(signed(exampleSignature), holding(), exampleAt); !errors.Is(err, platform.ErrSignature) {
		t.Errorf("without a secret: %v", err)
	}
}

// However many signatures a stranger sends, each secret passes over the body once.
func TestStandard_manySignaturesCostNoMore(t *testing.T) {
	body := string(make([]byte, platform.MaxBody))
	verify := func(signatures string) time.Duration {
		r := request(body, map[string]string{"webhook-id": exampleID, "webhook-timestamp": exampleTime, "webhook-signature": signatures})
		start := time.Now()
		if _, err := (standard.Adapter{}).Verify(r, holding([]byte("a secret"), []byte("another")), exampleAt); !errors.Is(err, platform.ErrSignature) {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	one, many := time.Hour, time.Hour
	for range 5 {
		one, many = min(one, verify("v1,")), min(many, verify(strings.Repeat("v1, ", 2400)))
	}
	if many > 20*one { // a pass for each would be 2,400 times
		t.Errorf("one signature took %s, 2,400 took %s", one, many)
	}
}

func TestParseSecret_refusesWhatIsTooShort(t *testing.T) {
	for _, s := range []string{"", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "MfKQ9r8GKYqrTwjUPD8I"} {
		if _, err := platform.ParseSecret(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	if _, err := platform.ParseSecret(platform.FormatSecret(make([]byte, 32))); err != nil {
		t.Error(err)
	}
}

// decode returns the event in a body, checked if it is a paid order.
func decode(t *testing.T, body []byte) (platform.Event, error) {
	t.Helper()
	events, err := standard.Adapter{}.Decode(t.Context(), platform.Request{Body: body}, platform.Account{})
	if err != nil {
		return nil, err
	}
	if len(events) != 1 {
		t.Fatalf("a body of %d events", len(events))
	}
	paid, ok := events[0].(platform.Paid)
	if !ok {
		return events[0], nil
	}
	err = paid.Check(1000)
	return paid, err
}

// decodePaid returns the paid order in a body that can be taken.
func decodePaid(t *testing.T, body []byte) platform.Paid {
	t.Helper()
	event, err := decode(t, body)
	paid, ok := event.(platform.Paid)
	if err != nil || !ok {
		t.Fatalf("decoded %+v, %v", event, err)
	}
	return paid
}

// body returns an order.paid body with a part replaced.
func body(old, new string) []byte {
	const good = `{"type":"order.paid","timestamp":"2026-11-23T12:00:00Z","data":{"order":"10001","currency":"EUR",
		"language":"de","paid_at":"2026-11-23T12:00:00Z","customer":{"name":"Ada","email":"ada@example.com"},
		"lines":[{"line":"1","product":"game","title":"The Game","quantity":2,"unit_price":"59.99"}]}}`
	return []byte(strings.Replace(good, old, new, 1))
}

func TestStandard_decode(t *testing.T) {
	paid := decodePaid(t, body("", ""))
	if paid.Order != "10001" || paid.Language != "de" || paid.Customer.Email != "ada@example.com" ||
		len(paid.Lines) != 1 || paid.Lines[0] != (platform.Line{ID: "1", Product: "game", Title: "The Game", Quantity: 2, UnitPrice: "59.99"}) {
		t.Errorf("decoded %+v", paid)
	}
	renewal := decodePaid(t, body(`"language"`, `"parent":9001,"risk":"`+strings.Repeat("é", 64)+`","language"`))
	if renewal.Parent != "9001" || renewal.Risk != strings.Repeat("é", 64) {
		t.Errorf("a renewal: %+v", renewal)
	}
	if plain := decodePaid(t, body(`"language"`, `"parent":null,"risk":null,"language"`)); plain.Parent != "" || plain.Risk != "" {
		t.Errorf("null: %+v", plain)
	}
	shipped, err := decode(t, []byte(`{"type":"order.shipped","data":{"order":"1"}}`))
	if err != nil || shipped != (platform.Ignored{Type: "order.shipped", Unknown: true}) {
		t.Errorf("an event that does not concern us: %+v, %v", shipped, err)
	}
	if unnamed := decodePaid(t, body(`"line":"1",`, "")); unnamed.Lines[0].ID != "game" {
		t.Errorf("a line without an id takes its product's: %+v", unnamed.Lines)
	}
}

func TestStandard_refusalNamesTheField(t *testing.T) {
	tests := []struct{ name, old, new, field string }{
		{"no JSON", `{"type"`, `type`, ""},
		{"a list", `{"type":"order.paid"`, `[{"type":"order.paid"`, ""},
		{"no type", `"type":"order.paid",`, ``, "type"},
		{"no order", `"order":"10001",`, ``, "data.order"},
		{"order is a broken number", `"10001"`, `10001.5`, "data.order"},
		{"order is a number with an exponent", `"10001"`, `1e4`, "data.order"},
		{"product is true", `"game"`, `true`, "data.lines[0].product"},
		{"test as a text", `"data":{`, `"data":{"test":"yes",`, "data.test"},
		{"lines is an object", `"lines":[`, `"lines":{},"others":[`, "data.lines"},
		{"a line is a text", `"lines":[`, `"lines":["game",`, "data.lines[0]"},
		{"customer is a text", `"customer":{`, `"customer":"Ada","other":{`, "data.customer"},
		{"no data", `"data"`, `"date"`, "data"},
		{"data in another case", `"data"`, `"Data"`, "data"},
		{"more after the object", `{"type"`, `{} {"type"`, ""},
		{"order too long", `10001`, strings.Repeat("1", 129), "data.order"},
		{"control characters", `10001`, `1\u0000`, "data.order"},
		{"no lines", `"lines":[{`, `"others":[{`, "data.lines"},
		{"quantity 0", `"quantity":2`, `"quantity":0`, "data.lines[0].quantity"},
		{"no quantity", `"quantity":2,`, ``, "data.lines[0].quantity"},
		{"negative quantity", `"quantity":2`, `"quantity":-2`, "data.lines[0].quantity"},
		{"quantity over the cap", `"quantity":2`, `"quantity":1001`, "data.lines[0].quantity"},
		{"half a unit", `"quantity":2`, `"quantity":0.5`, "data.lines[0].quantity"},
		{"quantity as a text that is no number", `"quantity":2`, `"quantity":"two"`, "data.lines[0].quantity"},
		{"quantity as true", `"quantity":2`, `"quantity":true`, "data.lines[0].quantity"},
		{"quantity over all numbers", `"quantity":2`, `"quantity":99999999999999999999999`, "data.lines[0].quantity"},
		{"quantity below all numbers", `"quantity":2`, `"quantity":-99999999999999999999999`, "data.lines[0].quantity"},
		{"quantity with an exponent", `"quantity":2`, `"quantity":2e0`, "data.lines[0].quantity"},
		{"quantity twice", `"quantity":2`, `"quantity":2,"quantity":2`, "data.lines[0].quantity"},
		{"quantity beside Quantity", `"quantity":2`, `"quantity":1,"Quantity":5`, "data.lines[0].quantity"},
		{"Quantity alone", `"quantity":2`, `"Quantity":2`, "data.lines[0].quantity"},
		{"Original of a dynamic product", `"quantity":2`, `"quantity":2,"Original":"game"`, "data.lines[0].original"},
		{"a parent in another case", `"language"`, `"Parent":"1","language"`, "data.parent"},
		{"a parent that is no id", `"language"`, `"parent":["1"],"language"`, "data.parent"},
		{"a parent that is longer than an id", `"language"`, `"parent":"` + strings.Repeat("1", 129) + `","language"`, "data.parent"},
		{"a parent that is the order itself", `"language"`, `"parent":10001,"language"`, "data.parent"},
		{"a risk in another case", `"language"`, `"Risk":"high","language"`, "data.risk"},
		{"a risk that is no text", `"language"`, `"risk":0.9,"language"`, "data.risk"},
		{"a risk of 65 characters", `"language"`, `"risk":"` + strings.Repeat("é", 65) + `","language"`, "data.risk"},
		{"order beside ORDER", `"order":"10001"`, `"order":"10001","ORDER":"2"`, "data.order"},
		{"order twice", `"order":"10001"`, `"order":"10001","order":"2"`, "data.order"},
		{"an unknown member twice", `"order":"10001"`, `"order":"10001","ada@example.com":1,"ada@example.com":2`, ""},
		{"half a surrogate pair in the order", `10001`, `T-\ud83c`, "data.order"},
		{"half a surrogate pair in a name", `Ada`, `Ada \udc00`, "data.customer.name"},
		{"half a surrogate pair in a member's name", `"order":"10001"`, `"order":"10001","\ud83c":1`, "data"},
		{"a byte that is not UTF-8", `Ada`, "Ad\xe4", "data.customer.name"},
		{"a surrogate in UTF-8", `Ada`, "\xed\xa0\xbc", "data.customer.name"},
		{"an overlong slash", `10001`, "\xc0\xaf", "data.order"},
		{"UTF-16", `{"type"`, "\xff\xfe{\x00", ""},
		{"type in another case", `order.paid`, `Order.Paid`, "type"},
		{"type with an underscore", `order.paid`, `order_paid`, "type"},
		{"type with a hyphen", `order.paid`, `ORDER-PAID`, "type"},
		{"type with a space", `order.paid`, `order paid `, "type"},
		{"type is a number", `"order.paid"`, `1`, "type"},
		{"type is nothing", `"order.paid"`, `null`, "type"},
		{"no product", `"product":"game",`, ``, "data.lines[0].product"},
		{"no address", `"email":"ada@example.com"`, `"phone":"1"`, "data.customer.email"},
		{"no such address", `ada@example.com`, `ada`, "data.customer.email"},
		{"two addresses", `ada@example.com`, `a@example.com, b@example.com`, "data.customer.email"},
		{"an address that SES cannot send to", `ada@example.com`, `ädä@example.com`, "data.customer.email"},
		{"a header in the address", `ada@example.com`, `ada@example.com\r\nBcc: all@example.com`, "data.customer.email"},
		{"the same line twice", `"lines":[`, `"lines":[{"line":"1","product":"x","quantity":1},`, "data.lines[1].line"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode(t, body(test.old, test.new))
			var field *platform.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("taken: %v", err)
			}
			if field.Field != test.field {
				t.Errorf("names %q (%v), want %q", field.Field, err, test.field)
			}
			if strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), "Bcc") {
				t.Errorf("quotes the body: %v", err)
			}
		})
	}
}

// The merchant is told which order it was, whatever else cannot be read.
func TestStandard_refusalNamesTheOrder(t *testing.T) {
	tests := []struct{ name, old, new, order string }{
		{"order is a number", `"10001","currency":"EUR"`, `10001,"test":5`, "10001"},
		{"quantity as a text", `"quantity":2`, `"quantity":"two"`, "10001"},
		{"quantity twice", `"quantity":2`, `"quantity":2,"quantity":2`, "10001"},
		{"half a surrogate pair in a name", `Ada`, `\ud83c`, "10001"},
		{"half a surrogate pair in the order", `10001`, `\ud83c`, ""},
		{"order twice", `"order":"10001"`, `"order":"10001","order":"2"`, ""},
		{"an order elsewhere", `"order":"10001"`, `"order":{"data":{"order":"5"}}`, ""},
		{"type in another case", `order.paid`, `Order.Paid`, "10001"},
		{"quantity 0", `"quantity":2`, `"quantity":0`, "10001"},
		{"no type", `"type":"order.paid",`, ``, "10001"},
		{"an id too long to keep", `"order":"10001","currency":"EUR"`, `"order":"` + strings.Repeat("1", 2000) + `","test":5`, ""},
		{"an object", `"10001"`, `{"id":"10001"}`, ""},
		{"no JSON", `{"type"`, `type`, ""},
	}
	for _, test := range tests {
		_, err := decode(t, body(test.old, test.new))
		var field *platform.FieldError
		if !errors.As(err, &field) || field.Order != test.order {
			t.Errorf("%s: %+v, want order %q", test.name, field, test.order)
		}
	}
}

// What is only shown never refuses an order: it is taken where it can be read, and
// else left out and named.
func TestStandard_whatIsOnlyShown(t *testing.T) {
	at := time.Date(2026, 11, 25, 15, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, old, new string
		alter          func(*platform.Paid)
	}{
		{"a byte order mark", `{"type"`, "\ufeff" + `{"type"`, func(*platform.Paid) {}},
		{"quantity 2.0", `"quantity":2`, `"quantity":2.0`, func(*platform.Paid) {}},
		{"quantity as a text", `"quantity":2`, `"quantity":"2"`, func(*platform.Paid) {}},
		{"quantity 1.00 as a text", `"quantity":2`, `"quantity":" 1.00"`, func(p *platform.Paid) { p.Lines[0].Quantity = 1 }},
		{"order is a number", `"10001"`, `10001`, func(*platform.Paid) {}},
		{"order is a number beyond any float", `"10001"`, `900719925474099312345`, func(p *platform.Paid) { p.Order = "900719925474099312345" }},
		{"product and line are numbers", `"line":"1","product":"game"`, `"line":7,"product":40000000000000001`, func(p *platform.Paid) { p.Lines[0].ID, p.Lines[0].Product = "7", "40000000000000001" }},
		{"zip is a number", `"name":"Ada"`, `"name":"Ada","zip":10115`, func(p *platform.Paid) { p.Customer.Zip = "10115" }},
		{"the price is a number", `"59.99"`, `59.990`, func(p *platform.Paid) { p.Lines[0].UnitPrice = "59.990" }},
		{"a tab in a name", `"Ada"`, `"Ada\tByron"`, func(p *platform.Paid) { p.Customer.Name = "Ada Byron" }},
		{"invisible marks in a name", `"Ada"`, `"\u202eA\u200bd\u00ad\ufeffa\u200d\u2066"`, func(*platform.Paid) {}},
		{"a joiner in a Persian name", `"Ada"`, `"\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"`, func(p *platform.Paid) { p.Customer.Name = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627" }},
		{"a list in a name", `"Ada"`, `"Byron, Ada; \"The Countess\""`, func(p *platform.Paid) { p.Customer.Name = `Byron, Ada; "The Countess"` }},
		{"a currency of four letters", `"EUR"`, `"usdt"`, func(p *platform.Paid) { p.Currency = "USDT" }},
		{"no currency", `"EUR"`, `"euro money"`, func(p *platform.Paid) { p.Currency, p.IgnoredFields = "", []string{"data.currency"} }},
		{"currency is a list", `"EUR"`, `["EUR"]`, func(p *platform.Paid) { p.Currency, p.IgnoredFields = "", []string{"data.currency"} }},
		{"null", `"EUR"`, `null`, func(p *platform.Paid) { p.Currency = "" }},
		{"title is true, zip an object", `"name":"Ada","email":"ada@example.com"},
		"lines":[{"line":"1","product":"game","title":"The Game"`, `"name":"Ada","email":"ada@example.com","zip":{}},
		"lines":[{"line":"1","product":"game","title":true`, func(p *platform.Paid) {
			p.Lines[0].Title, p.IgnoredFields = "", []string{"data.customer.zip", "data.lines[0].title"}
		}},
		{"Zip in another case", `"name":"Ada"`, `"name":"Ada","Zip":"10115"`, func(p *platform.Paid) { p.IgnoredFields = []string{"data.customer.zip"} }},
		{"no time", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"today"`, func(p *platform.Paid) { p.PaidAt, p.IgnoredFields = time.Time{}, []string{"data.paid_at"} }},
		{"a time in the year 10000", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"9999-12-31T23:59:59-01:00"`, func(p *platform.Paid) { p.PaidAt, p.IgnoredFields = time.Time{}, []string{"data.paid_at"} }},
		{"a time as databases write it", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"2026-11-25 15:00:00"`, func(p *platform.Paid) { p.PaidAt = at }},
		{"the same with a zone", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"2026-11-25 16:00:00 +0100"`, func(p *platform.Paid) { p.PaidAt = at }},
		{"a time without a zone", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"2026-11-25T15:00:00.000"`, func(p *platform.Paid) { p.PaidAt = at }},
		{"a time as PHP writes it", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"2026-11-25T15:00:00+0000"`, func(p *platform.Paid) { p.PaidAt = at }},
		{"a time as mails have it", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"Wed, 25 Nov 2026 15:00:00 GMT"`, func(p *platform.Paid) { p.PaidAt = at }},
		{"a day", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"2026-11-25"`, func(p *platform.Paid) { p.PaidAt = at.Truncate(24 * time.Hour).Add(24*time.Hour - time.Second) }},
		{"seconds", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":1795618800`, func(p *platform.Paid) { p.PaidAt = at }},
		{"milliseconds", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"1795618800000"`, func(p *platform.Paid) { p.PaidAt = at }},
	} {
		want := decodePaid(t, body("", ""))
		test.alter(&want)
		if diff := cmp.Diff(want, decodePaid(t, body(test.old, test.new))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The deepest body that fits is refused at once.
func TestStandard_deepBodies(t *testing.T) {
	const depth = 9_000
	for _, deep := range []string{
		strings.Repeat("[", platform.MaxBody), strings.Repeat(`{"a":`, platform.MaxBody/5),
		strings.Repeat("[", depth) + strings.Repeat("1,", (platform.MaxBody-depth)/2),
	} {
		start := time.Now()
		if _, err := decode(t, []byte(deep)); err == nil {
			t.Error("taken")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("refused after %s", took)
		}
	}
}

// A problem says which mistake it is, and holds nothing of the body.
func TestStandard_problemsSayWhatToDo(t *testing.T) {
	for _, test := range []struct{ old, new, says string }{
		{`10001`, `T-\ud83c`, "valid Unicode"},
		{`"quantity":2`, `"quantity":2,"quantity":2`, "twice"},
		{`"order":"10001"`, `"order":"10001","a secret":1,"a secret":2`, "twice"},
		{`"quantity":2`, `"quantity":1,"Quantity":5`, "case-sensitive"},
		{`order.paid`, `Order.Paid`, "write order.paid"},
	} {
		_, err := decode(t, body(test.old, test.new))
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ud83c") {
			t.Errorf("%s: %v, want that it says %q", test.new, err, test.says)
		}
	}
}

func TestCheck_boundsWhatIsStored(t *testing.T) {
	paid := decodePaid(t, body(`"name":"Ada"`, `"name":"`+strings.Repeat("Ä", 10_000)+`\u0007"`))
	if n := len([]rune(paid.Customer.Name)); n != 500 {
		t.Errorf("a name of 10,001 characters is stored with %d", n)
	}
}

// FuzzStandard holds that no signature is made without the secret, and that what
// passes the checks can be claimed.
func FuzzStandard(f *testing.F) {
	f.Add(body("", ""), exampleID, exampleTime, exampleSignature)
	f.Add([]byte(exampleBody), exampleID, exampleTime, exampleSignature)
	f.Add([]byte(`{"type":"order.paid","data":{"lines":[{"quantity":1e400}]}}`), "", "-1", "v1, v1,==")
	for _, file := range []string{"good_order_paid.json", "bad_order_paid_quantity.json"} {
		if fixture, err := os.ReadFile("../../../events/" + file); err == nil {
			f.Add(fixture, "id", "9223372036854775807", "v1,"+strings.Repeat("A", 44))
		} else {
			f.Fatal(err)
		}
	}
	key := []byte("a secret that the fuzzer does not know")
	f.Fuzz(func(t *testing.T, body []byte, id, timestamp, signature string) {
		r := request(string(body), map[string]string{"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature})
		if _, err := (standard.Adapter{}).Verify(r, holding(key), exampleAt); err == nil {
			t.Fatal("a signature was made without the secret")
		}
		event, err := decode(t, body)
		var field *platform.FieldError
		if err != nil && !errors.As(err, &field) {
			t.Fatalf("an error that names no field: %v", err)
		}
		paid, ok := event.(platform.Paid)
		if err != nil || !ok {
			return
		}
		for _, line := range paid.Lines {
			if line.Quantity < 1 || line.Quantity > 1000 || line.Product == "" || line.ID == "" {
				t.Fatalf("a line that nobody can claim for passed the check: %+v", line)
			}
		}
		if strings.ContainsAny(paid.Customer.Email, "\r\n ,") {
			t.Fatal("more than one address passed the check")
		}
	})
}
