package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// TestAccount is the account that reports test orders of a merchant who names none. It is made
// by the first of them.
const TestAccount = "test-orders"

// TestOrders buys products as a customer would, on the test side: each order is reported by a
// signed webhook at the address that shops send theirs to, so that all that follows is what
// follows of a shop's. The webhook says that the order is a test, whatever is asked for.
type TestOrders struct {
	Accounts *Accounts
	Opener   Opener
	Catalog  catalog.Reader

	// Webhook signs the report of an order by the key of an account of Keypool's own scheme.
	Webhook func(key []byte, at time.Time, paid platform.Paid) platform.Request
	Front   Front
	Now     func() time.Time
}

// Front is where webhooks come in.
type Front interface {
	// Post sends a webhook to a path there, such as /webhooks/acme/shop. Its error wraps
	// ErrUnanswered if there is no answer.
	Post(ctx context.Context, path string, r platform.Request) (platform.Response, error)
}

// ErrUnanswered means that a webhook got no answer: it may have been taken.
var ErrUnanswered = errors.New("the address of webhooks did not answer")

// TestOrder is what is bought.
type TestOrder struct {
	Merchant string
	Account  string // "": TestAccount
	Product  string
	Quantity int
	Currency string // ISO 4217; "" for none
	Language string // BCP 47, of the customer; "" for none
	Email    string // of the customer; "": the merchant's notice address

	By access.Principal
}

// TestOrdered is a test order that was reported.
type TestOrdered struct {
	Account, Order string
	OrderID        string // see order.Identity

	Answer platform.Response // of the webhook, as a shop gets it
}

// Place places a test order; a repeat of the call is the same order. Its error is ErrNotFound if there is no such account.
func (t *TestOrders) Place(ctx context.Context, o TestOrder) (TestOrdered, error) {
	merchant, known, err := t.Catalog.Merchant(ctx, o.Merchant)
	if err == nil && !known {
		err = ErrNotFound
	}
	if err != nil {
		return TestOrdered{}, err
	}
	product, err := t.check(ctx, o)
	if err != nil {
		return TestOrdered{}, err
	}
	account, key, err := t.account(ctx, o)
	if err != nil {
		return TestOrdered{}, err
	}
	now := t.Now()
	placed := TestOrdered{Account: account.Name, Order: "test-" + idempotency.Name(ctx)}
	placed.OrderID = order.Identity{Merchant: o.Merchant, Side: pool.Test, Origin: account.Origin, Order: placed.Order}.OrderID()
	request := t.Webhook(key, now, platform.Paid{
		Order: placed.Order, Test: true, Currency: o.Currency, Language: o.Language, PaidAt: now,
		Customer: order.Customer{Email: cmp.Or(o.Email, merchant.NoticeAddress)},
		Lines:    []platform.Line{{ID: "1", Product: o.Product, Title: product.Title, Quantity: o.Quantity}},
	})
	placed.Answer, err = t.Front.Post(ctx, platform.WebhookPath(o.Merchant, account.Name), request)
	return placed, err
}

// check returns the product of an order, and its mistakes that its webhook would not be told of,
// or that would leave something behind.
func (t *TestOrders) check(ctx context.Context, o TestOrder) (product catalog.Product, err error) {
	var p problems
	var known bool
	if o.Email != "" && !mailaddress.Valid(o.Email) {
		p.add("email", "is no mail address")
	}
	if problem := platform.CheckID(o.Product); problem != "" {
		p.add("product", "%s", problem)
	} else if product, known, err = catalog.ReadProduct(ctx, t.Catalog, o.Merchant, o.Product); err != nil {
		return product, err
	} else if !known {
		p.add("product", "is not known: set it up first, by PUT /v1/products/{product}")
	}
	return product, invalid(p...)
}

// account returns the account that reports an order, and the key that signs for it.
func (t *TestOrders) account(ctx context.Context, o TestOrder) (account catalog.Account, key []byte, err error) {
	account, _, err = t.Accounts.Get(ctx, o.Merchant, cmp.Or(o.Account, TestAccount))
	if errors.Is(err, ErrNotFound) && o.Account == "" {
		account, err = t.newAccount(ctx, o)
	}
	switch {
	case err != nil:
		return account, nil, err
	case account.Platform != platform.Standard:
		return account, nil, invalid(Problem{
			Path: "account", Message: fmt.Sprintf("is of the platform %s, whose webhooks it alone can sign: place a test order there, or leave account out", account.Platform),
		})
	case len(account.Secrets) == 0:
		return account, nil, invalid(Problem{Path: "account", Message: "has no signing secret"})
	}
	key, err = t.Opener.Unseal(ctx, o.Merchant, account.Name, account.Secrets[0].Blob)
	return account, key, err
}

// newAccount makes TestAccount. Another call may have been the first.
func (t *TestOrders) newAccount(ctx context.Context, o TestOrder) (catalog.Account, error) {
	account, _, _, err := t.Accounts.Put(ctx, AccountChange{Merchant: o.Merchant, Name: TestAccount, Platform: platform.Standard, By: o.By}, Condition{New: true})
	if errors.Is(err, ErrExists) {
		account, _, err = t.Accounts.Get(ctx, o.Merchant, TestAccount)
	}
	return account, err
}

// Taken reports whether the webhook of a test order was taken.
func (t TestOrdered) Taken() bool { return t.Answer.Status == http.StatusOK }
