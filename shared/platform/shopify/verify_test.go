package shopify_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

func signedBy(body []byte, secret string) platform.Request {
	h := http.Header{}
	h.Set("X-Shopify-Hmac-Sha256", shopify.Sign([]byte(secret), body))
	return platform.Request{Header: h, Body: body}
}

// A vector, made by another program than this one.
func TestSign_vector(t *testing.T) {
	t.Parallel()
	const secret, body = "keypool-shopify-secret", `{"id":5501234567890,"test":false,"financial_status":"paid"}`
	const want = "JKgW3aH8/dt+q4X1jn53IzVo+RvBUTFQLoeDCZJ2aCY="
	if got := shopify.Sign([]byte(secret), []byte(body)); got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

// Every example is signed, by another program: by the app's secret, or by that of the webhooks made by hand.
func TestExamplesAreSigned(t *testing.T) {
	t.Parallel()
	for _, name := range platformtest.Examples(t, "shopify", 18) {
		want := 0
		if strings.HasSuffix(name, "by_hand") || strings.HasSuffix(name, "test_notification") {
			want = 1
		}
		signed, err := shopify.Adapter{}.Verify(webhook(t, name), account(), now)
		if err != nil || signed.Secret != want {
			t.Errorf("%s: %+v, %v", name, signed, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":1}`)
	good := shopify.Sign([]byte(appSecret), body)
	sum, _ := base64.StdEncoding.DecodeString(good)
	other := shopify.Sign([]byte("shpss_of_somebody_else_altogether"), body)
	for _, test := range []struct {
		name    string
		headers []string
		want    error // nil: it is the account's
	}{
		{"good", []string{good}, nil},
		{"by hand", []string{shopify.Sign([]byte(handSecret), body)}, nil},
		{"twice the same", []string{good, good}, platform.ErrSignature},
		{"another secret", []string{other}, platform.ErrSecret},
		{"another before it", []string{other, good}, platform.ErrSignature},
		{"joined", []string{good + "," + good}, platform.ErrSignature},
		{"in hexadecimal", []string{hex.EncodeToString(sum)}, platform.ErrSignature},
		{"base64 for addresses", []string{strings.NewReplacer("+", "-", "/", "_").Replace(good) + "-"}, platform.ErrSignature},
		{"without its padding", []string{strings.TrimRight(good, "=")}, platform.ErrSignature},
		{"a part", []string{base64.StdEncoding.EncodeToString(sum[:16])}, platform.ErrSignature},
		{"empty", []string{""}, platform.ErrSignature},
		{"none", nil, platform.ErrSignature},
	} {
		r := platform.Request{Header: http.Header{"X-Shopify-Hmac-Sha256": test.headers}, Body: body}
		_, err := shopify.Adapter{}.Verify(r, account(), now)
		if !errors.Is(err, test.want) || errors.Is(err, platform.ErrSecret) != errors.Is(test.want, platform.ErrSecret) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	r := signedBy(body, appSecret)
	r.Body = append(r.Body, ' ')
	if _, err := (shopify.Adapter{}).Verify(r, account(), now); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("another body: %v", err)
	}
	if _, err := (shopify.Adapter{}).Verify(signedBy(body, appSecret), platform.Account{}, now); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("without secrets: %v", err)
	}
	if _, err := (shopify.Adapter{}).Verify(signedBy(body, appSecret), account(), now.Add(10*365*24*time.Hour)); err != nil {
		t.Errorf("ten years later, which nothing signed tells: %v", err)
	}
}

// An empty secret is known to everybody, and signs nothing.
func TestVerify_emptySecret(t *testing.T) {
	t.Parallel()
	a := account()
	a.Secrets = append([]platform.SigningSecret{{Secret: platform.Conceal(nil)}}, a.Secrets...)
	if signed, err := (shopify.Adapter{}).Verify(signedBy([]byte("{}"), ""), a, now); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("signed by nothing: %+v, %v", signed, err)
	}
	if signed, err := (shopify.Adapter{}).Verify(signedBy([]byte("{}"), handSecret), a, now); err != nil || signed.Secret != 2 {
		t.Errorf("beside it: %+v, %v", signed, err)
	}
}

// "Send test notification" sets a header that nobody signs: it is no way around the check.
func TestVerify_testHeaderSkipsNothing(t *testing.T) {
	t.Parallel()
	r := signedBy([]byte(`{"id":820982911946154508}`), "not_the_secret_of_the_account")
	r.Header.Set("X-Shopify-Test", "true")
	if _, err := (shopify.Adapter{}).Verify(r, account(), now); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("%v", err)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for _, good := range []string{appSecret, handSecret, "keypool-shopify-secret", strings.Repeat("0123456789abcdef", 4)} {
		if key, err := (shopify.Adapter{}).ParseSecret(" " + good + "\n"); err != nil || string(key) != good {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"": "Notifications", "short": "Notifications", "shpat_0123456789abcdef0123456789abcdef": "access token",
		"with a blank in its text": "Notifications", strings.Repeat("x", 129): "Dev Dashboard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa/w": "Dev Dashboard",
	} {
		if _, err := (shopify.Adapter{}).ParseSecret(bad); err == nil || !strings.Contains(err.Error(), says) || len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
