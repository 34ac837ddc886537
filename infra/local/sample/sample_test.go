package sample_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/local/sample"
	"keypool/infra/local/standin"
	"keypool/infra/proof/apitest"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
)

var (
	folder = os.DirFS("../../../events")
	paidAt = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

const (
	digits     = "700000000"
	liveRandom = "0123456789abcdef0123456789abcdef"
	testRandom = "fedcba9876543210fedcba9876543210"
)

// about is what the samples of a test are about.
func about(p sample.Platform, w *sample.Webhook) sample.Order {
	return sample.Order{ID: p.ID(digits, w.Test), Product: "elden-long-night", Quantity: 3, Email: "grace@shop.example", PaidAt: paidAt}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if want, got := slices.Sorted(maps.Keys(all.Adapters)), slices.Sorted(slices.Values(sample.Names())); !slices.Equal(want, got) {
		t.Errorf("samples are there of %v, and adapters of %v", got, want)
	}
	if _, ok := sample.Of("nobody"); ok {
		t.Error("there are samples of nobody")
	}
}

// README's table has a row for every platform, of as many columns as its head.
func TestReadme_hasEveryPlatform(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "\n| platform")
	table, _, _ = strings.Cut(table, "\n\n")
	head, _, _ := strings.Cut(table, "\n")
	for _, name := range sample.Names() {
		_, row, ok := strings.Cut(table, "\n| `"+name+"`")
		row, _, _ = strings.Cut(row, "\n")
		if !ok || strings.Count(row, "|") != strings.Count(head, "|") {
			t.Errorf("README's table has no row of %s, or one of other columns", name)
		}
	}
}

// Every sample of every platform, made one of another order and signed, is verified and
// decoded by the platform's adapter as what was put into it. Every kind of event that an
// account takes has a sample.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, name := range sample.Names() {
		p, ok := sample.Of(name)
		if !ok {
			t.Fatalf("%s has no samples", name)
		}
		events, err := p.Events(folder)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(events, "paid") {
			t.Errorf("%s has no sample called paid", name)
		}
		var apis standin.APIs
		adapter := through(all.Adapters[name], apitest.Serve(t, &apis))
		kinds := map[string]bool{}
		for i, event := range events {
			w, err := p.Read(folder, event)
			if err != nil {
				t.Fatal(err)
			}
			kinds[w.Kind()] = true
			var credentials map[string]string
			if p.Credentials != nil { // one account each: an order that is cancelled is never paid again
				credentials = p.Credentials(fmt.Sprintf("%032x", i), p.Secret(liveRandom))
			}
			t.Run(name+"/"+event, func(t *testing.T) { decodes(t, adapter, &apis, w, credentials) })
		}
		for _, kind := range p.Kinds {
			if !kinds[kind] {
				t.Errorf("%s has no sample of %s", name, kind)
			}
		}
	}
}

// through returns the adapter, which calls its platform's API by a client.
func through(adapter platform.Adapter, client *outbound.Client) platform.Adapter {
	changed := reflect.New(reflect.TypeOf(adapter)).Elem()
	changed.Set(reflect.ValueOf(adapter))
	if api := changed.FieldByName("API"); api.IsValid() {
		api.Set(reflect.ValueOf(client))
	}
	return changed.Interface().(platform.Adapter)
}

// ownLines are samples whose lines are what they show.
var ownLines = map[string]bool{"paid_second_product": true, "paid_edited": true}

// decodes holds a sample to what was put into it.
func decodes(t *testing.T, adapter platform.Adapter, apis *standin.APIs, w *sample.Webhook, credentials map[string]string) {
	p, o := w.Platform, about(w.Platform, w)
	if err := p.CheckID(o.ID); err != nil {
		t.Fatalf("the order's own number %s %v", o.ID, err)
	}
	w.Be(o)
	if err := apis.Take(w, o, credentials); err != nil {
		t.Fatal(err)
	}
	a := account(t, p, adapter, credentials)
	secret := p.Secret(liveRandom)
	if a.Test = p.BySecret && w.Test; a.Test {
		secret = p.Secret(testRandom)
	}
	if err := w.Sign(secret, paidAt); err != nil {
		t.Fatal(err)
	}
	r := platform.Request{Header: w.Header, Body: w.Body}
	if _, err := adapter.Verify(r, a, paidAt); err != nil {
		t.Fatalf("its signature: %v", err)
	}
	got, err := adapter.Decode(context.Background(), r, a)
	if err != nil || len(got) == 0 {
		t.Fatalf("decoded as %+v, %v", got, err)
	}
	for _, event := range got {
		switch event := event.(type) {
		case platform.Paid:
			if event.Order != w.Order || event.Customer.Email != o.Email || event.Test != w.Test {
				t.Errorf("decoded as %+v, of the order %s", event, w.Order)
			}
			if event.PaidAt.IsZero() && w.Event == "paid" || !event.PaidAt.IsZero() && !event.PaidAt.Equal(paidAt) {
				t.Errorf("it was paid at %s", event.PaidAt)
			}
			own := slices.IndexFunc(event.Lines, func(l platform.Line) bool {
				return (l.Product == o.Product || l.Original == o.Product) && l.Quantity == o.Quantity
			})
			if own < 0 && !ownLines[w.Event] {
				t.Errorf("its lines are %+v", event.Lines)
			}
		case platform.Returned:
			if event.Order != w.Order && event.Order != o.ID {
				t.Errorf("decoded as %+v, of the order %s", event, w.Order)
			}
		case platform.Disputed:
			if event.Order != w.Order && event.Order != o.ID {
				t.Errorf("decoded as %+v, of the order %s", event, w.Order)
			}
		}
	}
}

