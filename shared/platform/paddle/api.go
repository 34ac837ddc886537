package paddle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// apiVersion is the version of the API that is called, whatever the account's default is.
const apiVersion = "1"

var (
	liveHost    = outbound.API("api.paddle.com")
	sandboxHost = outbound.API("sandbox-api.paddle.com")
)

// api is Paddle's API, as an account may call it on one side.
type api struct {
	client *outbound.Client
	key    string // empty: the account has none
	test   bool
}

// apiOf returns the API of an account's side. Its calls fail if the account has no key.
func (a Adapter) apiOf(account platform.Account, test bool) api {
	called := api{client: a.API, test: test}
	if key, ok := account.Credentials[credentialOf(test)]; ok {
		called.key = string(key.Reveal())
	}
	return called
}

func credentialOf(test bool) string {
	if test {
		return testKey
	}
	return liveKey
}

func (a api) host() outbound.Host {
	if a.test {
		return sandboxHost
	}
	return liveHost
}

// forbiddenError is the *platform.SetupError of a call for which the key has no permission.
type forbiddenError struct{ error }

func (e *forbiddenError) Unwrap() error { return e.error }

// setupError is a mistake in the account's key for the side.
func (a api) setupError(problem string) error {
	return &platform.SetupError{Field: "credentials." + credentialOf(a.test), Problem: problem}
}

// missingKey is the error of a call without a key.
func (a api) missingKey() error {
	return a.setupError("is missing: make an API key in Paddle (Developer tools, Authentication, API keys) and enter it, since Paddle's webhooks do not say who the customer is")
}

// get reads an answer.
func (a api) get(ctx context.Context, path string, query url.Values) (node, error) {
	if a.key == "" {
		return node{}, a.missingKey()
	}
	answer, err := a.client.Do(ctx, outbound.Call{
		Host: a.host(), Path: path, Query: query,
		Header: http.Header{"Authorization": {"Bearer " + a.key}, "Paddle-Version": {apiVersion}},
	})
	var mend *outbound.Error
	switch {
	case errors.As(err, &mend) && mend.Status/100 == 2:
		return node{}, err // larger than what is read
	case errors.As(err, &mend) && mend.Status == http.StatusNotFound:
		return node{}, a.setupError("does not serve: " + a.host().String() + " knows nothing of what the webhook is about. The key is of another Paddle account than the webhook, or the secret that signed is marked as the other side's, or the webhook was simulated: set the destination's usage to Platform")
	case errors.As(err, &mend) && mend.Status == http.StatusForbidden:
		return node{}, &forbiddenError{a.setupError("does not serve: " + mend.Error())}
	case errors.As(err, &mend):
		return node{}, a.setupError("does not serve: " + mend.Error())
	case err != nil:
		return node{}, err
	}
	read, err := parse(answer.Body)
	if err != nil {
		return node{}, a.unreadable()
	}
	return read, nil
}

// unreadable is the error of an answer that is not as Paddle documents it. It is nothing that
// the sender of the webhook, or the merchant, could mend.
func (a api) unreadable() error {
	return fmt.Errorf("an answer of %s cannot be read: %w", a.host(), platform.ErrTryAgain)
}

// notDocumented is the mistake in a member of an entity that the API shows.
const notDocumented = "is not there as Paddle's API documents it"

// otherEntity means that an answer is about something else than what was asked for.
func (a api) otherEntity() error {
	return fmt.Errorf("%s answered about another entity than was asked for: %w", a.host(), platform.ErrTryAgain)
}

// list reads the pages of a list, at most so many, and hands each to page, until that wants
// no more. Of a page that is larger than what is read, half is asked for.
func (a api) list(ctx context.Context, path string, query url.Values, most int, page func([]node) (more bool, err error)) error {
	for range most {
		answer, err := a.get(ctx, path, query)
		var large *outbound.Error
		if size, _ := strconv.Atoi(query.Get("per_page")); errors.As(err, &large) && size > 1 {
			query.Set("per_page", strconv.Itoa(size/2))
			continue
		}
		switch {
		case large != nil:
			return fmt.Errorf("%w: %w", large, platform.ErrTryAgain)
		case err != nil:
			return err
		case answer.at("/data").Kind != '[':
			return a.unreadable()
		}
		if more, err := page(answer.list("/data")); err != nil || !more {
			return err
		}
		if answer.at("/meta/pagination/has_more").Kind != 't' {
			return nil
		}
		// The next page stands at an address, of which only the cursor is taken.
		next, err := url.Parse(answer.text("/meta/pagination/next"))
		if err != nil || next.Query().Get("after") == "" || next.Query().Get("after") == query.Get("after") {
			return a.unreadable()
		}
		query.Set("after", next.Query().Get("after"))
	}
	return fmt.Errorf("%s has more than %d pages of one list: %w", a.host(), most, platform.ErrTryAgain)
}

// pagesOfList bounds the pages of a list that is read whole. A page may hold one entity alone:
// see list.
const pagesOfList = 60

// all reads the whole of a short list.
func (a api) all(ctx context.Context, path string, query url.Values) ([]node, error) {
	var all []node
	err := a.list(ctx, path, query, pagesOfList, func(page []node) (bool, error) {
		all = append(all, page...)
		return true, nil
	})
	return all, err
}

// transactionsAtOnce is how many transactions a page has, Paddle's maximum, and
// adjustmentsAtOnce how many adjustments.
const (
	transactionsAtOnce = 30
	adjustmentsAtOnce  = 50
)

// shown are the entities that a transaction is read with. Its adjustments are read by a call
// of their own: Paddle's libraries and its documentation name them differently here.
const shown = "customer,address,business"

// transaction reads a transaction with its customer.
func (a api) transaction(ctx context.Context, id string) (node, error) {
	answer, err := a.get(ctx, "/transactions/"+id, url.Values{"include": {shown}})
	if err != nil {
		return node{}, err
	}
	t := answer.at("/data")
	if t.id("/id", "txn_") != id {
		return node{}, a.otherEntity()
	}
	return t, a.checkCustomer(t)
}

// checkCustomer says whether a transaction has come with its own customer.
func (a api) checkCustomer(t node) error {
	if of := t.text("/customer/id"); of != "" && of != t.text("/customer_id") {
		return a.otherEntity()
	}
	return nil
}

// adjustments reads the adjustments of some transactions, by the transaction.
func (a api) adjustments(ctx context.Context, transactions ...string) (map[string][]node, error) {
	found := map[string][]node{}
	if len(transactions) == 0 {
		return found, nil
	}
	for _, id := range transactions {
		found[id] = nil
	}
	all, err := a.all(ctx, "/adjustments", url.Values{
		"transaction_id": {strings.Join(transactions, ",")}, "order_by": {"id[ASC]"}, "per_page": {strconv.Itoa(adjustmentsAtOnce)},
	})
	for _, adjustment := range all {
		of := adjustment.id("/transaction_id", "txn_")
		if of == "" {
			return nil, &platform.UnfitError{
				Cause: a.unreadable(), Mistake: &platform.FieldError{Field: "adjustments.transaction_id", Problem: notDocumented},
			}
		}
		if _, asked := found[of]; !asked {
			return nil, a.otherEntity()
		}
		found[of] = append(found[of], adjustment)
	}
	return found, err
}
