package woocommerce

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Name is the platform's name.
const Name = "woocommerce"

// Adapter implements platform.Adapter, Configurer, SettingsForm, ShopNamer, SecretForm,
// SideTeller, PartsChecker, Pinger, Fetcher, Lister, Prober and Guided.
type Adapter struct {
	// API calls the REST APIs of shops.
	API *outbound.Client
	// Now tells the time.
	Now func() time.Time
}

// New returns the adapter that calls shops by the network.
func New() Adapter { return Through(outbound.New()) }

// Through returns the adapter that calls shops by a client.
func Through(client *outbound.Client) Adapter { return Adapter{API: client, Now: time.Now} }

// The headers of a webhook. Only the body is signed.
const (
	topicHeader  = "X-WC-Webhook-Topic"
	sourceHeader = "X-WC-Webhook-Source"
)

// scheme is how WooCommerce signs.
var scheme = platform.BodyHMAC{Header: "X-Wc-Webhook-Signature"}

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return scheme.In(h) }

// Sign returns the signature of a body, as the header holds it.
func Sign(key, body []byte) string { return scheme.Sign(key, body) }

// Verify implements platform.Adapter. WooCommerce signs no time: a webhook is good for ever.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	return scheme.Verify(r, a.Secrets, now)
}

// The lengths of a signing secret, in characters. WooCommerce makes one of 50.
const (
	shortestSecret = 16
	longestSecret  = 200
)

// ParseSecret implements platform.SecretForm. The key is the text as the settings page
// shows it. One that WooCommerce made may begin or end with a blank, so that nothing is cut
// off but an end of line.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	text = strings.TrimRight(text, "\r\n")
	n := utf8.RuneCountInString(text)
	if n < shortestSecret || n > longestSecret || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errors.New("is not the secret of a WooCommerce webhook of 16 to 200 characters: copy it from WooCommerce, Settings, Advanced, Webhooks; or make one of 50 letters and digits, and enter it there and here")
	}
	return []byte(text), nil
}

// maxPing is the length of a ping's body: webhook_id= and a number.
const maxPing = 40

// Ping implements platform.Pinger. When a webhook is saved, WooCommerce posts its id as a
// form, without a signature or a header of its own, and calls the address unusable unless
// the status is 200.
func (Adapter) Ping(r platform.Request) (platform.Response, bool) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	id, ok := strings.CutPrefix(string(r.Body[:min(len(r.Body), maxPing)]), "webhook_id=")
	is := ok && len(r.Body) < maxPing && payload.IsDigits(id) && strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") &&
		!scheme.In(r.Header)
	return platform.Response{Status: http.StatusOK}, is
}

// Answer implements platform.Adapter. WooCommerce sends nothing again, and switches a
// webhook off that is refused six times in a row: what is left to catch-up is answered 200. What
// could not be stored is 503 all the same: WooCommerce's log says so, and catch-up finds the order.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
}
