package callback

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// Keyring holds the signing secrets of the platforms that call, opened.
//
// Secrets are kept for minutes. A callback that none of them signed has them
// read again, since one may have been rotated, but at most once a minute; a
// platform that does not exist costs one read a minute and never an opening.
type Keyring struct {
	Account func(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	Open    func(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error)
	Now     func() time.Time

	flight singleflight.Group
	mu     sync.Mutex
	rings  map[string]ring
}

type ring struct {
	account catalog.Account
	secrets []secret
	readAt  time.Time
}

type secret struct {
	bytes     []byte
	expiresAt time.Time
}

const (
	secretsFor = 5 * time.Minute
	rereadAt   = time.Minute
	// maxRings bounds the memory that strangers' callbacks can take.
	maxRings = 10_000
)

// Verify returns the account that signed the request, ErrSignature if it did not
// or if there is no such merchant, account or adapter.
func (k *Keyring) Verify(ctx context.Context, merchant, account string, r Request) (catalog.Account, error) {
	if pool.CheckName(merchant) != nil || pool.CheckName(account) != nil {
		return catalog.Account{}, ErrSignature
	}
	known, err := k.ring(ctx, merchant, account, secretsFor)
	if err != nil {
		return catalog.Account{}, err
	}
	if k.verify(known, r) == nil {
		return known.account, nil
	}
	fresh, err := k.ring(ctx, merchant, account, rereadAt)
	if err != nil {
		return catalog.Account{}, err
	}
	if fresh.readAt.Equal(known.readAt) {
		return catalog.Account{}, ErrSignature
	}
	return fresh.account, k.verify(fresh, r)
}

func (k *Keyring) verify(current ring, r Request) error {
	adapter, ok := Platforms[current.account.Platform]
	if !ok {
		adapter = Standard{} // an account that does not exist takes as long as one that does
	}
	now := k.Now()
	var valid [][]byte
	for _, s := range current.secrets {
		if s.expiresAt.IsZero() || now.Before(s.expiresAt) {
			valid = append(valid, s.bytes)
		}
	}
	return adapter.Verify(r, valid, now)
}

// ring returns the secrets of a platform as they were read at most maxAge ago;
// none for what does not exist.
func (k *Keyring) ring(ctx context.Context, merchant, account string, maxAge time.Duration) (ring, error) {
	name := merchant + "/" + account
	k.mu.Lock()
	current, ok := k.rings[name]
	k.mu.Unlock()
	if ok && k.Now().Sub(current.readAt) < maxAge {
		return current, nil
	}
	// The read is everybody's, so it outlives the first caller's giving up.
	shared := k.flight.DoChan(name, func() (any, error) {
		read, err := k.read(context.WithoutCancel(ctx), merchant, account)
		if err == nil {
			k.remember(name, read)
		}
		return read, err
	})
	select {
	case result := <-shared:
		if result.Err != nil {
			return ring{}, fmt.Errorf("read the secrets of a platform: %w", result.Err)
		}
		return result.Val.(ring), nil
	case <-ctx.Done():
		return ring{}, fmt.Errorf("read the secrets of a platform: %w", ctx.Err())
	}
}

func (k *Keyring) remember(name string, read ring) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rings == nil || len(k.rings) >= maxRings {
		k.rings = map[string]ring{}
	}
	k.rings[name] = read
}

func (k *Keyring) read(ctx context.Context, merchant, name string) (ring, error) {
	fresh := ring{readAt: k.Now()}
	account, ok, err := k.Account(ctx, merchant, name)
	if err != nil || !ok {
		return fresh, err
	}
	fresh.account = account
	for _, sealed := range account.Secrets {
		if !sealed.ExpiresAt.IsZero() && !k.Now().Before(sealed.ExpiresAt) {
			continue
		}
		opened, err := k.Open(ctx, merchant, name, sealed.Blob)
		if err != nil {
			return ring{}, err
		}
		fresh.secrets = append(fresh.secrets, secret{opened, sealed.ExpiresAt})
	}
	return fresh, nil
}
