package main

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/web/rest"
)

// Token is an API token of the merchant's, without its text.
type Token struct {
	ID        string    `json:"id" doc:"Names the token here; no secret."`
	Name      string    `json:"name" doc:"What it is for."`
	Scopes    []string  `json:"scopes" nullable:"false" doc:"What it may do; empty if it stands for a person."`
	Person    string    `json:"person,omitempty" doc:"Id of the person that it stands for: it may do what that person's role allows at the moment."`
	Rate      int       `json:"calls_per_minute" doc:"How many calls it may make in a minute. The operator sets it."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"Refused from then on; never where left out."`
	UsedAt    time.Time `json:"used_at,omitzero" doc:"Last use, to the hour; never where left out."`
}

// TokenList holds all of the merchant's tokens.
type TokenList struct {
	Items []Token `json:"items" nullable:"false"`
}

var sampleTokens = TokenList{Items: []Token{{
	ID: "5d41402abc4b2a76", Name: "nightly upload", Scopes: []string{"upload"}, Rate: access.DefaultRate,
	CreatedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), ExpiresAt: time.Date(2027, 2, 21, 9, 30, 0, 0, time.UTC),
	UsedAt: time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC),
}}}

func newToken(t access.Token) Token {
	return Token{ID: t.ID(), Name: t.Name, Scopes: access.Names(t.Scopes), Person: t.Person, Rate: cmp.Or(t.Rate, access.DefaultRate), CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, UsedAt: t.UsedAt}
}

type tokenPath struct {
	Token string `path:"token" maxLength:"63" doc:"The token's id, as the list gives it." example:"5d41402abc4b2a76"`
}

func (a *api) addTokens(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/v1/tokens", Tags: []string{"Tokens"},
		Summary:     "List the API tokens, the newest first",
		Description: "Expired ones too. No token is shown: its text is shown once, when the operator makes it.",
		Responses:   to.Responses(sampleTokens, 200),
	}, a.listTokens)
	rest.Register(to, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/v1/tokens/{token}", Tags: []string{"Tokens"},
		Summary:     "Revoke an API token",
		Description: "It is refused from now on. The token that calls can revoke itself.",
		Errors:      []int{404},
	}, a.revokeToken)
}

func (a *api) listTokens(ctx context.Context, _ *struct{}) (*rest.Body[TokenList], error) {
	tokens, err := a.tokens.List(ctx, caller(ctx))
	out := TokenList{Items: []Token{}}
	for _, t := range tokens {
		out.Items = append(out.Items, newToken(t))
	}
	return &rest.Body[TokenList]{Body: out}, err
}

func (a *api) revokeToken(ctx context.Context, in *tokenPath) (*struct{}, error) {
	return nil, a.tokens.Revoke(ctx, access.From(ctx), caller(ctx), in.Token)
}
