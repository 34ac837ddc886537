package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// Name is the platform's name.
const Name = "stripe"

// Adapter implements platform.Adapter, Configurer, SecretForm, Fetcher, Lister, Prober and
// Guided.
type Adapter struct {
	// API calls Stripe's API.
	API *outbound.Client
}

// New returns the adapter that calls Stripe's API by the network.
func New() Adapter { return Adapter{API: outbound.New()} }

const signatureHeader = "Stripe-Signature"

// tolerance is how far Stripe's clock and ours may be apart, in either direction.
const tolerance = 5 * time.Minute

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return h.Get(signatureHeader) != "" }

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(digest(key, t, body))
}

func digest(key []byte, t string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify implements platform.Adapter.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	given, ok := parseSignature(r.Header)
	secret, fits := signer(given, r.Body, a.Secrets)
	if !ok {
		return platform.Signed{}, platform.ErrSignature
	}
	age := now.Sub(given.at)
	timely := age <= tolerance && age >= -tolerance
	switch {
	case fits && timely:
		return platform.Signed{Secret: secret}, nil
	case fits:
		return platform.Signed{}, platform.ErrClock
	case timely && len(given.v1) > 0:
		return platform.Signed{}, platform.ErrSecret
	}
	return platform.Signed{}, platform.ErrSignature
}

// signature is what the header holds.
type signature struct {
	t  string // as it is signed
	at time.Time
	v1 [][]byte
}

// parseSignature reads the header "t=1767366245,v1=…,v1=…,v0=…"; false if it has no time,
// or several: which one was signed with which signature is not known then. A header that
// is there twice is read as one; other parts than t and v1 are passed over.
func parseSignature(h http.Header) (signature, bool) {
	var given signature
	for part := range strings.SplitSeq(strings.Join(h.Values(signatureHeader), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if given.t != "" && given.t != value {
				return signature{}, false
			}
			given.t = value
		case "v1":
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
				given.v1 = append(given.v1, sum)
			}
		}
	}
	seconds, err := strconv.ParseInt(given.t, 10, 64)
	if err != nil || strings.Trim(given.t, "0123456789") != "" || len(given.t) > len("253402300799") {
		return signature{}, false // the last second of the year 9999
	}
	given.at = time.Unix(seconds, 0)
	return given, true
}

// signer returns the index of the secret that signed a body, false if none did. The body
// is hashed once for each secret, however many signatures a stranger sends, and once where
// there is no secret: the time it takes does not tell whether the account exists.
func signer(given signature, body []byte, secrets []platform.SigningSecret) (int, bool) {
	if len(secrets) == 0 {
		digest(make([]byte, sha256.Size), given.t, body)
	}
	found, fits := 0, false
	for i, secret := range secrets {
		if len(secret.Secret.Reveal()) == 0 {
			continue // anybody signs by it
		}
		want := digest(secret.Secret.Reveal(), given.t, body)
		for _, sum := range given.v1 {
			if !fits && hmac.Equal(sum, want) {
				found, fits = i, true
			}
		}
	}
	return found, fits
}

// ParseSecret implements platform.SecretForm. The key is the text itself, with its
// whsec_: unlike Standard Webhooks, which has the same prefix, it is not base64.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, "whsec_")
	if !ok || len(rest) < 16 || len(rest) > 128 || strings.ContainsFunc(rest, isNotOfTokens) {
		return nil, errors.New("is not the signing secret of a Stripe event destination: copy it from Workbench, Webhooks; it begins with whsec_")
	}
	return []byte(text), nil
}

// isNotOfTokens says whether a character is in no secret, key or id of Stripe's. Secrets
// of the command line's are hexadecimal, those of the dashboard's letters and digits.
func isNotOfTokens(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '+' && r != '/' && r != '='
}

// Answer implements platform.Adapter. Stripe sends an event again unless it is answered
// 2xx, switches an endpoint off that refuses for days, and shows the body in its dashboard.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
}
