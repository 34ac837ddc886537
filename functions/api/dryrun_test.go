package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/platform/stripe"
)

// failing are the names of the steps that fail.
func (trial Trial) failing() []string {
	var names []string
	for _, step := range trial.Steps {
		if !step.OK {
			names = append(names, step.Step)
		}
	}
	return names
}

// The account of events/good_api_account_generic.json, and the webhook of
// events/good_api_dry_run.json.
func TestDryRun_generic(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	if err := w.store.PutToken(t.Context(), access.Token{Hash: access.HashToken(token), Merchant: "acme", Scopes: access.Scopes, CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	refused := w.send(resttest.Event(t, "bad_api_account_generic")).Want(422)
	if diff := cmp.Diff([]string{"body.settings.customer.email", "body.settings.order", "body.settings.signature.algorithm"}, sorted(refused.Locations())); diff != "" {
		t.Errorf("%s\n%s", diff, refused.Body)
	}
	w.send(resttest.Event(t, "good_api_account_generic")).Want(201)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/game", Product{Title: "The Game", Pool: "elden"}).Want(201)

	lacking := w.token("acme", access.Upload, access.OrdersRead, access.OrdersWrite, access.KeysRead, access.Secrets)
	w.fill.drain()
	before := w.dump()
	var trial Trial
	answer := w.send(resttest.Event(t, "good_api_dry_run")).Want(200)
	answer.Into(&trial)
	want := TrialEvent{
		Event: "paid", Order: "42", Currency: "EUR", Language: "en", PaidAt: time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC),
		Customer: &Customer{Name: "Ada Byron", Email: "ada@example.com", Country: "GB"},
		Lines: []TrialLine{
			{Line: "7001", Product: "game", Title: "The Game", Quantity: 2, UnitPrice: "59.99", Would: "get_keys", Pool: "elden", Keys: 2},
			{Line: "7002", Product: "unheard-of", Title: "A Map", Quantity: 1, UnitPrice: "4.00", Would: "wait_unconnected"},
		},
	}
	if diff := cmp.Diff([]TrialEvent{want}, trial.Events); diff != "" || !trial.OK || len(trial.failing()) > 0 {
		t.Errorf("%v\n%s\n%s", trial.failing(), answer.Body, diff)
	}

	var captured CapturedWebhook
	if err := json.Unmarshal([]byte(resttest.Event(t, "good_api_dry_run").Body), &captured); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change  func(c *CapturedWebhook)
		failing []string
		says    string
	}{
		"of now":        {func(c *CapturedWebhook) { c.ReceivedAt = time.Time{} }, []string{"time"}, "received_at"},
		"one byte more": {func(c *CapturedWebhook) { c.Body += "\n" }, []string{"secret"}, "line break at the end of the body"},
		"no headers":    {func(c *CapturedWebhook) { c.Headers = nil }, []string{"signature", "time", "secret"}, "no header X-Signature"},
		"in base64": {func(c *CapturedWebhook) {
			c.Body, c.Base64 = base64.StdEncoding.EncodeToString([]byte(c.Body)), true
		}, nil, "signed by the secret live"},
		"other settings": {func(c *CapturedWebhook) {
			c.Settings = AccountSettings(`{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"},"order":"/order/number","customer":{"email":"/order/mail"},"lines":{"pointer":"/order/items","product":"/sku"}}`)
		}, []string{"body"}, "customer.email finds nothing at /order/mail"},
		"settings that read the key otherwise": {func(c *CapturedWebhook) {
			c.Settings = AccountSettings(`{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","key":"base64","signed":"{time}.{body}"},"time":{"part":"t"},"order":"/order/number","customer":{"email":"/order/email"},"lines":{"pointer":"/order/items","line":"/id","product":"/sku"}}`)
		}, []string{"secret"}, "read as text: set signature.key to text"},
	} {
		c := captured
		test.change(&c)
		var trial Trial
		answer := w.shop(bearer, "POST", "/v1/accounts/my-shop/dry-run", c).Want(200)
		answer.Into(&trial)
		if !slices.Equal(trial.failing(), test.failing) || trial.OK != (test.failing == nil) || !strings.Contains(answer.Body, test.says) {
			t.Errorf("%s: fails %q, want %q:\n%s", name, trial.failing(), test.failing, answer.Body)
		}
		if strings.Contains(answer.Body, "keypool-generic-secret") {
			t.Errorf("%s: the secret is shown", name)
		}
	}
	for name, c := range map[string]CapturedWebhook{
		"body.body":           {Body: "no base64!", Base64: true},
		"body.settings.order": {Body: "{}", Settings: AccountSettings(`{"signature":{"header":"S"},"order":"id","customer":{"email":"/a"},"lines":{"product":"/b"}}`)},
	} {
		if got := w.shop(bearer, "POST", "/v1/accounts/my-shop/dry-run", c).Want(422).Locations(); !slices.Equal(got, []string{name}) {
			t.Errorf("names %q, want %s", got, name)
		}
	}
	w.shop(bearer, "POST", "/v1/accounts/my-shop/dry-run", CapturedWebhook{Body: strings.Repeat("x", platform.MaxBody+1)}).Want(422)
	large := base64.StdEncoding.EncodeToString(make([]byte, platform.MaxBody)) // as large as a webhook may be
	w.shop(bearer, "POST", "/v1/accounts/my-shop/dry-run", CapturedWebhook{Body: large, Base64: true}).Want(200)
	w.shop(bearer, "POST", "/v1/accounts/none/dry-run", captured).Want(404)
	w.shop(lacking, "POST", "/v1/accounts/my-shop/dry-run", captured).Want(403)
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("a dry run stored something:\n%s", diff)
	}
	if len(w.fill.drain())+len(w.ranges.drain()) > 0 {
		t.Error("a dry run sent a message")
	}
}

