package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/problem"
	"keypool/shared/web"
)

// request is an event of the gateway, altered.
func request(method, path string, alter ...func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPRequest {
	var e events.APIGatewayV2HTTPRequest
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.RouteKey = "ANY /{proxy+}"
	e.RequestContext.HTTP.Method = method
	e.RequestContext.HTTP.SourceIP = "192.0.2.1"
	e.RequestContext.DomainName = "keypool.example.com"
	e.Headers = map[string]string{}
	for _, f := range alter {
		f(&e)
	}
	return e
}

func header(name, value string) func(*events.APIGatewayV2HTTPRequest) {
	return func(e *events.APIGatewayV2HTTPRequest) { e.Headers[name] = value }
}

func body(text string, encoded bool) func(*events.APIGatewayV2HTTPRequest) {
	return func(e *events.APIGatewayV2HTTPRequest) { e.Body, e.IsBase64Encoded = text, encoded }
}

func serve(t *testing.T, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPResponse {
	t.Helper()
	response, err := web.Server{Handler: h}.Serve(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// seen is what a handler reads of a request.
type seen struct {
	Method, URL, Host, RemoteAddr, Pattern, Body string
	Header                                       http.Header
	Operator                                     string
	Length                                       int64
}

func TestServer_request(t *testing.T) {
	for name, c := range map[string]struct {
		event events.APIGatewayV2HTTPRequest
		want  seen
	}{
		"a body as text": {
			request("PUT", "/v1/pools/elden?limit=5&after=a%20b", body("{}", false), header("content-type", "application/json")),
			seen{Method: "PUT", URL: "/v1/pools/elden?limit=5&after=a%20b", Body: "{}", Length: 2, Header: http.Header{"Content-Type": {"application/json"}}},
		},
		"a body in base64": {
			request("POST", "/", body(base64.StdEncoding.EncodeToString([]byte{0xff, 0}), true)),
			seen{Method: "POST", URL: "/", Body: "\xff\x00", Length: 2, Header: http.Header{}},
		},
		"the host with its port": {
			request("GET", "/", header("host", "localhost:8443")),
			seen{Method: "GET", URL: "/", Host: "localhost:8443", Header: http.Header{}},
		},
		"a list of cookies": {
			request("GET", "/", func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{"a=1", "b=2"} }),
			seen{Method: "GET", URL: "/", Header: http.Header{"Cookie": {"a=1; b=2"}}},
		},
		"cookies in a header": {
			request("GET", "/", header("cookie", "a=1; b=2")),
			seen{Method: "GET", URL: "/", Header: http.Header{"Cookie": {"a=1; b=2"}}},
		},
		"the operator": {
			request("GET", "/", func(e *events.APIGatewayV2HTTPRequest) {
				e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
					IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: "arn:aws:iam::123456789012:user/operator"},
				}
			}),
			seen{Method: "GET", URL: "/", Header: http.Header{}, Operator: "arn:aws:iam::123456789012:user/operator"},
		},
		"another authorizer": {
			request("GET", "/", func(e *events.APIGatewayV2HTTPRequest) {
				e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{}
			}),
			seen{Method: "GET", URL: "/", Header: http.Header{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want.Host == "" {
				c.want.Host = "keypool.example.com"
			}
			c.want.RemoteAddr, c.want.Pattern = "192.0.2.1:0", "ANY /{proxy+}"
			var got seen
			serve(t, func(w http.ResponseWriter, r *http.Request) {
				content, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				operator, _ := web.Operator(r.Context())
				got = seen{r.Method, r.URL.String(), r.Host, r.RemoteAddr, r.Pattern, string(content), r.Header, operator, r.ContentLength}
			}, c.event)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestServer_readsEachCookie(t *testing.T) {
	e := request("GET", "/", func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{"session=abc", "theme=dark"} })
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"session": "abc", "theme": "dark"} {
			if c, err := r.Cookie(name); err != nil || c.Value != want {
				t.Errorf("%s: %v, %v", name, c, err)
			}
		}
	}, e)
}

func TestServer_pathParametersOfTheGateway(t *testing.T) {
	e := request("POST", "/webhooks/acme/stripe", func(e *events.APIGatewayV2HTTPRequest) {
		e.PathParameters = map[string]string{"merchant": "acme", "account": "stripe"}
	})
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.PathValue("merchant") + " " + r.PathValue("account"); got != "acme stripe" {
			t.Errorf("path values %q", got)
		}
	}, e)
}

func TestServer_refusesWhatIsNoBase64(t *testing.T) {
	got := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") }, request("POST", "/", body("e30=!", true)))
	isProblem(t, got, 400)
}

