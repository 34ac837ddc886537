package stripe_test

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	sender "github.com/stripe/stripe-go/v85/webhook"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// The vector was made with stripe-go v85.2.0, and once more with Python's hmac: Stripe
// documents none.
func TestVerify_vector(t *testing.T) {
	t.Parallel()
	const want = "t=1767366245,v1=6279132525ba0938687b81e66fdfa2cff2eb5eccb9a40b1bb5b6cbcfd0c01846"
	body := []byte(`{"id":"evt_1","object":"event"}`)
	if got := stripe.Sign([]byte("whsec_test_secret"), signedAt, body); got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

// signedBy returns a webhook as Stripe's own library signs it.
func signedBy(body []byte, secrets ...string) platform.Request {
	header := ""
	for _, secret := range secrets {
		signed := sender.GenerateTestSignedPayload(&sender.UnsignedPayload{Payload: body, Secret: secret, Timestamp: signedAt})
		if header == "" {
			header = signed.Header
		} else {
			header += ",v1=" + hex.EncodeToString(signed.Signature)
		}
	}
	return platform.Request{Header: http.Header{"Stripe-Signature": {header}}, Body: body}
}

func TestVerify_agreesWithStripesLibrary(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":"evt_1","object":"event"}`)
	for i, secret := range []string{liveSecret, testSecret} {
		signed, err := stripe.Adapter{}.Verify(signedBy(body, secret), account(""), signedAt)
		if err != nil || signed.Secret != i {
			t.Errorf("by secret %d: %+v, %v", i, signed, err)
		}
		if err := sender.ValidatePayloadIgnoringTolerance(body, stripe.Sign([]byte(secret), signedAt, body), secret); err != nil {
			t.Errorf("the library refuses what we sign: %v", err)
		}
	}
}

// Each example is signed as Stripe would.
func TestExamplesAreSigned(t *testing.T) {
	t.Parallel()
	for _, name := range platformtest.Examples(t, "stripe", 15) {
		r := webhook(t, name)
		signed, err := stripe.Adapter{}.Verify(r, account(""), signedAt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		secret := []string{liveSecret, testSecret}[signed.Secret]
		if err := sender.ValidatePayloadIgnoringTolerance(r.Body, r.Header.Get("Stripe-Signature"), secret); err != nil {
			t.Errorf("%s: the library says %v", name, err)
		}
	}
}

// reasonOf returns which of its reasons an ErrSignature has.
func reasonOf(err error) string {
	for reason, is := range map[string]error{"secret": platform.ErrSecret, "clock": platform.ErrClock} {
		if errors.Is(err, is) {
			return reason
		}
	}
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, platform.ErrSignature):
		return "any other"
	}
	return err.Error()
}