// Every platform's webhooks are tried, not only those that settings describe.
func TestDryRun_standard(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "a@example.com", DefaultPool: ""})
	var account Account
	w.shop(bearer, "PUT", "/v1/accounts/shop", Account{}).Want(201).Into(&account)
	key, err := platform.ParseSecret(account.Secret)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"type":"order.paid","data":{"order":"1","paid_at":"2026-11-23T12:00:00Z","customer":{"email":"ada@example.com"},"lines":[{"product":"mug","quantity":1}]}}`
	signed := func(key []byte, at time.Time) map[string]string {
		return map[string]string{
			"Webhook-Id": "msg_1", "Webhook-Timestamp": strconv.FormatInt(at.Unix(), 10), "Webhook-Signature": standard.Sign(key, "msg_1", at, []byte(body)),
		}
	}
	other := []byte("another key that is none of this")
	for name, test := range map[string]struct {
		headers map[string]string
		body    string
		failing string
		says    string
	}{
		"right":                  {signed(key, noon), body, "", "signed by secret 1 of the account"},
		"another secret":         {signed(other, noon), body, "signature", "Compare the secret"},
		"old":                    {signed(key, noon.Add(-time.Hour)), body, "signature", "too far from"},
		"old, by another secret": {signed(other, noon.Add(-time.Hour)), body, "signature", "or of another time"},
		"no headers":             {nil, body, "signature", "Copy all headers"},
		"a mistake":              {signed(key, noon), `{"type":"order.paid"}`, "signature body", "data is missing"},
		"nobody's mail":          {signed(key, noon), strings.Replace(body, "ada@example.com", "ada", 1), "signature order", "data.customer.email is not a mail address"},
		"paid before":            {signed(key, noon), strings.Replace(body, "2026", "2020", 1), "signature order", "delivers_from"},
	} {
		var trial Trial
		answer := w.shop(bearer, "POST", "/v1/accounts/shop/dry-run", CapturedWebhook{Headers: test.headers, Body: test.body}).Want(200)
		answer.Into(&trial)
		if got := strings.Join(trial.failing(), " "); got != test.failing || !strings.Contains(answer.Body, test.says) {
			t.Errorf("%s: fails %q, want %q:\n%s", name, got, test.failing, answer.Body)
		}
		if name == "paid before" && trial.Events[0].Lines[0].Would != "be_held" {
			t.Errorf("%s: %s", name, answer.Body)
		}
		for _, shown := range []string{account.Secret, string(key)} {
			if strings.Contains(answer.Body, shown) {
				t.Errorf("%s: the secret is shown", name)
			}
		}
	}
	w.shop(bearer, "PUT", "/v1/products/mug", Product{Title: "Mug", Renewal: "parent_key"}, "if-none-match", "*").Want(201)
	whole := body
	for what, would := range map[string]string{``: "wait_unconnected", `"parent":"0",`: "mail_parent_keys"} {
		body = strings.Replace(whole, `"order"`, what+`"order"`, 1)
		var trial Trial
		w.shop(bearer, "POST", "/v1/accounts/shop/dry-run", CapturedWebhook{Headers: signed(key, noon), Body: body}).Want(200).Into(&trial)
		if got := trial.Events[0].Lines[0]; got.Would != would || (got.Parent == "0") != (what != "") {
			t.Errorf("with %s: %+v", what, got)
		}
	}
	body = strings.Replace(whole, "mug", "cap", 1)
	w.shop(bearer, "PUT", "/v1/accounts/shop", Account{KeepSecret: true, OtherProducts: "ignore"}, "if-match", "*").Want(200)
	var trial Trial
	w.shop(bearer, "POST", "/v1/accounts/shop/dry-run", CapturedWebhook{Headers: signed(key, noon), Body: body}).Want(200).Into(&trial)
	if !trial.OK || trial.Events[0].Lines[0].Would != "be_skipped" {
		t.Errorf("%+v", trial)
	}
	// What a line may not have is no matter where it is passed over.
	body = regexp.MustCompile(`"quantity":\d+`).ReplaceAllString(body, `"quantity":999999`)
	trial = Trial{}
	w.shop(bearer, "POST", "/v1/accounts/shop/dry-run", CapturedWebhook{Headers: signed(key, noon), Body: body}).Want(200).Into(&trial)
	if line := trial.Events[0].Lines[0]; !trial.OK || line.Would != "be_skipped" || line.Quantity != 999999 {
		t.Errorf("%+v", trial)
	}
	// A sealed secret that does not open is a failure of ours, and says nothing of it.
	w.kms.err = http.ErrAbortHandler
	if got := w.shop(bearer, "POST", "/v1/accounts/shop/dry-run", CapturedWebhook{Headers: signed(key, noon), Body: body}); got.StatusCode < 500 {
		t.Errorf("answered %d", got.StatusCode)
	}
}

// What is no paid order is checked as well, and named.
func TestDryRun_refundsAndDisputes(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/accounts/shop", Account{}).Want(201)
	w.shop(bearer, "PUT", "/v1/accounts/noventiq", Account{Platform: "noventiq", Secrets: []AccountSecret{{Name: "all", Secret: "a secret of Noventiq"}}}).Want(201)
	for name, test := range map[string]struct{ account, body, failing, says, event string }{
		"a refund":             {"shop", `{"type":"order.refunded","data":{"order":"1","refund":"r1","lines":[{"line":"1"}]}}`, "signature", "It can be taken.", "returned"},
		"a line twice":         {"shop", `{"type":"order.refunded","data":{"order":"1","refund":"r1","lines":[{"line":"1"},{"line":"1"}]}}`, "signature order", "the same as another line's", "returned"},
		"a dispute":            {"shop", `{"type":"order.disputed","data":{"order":"1","dispute":"d1","state":"open"}}`, "signature", "It can be taken.", "disputed"},
		"a dispute of a state": {"shop", `{"type":"order.disputed","data":{"order":"1","dispute":"d1","state":"maybe"}}`, "signature order", "data.state is none of", "disputed"},
		"what is recorded":     {"noventiq", resttest.Event(t, "good_noventiq_subscription").Body, "signature", "It reports an event that only stands in the history of its line.", "recorded"},
	} {
		var trial Trial
		answer := w.shop(bearer, "POST", "/v1/accounts/"+test.account+"/dry-run", CapturedWebhook{Body: test.body}).Want(200)
		answer.Into(&trial)
		if got := strings.Join(trial.failing(), " "); got != test.failing || !strings.Contains(answer.Body, test.says) || len(trial.Events) != 1 || trial.Events[0].Event != test.event {
			t.Errorf("%s: fails %q, want %q:\n%s", name, got, test.failing, answer.Body)
		}
	}
}

// An order without an address is put on hold where its shop may tell one later.
func TestDryRun_noAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/accounts/shopify", Account{
		Platform: "shopify", DeliversFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Settings: AccountSettings(`{"shop":"acme.myshopify.com"}`),
		Secrets: []AccountSecret{{Name: "all", Secret: strings.Repeat("5a", 32)}},
	}).Want(201)
	event := resttest.Event(t, "shopify_no_address")
	var trial Trial
	answer := w.shop(bearer, "POST", "/v1/accounts/shopify/dry-run", CapturedWebhook{Headers: event.Headers, Body: event.Body}).Want(200)
	answer.Into(&trial)
	if got := strings.Join(trial.failing(), " "); got != "signature order" || !strings.Contains(answer.Body, "no mail address") || trial.Events[0].Lines[0].Would != "be_held" {
		t.Errorf("fails %q:\n%s", got, answer.Body)
	}
}

// README's examples: the account can be set up as it stands there, and the dry run
// answers what stands there.
func TestDryRun_readme(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(before, after string) string {
		_, text, _ := strings.Cut(string(readme), before)
		text, _, ok := strings.Cut(text, after)
		if !ok {
			t.Fatalf("README has nothing between %q and %q", before, after)
		}
		return text
	}
	var account Account
	w.shop(bearer, "PUT", "/v1/accounts/my-shop", json.RawMessage("{\"platform\": \"generic\""+block("{\"platform\": \"generic\"", "\n```"))).Want(201).Into(&account)
	if account.WebhookPath != "/webhooks/acme/my-shop" || account.Warnings != nil {
		t.Errorf("%+v", account)
	}
	w.shop(bearer, "PUT", "/v1/accounts/standard", Account{}).Want(201)
	answer := w.shop(bearer, "POST", "/v1/accounts/standard/dry-run", json.RawMessage(block("<<'END'\n", "\nEND\n"))).Want(200)
	if diff := cmp.Diff(block("END\n```\n```json\n", "\n```"), strings.TrimSpace(answer.Body)); diff != "" {
		t.Errorf("README shows another answer (-README +answer):\n%s", diff)
	}
}

