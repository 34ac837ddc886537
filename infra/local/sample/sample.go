// Package sample has a signed sample of every webhook that the payment platforms send to
// Keypool: the events of the folder events/, made one about an order of the caller's, and
// signed by the caller's secret at a time.
//
// What is put into a sample stands where the platform has it; all else stays as it is, byte
// by byte. Each platform has a file here, which says where that is, how it signs, and what
// its account is set up with.
package sample

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/platform"
	"keypool/shared/platform/all"
)

// Order is what a sample shall be about. What is left out stays as the sample has it.
type Order struct {
	ID       string
	Product  string // takes the place of the samples' product, game
	Quantity int
	Email    string
	PaidAt   time.Time
	Test     bool // makes a live order one of the test mode
}

// Platform is how a platform sends its webhooks.
type Platform struct {
	Name string // as platform/all has it

	// Settings are those of an account, as the API takes them.
	Settings json.RawMessage
	// Credentials forms the credentials of the platform's API, by their names, from a random
	// text of 32 hexadecimal digits and the account's signing secret. Nil: an account has none.
	Credentials func(random, secret string) map[string]string

	// Secret forms a signing secret from a random text of 32 hexadecimal digits.
	Secret func(random string) string
	// BySecret says that test orders are signed by a secret of their own, which the
	// account marks as test.
	BySecret bool
	// TestBySample says that a test order is a sample of its own, and no other becomes one.
	TestBySample bool

	// ID forms the number of a new order from a random number of nine digits.
	ID func(random string, test bool) string
	// CheckID returns what an order's number lacks, as the end of a sentence.
	CheckID func(id string) error

	// Kinds are the kinds of event that its webhooks report and Keypool takes, as they stand
	// at the member KindAt of a body, or where that is a name, in the header of that name.
	Kinds  []string
	KindAt string

	file     string          // the platform's name in the names of files
	testAt   string          // the member of a body by which it is a test order, "" if only the file's name says so
	testIs   string          // its value then
	unlisted map[string]bool // events that are bad, without a name that says so

	// about returns the values to put into the sample, and the order that it is about then,
	// as Keypool knows it: that of o, but for a renewal.
	about func(body any, o Order) (values, string)
	sign  func(w *Webhook, key []byte, at time.Time) error
}

// adapters are the adapters that take what is sent.
var adapters = all.Adapters

// platforms are all platforms, in the order in which they are listed.
var platforms = []Platform{standard, noventiq, stripe, shopify, woocommerce, paddle, generic}

// Names returns the names of the platforms.
func Names() []string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.Name
	}
	return names
}

// Of returns the platform of a name, false if it has no samples.
func Of(name string) (Platform, bool) {
	i := slices.IndexFunc(platforms, func(p Platform) bool { return p.Name == name })
	if i < 0 {
		return Platform{}, false
	}
	return platforms[i], true
}

// NewNumber returns a random number of nine digits, for Platform.ID.
func NewNumber() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return strconv.FormatInt(n.Int64()+100_000_000, 10)
}

// fileName is the name of an event in the folder events/: of good_noventiq_paid.json,
// noventiq's event paid.
var fileName = regexp.MustCompile(`^(?:(good|bad|again)_)?([a-z]+)_(.+)\.json$`)

// Events returns the names of a platform's events, of the folder with their files: those
// that are good.
func (p Platform) Events(folder fs.FS) ([]string, error) {
	found, err := p.files(folder)
	return slices.Sorted(maps.Keys(found)), err
}

// files returns the files of the platform's events by their names.
func (p Platform) files(folder fs.FS) (map[string]string, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, entry := range entries {
		match := fileName.FindStringSubmatch(entry.Name())
		if match != nil && match[2] == p.file && (match[1] == "good" || match[1] == "" && !p.unlisted[match[3]]) {
			found[match[3]] = entry.Name()
		}
	}
	return found, nil
}

// ErrUnknown means that a platform has no event of a name.
var ErrUnknown = errors.New("there is no such event")

// Read reads the sample of an event of the platform.
func (p Platform) Read(folder fs.FS, event string) (*Webhook, error) {
	found, err := p.files(folder)
	if err != nil {
		return nil, err
	}
	name, ok := found[event]
	if !ok {
		return nil, ErrUnknown
	}
	return Open(folder, name)
}

