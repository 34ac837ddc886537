package settings

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// The life of a token.
const (
	DefaultTokenDays = 90
	MaxTokenDays     = 365
)

// Tokens creates, lists and revokes API tokens. Only the operator creates them.
type Tokens struct {
	Store TokenStore
	Now   func() time.Time
}

// TokenStore keeps tokens, by their hashes.
type TokenStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	access.PersonFinder
	PutToken(ctx context.Context, t access.Token, with ...audit.Record) error
	// Tokens returns the tokens of a merchant, expired ones too, in any order.
	Tokens(ctx context.Context, merchant string) ([]access.Token, error)
	// DeleteToken succeeds if the token is gone already.
	DeleteToken(ctx context.Context, t access.Token, with ...audit.Record) error
}

// NewToken is what a caller says of a token to make.
type NewToken struct {
	Merchant string
	Name     string
	Scopes   []string
	Person   string // that it stands for, in place of scopes
	Rate     int    // calls a minute; 0: access.DefaultRate
	Days     int    // that it is valid; 0: DefaultTokenDays
	Forever  bool   // it never expires
	By       access.Principal
}

// CheckToken returns the mistakes in what is said of a new token.
func CheckToken(t NewToken) []Problem {
	var p problems
	p.line("name", t.Name, true)
	switch {
	case t.Person != "" && len(t.Scopes) > 0:
		p.add("person", "give scopes or this, not both: it has the rights of the person's role")
	case t.Person != "":
		p.name("person", t.Person)
	case len(t.Scopes) == 0:
		p.add("scopes", "say what the token is for, by one or more of: %s", scopeNames())
	}
	for i, scope := range t.Scopes {
		path := fmt.Sprintf("scopes[%d]", i)
		if !slices.Contains(access.Scopes, access.Scope(scope)) {
			p.add(path, "not a scope; use one of: %s", scopeNames())
		} else if slices.Contains(t.Scopes[:i], scope) {
			p.add(path, "is named twice")
		}
	}
	if t.Rate != 0 {
		p.between("calls_per_minute", t.Rate, 1, access.MaxRate)
	}
	if t.Days != 0 {
		p.between("expires_in_days", t.Days, 1, MaxTokenDays)
		if t.Forever {
			p.add("never_expires", "give expires_in_days or this, not both")
		}
	}
	return p
}

func scopeNames() string { return strings.Join(access.Names(access.Scopes), ", ") }

// Create makes an API token for a merchant, who is told of it now and a week before it
// expires, and returns its text, which is shown this once. Its error is ErrNotFound if
// there is no such merchant, or an *InvalidError.
func (s *Tokens) Create(ctx context.Context, want NewToken) (t access.Token, text string, err error) {
	if err := invalid(CheckToken(want)...); err != nil {
		return t, "", err
	}
	if err := s.known(ctx, want.Merchant); err != nil {
		return t, "", err
	}
	if want.Person != "" {
		_, there, err := s.Store.Person(ctx, want.Merchant, want.Person)
		if err == nil && !there {
			err = invalid(Problem{Path: "person", Message: "nobody of that id works there: add the person first, by PUT /v1/people/{person}"})
		}
		if err != nil {
			return t, "", err
		}
	}
	text = access.NewText(want.Merchant)
	t = access.Token{
		Hash: access.HashToken(text), Merchant: want.Merchant, Name: want.Name, Person: want.Person, Rate: want.Rate,
		CreatedAt: s.Now().UTC().Truncate(time.Millisecond),
	}
	for _, scope := range access.Scopes { // in the order of the table, whatever the caller's
		if slices.Contains(want.Scopes, string(scope)) {
			t.Scopes = append(t.Scopes, scope)
		}
	}
	if !want.Forever {
		t.ExpiresAt = t.CreatedAt.AddDate(0, 0, cmp.Or(want.Days, DefaultTokenDays))
	}
	e := entry(ctx, want.By, audit.Token, t.Merchant, t.ID(), nil, shownToken(t), t.CreatedAt)
	tell := append(tokenExpires(t, t.CreatedAt), tokenMade(t, want.By, t.CreatedAt))
	if err := s.Store.PutToken(ctx, t, audit.Record{Entry: e, Tell: tell}); err != nil {
		return access.Token{}, "", fmt.Errorf("create a token: %w", err)
	}
	return t, text, nil
}

// List returns the tokens of a merchant, the newest first, expired ones too. Its error
// is ErrNotFound if there is no such merchant.
func (s *Tokens) List(ctx context.Context, merchant string) ([]access.Token, error) {
	if err := s.known(ctx, merchant); err != nil {
		return nil, err
	}
	tokens, err := s.Store.Tokens(ctx, merchant)
	slices.SortFunc(tokens, func(a, b access.Token) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.Hash, b.Hash))
	})
	return tokens, err
}

// Revoke takes a token away: it is refused from now on. Its error is ErrNotFound if the
// merchant has no token of that ID.
func (s *Tokens) Revoke(ctx context.Context, by access.Principal, merchant, id string) error {
	tokens, err := s.Store.Tokens(ctx, merchant)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.ID() == id {
			e := entry(ctx, by, audit.Token, merchant, id, shownToken(t), nil, s.Now())
			return s.Store.DeleteToken(ctx, t, audit.Record{Entry: e})
		}
	}
	return ErrNotFound
}

// shownToken returns what the audit trail shows of a token.
func shownToken(t access.Token) catalog.Shown {
	s := catalog.Shown{"name": t.Name}
	if t.Person != "" {
		s["person"] = t.Person
	} else {
		s["scopes"] = strings.Join(access.Names(t.Scopes), ", ")
	}
	if t.Rate != 0 {
		s["calls_per_minute"] = t.Rate
	}
	if !t.ExpiresAt.IsZero() {
		s["expires_at"] = t.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return s
}

func (s *Tokens) known(ctx context.Context, merchant string) error {
	_, ok, err := s.Store.Merchant(ctx, merchant)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return err
}
