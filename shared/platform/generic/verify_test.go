package generic_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/generic"
	"keypool/shared/platform/standard"
)

// The vectors' secret, body and time.
const (
	secret    = "keypool-generic-secret"
	orderBody = `{"order":{"id":42,"email":"ada@example.com"}}`
	stamp     = 1767366245
)

var at = time.Unix(stamp, 0)

// rest are the settings beside the signature that every account needs.
const rest = `"order":"/order/id","customer":{"email":"/order/email"},"lines":{"product":"/order/sku"}`

// account returns an account with settings, which CheckSettings takes, and its secrets.
func account(t testing.TB, settings string, secrets ...string) platform.Account {
	t.Helper()
	if err := (generic.Adapter{}).CheckSettings(json.RawMessage(settings)); err != nil {
		t.Fatalf("%s: %v", settings, err)
	}
	a := platform.Account{Merchant: "acme", Name: "shop", Settings: json.RawMessage(settings)}
	for _, text := range secrets {
		a.Secrets = append(a.Secrets, platform.SigningSecret{Secret: platform.Conceal([]byte(text))})
	}
	return a
}

// request returns a request whose headers are name, value, name, value.
func request(body string, headers ...string) platform.Request {
	r := platform.Request{Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func verify(r platform.Request, a platform.Account, now time.Time) error {
	_, err := generic.Adapter{}.Verify(r, a, now)
	return err
}

func mac(key, message string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(message))
	return m.Sum(nil)
}

func inHex(key, message string) string { return hex.EncodeToString(mac(key, message)) }
func inBase64(key, message string) string {
	return base64.StdEncoding.EncodeToString(mac(key, message))
}

// The vectors were reckoned by Python's hmac, not by this package.
func TestVerify_vectors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ signature, time, secret, header string }{
		"hex with a prefix": {
			`{"header":"X-Signature","prefix":"sha256="}`, `{}`, secret,
			"sha256=f485d53ffcad504129523326aa0e47c07f0c3576bb07ab1d2baeb8939c562ce9",
		},
		"hex in capitals": {
			`{"header":"x-signature","encoding":"hex","algorithm":"sha256","prefix":"sha256=","key":"text","signed":"{body}","separator":","}`, `{}`, secret,
			"sha256=F485D53FFCAD504129523326AA0E47C07F0C3576BB07AB1D2BAEB8939C562CE9",
		},
		"SHA-512 in base64": {
			`{"header":"X-Signature","algorithm":"sha512","encoding":"base64"}`, `{}`, secret,
			"Fc/hf8QGzeSfatVcwGUlYGP/LW77/BXfITVCsF/kUOjOhvBpoyuXM8kPhGo/tRApe3PTP8QnU0zlvSnRmxAK9A==",
		},
		"base64 without its padding": {
			`{"header":"X-Signature","algorithm":"sha512","encoding":"base64"}`, `{}`, secret,
			"Fc/hf8QGzeSfatVcwGUlYGP/LW77/BXfITVCsF/kUOjOhvBpoyuXM8kPhGo/tRApe3PTP8QnU0zlvSnRmxAK9A",
		},
		"base64url": {
			`{"header":"X-Signature","algorithm":"sha512","encoding":"base64url"}`, `{}`, secret,
			"Fc_hf8QGzeSfatVcwGUlYGP_LW77_BXfITVCsF_kUOjOhvBpoyuXM8kPhGo_tRApe3PTP8QnU0zlvSnRmxAK9A==",
		},
		"time and body": {
			`{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"}`, `{"part":"t"}`, secret,
			"t=1767366245,v1=689bee6f91b481ee6d501fb490fbc493a28beef708bf18816137b7a748c7d873",
		},
		"a key in hex": {
			`{"header":"X-Signature","key":"hex"}`, `{}`, "6b6579706f6f6c2d6f662d6279746573",
			"e9c2ef18a2313c669f6e22207442f1f910441a928dcb55ab59a777e39a66e868",
		},
		"the same key in base64": {
			`{"header":"X-Signature","key":"base64"}`, `{}`, "a2V5cG9vbC1vZi1ieXRlcw==",
			"e9c2ef18a2313c669f6e22207442f1f910441a928dcb55ab59a777e39a66e868",
		},
		"and after whsec_": {
			`{"header":"X-Signature","key":"whsec"}`, `{}`, "whsec_a2V5cG9vbC1vZi1ieXRlcw",
			"e9c2ef18a2313c669f6e22207442f1f910441a928dcb55ab59a777e39a66e868",
		},
	} {
		a := account(t, `{"signature":`+test.signature+`,"time":`+test.time+`,`+rest+`}`, test.secret)
		r := request(orderBody, "X-Signature", test.header)
		if !(generic.Adapter{}).HasSignature(r.Header) {
			t.Errorf("%s: the header is not seen", name)
		}
		if err := verify(r, a, at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range orderBody {
			altered := []byte(orderBody)
			altered[i] ^= 1
			if err := verify(platform.Request{Header: r.Header, Body: altered}, a, at); !errors.Is(err, platform.ErrSecret) {
				t.Errorf("%s: byte %d of the body altered: %v", name, i, err)
			}
		}
		start := strings.LastIndex(test.header, "=1=") + 1
		if start == 0 && strings.Contains(test.header, "sha256=") {
			start = len("sha256=")
		}
		for i := start; i < len(test.header); i++ {
			altered := []byte(test.header)
			altered[i] ^= 1
			if strings.EqualFold(string(altered), test.header) || altered[i] == '=' || test.header[i] == '=' {
				continue
			}
			if err := verify(request(orderBody, "X-Signature", string(altered)), a, at); !errors.Is(err, platform.ErrSignature) {
				t.Errorf("%s: character %d of the header altered: %v", name, i, err)
			}
		}
	}
}

