package settings

import (
	"context"
	"encoding/json"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// Trials says what Keypool would make of webhooks that were captured. It stores nothing.
type Trials struct {
	Accounts    *Accounts
	Opener      Opener
	Catalog     catalog.Reader
	MaxQuantity int // units that one line may have
}

// Opener opens an account's signing secret.
type Opener interface {
	Unseal(ctx context.Context, merchant, account string, sealed []byte) ([]byte, error)
}

// Captured is a webhook that was captured.
type Captured struct {
	Merchant, Account string
	Request           platform.Request
	At                time.Time       // when it came; zero: now
	Settings          json.RawMessage // to try in the place of the account's; nil: the account's
}

// LineTrial is what a line of a paid order would get.
type LineTrial struct {
	Skipped platform.SkipReason // it is passed over
	Held    bool                // it is put on hold: it was paid before the account delivers, or says no address
	Parent  string              // the order whose keys it would be mailed; it would get none of its own
	Pool    string              // "": none feeds its product, and it would wait
	Keys    int                 // of that pool
	Code    bool                // it would get the code of its product
}

// Trial is what a dry run found, and what each line of the paid orders among its events
// would get, in their order.
type Trial struct {
	platform.Trial
	Lines []LineTrial
}

// Run dry-runs a webhook. Its error is ErrNotFound if there is no such account, and
// *InvalidError for settings that the platform does not take.
func (s *Trials) Run(ctx context.Context, c Captured) (Trial, error) {
	account, _, err := s.Accounts.Get(ctx, c.Merchant, c.Account)
	if err != nil {
		return Trial{}, err
	}
	adapter, ok := s.Accounts.Adapters[account.Platform]
	if !ok {
		return Trial{}, ErrNotFound
	}
	if c.Settings != nil {
		var p problems
		p.settings(AccountChange{Platform: account.Platform, Settings: c.Settings}, adapter)
		if err := invalid(p...); err != nil {
			return Trial{}, err
		}
		account.Settings = c.Settings
	}
	as := platform.AccountOf(account)
	for _, sealed := range account.Secrets {
		secret, err := s.Opener.Unseal(ctx, account.Merchant, account.Name, sealed.Blob)
		if err != nil {
			return Trial{}, err
		}
		as.Secrets = append(as.Secrets, platform.SigningSecret{Name: sealed.Name, Test: sealed.Test, Secret: platform.Conceal(secret)})
	}
	as.Credentials = map[string]platform.Secret{} // by their names alone: none is opened
	for _, sealed := range account.Credentials {
		as.Credentials[sealed.Name] = platform.Secret{}
	}
	now := c.At
	if now.IsZero() {
		now = s.Accounts.Now()
	}
	ran, err := platform.DryRun(ctx, adapter, c.Request, as, now, s.MaxQuantity, s.Catalog)
	if err != nil {
		return Trial{}, err
	}
	trial := Trial{Trial: ran}
	for _, event := range trial.Events {
		paid, ok := event.(platform.Paid)
		if !ok {
			continue
		}
		lines, err := s.lines(ctx, as, paid)
		if err != nil {
			return Trial{}, err
		}
		trial.Lines = append(trial.Lines, lines...)
	}
	return trial, nil
}

// lines returns what the lines of an order would get, if there are keys for them.
func (s *Trials) lines(ctx context.Context, from platform.Account, paid platform.Paid) ([]LineTrial, error) {
	merchant, _, err := s.Catalog.Merchant(ctx, from.Merchant)
	if err != nil {
		return nil, err
	}
	lines := make([]LineTrial, len(paid.Lines))
	for i, line := range paid.Lines {
		if line.PassedOver {
			lines[i].Skipped = platform.OtherProduct
			continue
		}
		product, known, err := catalog.LineProduct(ctx, s.Catalog, from.Merchant, line.Product, line.Original)
		if err != nil {
			return nil, err
		}
		if lines[i].Held = from.PaidBefore(paid) || paid.Customer.Email == ""; lines[i].Held {
			continue
		}
		if known && product.RenewsParent(paid.Parent) {
			lines[i].Parent = paid.Parent
			continue
		}
		if _, set := product.CodeFor(pool.SideOf(paid.Test)); known && set {
			lines[i].Code, lines[i].Keys = true, 1
			continue
		}
		name, fed := product.PoolFor(paid.Currency, merchant)
		if !known || !fed {
			continue
		}
		if _, fed, err = s.Catalog.Pool(ctx, from.Merchant, name); err != nil {
			return nil, err
		}
		if wanted := product.Keys.Wanted(line.Quantity); fed && wanted > 0 {
			lines[i].Pool, lines[i].Keys = name, wanted
		}
	}
	return lines, nil
}
