package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/inventory"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/search"
)

// foundPage is what was found by a number, an address or a key.
type foundPage struct {
	Numbered []orderRow // orders of that number
	Orders   []orderRow // of that address
	Sought   string     // the address, where there may be more orders of it
	Next     string
	Test     bool // those orders of the address are tests
	Keys     []foundKey
	Block    string // what was sought, where it is a key that can be blocked
	Nothing  bool
}

// foundKey is what became of a key. Its text is not shown.
type foundKey struct {
	Says    string
	Mark    mark
	Pool    string
	Test    bool
	Upload  string
	From    string // file and line
	Order   string // the address of the order that has it, or had it last
	Number  string
	Replace string // where the order gets another key in its place; "": it gets none
	Product string
	History []moment
}

// find looks for an order number, a mail address or a key. It is a POST, so that none of them
// stands in an address or a log.
func (p *portal) find(v *visit) (answer, error) {
	sought := strings.TrimSpace(v.form.Get("find"))
	test := v.form.Get("side") == "test"
	var (
		numbered [][]order.Fulfillment
		ofPeople search.Page
		keys     []inventory.Found
	)
	reading, ctx := errgroup.WithContext(v.Context())
	if sought != "" && platform.CheckID(sought) == "" && v.form.Get("after") == "" {
		reading.Go(func() (err error) {
			numbered, err = search.Each(ctx, p.orders.numbers, v.Merchant, sought, search.Which{}, func(ctx context.Context, id string) ([]order.Fulfillment, []order.Fulfillment, error) {
				lines, err := p.orders.store.Lines(ctx, id)
				return lines, lines, err
			})
			return unless(err, order.ErrNoOrder)
		})
	}
	if strings.Contains(sought, "@") {
		reading.Go(func() (err error) {
			q := search.Query{Merchant: v.Merchant, Side: pool.SideOf(test), Email: sought}
			ofPeople, err = p.orders.search.Find(ctx, q, v.form.Get("after"), listed)
			return err
		})
	}
	if sought != "" && len(sought) <= pool.MaxKey && v.may("find-keys") && v.form.Get("after") == "" {
		reading.Go(func() (err error) {
			keys, err = p.orders.keys.Find(ctx, v.Merchant, []string{sought})
			return unless(err, pool.ErrUnknownKey)
		})
	}
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	orders := ofPeople.Orders()
	if all := append(numbered[:len(numbered):len(numbered)], orders...); len(all) == 1 && len(keys) == 0 && ofPeople.Next == "" {
		return answer{see: orderPath(all[0][0].ID.OrderHalf())}, nil
	}
	page := foundPage{Numbered: newOrderRows(numbered, nil), Orders: newOrderRows(orders, nil), Next: ofPeople.Next, Test: test}
	if strings.Contains(sought, "@") {
		page.Sought = sought
	}
	if v.may("block-keys") && blockable(keys) {
		page.Block = sought
	}
	for _, key := range keys {
		page.Keys = append(page.Keys, newFoundKey(key))
	}
	status := http.StatusOK
	if page.Nothing = len(numbered)+len(orders)+len(keys) == 0; page.Nothing {
		status = http.StatusNotFound
	}
	return answer{page: "found", title: "Found", status: status, data: page}, nil
}

// unless returns an error, nil where it only says that there is nothing.
func unless(err, nothing error) error {
	if errors.Is(err, nothing) {
		return nil
	}
	return err
}

// keyMarks say how a key stands.
var keyMarks = map[pool.KeyState]mark{
	pool.KeyAvailable: {"calm", "For sale"},
	pool.KeyClaimed:   {"good", "Sold"},
	pool.KeyRevoked:   {"stop", "Given back: void"},
	pool.KeyKept:      {"", "Given back: the customer may go on using it"},
	pool.KeyShared:    {"calm", "The code of a product"},
	pool.KeyWithdrawn: {"stop", "Taken out of sale"},
}

// keyEvents say what happened to a key.
var keyEvents = map[pool.KeyEventKind]string{
	pool.KeyUploaded:     "Uploaded.",
	pool.KeySold:         "Sold.",
	pool.KeyRevokedBy:    "Given back. Nobody may use it.",
	pool.KeyKeptBy:       "Given back. Its customer may go on using it.",
	pool.KeyRestockedBy:  "Given back. It was for sale again.",
	pool.KeyTakenOffSale: "Taken out of sale.",
	pool.KeyMoved:        "Moved to another pool.",
	pool.KeyShare:        "Made the code of a product.",
	pool.KeyUnshare:      "No longer the code of a product.",
	pool.KeyBlocked:      "Blocked: nobody is sold it from then on.",
}

func newFoundKey(k inventory.Found) foundKey {
	key := foundKey{Mark: keyMarks[k.State], Pool: k.Pool, Test: k.Side == pool.Test, Upload: k.Upload, From: k.File.File, Product: k.CodeOf}
	if k.FileLine > 0 {
		key.From = whereFrom([]pool.Key{{ID: k.ID}}, map[pool.KeyID]inventory.Origin{k.ID: {Upload: k.Upload, File: k.File.File, Line: k.FileLine}})[0].Says
	}
	if f := k.Sold; f != nil {
		key.Order, key.Number, key.Product = orderPath(f.ID.OrderHalf()), f.Order, productName(*f)
	}
	if k.State == pool.KeyClaimed && k.Sold != nil && k.Sold.Replaceable() {
		key.Replace = key.Order + "/replace"
	}
	for _, e := range k.History {
		key.History = append(key.History, moment{At: e.At, Says: keyEvents[e.What], Small: strings.TrimSpace(person(e.By))})
	}
	if !k.BlockedAt.IsZero() && k.BlockedAt.After(time.Time{}) {
		key.Says = "It is blocked: nobody is sold it any more."
	}
	return key
}
