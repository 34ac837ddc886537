package woocommerce

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// api is the REST API of a shop, version 3, as an account may call it.
type api struct {
	client      *outbound.Client
	host        outbound.Host
	folder      string // that the shop stands in: "" or "/shop"
	key, secret string // empty: the account has none
}

func (a Adapter) apiOf(account platform.Account, s settings) (api, error) {
	domain, folder, _ := strings.Cut(s.Shop, "/")
	host, err := outbound.Shop(domain)
	if err != nil {
		return api{}, &platform.SetupError{Field: "settings.shop", Problem: err.Error()}
	}
	shop := api{client: a.API, host: host}
	if folder != "" {
		shop.folder = "/" + folder
	}
	for name, to := range map[string]*string{consumerKey: &shop.key, consumerSecret: &shop.secret} {
		if credential, ok := account.Credentials[name]; ok {
			*to = string(credential.Reveal())
		}
	}
	return shop, nil
}

// hasKey says whether the shop can be asked.
func (a api) hasKey() bool { return a.key != "" && a.secret != "" }

// get reads what stands at a path below /wp-json/wc/v3. Its error is ErrTryAgain, or a
// *platform.SetupError.
func (a api) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	for name, value := range map[string]string{consumerKey: a.key, consumerSecret: a.secret} {
		if value == "" {
			return nil, &platform.SetupError{
				Field:   "credentials." + name,
				Problem: "is missing: make a key in WooCommerce (Settings, Advanced, REST API) and enter both parts of it",
			}
		}
	}
	answer, err := a.client.Do(ctx, outbound.Call{
		Host: a.host, Path: a.folder + "/wp-json/wc/v3" + path, Query: query,
		Header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(a.key+":"+a.secret))},
			"Accept":        {"application/json"},
			"User-Agent":    {"Keypool"}, // shops' firewalls refuse callers without a name
		},
	})
	var mend *outbound.Error
	switch {
	case errors.As(err, &mend) && mend.Status == http.StatusOK:
		return nil, &largeError{setupError(mend)}
	case errors.As(err, &mend):
		return nil, setupError(mend)
	case err != nil:
		return nil, err
	}
	return payload.WithoutMark(answer.Body), nil
}

// setupError says what the merchant is to mend in the shop.
func setupError(mend *outbound.Error) *platform.SetupError {
	field, problem := "credentials."+consumerKey, ""
	switch mend.Status {
	case http.StatusUnauthorized:
		problem = "is not taken: the key was revoked, or its user may not read orders; or the shop's host keeps the Authorization header from WordPress " +
			"(saving Settings, Permalinks in WordPress lets it through on most hosts)"
	case http.StatusForbidden:
		problem = "is not taken: its user may not read this, or a firewall or security plugin of the shop refuses the call; make the key as an administrator, and let calls of /wp-json/wc/ through"
	case http.StatusNotFound:
		field, problem = "settings.shop", "answers 404 for the REST API: take any permalinks but Plain in WordPress (Settings, Permalinks), and enter the address of the front page"
	default:
		field, problem = "settings.shop", "cannot be called: "+mend.Error()
	}
	return &platform.SetupError{Field: field, Problem: problem}
}

// largeError is an answer that is larger than what is read of one.
type largeError struct{ *platform.SetupError }

func (e *largeError) Unwrap() error { return e.SetupError }

// errUnreadable is the answer of a shop that shows something else than the REST API does.
func errUnreadable() error {
	return &platform.SetupError{
		Field:   "settings.shop",
		Problem: "answers calls of its REST API with something else: a firewall's page, or messages of PHP; let calls of /wp-json/wc/ through, and switch WP_DEBUG_DISPLAY off",
	}
}

// object reads one object.
func (a api) object(ctx context.Context, path string, query url.Values) (object, error) {
	body, err := a.get(ctx, path, query)
	if err != nil {
		return object{}, err
	}
	found, err := payload.Parse(body)
	if err != nil {
		return object{}, errUnreadable()
	}
	return object{found}, nil
}

// page reads a page of a list.
func (a api) page(ctx context.Context, path string, query url.Values) ([]object, error) {
	body, err := a.get(ctx, path, query)
	if err != nil {
		return nil, err
	}
	const before, after = `{"list":`, `}`
	found, err := payload.Parse(append(append([]byte(before), body...), after...))
	if err != nil || found.Find("/list").Kind != '[' || len(found.Members) != 1 {
		return nil, errUnreadable()
	}
	var all []object
	for _, v := range found.Find("/list").List {
		all = append(all, object{v})
	}
	return all, nil
}

// mostPerPage is the largest page of a list.
const mostPerPage = 100

// all reads all pages of a list, with a bound.
func (a api) all(ctx context.Context, path string, query url.Values) ([]object, error) {
	var all []object
	number := 0
	query.Set("per_page", strconv.Itoa(mostPerPage))
	err := outbound.Pages(a.host, func() (bool, error) {
		number++
		query.Set("page", strconv.Itoa(number))
		next, err := a.page(ctx, path, query)
		all = append(all, next...)
		return len(next) == mostPerPage, err
	})
	var mend *outbound.Error
	if errors.As(err, &mend) {
		return nil, &platform.SetupError{Field: "settings.shop", Problem: fmt.Sprintf("cannot be read: %s", mend)}
	}
	return all, err
}
