package platform

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

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
	Adapters map[string]Adapter // by the platform's name; Standard must be there
	Read     func(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	Open     func(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error)
	Now      func() time.Time

	flight singleflight.Group
	mu     sync.Mutex
	cached map[string]opened
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
	cacheFor  = 5 * time.Minute
	rereadFor = time.Minute // a signature that does not fit is no reason to read again within that time
	// cacheSize bounds the memory that the requests of strangers can take.
	cacheSize = 10_000
)

// Verify returns the account that signed the request. It returns ErrSignature if
// the account did not sign it, and if there is no such merchant or account.
func (a *Accounts) Verify(ctx context.Context, merchant, name string, r Request) (Sender, error) {
	if pool.CheckName(merchant) != nil || pool.CheckName(name) != nil {
		return Sender{}, ErrSignature
	}
	cached, err := a.account(ctx, merchant, name, cacheFor)
	if err != nil {
		return Sender{}, err
	}
	if sender, err := cached.verify(r, a.Now()); err == nil {
		return sender, nil
	}
	again, err := a.account(ctx, merchant, name, rereadFor)
	if err != nil {
		return Sender{}, err
	}
	if again.readAt.Equal(cached.readAt) {
		return Sender{}, ErrSignature
	}
	return again.verify(r, a.Now())
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

// account returns an account that was read at most maxAge ago.
func (a *Accounts) account(ctx context.Context, merchant, name string, maxAge time.Duration) (opened, error) {
	key := merchant + "/" + name
	a.mu.Lock()
	cached, ok := a.cached[key]
	a.mu.Unlock()
	if ok && a.Now().Sub(cached.readAt) < maxAge {
		return cached, nil
	}
	// Several requests share the read, so it goes on when the first of them ends.
	shared := a.flight.DoChan(key, func() (any, error) {
		read, err := a.read(context.WithoutCancel(ctx), merchant, name)
		if err == nil {
			a.cache(key, read)
		}
		return read, err
	})
	select {
	case result := <-shared:
		if result.Err != nil {
			return opened{}, fmt.Errorf("read account %s of %s: %w", name, merchant, result.Err)
		}
		return result.Val.(opened), nil
	case <-ctx.Done():
		return opened{}, fmt.Errorf("read account %s of %s: %w", name, merchant, ctx.Err())
	}
}

func (a *Accounts) cache(key string, read opened) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cached == nil || len(a.cached) >= cacheSize {
		a.cached = map[string]opened{}
	}
	a.cached[key] = read
}

// read reads an account and opens its secrets. A name that does not exist becomes an
// account of Keypool's own scheme without secrets: to refuse it takes as long as to
// refuse a wrong signature.
func (a *Accounts) read(ctx context.Context, merchant, name string) (opened, error) {
	read := opened{adapter: a.Adapters[Standard], readAt: a.Now()}
	account, known, err := a.Read(ctx, merchant, name)
	if err != nil {
		return opened{}, err
	}
	adapter := a.Adapters[account.Platform]
	if !known || adapter == nil {
		return read, nil
	}
	read.adapter = adapter
	read.account = Account{Merchant: account.Merchant, Name: account.Name, Origin: account.Origin}
	for _, sealed := range account.Secrets {
		if !sealed.ExpiresAt.IsZero() && !a.Now().Before(sealed.ExpiresAt) {
			continue
		}
		key, err := a.Open(ctx, merchant, name, sealed.Blob)
		if err != nil {
			return opened{}, err
		}
		read.account.Secrets = append(read.account.Secrets, Conceal(key))
		read.expiring = append(read.expiring, sealed.ExpiresAt)
	}
	return read, nil
}
