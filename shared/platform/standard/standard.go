package standard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Adapter implements platform.Adapter. The signature is HMAC-SHA256 over
// id.timestamp.body; the header webhook-signature holds one or more, each as
// "v1,<base64>". Svix, whose scheme the specification describes, names its headers
// svix-id, svix-timestamp and svix-signature; they are taken as well.
type Adapter struct{}

// tolerance is how far the sender's clock and ours may be apart.
const tolerance = 5 * time.Minute

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(digest(key, id, strconv.FormatInt(at.Unix(), 10), body))
}

func digest(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify implements platform.Adapter.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	headers := headersOf(r.Header)
	seconds, err := strconv.ParseInt(headers.timestamp, 10, 64)
	if err != nil || !isPrintable(headers.id) || !payload.IsDigits(headers.timestamp) {
		return platform.Signed{}, platform.ErrSignature
	}
	secret, ok := signer(headers, r.Body, a.Secrets)
	age := now.Sub(time.Unix(seconds, 0))
	timely := age <= tolerance && age >= -tolerance
	switch {
	case ok && timely:
		return platform.Signed{Secret: secret}, nil
	case ok:
		return platform.Signed{}, platform.ErrClock
	case timely && len(strings.Fields(headers.signature)) > 0:
		return platform.Signed{}, platform.ErrSecret
	}
	return platform.Signed{}, platform.ErrSignature
}

// signer returns the index of the secret that signed a body, false if none did. The
// body is hashed once for each secret, however many signatures a stranger sends, and
// once where there is no secret: the time it takes does not tell whether the account
// exists.
func signer(h headers, body []byte, secrets []platform.SigningSecret) (int, bool) {
	if len(secrets) == 0 {
		digest(make([]byte, sha256.Size), h.id, h.timestamp, body)
		return 0, false
	}
	wanted := make([][]byte, len(secrets))
	for i, secret := range secrets {
		wanted[i] = digest(secret.Secret.Reveal(), h.id, h.timestamp, body)
	}
	for _, signature := range strings.Fields(h.signature) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err != nil || !strings.HasPrefix(signature, "v1,") {
			continue
		}
		for i, want := range wanted {
			if hmac.Equal(given, want) {
				return i, true
			}
		}
	}
	return 0, false
}

// headers are the three headers of a signature.
type headers struct{ id, timestamp, signature string }

// headersOf returns the headers that the specification names, and those of Svix if
// there are none. Headers of one kind never complete those of the other.
func headersOf(h http.Header) headers {
	prefix := "webhook-"
	if h.Get("webhook-id") == "" && h.Get("webhook-timestamp") == "" && h.Get("webhook-signature") == "" {
		prefix = "svix-"
	}
	return headers{h.Get(prefix + "id"), h.Get(prefix + "timestamp"), h.Get(prefix + "signature")}
}

// isPrintable says whether s can be the id of a message: 1 to 256 characters of
// printable ASCII.
func isPrintable(s string) bool {
	return len(s) > 0 && len(s) <= 256 && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
