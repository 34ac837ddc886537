package paddle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// Name is the platform's name.
const Name = "paddle"

// Adapter implements platform.Adapter, Configurer, SecretForm, Fetcher, Lister, Prober and
// Guided.
type Adapter struct {
	// API calls Paddle's API.
	API *outbound.Client
	// Pace limits the calls of catch-up; nil: it does not.
	Pace *rate.Limiter
}

// Paddle takes 240 calls a minute from one address, whichever account they are for. Catch-up
// makes 60 at once and two a second, which is 180 in its first minute at most: the others are
// for webhooks.
const (
	paceEvery = time.Second / 2
	paceBurst = 60
)

// New returns the adapter that calls Paddle's API by the network.
func New() Adapter {
	return Adapter{API: outbound.New(), Pace: rate.NewLimiter(rate.Every(paceEvery), paceBurst)}
}

const signatureHeader = "Paddle-Signature"

// tolerance is how far Paddle's clock and ours may be apart, in either direction.
const tolerance = 5 * time.Minute

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return h.Get(signatureHeader) != "" }

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, at time.Time, body []byte) string {
	ts := strconv.FormatInt(at.Unix(), 10)
	return "ts=" + ts + ";h1=" + hex.EncodeToString(digest(key, ts, body))
}

func digest(key []byte, ts string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(ts + ":"))
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
	case timely && len(given.h1) > 0:
		return platform.Signed{}, platform.ErrSecret
	}
	return platform.Signed{}, platform.ErrSignature
}

// signature is what the header holds.
type signature struct {
	ts string // as it is signed
	at time.Time
	h1 [][]byte
}

// parseSignature reads the header "ts=1767366245;h1=…;h1=…"; false if it has no time, or
// several: which one was signed with which signature is not known then. There are several
// h1 while a secret is rotated. A header that is there twice, which is joined by a comma, is
// read as one; other parts than ts and h1 are passed over.
func parseSignature(h http.Header) (signature, bool) {
	var given signature
	isSeparator := func(r rune) bool { return r == ';' || r == ',' }
	for part := range strings.FieldsFuncSeq(strings.Join(h.Values(signatureHeader), ";"), isSeparator) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "ts":
			if given.ts != "" && given.ts != value {
				return signature{}, false
			}
			given.ts = value
		case "h1":
			if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
				given.h1 = append(given.h1, sum)
			}
		}
	}
	seconds, err := strconv.ParseInt(given.ts, 10, 64)
	if err != nil || strings.Trim(given.ts, "0123456789") != "" || len(given.ts) > len("253402300799") {
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
		digest(make([]byte, sha256.Size), given.ts, body)
	}
	found, fits := 0, false
	for i, secret := range secrets {
		if len(secret.Secret.Reveal()) == 0 {
			continue // anybody signs by it
		}
		want := digest(secret.Secret.Reveal(), given.ts, body)
		for _, sum := range given.h1 {
			if !fits && hmac.Equal(sum, want) {
				found, fits = i, true
			}
		}
	}
	return found, fits
}

// secretPrefix begins a secret: pdl_ntfset_<id of the destination>_<32 characters>.
const secretPrefix = "pdl_ntfset_"

// ParseSecret implements platform.SecretForm. The key is the text itself.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, secretPrefix)
	id, key, parted := strings.Cut(rest, "_")
	switch {
	case strings.Contains(text, "_apikey_"):
		return nil, errors.New("is an API key: enter it among the credentials, and here the secret key of the notification destination, which begins with " + secretPrefix)
	case !ok || !parted || id == "" || len(key) < 16 || len(text) > 200 || strings.ContainsFunc(rest, isNotOfTokens):
		return nil, errors.New("is not the secret key of a Paddle notification destination: copy it from Developer tools, Notifications, Edit destination; it begins with " + secretPrefix)
	}
	return []byte(text), nil
}

// isNotOfTokens says whether a character is in no secret or key of Paddle's.
func isNotOfTokens(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-+/=", r)
}

// Answer implements platform.Adapter. Paddle sends an event again unless it is answered by
// 200, and shows the body in its log of the notification.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
}
