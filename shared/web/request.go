package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/problem"
)

// newRequest makes the request that an event describes, without its body.
//
// The gateway decodes every escape of a path except that of the percent sign:
// "/v1/orders/A%2F1" arrives as "/v1/orders/A/1", and "50%25" as "50%25". Router
// finds the names of the path again. Its route is the request's Pattern, and its
// path parameters are the request's path values, until a Router sets its own.
func newRequest(ctx context.Context, event events.APIGatewayV2HTTPRequest) *http.Request {
	path := event.RawPath
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	if iam := event.RequestContext.Authorizer; iam != nil && iam.IAM != nil {
		ctx = context.WithValue(ctx, callerKey{}, iam.IAM.UserARN)
	}
	r := (&http.Request{
		Method:     event.RequestContext.HTTP.Method,
		URL:        &url.URL{Path: path, RawQuery: event.RawQueryString},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     make(http.Header, len(event.Headers)),
		Body:       http.NoBody,
		Host:       event.RequestContext.DomainName,
		RemoteAddr: net.JoinHostPort(event.RequestContext.HTTP.SourceIP, "0"),
		Pattern:    event.RouteKey,
	}).WithContext(ctx)
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	// The domain's name has no port; the header has, where it is not 443.
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	if len(event.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	for name, value := range event.PathParameters {
		r.SetPathValue(name, value)
	}
	return r
}

// setBody gives the request its body, decoded. It returns a problem if the body is not the
// base64 it should be.
func setBody(r *http.Request, event events.APIGatewayV2HTTPRequest) *problem.Problem {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return problem.New(http.StatusBadRequest, "The body is not the base64 that the gateway says it is.")
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// CallerAddress returns the network address that a request came from, as the gateway saw it.
func CallerAddress(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

type callerKey struct{}

// Operator returns the ARN of the AWS identity that signed a request, false if
// none did. The gateway has checked the signature and that the identity may call
// the route (authorization type AWS_IAM).
func Operator(ctx context.Context) (arn string, ok bool) {
	arn, ok = ctx.Value(callerKey{}).(string)
	return arn, ok
}
