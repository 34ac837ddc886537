package standin

import (
	"encoding/json"
	"net/http"
	"sync"

	"keypool/infra/local/sample"
	"keypool/shared/platform/paddle"
	"keypool/shared/platform/shopify"
	"keypool/shared/platform/stripe"
	"keypool/shared/platform/woocommerce"
)

// APIs are stand-ins of the APIs of all platforms, by their hosts. They know the accounts, by
// their credentials, and the orders that samples were taken of, and tell an account of its own
// orders alone. The zero value knows none.
type APIs struct {
	mu    sync.Mutex
	apis  map[string]api // by the platform's name
	hosts map[string]http.Handler
}

// api is the API of one platform. Credentials are those of an account, by their names.
type api interface {
	http.Handler
	// know has it know an account. One that it knows stays as it is.
	know(credentials map[string]string)
	// take has it know what a sample is about.
	take(w *sample.Webhook, o sample.Order, credentials map[string]string) error
	// send has the account's webhooks sent to an address, as a merchant does in the
	// platform's settings.
	send(address string, credentials map[string]string)
}

// platforms are the platforms that have an API: how it is made, and its hosts.
var platforms = map[string]struct {
	make  func() (api, error)
	hosts []string
}{
	stripe.Name:      {func() (api, error) { return NewStripe() }, []string{StripeHost}},
	shopify.Name:     {func() (api, error) { return newShopify(), nil }, []string{ShopifyHost}},
	woocommerce.Name: {func() (api, error) { return &wooCommerce{}, nil }, []string{WooCommerceHost}},
	paddle.Name:      {func() (api, error) { return &paddles{}, nil }, []string{PaddleHost, PaddleSandboxHost}},
}

// of returns the API of a platform, nil if it has none.
func (a *APIs) of(platform string) (api, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	of, ok := platforms[platform]
	if made := a.apis[platform]; made != nil || !ok {
		return made, nil
	}
	made, err := of.make()
	if err != nil {
		return nil, err
	}
	if a.apis == nil {
		a.apis, a.hosts = map[string]api{}, map[string]http.Handler{}
	}
	a.apis[platform] = made
	for _, host := range of.hosts {
		a.hosts[host] = made
	}
	return made, nil
}

// Know has the platform's API know an account by its credentials.
func (a *APIs) Know(p sample.Platform, credentials map[string]string) error {
	api, err := a.of(p.Name)
	if api != nil {
		api.know(credentials)
	}
	return err
}

// Take has the platform's API know what a sample is about, before it is sent, and tell the
// account with the credentials of it.
func (a *APIs) Take(w *sample.Webhook, o sample.Order, credentials map[string]string) error {
	api, err := a.of(w.Platform.Name)
	if err != nil || api == nil {
		return err
	}
	api.know(credentials)
	return api.take(w, o, credentials)
}

// Send has the platform's API show webhooks of the account to an address, as a merchant makes
// them in the platform's settings. Shopify's are made by Keypool.
func (a *APIs) Send(p sample.Platform, address string, credentials map[string]string) error {
	api, err := a.of(p.Name)
	if err != nil || api == nil {
		return err
	}
	api.know(credentials)
	api.send(address, credentials)
	return nil
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

// sides are what an API knows of its accounts, by the credential that it is asked with.
type sides[T any] struct {
	mu    sync.Mutex
	known map[string]*T
}

// know returns what is known by a credential. What was not known yet is new.
func (s *sides[T]) know(credential string) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]*T{}
	}
	if s.known[credential] == nil {
		s.known[credential] = new(T)
	}
	return s.known[credential]
}

// of returns what is known by a credential, nil if it is nobody's.
func (s *sides[T]) of(credential string) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[credential]
}

// answer answers with JSON.
func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// refuse answers with an error in JSON.
func refuse(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body)); err != nil {
		panic(http.ErrAbortHandler)
	}
}
