package settings

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"keypool/shared/catalog"
)

// TokenPrefix starts every API token, so that people and scanners for leaked
// secrets recognise one.
const TokenPrefix = "kp_"

// Token is a new API token. Its text is shown once, and stored only as a hash.
type Token struct {
	Text      string
	Merchant  string
	CreatedAt time.Time
}

// Tokens creates API tokens. It is the operator's.
type Tokens struct {
	Store TokenStore
	Now   func() time.Time
}

// TokenStore keeps the hashes of tokens.
type TokenStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	PutToken(ctx context.Context, hash, merchant string, createdAt time.Time) error
}

// Create makes an API token for a merchant. Its error is ErrNotFound if there is no
// such merchant.
func (s *Tokens) Create(ctx context.Context, merchant string) (Token, error) {
	_, ok, err := s.Store.Merchant(ctx, merchant)
	if err != nil {
		return Token{}, err
	}
	if !ok {
		return Token{}, ErrNotFound
	}
	var random [32]byte
	rand.Read(random[:])
	token := Token{
		Text:      TokenPrefix + base64.RawURLEncoding.EncodeToString(random[:]),
		Merchant:  merchant,
		CreatedAt: s.Now().UTC().Truncate(time.Millisecond),
	}
	if err := s.Store.PutToken(ctx, HashToken(token.Text), merchant, token.CreatedAt); err != nil {
		return Token{}, fmt.Errorf("create a token: %w", err)
	}
	return token, nil
}

// TokenFinder returns the merchant whose token has a hash, false if there is none.
type TokenFinder interface {
	TokenMerchant(ctx context.Context, hash string) (string, bool, error)
}

// TokenOwner returns the merchant whose token a caller sent, false if it is nobody's.
func TokenOwner(ctx context.Context, tokens TokenFinder, token string) (merchant string, ok bool, err error) {
	if !strings.HasPrefix(token, TokenPrefix) {
		return "", false, nil
	}
	return tokens.TokenMerchant(ctx, HashToken(token))
}

// HashToken returns the form in which a token is stored and found. Finding it by
// its hash compares no secret byte by byte.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
