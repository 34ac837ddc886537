// Package sender looks at the domains that merchants' mails come from, and stores what
// became of them. A merchant is told once of each end: verified, failed, or refused.
package sender

import (
	"context"
	"errors"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/retry"
)

// Store keeps senders.
type Store interface {
	Sender(ctx context.Context, merchant string) (catalog.Sender, error)
	// SaveLook stores a sender as a look found it, with what is told of it. It fails with
	// retry.ErrChanged if the sender is not as that look saw it any more.
	SaveLook(ctx context.Context, seen, found catalog.Sender, tell ...notice.Notice) error
}

// Identities are the domains as SES knows them.
type Identities interface {
	// Look returns a domain, false if SES does not know it.
	Look(ctx context.Context, domain string) (catalog.Identity, bool, error)
}

// Looks looks at senders.
type Looks struct {
	Store      Store
	Identities Identities
	Now        func() time.Time
}

// Look asks SES about a sender's domain, and returns the sender as it is then. Of two looks
// at once, one is stored.
func (l *Looks) Look(ctx context.Context, s catalog.Sender) (catalog.Sender, error) {
	found, known, err := l.Identities.Look(ctx, s.Domain())
	if err != nil {
		return s, err
	}
	return l.save(ctx, s, s.Seen(found, known, l.Now()))
}

// Used are the senders that mails come from, cached.
type Used struct {
	looks *Looks
	cache *catalog.Cache[catalog.Sender]
}

// NewUsed returns the senders of a store.
func NewUsed(store Store, now func() time.Time) *Used {
	return &Used{&Looks{Store: store, Now: now}, catalog.NewCache(now, func(ctx context.Context, merchant string) (catalog.Sender, bool, error) {
		s, err := store.Sender(ctx, merchant)
		return s, true, err // none at all is cached, too
	})}
}

// Sender returns a merchant's own sender, at most catalog.CacheFor old, of version 0 if it
// has none.
func (u *Used) Sender(ctx context.Context, merchant string) (catalog.Sender, error) {
	s, _, err := u.cache.Get(ctx, merchant)
	return s, err
}

// Refused notes that SES refused a mail from a merchant's sender that it took from the
// operator. A sender that is not used is left as it is.
func (u *Used) Refused(ctx context.Context, merchant string) error {
	s, err := u.looks.Store.Sender(ctx, merchant)
	if err != nil || !s.Proven() {
		return err
	}
	_, err = u.looks.save(ctx, s, s.Refused(u.looks.Now()))
	return err
}

func (l *Looks) save(ctx context.Context, seen, found catalog.Sender) (catalog.Sender, error) {
	var tell []notice.Notice
	if found.State != seen.State && found.State != catalog.SenderPending {
		facts := notice.Facts{Address: found.Address, Cause: string(found.State)}
		tell = append(tell, notice.New(found.Merchant, notice.SenderState, found.MailFrom+"#"+found.LookedAt.UTC().Format(time.RFC3339Nano), facts, l.Now()))
	}
	err := l.Store.SaveLook(ctx, seen, found, tell...)
	if errors.Is(err, retry.ErrChanged) {
		err = nil // another look was stored, or another address
	}
	return found, err
}
