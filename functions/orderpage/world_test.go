package main

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/web"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is the function over tables of its own, with the merchant nova, whose products elden
// and ring have pages, and plain has none.
type world struct {
	*testing.T
	serve  func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	store  *dynamo.Store
	tables dynamo.Tables
	acts   *lifecycle.Lifecycle
	now    time.Time
	from   string // network address
	speaks string // Accept-Language
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	w := &world{T: t, now: noon, from: "192.0.2.1"}
	w.store, w.tables = dynamotest.Open(t, options...)
	clock := func() time.Time { return w.now }
	w.serve = web.Server{Handler: (&site{newPages(w.store, clock)}).serve()}.Serve
	w.acts = &lifecycle.Lifecycle{Store: w.store, Wholes: w.store, Uploads: w.store, Notices: w.store, Keys: w.store, Settings: w.store, Fill: nobody{}, By: "api", Now: clock}
	w.merchant(catalog.Merchant{Name: "nova", Title: "Nova Games", Languages: []string{"en"}})
	w.product(catalog.Product{ID: "elden", Title: "Elden: The Long Night", OrderPage: catalog.OrderPageOn, Download: "https://nova.example/elden.zip", Instructions: "https://nova.example/how"})
	w.product(catalog.Product{ID: "ring", Title: "Ring", OrderPage: catalog.OrderPageOn})
	w.product(catalog.Product{ID: "plain", Title: "Plain"})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// merchant stores a merchant, anew or changed; its settings are read anew half a minute later.
func (w *world) merchant(m catalog.Merchant) {
	w.Helper()
	if stored, ok, err := w.store.Merchant(w.Context(), m.Name); err != nil {
		w.Fatal(err)
	} else if ok {
		m.Version, m.Salt, m.LinkKey = stored.Version, stored.Salt, stored.LinkKey
	}
	w.must(w.store.PutMerchant(w.Context(), m))
	w.now = w.now.Add(catalog.CacheFor)
}

func (w *world) product(p catalog.Product) {
	w.Helper()
	p.Merchant, p.Pool, p.Keys = "nova", "elden", catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	w.must(w.store.PutProduct(w.Context(), p))
}

// pages stores the merchant's settings of order pages.
func (w *world) pages(o catalog.OrderPages) {
	w.Helper()
	stored, err := w.store.OrderPages(w.Context(), "nova")
	w.must(err)
	o.Merchant, o.Version = "nova", stored.Version
	w.must(w.store.PutOrderPages(w.Context(), o))
	w.now = w.now.Add(catalog.CacheFor)
}

// sold stores a line of an order that holds so many of the keys it wants, and returns it.
func (w *world) sold(number, product string, wanted, held int, change ...func(*order.Fulfillment)) order.Fulfillment {
	w.Helper()
	f := order.Fulfillment{
		Merchant: "nova", Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: product, Product: product,
		Quantity: wanted, ReceivedAt: w.now, PaidAt: w.now, Language: "en", Customer: order.Customer{Name: "Mara Berg", Email: "mara@example.com"},
	}
	f.Connect("elden", 1, wanted)
	for _, c := range change {
		c(&f)
	}
	f.ID = f.Identity().ID()
	c := order.NewLine(f)
	if held > 0 {
		texts := make([]string, held)
		for i := range texts {
			texts[i] = fmt.Sprintf("KEY-%s-%s-%04d", number, product, i)
		}
		c.Allocate(dynamotest.Stock(w.T, w.tables, c.After.PoolID(), 4, texts...), w.now)
	}
	c.Settle(w.now)
	w.must(w.store.Commit(w.Context(), c))
	return c.After
}

// line returns a line as it stands.
func (w *world) line(id order.LineID) order.Fulfillment {
	w.Helper()
	f, _, err := w.store.Fulfillment(w.Context(), id)
	w.must(err)
	return f
}

// history returns what happened to a line by the page.
func (w *world) history(id order.LineID) string {
	w.Helper()
	entries, err := w.store.History(w.Context(), id)
	w.must(err)
	var all []string
	for _, h := range entries {
		all = append(all, string(h.Event)+" by "+h.By)
	}
	return strings.Join(all, ", ")
}

// link returns the path of the page of a line's order.
func (w *world) link(f order.Fulfillment) string {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), f.Merchant)
	w.must(err)
	whole, err := w.store.Whole(w.Context(), f.ID.OrderHalf())
	w.must(err)
	url, err := link.Page{Merchant: f.Merchant, Order: f.ID.OrderHalf(), Number: whole.Link.Number}.URL("", m.LinkKey)
	w.must(err)
	return url
}

// answer is an answer.
type answer struct {
	*testing.T
	at      string
	status  int
	headers map[string]string
	body    string
}

func (w *world) get(path string) answer { w.Helper(); return w.send("GET", path, nil) }

func (w *world) post(path string, form url.Values) answer {
	w.Helper()
	return w.send("POST", path, form)
}

func (w *world) send(method, path string, form url.Values, alter ...func(*events.APIGatewayV2HTTPRequest)) answer {
	w.Helper()
	e := w.event(method, path, form)
	for _, f := range alter {
		f(&e)
	}
	r, err := w.serve(w.Context(), e)
	w.must(err)
	return answer{w.T, method + " " + path, r.StatusCode, r.Headers, r.Body}
}

func (w *world) event(method, path string, form url.Values) events.APIGatewayV2HTTPRequest {
	var e events.APIGatewayV2HTTPRequest
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.RouteKey = "ANY /o/{proxy+}"
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.SourceIP = method, w.from
	e.RequestContext.DomainName = "keypool.example"
	e.Headers = map[string]string{"host": "keypool.example", "accept-language": w.speaks, "sec-fetch-site": "same-origin"}
	if method == "POST" {
		e.Headers["content-type"] = "application/x-www-form-urlencoded"
		e.Body = form.Encode()
	}
	return e
}

var (
	hidden = regexp.MustCompile(`(?s)<(style|script|title)>.*?</(style|script|title)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// words are what a person reads.
func (a answer) words() string {
	s := tags.ReplaceAllString(hidden.ReplaceAllString(a.body, ""), "\n")
	s = strings.NewReplacer("\u2068", "", "\u2069", "").Replace(html.UnescapeString(s))
	return regexp.MustCompile(`\s*\n\s*`).ReplaceAllString(s, "\n")
}

func (a answer) want(status int) answer {
	a.Helper()
	if a.status != status {
		a.Errorf("%s is answered %d, want %d: %s", a.at, a.status, status, a.words())
	}
	return a
}

func (a answer) has(texts ...string) answer {
	a.Helper()
	for _, text := range texts {
		if !strings.Contains(a.words(), text) {
			a.Errorf("%s does not say %q:\n%s", a.at, text, a.words())
		}
	}
	return a
}

// hasNot fails the test if one of the texts stands anywhere in the answer.
func (a answer) hasNot(texts ...string) answer {
	a.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) || strings.Contains(fmt.Sprint(a.headers), text) {
			a.Errorf("%s says %q:\n%s", a.at, text, a.words())
		}
	}
	return a
}

var sent = outbox.Entry{State: outbox.Delivered, Kind: outbox.Keys, Number: 1}
