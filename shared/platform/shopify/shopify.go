package shopify

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// Name is the platform's name.
const Name = "shopify"

// Adapter implements platform.Adapter, Configurer, ShopNamer, SecretForm, SideTeller,
// PartsChecker, Fetcher, Lister, Subscriber and Guided.
type Adapter struct {
	API  *outbound.Client // calls the API of the account's shop
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error // until the shop takes calls again

	tokens *tokens
}

// New returns the adapter that calls shops by the network.
func New() Adapter { return Through(outbound.New()) }

// Through returns the adapter that calls shops by a client.
func Through(client *outbound.Client) Adapter {
	return Adapter{API: client, Now: time.Now, Wait: sleep, tokens: &tokens{}}
}

// sleep waits, unless there is no time for it.
func sleep(ctx context.Context, d time.Duration) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// The headers of a webhook. Only the body is signed.
const (
	topicHeader = "X-Shopify-Topic"
	shopHeader  = "X-Shopify-Shop-Domain"
	testHeader  = "X-Shopify-Test"
)

// scheme is how Shopify signs.
var scheme = platform.BodyHMAC{Header: "X-Shopify-Hmac-Sha256"}

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return scheme.In(h) }

// Sign returns the signature of a body, as the header holds it.
func Sign(key, body []byte) string { return scheme.Sign(key, body) }

// Verify implements platform.Adapter. Shopify signs no time: a webhook is good for ever.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	return scheme.Verify(r, a.Secrets, now)
}

// ParseSecret implements platform.SecretForm. The key is the text itself: an app's client
// secret (shpss_…, or hexadecimal), or the secret of the shop's own webhooks.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "shpat_"):
		return nil, errors.New("is an access token, which signs nothing: copy the app's client secret, or the secret below the list of webhooks in Settings, Notifications")
	case len(text) < 16, len(text) > 128, strings.ContainsFunc(text, isNotOfTokens):
		return nil, errors.New("is no signing secret of Shopify: copy the one below the list of webhooks in Settings, Notifications; or an app's client secret from the Dev Dashboard, Settings")
	}
	return []byte(text), nil
}

// isNotOfTokens says whether a character is in no secret, token or id of Shopify's.
func isNotOfTokens(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// Answer implements platform.Adapter. Shopify sends a webhook again unless it is answered
// 2xx, 8 times in 4 hours, and then deletes the webhooks that an app made. It keeps nothing
// of the body.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
}