// A secret is held against the settings that are to read it.
func TestAccount_secretOfAnotherForm(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	body := Account{
		Platform: "generic", Secrets: []AccountSecret{{Name: "live", Secret: "no hex, but long enough"}},
		Settings: AccountSettings(`{"signature":{"header":"S","key":"hex"},"order":"/o","customer":{"email":"/e"},"lines":{"product":"/p"}}`),
	}
	refused := w.shop(bearer, "PUT", "/v1/accounts/my-shop", body).Want(422)
	if got := refused.Locations(); !slices.Equal(got, []string{"body.secrets[0].secret"}) || strings.Contains(refused.Body, "long enough") {
		t.Errorf("%s", refused.Body)
	}
	body.Secrets[0].Secret = "6e6f206865782c20627574206c6f6e67"
	w.shop(bearer, "PUT", "/v1/accounts/my-shop", body).Want(201)
}

// What settings leave open is said by PUT and GET.
func TestAccount_warnings(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	body := Account{Platform: "generic", Settings: AccountSettings(`{"signature":{"header":"S"},"order":"/o","customer":{"email":"/e"},"lines":{"product":"/p"}}`)}
	var put, got Account
	w.shop(bearer, "PUT", "/v1/accounts/my-shop", body).Want(201).Into(&put)
	w.shop(bearer, "GET", "/v1/accounts/my-shop", nil).Want(200).Into(&got)
	if len(put.Warnings) != 1 || !strings.Contains(put.Warnings[0], "{time}") || !slices.Equal(put.Warnings, got.Warnings) {
		t.Errorf("%q, %q", put.Warnings, got.Warnings)
	}
}