// Every sender of the table in the package's comment is expressible. The signatures are
// made here as the senders document them.
func TestVerify_senders(t *testing.T) {
	t.Parallel()
	const at = "1767366245"
	standardKey := []byte("0123456789abcdef0123456789abcdef")
	for name, test := range map[string]struct {
		settings string // without what every account needs
		secret   string
		headers  []string
	}{
		"GitHub": {
			`"signature":{"header":"X-Hub-Signature-256","prefix":"sha256="}`, secret,
			[]string{"X-Hub-Signature-256", "sha256=" + inHex(secret, orderBody)},
		},
		"Shopify": {
			`"signature":{"header":"X-Shopify-Hmac-Sha256","encoding":"base64"}`, secret,
			[]string{"X-Shopify-Hmac-Sha256", inBase64(secret, orderBody)},
		},
		"X": {
			`"signature":{"header":"X-Twitter-Webhooks-Signature","encoding":"base64","prefix":"sha256="}`, secret,
			[]string{"X-Twitter-Webhooks-Signature", "sha256=" + inBase64(secret, orderBody)},
		},
		"Stripe": {
			`"signature":{"header":"Stripe-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"}`, secret,
			[]string{"Stripe-Signature", "t=" + at + ",v1=" + inHex(secret, at+"."+orderBody) + ",v0=" + inHex("other", orderBody)},
		},
		"Stripe while the secret is rolled": {
			`"signature":{"header":"Stripe-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"}`, secret,
			[]string{"Stripe-Signature", "t=" + at + ",v1=" + inHex("the next secret", at+"."+orderBody) + ",v1=" + inHex(secret, at+"."+orderBody)},
		},
		"Standard Webhooks": {
			`"signature":{"header":"webhook-signature","encoding":"base64","prefix":"v1,","separator":" ","key":"whsec","signed":"{id}.{time}.{body}"},"time":{"header":"webhook-timestamp"},"id_header":"webhook-id"`,
			platform.FormatSecret(standardKey),
			[]string{"webhook-id", "msg_1", "webhook-timestamp", at, "webhook-signature", "v1a,AAAA " + standard.Sign(standardKey, "msg_1", time.Unix(stamp, 0), []byte(orderBody))},
		},
		"Dixa": {
			`"signature":{"header":"X-Dixa-Signature","prefix":"v1=","separator":",","key":"hex","signed":"{time}.{body}"},"time":{"part":"t","unit":"ms"}`,
			hex.EncodeToString([]byte(secret)),
			[]string{"X-Dixa-Signature", "t=" + at + "123,v1=" + inHex(secret, at+"123."+orderBody)},
		},
		"Everee": {
			`"signature":{"header":"X-Everee-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"header":"X-Everee-Timestamp"}`, secret,
			[]string{"X-Everee-Timestamp", at, "X-Everee-Signature", "v1=" + inHex("the next secret", at+"."+orderBody) + ",v1=" + inHex(secret, at+"."+orderBody)},
		},
		"Worldpay": {
			`"signature":{"header":"Event-Signature","prefix":"2/SHA256/","separator":","}`, secret,
			[]string{"Event-Signature", "1/SHA256/" + inHex("the secret before", orderBody) + ",2/SHA256/" + inHex(secret, orderBody)},
		},
		"Worldpay, the other way round": {
			`"signature":{"header":"Event-Signature","prefix":"2/SHA256/","separator":","}`, secret,
			[]string{"Event-Signature", "2/SHA256/" + inHex(secret, orderBody) + ", 1/SHA256/" + inHex("the secret before", orderBody)},
		},
		"Scalr": {
			`"signature":{"header":"X-Signature","signed":"{body}{time}"},"time":{"header":"Date","unit":"http"}`, secret,
			[]string{"Date", "Fri, 02 Jan 2026 15:04:05 GMT", "X-Signature", inHex(secret, orderBody+"Fri, 02 Jan 2026 15:04:05 GMT")},
		},
		"a time by RFC 3339": {
			`"signature":{"header":"X-Signature","signed":"{time}\u0020{body}"},"time":{"header":"X-Time","unit":"rfc3339"}`, secret,
			[]string{"X-Time", "2026-01-02T16:04:05+01:00", "X-Signature", inHex(secret, "2026-01-02T16:04:05+01:00 "+orderBody)},
		},
	} {
		a := account(t, "{"+test.settings+","+rest+"}", "another secret of the account", test.secret)
		r := request(orderBody, test.headers...)
		signed, err := generic.Adapter{}.Verify(r, a, time.Unix(stamp, 0))
		if err != nil || signed.Secret != 1 {
			t.Errorf("%s: secret %d, %v", name, signed.Secret, err)
		}
		if !(generic.Adapter{}).HasSignature(r.Header) {
			t.Errorf("%s: the header is not seen", name)
		}
		a.Secrets = a.Secrets[:1]
		if err := verify(r, a, time.Unix(stamp, 0)); !errors.Is(err, platform.ErrSecret) {
			t.Errorf("%s: by another secret: %v", name, err)
		}
		r.Body = append(r.Body, ' ')
		a = account(t, "{"+test.settings+","+rest+"}", test.secret)
		if err := verify(r, a, time.Unix(stamp, 0)); !errors.Is(err, platform.ErrSecret) {
			t.Errorf("%s: with a blank more: %v", name, err)
		}
	}
}