// account returns an account of the platform, as function webhook has it.
func account(t *testing.T, p sample.Platform, adapter platform.Adapter, credentials map[string]string) platform.Account {
	t.Helper()
	a := platform.Account{Merchant: "demo", Name: p.Name, Platform: p.Name, Settings: p.Settings, Credentials: map[string]platform.Secret{}}
	if a.Settings != nil {
		if err := adapter.(platform.Configurer).CheckSettings(a.Settings); err != nil {
			t.Fatalf("the account's settings: %v", err)
		}
	}
	for name, text := range credentials {
		if err := adapter.(platform.Fetcher).CheckCredential(name, text); err != nil {
			t.Fatalf("the account's credential %s %v", name, err)
		}
		a.Credentials[name] = platform.Conceal([]byte(text))
	}
	parse := platform.ParseSecret
	if form, ok := adapter.(platform.SecretForm); ok {
		parse = form.ParseSecret
	}
	for i, random := range []string{liveRandom, testRandom} {
		if i > 0 && !p.BySecret {
			break
		}
		key, err := parse(p.Secret(random))
		if err != nil {
			t.Fatalf("the account's secret %v", err)
		}
		a.Secrets = append(a.Secrets, platform.SigningSecret{Name: "live", Test: i > 0, Secret: platform.Conceal(key)})
	}
	return a
}

// A sample that nothing is put into is the file, byte by byte.
func TestBe_nothing(t *testing.T) {
	t.Parallel()
	for _, name := range sample.Names() {
		p, _ := sample.Of(name)
		events, err := p.Events(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			w, err := p.Read(folder, event)
			if err != nil {
				t.Fatal(err)
			}
			before := string(w.Body)
			if w.Be(sample.Order{}); string(w.Body) != before {
				t.Errorf("%s/%s became\n%s\nof\n%s", name, event, w.Body, before)
			}
		}
	}
}

func TestRead_unknown(t *testing.T) {
	t.Parallel()
	p, _ := sample.Of("stripe")
	if _, err := p.Read(folder, "sold"); !errors.Is(err, sample.ErrUnknown) {
		t.Error(err)
	}
	for _, name := range []string{"good_mail_due.json", "good_api_order.json", "README.md"} {
		if _, err := sample.Open(folder, name); !errors.Is(err, sample.ErrNoWebhook) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file of events/ has a wrong signature if and only if its name says so: what else is bad
// is bad although it is signed.
func TestIsUnsigned(t *testing.T) {
	t.Parallel()
	const secret, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1767366245 // of all events of our own scheme
	key, err := platform.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	a := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal(key)}}}
	files, err := filepath.Glob("../../../events/*_order_*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d events, %v", len(files), err)
	}
	for _, file := range files {
		w, err := sample.Open(folder, filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if w.Platform.Name != platform.Standard {
			continue
		}
		_, err = all.Adapters[platform.Standard].Verify(platform.Request{Header: w.Header, Body: w.Body}, a, time.Unix(at, 0))
		if w.IsUnsigned() != (err != nil) {
			t.Errorf("%s: its name says that it is unsigned: %t; its signature: %v", filepath.Base(file), w.IsUnsigned(), err)
		}
	}
}

// A sample goes to the account as function webhook gets it of the API.
func TestGateway(t *testing.T) {
	t.Parallel()
	for file, path := range map[string]string{"good_order_paid_base64.json": "/webhooks/demo/own", "good_order_paid_slash.json": "/webhooks/demo/own/", "stripe_paid.json": "/webhooks/demo/own"} {
		w, err := sample.Open(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		w.Be(sample.Order{Product: "elden"})
		got := w.Gateway("demo", "own")
		header := http.Header{}
		for name, value := range got.Headers {
			header.Set(name, value)
		}
		proxy, slash := got.PathParameters["proxy"]
		if got.RawPath != path || slash != strings.HasSuffix(path, "/") || slash && proxy != "demo/own/" || !slash && got.PathParameters["account"] != "own" {
			t.Errorf("%s goes to %s, %v", file, got.RawPath, got.PathParameters)
		}
		if got.IsBase64Encoded != strings.Contains(file, "base64") || header.Get("content-type") == "" {
			t.Errorf("%s: base64 %t, %v", file, got.IsBase64Encoded, got.Headers)
		}
	}
}
