package noventiq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/platformtest"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/noventiq"
)

// paid is a webhook as Noventiq sends it, with values of our own.
const paid = `{"event":"order.payment.succeeded","event_date":"2026-11-23T12:00:05+03:00","order_id":70001,"order_name":"A0000070001",
 "status":"paid","external_id":"","create_date":"2026-11-23T11:58:35+03:00","pay_date":"2026-11-23T12:00:00+03:00","currency":"EUR",
 "locale":"de_DE","order_detail_url":"https://shop.example/order/status/70001/1a2b3c","recurring_indicator":false,
 "customer":{"country":"DE","type":"physical","email":"ada@example.com","first_name":"Ada","last_name":"Byron",
   "phone":"","vat_number":"","company_name":"","company_billing_address":"","company_delivery_address":""},
 "product":{"id":"4711","vendor_code":"EL-1","sku":"EL-SKU","business_segment":"b2c","name":"Elden","price":"29.90","quantity":2,
   "discount_percent":"","discount_amount":"","vat_amount":"0.00","amount":"59.80","margin":"50.00"},
 "payment":{"payment_method":"CreditCard","payment_system_name":"Bank Card","card_type":"","card_last_4":null,
   "card_expiration_date":"","is_card_expired":false,"is_installment_payment":false},
 "document_part":"1-of-1"}`

var at = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func request(body, signature string) platform.Request {
	h := http.Header{"Content-Type": {"application/json"}}
	if signature != "" {
		h.Set("signature", signature)
	}
	return platform.Request{Header: h, Body: []byte(body)}
}

func holding(secrets ...string) platform.Account {
	var a platform.Account
	for _, secret := range secrets {
		a.Secrets = append(a.Secrets, platform.SigningSecret{Secret: platform.Conceal([]byte(secret))})
	}
	return a
}

// The signature is what the platform's own examples say, in English and in Russian.
func TestVerify_documentedExamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"example_en": "1d0e480e14922b2e330216b2d34b3b9998267067143cf9ef7caaf3637de0307f207b7c6b1cd94ece313366baa24014c488796eef3dabbe8e60e7d1e72c73918d",
		"example_ru": "e970dee7309c7793d2ef33e991c9603487a35eaa26c1f159a2fdad1c049671ffc4b8e887e2eb52c2cdbfc495ec528130d25575a0ecff386aad8096e20094003c",
	} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := noventiq.Sign([]byte("secret_key"), body); !ok || got != want {
			t.Errorf("%s: signed %s", name, got)
		}
		for _, signature := range []string{want, strings.ToUpper(want)} {
			signed, err := noventiq.Adapter{}.Verify(request(string(body), signature), holding("another", "secret_key"), at)
			if err != nil || signed.Secret != 1 {
				t.Errorf("%s: %+v, %v", name, signed, err)
			}
		}
	}
}

