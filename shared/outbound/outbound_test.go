package outbound_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/shared/outbound"
)

var host = outbound.API("api.example.com")

// call calls an API that answers as given.
func call(t *testing.T, answer http.HandlerFunc) (outbound.Answer, error) {
	t.Helper()
	return apitest.Serve(t, answer).Do(t.Context(), outbound.Call{
		Host: host, Path: "/v1/orders", Query: url.Values{"order": {"10001"}}, Header: http.Header{"Authorization": {"Bearer rk_test_1"}},
	})
}

func TestDo(t *testing.T) {
	t.Parallel()
	client := apitest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "next")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("Authorization"), r.TLS.NegotiatedProtocol)
	}))
	got, err := client.Do(t.Context(), outbound.Call{
		Host: host, Method: http.MethodPost, Path: "/v1/a%2Fb", Query: url.Values{"expand[]": {"x"}}, Header: http.Header{"Authorization": {"Bearer k"}}, Body: []byte("{}"),
	})
	if want := "POST api.example.com /v1/a%2Fb?expand%5B%5D=x Bearer k "; err != nil || string(got.Body) != want || got.Header.Get("Link") != "next" {
		t.Errorf("answered %q, %v, %v", got.Body, got.Header, err)
	}
}

// What may pass is tried again; anything else says what to mend. Nothing that was sent
// or answered is in an error.
func TestDo_statuses(t *testing.T) {
	t.Parallel()
	for status, says := range map[int]string{
		408: "", 429: "", 500: "", 502: "", 503: "", 504: "", 599: "",
		301: "enter the domain", 307: "enter the domain", 400: "refuses", 401: "enter one that is valid", 403: "permissions", 404: "another account", 410: "refuses", 422: "refuses",
	} {
		_, err := call(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://example.com/elsewhere")
			w.WriteHeader(status)
			fmt.Fprint(w, "the body with rk_test_1")
		})
		var mend *outbound.Error
		if again := errors.Is(err, outbound.ErrTryAgain); again != (says == "") {
			t.Errorf("%d is to be tried again: %v", status, again)
		}
		if says != "" && (!errors.As(err, &mend) || mend.Status != status || mend.Host != "api.example.com" || !strings.Contains(mend.Error(), says)) {
			t.Errorf("%d: %v, want that it says %q", status, err, says)
		}
		quotesNothing(t, err)
	}
}

func quotesNothing(t *testing.T, err error) {
	t.Helper()
	for _, said := range []string{"rk_test", "10001", "body", "Bearer", "elsewhere", "127.0.0.1"} {
		if strings.Contains(err.Error(), said) {
			t.Errorf("the error quotes %q: %v", said, err)
		}
	}
}

func TestDo_redirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	calls := 0
	call(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestDo_answerAtItsLimit(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{outbound.MaxAnswer: true, outbound.MaxAnswer + 1: false} {
		got, err := call(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, size)) })
		var mend *outbound.Error
		if ok && (err != nil || len(got.Body) != size) || !ok && !errors.As(err, &mend) {
			t.Errorf("%d bytes: read %d, %v", size, len(got.Body), err)
		}
	}
}

// An answer that unpacks to more than the limit is not read either.
func TestDo_compressedAnswer(t *testing.T) {
	t.Parallel()
	_, err := call(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		packed.Write(make([]byte, 100*outbound.MaxAnswer))
		packed.Close()
	})
	var mend *outbound.Error
	if !errors.As(err, &mend) || !strings.Contains(mend.Problem, "more than") {
		t.Error(err)
	}
}

func TestDo_cutOff(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"within the body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		if _, err := call(t, answer); !errors.Is(err, outbound.ErrTryAgain) {
			t.Errorf("%s: %v", name, err)
		} else {
			quotesNothing(t, err)
		}
	}
}

// A host that never ends its answer holds a call up for four seconds, wherever it stops.
func TestDo_slowHost(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(http.ResponseWriter){
		"without an answer": func(http.ResponseWriter) {},
		"within the body": func(w http.ResponseWriter) {
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := call(t, func(w http.ResponseWriter, r *http.Request) {
				start(w)
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // so that the answer has no end, although the call has one
			})
			if took := time.Since(began); !errors.Is(err, outbound.ErrTryAgain) || took < outbound.Timeout || took > 3*outbound.Timeout {
				t.Errorf("after %s: %v", took, err)
			}
		})
	}
}

func TestDo_callerGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := apitest.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if _, err := client.Do(ctx, outbound.Call{Host: host}); !errors.Is(err, outbound.ErrTryAgain) {
		t.Error(err)
	}
}

// A certificate that nobody vouches for is no certificate.
func TestDo_certificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = outbound.New().Do(t.Context(), outbound.Call{Host: outbound.API(target.Host)})
	var mend *outbound.Error
	if !errors.As(err, &mend) || !strings.Contains(mend.Problem, "certificate") {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	read := 0
	pages := func(last int) error {
		read = 0
		return outbound.Pages(host, func() (bool, error) {
			read++
			return read < last, nil
		})
	}
	if err := pages(outbound.MaxPages); err != nil || read != outbound.MaxPages {
		t.Errorf("%d pages: %v", read, err)
	}
	var mend *outbound.Error
	if err := pages(outbound.MaxPages + 1); !errors.As(err, &mend) || read != outbound.MaxPages {
		t.Errorf("%d pages: %v", read, err)
	}
	if err := outbound.Pages(host, func() (bool, error) { return true, outbound.ErrTryAgain }); !errors.Is(err, outbound.ErrTryAgain) {
		t.Error(err)
	}
}

func TestShop(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"shop.example.com", "Example.COM", "a-b.example", "xn--bcher-kva.example", "1.example"} {
		if host, err := outbound.Shop(good); err != nil || host.String() != strings.ToLower(good) {
			t.Errorf("%q: %v, %v", good, host, err)
		}
	}
	for _, bad := range []string{
		"", "example", "localhost", ".example.com", "example.com.", "a..b", "-a.example", "a-.example", "bücher.example",
		"https://shop.example.com", "shop.example.com/wp", "shop.example.com:8443", "user@shop.example.com", "shop.example.com?x", "shop.example.com#x",
		"127.0.0.1", "2130706433", "127.1", "0x7f.0.0.1", "[::1]", "::1", "::ffff:127.0.0.1", "10.0.0.1", " shop.example.com", "shop.example.com\r\n",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example",
	} {
		if host, err := outbound.Shop(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, host)
		}
	}
}
