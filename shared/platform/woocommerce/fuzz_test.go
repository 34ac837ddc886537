package woocommerce_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

// answering answers every call with what it returns.
type answering func(*http.Request) string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(a(r)))}, nil
}

// FuzzWooCommerce holds that no signature is made without the secret, and that whatever
// body is signed becomes events that can be applied, or an error that names the mistake.
// The shop answers with what the fuzzer makes of it.
func FuzzWooCommerce(f *testing.F) {
	const refunds = `[{"id":801,"amount":"59.99","date_created_gmt":"2026-01-03T09:00:00","line_items":[{"quantity":-1,"meta_data":[{"key":"_refunded_item_id","value":"315"}]}]}]`
	for _, name := range platformtest.Examples(f, "woocommerce", 1) {
		r := webhook(f, name)
		f.Add(r.Body, r.Header.Get("X-WC-Webhook-Signature"), refunds, false)
		f.Add(r.Body, strings.Repeat("A", 43)+"=", `{"id":742,"parent_id":741}`, true)
		f.Add([]byte(`{"id":742,"parent_id":741}`), "", "["+string(r.Body)+"]", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		platformtest.RefusesStranger(t, woocommerce.Adapter{}, http.Header{"X-Wc-Webhook-Signature": {signature}}, body, paidAt)
		from := withKey(account(forUs))
		if test {
			from = withKey(account(`{"shop":"https://shop.example.com","test":true}`))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := 0
		a := woocommerce.Through(outbound.Through(answering(func(*http.Request) string {
			if calls++; calls > 50 {
				cancel()
			}
			return answer
		})))
		r := platform.Request{Header: http.Header{}, Body: body}
		r.Header.Set("X-WC-Webhook-Topic", "order.updated")
		r.Header.Set("X-WC-Webhook-Source", "https://shop.example.com/")
		got, err := a.Decode(ctx, r, from)
		if calls > 12 {
			t.Fatalf("%d calls for one webhook", calls)
		}
		platformtest.CheckDecoded(t, got, err)
		for _, event := range got {
			if paid, is := event.(platform.Paid); is {
				applicable(t, paid, test)
			}
		}
		for p, err := range a.Changed(ctx, from, time.Unix(0, 0)) {
			if platformtest.CheckError(t, err); err != nil || calls > 40 {
				break
			}
			for _, r := range p.Returned {
				platformtest.CheckEvent(t, r)
			}
			if p.Paid != nil && p.Paid.Lines != nil {
				applicable(t, *p.Paid, test)
			}
		}
	})
}

func applicable(t *testing.T, p platform.Paid, test bool) {
	t.Helper()
	if p.Order == "" || p.PaidAt.IsZero() || p.ChangedAt.IsZero() || test && !p.Test {
		t.Fatalf("an order that was not paid: %+v", p)
	}
	platformtest.CheckEvent(t, p)
}
