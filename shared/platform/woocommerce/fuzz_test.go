package woocommerce_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	files, err := filepath.Glob("../../../events/woocommerce_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	const refunds = `[{"id":801,"amount":"59.99","date_created_gmt":"2026-01-03T09:00:00","line_items":[{"quantity":-1,"meta_data":[{"key":"_refunded_item_id","value":"315"}]}]}]`
	for _, file := range files {
		r := webhook(f, strings.TrimSuffix(filepath.Base(file), ".json"))
		f.Add(r.Body, r.Header.Get("X-WC-Webhook-Signature"), refunds, false)
		f.Add(r.Body, strings.Repeat("A", 43)+"=", `{"id":742,"parent_id":741}`, true)
		f.Add([]byte(`{"id":742,"parent_id":741}`), "", "["+string(r.Body)+"]", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, answer string, test bool) {
		stranger := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("that the fuzzer does not know"))}}}
		if _, err := (woocommerce.Adapter{}).Verify(platform.Request{Header: http.Header{"X-Wc-Webhook-Signature": {signature}}, Body: body}, stranger, paidAt); err == nil {
			t.Fatal("a signature was made without the secret")
		}
		from := withKey(account(forUs))
		if test {
			from = withKey(account(`{"shop":"https://shop.example.com","test":true}`))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := 0
		a := woocommerce.Adapter{API: outbound.Through(answering(func(*http.Request) string {
			if calls++; calls > 50 {
				cancel()
			}
			return answer
		}))}
		r := platform.Request{Header: http.Header{}, Body: body}
		r.Header.Set("X-WC-Webhook-Topic", "order.updated")
		r.Header.Set("X-WC-Webhook-Source", "https://shop.example.com/")
		got, err := a.Decode(ctx, r, from)
		if calls > 12 {
			t.Fatalf("%d calls for one webhook", calls)
		}
		known(t, err)
		if err == nil && len(got) == 0 {
			t.Fatal("a webhook came to nothing")
		}
		for _, event := range got {
			switch event := event.(type) {
			case platform.Paid:
				applicable(t, event, test)
			case platform.Returned:
				back(t, event)
			case platform.Recorded:
				if event.Order == "" || event.Line == "" || event.At.IsZero() {
					t.Fatalf("an entry that cannot be added: %+v", event)
				}
			}
		}
		for p, err := range a.Changed(ctx, from, time.Unix(0, 0)) {
			if known(t, err); err != nil || calls > 40 {
				break
			}
			for _, r := range p.Returned {
				back(t, r)
			}
			if p.Paid != nil && p.Paid.Lines != nil {
				applicable(t, *p.Paid, test)
			}
		}
	})
}

// known holds an error to be one that somebody knows what to do with.
func known(t *testing.T, err error) {
	t.Helper()
	var field *platform.FieldError
	var setup *platform.SetupError
	if err != nil && !errors.As(err, &field) && !errors.As(err, &setup) && !errors.Is(err, platform.ErrTryAgain) {
		t.Fatalf("an error that nobody knows what to do with: %v", err)
	}
}

func applicable(t *testing.T, p platform.Paid, test bool) {
	t.Helper()
	if p.Order == "" || p.PaidAt.IsZero() || p.ChangedAt.IsZero() || test && !p.Test {
		t.Fatalf("an order that was not paid: %+v", p)
	}
	if p.Check(1000) == nil && p.Parent == p.Order {
		t.Fatalf("an order renews itself: %+v", p)
	}
}

func back(t *testing.T, r platform.Returned) {
	t.Helper()
	if r.Order == "" || r.ID == "" || r.Failed || !r.All && len(r.Lines) == 0 && r.Amount == "" {
		t.Fatalf("a refund that cannot be applied: %+v", r)
	}
	for _, line := range r.Lines {
		if line.ID == "" || line.Quantity < 1 {
			t.Fatalf("a refund of nothing: %+v", r)
		}
	}
}
