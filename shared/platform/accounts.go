package platform

import (
	"context"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// Accounts verifies that a request comes from a merchant's account. It is safe for
// concurrent use.
//
// Accounts are cached for minutes, with their secrets opened. A request that none of
// the cached secrets signed has the account read again, since a secret may have been
// rotated, but at most once a minute. An account that does not exist costs one read
// a minute, and no secret is opened for it.
type Accounts struct {
	adapters map[string]Adapter
	read     func(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	open     func(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error)
	now      func() time.Time
	cached   *catalog.Cache[opened]
}

// NewAccounts returns the accounts that read finds in the catalog, whose secrets are
// opened by open. Adapters are named by their platforms; Standard must be there.
func NewAccounts(
	adapters map[string]Adapter,
	read func(ctx context.Context, merchant, name string) (catalog.Account, bool, error),
	open func(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error),
	now func() time.Time,
) *Accounts {
	a := &Accounts{adapters: adapters, read: read, open: open, now: now}
	a.cached = catalog.NewCache(now, a.account)
	return a
}

// Sender is the account that sent a request, and its platform's adapter.
type Sender struct {
	Account Account
	Adapter Adapter
	Signed  Signed
}

// opened is an account as it was read, with its secrets opened. The account of a
// name that does not exist has no secret.
type opened struct {
	account  Account
	adapter  Adapter
	expiring []time.Time // of each of the account's secrets; zero: never
	readAt   time.Time
}

const (
	cacheFor    = 5 * time.Minute
	rereadAfter = time.Minute // a signature that does not fit is no reason to read again before
)

// Verify returns the account that signed the request. It returns ErrSignature if
// the account did not sign it, and if there is no such merchant or account.
func (a *Accounts) Verify(ctx context.Context, merchant, name string, r Request) (Sender, error) {
	if pool.CheckName(merchant) != nil || pool.CheckName(name) != nil {
		return Sender{}, ErrSignature
	}
	key := merchant + "/" + name
	cached, _, err := a.cached.Within(ctx, key, cacheFor)
	if err != nil {
		return Sender{}, err
	}
	if sender, err := cached.verify(r, a.now()); err == nil {
		return sender, nil
	}
	again, _, err := a.cached.Within(ctx, key, rereadAfter)
	if err != nil {
		return Sender{}, err
	}
	if again.readAt.Equal(cached.readAt) {
		return Sender{}, ErrSignature
	}
	return again.verify(r, a.now())
}

// verify holds a request against the secrets that have not expired.
func (o opened) verify(r Request, now time.Time) (Sender, error) {
	account := o.account
	account.Secrets = nil
	for i, secret := range o.account.Secrets {
		if end := o.expiring[i]; end.IsZero() || now.Before(end) {
			account.Secrets = append(account.Secrets, secret)
		}
	}
	signed, err := o.adapter.Verify(r, account, now)
	if err != nil {
		return Sender{}, err
	}
	return Sender{account, o.adapter, signed}, nil
}

// account reads an account, named <merchant>/<account>, and opens its secrets. A name
// that does not exist becomes an account of Keypool's own scheme without secrets: to
// refuse it takes as long as to refuse a wrong signature, and it is cached as others are.
func (a *Accounts) account(ctx context.Context, key string) (opened, bool, error) {
	merchant, name, _ := strings.Cut(key, "/")
	read := opened{adapter: a.adapters[Standard], readAt: a.now()}
	account, known, err := a.read(ctx, merchant, name)
	if err != nil {
		return opened{}, false, err
	}
	adapter := a.adapters[account.Platform]
	if !known || adapter == nil {
		return read, true, nil
	}
	read.adapter = adapter
	read.account = Account{Merchant: account.Merchant, Name: account.Name, Origin: account.Origin}
	for _, sealed := range account.Secrets {
		if !sealed.ExpiresAt.IsZero() && !a.now().Before(sealed.ExpiresAt) {
			continue
		}
		secret, err := a.open(ctx, merchant, name, sealed.Blob)
		if err != nil {
			return opened{}, false, err
		}
		read.account.Secrets = append(read.account.Secrets, Conceal(secret))
		read.expiring = append(read.expiring, sealed.ExpiresAt)
	}
	return read, true, nil
}
