package settings

import (
	"context"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// Help opens a merchant's portal for the operator: see access.NewHelp.
type Help struct {
	Store     HelpStore
	PublicURL string // of the deployment
	Now       func() time.Time
}

// HelpStore is what the operator's help needs.
type HelpStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	People(ctx context.Context, merchant string) (people []access.Person, version int, err error)
	OpenHelp(ctx context.Context, r access.SignIn, with audit.Record) error
}

// Opened is a portal that was opened.
type Opened struct {
	Address   string // which opens it once
	GoodUntil time.Time
	EndsAt    time.Time // the help itself
}

// toldOwners is how many owners are told of the operator's help: as many mails as fit into its
// transaction, with room.
const toldOwners = 50

// CheckHelp returns the mistakes in what the operator says of it.
func CheckHelp(why string) []Problem {
	var p problems
	p.line("reason", why, false)
	return p
}

// Open makes the address by which the operator opens a merchant's portal, once. The notice
// address and the owners are told, with the reason, which may be empty. Its error is ErrNotFound,
// or an *InvalidError.
func (h *Help) Open(ctx context.Context, by access.Principal, merchant, why string) (Opened, error) {
	if err := invalid(CheckHelp(why)...); err != nil {
		return Opened{}, err
	}
	m, ok, err := h.Store.Merchant(ctx, merchant)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return Opened{}, err
	}
	people, _, err := h.Store.People(ctx, merchant)
	if err != nil {
		return Opened{}, err
	}
	now := h.Now().UTC().Truncate(time.Millisecond)
	name, r := access.NewHelp(merchant, by, now)
	opened := Opened{Address: h.PublicURL + access.HelpPath + name, GoodUntil: now.Add(access.SignInGoodFor), EndsAt: now.Add(access.HelpLasts)}
	shown := catalog.Shown{"until": opened.EndsAt.Format(time.RFC3339)}
	if why != "" {
		shown["reason"] = why
	}
	record := audit.Record{Entry: entry(ctx, by, audit.OperatorHelp, merchant, "", nil, shown, now)}
	facts := notice.Facts{Count: 1, Changed: []notice.Changed{{Name: why, Until: opened.EndsAt, By: by.Name, At: now}}}
	tell := func(to, key string) {
		n := notice.New(merchant, notice.OperatorHelp, r.Hash[:access.IDLength]+key, facts, now)
		n.To = to
		record.Tell = append(record.Tell, n)
	}
	tell("", "")
	for _, p := range people {
		if p.Role == access.Owner && !strings.EqualFold(p.Address, m.NoticeAddress) && len(record.Tell) <= toldOwners {
			tell(p.Address, "#"+p.ID)
		}
	}
	return opened, h.Store.OpenHelp(ctx, r, record)
}
