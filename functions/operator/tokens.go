package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Token is an API token of a merchant's.
type Token struct {
	Token     string    `json:"token,omitempty" doc:"The token itself, in the answer that makes it only: it is never shown again."`
	ID        string    `json:"id" doc:"Names the token here; no secret."`
	Merchant  string    `json:"merchant" doc:"Whose it is."`
	Name      string    `json:"name" doc:"What it is for."`
	Scopes    []string  `json:"scopes" nullable:"false" doc:"What it may do; empty if it stands for a person."`
	Person    string    `json:"person,omitempty" doc:"Id of the person that it stands for: it may do what that person's role allows at the moment, and is refused once the person is gone."`
	Rate      int       `json:"calls_per_minute" doc:"How many calls it may make in a minute."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"Refused from then on; never where left out."`
	UsedAt    time.Time `json:"used_at,omitzero" doc:"Last use, to the hour; never where left out."`
}

// TokenList holds all tokens of a merchant.
type TokenList struct {
	Items []Token `json:"items" nullable:"false"`
}

var sampleToken = Token{
	Token: access.TokenPrefix + "acme_8WqYhGk0r1bMZQx2n3cV4bN5mL6kJ7hG8fD9sA0pOiU", ID: "5d41402abc4b2a76", Merchant: "acme",
	Name: "nightly upload", Scopes: []string{"upload"}, Rate: access.DefaultRate,
	CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), ExpiresAt: time.Date(2027, 2, 21, 9, 30, 0, 0, time.UTC),
}

// listed returns the token as a list shows it.
func (t Token) listed() Token {
	t.Token, t.UsedAt = "", time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	return t
}

func newToken(t access.Token, text string) Token {
	return Token{
		Token: text, ID: t.ID(), Merchant: t.Merchant, Name: t.Name, Scopes: access.Names(t.Scopes), Person: t.Person, Rate: cmp.Or(t.Rate, access.DefaultRate),
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, UsedAt: t.UsedAt,
	}
}

// NewToken says what a token is for.
type NewToken struct {
	Name          string   `json:"name" doc:"What it is for, in the merchant's words: one line."`
	Scopes        []string `json:"scopes,omitempty" nullable:"false" doc:"What it may do; one or more are needed, or a person."`
	Person        string   `json:"person,omitempty" doc:"Id of one of the merchant's people that it stands for, in place of scopes: it may do what that person's role allows at the moment."`
	Rate          int      `json:"calls_per_minute,omitempty" doc:"How many calls it may make in a minute, 1 to 60,000; 600 where left out. A call beyond that is 429."`
	ExpiresInDays int      `json:"expires_in_days,omitempty" doc:"1 to 365; 90 where left out."`
	NeverExpires  bool     `json:"never_expires,omitempty" doc:"It is good until it is revoked. Not together with expires_in_days."`
}

var sampleNewToken = NewToken{Name: "nightly upload", Scopes: []string{"upload"}, ExpiresInDays: 90}

type createToken struct {
	MerchantPath
	Body NewToken
}

// token returns the token that a request describes.
func (in *createToken) token() settings.NewToken {
	return settings.NewToken{
		Merchant: in.Merchant, Name: in.Body.Name, Scopes: in.Body.Scopes, Person: in.Body.Person, Rate: in.Body.Rate, Days: in.Body.ExpiresInDays, Forever: in.Body.NeverExpires,
		By: access.Operator(),
	}
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *createToken) Resolve(huma.Context) []error {
	var errs []error
	for _, p := range settings.CheckToken(in.token()) {
		errs = append(errs, &huma.ErrorDetail{Message: p.Message, Location: "body." + p.Path})
	}
	return errs
}

type tokenPath struct {
	MerchantPath
	Token string `path:"token" maxLength:"63" doc:"The token's id, as the list gives it." example:"5d41402abc4b2a76"`
}

func (o *operator) addTokens(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/v1/merchants/{merchant}/tokens", Tags: []string{"Tokens"},
		Summary:     "Make an API token for a merchant",
		Description: "The token is shown this once. It is stored as a hash only. The merchant is told by mail: of the first of an hour at once, of others when the hour ends. " + access.Explained(),
		Errors:      []int{404}, DefaultStatus: http.StatusCreated,
		RequestBody: rest.Request(sampleNewToken), Responses: to.Responses(sampleToken, 201),
	}, o.createToken)
	rest.Register(to, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/v1/merchants/{merchant}/tokens", Tags: []string{"Tokens"},
		Summary:     "List the API tokens of a merchant, the newest first",
		Description: "Expired ones too, and none with its text.",
		Errors:      []int{404}, Responses: to.Responses(TokenList{Items: []Token{sampleToken.listed()}}, 200),
	}, o.listTokens)
	rest.Register(to, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/v1/merchants/{merchant}/tokens/{token}", Tags: []string{"Tokens"},
		Summary: "Revoke an API token of a merchant", Description: "It is refused from now on.",
		Errors: []int{404},
	}, o.revokeToken)
}

func (o *operator) createToken(ctx context.Context, in *createToken) (*rest.Body[Token], error) {
	token, text, err := o.tokens.Create(ctx, in.token())
	return &rest.Body[Token]{Body: newToken(token, text)}, err
}

func (o *operator) listTokens(ctx context.Context, in *MerchantPath) (*rest.Body[TokenList], error) {
	tokens, err := o.tokens.List(ctx, in.Merchant)
	out := TokenList{Items: []Token{}}
	for _, t := range tokens {
		out.Items = append(out.Items, newToken(t, ""))
	}
	return &rest.Body[TokenList]{Body: out}, err
}

func (o *operator) revokeToken(ctx context.Context, in *tokenPath) (*struct{}, error) {
	return nil, o.tokens.Revoke(ctx, access.From(ctx), in.Merchant, in.Token)
}
