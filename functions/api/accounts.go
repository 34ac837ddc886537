package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Account is a merchant's account with a payment platform.
type Account struct {
	Name              string              `json:"name,omitempty" readOnly:"true" doc:"The merchant's own name for it."`
	Platform          string              `json:"platform,omitempty" maxLength:"63" doc:"The payment platform; standard is Keypool's own scheme, by the Standard Webhooks specification, and taken where left out. An account's platform never changes."`
	WebhookPath       string              `json:"webhook_path,omitempty" readOnly:"true" doc:"Where the platform sends its webhooks, below this API's address. What a shop of Keypool's own scheme sends stands under webhooks."`
	Secret            string              `json:"secret,omitempty" maxLength:"200" doc:"Signing secret of Keypool's own scheme: whsec_ and 16 to 64 bytes in base64, with the padding or without it. One is made where left out, and shown in this answer only. Never read back."`
	KeepSecret        bool                `json:"keep_secret,omitempty" writeOnly:"true" doc:"Keypool's own scheme: the secret stays as it is, and only the other settings change."`
	KeepPreviousHours *int                `json:"keep_previous_hours,omitempty" writeOnly:"true" minimum:"0" maximum:"720" doc:"How long a secret that is replaced stays valid, so that no webhook is refused while the sender changes over; 0 ends it, within 30 seconds. 24 where left out."`
	Secrets           []AccountSecret     `json:"secrets,omitempty" nullable:"false" maxItems:"20" doc:"The secrets that are valid. Of Keypool's own scheme, the newest first, and only shown. Any other platform makes them, and has up to ten, each with a name: set, they are all that the account has; left out, they stay as they are."`
	Credentials       []AccountCredential `json:"credentials,omitempty" nullable:"false" maxItems:"10" doc:"Of the platform's API, where Keypool calls it. Set, they are all that the account has; left out, they stay as they are."`
	DeliversFrom      time.Time           `json:"delivers_from,omitzero" doc:"An order that was paid before is answered as received, put on hold and listed under refusals; release-order delivers it, and an earlier time does not. The time when the account was made, where it was never set."`
	OtherProducts     string              `json:"other_products,omitempty" enum:"unconnected,ignore" doc:"What becomes of a paid product that has no settings. unconnected, the default: its order line waits, and the merchant is told once a day. ignore: the line is passed over, for shops that sell other things too."`
	Settings          AccountSettings     `json:"settings,omitempty" doc:"Settings of the platform, as its guide describes them. Set, they are all that the account has; left out, they stay as they are."`
	Warnings          []string            `json:"warnings,omitempty" readOnly:"true" nullable:"false" doc:"What the settings leave open, such as a signature that is good for ever."`
	LastSeenAt        time.Time           `json:"last_seen_at,omitzero" readOnly:"true" doc:"When the account last signed a webhook, to the minute; never where left out."`
	LastFailedAt      time.Time           `json:"last_failed_at,omitzero" readOnly:"true" doc:"When a webhook last came to its address that it did not sign, or by a clock that is wrong. The merchant is mailed once an hour of one that a shop may have sent."`
	Failed            int                 `json:"failed,omitempty" readOnly:"true" doc:"Webhooks that it did not sign."`
	FailedHours       []AccountFailedHour `json:"failed_hours,omitempty" readOnly:"true" nullable:"false" doc:"Of these, how many came in each hour that had some, the newest first: 24 hours at most. One of a rush may be missing."`
	Calls             []AccountCall       `json:"calls,omitempty" readOnly:"true" nullable:"false" doc:"The last webhooks that came to its address, the newest first: 20 at most, and 5 of those that it did not sign. They are gathered: the last one may show before what became of it, and one of a rush may be missing. Failures show at once."`
	Webhook           string              `json:"webhook,omitempty" readOnly:"true" enum:"active,inactive,missing" doc:"What the platform says of its webhook to the account's address, as of the last catch-up: inactive is one that was switched off, missing one that is not there or lacks events. Left out where the platform cannot be asked. The merchant is mailed once a day of one that is not active."`
	CatchUp           *AccountCatchUp     `json:"catch_up,omitempty" readOnly:"true" doc:"How far Keypool has asked the platform's API for what its webhooks did not tell: every 15 minutes, of an account with credentials. Left out where it never did."`
}

// AccountCall is a webhook that came to an account's address.
type AccountCall struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event,omitempty" doc:"paid, refunded, disputed, or the platform's own name of the event. Left out where it could not be read."`
	Order  string    `json:"order,omitempty" doc:"The platform's id of the order."`
	Became string    `json:"became,omitempty" enum:"accepted,skipped,changed,rejected,left_to_catchup,failed,not_signed" doc:"What became of it. accepted: it is stored, also if it was before. skipped: it asks for nothing. changed: the order was reported otherwise before, and stays as it was. rejected: it cannot be taken, and is listed under refusals. left_to_catchup: the shop did not answer what had to be asked before keys are claimed; nothing is stored yet, and catch-up takes the order within 15 minutes after the shop answers again. failed: it was not stored, and the platform was asked to send it again. not_signed: no secret of the account fits. Left out of one that is being taken, or whose end was not heard of: the order says how it stands."`
	State  string    `json:"state,omitempty" doc:"How the first line of the order stood."`
}

