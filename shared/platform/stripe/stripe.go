package stripe

import (
	"errors"
	"net/http"
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
	API *outbound.Client // calls Stripe's API
	Now func() time.Time
}

// New returns the adapter that calls Stripe's API by the network.
func New() Adapter { return Through(outbound.New()) }

// Through returns the adapter that calls Stripe's API by a client.
func Through(client *outbound.Client) Adapter { return Adapter{API: client, Now: time.Now} }

// scheme is how Stripe signs: "t=1767366245,v1=…,v1=…,v0=…".
var scheme = platform.TimedHMAC{Header: "Stripe-Signature", Time: "t", Signature: "v1", Separators: ",", Between: "."}

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return scheme.In(h) }

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, at time.Time, body []byte) string { return scheme.Sign(key, at, body) }

// Verify implements platform.Adapter. The header is "t=1767366245,v1=…,v1=…,v0=…".
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	return scheme.Verify(r, a.Secrets, now)
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