func TestServer_response(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		handle http.HandlerFunc
		want   events.APIGatewayV2HTTPResponse
	}{
		"text": {"GET", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			w.WriteHeader(500) // the first one counts
			io.WriteString(w, `{"title":"`)
			io.WriteString(w, `Größe"}`)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json"}, Body: `{"title":"Größe"}`}},
		"bytes": {"GET", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0x89, 'P', 'N', 'G'})
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "image/png"}, Body: "iVBORw==", IsBase64Encoded: true}},
		"no type": {"GET", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<!doctype html>")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: "<!doctype html>"}},
		"two cookies": {"GET", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "abc", HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Cookie")
			w.WriteHeader(303)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 303, Headers: map[string]string{"Vary": "Accept, Cookie"}, Cookies: []string{"session=abc; HttpOnly", "theme=dark"}}},
		"nothing": {"GET", func(http.ResponseWriter, *http.Request) {}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{}}},
		"HEAD": {"HEAD", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "hello")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/plain"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, serve(t, c.handle, request(c.method, "/"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestServer_leavesTimeForTheResponse(t *testing.T) {
	ends := time.Now().Add(5 * time.Second)
	ctx, cancel := context.WithDeadline(t.Context(), ends)
	defer cancel()
	server := web.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, ok := r.Context().Deadline(); !ok || !got.Equal(ends.Add(-time.Second)) {
			t.Errorf("the context ends at %v, want a second before %v", got, ends)
		}
	})}
	if _, err := server.Serve(ctx, request("GET", "/")); err != nil {
		t.Fatal(err)
	}
}

func TestServer_aPanicIsAProblem(t *testing.T) {
	got := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "half=done")
		io.WriteString(w, "half of it")
		panic("kp_secret")
	}, request("GET", "/"))
	isProblem(t, got, 500)
	if strings.Contains(got.Body, "kp_secret") || len(got.Cookies) > 0 {
		t.Errorf("the response tells of the panic: %+v", got)
	}
}

func isProblem(t *testing.T, got events.APIGatewayV2HTTPResponse, status int) {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(got.Body), &p); err != nil || got.Headers["Content-Type"] != "application/problem+json" {
		t.Errorf("%v\n%+v", err, got)
	}
	if got.StatusCode != status || p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("status %d with the problem %+v, want %d", got.StatusCode, p, status)
	}
}

// Ids that platforms choose are found in a path whatever they hold, with and
// without a verb behind them, decoded by the gateway or as they were sent.
func TestRouter(t *testing.T) {
	router := &web.Router{Free: []string{"order", "product"}}
	for _, pattern := range []string{
		"GET /v1/pools", "PUT /v1/pools/{pool}", "POST /v1/pools/{pool}/uploads",
		"GET /v1/orders/{order}", "POST /v1/orders/{order}/resend", "POST /v1/orders/{order}/lines/{line}/return", "GET /v1/orders/export/csv",
		"GET /v1/products/{product}", "GET /v1/products/{product}/preview", "GET /",
	} {
		router.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s|%+q|%s|%s", r.Pattern, r.PathValue("order")+r.PathValue("product"), r.PathValue("line"), r.PathValue("pool"))
		})
	}
	for path, want := range map[string]string{
		"GET /":                   `GET /|""||`,
		"GET /v1/pools":           `GET /v1/pools|""||`,
		"PUT /v1/pools/elden":     `PUT /v1/pools/{pool}|""||elden`,
		"GET /v1/orders/A-1001":   `GET /v1/orders/{order}|"A-1001"||`,
		"GET /v1/orders/2026/1":   `GET /v1/orders/{order}|"2026/1"||`,
		"GET /v1/orders/2026%2F1": `GET /v1/orders/{order}|"2026/1"||`,
		"GET /v1/orders/a//b/":    `GET /v1/orders/{order}|"a//b/"||`,
		"GET /v1/orders/50%25 #1": `GET /v1/orders/{order}|"50% #1"||`,
		"GET /v1/orders/100% new": `GET /v1/orders/{order}|"100% new"||`,
		"GET /v1/orders/Größe":    `GET /v1/orders/{order}|"Gr\u00f6\u00dfe"||`,
		"GET /v1/orders/%FF":      `GET /v1/orders/{order}|"\xff"||`,

		"POST /v1/orders/A-1001/resend":                `POST /v1/orders/{order}/resend|"A-1001"||`,
		"POST /v1/orders/2026%2F1/resend":              `POST /v1/orders/{order}/resend|"2026/1"||`,
		"POST /v1/orders/2026/1/resend":                `POST /v1/orders/{order}/resend|"2026/1"||`,
		"POST /v1/orders/resend/resend":                `POST /v1/orders/{order}/resend|"resend"||`,
		"POST /v1/orders/a/lines/7/return":             `POST /v1/orders/{order}/lines/{line}/return|"a"|7|`,
		"POST /v1/orders/a/lines/b/lines/7/return":     `POST /v1/orders/{order}/lines/{line}/return|"a/lines/b"|7|`,
		"GET /v1/orders/2026/1/resend":                 `GET /v1/orders/{order}|"2026/1/resend"||`,
		"GET /v1/orders/export/csv":                    `GET /v1/orders/export/csv|""||`,
		"GET /v1/products/gid://shop/1":                `GET /v1/products/{product}|"gid://shop/1"||`,
		"GET /v1/products/gid:%2F%2Fshop%2F1/preview":  `GET /v1/products/{product}/preview|"gid://shop/1"||`,
		"GET /v1/products/gid://shop/1/preview":        `GET /v1/products/{product}/preview|"gid://shop/1"||`,
		"GET /v1/products/preview":                     `GET /v1/products/{product}|"preview"||`,
		"GET /v1/products/a..b/../c":                   `GET /v1/products/{product}|"a..b/../c"||`,
		"POST /v1/pools/elden/uploads":                 `POST /v1/pools/{pool}/uploads|""||elden`,
		"POST /v1/pools/a/b/uploads":                   "404",
		"POST /v1/pools/../uploads":                    "404",
		"POST /v1/pools//uploads":                      "404",
		"GET /v1/pools/":                               "404",
		"GET /v1//pools":                               "404",
		"GET v1/pools":                                 "404",
		"GET ":                                         "404",
		"GET /v1/orders/":                              "404",
		"GET /v1/orders/..":                            "404",
		"GET /v1/orders/%2E":                           "404",
		"DELETE /v1/pools":                             "405 GET",
		"GET /v1/pools/elden":                          "405 PUT",
		"PATCH /v1/orders/2026/1/resend":               "405 GET, POST",
		"POST /v1/orders/2026/1":                       "405 GET",
		"POST /v1/orders/2026/1/lines/7/8/return/more": "405 GET",
	} {
		method, rest, _ := strings.Cut(path, " ")
		got := serve(t, router.ServeHTTP, request(method, rest))
		status, allow, _ := strings.Cut(want, " ")
		switch status {
		case "404", "405":
			isProblem(t, got, map[string]int{"404": 404, "405": 405}[status])
			if got.Headers["Allow"] != allow {
				t.Errorf("%s: Allow %q, want %q", path, got.Headers["Allow"], allow)
			}
		default:
			if got.StatusCode != 200 || got.Body != want {
				t.Errorf("%s: %d %s, want %s", path, got.StatusCode, got.Body, want)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		condition string
		version   int
		want      bool
	}{
		{`"3"`, 3, true},
		{`"2"`, 3, false},
		{`"1", "3"`, 3, true},
		{`W/"3"`, 3, false},
		{`3`, 3, false},
		{`*`, 3, true},
		{`*`, 0, false},
		{`"0"`, 0, false},
		{``, 3, false},
	} {
		if got := web.Matches(c.condition, c.version); got != c.want {
			t.Errorf("%s names version %d: %v, want %v", c.condition, c.version, got, c.want)
		}
	}
	if got := web.ETag(3); got != `"3"` {
		t.Errorf("ETag %s", got)
	}
}

// The tests of a package run one after the other, so the default logger is this test's.
func TestServer_logsAnswersIfItIsTold(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, told := range []bool{false, true} {
		var lines strings.Builder
		slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil)))
		e := request("GET", "/v1/pools/elden")
		e.RouteKey = "GET /v1/pools/{pool}"
		if _, err := (web.Server{Handler: http.NotFoundHandler(), LogAnswers: told}).Serve(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		logged := strings.Contains(lines.String(), `msg=request.answered route="GET /v1/pools/{pool}" status=404`)
		if logged != told || !told && lines.Len() > 0 {
			t.Errorf("told %v, it logs %q", told, lines.String())
		}
	}
}