// Trap: an empty secret accepts everything that anybody signs with it.
func TestVerify_withoutASecretNothingIsSigned(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"text", "hex", "base64", "whsec"} {
		for name, secrets := range map[string][]string{
			"none": {}, "an empty one": {""}, "a prefix alone": {"whsec_"}, "no key of the form": {"whsec_!!!!"}, "padding": {"===="}, "blanks": {"  "},
		} {
			a := account(t, `{"signature":{"header":"X-Signature","key":"`+form+`"},`+rest+`}`, secrets...)
			for _, key := range []string{"", strings.Repeat("\x00", 32)} {
				if err := verify(request(orderBody, "X-Signature", inHex(key, orderBody)), a, at); !errors.Is(err, platform.ErrSignature) {
					t.Errorf("%s, %s: taken", form, name)
				}
			}
		}
	}
	for _, text := range []string{"", " ", "\n", "short", "       a", strings.Repeat("a", 201), "secret\xff of bytes"} {
		if key, err := (generic.Adapter{}).ParseSecret(text); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%q is taken as %q, %v", text, key, err)
		}
	}
	if key, err := (generic.Adapter{}).ParseSecret(secret); err != nil || string(key) != secret {
		t.Errorf("%q, %v", key, err)
	}
}

// Trap: eight characters of hex are a key of 4 bytes, which one webhook is enough to find.
func TestVerify_shortKeySignsNothing(t *testing.T) {
	t.Parallel()
	for form, texts := range map[string][2]string{ // by 15 bytes, and by 16
		"hex":    {hex.EncodeToString([]byte("a key of 15 byt")), hex.EncodeToString([]byte("a key of 16 byte"))},
		"base64": {"YSBrZXkgb2YgMTUgYnl0", "YSBrZXkgb2YgMTYgYnl0ZQ=="},
		"whsec":  {"whsec_YSBrZXkgb2YgMTUgYnl0", "whsec_YSBrZXkgb2YgMTYgYnl0ZQ=="},
	} {
		settings := `{"signature":{"header":"X-Signature","key":"` + form + `"},` + rest + `}`
		for i, key := range []string{"a key of 15 byt", "a key of 16 byte"} {
			err := verify(request(orderBody, "X-Signature", inHex(key, orderBody)), account(t, settings, texts[i]), at)
			told := generic.Adapter{}.CheckSecret(json.RawMessage(settings), texts[i])
			if (err == nil) != (i == 1) || (told == nil) != (i == 1) || i == 0 && !strings.Contains(told.Error(), "15 bytes") {
				t.Errorf("%s, %d bytes: %v, %v", form, len(key), err, told)
			}
		}
	}
}

