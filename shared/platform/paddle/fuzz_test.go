package paddle_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

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
	files, err := filepath.Glob("../../../events/paddle_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	transaction := `{"data":{"id":"` + id("txn", 1) + `","customer_id":"` + id("ctm", 1) + `","customer":{"id":"` + id("ctm", 1) + `","email":"ada@example.com"},"details":{"line_items":[{"id":"` + id("txnitm", 1) + `","quantity":2,"totals":{"total":"11998"}}]}}}`
	list := `{"data":[{"id":"` + id("adj", 7) + `","action":"chargeback","status":"approved","transaction_id":"` + id("txn", 1) + `"}],"meta":{"pagination":{"has_more":true,"next":"https://api.paddle.com/adjustments?after=x"}}}`
	for _, file := range files {
		r := webhook(f, strings.TrimSuffix(filepath.Base(file), ".json"))
		f.Add(r.Body, r.Header.Get("Paddle-Signature"), transaction, false)
		f.Add(r.Body, "ts=1767366246;h1=;h1="+strings.Repeat("a", 64), list, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		stranger := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("pdl_ntfset_that_the_fuzzer_does_not_know"))}}}
		if _, err := (paddle.Adapter{}).Verify(platform.Request{Header: http.Header{"Paddle-Signature": {signature}}, Body: body}, stranger, signedAt); err == nil {
			t.Fatal("a signature was made without the secret")
		}
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
		var field *platform.FieldError
		var setup *platform.SetupError
		if err != nil {
			if !errors.As(err, &field) && !errors.As(err, &setup) && !errors.Is(err, platform.ErrTryAgain) {
				t.Fatalf("an error that nobody knows what to do with: %v", err)
			}
			return
		}
		if len(got) == 0 {
			t.Fatal("an event came to nothing")
		}
		for _, event := range got {
			switch event := event.(type) {
			case platform.Paid:
				if event.Check(1000) == nil && event.Order == "" {
					t.Fatal("an order without an id passed the check")
				}
				if event.Test != test {
					t.Fatal("an order of one side by a secret of the other")
				}
			case platform.Returned:
				if event.Order == "" || event.ID == "" || event.Test != test || event.All && event.Failed {
					t.Fatalf("a refund that cannot be applied: %+v", event)
				}
				if !event.All && !event.Failed && event.Lines == nil && event.Amount == "" {
					t.Fatalf("a refund of nothing: %+v", event)
				}
				for _, line := range event.Lines {
					if line.Quantity < 0 || line.ID == "" {
						t.Fatalf("a refund of nothing: %+v", event)
					}
				}
			case platform.Disputed:
				if event.Order == "" || event.ID == "" || event.State == "" || event.Test != test {
					t.Fatalf("a dispute that cannot be applied: %+v", event)
				}
			case platform.Ignored:
			}
		}
	})
}
