// Package outbound is the one way in which a function calls a payment platform's API.
//
// A call goes to a host that is a constant of the program, such as api.stripe.com, or to
// the domain of a merchant's own shop. It goes by TLS, to port 443, follows no redirect,
// and has ended after Timeout; an answer of more than MaxAnswer bytes is not read.
//
// A merchant enters the domain of a shop, and whoever owns the domain decides which
// address it has, anew for each connection. So the address of such a domain is checked
// when it is dialled: only addresses of the public internet are (address.go). Otherwise
// a merchant could have a function call the machine that it runs on, or its neighbours.
//
// A call that may succeed when it is made again fails with ErrTryAgain: the
// host answered 429 or 5xx, or the connection broke off. Any other failure is an *Error,
// which says what the merchant is to mend. Neither holds anything that was sent or
// answered: no key, no query, no body.
//
// # Decisions
//
// A constant host is called by way of the proxy that HTTPS_PROXY names, if the operator
// sets one: it connects to the address then. A shop's domain is not, since that proxy
// looks the address up where it cannot be checked. It has a setting of its own, ShopsProxy,
// for a proxy that checks the address itself. No deployment sets it: it is not among the
// settings that infra/deployment knows, nor within a merchant's reach, and whoever can set a
// function's environment can read all that the function reads. The one-machine run sets it,
// where a stand-in of the shops is the proxy; a build of its own would leave the binary that
// is deployed untested.
//
// Nothing is retried here. The platform sends a webhook again that was answered 503, and
// catch-up runs again after 15 minutes: a retry of ours would only use up the time in
// which the sender waits for the answer.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// The bounds of a call.
const (
	Timeout   = 4 * time.Second // from the first byte that is sent to the last that is read
	MaxAnswer = 1 << 20         // bytes of the answer's body
	MaxPages  = 10              // of a list; see Pages
)

// Client calls the APIs of platforms. It is safe for concurrent use, and keeps
// connections for calls that follow soon.
type Client struct {
	apis, shops *http.Client
}

// ShopsProxy names the environment variable with the address of a proxy that shops' domains
// are called by, and that connects to public addresses alone. Nothing sets it on AWS.
const ShopsProxy = "KEYPOOL_SHOPS_PROXY"

// New returns a client that calls by the network.
func New() *Client {
	apis := transport(&net.Dialer{})
	apis.Proxy = http.ProxyFromEnvironment
	shops := transport(publicOnly(&net.Dialer{}))
	if proxy, err := url.Parse(os.Getenv(ShopsProxy)); err == nil && proxy.Host != "" {
		shops = transport(&net.Dialer{})
		shops.Proxy = http.ProxyURL(proxy)
	}
	return &Client{apis: client(apis), shops: client(shops)}
}

// Through returns a client that makes its calls by t in place of the network. It is for
// tests: the API that they call is a server of their own.
func Through(t http.RoundTripper) *Client {
	return &Client{apis: client(t), shops: client(t)}
}

// idleFor is how long an idle connection is kept: a frozen function's connections die.
const idleFor = 5 * time.Second

