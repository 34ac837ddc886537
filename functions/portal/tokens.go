package main

import (
	"cmp"
	"slices"
	"time"

	"keypool/shared/access"
)

const tokensPath = settingsPath + "/tokens"

func (p *portal) tokenScreens() []screen {
	return []screen{
		{pattern: "GET " + tokensPath, does: "list-tokens", serve: p.listTokens},
		{pattern: "GET " + tokensPath + "/{token}/revoke", does: "revoke-token", fresh: true, serve: p.toRevoke},
		{pattern: "POST " + tokensPath + "/{token}/revoke", does: "revoke-token", fresh: true, serve: p.revoke},
	}
}

type tokenRow struct {
	access.Token
	May    []string // in plain words
	Rate   int
	Path   string
	Over   bool
	Ending bool // within a week
}

func (p *portal) listTokens(v *visit) (answer, error) {
	tokens, err := p.tokens.List(v.Context(), v.Merchant)
	var rows []tokenRow
	for _, t := range tokens {
		row := tokenRow{Token: t, Rate: cmp.Or(t.Rate, access.DefaultRate), Path: tokensPath + "/" + t.ID(), Over: !t.Valid(v.now), Ending: !t.Valid(v.now.Add(7 * 24 * time.Hour))}
		for _, scope := range t.Scopes {
			row.May = append(row.May, scope.Meaning())
		}
		rows = append(rows, row)
	}
	return answer{page: "tokens", title: "API tokens", data: rows, band: done(v, map[string]band{"revoked": {Says: "Revoked: this token is refused from now on."}})}, err
}

func (p *portal) toRevoke(v *visit) (answer, error) {
	tokens, err := p.tokens.List(v.Context(), v.Merchant)
	i := slices.IndexFunc(tokens, func(t access.Token) bool { return t.ID() == v.PathValue("token") })
	if err == nil && i < 0 {
		err = errNotFound
	}
	if err != nil {
		return answer{}, err
	}
	return confirmation{
		Says: []string{
			"The token \u201c" + tokens[i].Name + "\u201d (" + tokens[i].ID() + ") is refused from then on: whatever program uses it stops working.",
			"It cannot come back. A new token is made by whoever runs Keypool for you.",
		},
		Does: tokensPath + "/" + tokens[i].ID() + "/revoke", Button: "Revoke it", Stop: true, Back: tokensPath,
	}.page("Revoke an API token?"), nil
}

func (p *portal) revoke(v *visit) (answer, error) {
	return answer{see: tokensPath + "?done=revoked"}, p.tokens.Revoke(v.Context(), v.Principal, v.Merchant, v.PathValue("token"))
}
