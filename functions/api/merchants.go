package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/catalog"
	"keypool/shared/catalog/check"
)

// Merchant is a merchant's settings.
type Merchant struct {
	Name          string   `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	Title         string   `json:"title" doc:"As customers know the merchant."`
	NoticeAddress string   `json:"notice_address" doc:"Mail address that notices go to: low stock, reports of uploads, bounces."`
	SenderName    string   `json:"sender_name,omitempty" doc:"Shown as the sender of customers' mails; the title where empty."`
	ReplyTo       string   `json:"reply_to,omitempty" doc:"Mail address that customers' answers go to."`
	Logo          string   `json:"logo,omitempty" doc:"https address of a picture that stands on top of mails."`
	Languages     []string `json:"languages,omitempty" nullable:"false" doc:"BCP 47 tags; the first is used where a customer's own is not there. A product that has texts has one in each."`
	TimeZone      string   `json:"time_zone,omitempty" doc:"IANA name, for dates in mails; UTC where empty."`
	DefaultPool   string   `json:"default_pool,omitempty" doc:"Pool that feeds products which name none."`
}

var sampleMerchant = Merchant{
	Name: "acme", Title: "Acme Games", NoticeAddress: "stock@acme.example", SenderName: "Acme Games",
	ReplyTo: "help@acme.example", Logo: "https://acme.example/logo.png", Languages: []string{"en", "de"},
	TimeZone: "Europe/Berlin", DefaultPool: "elden",
}

// settings is what a request can set of it.
func (m Merchant) settings() Merchant { m.Name = ""; return m }

func newMerchant(m catalog.Merchant) Merchant {
	return Merchant{
		Name: m.Name, Title: m.Title, NoticeAddress: m.NoticeAddress, SenderName: m.SenderName, ReplyTo: m.ReplyTo,
		Logo: m.Logo, Languages: m.Languages, TimeZone: m.TimeZone, DefaultPool: m.DefaultPool,
	}
}

// over returns the stored merchant with these settings instead of its own.
func (m Merchant) over(stored catalog.Merchant) catalog.Merchant {
	stored.Title, stored.NoticeAddress, stored.SenderName, stored.ReplyTo = m.Title, m.NoticeAddress, m.SenderName, m.ReplyTo
	stored.Logo, stored.TimeZone, stored.DefaultPool = m.Logo, m.TimeZone, m.DefaultPool
	stored.Languages = nil
	if len(m.Languages) > 0 {
		stored.Languages = m.Languages
	}
	return stored
}

type MerchantPath struct {
	Merchant string `path:"merchant" maxLength:"63" doc:"Name of the merchant: lower-case letters, digits and hyphens." example:"acme"`
}

type putMerchant struct {
	MerchantPath
	Precondition
	Body Merchant
}

// Resolve adds what is wrong with the settings to what is wrong with their form.
func (in *putMerchant) Resolve(huma.Context) []error {
	return located(check.Merchant(in.Body.over(catalog.Merchant{Name: in.Merchant})), "merchant")
}

type merchantAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   Merchant
}

func (a *api) merchants() {
	register(a, huma.Operation{
		OperationID: "put-merchant", Method: http.MethodPut, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary:     "Create a merchant, or change its settings",
		Description: "What the body leaves out is emptied. A new default pool lets the lines go on that waited for one.",
		Security:    byOperator, Errors: []int{403, 412, 428},
		RequestBody: body(sampleMerchant.settings()), Responses: a.answers(sampleMerchant, 200, 201),
	}, a.putMerchant)
	register(a, huma.Operation{
		OperationID: "get-merchant", Method: http.MethodGet, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary:  "Read a merchant's settings",
		Security: byOperator, Errors: []int{403, 404},
		Responses: a.answers(sampleMerchant, 200),
	}, a.getMerchant)
	register(a, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/v1/merchants/{merchant}/tokens", Tags: []string{"Merchants"},
		Summary:     "Make an API token for a merchant",
		Description: "The token is shown this once. It is stored as a hash only.",
		Security:    byOperator, Errors: []int{403, 404}, DefaultStatus: http.StatusCreated,
		Responses: a.answers(sampleToken, 201),
	}, a.createToken)
}

func (a *api) putMerchant(ctx context.Context, in *putMerchant) (*merchantAnswer, error) {
	before, _, err := a.store.Merchant(ctx, in.Merchant)
	if err != nil {
		return nil, err
	}
	before.Name = in.Merchant
	next := in.Body.over(before)
	same := before.Version > 0 && reflect.DeepEqual(before, next)
	if err := in.check(before.Version, same); err != nil {
		return nil, err
	}
	if same {
		return &merchantAnswer{http.StatusOK, etag(before.Version), newMerchant(before)}, nil
	}
	if next.DefaultPool != "" {
		_, ok, err := a.store.Pool(ctx, in.Merchant, next.DefaultPool)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, invalid([]check.Problem{{Path: "default_pool", Message: "there is no pool of that name; create it first"}})
		}
	}
	if err := a.store.PutMerchant(ctx, next); err != nil {
		return nil, err
	}
	if next.DefaultPool != "" && next.DefaultPool != before.DefaultPool {
		a.fillProducts(ctx, in.Merchant, func(p catalog.Product) bool { return p.Pool == "" })
	}
	return &merchantAnswer{created(before.Version), etag(next.Version + 1), newMerchant(next)}, nil
}

func (a *api) getMerchant(ctx context.Context, in *MerchantPath) (*merchantAnswer, error) {
	m, ok, err := a.store.Merchant(ctx, in.Merchant)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	return &merchantAnswer{http.StatusOK, etag(m.Version), newMerchant(m)}, nil
}

// Token is a new API token.
type Token struct {
	Token     string    `json:"token" doc:"Keep it: it is never shown again."`
	Merchant  string    `json:"merchant" doc:"Whose it is."`
	CreatedAt time.Time `json:"created_at"`
}

var sampleToken = Token{
	Token: tokenPrefix + "8WqYhGk0r1bMZQx2n3cV4bN5mL6kJ7hG8fD9sA0pOiU", Merchant: "acme",
	CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
}

// tokenPrefix lets people, and scanners for leaked secrets, see what a token is.
const tokenPrefix = "kp_"

type tokenAnswer struct{ Body Token }

func (a *api) createToken(ctx context.Context, in *MerchantPath) (*tokenAnswer, error) {
	_, ok, err := a.store.Merchant(ctx, in.Merchant)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	var random [32]byte
	rand.Read(random[:])
	token := Token{
		Token:     tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:]),
		Merchant:  in.Merchant,
		CreatedAt: a.now().UTC().Truncate(time.Millisecond),
	}
	if err := a.store.PutToken(ctx, hashToken(token.Token), in.Merchant, token.CreatedAt); err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	return &tokenAnswer{token}, nil
}
