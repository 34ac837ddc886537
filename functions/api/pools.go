package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/catalog/check"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Pool is the settings of a pool, and what is in it.
type Pool struct {
	Name          string `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	Title         string `json:"title,omitempty" doc:"For the merchant's own eyes."`
	LowStock      *int   `json:"low_stock,omitempty" minimum:"0" maximum:"10000" doc:"Be told when fewer live keys are left; 0 for never. 10 where left out."`
	ReminderHours *int   `json:"reminder_hours,omitempty" minimum:"0" maximum:"8760" doc:"Be told again after so many hours while stock is still low; 0 for never. 24 where left out."`
	Shards        *int   `json:"shards,omitempty" minimum:"1" maximum:"64" doc:"How many parts the keys for sale are spread over: 4 carry some 3,000 orders a second. It only ever grows. As it is, or 4, where left out."`
	Live          *Stock `json:"live,omitempty" readOnly:"true" doc:"Keys for paid orders."`
	Test          *Stock `json:"test,omitempty" readOnly:"true" doc:"Keys for orders marked as a test."`
}

// Stock counts one side of a pool.
type Stock struct {
	Available int       `json:"available" doc:"Keys that can be sold. Exact up to 1,000; beyond it as of as_of."`
	Claimed   int       `json:"claimed" doc:"Keys that orders hold."`
	Revoked   int       `json:"revoked" doc:"Keys that were taken back from orders."`
	Waiting   int       `json:"waiting" doc:"Order lines that wait for keys; counted to 1,000."`
	AsOf      time.Time `json:"as_of" doc:"When available was exact."`
}

var samplePool = Pool{
	Name: "elden", Title: "Elden, Steam keys", LowStock: new(25), ReminderHours: new(24), Shards: new(4),
	Live: &Stock{Available: 842, Claimed: 1158, AsOf: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
	Test: &Stock{Available: 5, AsOf: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
}

// settings is what a request can set of it.
func (p Pool) settings() Pool { p.Name, p.Live, p.Test = "", nil, nil; return p }

func newPool(p catalog.Pool) Pool {
	return Pool{
		Name: p.Name, Title: p.Title, LowStock: new(p.LowStock),
		ReminderHours: new(int(p.Reminder / time.Hour)), Shards: new(p.Shards),
	}
}

func newStock(s catalog.Stock) *Stock {
	return &Stock{Available: s.Available, Claimed: s.Claimed, Revoked: s.Revoked, Waiting: s.Waiting, AsOf: s.AsOf.UTC().Truncate(time.Millisecond)}
}

// over returns the stored pool with these settings instead of its own.
func (p Pool) over(stored catalog.Pool) catalog.Pool {
	shards := stored.Shards
	if shards == 0 {
		shards = pool.DefaultShards
	}
	stored.Title = p.Title
	stored.LowStock = or(p.LowStock, catalog.DefaultLowStock)
	stored.Reminder = time.Duration(or(p.ReminderHours, int(catalog.DefaultReminder/time.Hour))) * time.Hour
	stored.Shards = or(p.Shards, shards)
	return stored
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

type PoolPath struct {
	Pool string `path:"pool" maxLength:"63" doc:"Name of the pool: lower-case letters, digits and hyphens." example:"elden"`
}

type putPool struct {
	PoolPath
	Precondition
	Body Pool
}

// Resolve adds what is wrong with the settings to what is wrong with their form.
func (in *putPool) Resolve(huma.Context) []error {
	return located(check.Pool(in.Body.over(catalog.Pool{Name: in.Pool})), "pool")
}

type deletePool struct {
	PoolPath
	Precondition
}

type poolAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match."`
	Body   Pool
}

