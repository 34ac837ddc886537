package platform

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// Accounts verifies that a request comes from a merchant's account. It is safe for
// concurrent use.
//
// Each secret is opened once, and an account is cached for catalog.CacheFor: that
// long, a secret that was taken away is still good. A request that none of the cached
// secrets signed has the account read again at once, since a secret may be new: it
// may be an order. Such reads are limited for each account, see limiter, and open
// only a secret that was not open yet.
//
// An account that does not exist is cached as well, and opens no secret. A request
// without a signature reads nothing.
//
// The credentials of the platform's API are opened only after a secret fitted, and only
// for an adapter that calls the API: see Fetcher.
type Accounts struct {
	adapters map[string]Adapter
	read     func(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	opener   Opener
	now      func() time.Time
	cached   *catalog.Cache[opened]
	rereads  limiter
}

// Opener opens what is sealed in an account.
type Opener interface {
	Unseal(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error)
	UnsealCredential(ctx context.Context, merchant, account, name string, sealed []byte) ([]byte, error)
}

// NewAccounts returns the accounts that read finds in the catalog. Adapters are named by
// their platforms.
func NewAccounts(
	adapters map[string]Adapter,
	read func(ctx context.Context, merchant, name string) (catalog.Account, bool, error),
	opener Opener,
	now func() time.Time,
) *Accounts {
	a := &Accounts{adapters: adapters, read: read, opener: opener, now: now}
	a.cached = catalog.RememberAbsence(now, a.account)
	return a
}

// Sender is the account that sent a request, and its platform's adapter.
type Sender struct {
	Account Account
	Adapter Adapter
	Signed  Signed
}

// Decode returns the events that the sender's request reports, as Adapter.Decode does. A body
// that is too large to be parsed is a *FieldError: its sender may have sold by it. So is an
// order whose webhook a secret signed that is marked test, and cannot be.
func (s Sender) Decode(ctx context.Context, r Request) ([]Event, error) {
	if len(r.Body) > MaxBody {
		return nil, &FieldError{Problem: fmt.Sprintf("is larger than %d KiB, so that no order was read in it: look in your shop for one that was paid and brought no key, and fulfil it by hand", MaxBody>>10)}
	}
	events, err := s.Adapter.Decode(ctx, r, s.Account)
	if err == nil {
		err = s.checkSigner(events)
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// Answer returns the response to what became of a request of the sender.
func (s Sender) Answer(results []Result) Response {
	if replier, ok := s.Adapter.(Replier); ok {
		return replier.AnswerFor(s.Account, results)
	}
	return s.Adapter.Answer(results)
}

// opened is an account as it was read, with its secrets opened.
type opened struct {
	account Account
	adapter Adapter
	sealed  []catalog.SealedSecret // what each of the account's secrets was opened from

	sealedCredentials []catalog.SealedCredential
	credentials       *credentials
}

// Verify returns the account that signed the request. It returns ErrSignature if
// there is no such merchant or account, and a *SignatureError, which is one too, if
// the account exists and did not sign it.
func (a *Accounts) Verify(ctx context.Context, merchant, name string, r Request) (Sender, error) {
	if pool.CheckName(merchant) != nil || pool.CheckName(name) != nil || !a.signed(r) {
		return Sender{}, ErrSignature
	}
	key, started := merchant+"/"+name, a.now()
	found, err := a.cached.Within(ctx, key, catalog.CacheFor)
	if err != nil {
		return Sender{}, err
	}
	sender, err := a.verify(found, r)
	if err != nil && found.ReadAt.Before(started) && a.rereads.allow(key, a.now()) {
		if found, err = a.cached.Within(ctx, key, 0); err != nil {
			return Sender{}, err
		}
		sender, err = a.verify(found, r)
	}
	if err != nil {
		return Sender{}, err
	}
	sender.Account.Credentials, err = a.openCredentials(ctx, found.Value)
	return sender, err
}

// Ping returns the answer to a request by which a platform tries an address, false if r is
// none. It is the same for every address, and no account is looked up: who does not sign
// learns nothing of which exist.
func (a *Accounts) Ping(r Request) (Response, bool) {
	for _, adapter := range a.adapters {
		if pinger, ok := adapter.(Pinger); ok {
			if answer, is := pinger.Ping(r); is {
				return answer, true
			}
		}
	}
	return Response{}, false
}

// signed reports whether a request has a signature of any platform. Which is the
// account's, nobody knows before it is read.
func (a *Accounts) signed(r Request) bool {
	for _, adapter := range a.adapters {
		if adapter.HasSignature(r.Header) {
			return true
		}
	}
	return false
}

// verify holds a request against an account. One that does not exist is held to be of
// the platforms whose signature the request has, without secrets: to refuse it takes as
// long as to refuse a wrong signature.
func (a *Accounts) verify(found catalog.Found[opened], r Request) (Sender, error) {
	if !found.Exists {
		for _, adapter := range a.adapters {
			if adapter.HasSignature(r.Header) {
				_, _ = adapter.Verify(r, Account{}, a.now())
			}
		}
		return Sender{}, ErrSignature
	}
	return found.Value.verify(r, a.now())
}

// verify holds a request against the secrets that have not expired.
func (o opened) verify(r Request, now time.Time) (Sender, error) {
	account := o.account
	account.Secrets = nil
	for i, secret := range o.account.Secrets {
		if end := o.sealed[i].ExpiresAt; end.IsZero() || now.Before(end) {
			account.Secrets = append(account.Secrets, secret)
		}
	}
	signed, err := o.adapter.Verify(r, account, now)
	switch {
	case err == nil:
	case !o.adapter.HasSignature(r.Header):
		return Sender{}, ErrSignature // of another platform, or nearly none: no shop of this account sends it
	default:
		return Sender{}, &SignatureError{account.Merchant, account.Name, err}
	}
	if signed.Secret < 0 || signed.Secret >= len(account.Secrets) {
		return Sender{}, &SignatureError{account.Merchant, account.Name, ErrSignature} // a mistake of the adapter is no way in
	}
	account.Test = account.Secrets[signed.Secret].Test
	return Sender{account, o.adapter, signed}, nil
}

// account reads an account, named <merchant>/<account>, and opens those of its secrets
// that are not open yet. It returns false for a name that does not exist.
func (a *Accounts) account(ctx context.Context, key string) (opened, bool, error) {
	merchant, name, _ := strings.Cut(key, "/")
	account, known, err := a.read(ctx, merchant, name)
	if err != nil {
		return opened{}, false, err
	}
	adapter := a.adapters[account.Platform]
	if !known || adapter == nil {
		return opened{}, false, nil
	}
	before, _ := a.cached.Last(key)
	read := opened{adapter: adapter, account: AccountOf(account)}
	if answerer, ok := adapter.(PageAnswerer); ok {
		read.account.AnswersPage = answerer.AnswersPage(account.Settings)
	}
	if _, fetches := adapter.(Fetcher); fetches {
		read.sealedCredentials = account.Credentials
	}
	if read.credentials = before.credentials; read.credentials == nil {
		read.credentials = &credentials{}
	}
	for _, sealed := range account.Secrets {
		if !sealed.ExpiresAt.IsZero() && !a.now().Before(sealed.ExpiresAt) {
			continue
		}
		secret, ok := before.secret(sealed)
		if !ok {
			text, err := a.opener.Unseal(ctx, merchant, name, sealed.Blob)
			if err != nil {
				return opened{}, false, err
			}
			secret = Conceal(text)
		}
		read.account.Secrets = append(read.account.Secrets, SigningSecret{Name: sealed.Name, Test: sealed.Test, Secret: secret})
		read.sealed = append(read.sealed, sealed)
	}
	return read, true, nil
}

// secret returns the secret that was opened from the same blob before.
func (o opened) secret(sealed catalog.SealedSecret) (Secret, bool) {
	for i, before := range o.sealed {
		if bytes.Equal(before.Blob, sealed.Blob) {
			return o.account.Secrets[i].Secret, true
		}
	}
	return Secret{}, false
}

// credentials are those of an account that were opened, by their sealed form, so that
// each is opened once.
type credentials struct {
	mu     sync.Mutex
	opened map[string]Secret
}

// openCredentials returns the account's credentials by name, nil if it has none.
func (a *Accounts) openCredentials(ctx context.Context, o opened) (map[string]Secret, error) {
	if len(o.sealedCredentials) == 0 {
		return nil, nil
	}
	o.credentials.mu.Lock()
	defer o.credentials.mu.Unlock()
	byName, bySealed := map[string]Secret{}, map[string]Secret{}
	for _, sealed := range o.sealedCredentials {
		secret, ok := o.credentials.opened[string(sealed.Blob)]
		if !ok {
			text, err := a.opener.UnsealCredential(ctx, o.account.Merchant, o.account.Name, sealed.Name, sealed.Blob)
			if err != nil {
				return nil, err
			}
			secret = Conceal(text)
		}
		byName[sealed.Name], bySealed[string(sealed.Blob)] = secret, secret
	}
	o.credentials.opened = bySealed
	return byName, nil
}

// limiter limits how often an account is read again for a signature that none of its
// secrets fits: rereadBurst times at once, then once each rereadEvery. Its zero value
// is ready.
type limiter struct {
	mu       sync.Mutex
	accounts map[string]*rate.Limiter
}

const (
	rereadBurst = 5
	rereadEvery = time.Second
	// limited bounds the memory for names that strangers make up.
	limited = 10_000
)

func (l *limiter) allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	account, ok := l.accounts[key]
	if !ok {
		if l.accounts == nil || len(l.accounts) >= limited {
			l.accounts = map[string]*rate.Limiter{}
		}
		account = rate.NewLimiter(rate.Every(rereadEvery), rereadBurst)
		l.accounts[key] = account
	}
	return account.AllowN(now, 1)
}
