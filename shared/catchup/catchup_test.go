package catchup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// TestCatchup holds catch-up itself to the cases of every platform. Its adapter is as
// plain as one can be: the API lists orders by the time at which they changed.
func TestCatchup(t *testing.T) {
	t.Parallel()
	platformtest.RunCatchup(t, platformtest.Platform{
		Name:        "listing",
		Credentials: map[string]string{"key": "a key of the API"},
		Secrets: [3]string{
			platform.FormatSecret([]byte("the first secret of the account.")),
			platform.FormatSecret([]byte("the second secret of the account")),
			platform.FormatSecret([]byte("the third secret of the account.")),
		},
		Sign: func(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
			w.Header = http.Header{}
			w.Header.Set("webhook-id", "msg_1")
			w.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
			w.Header.Set("webhook-signature", standard.Sign(key, "msg_1", at, w.Body))
			return w
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid: func(o platformtest.Order) platformtest.Webhook {
				return platformtest.Webhook{Body: fmt.Appendf(nil,
					`{"type":"order.paid","data":{"order":"A-%d","paid_at":%q,"customer":{"email":%q},"lines":[{"line":"1","product":%q,"quantity":%d}]}}`,
					o.N, o.PaidAt.Format(time.RFC3339), o.Email, o.Product, o.Quantity)}
			},
		},
	}, func(t testing.TB, n *platformtest.Network) platformtest.World {
		w := &world{orders: map[int]entry{}}
		return platformtest.World{Adapter: listing{API: apitest.Serve(t, n.Before(w))}, Put: w.put, Spoil: w.spoil}
	})
}

// world is the API: it lists orders by the time at which they changed, ten a page.
type world struct {
	mu     sync.Mutex
	orders map[int]entry
}

type entry struct {
	Order     platformtest.Order
	ChangedAt time.Time
	Refunded  bool
	Spoiled   bool
}

func (w *world) put(o platformtest.Order, changedAt time.Time, refunded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders[o.N] = entry{Order: o, ChangedAt: changedAt, Refunded: refunded}
}

// spoil shows an order of which nothing can be read.
func (w *world) spoil(o platformtest.Order, changedAt time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders[o.N] = entry{Order: o, ChangedAt: changedAt, Spoiled: true}
}

func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	var found []entry
	for _, e := range w.orders {
		if !e.ChangedAt.Before(since) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return a.ChangedAt.Compare(b.ChangedAt) })
	found = found[min(skip, len(found)):]
	json.NewEncoder(out).Encode(found[:min(10, len(found))])
}

// listing is an adapter of Keypool's own scheme whose API lists orders.
type listing struct {
	standard.Adapter
	API *outbound.Client
}

func (listing) CheckCredential(string, string) error { return nil }

// Changed implements platform.Lister.
func (l listing) Changed(ctx context.Context, a platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		for skip := 0; ; {
			answer, err := l.API.Do(ctx, outbound.Call{Host: outbound.API("api.example.com"), Path: "/orders", Query: url.Values{
				"since": {since.Format(time.RFC3339Nano)}, "skip": {strconv.Itoa(skip)},
			}})
			var mend *outbound.Error
			if errors.As(err, &mend) {
				err = &platform.SetupError{Field: "credentials.key", Problem: mend.Error()}
			}
			var found []entry
			if err == nil {
				err = json.Unmarshal(answer.Body, &found)
			}
			if err != nil {
				yield(platform.Purchase{}, err)
				return
			}
			for _, e := range found {
				skip++
				if !yield(e.purchase(), nil) {
					return
				}
			}
			if len(found) == 0 {
				return
			}
		}
	}
}

func (e entry) purchase() platform.Purchase {
	number := fmt.Sprintf("A-%d", e.Order.N)
	if e.Spoiled {
		p, _ := platform.PassOver(&platform.FieldError{Field: "lines", Problem: "are spoiled", Order: number}, e.ChangedAt)
		return p
	}
	p := platform.Purchase{ChangedAt: e.ChangedAt, Paid: &platform.Paid{
		Order: number, PaidAt: e.Order.PaidAt, Customer: order.Customer{Email: e.Order.Email},
		Lines: []platform.Line{{ID: "1", Product: e.Order.Product, Quantity: e.Order.Quantity}},
	}}
	if e.Refunded {
		p.Returned = []platform.Returned{{Order: number, ID: "R-" + number, All: true}}
	}
	return p
}
