package main

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

// front is this deployment's own address, as shops reach it.
type front struct {
	client  *http.Client
	address string
}

// answerWithin is how long a webhook has: somewhat less than the API itself.
const answerWithin = 22 * time.Second

// mostOfAnAnswer is how many bytes are read of one.
const mostOfAnAnswer = 1 << 16

// newFront returns the front at an address. It opens a connection for each call: one that is kept
// dies while the function is frozen, and no webhook is sent twice to find that out.
func newFront(address string) front {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, at string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(at); err == nil && strings.HasSuffix(host, ".localhost") {
			at = net.JoinHostPort("127.0.0.1", port) // RFC 6761; Go asks the name server, which may not know
		}
		return dialer.DialContext(ctx, network, at)
	}
	return front{&http.Client{
		Transport:     transport,
		Timeout:       answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, address}
}

// Post implements settings.Front.
func (f front) Post(ctx context.Context, path string, r platform.Request) (platform.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.address+path, bytes.NewReader(r.Body))
	if err != nil {
		return platform.Response{}, fmt.Errorf("the deployment's own address: %w", err)
	}
	request.Header = r.Header.Clone()
	answer, err := f.client.Do(request)
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
