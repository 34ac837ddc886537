package settings

import (
	"context"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// Trail lists the audit trail of a merchant.
type Trail struct{ Store TrailStore }

// TrailStore reads entries.
type TrailStore interface {
	// Entries returns up to limit entries, newest first, from before the one with that id, and
	// the id to go on after, "" on the last page. A page of long ones has fewer.
	Entries(ctx context.Context, merchant, before string, limit int) (entries []audit.Entry, next string, err error)
}

// List returns a page of a merchant's audit trail: see TrailStore.
func (s *Trail) List(ctx context.Context, merchant, before string, limit int) (entries []audit.Entry, next string, err error) {
	return s.Store.Entries(ctx, merchant, before, limit)
}

// entry returns the entry of a change.
func entry(ctx context.Context, by access.Principal, thing audit.Thing, merchant, name string, before, after catalog.Shown, now time.Time) audit.Entry {
	return audit.New(ctx, audit.Entry{Merchant: merchant, By: by.Name, Thing: thing, Name: name, Before: before, After: after}, now)
}

// shownIf returns what is shown of a thing, nothing unless it existed.
func shownIf(existed bool, thing interface{ Shown() catalog.Shown }) catalog.Shown {
	if !existed {
		return nil
	}
	return thing.Shown()
}