// Every answer of a function that serves pages has their headers, whatever goes wrong.
func TestGuard(t *testing.T) {
	t.Parallel()
	router := &web.Router{}
	router.HandleFunc("POST /here", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "done") })
	router.HandleFunc("GET /panics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Cache-Control", "public")
		panic("a secret")
	})
	server := web.Server{Handler: web.Guard(router, "default-src 'none'", "no-referrer")}
	for name, c := range map[string]struct {
		event  events.APIGatewayV2HTTPRequest
		status int
	}{
		"an answer":        {request("POST", "/here"), 200},
		"another method":   {request("GET", "/here"), 405},
		"another address":  {request("GET", "/there"), 404},
		"no base64":        {request("POST", "/here", body("!", true)), 400},
		"a panic":          {request("GET", "/panics"), 500},
		"another site":     {request("POST", "/here", header("sec-fetch-site", "cross-site")), 403},
		"a sibling's site": {request("POST", "/here", header("sec-fetch-site", "same-site")), 403},
		"another origin":   {request("POST", "/here", header("origin", "https://evil.example")), 403},
		"no origin":        {request("POST", "/here", header("origin", "null")), 403},
		"another port":     {request("POST", "/here", header("host", "keypool.example.com:8443"), header("origin", "https://keypool.example.com")), 403},
		"our origin":       {request("POST", "/here", header("host", "keypool.example.com:8443"), header("origin", "https://keypool.example.com:8443")), 200},
		"typed in the bar": {request("POST", "/here", header("sec-fetch-site", "none")), 200},
	} {
		answer, err := server.Serve(t.Context(), c.event)
		if err != nil || answer.StatusCode != c.status || len(answer.Cookies) > 0 || (c.status != 200) == (answer.Body == "done") {
			t.Errorf("%s: %d %v %s, %v", name, answer.StatusCode, answer.Cookies, answer.Body, err)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Robots-Tag": "noindex", "Cache-Control": "no-store",
		} {
			if got := answer.Headers[header]; got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
}