// Webhook is a sample, as it is sent.
type Webhook struct {
	Platform Platform
	Event    string // its name, such as paid
	Header   http.Header
	Body     []byte
	Order    string // the order that it is about, as Keypool knows it; empty where it is about none
	Test     bool   // it is of the platform's test mode

	Folder fs.FS // that it is of

	file events.APIGatewayV2HTTPRequest
}

// ErrNoWebhook means that a file is no webhook of a platform with samples.
var ErrNoWebhook = errors.New("the file is no platform's webhook")

// Open reads the sample in a file, a good one or a bad one.
func Open(folder fs.FS, name string) (*Webhook, error) {
	match := fileName.FindStringSubmatch(path.Base(name))
	if match == nil {
		return nil, ErrNoWebhook
	}
	i := slices.IndexFunc(platforms, func(p Platform) bool { return p.file == match[2] })
	if i < 0 {
		return nil, ErrNoWebhook
	}
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, err
	}
	w := &Webhook{Platform: platforms[i], Event: match[3], Header: http.Header{}, Folder: folder}
	if err := json.Unmarshal(content, &w.file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w.Body = []byte(w.file.Body)
	if w.file.IsBase64Encoded {
		if w.Body, err = base64.StdEncoding.DecodeString(w.file.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, value := range w.file.Headers {
		w.Header.Set(name, value)
	}
	body, ok := w.decoded()
	if w.Test = strings.HasSuffix(w.Event, "_test"); w.Platform.testAt != "" {
		w.Test = ok && member(body, w.Platform.testAt) == w.Platform.testIs
	}
	return w, nil
}

// decoded returns the body, false if it is none of JSON.
func (w *Webhook) decoded() (body any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(w.Body, []byte("\ufeff"))))
	d.UseNumber()
	return body, d.Decode(&body) == nil
}

// Member returns a value of the body by its JSON Pointer: a text, a number as it is written,
// true or false; empty for any other.
func (w *Webhook) Member(at string) string {
	body, _ := w.decoded()
	return member(body, at)
}

// Kind returns the kind of event that the sample reports, as the platform names it.
func (w *Webhook) Kind() string {
	if strings.HasPrefix(w.Platform.KindAt, "/") {
		return w.Member(w.Platform.KindAt)
	}
	return w.Header.Get(w.Platform.KindAt)
}

// IsUnsigned says whether the sample has a signature that is wrong on purpose, or none.
func (w *Webhook) IsUnsigned() bool {
	return strings.Contains(w.Event, "signature") || strings.Contains(w.Event, "unsigned")
}

// Be makes the sample one about an order. Its signature is wrong then: see Sign.
func (w *Webhook) Be(o Order) {
	body, ok := w.decoded()
	if !ok {
		return // as bad as it is meant to be
	}
	var put values
	put, w.Order = w.Platform.about(body, o)
	w.Body = put.into(w.Body)
	w.Test = w.Test || o.Test
}

// Sign signs the sample by a signing secret, as of a time.
func (w *Webhook) Sign(secret string, at time.Time) error {
	key, err := w.Platform.key(secret)
	if err != nil {
		return err
	}
	return w.Platform.sign(w, key, at)
}

// key returns the key of a secret's text.
func (p Platform) key(secret string) ([]byte, error) {
	if form, ok := adapters[p.Name].(platform.SecretForm); ok {
		return form.ParseSecret(secret)
	}
	return platform.ParseSecret(secret)
}

// Gateway returns the sample as the HTTP API hands it to function webhook, sent to an
// account's address.
func (w *Webhook) Gateway(merchant, account string) events.APIGatewayV2HTTPRequest {
	r := w.file
	r.Headers = map[string]string{}
	for name := range w.Header {
		r.Headers[strings.ToLower(name)] = w.Header.Get(name)
	}
	r.RawPath = "/webhooks/" + merchant + "/" + account
	r.PathParameters = map[string]string{"merchant": merchant, "account": account}
	if _, slash := w.file.PathParameters["proxy"]; slash {
		r.RawPath += "/"
		r.PathParameters = map[string]string{"proxy": strings.TrimPrefix(r.RawPath, "/webhooks/")}
	}
	r.RequestContext.HTTP.Path = r.RawPath
	r.Body = string(w.Body)
	if r.IsBase64Encoded {
		r.Body = base64.StdEncoding.EncodeToString(w.Body)
	}
	return r
}
