package shopify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// apiVersion is the version of the Admin API that is called. Shopify serves a version for a
// year, and then answers as by the oldest that it serves.
const apiVersion = "2026-07"

// api is the API of an account's shop.
type api struct {
	adapter  Adapter
	host     outbound.Host
	settings settings
	account  platform.Account
}

// apiOf returns the API of an account's shop, false if the account has no credentials.
func (a Adapter) apiOf(account platform.Account, s settings) (api, bool) {
	host, err := outbound.Shop(s.Shop)
	return api{adapter: a, host: host, settings: s, account: account}, err == nil && len(account.Credentials) > 0
}

// of returns the API of an account for a caller that needs it.
func (a Adapter) of(account platform.Account) (api, error) {
	s, err := settingsOf(account)
	if err != nil {
		return api{}, err
	}
	called, ok := a.apiOf(account, s)
	if !ok {
		return api{}, &platform.SetupError{Field: "credentials." + clientID, Problem: "is missing: make an app in Shopify's Dev Dashboard, and enter its client id and client secret"}
	}
	return called, nil
}

func (a api) credential(name string) string {
	if secret, ok := a.account.Credentials[name]; ok {
		return string(secret.Reveal())
	}
	return ""
}

// tokens are the access tokens that shops gave for an app's client id and secret, each good
// for 24 hours. They are in no store: a process asks for its own.
type tokens struct {
	mu    sync.Mutex
	known map[string]token // by the shop and what it was given for
}

type token struct {
	text string
	end  time.Time
}

const (
	renewBefore = 10 * time.Minute // before a token's end
	shortToken  = time.Hour        // of a token whose end is not told
	maxTokens   = 1000             // bounds the memory
)

func (t *tokens) get(key string, now time.Time) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.known[key]
	return known.text, ok && now.Before(known.end)
}

func (t *tokens) put(key string, given token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= maxTokens {
		t.known = map[string]token{}
	}
	t.known[key] = given
}

func (t *tokens) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, key)
}

// tokenKey names the token of an account's app in its shop.
func (a api) tokenKey() string {
	return fmt.Sprintf("%s %x", a.host, sha256.Sum256([]byte(a.credential(clientID)+" "+a.credential(clientSecret))))
}

// token returns the token that calls are made with.
func (a api) token(ctx context.Context) (string, error) {
	if text := a.credential(accessToken); text != "" {
		return text, nil
	}
	for _, name := range []string{clientID, clientSecret} {
		if a.credential(name) == "" {
			return "", &platform.SetupError{Field: "credentials." + name, Problem: "is missing: an app has both a client id and a client secret (Dev Dashboard, your app, Settings)"}
		}
	}
	key, now := a.tokenKey(), a.adapter.Now()
	if text, ok := a.adapter.tokens.get(key, now); ok {
		return text, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {a.credential(clientID)}, "client_secret": {a.credential(clientSecret)}}
	answer, err := a.adapter.API.Do(ctx, outbound.Call{
		Host: a.host, Method: http.MethodPost, Path: "/admin/oauth/access_token", Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
	})
	var mend *outbound.Error
	switch {
	case errors.As(err, &mend):
		return "", &platform.SetupError{
			Field:   "credentials." + clientSecret,
			Problem: fmt.Sprintf("does not serve: %s gives no access token for it (answered %d): check client id and secret, and that the app is installed in this shop and belongs to the shop's organization", a.host, mend.Status),
		}
	case err != nil:
		return "", err
	}
	given, err := payload.Parse(answer.Body)
	text := textOf(given.Find("/access_token"))
	if err != nil || text == "" {
		return "", a.unreadable()
	}
	good := shortToken
	if seconds, ok := given.Find("/expires_in").Quantity(); ok && seconds > 0 {
		good = time.Duration(seconds) * time.Second
	}
	a.adapter.tokens.put(key, token{text, now.Add(good - min(renewBefore, good/2))})
	return text, nil
}

// unreadable is an answer that is not as Shopify documents it. It is nothing that the
// merchant could mend.
func (a api) unreadable() error {
	return fmt.Errorf("an answer of %s cannot be read: %w", a.host, platform.ErrTryAgain)
}

// answer is what a query found.
type answer struct {
	payload.Value
	denied bool // some of it may not be read by the app, and is null

	// What is left of the points that the shop gives to calls, and what the query asked for.
	left, asked, restored float64
}

// query asks the shop's GraphQL API. A limit that was reached is told in an answer of 200.
func (a api) query(ctx context.Context, text string, variables map[string]any) (answer, error) {
	asked, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		return answer{}, err // texts and numbers always encode
	}
	raw, err := a.post(ctx, asked)
	if err != nil {
		return answer{}, err
	}
	read, err := payload.Parse(raw)
	if err != nil {
		return answer{}, a.unreadable()
	}
	found := answer{Value: read.Find("/data")}
	for at, to := range map[payload.Pointer]*float64{
		"/extensions/cost/throttleStatus/currentlyAvailable": &found.left,
		"/extensions/cost/throttleStatus/restoreRate":        &found.restored,
		"/extensions/cost/requestedQueryCost":                &found.asked,
	} {
		_ = json.Unmarshal([]byte(textOf(read.Find(at))), to) // none: 0
	}
	for _, wrong := range read.Find("/errors").List {
		switch code := textOf(wrong.Find("/extensions/code")); code {
		case "ACCESS_DENIED":
			found.denied = true
		case "THROTTLED", "INTERNAL_SERVER_ERROR", "TIMEOUT":
			return answer{}, fmt.Errorf("%s takes no calls now: %w", a.host, platform.ErrTryAgain)
		default:
			return answer{}, a.refused("refuses the call")
		}
	}
	if found.Kind != '{' {
		if found.denied {
			return answer{}, a.accessDenied()
		}
		return answer{}, a.unreadable()
	}
	return found, nil
}

// post sends a query. A token that the shop knows no more is asked for again, once: the
// app's secret was rotated, or its scopes changed.
func (a api) post(ctx context.Context, body []byte) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		token, err := a.token(ctx)
		if err != nil {
			return nil, err
		}
		got, err := a.adapter.API.Do(ctx, outbound.Call{
			Host: a.host, Method: http.MethodPost, Path: "/admin/api/" + apiVersion + "/graphql.json", Body: body,
			Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "X-Shopify-Access-Token": {token}},
		})
		var mend *outbound.Error
		switch {
		case !errors.As(err, &mend):
			return got.Body, err
		case mend.Status == http.StatusUnauthorized && attempt == 0 && a.credential(accessToken) == "":
			a.adapter.tokens.forget(a.tokenKey())
			continue
		}
		return nil, a.refused(strings.TrimPrefix(mend.Error(), mend.Host+" "))
	}
}

// refused is a failure that the merchant has to mend.
func (a api) refused(problem string) error {
	field := clientID
	if a.credential(accessToken) != "" {
		field = accessToken
	}
	return &platform.SetupError{Field: "credentials." + field, Problem: "does not serve: " + a.host.String() + " " + problem}
}

func (a api) accessDenied() error {
	return a.refused("does not allow the app to read this: give it the scopes and the protected customer data that the account's page lists, and install its new version")
}
