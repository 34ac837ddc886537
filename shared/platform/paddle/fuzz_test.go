package paddle_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"keypool/infra/proof/platformtest"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

// through returns a client whose calls are answered by a function.
func through(answer func(r *http.Request) string) *outbound.Client {
	return outbound.Through(answered(answer))
}

type answered func(r *http.Request) string

func (a answered) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a(r)))}, nil
}

// served returns what a handler answers.
func served(h http.Handler, r *http.Request) *http.Response {
	answer := httptest.NewRecorder()
	r.Host = r.URL.Host
	h.ServeHTTP(answer, r)
	return answer.Result()
}

// FuzzPaddle holds that no signature is made without the secret, and that whatever body is
// signed becomes events that can be applied, or an error that names the mistake and
// quotes nothing. The API answers with what the fuzzer makes of it.
func FuzzPaddle(f *testing.F) {
	transaction := `{"data":{"id":"` + id("txn", 1) + `","customer_id":"` + id("ctm", 1) + `","customer":{"id":"` + id("ctm", 1) + `","email":"ada@example.com"},"details":{"line_items":[{"id":"` + id("txnitm", 1) + `","quantity":2,"totals":{"total":"11998"}}]}}}`
	list := `{"data":[{"id":"` + id("adj", 7) + `","action":"chargeback","status":"approved","transaction_id":"` + id("txn", 1) + `"}],"meta":{"pagination":{"has_more":true,"next":"https://api.paddle.com/adjustments?after=x"}}}`
	for _, name := range platformtest.Examples(f, "paddle", 1) {
		r := webhook(f, name)
		f.Add(r.Body, r.Header.Get("Paddle-Signature"), transaction, false)
		f.Add(r.Body, "ts=1767366246;h1=;h1="+strings.Repeat("a", 64), list, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		platformtest.RefusesStranger(t, paddle.Adapter{}, http.Header{"Paddle-Signature": {signature}}, body, signedAt)
		from := account("")
		from.Test = test
		var calls atomic.Int32 // some are made side by side
		a := paddle.Adapter{API: through(func(*http.Request) string {
			calls.Add(1)
			return answer
		})}
		got, err := a.Decode(t.Context(), platform.Request{Body: body}, from)
		if n := calls.Load(); n > 50 {
			t.Fatalf("%d calls for one webhook", n)
		}
		platformtest.CheckDecoded(t, got, err)
		for _, event := range got {
			if paid, is := event.(platform.Paid); is && paid.Test != test {
				t.Fatal("an order of one side by a secret of the other")
			}
			if back, is := event.(platform.Returned); is && back.Test != test {
				t.Fatal("a refund of one side by a secret of the other")
			}
		}
	})
}
