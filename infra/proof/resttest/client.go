package resttest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// Serve answers an event, as web.Server does.
type Serve func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Event reads an event from the folder events.
func Event(t testing.TB, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return e
}

// Altered returns an event with another request in it. A body that is no string is
// encoded as JSON. Headers are pairs of name and value.
func Altered(t testing.TB, e events.APIGatewayV2HTTPRequest, method, path string, body any, headers ...string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	e.RequestContext.HTTP.Method = method
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.Body = ""
	switch body := body.(type) {
	case nil:
	case string:
		e.Body = body
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		e.Body = string(raw)
	}
	for i := 0; i < len(headers); i += 2 {
		e.Headers[headers[i]] = headers[i+1]
	}
	return e
}

// Send sends an event, and holds the response against the document.
func Send(t testing.TB, serve Serve, document *Document, e events.APIGatewayV2HTTPRequest) Response {
	t.Helper()
	response, err := serve(context.Background(), e)
	if err != nil {
		t.Fatalf("%s %s: %v", e.RequestContext.HTTP.Method, e.RawPath, err)
	}
	document.Holds(t, e, response)
	return Response{response, t, e.RequestContext.HTTP.Method + " " + e.RawPath}
}

// Response is a response and the request that it is to.
type Response struct {
	events.APIGatewayV2HTTPResponse
	t       testing.TB
	request string
}

// Want ends the test if the status is another.
func (r Response) Want(status int) Response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s: status %d, want %d\n%s", r.request, r.StatusCode, status, r.Body)
	}
	return r
}

// Into decodes the body, strictly.
func (r Response) Into(v any) Response {
	r.t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(r.Body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		r.t.Fatalf("%s: %v\n%s", r.request, err, r.Body)
	}
	return r
}

// ETag returns the version that the response tells.
func (r Response) ETag() string { return r.Headers["Etag"] }

// Locations returns the places in the request that the problem names.
func (r Response) Locations() []string {
	r.t.Helper()
	var p struct {
		Errors []struct{ Location, Message string }
	}
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		r.t.Fatalf("%s: %v\n%s", r.request, err, r.Body)
	}
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Location)
	}
	return all
}