// What a merchant can have meant is told apart from what a stranger sends.
func TestVerify_reasons(t *testing.T) {
	t.Parallel()
	good, _ := noventiq.Sign([]byte("secret"), []byte(paid))
	for name, c := range map[string]struct {
		body, signature string
		want            error
	}{
		"another secret":        {paid, strings.Repeat("0", 128), platform.ErrSecret},
		"another length":        {paid, good[:126], platform.ErrSignature},
		"no hexadecimal":        {paid, strings.Repeat("x", 128), platform.ErrSignature},
		"none":                  {paid, "", platform.ErrSignature},
		"no JSON":               {"paid", good, platform.ErrSignature},
		"no order":              {strings.Replace(paid, `"order_id":70001`, `"order_id":""`, 1), good, platform.ErrSignature},
		"an object as an order": {strings.Replace(paid, `"order_id":70001`, `"order_id":{}`, 1), good, platform.ErrSignature},
		"a list as the address": {strings.Replace(paid, `"ada@example.com"`, `["ada@example.com"]`, 1), good, platform.ErrSignature},
		"the order twice":       {strings.Replace(paid, `"order_id":70001`, `"order_id":70001,"order_id":70001`, 1), good, platform.ErrSignature},
		"another case":          {strings.Replace(paid, `"order_id"`, `"Order_Id"`, 1), good, platform.ErrSignature},
	} {
		if _, err := (noventiq.Adapter{}).Verify(request(c.body, c.signature), holding("secret"), at); !errors.Is(err, c.want) || errors.Is(err, platform.ErrSecret) != errors.Is(c.want, platform.ErrSecret) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// The parts of what is signed cannot be moved: "EUR;a" and "b" sign as "EUR" and "a;b".
func TestVerify_partsCannotBeMoved(t *testing.T) {
	t.Parallel()
	const secret = "the secret of a test"
	for _, edit := range [][2]string{ // what stands there, and another text that holds a separator
		{`"currency":"EUR"`, `"currency":"EUR;a@example.com"`},
		{`"payment_method":"CreditCard"`, `"payment_method":"CreditCard;EUR"`},
		{`"order_id":70001`, `"order_id":"70001;x"`},
		{`"create_date":"2026`, `"create_date":";2026`},
		{`"event":"order.payment.succeeded"`, `"event":"order.payment.succeeded;70001"`},
	} {
		body := strings.Replace(paid, edit[0], edit[1], 1)
		signature, _ := noventiq.Sign([]byte(secret), []byte(body))
		if _, err := (noventiq.Adapter{}).Verify(request(body, signature), holding(secret), at); !errors.Is(err, platform.ErrSignature) {
			t.Errorf("%s: %v", edit[1], err)
		}
	}
}

func decode(body string, a platform.Account) ([]platform.Event, error) {
	return noventiq.Adapter{}.Decode(context.Background(), platform.Request{Body: []byte(body)}, a)
}

// line is what paid says.
func line() platform.Paid {
	return platform.Paid{
		Order: "70001", Currency: "EUR", Language: "de", PaidAt: at,
		Customer: order.Customer{FirstName: "Ada", LastName: "Byron", Email: "ada@example.com", Country: "DE"},
		Lines:    []platform.Line{{ID: "4711", Product: "4711", Title: "Elden", Quantity: 2, UnitPrice: "29.90"}},
	}
}

func TestDecode_paid(t *testing.T) {
	t.Parallel()
	codes := platform.Account{Settings: json.RawMessage(`{"products":{"EL-1":"elden","EL-SKU":"ring"}}`)}
	sku := platform.Account{Settings: json.RawMessage(`{"products":{"EL-SKU":"ring"}}`)}
	for name, c := range map[string]struct {
		old, new string
		account  platform.Account
		change   func(p *platform.Paid)
	}{
		"as it is":           {"", "", platform.Account{}, func(*platform.Paid) {}},
		"ids as texts":       {`"order_id":70001`, `"order_id":"70001"`, platform.Account{}, func(*platform.Paid) {}},
		"an id of a product": {`"id":"4711"`, `"id":4711`, platform.Account{}, func(*platform.Paid) {}},
		"an id of many digits": {
			`"order_id":70001`, `"order_id":123456789012345678901234567890`,
			platform.Account{},
			func(p *platform.Paid) { p.Order = "123456789012345678901234567890" },
		},
		"a quantity as a text":    {`"quantity":2`, `"quantity":"2"`, platform.Account{}, func(*platform.Paid) {}},
		"a quantity as 2.0":       {`"quantity":2`, `"quantity":2.0`, platform.Account{}, func(*platform.Paid) {}},
		"a huge quantity":         {`"quantity":2`, `"quantity":99999999999`, platform.Account{}, func(p *platform.Paid) { p.Lines[0].Quantity = 1<<31 - 1 }},
		"a test secret":           {"", "", platform.Account{Test: true}, func(p *platform.Paid) { p.Test = true }},
		"not paid at any time":    {`"pay_date":"2026-11-23T12:00:00+03:00"`, `"pay_date":""`, platform.Account{}, func(p *platform.Paid) { p.PaidAt = time.Time{} }},
		"paid at no time":         {`"pay_date":"2026-11-23T12:00:00+03:00"`, `"pay_date":"today"`, platform.Account{}, func(p *platform.Paid) { p.PaidAt, p.IgnoredFields = time.Time{}, []string{"pay_date"} }},
		"an odd locale":           {`"locale":"de_DE"`, `"locale":"en_EN"`, platform.Account{}, func(p *platform.Paid) { p.Language = "en" }},
		"no locale":               {`"locale":"de_DE"`, `"locale":null`, platform.Account{}, func(p *platform.Paid) { p.Language = "" }},
		"a locale that is none":   {`"locale":"de_DE"`, `"locale":"German"`, platform.Account{}, func(p *platform.Paid) { p.Language = "" }},
		"a name that is a list":   {`"first_name":"Ada"`, `"first_name":["Ada"]`, platform.Account{}, func(p *platform.Paid) { p.Customer.FirstName, p.IgnoredFields = "", []string{"customer.first_name"} }},
		"a price as a number":     {`"price":"29.90"`, `"price":29.90`, platform.Account{}, func(*platform.Paid) {}},
		"no status":               {`"status":"paid"`, `"status":""`, platform.Account{}, func(*platform.Paid) {}},
		"a byte order mark":       {`{"event"`, "\ufeff{\"event\"", platform.Account{}, func(*platform.Paid) {}},
		"a dynamic product":       {`"external_id":""`, `"external_id":"TEST1"`, platform.Account{}, func(p *platform.Paid) { p.Lines[0].Original = "EL-1" }},
		"by its vendor code":      {`"external_id":""`, `"external_id":"TEST1"`, codes, func(p *platform.Paid) { p.Lines[0].Original = "elden" }},
		"by its SKU":              {`"external_id":""`, `"external_id":"TEST1"`, sku, func(p *platform.Paid) { p.Lines[0].Original = "ring" }},
		"no dynamic product":      {"", "", codes, func(*platform.Paid) {}},
		"a renewal":               {`"document_part"`, `"subscription":{"id":"55_2"},"document_part"`, platform.Account{}, func(p *platform.Paid) { p.Parent = "55" }},
		"a renewal, flat":         {`"document_part"`, `"subscription_id":"55_2","document_part"`, platform.Account{}, func(p *platform.Paid) { p.Parent = "55" }},
		"the first of its kind":   {`"document_part"`, `"subscription":{"id":"70001_1"},"document_part"`, platform.Account{}, func(*platform.Paid) {}},
		"no subscription":         {`"document_part"`, `"subscription":"","document_part"`, platform.Account{}, func(*platform.Paid) {}},
		"PHP's empty list":        {`"document_part"`, `"subscription":[],"document_part"`, platform.Account{}, func(*platform.Paid) {}},
		"a subscription's number": {`"document_part"`, `"subscription":{"id":55},"document_part"`, platform.Account{}, func(*platform.Paid) {}},
	} {
		body := paid
		if c.old != "" {
			if strings.Count(paid, c.old) != 1 {
				t.Fatalf("%s: the body holds %q %d times", name, c.old, strings.Count(paid, c.old))
			}
			body = strings.Replace(paid, c.old, c.new, 1)
		}
		want := line()
		c.change(&want)
		got, err := decode(body, c.account)
		if diff := cmp.Diff([]platform.Event{want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	// With neither vendor code nor SKU a dynamic product is as it is.
	bare := strings.NewReplacer(`"external_id":""`, `"external_id":"TEST1"`, `"EL-1"`, `""`, `"EL-SKU"`, `null`).Replace(paid)
	if got, err := decode(bare, platform.Account{}); err != nil || got[0].(platform.Paid).Lines[0].Original != "" {
		t.Errorf("%+v, %v", got, err)
	}
	// Without a vendor code it is the SKU.
	bySKU := strings.NewReplacer(`"external_id":""`, `"external_id":"TEST1"`, `"EL-1"`, `""`).Replace(paid)
	if got, err := decode(bySKU, platform.Account{}); err != nil || got[0].(platform.Paid).Lines[0].Original != "EL-SKU" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecode_otherEvents(t *testing.T) {
	t.Parallel()
	as := func(kind string) string { return strings.Replace(paid, "order.payment.succeeded", kind, 1) }
	for body, want := range map[string]platform.Event{
		as("product.returned"): platform.Returned{
			Order: "70001", ID: "4711@2026-11-23T12:00:05+03:00", At: at.Add(5 * time.Second), Lines: []platform.ReturnedLine{{ID: "4711", Quantity: 2}},
		},
		strings.Replace(as("product.returned"), `"status":"paid"`, `"status":"deleted"`, 1): platform.Returned{
			Order: "70001", ID: "4711@2026-11-23T12:00:05+03:00", At: at.Add(5 * time.Second), Lines: []platform.ReturnedLine{{ID: "4711", Quantity: 2}},
		},
		as("subscription.cancelled"):                    platform.Recorded{Order: "70001", Line: "4711", Type: "subscription.cancelled", At: at.Add(5 * time.Second)},
		as("subscription.renewal_offer_order_accepted"): platform.Recorded{Order: "70001", Line: "4711", Type: "subscription.renewal_offer_order_accepted", At: at.Add(5 * time.Second)},
		as("order.created"):                             platform.Ignored{Type: "order.created"},
		as("order.payment.failed"):                      platform.Ignored{Type: "order.payment.failed"},
		as("product.delivered"):                         platform.Ignored{Type: "product.delivered"},
		as("subscription.paused"):                       platform.Ignored{Type: "subscription.paused", Unknown: true},
		`{"event":"order.created"}`:                     platform.Ignored{Type: "order.created"},
	} {
		got, err := decode(body, platform.Account{})
		if diff := cmp.Diff([]platform.Event{want}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// A return is known by its moment, and is refused without one: else all of a line that have
// none were one.
func TestDecode_returnWithoutItsMoment(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{``, `"event_date":null,`, `"event_date":"",`, `"event_date":[],`} {
		body := strings.Replace(strings.Replace(paid, "order.payment.succeeded", "product.returned", 1), `"event_date":"2026-11-23T12:00:05+03:00",`, moment, 1)
		got, err := decode(body, platform.Account{})
		var wrong *platform.FieldError
		if !errors.As(err, &wrong) || wrong.Field != "event_date" || wrong.Order != "70001" {
			t.Errorf("%s: %+v, %v", moment, got, err)
		}
	}
}

// A mistake is named by its field, with the order where it can be read, and never quoted.
func TestDecode_mistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, field, order string }{
		{`"event":"order.payment.succeeded"`, `"event":true`, "event", ""},
		{`"order_id":70001`, `"order_id":7.5`, "order_id", ""},
		{`"order_id":70001`, `"order_id":7e4`, "order_id", ""},
		{`"order_id":70001`, `"order_id":null`, "order_id", ""},
		{`"id":"4711"`, `"id":""`, "product.id", "70001"},
		{`"id":"4711"`, `"id":[4711]`, "product.id", "70001"},
		{`"quantity":2`, `"quantity":0`, "product.quantity", "70001"},
		{`"quantity":2`, `"quantity":-2`, "product.quantity", "70001"},
		{`"quantity":2`, `"quantity":2.5`, "product.quantity", "70001"},
		{`"quantity":2`, `"quantity":null`, "product.quantity", "70001"},
		{`"status":"paid"`, `"status":"not paid"`, "status", "70001"},
		{`"status":"paid"`, `"status":"deleted"`, "status", "70001"},
		{`"product":{`, `"product":"","x":{`, "product.id", "70001"},
		{`"quantity":2`, `"quantity":2,"quantity":2`, "", ""},
		{`"Elden"`, `"\ud800"`, "", ""},
		{`{"event"`, `[{"event"`, "", ""},
	} {
		body := strings.Replace(paid, c.old, c.new, 1)
		_, err := decode(body, platform.Account{})
		var wrong *platform.FieldError
		if !errors.As(err, &wrong) || wrong.Field != c.field || wrong.Order != c.order || wrong.Problem == "" {
			t.Errorf("%s: %#v", c.new, err)
		}
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"0123456789abcdef": true, "ein Schlüssel mit Ümlaut": true, strings.Repeat("k", 200): true,
		"": false, "secret_key": false, " 0123456789abcdef": false, "0123456789abcdef\n": false, strings.Repeat("k", 201): false, "0123456789\x00abcdef": false,
	} {
		key, err := noventiq.Adapter{}.ParseSecret(text)
		if good != (err == nil) || good && string(key) != text {
			t.Errorf("%q: %q, %v", text, key, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q is quoted", text)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 501 {
		many[fmt.Sprint(i)] = "4711"
	}
	tooMany, err := json.Marshal(map[string]any{"products": many})
	if err != nil {
		t.Fatal(err)
	}
	for raw, good := range map[string]bool{
		`{}`: true, `{"products":{}}`: true, `{"products":{"EL-1":"4711"}}`: true,
		`{"product":{}}`: false, `{"Products":{}}`: false, `{"products":{"EL-1":4711}}`: false, `{"products":{"EL-1":""}}`: false,
		`{"products":{" EL-1":"4711"}}`: false, `{"products":[]}`: false, string(tooMany): false,
	} {
		if err := (noventiq.Adapter{}).CheckSettings(json.RawMessage(raw)); good != (err == nil) {
			t.Errorf("%.60s: %v", raw, err)
		}
	}
}

// The event files are what the adapter takes, signed by the secret of the examples.
func TestEvents(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../events/*_noventiq_*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		r := platformtest.Example(t, strings.TrimSuffix(filepath.Base(file), ".json"))
		_, err = noventiq.Adapter{}.Verify(r, holding(examplesSecret), at)
		if wrong := strings.Contains(file, "signature"); wrong != (err != nil) {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := decode(string(r.Body), platform.Account{}); strings.Contains(file, "good_") && err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// examplesSecret signs the events in events/.
const examplesSecret = "noventiq-example-secret"

func TestConformance(t *testing.T) {
	t.Parallel()
	// A webhook of another event is the same object.
	as := func(kind string) func(platformtest.Order) platformtest.Webhook {
		return func(o platformtest.Order) platformtest.Webhook {
			return platformtest.Webhook{Body: []byte(strings.NewReplacer(
				"order.payment.succeeded", kind, "12:00:05+03:00", fmt.Sprintf("12:00:%02d+03:00", 5+o.Refund), `"order_id":70001`, fmt.Sprintf(`"order_id":%d`, 70000+o.N),
				`"2026-11-23T12:00:00+03:00"`, `"`+o.PaidAt.In(time.FixedZone("", 3*3600)).Format(time.RFC3339)+`"`,
				"ada@example.com", o.Email, `"id":"4711"`, fmt.Sprintf(`"id":%q`, o.Product), `"quantity":2`, fmt.Sprintf(`"quantity":%d`, o.Quantity),
			).Replace(paid))}
		}
	}
	platformtest.Run(t, platformtest.Platform{
		Name:       noventiq.Name,
		Adapter:    noventiq.Adapter{},
		Secrets:    [3]string{"the secret of order.payment.succeeded", "the secret of product.returned", "the secret of another event"},
		TestSecret: "the secret of the test mode",
		Signature:  "signature",
		Sign: func(key []byte, w platformtest.Webhook, _ time.Time) platformtest.Webhook {
			signature, _ := noventiq.Sign(key, w.Body)
			w.Header = http.Header{}
			w.Header.Set("signature", signature)
			return w
		},
		Covers: func(body []byte) [][]byte {
			var parts [][]byte
			for _, name := range []string{"event", "order_id", "create_date", "currency", "email", "payment_method"} {
				_, after, _ := bytes.Cut(body, []byte(`"`+name+`":`))
				value, _, _ := bytes.Cut(after, []byte(","))
				parts = append(parts, bytes.Trim(value, `"`))
			}
			return parts
		},
		Replays: true,
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:           as("order.payment.succeeded"),
			platformtest.Refunded:       as("product.returned"),
			platformtest.PartlyRefunded: as("product.returned"),
			platformtest.Dynamic: func(o platformtest.Order) platformtest.Webhook {
				w := as("order.payment.succeeded")(o)
				w.Body = []byte(strings.NewReplacer(`"external_id":""`, `"external_id":"TEST1"`, "EL-1", platformtest.Game).Replace(string(w.Body)))
				return w
			},
			platformtest.Recorded: as("subscription.cancelled"),
			platformtest.Concerns: as("product.delivered"),
			platformtest.Unheard:  as("order.shipped"),
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				o.Quantity = 0
				return as("order.payment.succeeded")(o)
			},
		},
	})
}

// FuzzNoventiq holds that no body makes the adapter fall over, that what it decodes can
// be checked, that its errors quote nothing, and that what is signed is signed alike by
// sender and receiver.
func FuzzNoventiq(f *testing.F) {
	f.Add([]byte(paid), "")
	f.Add([]byte(strings.Replace(paid, `"external_id":""`, `"external_id":"TEST1"`, 1)), strings.Repeat("0", 128))
	f.Add([]byte(strings.Replace(paid, `"document_part"`, `"subscription":{"id":"55_2"},"document_part"`, 1)), "x")
	f.Add([]byte(strings.Replace(paid, "order.payment.succeeded", "product.returned", 1)), ";")
	f.Add([]byte(`{"event":"order.payment.succeeded","order_id":1e400,"product":{"quantity":"9"}}`), "")
	account := platform.Account{Settings: json.RawMessage(`{"products":{"EL-1":"elden"}}`)}
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		const secret = "a secret that nobody guesses"
		if _, err := (noventiq.Adapter{}).Verify(request(string(body), signature), holding(secret), at); err == nil {
			t.Error("a stranger's signature is taken")
		}
		if own, ok := noventiq.Sign([]byte(secret), body); ok {
			if _, err := (noventiq.Adapter{}).Verify(request(string(body), own), holding(secret), at); err != nil {
				t.Errorf("what was signed is refused: %v", err)
			}
		}
		got, err := decode(string(body), account)
		if err != nil {
			var wrong *platform.FieldError
			if !errors.As(err, &wrong) || len(wrong.Error()) > 300 {
				t.Errorf("%#v", err)
			}
			return
		}
		for _, event := range got {
			if p, ok := event.(platform.Paid); ok {
				if err := p.Check(1000); err == nil && (len(p.Lines) != 1 || p.Lines[0].Quantity < 1) {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}