// Polar's own key before September 2026: the secret's text, with its prefix, by the vector of
// the library of Standard Webhooks.
func TestVerify_standardWebhooksByTheText(t *testing.T) {
	t.Parallel()
	settings := `{"signature":{"header":"webhook-signature","encoding":"base64","prefix":"v1,","separator":" ","key":"%s","signed":"{id}.{time}.{body}"},"time":{"header":"webhook-timestamp"},"id_header":"webhook-id",` + rest + `}`
	for form, signature := range map[string]string{"whsec": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "text": "v1,TcxlhK9b6UD6iVI1ZU2tTqp8PEVfYRseNNfa6b+LcUg="} {
		a := account(t, strings.Replace(settings, "%s", form, 1), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		r := request(`{"test": 2432232314}`, "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", signature)
		if err := verify(r, a, time.Unix(1614265330, 0)); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// An account whose settings cannot be read signs nothing.
func TestVerify_withoutSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "{}", "null", `{"signature":{}}`, `{"a":1}`} {
		a := platform.Account{Settings: json.RawMessage(settings), Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte(secret))}}}
		for _, r := range []platform.Request{request(orderBody), request(orderBody, "X-Signature", inHex(secret, orderBody)), request(orderBody, "", inHex(secret, orderBody))} {
			if err := verify(r, a, at); !errors.Is(err, platform.ErrSignature) {
				t.Errorf("%s: %v", settings, err)
			}
		}
	}
}

// Trap: the bytes that came are signed, not what a parser makes of them.
func TestVerify_rawBytes(t *testing.T) {
	t.Parallel()
	a := account(t, `{"signature":{"header":"X-Signature"},`+rest+`}`, secret)
	sent := `{ "name":"Zo\u00eb", "url":"https:\/\/a.example", "b":1.0, "a":"ü" }` + "\n"
	if err := verify(request(sent, "X-Signature", inHex(secret, sent)), a, at); err != nil {
		t.Error(err)
	}
	for _, encodedAnew := range []string{
		strings.TrimSpace(sent), strings.ReplaceAll(sent, `\/`, "/"), strings.ReplaceAll(sent, `\u00eb`, "ë"), strings.ReplaceAll(sent, "1.0", "1"),
		`{ "a":"ü", "name":"Zo\u00eb", "url":"https:\/\/a.example", "b":1.0 }` + "\n",
	} {
		if err := verify(request(encodedAnew, "X-Signature", inHex(secret, sent)), a, at); !errors.Is(err, platform.ErrSecret) {
			t.Errorf("%s: %v", encodedAnew, err)
		}
	}
}

