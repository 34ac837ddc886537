package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// handler turns the gateway's event into a request of net/http and the answer
// back into the gateway's.
type handler struct{ api http.Handler }

// spare is what is left of the invocation's time for the answer.
const spare = time.Second

// Handle answers a request. It never fails: what goes wrong is answered as a
// problem, and logged where it is ours.
func (h handler) Handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (answer events.APIGatewayV2HTTPResponse, _ error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-spare))
		defer cancel()
	}
	w := &recorder{header: http.Header{}}
	r, err := request(ctx, e)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "The body is not the base64 that the gateway says it is.")
		return w.answer(), nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			slog.ErrorContext(ctx, "panic", "route", r.Pattern, "cause", fmt.Sprintf("%T", cause), "stack", stack())
			w = &recorder{header: http.Header{}}
			writeProblem(w, http.StatusInternalServerError, sorry)
			answer = w.answer()
		}
	}()
	h.api.ServeHTTP(w, r)
	if r.Method == http.MethodHead {
		w.body.Reset()
	}
	slog.InfoContext(ctx, "answered", "route", r.Pattern, "status", w.status)
	return w.answer(), nil
}

// operatorKey marks the context of a request that the gateway let through on the
// operator's signature.
type operatorKey struct{}

// request makes the request that the event stands for.
func request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, err
		}
	}
	if a := e.RequestContext.Authorizer; a != nil && a.IAM != nil {
		ctx = context.WithValue(ctx, operatorKey{}, true)
	}
	r := &http.Request{
		Method:        e.RequestContext.HTTP.Method,
		URL:           address(e.RawPath, e.RawQueryString),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Host:          e.RequestContext.DomainName,
	}
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	return r.WithContext(ctx), nil
}

// address undoes what the gateway does to a path: it decodes every escape but
// that of the percent sign. A slash within the last name of a path can then no
// longer be told from the path's own, so where a platform chose the name, all
// that follows is the name.
func address(path, query string) *url.URL {
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	u := &url.URL{Path: path, RawQuery: query}
	for _, prefix := range []string{"/v1/products/", "/v1/orders/"} {
		if name, ok := strings.CutPrefix(path, prefix); ok {
			u.RawPath = prefix + url.PathEscape(name)
		}
	}
	return u
}

// recorder holds an answer until it is whole.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) answer() events.APIGatewayV2HTTPResponse {
	headers := make(map[string]string, len(w.header))
	for name, values := range w.header {
		headers[name] = strings.Join(values, ", ")
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: w.status, Headers: headers, Body: w.body.String()}
}
