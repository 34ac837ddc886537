package paddle_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/PaddleHQ/paddle-go-sdk/v4"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

func signedBy(body []byte, secret string) platform.Request {
	return platform.Request{Header: http.Header{"Paddle-Signature": {paddle.Sign([]byte(secret), signedAt, body)}}, Body: body}
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

// The example of Paddle's own Go library, paddle-go-sdk v4.2.0,
// example_webhook_verifier_test.go.
const (
	vectorSecret    = "pdl_ntfset_01hsdn8d43dt7mezr1ef2jtbaw_hKkRiCGyyRhbFwIUuqiTBgI7gnWoV0Gr"
	vectorSignature = "ts=1710929255;h1=6c05ef8fa83c44d751be6d259ec955ce5638e2c54095bf128e408e2fce1589c8"
	vectorBody      = `{"data":{"id":"pri_01hsdn96k2hxjzsq5yerecdj9j","name":null,"status":"active","quantity":{"maximum":999999,"minimum":1},"tax_mode":"account_setting","product_id":"pro_01hsdn8qp7yydry3x1yeg6a9rv","unit_price":{"amount":"1000","currency_code":"USD"},"custom_data":null,"description":"testing","import_meta":null,"trial_period":null,"billing_cycle":{"interval":"month","frequency":1},"unit_price_overrides":[]},"event_id":"evt_01hsdn97563968dy0szkmgjwh3","event_type":"price.created","occurred_at":"2024-03-20T10:07:35.590857Z","notification_id":"ntf_01hsdn977e920kbgzt6r6c9rqc"}`
)

func TestVerify_paddlesVector(t *testing.T) {
	t.Parallel()
	key, err := paddle.Adapter{}.ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	from := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(key)}}}
	sentAt := time.Unix(1710929255, 0)
	r := platform.Request{Header: http.Header{"Paddle-Signature": {vectorSignature}}, Body: []byte(vectorBody)}
	if signed, err := (paddle.Adapter{}).Verify(r, from, sentAt); err != nil || signed.Secret != 0 {
		t.Errorf("%+v, %v", signed, err)
	}
	if got := paddle.Sign(key, sentAt, r.Body); got != vectorSignature {
		t.Errorf("signed as %s", got)
	}
	// A body that a parser has written anew is another.
	r.Body = bytes.Replace(r.Body, []byte(`"maximum":999999,"minimum":1`), []byte(`"minimum":1,"maximum":999999`), 1)
	if _, err := (paddle.Adapter{}).Verify(r, from, sentAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("serialised anew: %v", err)
	}
}