// Trap: a header that was sent twice, or whose repeats a gateway joined, is a list.
func TestVerify_headerSentTwice(t *testing.T) {
	t.Parallel()
	wrong := "another secret"
	for name, test := range map[string]struct{ settings, first, second string }{
		"bare":                     {`{"header":"X-Signature"}`, inHex(wrong, orderBody), inHex(secret, orderBody)},
		"base64":                   {`{"header":"X-Signature","encoding":"base64"}`, inBase64(wrong, orderBody), inBase64(secret, orderBody)},
		"with a prefix":            {`{"header":"X-Signature","prefix":"sha256="}`, "sha256=" + inHex(wrong, orderBody), "sha256=" + inHex(secret, orderBody)},
		"a comma in the prefix":    {`{"header":"X-Signature","prefix":"v1,","separator":" ","encoding":"base64"}`, "v1," + inBase64(wrong, orderBody) + " v2,AAAA", "v1," + inBase64(secret, orderBody)},
		"a comma as separator":     {`{"header":"X-Signature","prefix":"v1=","separator":","}`, "v0=1,v1=" + inHex(wrong, orderBody), "v0=1,v1=" + inHex(secret, orderBody)},
		"a semicolon":              {`{"header":"X-Signature","prefix":"v1=","separator":";"}`, "v1=" + inHex(wrong, orderBody), "v1=" + inHex(secret, orderBody)},
		"one is no signature":      {`{"header":"X-Signature"}`, "none", inHex(secret, orderBody)},
		"one is of another length": {`{"header":"X-Signature"}`, "00", inHex(secret, orderBody)},
	} {
		a := account(t, `{"signature":`+test.settings+`,`+rest+`}`, secret)
		for how, r := range map[string]platform.Request{
			"twice":                      request(orderBody, "X-Signature", test.first, "X-Signature", test.second),
			"the other way round":        request(orderBody, "X-Signature", test.second, "X-Signature", test.first),
			"joined by a gateway":        request(orderBody, "X-Signature", test.first+","+test.second),
			"joined with a blank":        request(orderBody, "X-Signature", test.first+", "+test.second),
			"joined, the good one first": request(orderBody, "X-Signature", test.second+", "+test.first),
			"the same one twice":         request(orderBody, "X-Signature", test.second+","+test.second),
		} {
			if err := verify(r, a, at); err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		if err := verify(request(orderBody, "X-Signature", test.first+", "+test.first), a, at); !errors.Is(err, platform.ErrSecret) && name != "one is no signature" && name != "one is of another length" {
			t.Errorf("%s: two wrong ones: %v", name, err)
		}
	}
	timed := account(t, `{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{time}.{body}"},"time":{"part":"t"},`+rest+`}`, secret)
	good := "v1=" + inHex(secret, "1767366245."+orderBody)
	if err := verify(request(orderBody, "X-Signature", "t=1767366245,"+good, "X-Signature", "t=1767366245,"+good), timed, at); err != nil {
		t.Errorf("the same time twice: %v", err)
	}
	if err := verify(request(orderBody, "X-Signature", "t=1767366245,"+good+",t=1767366246"), timed, at); !errors.Is(err, platform.ErrSignature) {
		t.Error("two times are taken")
	}
}

// The ninth signature of a header is not looked at.
func TestVerify_eightSignatures(t *testing.T) {
	t.Parallel()
	a := account(t, `{"signature":{"header":"X-Signature","prefix":"v1=","separator":","},`+rest+`}`, secret)
	for n, want := range map[int]bool{7: true, 8: false, 10_000: false} {
		header := strings.Repeat("v0=x,", 100) + strings.Repeat("v1="+inHex("other", orderBody)+",", n) + "v1=" + inHex(secret, orderBody)
		if err := verify(request(orderBody, "X-Signature", header), a, at); (err == nil) != want {
			t.Errorf("after %d others: %v", n, err)
		}
	}
}

// The edges of the window are sharp, and the time is signed as it stood in the header.
func TestVerify_time(t *testing.T) {
	t.Parallel()
	for unit, text := range map[string]string{"s": "1767366245", "ms": "1767366245000", "rfc3339": "2026-01-02T15:04:05Z", "http": "Fri, 02 Jan 2026 15:04:05 GMT"} {
		a := account(t, `{"signature":{"header":"X-Signature","signed":"{time}.{body}"},"time":{"header":"X-Timestamp","unit":"`+unit+`","tolerance_seconds":60},`+rest+`}`, secret)
		r := request(orderBody, "X-Timestamp", text, "X-Signature", inHex(secret, text+"."+orderBody))
		for age, want := range map[time.Duration]error{
			0: nil, time.Minute: nil, -time.Minute: nil, time.Minute + 1: platform.ErrClock, -time.Minute - 1: platform.ErrClock, 24 * time.Hour: platform.ErrClock,
		} {
			if err := verify(r, a, at.Add(age)); !errors.Is(err, want) {
				t.Errorf("%s, %s old: %v", unit, age, err)
			}
		}
		wrong := request(orderBody, "X-Timestamp", text, "X-Signature", inHex("other", text+"."+orderBody))
		if err := verify(wrong, a, at.Add(time.Hour)); !errors.Is(err, platform.ErrSignature) || errors.Is(err, platform.ErrSecret) || errors.Is(err, platform.ErrClock) {
			t.Errorf("%s: by another secret, an hour old: %v", unit, err)
		}
		for _, other := range []string{"", "0" + text, text + " ", "+" + text, text + "0", "-1", "1e9", "99999999999999999999", text + "," + text, "yesterday"} {
			r := request(orderBody, "X-Timestamp", other, "X-Signature", inHex(secret, text+"."+orderBody))
			// A blank around a header's value is not part of it.
			if err := verify(r, a, at); !errors.Is(err, platform.ErrSignature) && other != text+" " {
				t.Errorf("%s: %q is taken for it", unit, other)
			}
		}
	}
	// Without a tolerance it is five minutes.
	a := account(t, `{"signature":{"header":"X-Signature","signed":"{time}{body}"},"time":{"header":"X-Timestamp"},`+rest+`}`, secret)
	r := request(orderBody, "X-Timestamp", "1767366245", "X-Signature", inHex(secret, "1767366245"+orderBody))
	if err := errors.Join(verify(r, a, at.Add(5*time.Minute)), verify(r, a, at.Add(-5*time.Minute))); err != nil {
		t.Error(err)
	}
	if err := verify(r, a, at.Add(5*time.Minute+1)); !errors.Is(err, platform.ErrClock) {
		t.Error(err)
	}
	// Where no time is signed there is no window.
	a = account(t, `{"signature":{"header":"X-Signature"},"time":{"header":"X-Timestamp"},`+rest+`}`, secret)
	if err := verify(request(orderBody, "X-Signature", inHex(secret, orderBody)), a, at.Add(1000*time.Hour)); err != nil {
		t.Error(err)
	}
}

// What is missing is refused without a reason that a shop's mistake has.
func TestVerify_malformed(t *testing.T) {
	t.Parallel()
	a := account(t, `{"signature":{"header":"X-Signature","prefix":"v1=","separator":",","signed":"{id}.{time}.{body}"},"time":{"header":"X-Timestamp"},"id_header":"X-Id",`+rest+`}`, secret)
	good := "v1=" + inHex(secret, "a.1767366245."+orderBody)
	if err := verify(request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Signature", good), a, at); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]platform.Request{
		"no headers":      request(orderBody),
		"no signature":    request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245"),
		"an empty one":    request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Signature", ""),
		"no prefix":       request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Signature", good[3:]),
		"not hex":         request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Signature", "v1=zz"+good[5:]),
		"too short":       request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Signature", good[:len(good)-2]),
		"no id":           request(orderBody, "X-Timestamp", "1767366245", "X-Signature", good),
		"two ids":         request(orderBody, "X-Id", "a", "X-Id", "b", "X-Timestamp", "1767366245", "X-Signature", good),
		"a long id":       request(orderBody, "X-Id", strings.Repeat("a", 201), "X-Timestamp", "1767366245", "X-Signature", good),
		"no time":         request(orderBody, "X-Id", "a", "X-Signature", good),
		"two times":       request(orderBody, "X-Id", "a", "X-Timestamp", "1767366245", "X-Timestamp", "1767366246", "X-Signature", good),
		"a time in words": request(orderBody, "X-Id", "a", "X-Timestamp", "now", "X-Signature", good),
	} {
		if err := verify(r, a, at); !errors.Is(err, platform.ErrSignature) || errors.Is(err, platform.ErrSecret) || errors.Is(err, platform.ErrClock) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What has no header that could hold a signature is not looked up.
func TestHasSignature(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"": false, "sha256=": false, strings.Repeat("a", 42): false, strings.Repeat("a", 43): true,
		"Root=1-67891233-abcdef012345678912345678":                               false, // X-Amzn-Trace-Id
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)": false,
		"t=1767366245,v1=" + inHex(secret, orderBody):                            true, inBase64(secret, orderBody): true, strings.TrimRight(inBase64(secret, orderBody), "="): true,
	} {
		if got := (generic.Adapter{}).HasSignature(http.Header{"X-Anything": {"x", value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// Every secret is tried once, whatever the number of signatures: a header of 8 takes no
// more hashing than one of 1. Trap: secrets are compared in constant time.
func TestVerify_whichSecret(t *testing.T) {
	t.Parallel()
	secrets := make([]string, 10)
	for i := range secrets {
		secrets[i] = fmt.Sprintf("secret number %d", i)
	}
	a := account(t, `{"signature":{"header":"X-Signature"},`+rest+`}`, secrets...)
	for i, s := range secrets {
		signed, err := generic.Adapter{}.Verify(request(orderBody, "X-Signature", inHex(s, orderBody)), a, at)
		if err != nil || signed.Secret != i {
			t.Errorf("secret %d: %d, %v", i, signed.Secret, err)
		}
	}
}
