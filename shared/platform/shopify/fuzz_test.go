package shopify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

// answering answers every call with one text.
type answering struct {
	text  string
	calls int
}

func (a *answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.calls++
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(a.text))}, nil
}

// FuzzShopify holds that no signature is made without the secret, and that whatever body is
// signed becomes events that can be applied, or an error that names the mistake and quotes
// nothing. The API answers with what the fuzzer makes of it, and is listed too.
func FuzzShopify(f *testing.F) {
	files, err := filepath.Glob("../../../events/shopify_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	one, err := json.Marshal(object{"data": object{
		"order": order("5501234567890", now, line("14001234567890", 2)).With(object{"lineItems": object{"nodes": []object{line("14001234567890", 2)}, "pageInfo": object{"hasNextPage": true}}}),
	}})
	if err != nil {
		f.Fatal(err)
	}
	list := `{"data":{"orders":{"nodes":[` + strings.TrimSuffix(strings.TrimPrefix(string(one), `{"data":{"order":`), "}}") + `],"pageInfo":{"hasNextPage":false}}}}`
	for _, file := range files {
		r := webhook(f, strings.TrimSuffix(filepath.Base(file), ".json"))
		for _, answer := range []string{string(one), list, `{"errors":[{"extensions":{"code":"THROTTLED"}}]}`} {
			f.Add(r.Body, r.Header.Get("X-Shopify-Hmac-Sha256"), r.Header.Get("X-Shopify-Topic"), answer)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, topic, answer string) {
		stranger := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("that_the_fuzzer_does_not_know"))}}}
		header := http.Header{"X-Shopify-Hmac-Sha256": {signature}, "X-Shopify-Topic": {topic}, "X-Shopify-Shop-Domain": {shop}}
		if _, err := (shopify.Adapter{}).Verify(platform.Request{Header: header, Body: body}, stranger, now); err == nil {
			t.Fatal("a signature was made without the secret")
		}
		api := &answering{text: answer}
		a := shopify.Through(outbound.Through(api))
		a.Wait = func(context.Context, time.Duration) error { return nil }
		from := account()
		from.Credentials = map[string]platform.Secret{"access_token": platform.Conceal([]byte("shpat_of_the_examples"))}
		for _, of := range []platform.Account{account(), from} {
			got, err := a.Decode(t.Context(), platform.Request{Header: header, Body: body}, of)
			if api.calls > 200 {
				t.Fatalf("%d calls for one webhook", api.calls)
			}
			known(t, err)
			if err == nil && len(got) == 0 {
				t.Fatal("a webhook came to nothing")
			}
			for _, event := range got {
				applies(t, event)
			}
		}
		n := 0
		for p, err := range a.Changed(t.Context(), from, now) {
			known(t, err)
			if n++; err != nil || n > 1000 {
				break
			}
			if p.ChangedAt.IsZero() {
				t.Fatal("an order that changed at no time")
			}
			for _, event := range p.Returned {
				applies(t, event)
			}
			for _, event := range p.Disputed {
				applies(t, event)
			}
			if p.Paid != nil {
				applies(t, *p.Paid)
			}
		}
	})
}

func known(t *testing.T, err error) {
	var field *platform.FieldError
	var setup *platform.SetupError
	if err != nil && !errors.As(err, &field) && !errors.As(err, &setup) && !errors.Is(err, platform.ErrTryAgain) {
		t.Fatalf("an error that nobody knows what to do with: %v", err)
	}
}

func applies(t *testing.T, event platform.Event) {
	switch event := event.(type) {
	case platform.Paid:
		if event.Order == "" {
			t.Fatal("an order without an id")
		}
		for _, l := range event.Lines {
			if l.ID == "" || l.Product == "" || l.Quantity < 1 {
				t.Fatalf("a line that cannot be applied: %+v", l)
			}
		}
	case platform.Returned:
		if event.Order == "" || event.ID == "" || event.All && event.Failed || !event.All && !event.Failed && len(event.Lines) == 0 && event.Amount == "" {
			t.Fatalf("a refund that cannot be applied: %+v", event)
		}
		for _, l := range event.Lines {
			if l.Quantity < 1 || l.ID == "" {
				t.Fatalf("a refund of nothing: %+v", event)
			}
		}
	case platform.Disputed:
		if event.Check() != nil {
			t.Fatalf("a dispute that cannot be applied: %+v", event)
		}
	}
}
