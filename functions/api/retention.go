package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type putRetention struct {
	rest.Precondition
	Body Retention
}

func (a *api) addRetention(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-retention", Method: http.MethodGet, Path: "/v1/retention", Tags: []string{"Orders"},
		Summary:     "Read how long customers are kept",
		Description: "The job retention says how many lines were erased since it was set.",
		Responses:   to.Responses(bodies.SampleRetention, 200),
	}, a.getRetention)
	rest.Register(to, huma.Operation{
		OperationID: "put-retention", Method: http.MethodPut, Path: "/v1/retention", Tags: []string{"Orders"},
		Summary:     "Set how long customers are kept",
		Description: "Once a day, the customers of lines are erased that nothing has happened to for so many days, as erase-customer does: the first time within minutes, of all orders there ever were. A line that owes its customer something is left until it does not. The days are counted from what happened last: of a line whose keys are mailed again, from then. The job retention does it.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SampleRetention), Responses: to.Responses(bodies.SampleRetention, 200),
	}, a.putRetention)
}

func (a *api) getRetention(ctx context.Context, _ *struct{}) (*rest.Versioned[Retention], error) {
	r, err := a.retention.Get(ctx, caller(ctx))
	return rest.Found(r.Version, bodies.NewRetention(r)), err
}

func (a *api) putRetention(ctx context.Context, in *putRetention) (*rest.Versioned[Retention], error) {
	r, err := a.retention.Put(ctx, in.Body.Settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(r.Version, bodies.NewRetention(r)), err
}
