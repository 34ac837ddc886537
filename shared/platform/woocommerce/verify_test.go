package woocommerce_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

// The vectors were made with Python's hmac: WooCommerce documents none. The second secret
// holds what HTML escapes: the key is the text that the settings page shows.
func TestSign_vectors(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":727,"status":"processing","date_paid_gmt":"2026-01-02T15:04:00"}`)
	for secret, want := range map[string]string{
		"keypool-woo-secret": "RP9UA2gx4GewYNUrz3lRWkKR78FsHJ0nhXPLQ7OoXR0=",
		`p&<q>"r's`:          "ETRDpA8NomPvuudaeqHxEXgwyZCsEzW8i5zybi2IVfA=",
	} {
		if got := woocommerce.Sign([]byte(secret), body); got != want {
			t.Errorf("by %s it is signed %s, want %s", secret, got, want)
		}
	}
}

// Each example is signed as WooCommerce would, but for the ping, which is not.
func TestExamplesAreSigned(t *testing.T) {
	t.Parallel()
	for _, name := range platformtest.Examples(t, "woocommerce", 15) {
		r := webhook(t, name)
		_, err := woocommerce.Adapter{}.Verify(r, account(forUs), paidAt)
		if ping := name == "woocommerce_ping"; (err != nil) != ping || (woocommerce.Adapter{}).HasSignature(r.Header) == ping {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":727}`)
	good, other := woocommerce.Sign([]byte(secret), body), woocommerce.Sign([]byte("of somebody else altogether"), body)
	for _, test := range []struct {
		name    string
		headers []string
		want    error
	}{
		{"good", []string{good}, nil},
		{"another secret", []string{other}, platform.ErrSecret},
		{"twice", []string{good, good}, platform.ErrSignature},
		{"joined", []string{good + "," + good}, platform.ErrSignature},
		{"without padding", []string{strings.TrimRight(good, "=")}, platform.ErrSignature},
		{"with a line end", []string{good + "\n"}, platform.ErrSignature},
		{"half of it", []string{good[:20]}, platform.ErrSignature},
		{"in hexadecimal", []string{strings.Repeat("0f", 32)}, platform.ErrSignature},
		{"of nothing", []string{""}, platform.ErrSignature},
		{"no header", nil, platform.ErrSignature},
	} {
		r := platform.Request{Header: http.Header{"X-Wc-Webhook-Signature": test.headers}, Body: body}
		_, err := woocommerce.Adapter{}.Verify(r, account(forUs), paidAt)
		if !errors.Is(err, test.want) || errors.Is(err, platform.ErrSecret) != errors.Is(test.want, platform.ErrSecret) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	// The topic and the shop stand in headers, which nobody signs.
	r := webhook(t, "woocommerce_paid")
	r.Header.Set("X-WC-Webhook-Topic", "product.updated")
	if _, err := (woocommerce.Adapter{}).Verify(r, account(forUs), paidAt); err != nil {
		t.Errorf("another topic: %v", err)
	}
}

// Trap: a secret that WooCommerce made holds characters that HTML escapes, and may begin or
// end with a blank. It is taken as it is shown.
func TestParseSecret(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		secret: secret, secret + "\r\n": secret, " begins and ends blank ": " begins and ends blank ", "&amp; stays as it is": "&amp; stays as it is",
		strings.Repeat("ü", 16): strings.Repeat("ü", 16),
	} {
		if got, err := (woocommerce.Adapter{}).ParseSecret(text); err != nil || string(got) != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "too short to be", strings.Repeat("x", 201), "in two\nlines of text", "not of Unicode \xff\xff\xff"} {
		if _, err := (woocommerce.Adapter{}).ParseSecret(bad); err == nil || !strings.Contains(err.Error(), "Webhooks") || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Trap: a webhook that is saved sends its id as a form, without a signature. Anything else
// without one is no ping.
func TestPing(t *testing.T) {
	t.Parallel()
	answer, ok := woocommerce.Adapter{}.Ping(webhook(t, "woocommerce_ping"))
	if !ok || answer.Status != http.StatusOK || len(answer.Body) != 0 || len(answer.Header) != 0 {
		t.Errorf("%v, %+v", ok, answer)
	}
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		kind, body string
		is         bool
	}{
		{form, "webhook_id=27", true},
		{form + "; charset=UTF-8", "webhook_id=1", true},
		{form, "webhook_id=", false},
		{form, "webhook_id=27&order=1", false},
		{form, "webhook_id=2x", false},
		{form, "webhook_id=" + strings.Repeat("1", 40), false},
		{form, "order=1", false},
		{form, "", false},
		{"application/json", "webhook_id=27", false},
		{"", "webhook_id=27", false},
	} {
		r := platform.Request{Header: http.Header{"Content-Type": {test.kind}}, Body: []byte(test.body)}
		if _, ok := (woocommerce.Adapter{}).Ping(r); ok != test.is {
			t.Errorf("%s %q: %v", test.kind, test.body, ok)
		}
		r.Header.Set("X-WC-Webhook-Signature", "x")
		if _, ok := (woocommerce.Adapter{}).Ping(r); ok {
			t.Errorf("%q, signed, is a ping", test.body)
		}
	}
}