// AccountFailedHour counts the webhooks of an hour that an account did not sign.
type AccountFailedHour struct {
	From     time.Time `json:"from" doc:"When the hour begins."`
	Webhooks int       `json:"webhooks"`
}

// AccountCatchUp is how far catch-up has come with an account.
type AccountCatchUp struct {
	Watermark   time.Time `json:"watermark,omitzero" doc:"Everything that changed before is applied, by the platform's clock. It is the time of the last change that was found; none was where it is left out."`
	RanAt       time.Time `json:"ran_at" doc:"When the last run ended."`
	SucceededAt time.Time `json:"succeeded_at,omitzero" doc:"When the last run ended that left nothing out; never where left out."`
	Error       string    `json:"error,omitempty" doc:"What the last run met, and what to do; it went well where this is left out."`
}

// AccountSecret is a signing secret.
type AccountSecret struct {
	Name      string    `json:"name,omitempty" maxLength:"40" doc:"The merchant's own, such as the event that it signs. None in Keypool's own scheme."`
	Test      bool      `json:"test,omitempty" doc:"It signs what the platform's test mode sends: such orders get test keys. Refused where the orders themselves or the account's settings say it, as those of Shopify and WooCommerce do."`
	Secret    string    `json:"secret,omitempty" writeOnly:"true" maxLength:"500" doc:"As the platform shows it. The secret of that name stays as it is where left out. Never read back."`
	CreatedAt time.Time `json:"created_at,omitzero" readOnly:"true"`
	ExpiresAt time.Time `json:"expires_at,omitzero" readOnly:"true" doc:"No longer valid from then on; never where left out."`
}

// AccountCredential is a credential of the platform's API.
type AccountCredential struct {
	Name       string    `json:"name" maxLength:"40" doc:"As the platform's guide names it."`
	Credential string    `json:"credential,omitempty" writeOnly:"true" maxLength:"4000" doc:"As the platform shows it. The credential of that name stays as it is where left out. Never read back."`
	CreatedAt  time.Time `json:"created_at,omitzero" readOnly:"true"`
}

// accountSettings describes AccountSettings.
type accountSettings struct{}

// Schema implements huma.SchemaProvider: the form of the settings of each platform that
// shows one. Which of them a body has to have is known to the adapter, which says more
// of a mistake than a schema does: so the last of the forms takes any object.
func (accountSettings) Schema(r huma.Registry) *huma.Schema {
	var forms []*huma.Schema
	for _, name := range slices.Sorted(maps.Keys(all.Adapters)) {
		if shown, ok := all.Adapters[name].(platform.SettingsForm); ok {
			form := huma.SchemaFromType(r, reflect.TypeOf(shown.SettingsForm()))
			form.Title = "Of an account of the platform " + name
			forms = append(forms, form)
		}
	}
	forms = append(forms, &huma.Schema{Title: "Of any other account", Type: huma.TypeObject, AdditionalProperties: true})
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, AnyOf: forms}
}

var (
	sampleAccountBody = Account{
		Platform: "noventiq", OtherProducts: "ignore", DeliversFrom: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		Secrets: []AccountSecret{
			{Name: "order.payment.succeeded", Secret: "as the platform shows it"},
			{Name: "test", Test: true, Secret: "as the test mode shows it"},
		},
		Settings:          AccountSettings(`{"products":{"EL-1":"4711"}}`),
		KeepPreviousHours: new(48),
	}
	sampleAccount = Account{
		Name: "shop-eu", Platform: "noventiq", WebhookPath: "/webhooks/acme/shop-eu",
		Secrets: []AccountSecret{
			{Name: "order.payment.succeeded", CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
			{Name: "test", Test: true, CreatedAt: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)},
			{
				Name: "order.payment.succeeded", CreatedAt: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC),
				ExpiresAt: time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC),
			},
		},
		DeliversFrom: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), OtherProducts: "ignore", Settings: AccountSettings(`{"products":{"EL-1":"4711"}}`),
		LastSeenAt:   time.Date(2026, 11, 24, 18, 4, 0, 0, time.UTC),
		LastFailedAt: time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC), Failed: 3,
		FailedHours: []AccountFailedHour{{From: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Webhooks: 3}},
		Calls: []AccountCall{
			{At: time.Date(2026, 11, 24, 18, 4, 9, 0, time.UTC), Event: "paid", Order: "90001", Became: "accepted", State: "fulfilled"},
			{At: time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC), Became: catalog.NotSigned},
		},
		Webhook: string(platform.WebhookActive), CatchUp: &AccountCatchUp{
			Watermark: time.Date(2026, 11, 24, 18, 4, 9, 0, time.UTC),
			RanAt:     time.Date(2026, 11, 24, 18, 15, 2, 0, time.UTC), SucceededAt: time.Date(2026, 11, 24, 18, 15, 2, 0, time.UTC),
		},
	}
)

