package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Pool is a pool's settings and stock.
type Pool struct {
	Name            string   `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	Title           string   `json:"title,omitempty" doc:"For the merchant's own eyes."`
	LowStock        *int     `json:"low_stock,omitempty" minimum:"0" maximum:"10000" doc:"Be told when fewer live keys are left; 0 for never. 10 where left out."`
	ReminderHours   *int     `json:"reminder_hours,omitempty" minimum:"0" maximum:"8760" doc:"Be told again after so many hours while stock is still low; 0 for never. 24 where left out."`
	Shards          *int     `json:"shards,omitempty" minimum:"1" maximum:"64" doc:"How many parts the keys for sale are spread over: 4 carry some 3,000 orders a second. It only ever grows. As it is, or 4, where left out."`
	NoticeAddresses []string `json:"notice_addresses,omitempty" maxItems:"5" doc:"Further mail addresses that are warned when keys run low or are gone, besides your notice address: each by a mail of its own, in which no other address stands. Your notice address is told of a change. None where left out."`
	Live            *Stock   `json:"live,omitempty" readOnly:"true" doc:"Keys for paid orders."`
	Test            *Stock   `json:"test,omitempty" readOnly:"true" doc:"Keys for orders marked as a test."`
}

// Stock is the number of keys in one side of a pool.
type Stock struct {
	Available int        `json:"available" doc:"Keys that can be sold. Exact up to 1,000; beyond it uploads less sales that were mailed since as_of."`
	Claimed   int        `json:"claimed" doc:"Keys that orders hold, or held and let their customers keep."`
	Revoked   int        `json:"revoked" doc:"Keys that orders gave back and that nobody may use."`
	Withdrawn int        `json:"withdrawn" doc:"Keys that were taken out of sale: withdrawn, or blocked. Available, claimed, revoked and withdrawn are all keys that uploads added."`
	Waiting   int        `json:"waiting" doc:"Order lines that wait for keys; counted to 1,000."`
	Sold7     int        `json:"sold_7_days" doc:"Keys that orders took in the last seven days by UTC, today among them. Keys that came back since count all the same. A key is counted once its mail has left."`
	Sold30    int        `json:"sold_30_days" doc:"The same in the last 30 days."`
	SoldByDay []SoldDay  `json:"sold_by_day,omitempty" nullable:"false" doc:"Days of the last 30 on which keys were sold, the first of them first. Not in lists of pools."`
	RunsDry   *RunsDry   `json:"runs_dry,omitempty" doc:"When no key is left if it goes on selling as it did. Not there where none were sold in the last 30 days, or the first of them less than three days ago, or they last for years. What is uploaded meanwhile is not foreseen."`
	AsOf      *time.Time `json:"as_of,omitempty" doc:"When available was last counted key by key. Not there for a pool of more than 1,000 keys that never was: keys are counted once a day, when none are sold for some minutes."`
}

// SoldDay is what a pool sold on a day.
type SoldDay struct {
	Day  string `json:"day" format:"date"`
	Keys int    `json:"keys"`
}

// RunsDry is a range of days.
type RunsDry struct {
	From string `json:"from" format:"date" doc:"By the higher of the rates of the last week and of the last 30 days, each up to yesterday."`
	To   string `json:"to" format:"date" doc:"By the lower one; in five years at the latest."`
}

var samplePool = Pool{
	Name: "elden", Title: "Elden, Steam keys", LowStock: new(25), ReminderHours: new(24), Shards: new(4), NoticeAddresses: []string{"stock@acme.example"},
	Live: &Stock{Available: 842, Claimed: 1158, Sold7: 21, Sold30: 65, SoldByDay: []SoldDay{{"2026-11-09", 44}, {"2026-11-22", 21}}, RunsDry: &RunsDry{"2027-05-23", "2027-08-30"}, AsOf: new(time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))},
	Test: &Stock{Available: 5, AsOf: new(time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC))},
}

// settable returns the part of a pool that a request can set.
func (p Pool) settable() Pool { p.Name, p.Live, p.Test = "", nil, nil; return p }

func newPool(p settings.PoolStock) Pool {
	return Pool{
		Name: p.Name, Title: p.Title, LowStock: new(p.LowStock),
		ReminderHours: new(int(p.Reminder / time.Hour)), Shards: new(p.Shards), NoticeAddresses: p.NoticeAddresses,
		Live: newStock(p.Live, p.At), Test: newStock(p.Test, p.At),
	}
}

func newStock(s catalog.Stock, now time.Time) *Stock {
	shown := Stock{
		Available: s.Available, Claimed: s.Claimed, Revoked: s.Revoked, Withdrawn: s.Withdrawn, Waiting: s.Waiting,
		Sold7: s.Sold.In(7, now), Sold30: s.Sold.In(catalog.SoldDays, now),
	}
	for i := catalog.SoldDays - 1; i >= 0; i-- {
		if day := catalog.Day(now, -i); s.Sold[day] > 0 {
			shown.SoldByDay = append(shown.SoldByDay, SoldDay{day, s.Sold[day]})
		}
	}
	if dry, ok := s.RunsDry(now); ok {
		shown.RunsDry = &RunsDry{catalog.Day(dry.From, 0), catalog.Day(dry.To, 0)}
	}
	if !s.AsOf.IsZero() {
		shown.AsOf = new(s.AsOf.UTC().Truncate(time.Millisecond))
	}
	return &shown
}

type PoolPath struct {
	Pool string `path:"pool" maxLength:"63" doc:"Name of the pool: lower-case letters, digits and hyphens." example:"elden"`
}

type putPool struct {
	PoolPath
	rest.Precondition
	Body Pool
}

// settings returns the pool that a request describes.
func (in *putPool) settings(merchant string) catalog.Pool {
	p := catalog.Pool{
		Merchant: merchant, Name: in.Pool, Title: in.Body.Title,
		LowStock: or(in.Body.LowStock, catalog.DefaultLowStock),
		Reminder: time.Duration(or(in.Body.ReminderHours, int(catalog.DefaultReminder/time.Hour))) * time.Hour,
		Shards:   or(in.Body.Shards, 0),
	}
	if len(in.Body.NoticeAddresses) > 0 {
		p.NoticeAddresses = in.Body.NoticeAddresses
	}
	return p
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putPool) Resolve(huma.Context) []error {
	p := in.settings("")
	p.Shards = or(in.Body.Shards, pool.DefaultShards)
	return rest.Mistakes(settings.CheckPool(p), rest.InPath{"name": "pool"})
}

type deletePool struct {
	PoolPath
	Force bool `query:"force" doc:"Delete it although it holds keys for sale, or lines wait for it: both are there again once there is a pool of that name."`
	rest.Precondition
}

// PoolList is one page of the merchant's pools.
type PoolList struct {
	Items []Pool `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

func (a *api) addPools(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-pools", Method: http.MethodGet, Path: "/v1/pools", Tags: []string{"Pools"},
		Summary:     "List the pools, by name, with what is in them",
		Description: "Every number is counted for the answer, as get-pool does. So a page has ten pools of 4 shards at most, whatever limit says: fewer of more shards, more of fewer. Go on where there is a next.",
		Responses:   to.Responses(PoolList{Items: []Pool{samplePool}}, 200),
	}, a.listPools)
	rest.Register(to, huma.Operation{
		OperationID: "put-pool", Method: http.MethodPut, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:     "Create a pool, or change its settings",
		Description: "What the body leaves out becomes the default. Key files that came before their pool are read once it is created.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(samplePool.settable()), Responses: to.Responses(samplePool, 200, 201),
	}, a.putPool)
	rest.Register(to, huma.Operation{
		OperationID: "get-pool", Method: http.MethodGet, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary: "Read a pool's settings and what is in it",
		Errors:  []int{404}, Responses: to.Responses(samplePool, 200),
	}, a.getPool)
	rest.Register(to, huma.Operation{
		OperationID: "delete-pool", Method: http.MethodDelete, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:     "Delete a pool that is empty and unused",
		Description: "409 while it holds keys for sale or lines wait for it, unless force says so, and while a product or the merchant's default names it. Keys that were sold stay with their orders.",
		Errors:      []int{404, 409, 412, 428},
	}, a.deletePool)
	rest.Register(to, huma.Operation{
		OperationID: "create-upload", Method: http.MethodPost, Path: "/v1/pools/{pool}/uploads", Tags: []string{"Uploads"},
		Summary:     "Get an address to put a key file to",
		Description: "The address takes one file, of the size that was said, within 15 minutes. The file is read as soon as it is there; its report shows among the uploads.",
		Errors:      []int{404}, DefaultStatus: http.StatusCreated,
		RequestBody: rest.Request(sampleNewUpload), Responses: to.Responses(sampleTicket, 201),
	}, a.createUpload)
	a.addPoolKeys(to)
	a.addPoolMove(to)
	a.addPoolExport(to)
	a.addReadings(to)
}

func (a *api) listPools(ctx context.Context, in *rest.Page) (*rest.Body[PoolList], error) {
	pools, next, err := a.pools.List(ctx, caller(ctx), in.After, in.Limit)
	out := PoolList{Items: []Pool{}, Next: next}
	for _, p := range pools {
		shown := newPool(p)
		shown.Live.SoldByDay, shown.Test.SoldByDay = nil, nil
		out.Items = append(out.Items, shown)
	}
	return &rest.Body[PoolList]{Body: out}, err
}

func (a *api) putPool(ctx context.Context, in *putPool) (*rest.Versioned[Pool], error) {
	p, created, err := a.pools.Put(ctx, in.settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Stored(p.Version, created, newPool(p)), err
}

func (a *api) getPool(ctx context.Context, in *PoolPath) (*rest.Versioned[Pool], error) {
	p, err := a.pools.Get(ctx, caller(ctx), in.Pool)
	return rest.Found(p.Version, newPool(p)), err
}

func (a *api) deletePool(ctx context.Context, in *deletePool) (*struct{}, error) {
	return nil, a.pools.Delete(ctx, access.From(ctx), in.Pool, in.Force, in.Condition())
}
