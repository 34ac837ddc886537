package shopify_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
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
	one, err := json.Marshal(object{"data": object{
		"order": order("5501234567890", now, line("14001234567890", 2)).With(object{"lineItems": object{"nodes": []object{line("14001234567890", 2)}, "pageInfo": object{"hasNextPage": true}}}),
	}})
	if err != nil {
		f.Fatal(err)
	}
	list := `{"data":{"orders":{"nodes":[` + strings.TrimSuffix(strings.TrimPrefix(string(one), `{"data":{"order":`), "}}") + `],"pageInfo":{"hasNextPage":false}}}}`
	for _, name := range platformtest.Examples(f, "shopify", 1) {
		r := webhook(f, name)
		for _, answer := range []string{string(one), list, `{"errors":[{"extensions":{"code":"THROTTLED"}}]}`} {
			f.Add(r.Body, r.Header.Get("X-Shopify-Hmac-Sha256"), r.Header.Get("X-Shopify-Topic"), answer)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, topic, answer string) {
		header := http.Header{"X-Shopify-Hmac-Sha256": {signature}, "X-Shopify-Topic": {topic}, "X-Shopify-Shop-Domain": {shop}}
		platformtest.RefusesStranger(t, shopify.Adapter{}, header, body, now)
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
			platformtest.CheckDecoded(t, got, err)
		}
		n := 0
		for p, err := range a.Changed(t.Context(), from, now) {
			platformtest.CheckError(t, err)
			if n++; err != nil || n > 1000 {
				break
			}
			if p.ChangedAt.IsZero() {
				t.Fatal("an order that changed at no time")
			}
			for _, event := range p.Returned {
				platformtest.CheckEvent(t, event)
			}
			for _, event := range p.Disputed {
				platformtest.CheckEvent(t, event)
			}
			if p.Paid != nil {
				platformtest.CheckEvent(t, *p.Paid)
			}
		}
	})
}
