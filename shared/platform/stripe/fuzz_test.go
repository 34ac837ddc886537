package stripe_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// FuzzStripe holds that no signature is made without the secret, and that whatever body is
// signed becomes events that can be applied, or an error that names the mistake and
// quotes nothing. The API answers with what the fuzzer makes of it.
func FuzzStripe(f *testing.F) {
	files, err := filepath.Glob("../../../events/stripe_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	const items = `{"data":[{"id":"li_1","quantity":2,"currency":"eur","amount_subtotal":100,"amount_total":100,"price":{"id":"price_1","product":{"id":"prod_1"}}}]}`
	for _, file := range files {
		r := webhook(f, strings.TrimSuffix(filepath.Base(file), ".json"))
		f.Add(r.Body, r.Header.Get("Stripe-Signature"), items, false)
		f.Add(r.Body, "t=1767366245,v1=,v1="+strings.Repeat("a", 64), `{"data":[{"id":"cs_1","payment_intent":"pi_1","subscription":"sub_1","livemode":true}],"has_more":true}`, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		stranger := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("whsec_that_the_fuzzer_does_not_know"))}}}
		if _, err := (stripe.Adapter{}).Verify(platform.Request{Header: http.Header{"Stripe-Signature": {signature}}, Body: body}, stranger, signedAt); err == nil {
			t.Fatal("a signature was made without the secret")
		}
		from := account("")
		from.Test = test
		calls := 0
		a := stripe.Through(through(func(*http.Request) string {
			calls++
			return answer
		}))
		got, err := a.Decode(t.Context(), platform.Request{Body: body}, from)
		if calls > 50 {
			t.Fatalf("%d calls for one webhook", calls)
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
				for _, line := range event.Lines {
					if line.Quantity < 1 || line.ID == "" {
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
