package paddle

import (
	"errors"
	"net/http"
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

// scheme is how Paddle signs: "ts=1767366245;h1=…;h1=…".
var scheme = platform.TimedHMAC{Header: "Paddle-Signature", Time: "ts", Signature: "h1", Separators: ";,", Between: ":"}

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return scheme.In(h) }

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, at time.Time, body []byte) string { return scheme.Sign(key, at, body) }

// Verify implements platform.Adapter. The header is "ts=1767366245;h1=…;h1=…".
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	return scheme.Verify(r, a.Secrets, now)
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
