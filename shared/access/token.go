package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"keypool/shared/pool"
)

// TokenPrefix starts every API token, so that people and scanners for leaked secrets
// recognise one. The merchant's name follows, and a random part:
//
//	kp_acme_8WqYhGk0r1bMZQx2n3cV4bN5mL6kJ7hG8fD9sA0pOiU
const TokenPrefix = "kp_"

const randomBytes = 32 // of a token

// Token is an API token as it is stored: without its text.
type Token struct {
	Hash      string // SHA-256 of the text, in hexadecimal
	Merchant  string
	Name      string // what it is for, in the merchant's words
	Scopes    []Scope
	Person    string // ID of the person that it stands for, whose role it has; "": it has scopes
	Rate      int    // calls a minute; 0: the usual
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time // last use, to the hour or so; zero: never
}

// NewText returns the text of a new token.
func NewText(merchant string) string {
	var random [randomBytes]byte
	rand.Read(random[:])
	return TokenPrefix + merchant + "_" + base64.RawURLEncoding.EncodeToString(random[:])
}

// HashToken returns the form in which a token is stored and found. Finding it by its
// hash compares no secret byte by byte.
func HashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// IDLength is the number of characters of a token's ID.
const IDLength = 16

// ID names a token in lists and mails: the beginning of its hash. It is no secret.
func (t Token) ID() string { return t.Hash[:min(len(t.Hash), IDLength)] }

// Valid reports whether the token has not expired.
func (t Token) Valid(now time.Time) bool { return t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt) }

// Finder returns the token of a merchant with that hash, false if there is none.
type Finder interface {
	Token(ctx context.Context, merchant, hash string) (Token, bool, error)
}

// PersonFinder returns a person of a merchant's, false if there is none of that ID.
type PersonFinder interface {
	Person(ctx context.Context, merchant, id string) (Person, bool, error)
}

// Gate knows the principals of the API by their tokens, and how much each token may call. It
// is safe for concurrent use.
//
// It notes a token's use at most once an hour and process, which costs one write unit,
// $0.63 for a million, and oftener where the token is used much: see meter. To note it is
// best effort: a call waits for it a quarter of a second at most, and goes on whether or not
// it was noted. No sale comes this way.
type Gate struct {
	Tokens Finder
	People PersonFinder
	Uses   Uses // nil: uses are not noted, and calls are counted by each process alone
	Rate   int  // calls a minute of a token that has no rate of its own; 0: no limit
	Now    func() time.Time

	Days    Days    // nil: a day has no limit
	Notices Notices // what a merchant is told of a day's limit

	mu      sync.Mutex
	meters  map[string]*meter // by hash
	tallies map[string]*tally // by merchant
}

// Uses keeps when tokens were last used, and how much.
type Uses interface {
	// UseToken notes that the token was used at that time, and adds time to what it has
	// spent: see meter. It returns up to when it has.
	UseToken(ctx context.Context, t Token, at time.Time, spent time.Duration) (time.Time, error)
}

const (
	noteEvery  = time.Hour
	noteWithin = 250 * time.Millisecond
)

// Principal returns whom a token stands for, false if there is no such token, it has
// expired, or its person is gone or was added anew since it was made. A person is read anew for each call: another role counts
// from then on. A text that cannot be a token costs no read. The principal's Quota says
// whether the token has called too much.
func (g *Gate) Principal(ctx context.Context, token string) (Principal, bool, error) {
	merchant, ok := merchantOf(token)
	if !ok {
		return Principal{}, false, nil
	}
	hash, now := HashToken(token), g.Now()
	var noted sync.WaitGroup // beside the read, for a token that was good before
	noted.Go(func() { g.note(ctx, hash, now) })
	noted.Go(func() { g.share(ctx, merchant, now) })
	found, ok, err := g.Tokens.Token(ctx, merchant, hash)
	noted.Wait()
	if err == nil && (!ok || !found.Valid(now)) {
		g.forget(hash)
	}
	if err != nil || !ok || !found.Valid(now) {
		return Principal{}, false, err
	}
	p := Principal{ID: found.ID(), Merchant: merchant, Name: fmt.Sprintf("the token %q (%s)", found.Name, found.ID()), Scopes: found.Scopes}
	if found.Person != "" {
		person, ok, err := g.People.Person(ctx, merchant, found.Person)
		if err != nil || !ok || !person.since(found.CreatedAt) {
			return Principal{}, false, err
		}
		p.Name = fmt.Sprintf("%s (%s), by %s", person.Name, person.ID, p.Name)
		p.Scopes, p.Role = nil, person.Role
	}
	if g.meet(found) {
		noted.Go(func() { g.note(ctx, hash, now) })
	}
	if g.begin(merchant) {
		noted.Go(func() { g.share(ctx, merchant, now) })
	}
	noted.Wait()
	p.Quota = g.count(hash, now)
	p.Quota.Day = g.countDay(merchant, now, p.Quota.Wait > 0)
	return p, true, nil
}

// merchantOf returns the merchant that a text names as a token's, false if it has not
// the form of one.
func merchantOf(token string) (string, bool) {
	rest, ok := strings.CutPrefix(token, TokenPrefix)
	merchant, random, ok2 := strings.Cut(rest, "_")
	content, err := base64.RawURLEncoding.Strict().DecodeString(random)
	return merchant, ok && ok2 && err == nil && len(content) == randomBytes && pool.CheckName(merchant) == nil
}