func transport(d *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext:            d.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		IdleConnTimeout:        idleFor,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func client(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Host is where a call goes.
type Host struct {
	name string
	shop bool
}

// API returns the host of a platform's API. The name is a constant of the caller's.
func API(name string) Host { return Host{name: name} }

// Shop returns the host of a merchant's own shop. The domain is as the merchant entered
// it; the error reads on after the name of the field: "is not a domain".
func Shop(domain string) (Host, error) {
	if err := checkDomain(domain); err != nil {
		return Host{}, err
	}
	return Host{name: strings.ToLower(domain), shop: true}, nil
}

func (h Host) String() string { return h.name }

// Call is one call of an API.
type Call struct {
	Host   Host
	Method string // GET if empty
	Path   string // as it is sent: the caller escapes what it puts in
	Query  url.Values
	Header http.Header
	Body   []byte
}

// Answer is what was answered to a call that succeeded, with a status of 2xx.
type Answer struct {
	Header http.Header
	Body   []byte
}

// ErrTryAgain means that the same call may succeed when it is made again: the platform's
// API is down, slow, or limits its callers.
var ErrTryAgain = errors.New("the platform's API does not answer now")

// ErrFault is the ErrTryAgain of a host that answered 500: its software failed, be it at this
// one call alone.
var ErrFault = fmt.Errorf("failed: %w", ErrTryAgain)

// Limiter bounds the calls of one caller; golang.org/x/time/rate has one.
type Limiter interface {
	// Wait returns when the next call may be made, or the context's error if that ends first.
	Wait(ctx context.Context) error
}

type limiterKey struct{}

// Limited returns a context whose calls wait for the limiter: work in the background
// leaves the platform's rate limit to webhooks, whose sender waits for the answer.
func Limited(ctx context.Context, l Limiter) context.Context {
	return context.WithValue(ctx, limiterKey{}, l)
}

// Do makes a call. Its error is ErrTryAgain, or an *Error.
func (c *Client) Do(ctx context.Context, call Call) (Answer, error) {
	if l, ok := ctx.Value(limiterKey{}).(Limiter); ok {
		if err := l.Wait(ctx); err != nil {
			return Answer{}, tryAgain(call.Host, "was not called in time")
		}
	}
	client := c.apis
	if call.Host.shop {
		client = c.shops
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, "https://"+call.Host.name+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		return Answer{}, &Error{Host: call.Host.name, Problem: "cannot be called: the call has no valid address"}
	}
	request.URL.RawQuery = call.Query.Encode()
	for name, values := range call.Header {
		request.Header[name] = values
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, failure(call.Host, err)
	}
	defer response.Body.Close()
	if err := refusal(call.Host, response.StatusCode); err != nil {
		return Answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, tryAgain(call.Host, "broke off its answer")
	case len(body) > MaxAnswer:
		return Answer{}, &Error{Host: call.Host.name, Status: response.StatusCode, Problem: fmt.Sprintf("answered more than %d bytes", MaxAnswer)}
	}
	return Answer{Header: response.Header, Body: body}, nil
}

// Pages reads the pages of a list: it calls read for one page after the other, until
// there are no more. A list of more than MaxPages is an *Error, since nothing that was
// read in part may be taken for the whole.
func Pages(h Host, read func() (more bool, err error)) error {
	for range MaxPages {
		if more, err := read(); err != nil || !more {
			return err
		}
	}
	return &Error{Host: h.name, Problem: fmt.Sprintf("has more than %d pages of one list", MaxPages)}
}

// Error is a call that fails however often it is made, until somebody mends something.
type Error struct {
	Host    string
	Status  int    // of the answer, 0 if there was none
	Problem string // what is wrong, and what to do; reads on after the host
}

func (e *Error) Error() string { return e.Host + " " + e.Problem }

// tryAgain returns a ErrTryAgain.
func tryAgain(h Host, problem string) error {
	return fmt.Errorf("%s %s: %w", h.name, problem, ErrTryAgain)
}

// refusal returns the error of an answer's status, nil for a status of 2xx.
func refusal(h Host, status int) error {
	problem := ""
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status == http.StatusInternalServerError:
		return fmt.Errorf("%s answered %d: %w", h.name, status, ErrFault)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return tryAgain(h, fmt.Sprintf("answered %d", status))
	case status >= 300 && status <= 399:
		problem = "sends calls on to another address: enter the domain that answers itself"
	case status == http.StatusUnauthorized:
		problem = "does not know the API key: it was revoked, has expired, or is another side's; enter one that is valid"
	case status == http.StatusForbidden:
		problem = "does not allow the API key to read this: give the key the permissions that the account's page lists"
	case status == http.StatusNotFound:
		problem = "knows nothing of that name: it was deleted there, or the API key is of another account, or of its other side (test or live)"
	default:
		problem = "refuses the call"
	}
	return &Error{Host: h.name, Status: status, Problem: fmt.Sprintf("answered %d: it %s", status, problem)}
}

// failure returns the error of a call that was not answered.
func failure(h Host, err error) error {
	var address *addressError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &address):
		return &Error{Host: h.name, Problem: "is at an address that is not of the public internet: enter the domain at which customers reach the shop"}
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &name):
		return &Error{Host: h.name, Problem: "has no valid certificate of that name: mend its HTTPS"}
	}
	var lookup *net.DNSError
	if errors.As(err, &lookup) && lookup.IsNotFound {
		return tryAgain(h, "has no address") // or the look-up failed
	}
	return tryAgain(h, "did not answer")
}