func TestVerify(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":"evt_1","object":"event"}`)
	good := signedBy(body, liveSecret).Header.Get("Stripe-Signature")
	time0, sum, _ := strings.Cut(good, ",")
	other := signedBy(body, "whsec_of_somebody_else_altogether").Header.Get("Stripe-Signature")
	_, otherSum, _ := strings.Cut(other, ",")
	at := func(shift time.Duration) time.Time { return signedAt.Add(shift) }
	signedFor := func(t string) string { // what the account did sign, for a time that is written so
		signed := stripe.Sign([]byte(liveSecret), signedAt, body)
		return strings.Replace(signed, "t=1767366245", "t="+t, 1)
	}
	for _, test := range []struct {
		name    string
		headers []string
		now     time.Time
		want    error // nil: it is the account's
	}{
		{"good", []string{good}, signedAt, nil},
		{"while the secret is rolled, the old one first", []string{time0 + "," + otherSum + "," + sum}, signedAt, nil},
		{"while the secret is rolled, the new one first", []string{time0 + "," + sum + "," + otherSum}, signedAt, nil},
		{"v0 and unknown parts", []string{time0 + ",v0=" + strings.Repeat("0", 64) + "," + sum + ",v2=x,w"}, signedAt, nil},
		{"blanks after the commas", []string{strings.ReplaceAll(good, ",", ", ")}, signedAt, nil},
		{"the signature before the time", []string{sum + "," + time0}, signedAt, nil},
		{"twice the same", []string{good, good}, signedAt, nil},
		{"joined", []string{good + "," + good}, signedAt, nil},
		{"in two headers", []string{time0, sum}, signedAt, nil},
		{"of five minutes ago", []string{good}, at(5 * time.Minute), nil},
		{"of five minutes ahead", []string{good}, at(-5 * time.Minute), nil},
		{"too old", []string{good}, at(5*time.Minute + time.Second), platform.ErrClock},
		{"from the future, which Stripe's library takes", []string{good}, at(-5*time.Minute - time.Second), platform.ErrClock},
		{"another secret", []string{other}, signedAt, platform.ErrSecret},
		{"another secret, too old", []string{other}, at(time.Hour), platform.ErrSignature},
		{"two times", []string{good, strings.Replace(good, "t=1767366245", "t=1767366246", 1)}, signedAt, platform.ErrSignature},
		{"v0 alone", []string{strings.Replace(good, "v1=", "v0=", 1)}, signedAt, platform.ErrSignature},
		{"no signature", []string{time0}, signedAt, platform.ErrSignature},
		{"no time", []string{sum}, signedAt, platform.ErrSignature},
		{"half a signature", []string{good[:len(good)-2]}, signedAt, platform.ErrSignature},
		{"in base64", []string{time0 + ",v1=6279132525ba0938687b81e66fdfa2cff2eb5eccb9a40b1bb5b6cbcfd0c0184="}, signedAt, platform.ErrSignature},
		{"an empty signature", []string{time0 + ",v1="}, signedAt, platform.ErrSignature},
		{"a time with a sign", []string{signedFor("+1767366245")}, signedAt, platform.ErrSignature},
		{"a time that is none", []string{signedFor("now")}, signedAt, platform.ErrSignature},
		{"a time beyond all", []string{signedFor("99999999999999999999")}, signedAt, platform.ErrSignature},
		{"an empty header", []string{""}, signedAt, platform.ErrSignature},
		{"no header", nil, signedAt, platform.ErrSignature},
	} {
		r := platform.Request{Header: http.Header{"Stripe-Signature": test.headers}, Body: body}
		_, err := stripe.Adapter{}.Verify(r, account(""), test.now)
		if reasonOf(err) != reasonOf(test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	r := signedBy(body, liveSecret)
	r.Body = append(r.Body, ' ')
	if _, err := (stripe.Adapter{}).Verify(r, account(""), signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("another body: %v", err)
	}
	if _, err := (stripe.Adapter{}).Verify(signedBy(body, liveSecret), platform.Account{}, signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("without secrets: %v", err)
	}
}

// An empty secret is known to everybody, and signs nothing.
func TestVerify_emptySecret(t *testing.T) {
	t.Parallel()
	a := account("")
	a.Secrets = append([]platform.SigningSecret{{Secret: platform.Conceal(nil)}}, a.Secrets...)
	body := []byte("{}")
	if signed, err := (stripe.Adapter{}).Verify(signedBy(body, ""), a, signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("signed by nothing: %+v, %v", signed, err)
	}
	if signed, err := (stripe.Adapter{}).Verify(signedBy(body, testSecret), a, signedAt); err != nil || signed.Secret != 2 {
		t.Errorf("beside it: %+v, %v", signed, err)
	}
}

// The key is the secret's text, with its whsec_: what Standard Webhooks would make of the
// same text signs nothing.
func TestVerify_keyIsTheText(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of both forms
	key, err := stripe.Adapter{}.ParseSecret(" " + secret + "\n")
	if err != nil || string(key) != secret {
		t.Fatalf("%q, %v", key, err)
	}
	decoded, err := platform.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("{}")
	for text, ok := range map[string]bool{secret: true, strings.TrimPrefix(secret, "whsec_"): false, string(decoded): false} {
		a := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(key)}}}
		if _, err := (stripe.Adapter{}).Verify(signedBy(body, text), a, signedAt); (err == nil) != ok {
			t.Errorf("signed by %d bytes: %v", len(text), err)
		}
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for _, good := range []string{liveSecret, "whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"} {
		if key, err := (stripe.Adapter{}).ParseSecret(good); err != nil || string(key) != good {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "whsec_", "whsec_short", "rk_live_1234567890123456", "sk_live_1234567890123456", "whsec_with a blank in its text", "whsec_" + strings.Repeat("x", 129), "0123456789abcdef0123456789abcdef"} {
		if _, err := (stripe.Adapter{}).ParseSecret(bad); err == nil || !strings.Contains(err.Error(), "Workbench") || len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
