package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type PoolPath struct {
	Pool string `path:"pool" maxLength:"63" doc:"Name of the pool: lower-case letters, digits and hyphens." example:"elden"`
}

type putPool struct {
	PoolPath
	rest.Precondition
	Body Pool
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putPool) Resolve(huma.Context) []error {
	p := in.Body.Settings("", in.Pool)
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
		Responses:   to.Responses(PoolList{Items: []Pool{bodies.SamplePool}}, 200),
	}, a.listPools)
	rest.Register(to, huma.Operation{
		OperationID: "put-pool", Method: http.MethodPut, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary:     "Create a pool, or change its settings",
		Description: "What the body leaves out becomes the default. Key files that came before their pool are read once it is created.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SamplePool.Settable()), Responses: to.Responses(bodies.SamplePool, 200, 201),
	}, a.putPool)
	rest.Register(to, huma.Operation{
		OperationID: "get-pool", Method: http.MethodGet, Path: "/v1/pools/{pool}", Tags: []string{"Pools"},
		Summary: "Read a pool's settings and what is in it",
		Errors:  []int{404}, Responses: to.Responses(bodies.SamplePool, 200),
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
		shown := bodies.NewPool(p)
		shown.Live.SoldByDay, shown.Test.SoldByDay = nil, nil
		out.Items = append(out.Items, shown)
	}
	return &rest.Body[PoolList]{Body: out}, err
}

func (a *api) putPool(ctx context.Context, in *putPool) (*rest.Versioned[Pool], error) {
	p, created, err := a.pools.Put(ctx, in.Body.Settings(caller(ctx), in.Pool), access.From(ctx), in.Condition())
	return rest.Stored(p.Version, created, bodies.NewPool(p)), err
}

func (a *api) getPool(ctx context.Context, in *PoolPath) (*rest.Versioned[Pool], error) {
	p, err := a.pools.Get(ctx, caller(ctx), in.Pool)
	return rest.Found(p.Version, bodies.NewPool(p)), err
}

func (a *api) deletePool(ctx context.Context, in *deletePool) (*struct{}, error) {
	return nil, a.pools.Delete(ctx, access.From(ctx), in.Pool, in.Force, in.Condition())
}
