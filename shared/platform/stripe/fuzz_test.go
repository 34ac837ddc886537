package stripe_test

import (
	"net/http"
	"strings"
	"testing"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// FuzzStripe holds that no signature is made without the secret, and that whatever body is
// signed becomes events that can be applied, or an error that names the mistake and
// quotes nothing. The API answers with what the fuzzer makes of it.
func FuzzStripe(f *testing.F) {
	const items = `{"data":[{"id":"li_1","quantity":2,"currency":"eur","amount_subtotal":100,"amount_total":100,"price":{"id":"price_1","product":{"id":"prod_1"}}}]}`
	for _, name := range platformtest.Examples(f, "stripe", 1) {
		r := webhook(f, name)
		f.Add(r.Body, r.Header.Get("Stripe-Signature"), items, false)
		f.Add(r.Body, "t=1767366245,v1=,v1="+strings.Repeat("a", 64), `{"data":[{"id":"cs_1","payment_intent":"pi_1","subscription":"sub_1","livemode":true}],"has_more":true}`, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		platformtest.RefusesStranger(t, stripe.Adapter{}, http.Header{"Stripe-Signature": {signature}}, body, signedAt)
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
