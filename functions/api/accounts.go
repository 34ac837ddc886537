package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Account is a merchant's account with a payment platform.
type Account struct {
	Name              string          `json:"name,omitempty" readOnly:"true" doc:"The merchant's own name for it."`
	Platform          string          `json:"platform,omitempty" maxLength:"63" doc:"The payment platform; standard is Keypool's own scheme, by the Standard Webhooks specification, and taken where left out. An account's platform never changes."`
	WebhookPath       string          `json:"webhook_path,omitempty" readOnly:"true" doc:"Where the platform sends its webhooks, below this API's address. What a shop of Keypool's own scheme sends stands under webhooks."`
	Secret            string          `json:"secret,omitempty" maxLength:"200" doc:"Signing secret: whsec_ and 24 to 64 bytes in base64. One is made where left out, and shown in this answer only. Never read back."`
	KeepPreviousHours *int            `json:"keep_previous_hours,omitempty" writeOnly:"true" minimum:"0" maximum:"720" doc:"How long the secret before stays valid, so that no webhook is refused while the sender changes over; 0 ends all others, within 30 seconds. 24 where left out."`
	Secrets           []AccountSecret `json:"secrets,omitempty" readOnly:"true" nullable:"false" doc:"The secrets that are valid, the newest first."`
	LastSeenAt        time.Time       `json:"last_seen_at,omitzero" readOnly:"true" doc:"When the account last signed a webhook, to the minute; never where left out."`
	LastFailedAt      time.Time       `json:"last_failed_at,omitzero" readOnly:"true" doc:"When a webhook last came to its address that it did not sign, or by a clock that is wrong. The merchant is mailed once an hour of one that a shop may have sent."`
	Failed            int             `json:"failed,omitempty" readOnly:"true" doc:"Webhooks that it did not sign."`
}

// AccountSecret is the part of a signing secret that is shown.
type AccountSecret struct {
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"No longer valid from then on; never where left out."`
}

var (
	sampleAccountBody = Account{Platform: "standard", KeepPreviousHours: new(48)}
	sampleAccount     = Account{
		Name: "shop-eu", Platform: "standard", WebhookPath: "/webhooks/acme/shop-eu",
		Secrets: []AccountSecret{
			{CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
			{CreatedAt: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)},
		},
		LastSeenAt:   time.Date(2026, 11, 24, 18, 4, 0, 0, time.UTC),
		LastFailedAt: time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC), Failed: 3,
	}
)

func newAccount(account catalog.Account) Account {
	body := Account{Name: account.Name, Platform: account.Platform, WebhookPath: "/webhooks/" + account.Merchant + "/" + account.Name}
	for _, secret := range account.Secrets {
		body.Secrets = append(body.Secrets, AccountSecret{secret.CreatedAt, secret.ExpiresAt})
	}
	return body
}

type AccountPath struct {
	Account string `path:"account" maxLength:"63" doc:"The merchant's own name for the account: lower-case letters, digits and hyphens." example:"shop-eu"`
}

type putAccount struct {
	AccountPath
	rest.Precondition
	Body Account
}

const keepPreviousHours = 24 // where a body leaves it out

// change returns the change that a request describes.
func (in *putAccount) change(by access.Principal) settings.AccountChange {
	return settings.AccountChange{
		Merchant: by.Merchant, By: by, Name: in.Account, Platform: in.Body.Platform, Secret: in.Body.Secret,
		KeepPrevious: time.Duration(or(in.Body.KeepPreviousHours, keepPreviousHours)) * time.Hour,
	}
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putAccount) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckAccount(in.change(access.Principal{}), platform.Names), "account")
}

func (a *api) addAccounts(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "put-account", Method: http.MethodPut, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary:     "Set up an account with a payment platform, or give it a new signing secret",
		Description: "Each call brings a new secret, which is good at once. The one before stays valid for a while, so that it can be changed at the sender without a refused webhook; one that ends is refused 30 seconds later at the latest. Each account has secrets of its own: one that another account holds is refused. The merchant is told by mail: of the first new secret of an hour at once, of others when the hour ends.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(sampleAccountBody), Responses: to.Responses(sampleAccount, 200, 201),
	}, a.putAccount)
	rest.Register(to, huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary: "Read how an account with a payment platform is set up",
		Errors:  []int{404}, Responses: to.Responses(sampleAccount, 200),
	}, a.getAccount)
}

func (a *api) putAccount(ctx context.Context, in *putAccount) (*rest.Versioned[Account], error) {
	account, secret, created, err := a.accounts.Put(ctx, in.change(access.From(ctx)), in.Condition())
	body := newAccount(account)
	body.Secret = secret
	return rest.Stored(account.Version, created, body), err
}

func (a *api) getAccount(ctx context.Context, in *AccountPath) (*rest.Versioned[Account], error) {
	account, calls, err := a.accounts.Get(ctx, caller(ctx), in.Account)
	body := newAccount(account)
	body.LastSeenAt, body.LastFailedAt, body.Failed = calls.LastSeenAt, calls.LastFailedAt, calls.Failed
	return rest.Found(account.Version, body), err
}
