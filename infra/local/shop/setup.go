package shop

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Setup is the merchant, pool and product that a first order needs, and the token that
// is wanted.
type Setup struct {
	Merchant, Title, Notices string
	Pool                     string
	LowStock                 *int // warned when fewer are left; the API's default where nil
	Product, ProductTitle    string
	MaxKeys                  int // an order of more is on hold until it is released; the API's default where 0
	Token                    NewToken
}

// NewToken is an API token to make.
type NewToken struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes,omitempty"`
	Person string   `json:"person,omitempty"`          // in place of scopes
	Days   int      `json:"expires_in_days,omitempty"` // the API's default where 0

	PerMinute int `json:"calls_per_minute,omitempty"` // that too
}

// Token is a new API token. Its text is never shown again.
type Token struct {
	Text      string    `json:"token"`
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Made has the token and the secret that SetUp made. They are never shown again.
type Made struct {
	Account Account
	Token   Token
}

// AddMerchant creates the merchant unless it exists.
func (s *Shop) AddMerchant(ctx context.Context, what Setup) error {
	merchant := "/v1/merchants/" + what.Merchant
	err := s.Operate(ctx, http.MethodGet, merchant, nil, nil)
	if IsMissing(err) {
		err = s.Operate(ctx, http.MethodPut, merchant, map[string]any{
			"title": what.Title, "notice_address": what.Notices,
		}, nil)
	}
	return err
}

// SetUp creates the merchant, the pool and the product, each unless it exists, and makes
// a new token and a new secret.
func (s *Shop) SetUp(ctx context.Context, what Setup) (made Made, err error) {
	if err := s.AddMerchant(ctx, what); err != nil {
		return Made{}, err
	}
	merchant := "/v1/merchants/" + what.Merchant
	if made.Token, err = s.AddToken(ctx, what.Merchant, what.Token); err != nil {
		return Made{}, err
	}
	// What is set up here may be more than the token is for.
	own := made.Token
	if !slices.Contains(what.Token.Scopes, "settings") || !slices.Contains(what.Token.Scopes, "secrets") {
		own, err = s.AddToken(ctx, what.Merchant, NewToken{Name: "setting up, for a moment", Scopes: []string{"settings", "secrets"}, Days: 1})
		if err != nil {
			return Made{}, err
		}
		defer func() {
			err = errors.Join(err, s.Operate(ctx, http.MethodDelete, merchant+"/tokens/"+own.ID, nil, nil))
		}()
	}
	if err := s.AddPool(ctx, own.Text, what.Pool, what.LowStock); err != nil {
		return Made{}, err
	}
	if err := s.addProduct(ctx, own.Text, what.Product, what.ProductTitle, what.Pool, what.MaxKeys); err != nil {
		return Made{}, err
	}
	made.Account.Merchant = what.Merchant
	made.Account.Secret, err = s.AddSecret(ctx, own.Text)
	return made, err
}

// AddToken makes an API token for a merchant, as the operator.
func (s *Shop) AddToken(ctx context.Context, merchant string, want NewToken) (Token, error) {
	var made Token
	err := s.Operate(ctx, http.MethodPost, "/v1/merchants/"+merchant+"/tokens", want, &made)
	return made, err
}

// Owner is somebody who may do everything at a merchant.
type Owner struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// MakeOwner makes somebody an owner of a merchant, as the operator. A new person is invited by
// mail.
func (s *Shop) MakeOwner(ctx context.Context, merchant string, owner Owner) error {
	return s.Operate(ctx, http.MethodPost, "/v1/merchants/"+merchant+"/owners", owner, nil)
}

// OpenedPortal is a merchant's portal that is open for the operator.
type OpenedPortal struct {
	Address   string    `json:"address"`
	GoodUntil time.Time `json:"good_until"`
	EndsAt    time.Time `json:"ends_at"`
}

// OpenPortal opens a merchant's portal for the operator.
func (s *Shop) OpenPortal(ctx context.Context, merchant, why string) (OpenedPortal, error) {
	var opened OpenedPortal
	err := s.Operate(ctx, http.MethodPost, "/v1/merchants/"+merchant+"/help", map[string]string{"reason": why}, &opened)
	return opened, err
}

// AddPool creates a pool unless it exists.
func (s *Shop) AddPool(ctx context.Context, token, name string, lowStock *int) error {
	settings := map[string]any{"title": name}
	if lowStock != nil {
		settings["low_stock"] = *lowStock
	}
	return s.add(ctx, token, "/v1/pools/"+name, settings)
}

// AddProduct creates a product unless it exists. Without a pool it is not connected.
func (s *Shop) AddProduct(ctx context.Context, token, id, title, pool string) error {
	return s.addProduct(ctx, token, id, title, pool, 0)
}

func (s *Shop) addProduct(ctx context.Context, token, id, title, pool string, maxKeys int) error {
	settings := map[string]any{"title": title}
	if pool != "" {
		settings["pool"] = pool
	}
	if maxKeys > 0 {
		settings["review"] = map[string]any{"max_keys": maxKeys}
	}
	return s.add(ctx, token, "/v1/products/"+url.PathEscape(id), settings)
}

// Connect makes a pool feed an existing product.
func (s *Shop) Connect(ctx context.Context, token, id, title, pool string) error {
	return s.Change(ctx, token, "/v1/products/"+url.PathEscape(id), map[string]any{"title": title, "pool": pool})
}

// AddSecret has a new signing secret made for the account with our own scheme. A secret
// that was there before stays good for a day.
func (s *Shop) AddSecret(ctx context.Context, token string) (string, error) {
	const path = "/v1/accounts/" + AccountName
	var made struct {
		Secret string `json:"secret"`
	}
	err := s.ask(ctx, token, http.MethodPut, path, "", map[string]any{}, &made)
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Status == http.StatusPreconditionRequired {
		err = s.ask(ctx, token, http.MethodPut, path, "*", map[string]any{}, &made)
	}
	return made.Secret, err
}

func (s *Shop) add(ctx context.Context, token, path string, settings any) error {
	err := s.Ask(ctx, token, http.MethodGet, path, nil, nil)
	if IsMissing(err) {
		err = s.Ask(ctx, token, http.MethodPut, path, settings, nil)
	}
	return err
}