func newAccount(account catalog.Account) Account {
	body := Account{
		Name: account.Name, Platform: account.Platform, WebhookPath: "/webhooks/" + account.Merchant + "/" + account.Name,
		DeliversFrom: account.DeliversFrom, OtherProducts: string(account.OtherProducts), Settings: AccountSettings(account.Settings),
	}
	for _, secret := range account.Secrets {
		body.Secrets = append(body.Secrets, AccountSecret{
			Name: secret.Name, Test: secret.Test, CreatedAt: secret.CreatedAt, ExpiresAt: secret.ExpiresAt,
		})
	}
	for _, credential := range account.Credentials {
		body.Credentials = append(body.Credentials, AccountCredential{Name: credential.Name, CreatedAt: credential.CreatedAt})
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

// change returns the change that a request describes. What a GET showed can be sent
// back: a secret without its text stays as it is, and one that expires is not named.
func (in *putAccount) change(by access.Principal) settings.AccountChange {
	body := in.Body
	change := settings.AccountChange{
		Merchant: by.Merchant, By: by, Name: in.Account, Platform: body.Platform, Secret: body.Secret, KeepSecret: body.KeepSecret,
		KeepPrevious: time.Duration(or(body.KeepPreviousHours, keepPreviousHours)) * time.Hour,
		DeliversFrom: body.DeliversFrom, OtherProducts: catalog.OtherProducts(body.OtherProducts), Settings: json.RawMessage(body.Settings),
	}
	onlyShown := func(s AccountSecret) bool { return s.Secret == "" && (s.Name == "" || !s.ExpiresAt.IsZero()) }
	for _, secret := range body.Secrets {
		if !onlyShown(secret) {
			change.Secrets = append(change.Secrets, settings.SecretChange{Name: secret.Name, Test: secret.Test, Text: secret.Secret})
		}
	}
	if body.Secrets != nil && len(body.Secrets) == 0 {
		change.Secrets = []settings.SecretChange{}
	}
	if body.Credentials != nil {
		change.Credentials = []settings.CredentialChange{}
	}
	for _, credential := range body.Credentials {
		change.Credentials = append(change.Credentials, settings.CredentialChange{Name: credential.Name, Text: credential.Credential})
	}
	return change
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putAccount) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckAccount(in.change(access.Principal{}), all.Adapters, time.Now()), rest.InPath{"name": "account"})
}

func (a *api) addAccounts(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "put-account", Method: http.MethodPut, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary:     "Set up an account with a payment platform, or change it",
		Description: "The address for the platform's webhooks is webhook_path of the answer. In Keypool's own scheme each call brings a new secret, unless it says keep_secret; any other platform makes its secrets, which are given here. A new secret is good at once. The one before stays valid for a while, so that it can be changed at the sender without a refused webhook; one that ends is refused 30 seconds later at the latest. Each account has secrets of its own: one that another account holds is refused. A shop that its platform names has one active account for live orders, and one for test orders: another is 409, with the name of the first. An account without secrets and credentials is not active. The merchant is told by mail: of the first new secret of an hour at once, of others when the hour ends.",
		Errors:      []int{409, 412, 428},
		RequestBody: rest.Request(sampleAccountBody), Responses: to.Responses(sampleAccount, 200, 201),
	}, a.putAccount)
	rest.Register(to, huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: "/v1/accounts/{account}", Tags: []string{"Accounts"},
		Summary: "Read how an account with a payment platform is set up",
		Errors:  []int{404}, Responses: to.Responses(sampleAccount, 200),
	}, a.getAccount)
	a.addDryRun(to)
}

func (a *api) putAccount(ctx context.Context, in *putAccount) (*rest.Versioned[Account], error) {
	account, secret, created, err := a.accounts.Put(ctx, in.change(access.From(ctx)), in.Condition())
	body := newAccount(account)
	body.Secret, body.Warnings = secret, a.accounts.Warnings(account)
	return rest.Stored(account.Version, created, body), err
}

func (a *api) getAccount(ctx context.Context, in *AccountPath) (*rest.Versioned[Account], error) {
	account, heard, err := a.accounts.Get(ctx, caller(ctx), in.Account)
	body := newAccount(account)
	body.Warnings = a.accounts.Warnings(account)
	body.LastSeenAt, body.LastFailedAt, body.Failed = heard.Calls.LastSeenAt, heard.Calls.LastFailedAt, heard.Calls.Failed
	for _, h := range heard.Calls.FailedHours {
		body.FailedHours = append(body.FailedHours, AccountFailedHour{From: h.From, Webhooks: h.Webhooks})
	}
	for _, c := range heard.Calls.Last {
		body.Calls = append(body.Calls, AccountCall{At: c.At, Event: c.Event, Order: c.Order, Became: c.Became, State: string(c.State)})
	}
	body.Webhook = heard.Catchup.Webhook
	if c := heard.Catchup; !c.RanAt.IsZero() {
		body.CatchUp = &AccountCatchUp{Watermark: c.Watermark, RanAt: c.RanAt, SucceededAt: c.SucceededAt, Error: c.Error}
	}
	return rest.Found(account.Version, body), err
}