// What we hold to be signed, Paddle's own library does, and the other way round.
func TestVerify_asPaddlesLibrary(t *testing.T) {
	t.Parallel()
	for _, name := range platformtest.Examples(t, "paddle", 1) {
		r := webhook(t, name)
		signed, ours := paddle.Adapter{}.Verify(r, account(""), signedAt)
		for i, secret := range []string{liveSecret, testSecret} {
			sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://keypool.example.com/webhooks/acme/paddle", bytes.NewReader(r.Body))
			if err != nil {
				t.Fatal(err)
			}
			sent.Header = r.Header.Clone()
			theirs, err := sdk.NewWebhookVerifier(secret).Verify(sent)
			if err != nil || ours != nil || theirs != (signed.Secret == i) {
				t.Errorf("%s by secret %d: %v, %v; ours %d, %v", name, i, theirs, err, signed.Secret, ours)
			}
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event_id":"evt_1"}`)
	good := paddle.Sign([]byte(liveSecret), signedAt, body)
	ts, h1, _ := strings.Cut(good, ";")
	_, other, _ := strings.Cut(paddle.Sign([]byte("somebody else's"), signedAt, body), ";")
	for _, test := range []struct {
		name   string
		header []string
		now    time.Time
		want   error
	}{
		{"as sent", []string{good}, signedAt, nil},
		{"with blanks", []string{ts + "; " + h1}, signedAt, nil},
		{"while a secret is rotated", []string{ts + ";" + other + ";" + h1}, signedAt, nil},
		{"the other way round", []string{h1 + ";" + other + ";" + ts}, signedAt, nil},
		{"with a part of the future", []string{good + ";h2=abc"}, signedAt, nil},
		{"joined by API Gateway", []string{good + "," + good}, signedAt, nil},
		{"twice", []string{good, good}, signedAt, nil},
		{"at the edge", []string{good}, signedAt.Add(5 * time.Minute), nil},
		{"at the other edge", []string{good}, signedAt.Add(-5 * time.Minute), nil},
		{"too late", []string{good}, signedAt.Add(5*time.Minute + time.Second), platform.ErrClock},
		{"too early", []string{good}, signedAt.Add(-5*time.Minute - time.Second), platform.ErrClock},
		{"by another", []string{ts + ";" + other}, signedAt, platform.ErrSecret},
		{"by another, long ago", []string{ts + ";" + other}, signedAt.Add(time.Hour), platform.ErrSignature},
		{"of another time", []string{"ts=1767366247;" + h1}, signedAt, platform.ErrSecret},
		{"of two times", []string{good + ";ts=1767366247"}, signedAt, platform.ErrSignature},
		{"without a time", []string{h1}, signedAt, platform.ErrSignature},
		{"without a signature", []string{ts}, signedAt, platform.ErrSignature},
		{"of no hex", []string{ts + ";h1=xyz"}, signedAt, platform.ErrSignature},
		{"cut short", []string{good[:len(good)-2]}, signedAt, platform.ErrSignature},
		{"of a time below zero", []string{"ts=-1767366246;" + h1}, signedAt, platform.ErrSignature},
		{"of a time with a sign", []string{"ts=+1767366246;" + h1}, signedAt, platform.ErrSignature},
		{"of a time beyond all", []string{"ts=99999999999999;" + h1}, signedAt, platform.ErrSignature},
		{"of Stripe's form", []string{"t=1767366246,v1=" + strings.TrimPrefix(h1, "h1=")}, signedAt, platform.ErrSignature},
		{"empty", []string{""}, signedAt, platform.ErrSignature},
	} {
		r := platform.Request{Header: http.Header{"Paddle-Signature": test.header}, Body: body}
		_, err := paddle.Adapter{}.Verify(r, account(""), test.now)
		if reasonOf(err) != reasonOf(test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	r := signedBy(body, liveSecret)
	r.Body = append(r.Body, ' ')
	if _, err := (paddle.Adapter{}).Verify(r, account(""), signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("another body: %v", err)
	}
	if _, err := (paddle.Adapter{}).Verify(signedBy(body, liveSecret), platform.Account{}, signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("without secrets: %v", err)
	}
}

// An empty secret is known to everybody, and signs nothing.
func TestVerify_emptySecret(t *testing.T) {
	t.Parallel()
	a := account("")
	a.Secrets = append([]platform.SigningSecret{{Secret: platform.Conceal(nil)}}, a.Secrets...)
	body := []byte("{}")
	if signed, err := (paddle.Adapter{}).Verify(signedBy(body, ""), a, signedAt); !errors.Is(err, platform.ErrSecret) {
		t.Errorf("signed by nothing: %+v, %v", signed, err)
	}
	if signed, err := (paddle.Adapter{}).Verify(signedBy(body, testSecret), a, signedAt); err != nil || signed.Secret != 2 {
		t.Errorf("beside it: %+v, %v", signed, err)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for _, good := range []string{liveSecret, vectorSecret, " " + testSecret + "\n", "pdl_ntfset_01abc_5Ts+EsAF/BAUHRjxmPVqnC8F0rJxVWy2"} {
		if key, err := (paddle.Adapter{}).ParseSecret(good); err != nil || string(key) != strings.TrimSpace(good) {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"": "Edit destination", "pdl_ntfset_": "Edit destination", "pdl_ntfset_01abc": "Edit destination", "pdl_ntfset_01abc_short": "Edit destination",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "Edit destination", "pdl_ntfset_01abc_" + strings.Repeat("x", 200): "Edit destination",
		"pdl_ntfset_01abc_with a blank in its text": "Edit destination", liveKey: "API key",
	} {
		if _, err := (paddle.Adapter{}).ParseSecret(bad); err == nil || !strings.Contains(err.Error(), says) || len(bad) > 12 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
