// Package frontdoor sends webhooks to this deployment's own address, as shops send theirs: what a
// merchant tries goes the way of a paid order from its first step on.
package frontdoor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/settings"
)

// Door is this deployment's own address, as shops reach it.
type Door struct {
	client  *http.Client
	address string
}

// answerWithin is how long a webhook has: somewhat less than the function that asks.
const answerWithin = 22 * time.Second

// mostOfAnAnswer is how many bytes are read of one.
const mostOfAnAnswer = 1 << 16

// New returns the door at an address. It opens a connection for each call: one that is kept
// dies while the function is frozen, and no webhook is sent twice to find that out.
func New(address string) Door {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, at string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(at); err == nil && strings.HasSuffix(host, ".localhost") {
			at = net.JoinHostPort("127.0.0.1", port) // RFC 6761; Go asks the name server, which may not know
		}
		return dialer.DialContext(ctx, network, at)
	}
	return Door{&http.Client{
		Transport:     transport,
		Timeout:       answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, address}
}

// Post implements settings.Front.
func (d Door) Post(ctx context.Context, path string, r platform.Request) (platform.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.address+path, bytes.NewReader(r.Body))
	if err != nil {
		return platform.Response{}, fmt.Errorf("the deployment's own address: %w", err)
	}
	request.Header = r.Header.Clone()
	answer, err := d.client.Do(request)
	if err != nil {
		var cause *url.Error // its text holds the whole address
		errors.As(err, &cause)
		slog.WarnContext(ctx, "webhook.not_answered", "error", cause.Err)
		return platform.Response{}, settings.ErrUnanswered
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostOfAnAnswer))
	if err != nil {
		return platform.Response{}, settings.ErrUnanswered
	}
	return platform.Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}
