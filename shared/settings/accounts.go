package settings

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// Accounts creates, changes and reads a merchant's accounts with payment platforms.
type Accounts struct {
	Store     AccountStore
	Sealer    Sealer
	Platforms []string // names of the platforms that an account can be of, sorted
	Now       func() time.Time
}

// AccountStore keeps accounts, under optimistic locks as MerchantStore does.
type AccountStore interface {
	Account(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
	PutAccount(ctx context.Context, a catalog.Account, tell ...notice.Notice) error
	Calls(ctx context.Context, merchant, account string) (catalog.Calls, error)
}

// Sealer encrypts a secret, so that it can be opened for that account only.
type Sealer interface {
	Seal(ctx context.Context, merchant, account string, secret []byte) ([]byte, error)
}

// AccountChange is what a caller sets of an account.
type AccountChange struct {
	Merchant, Name string
	Platform       string        // "": as it is, or the default
	Secret         string        // as text; "": make one
	KeepPrevious   time.Duration // how long the secrets of before stay valid; 0 ends them as soon as no cache holds them, see catalog.CacheFor
	By             access.Principal
}

// maxSecrets is one more than a rotation needs. A caller who never saw the answer
// with the new secret rotates again, while the sender still uses the secret from
// before both rotations.
const maxSecrets = 3

// CheckAccount returns the mistakes in a change of an account, of one of the platforms.
func CheckAccount(change AccountChange, platforms []string) []Problem {
	var p problems
	if err := pool.CheckName(change.Name); err != nil {
		p.add("name", "%s", err)
	}
	if change.Platform != "" && !slices.Contains(platforms, change.Platform) {
		p.add("platform", "not a platform we know; use one of: %s", strings.Join(platforms, ", "))
	}
	if change.Secret != "" {
		if _, err := platform.ParseSecret(change.Secret); err != nil {
			p.add("secret", "%s", err)
		}
	}
	return p
}

// Get returns an account with the secrets that are valid now, and the webhooks that came
// to its address. Its error is ErrNotFound if there is none.
func (s *Accounts) Get(ctx context.Context, merchant, name string) (catalog.Account, catalog.Calls, error) {
	a, ok, err := s.Store.Account(ctx, merchant, name)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return a, catalog.Calls{}, err
	}
	a.Secrets = validSecrets(a.Secrets, s.Now())
	calls, err := s.Store.Calls(ctx, merchant, name)
	return a, calls, err
}

// Put creates an account, or gives it a new signing secret, of which the merchant is
// told, and returns it with its new version. Made is the text of the secret if the
// change brought none: it is shown this once.
func (s *Accounts) Put(ctx context.Context, change AccountChange, c Condition) (a catalog.Account, made string, created bool, err error) {
	if err := invalid(CheckAccount(change, s.Platforms)...); err != nil {
		return a, "", false, err
	}
	before, _, err := s.Store.Account(ctx, change.Merchant, change.Name)
	if err != nil {
		return a, "", false, err
	}
	if err := c.check(before.Version, false); err != nil {
		return a, "", false, err
	}
	next := catalog.Account{
		Merchant: change.Merchant, Name: change.Name, Version: before.Version, Platform: before.Platform, Origin: before.Origin,
	}
	created = before.Version == 0
	switch {
	case created:
		next.Platform, next.Origin = cmp.Or(change.Platform, platform.Standard), rand.Text()
	case change.Platform != "" && change.Platform != before.Platform:
		return a, "", false, invalid(Problem{
			Path: "platform", Message: "an account keeps its platform, which is " + before.Platform + "; give the other platform an account of its own",
		})
	}
	secret, made, err := parseOrMakeSecret(change.Secret)
	if err != nil {
		return a, "", false, err
	}
	sealed := catalog.SealedSecret{Fingerprint: fingerprint(change.Merchant, secret)}
	if holder, err := s.holder(ctx, change, sealed.Fingerprint); err != nil || holder != "" {
		return a, "", false, cmp.Or(err, invalid(Problem{
			Path: "secret", Message: "the account " + holder + " has it: each account needs a secret of its own, or a webhook of one could be sent to the other",
		}))
	}
	if sealed.Blob, err = s.Sealer.Seal(ctx, change.Merchant, change.Name, secret); err != nil {
		return a, "", false, err
	}
	now := s.Now()
	next.Secrets = rotate(before.Secrets, sealed, now, change.KeepPrevious)
	if err := s.Store.PutAccount(ctx, next, secretSet(before, next, change.By, now)); err != nil {
		return a, "", false, err
	}
	next.Version++
	return next, made, created, nil
}

// holder returns the name of another account of the merchant that holds the secret
// with that fingerprint, "" if none does. A secret that is made here is nobody else's.
func (s *Accounts) holder(ctx context.Context, change AccountChange, fingerprint []byte) (string, error) {
	if change.Secret == "" {
		return "", nil
	}
	accounts, err := s.Store.Accounts(ctx, change.Merchant)
	if err != nil {
		return "", err
	}
	for _, other := range accounts {
		for _, secret := range validSecrets(other.Secrets, s.Now()) {
			if other.Name != change.Name && bytes.Equal(secret.Fingerprint, fingerprint) {
				return other.Name, nil
			}
		}
	}
	return "", nil
}

// fingerprint tells whether two secrets of a merchant are the same. Secrets have 24
// random bytes or more, so that it gives none away.
func fingerprint(merchant string, secret []byte) []byte {
	hash := hmac.New(sha256.New, secret)
	hash.Write([]byte("fingerprint of a secret of " + merchant))
	return hash.Sum(nil)
}

// parseOrMakeSecret returns the secret of a text, or a new one and its text.
func parseOrMakeSecret(text string) (secret []byte, made string, err error) {
	if text != "" {
		secret, err = platform.ParseSecret(text)
		return secret, "", err
	}
	secret = make([]byte, 32)
	rand.Read(secret)
	return secret, platform.FormatSecret(secret), nil
}

// rotate returns the secrets after a new one was set: the new one, and those of
// before that are still valid, for no longer than keep.
func rotate(secrets []catalog.SealedSecret, sealed catalog.SealedSecret, now time.Time, keep time.Duration) []catalog.SealedSecret {
	now = now.UTC().Truncate(time.Millisecond)
	sealed.CreatedAt = now
	next := []catalog.SealedSecret{sealed}
	for _, secret := range validSecrets(secrets, now) {
		if end := now.Add(keep); secret.ExpiresAt.IsZero() || end.Before(secret.ExpiresAt) {
			secret.ExpiresAt = end
		}
		if keep > 0 && len(next) < maxSecrets {
			next = append(next, secret)
		}
	}
	return next
}

func validSecrets(secrets []catalog.SealedSecret, now time.Time) []catalog.SealedSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s catalog.SealedSecret) bool {
		return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
	})
}
