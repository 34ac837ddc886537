package browser

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// Function is a function that the gateway calls, such as web.Server.Serve.
type Function func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Serve serves a function as the gateway does, over HTTPS, until the test ends. It returns its
// address, which has a port.
func Serve(t testing.TB, f Function) string {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a, err := f(r.Context(), e)
		if err != nil {
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		write(w, a)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// event describes a request as an HTTP API of the gateway does, in format 2.0.
func event(r *http.Request) (events.APIGatewayV2HTTPRequest, error) {
	e := events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "$default",
		RawPath:        strings.ReplaceAll(r.URL.Path, "%", "%25"), // the gateway decodes all but the percent sign
		RawQueryString: r.URL.RawQuery,
		Headers:        map[string]string{"host": r.Host},
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	e.RequestContext.DomainName, _, _ = strings.Cut(r.Host, ":")
	e.RequestContext.HTTP = events.APIGatewayV2HTTPRequestContextHTTPDescription{
		Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: host, UserAgent: r.UserAgent(),
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, line := range values {
				e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return e, err
	}
	e.Body = string(body)
	if kind := r.Header.Get("Content-Type"); len(body) > 0 && !strings.HasPrefix(kind, "text/") && !strings.HasPrefix(kind, "application/json") {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e, nil
}

func write(w http.ResponseWriter, a events.APIGatewayV2HTTPResponse) {
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range a.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(a.Body)
	}
	w.WriteHeader(a.StatusCode)
	w.Write(body)
}
