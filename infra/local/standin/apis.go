package standin

import (
	"net/http"
	"sync"

	"keypool/infra/local/sample"
	"keypool/shared/platform/paddle"
	"keypool/shared/platform/stripe"
)

// APIs are stand-ins of the APIs of all platforms, by their hosts. They know the orders that
// samples were taken of. The zero value knows none.
type APIs struct {
	mu     sync.Mutex
	hosts  map[string]http.Handler
	stripe *Stripe
	paddle *Paddle
	woo    *WooCommerce
}

// Take makes the platform's API know what a sample is about, before it is sent.
func (a *APIs) Take(w *sample.Webhook, o sample.Order) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch w.Platform.Name {
	case stripe.Name:
		if a.stripe == nil {
			var err error
			if a.stripe, err = NewStripe(); err != nil {
				return err
			}
			a.serve(StripeHost, a.stripe)
		}
		return a.stripe.Add(StripeOrderOf(w, o))
	case paddle.Name:
		if a.paddle == nil {
			a.paddle = &Paddle{}
			a.serve(PaddleHost, a.paddle)
			a.serve(PaddleSandboxHost, a.paddle)
		}
		return a.paddle.Take(w, o)
	case "woocommerce":
		if a.woo == nil {
			a.woo = &WooCommerce{}
			a.serve(WooCommerceHost, a.woo)
		}
		return a.woo.Take(w, o)
	}
	return nil
}

// serve has a host's calls answered by an API.
func (a *APIs) serve(host string, api http.Handler) {
	if a.hosts == nil {
		a.hosts = map[string]http.Handler{}
	}
	a.hosts[host] = api
}

// host returns the API of a host, nil if none is known.
func (a *APIs) host(name string) http.Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosts[name]
}

// ServeHTTP implements http.Handler.
func (a *APIs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	api := a.host(r.Host)
	if api == nil {
		http.NotFound(w, r)
		return
	}
	api.ServeHTTP(w, r)
}
