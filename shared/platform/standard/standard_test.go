package standard_test

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

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

// holding returns an account with these secrets.
func holding(keys ...[]byte) platform.Account {
	var a platform.Account
	for _, key := range keys {
		a.Secrets = append(a.Secrets, platform.Conceal(key))
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
	for _, s := range []string{"", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "MfKQ9r8GKYqrTwjUPD8ILPZIo2La"} {
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
	refund, err := decode(t, []byte(`{"type":"order.refunded","data":{"order":"1"}}`))
	if err != nil || refund != (platform.Ignored{Type: "order.refunded"}) {
		t.Errorf("an event that does not concern us: %+v, %v", refund, err)
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
		{"order is a number", `"10001"`, `10001`, "data.order"},
		{"order too long", `10001`, strings.Repeat("1", 129), "data.order"},
		{"control characters", `10001`, `1\u0000`, "data.order"},
		{"no lines", `"lines":[{`, `"others":[{`, "data.lines"},
		{"quantity 0", `"quantity":2`, `"quantity":0`, "data.lines[0].quantity"},
		{"no quantity", `"quantity":2,`, ``, "data.lines[0].quantity"},
		{"negative quantity", `"quantity":2`, `"quantity":-2`, "data.lines[0].quantity"},
		{"quantity over the cap", `"quantity":2`, `"quantity":1001`, "data.lines[0].quantity"},
		{"half a unit", `"quantity":2`, `"quantity":0.5`, "data.lines.quantity"},
		{"quantity as a text", `"quantity":2`, `"quantity":"2"`, "data.lines.quantity"},
		{"no product", `"product":"game",`, ``, "data.lines[0].product"},
		{"no address", `"email":"ada@example.com"`, `"phone":"1"`, "data.customer.email"},
		{"no such address", `ada@example.com`, `ada`, "data.customer.email"},
		{"two addresses", `ada@example.com`, `a@example.com, b@example.com`, "data.customer.email"},
		{"an address that SES cannot send to", `ada@example.com`, `ädä@example.com`, "data.customer.email"},
		{"a header in the address", `ada@example.com`, `ada@example.com\r\nBcc: all@example.com`, "data.customer.email"},
		{"currency", `EUR`, `EURO`, "data.currency"},
		{"time", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"today"`, "data.paid_at"},
		{"a time in the year 10000", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"9999-12-31T23:59:59-01:00"`, "data.paid_at"},
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
		{"order is a number", `"10001"`, `10001`, "10001"},
		{"a unix time", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":1795435200`, "10001"},
		{"an unreadable time", `"paid_at":"2026-11-23T12:00:00Z"`, `"paid_at":"today"`, "10001"},
		{"quantity as a text", `"quantity":2`, `"quantity":"2"`, "10001"},
		{"quantity 0", `"quantity":2`, `"quantity":0`, "10001"},
		{"no type", `"type":"order.paid",`, ``, "10001"},
		{"an id too long to keep", `"order":"10001","currency":"EUR"`, `"order":"` + strings.Repeat("1", 2000) + `","currency":5`, ""},
		{"an object", `"10001"`, `{"id":"10001"}`, ""},
		{"no JSON", `{"type"`, `type`, ""},
	}
	for _, test := range tests {
		_, err := decode(t, body(test.old, test.new))
		var field *platform.FieldError
		if !errors.As(err, &field) || field.Order != test.order {
			t.Errorf("%s: order %q, want %q", test.name, field.Order, test.order)
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
