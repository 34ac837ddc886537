package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/callback"
	"keypool/shared/catalog"
	"keypool/shared/catalog/check"
	"keypool/shared/pool"
)

// Account is a merchant's account with a payment platform.
type Account struct {
	Name              string          `json:"name,omitempty" readOnly:"true" doc:"The merchant's own name for it."`
	Platform          string          `json:"platform,omitempty" maxLength:"63" doc:"The payment platform; standard is Keypool's own scheme, by the Standard Webhooks specification, and taken where left out. An account's platform never changes."`
	WebhookPath       string          `json:"webhook_path,omitempty" readOnly:"true" doc:"Where the platform sends its webhooks, below this API's address."`
	Secret            string          `json:"secret,omitempty" maxLength:"200" doc:"Signing secret: whsec_ and 24 to 64 bytes in base64. One is made where left out, and shown in this answer only. Never read back."`
	KeepPreviousHours *int            `json:"keep_previous_hours,omitempty" writeOnly:"true" minimum:"0" maximum:"720" doc:"How long the secret before stays valid, so that no webhook is refused while the sender changes over; 0 ends all others at once. 24 where left out."`
	Secrets           []AccountSecret `json:"secrets,omitempty" readOnly:"true" nullable:"false" doc:"The secrets that are valid, the newest first."`
}

// AccountSecret is what is shown of a signing secret.
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
	}
)

func (a *api) newAccount(account catalog.Account) Account {
	body := Account{Name: account.Name, Platform: account.Platform, WebhookPath: "/webhooks/" + account.Merchant + "/" + account.Name}
	for _, secret := range valid(account.Secrets, a.now()) {
		body.Secrets = append(body.Secrets, AccountSecret{secret.CreatedAt, secret.ExpiresAt})
	}
	return body
}

type AccountPath struct {
	Account string `path:"account" maxLength:"63" doc:"The merchant's own name for the account: lower-case letters, digits and hyphens." example:"shop-eu"`
}

type putAccount struct {
	AccountPath
	Precondition
	Body Account
}

// Resolve adds what is wrong with the settings to what is wrong with their form.
func (in *putAccount) Resolve(huma.Context) []error {
	var errs []error
	if err := pool.CheckName(in.Account); err != nil {
		errs = append(errs, &huma.ErrorDetail{Message: err.Error(), Location: "path.account"})
	}
	if _, ok := callback.Platforms[in.Body.Platform]; !ok && in.Body.Platform != "" {
		known := strings.Join(slices.Sorted(maps.Keys(callback.Platforms)), ", ")
		errs = append(errs, &huma.ErrorDetail{Message: "not a platform we know; use one of: " + known, Location: "body.platform"})
	}
	if in.Body.Secret != "" {
		if _, err := callback.ParseSecret(in.Body.Secret); err != nil {
			errs = append(errs, &huma.ErrorDetail{Message: err.Error(), Location: "body.secret"})
		}
	}
	return errs
}

type accountAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   Account
}

func (a *api) accounts() {
	register(a, huma.Operation{
		OperationID: "put-account", Method: http.MethodPut, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary:     "Set up an account with a payment platform, or give it a new signing secret",
		Description: "Each call brings a new secret. The one before stays valid for a while, so that it can be changed at the sender without a refused webhook.",
		Security:    byMerchant, Errors: []int{401, 412, 428},
		RequestBody: body(sampleAccountBody), Responses: a.answers(sampleAccount, 200, 201),
	}, a.putAccount)
	register(a, huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary:  "Read how an account with a payment platform is set up",
		Security: byMerchant, Errors: []int{401, 404},
		Responses: a.answers(sampleAccount, 200),
	}, a.getAccount)
}

const (
	keepPrevious = 24 // hours, where the caller names none

	// maxSecrets is one more than a rotation needs. A caller who never saw the
	// answer that held a new secret rotates again; the sender still uses the one
	// from before both.
	maxSecrets = 3
)

func (a *api) putAccount(ctx context.Context, in *putAccount) (*accountAnswer, error) {
	before, known, err := a.store.Account(ctx, caller(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	if err := in.check(before.Version, false); err != nil {
		return nil, err
	}
	if known && in.Body.Platform != "" && in.Body.Platform != before.Platform {
		return nil, invalid([]check.Problem{{
			Path: "platform", Message: "an account keeps its platform, which is " + before.Platform + "; give the other platform an account of its own",
		}})
	}
	secret, err := callback.ParseSecret(in.Body.Secret)
	made := in.Body.Secret == ""
	if made {
		secret = make([]byte, 32)
		rand.Read(secret)
	} else if err != nil {
		return nil, err
	}
	sealed, err := a.secrets.Seal(ctx, caller(ctx), in.Account, secret)
	if err != nil {
		return nil, err
	}
	next := catalog.Account{
		Merchant: caller(ctx), Name: in.Account, Version: before.Version, Platform: before.Platform, Origin: before.Origin,
		Secrets: rotated(before.Secrets, sealed, a.now(), time.Duration(or(in.Body.KeepPreviousHours, keepPrevious))*time.Hour),
	}
	if !known {
		next.Platform, next.Origin = cmp.Or(in.Body.Platform, "standard"), rand.Text()
	}
	if err := a.store.PutAccount(ctx, next); err != nil {
		return nil, err
	}
	body := a.newAccount(next)
	if made {
		body.Secret = callback.FormatSecret(secret)
	}
	return &accountAnswer{created(before.Version), etag(before.Version + 1), body}, nil
}

// rotated returns the secrets after a new one came: it, and those before that
// are still valid, for no longer than keep.
func rotated(secrets []catalog.SealedSecret, sealed []byte, now time.Time, keep time.Duration) []catalog.SealedSecret {
	now = now.UTC().Truncate(time.Millisecond)
	next := []catalog.SealedSecret{{Blob: sealed, CreatedAt: now}}
	for _, secret := range valid(secrets, now) {
		if end := now.Add(keep); secret.ExpiresAt.IsZero() || end.Before(secret.ExpiresAt) {
			secret.ExpiresAt = end
		}
		if keep > 0 && len(next) < maxSecrets {
			next = append(next, secret)
		}
	}
	return next
}

func valid(secrets []catalog.SealedSecret, now time.Time) []catalog.SealedSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s catalog.SealedSecret) bool {
		return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
	})
}

func (a *api) getAccount(ctx context.Context, in *AccountPath) (*accountAnswer, error) {
	account, ok, err := a.store.Account(ctx, caller(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	return &accountAnswer{http.StatusOK, etag(account.Version), a.newAccount(account)}, nil
}
