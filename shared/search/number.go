package search

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Numbers finds orders by their numbers, as platforms name them. It remembers the shops that
// merchants had when one of their orders was last looked for. It is safe for concurrent use.
type Numbers struct {
	Accounts Accounts

	mu   sync.Mutex
	last map[string][]catalog.Account // by merchant: their names and origins
}

// Accounts lists a merchant's accounts with platforms.
type Accounts interface {
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
}

// Which tells orders of the same number apart. An empty field is any.
type Which struct {
	Account string
	Sides   []pool.Side
}

// readAtOnce bounds the reads that one look for a number makes side by side.
const readAtOnce = 32

// Each returns what read makes of each of a merchant's orders that have the number and any
// lines; they may be of several shops, and of both sides, and are read side by side. Those of
// the shops that there were when an order was last looked for are read beside the accounts,
// which say what shops there are. Its error is order.ErrNoOrder if there is none.
func Each[T any](ctx context.Context, n *Numbers, merchant, number string, which Which, read func(ctx context.Context, orderID string) (T, []order.Fulfillment, error)) ([]T, error) {
	sides := which.Sides
	if len(sides) == 0 {
		sides = pool.Sides[:]
	}
	isOther := func(name string) bool { return which.Account != "" && which.Account != name }
	type reading struct {
		one   T
		there bool
	}
	readings := map[string]*reading{} // by the order's id
	calls, calling := errgroup.WithContext(ctx)
	calls.SetLimit(readAtOnce)
	readAll := func(accounts []catalog.Account) (all []*reading) {
		accounts = slices.DeleteFunc(slices.Clone(accounts), func(account catalog.Account) bool { return isOther(account.Name) })
		for _, origin := range catalog.Origins(accounts) {
			for _, side := range sides {
				id := order.Identity{Merchant: merchant, Side: side, Origin: origin, Order: number}.OrderID()
				r, begun := readings[id]
				if !begun {
					r = &reading{}
					readings[id] = r
					calls.Go(func() error {
						one, lines, err := read(calling, id)
						r.one = one
						r.there = slices.ContainsFunc(lines, func(line order.Fulfillment) bool { return !isOther(line.Account) })
						return err
					})
				}
				all = append(all, r)
			}
		}
		return all
	}
	readAll(n.before(merchant))
	accounts, err := n.Accounts.Accounts(ctx, merchant)
	var all []*reading
	if err == nil {
		accounts = append(accounts, catalog.ByHand(merchant))
		n.keep(merchant, accounts)
		all = readAll(accounts)
	}
	if err := cmp.Or(calls.Wait(), err); err != nil {
		return nil, err
	}
	var found []T
	for _, r := range all {
		if r.there {
			found = append(found, r.one)
		}
	}
	if len(found) == 0 {
		return nil, order.ErrNoOrder
	}
	return found, nil
}

func (n *Numbers) before(merchant string) []catalog.Account {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last[merchant]
}

func (n *Numbers) keep(merchant string, accounts []catalog.Account) {
	named := make([]catalog.Account, len(accounts))
	for i, account := range accounts {
		named[i] = catalog.Account{Name: account.Name, Origin: account.Origin}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == nil {
		n.last = map[string][]catalog.Account{}
	}
	n.last[merchant] = named
}