// PoolList is one page of the merchant's pools.
type PoolList struct {
	Items []Pool `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

type poolListAnswer struct{ Body PoolList }

func (a *api) pools() {
	register(a, huma.Operation{
		OperationID: "list-pools", Method: http.MethodGet, Path: "/v1/pools", Tags: []string{"Pools"},
		Summary:  "List the pools, by name, with what is in them",
		Security: byMerchant, Errors: []int{401},
		Responses: a.answers(PoolList{Items: []Pool{samplePool}}, 200),
	}, a.listPools)
	register(a, huma.Operation{
		OperationID: "put-pool", Method: http.MethodPut, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:     "Create a pool, or change its settings",
		Description: "What the body leaves out becomes the default. Key files that came before their pool are read once it is created.",
		Security:    byMerchant, Errors: []int{401, 412, 428},
		RequestBody: body(samplePool.settings()), Responses: a.answers(samplePool, 200, 201),
	}, a.putPool)
	register(a, huma.Operation{
		OperationID: "get-pool", Method: http.MethodGet, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:  "Read a pool's settings and what is in it",
		Security: byMerchant, Errors: []int{401, 404},
		Responses: a.answers(samplePool, 200),
	}, a.getPool)
	register(a, huma.Operation{
		OperationID: "delete-pool", Method: http.MethodDelete, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:     "Delete a pool that is empty and unused",
		Description: "409 while it holds keys for sale, lines wait for it, or a product or the merchant's default names it. Keys that were sold stay with their orders.",
		Security:    byMerchant, Errors: []int{401, 404, 409, 412, 428},
	}, a.deletePool)
	register(a, huma.Operation{
		OperationID: "create-upload", Method: http.MethodPost, Path: "/v1/pools/{pool}/uploads", Tags: []string{"Uploads"},
		Summary:     "Get an address to put a key file to",
		Description: "The file is read as soon as it is there; its report shows among the uploads.",
		Security:    byMerchant, Errors: []int{401, 404}, DefaultStatus: http.StatusCreated,
		RequestBody: body(sampleNewUpload), Responses: a.answers(sampleTicket, 201),
	}, a.createUpload)
}

// poolsAtOnce bounds the pools of a page whose keys are counted together.
const poolsAtOnce = 8

func (a *api) listPools(ctx context.Context, in *page) (*poolListAnswer, error) {
	stored, err := a.store.Pools(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	out := &poolListAnswer{PoolList{Items: []Pool{}}}
	var counting errgroup.Group
	counting.SetLimit(poolsAtOnce)
	chosen := make([]catalog.Pool, 0, in.Limit)
	for _, p := range stored {
		if p.Name <= in.After {
			continue
		}
		if len(chosen) == in.Limit {
			out.Body.Next = chosen[len(chosen)-1].Name
			break
		}
		chosen = append(chosen, p)
	}
	out.Body.Items = make([]Pool, len(chosen))
	for i, p := range chosen {
		counting.Go(func() (err error) {
			out.Body.Items[i], err = a.counted(ctx, p)
			return err
		})
	}
	return out, counting.Wait()
}

// counted returns a pool with what is in it.
func (a *api) counted(ctx context.Context, p catalog.Pool) (Pool, error) {
	body := newPool(p)
	var counting errgroup.Group
	for side, to := range map[pool.Side]**Stock{pool.Live: &body.Live, pool.Test: &body.Test} {
		counting.Go(func() error {
			stock, err := a.store.Stock(ctx, pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}, p.Shards, a.now())
			*to = newStock(stock)
			return err
		})
	}
	err := counting.Wait()
	return body, err
}

func (a *api) putPool(ctx context.Context, in *putPool) (*poolAnswer, error) {
	before, _, err := a.store.Pool(ctx, caller(ctx), in.Pool)
	if err != nil {
		return nil, err
	}
	before.Merchant, before.Name = caller(ctx), in.Pool
	next := in.Body.over(before)
	same := before.Version > 0 && next == before
	if err := in.check(before.Version, same); err != nil {
		return nil, err
	}
	if next.Shards < before.Shards {
		return nil, invalid([]check.Problem{{
			Path: "shards", Message: fmt.Sprintf("keys stand in all %d of them, so that it can only grow", before.Shards),
		}})
	}
	if !same {
		if err := a.store.PutPool(ctx, next); err != nil {
			return nil, err
		}
		next.Version++
	}
	if before.Version == 0 {
		a.takeUp(ctx, next)
	}
	body, err := a.counted(ctx, next)
	if err != nil {
		return nil, err
	}
	return &poolAnswer{created(before.Version), etag(next.Version), body}, nil
}

// takeUp sets on its way what waited for a pool: key files that came before it,
// and lines of products that name it since it was there before. The pool is
// made, whatever becomes of this: the sweep sends again what is lost here.
func (a *api) takeUp(ctx context.Context, p catalog.Pool) {
	parked, err := a.store.Parked(ctx, p.Merchant, p.Name)
	for _, id := range parked {
		if sent := a.ranges.Send(ctx, upload.Resume(p.Merchant, id), 0); sent != nil {
			err = sent
		}
	}
	if err != nil {
		slog.WarnContext(ctx, "parked uploads are left to the sweep", "merchant", p.Merchant, "pool", p.Name, "error", err)
	}
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		id := pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}
		if err := a.fill.Send(ctx, order.FillPool(id), fillAfter); err != nil {
			slog.WarnContext(ctx, "waiting lines are left to the sweep", "merchant", p.Merchant, "pool", p.Name, "error", err)
		}
	}
	a.fillProducts(ctx, p.Merchant, func(product catalog.Product) bool { return feeds(p.Name, product) })
}

func (a *api) getPool(ctx context.Context, in *PoolPath) (*poolAnswer, error) {
	p, ok, err := a.store.Pool(ctx, caller(ctx), in.Pool)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	body, err := a.counted(ctx, p)
	if err != nil {
		return nil, err
	}
	return &poolAnswer{http.StatusOK, etag(p.Version), body}, nil
}

func (a *api) deletePool(ctx context.Context, in *deletePool) (*struct{}, error) {
	merchant := caller(ctx)
	p, ok, err := a.store.Pool(ctx, merchant, in.Pool)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing()
	}
	if err := in.check(p.Version, false); err != nil {
		return nil, err
	}
	reasons, err := a.usesOf(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(reasons) > 0 {
		return nil, refusal(http.StatusConflict, "The pool is in use: "+strings.Join(reasons, "; ")+".")
	}
	return nil, a.store.DeletePool(ctx, merchant, p.Name, p.Version)
}

// usesOf says what a pool is still needed for. What comes to it between this and
// its deletion is not lost: keys and lines wait for a pool of its name.
func (a *api) usesOf(ctx context.Context, p catalog.Pool) ([]string, error) {
	var reasons []string
	counts, err := a.counted(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, side := range []struct {
		name  pool.Side
		stock *Stock
	}{{pool.Live, counts.Live}, {pool.Test, counts.Test}} {
		if side.stock.Available > 0 {
			reasons = append(reasons, fmt.Sprintf("its %s side holds keys for sale (%d)", side.name, side.stock.Available))
		}
		if side.stock.Waiting > 0 {
			reasons = append(reasons, fmt.Sprintf("order lines wait for its %s side (%d)", side.name, side.stock.Waiting))
		}
	}
	m, _, err := a.store.Merchant(ctx, p.Merchant)
	if err != nil {
		return nil, err
	}
	if m.DefaultPool == p.Name {
		reasons = append(reasons, "it is the merchant's default pool")
	}
	products, err := a.store.Products(ctx, p.Merchant, "", 0)
	if err != nil {
		return nil, err
	}
	for _, product := range products {
		if feeds(p.Name, product) {
			reasons = append(reasons, fmt.Sprintf("the product %q names it", product.ID))
			break
		}
	}
	return reasons, nil
}