// What a platform's webhook does not hold is not fetched: without the key that it takes,
// the dry run says what to enter, and with it that all else is right.
func TestDryRun_whatIsFetched(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	const secret = "whsec_c2lnbmluZyBzZWNyZXQgb2YgdGhlIHNob3A="
	body := []byte(resttest.Event(t, "stripe_paid").Body)
	account := Account{Platform: "stripe", Secrets: []AccountSecret{{Name: "live", Secret: secret}}}
	w.shop(bearer, "PUT", "/v1/accounts/stripe", account).Want(201)
	c := CapturedWebhook{Headers: map[string]string{"Stripe-Signature": stripe.Sign([]byte(secret), noon, body)}, Body: string(body), ReceivedAt: noon}
	for _, with := range []bool{false, true} {
		if with {
			account.Credentials = []AccountCredential{{Name: "live_key", Credential: "rk_live_" + strings.Repeat("a", 32)}}
			w.shop(bearer, "PUT", "/v1/accounts/stripe", account, "if-match", "*").Want(200)
		}
		var trial Trial
		answer := w.shop(bearer, "POST", "/v1/accounts/stripe/dry-run", c).Want(200)
		answer.Into(&trial)
		says := map[bool]string{false: "credentials.live_key is missing", true: "a call of the platform's API, which a dry run does not make"}[with]
		if trial.OK != with || !strings.Contains(answer.Body, says) || len(trial.Events) != 0 {
			t.Errorf("with a key %v: %s", with, answer.Body)
		}
	}
}
