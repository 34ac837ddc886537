// Package search finds lines of orders: all of a merchant's side, those of an address, those
// that somebody has to look at.
//
// A page costs the same however many lines there are. It takes two round trips: one looks
// for places in an index, in all of its partitions at once, the other reads the lines that
// stand there. Before the first search by address in a while, a third reads the merchant.
//
// What no index has (account, product, state) is looked for among the lines that are read. A
// page examines so many of them at most, and may show few, or none, and a place to go on
// nevertheless.
//
// An index lags: what has just come or gone may be missing or too much in it. The lines
// are as they stand, and those that the search does not fit are left out.
package search

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Finder finds lines.
type Finder struct {
	Merchants Merchants
	Lines     Lines
	Now       func() time.Time
}

// Merchants reads a merchant, false if there is none of that name. The salt of one never
// changes, so it may be cached.
type Merchants interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
}

// Lines finds and reads lines.
type Lines interface {
	// Places returns the places of up to limit lines, in the order of the search, after one of
	// them: the zero Place to begin with.
	Places(ctx context.Context, q order.Search, after order.Place, limit int) ([]order.Place, error)
	// LinesByID returns those of the lines that are there, as they stand.
	LinesByID(ctx context.Context, ids []order.LineID) (map[order.LineID]order.Fulfillment, error)
}

// Query says which lines are looked for. An empty field is any.
type Query struct {
	Merchant string
	Side     pool.Side

	Email       string // the customer's address, or one that was corrected since, in any letter case
	Attention   bool   // only lines that somebody has to look at now
	Waiting     bool   // only lines that wait for keys of a pool, the oldest first
	From, Until time.Time

	Account, Product string
	State            order.State
}

// Page is a part of what a query finds, the latest first where the query does not say otherwise.
type Page struct {
	Lines []order.Fulfillment
	Next  string // where the next page starts; "" after the last one
}

// Orders returns the lines by their orders: each order once, where its first line stands, with
// those of its lines that the page has.
func (p Page) Orders() [][]order.Fulfillment {
	var orders [][]order.Fulfillment
	stands := map[string]int{}
	for _, line := range p.Lines {
		n, there := stands[line.ID.OrderHalf()]
		if !there {
			n = len(orders)
			stands[line.ID.OrderHalf()] = n
			orders = append(orders, nil)
		}
		orders[n] = append(orders[n], line)
	}
	return orders
}

// examined is how many lines a page looks at to find those that no index tells apart.
const examined = 300

// Find returns up to limit lines, after the place that the page before gave as Next: "" to
// begin with. Its error is order.ErrPlace if that is none of such a query.
func (f *Finder) Find(ctx context.Context, q Query, after string, limit int) (Page, error) {
	index := q.index()
	at, err := index.parse(after)
	if err != nil {
		return Page{}, err
	}
	in, err := f.search(ctx, q)
	if err != nil || index == byAddress && in.CustomerHash == "" { // blanks are nobody's address
		return Page{}, err
	}
	most := limit
	if q.filters() {
		most = max(limit, examined)
	}
	places, err := f.Lines.Places(ctx, in, at, most+1)
	if err != nil || len(places) == 0 {
		return Page{}, err
	}
	more := len(places) > most
	places = places[:min(most, len(places))]
	ids := make([]order.LineID, len(places))
	for i, place := range places {
		ids[i] = place.Line
	}
	lines, err := f.Lines.LinesByID(ctx, ids)
	if err != nil {
		return Page{}, err
	}
	var page Page
	for i, place := range places {
		if line, there := lines[place.Line]; there && q.fits(line, in.CustomerHash, f.Now()) {
			page.Lines = append(page.Lines, line)
		}
		last := i == len(places)-1
		if full := len(page.Lines) == limit; (full || last) && (more || !last) {
			page.Next = index.format(place)
			break
		}
	}
	return page, nil
}

// search returns what the indexes are asked for.
func (f *Finder) search(ctx context.Context, q Query) (order.Search, error) {
	in := order.Search{Merchant: q.Merchant, Side: q.Side, From: q.From, Until: q.Until}
	if q.Until.IsZero() {
		in.Until = f.Now().Add(24 * time.Hour) // clocks differ
	}
	switch q.index() {
	case byAddress:
		merchant, _, err := f.Merchants.Merchant(ctx, q.Merchant)
		if err != nil {
			return in, fmt.Errorf("look for the orders of an address of %s: %w", q.Merchant, err)
		}
		in.CustomerHash = order.HashAddress(merchant.Salt, q.Email)
	case byAttention:
		in.Attention, in.From, in.Until = true, time.Time{}, f.Now().Add(time.Millisecond)
	case byWaiting: // a line that begins to wait stands there from when it waits for long
		in.Attention, in.OldestFirst, in.From, in.Until = true, true, time.Time{}, f.Now().Add(24*time.Hour)
	case byTime: // nothing more
	}
	return in, nil
}

// filters reports whether lines are left out that the index shows.
func (q Query) filters() bool {
	times := q.index() == byAttention && !(q.From.IsZero() && q.Until.IsZero())
	return times || q.index() == byWaiting || q.index() == byAddress && (q.Attention || q.Waiting) || q.Account != "" || q.Product != "" || q.State != ""
}

// fits reports whether a line is what is looked for, as it stands now.
func (q Query) fits(f order.Fulfillment, hash string, now time.Time) bool {
	since, needed := f.Attention()
	switch {
	case f.Merchant != q.Merchant || f.Side != q.Side || f.Expected:
	case hash != "" && !f.IsOf(hash):
	case q.Attention && (!needed || since.After(now)):
	case q.Waiting && f.State() != order.Waiting:
	case f.ReceivedAt.Before(q.From) || !q.Until.IsZero() && !f.ReceivedAt.Before(q.Until):
	case q.Account != "" && f.Account != q.Account:
	case q.Product != "" && f.Product != q.Product && f.Original != q.Product:
	case q.State != "" && f.State() != q.State:
	default:
		return true
	}
	return false
}

// index is the way in which a query finds lines. A place is one of its own index only.
type index string

const (
	byTime      index = "listed"
	byAddress   index = "who"
	byAttention index = "attention"
	byWaiting   index = "waiting"
)

func (q Query) index() index {
	switch {
	case q.Email != "":
		return byAddress
	case q.Waiting:
		return byWaiting
	case q.Attention:
		return byAttention
	default:
		return byTime
	}
}

// format returns a place as callers see it. It names no order and no customer.
func (x index) format(p order.Place) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d %d %s", x, p.At.UnixMilli(), p.Partition, p.Former, p.Line))
}

func (x index) parse(after string) (order.Place, error) {
	if after == "" {
		return order.Place{}, nil
	}
	var (
		p  order.Place
		of index
		ms int64
	)
	clear, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil {
		return p, order.ErrPlace
	}
	_, err = fmt.Sscanf(string(clear), "%s %d %d %d %s", &of, &ms, &p.Partition, &p.Former, &p.Line)
	p.At = time.UnixMilli(ms).UTC()
	if err != nil || of != x || !p.Line.Valid() || x.format(p) != after {
		return p, order.ErrPlace
	}
	return p, nil
}
