package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type putReview struct {
	rest.Precondition
	Body ReviewSettings
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putReview) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckReview(in.Body.Settings("")), nil)
}

func (a *api) addReview(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-review", Method: http.MethodGet, Path: "/v1/review", Tags: []string{"Review"},
		Summary:     "Read the rules of review, and the brake",
		Description: "Rules say which order lines are put on hold until somebody releases or rejects them. Orders over 100 keys are held where no rule says otherwise.",
		Responses:   to.Responses(bodies.SampleReview, 200),
	}, a.getReview)
	rest.Register(to, huma.Operation{
		OperationID: "put-review", Method: http.MethodPut, Path: "/v1/review", Tags: []string{"Review"},
		Summary:     "Set the rules of review",
		Description: "What the body leaves out becomes the default. New orders see the change within 30 seconds. What is on hold stays so. The brake is not changed: see set-brake.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SampleReview.Settable()), Responses: to.Responses(bodies.SampleReview, 200),
	}, a.putReview)
}

func (a *api) getReview(ctx context.Context, _ *struct{}) (*rest.Versioned[ReviewSettings], error) {
	r, err := a.review.Get(ctx, caller(ctx))
	return rest.Found(r.Version, bodies.NewReview(r)), err
}

func (a *api) putReview(ctx context.Context, in *putReview) (*rest.Versioned[ReviewSettings], error) {
	r, err := a.review.Put(ctx, in.Body.Settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(r.Version, bodies.NewReview(r)), err
}

func (a *api) addBrake(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-brake", Method: http.MethodGet, Path: "/v1/brake", Tags: []string{"Review"},
		Summary:     "Read whether the brake is set",
		Description: "Who set it last, and who took it off since.",
		Responses:   to.Responses(bodies.SampleOff, 200),
	}, a.getBrake)
	rest.Register(to, huma.Operation{
		OperationID: "set-brake", Method: http.MethodPost, Path: "/v1/brake", Tags: []string{"Review"},
		Summary:     "Set the brake",
		Description: "Every live order line is put on hold before it gets keys, 30 seconds later at the latest. Keys that were sent are sent. A brake that is set stays as it is.",
		Responses:   to.Responses(bodies.SampleBrake, 200),
	}, a.setBrake)
	rest.Register(to, huma.Operation{
		OperationID: "release-brake", Method: http.MethodDelete, Path: "/v1/brake", Tags: []string{"Review"},
		Summary:     "Take the brake off",
		Description: "What it holds stays on hold until somebody releases or rejects it: see release-held. get-brake says who took it off. A brake that is off stays as it is.",
	}, a.releaseBrake)
}

func (a *api) getBrake(ctx context.Context, _ *struct{}) (*rest.Body[Brake], error) {
	r, err := a.review.Get(ctx, caller(ctx))
	return &rest.Body[Brake]{Body: bodies.NewBrake(r.Brake)}, err
}

func (a *api) setBrake(ctx context.Context, _ *struct{}) (*rest.Body[Brake], error) {
	b, _, err := a.desk.SetBrake(ctx, caller(ctx), actOf(ctx, "").By)
	return &rest.Body[Brake]{Body: bodies.NewBrake(b)}, err
}

// offReason is what the caller says of taking the brake off.
type offReason struct {
	Reason string `query:"reason" minLength:"1" maxLength:"200" doc:"Why, for get-brake." example:"it was the sale"`
}

func (a *api) releaseBrake(ctx context.Context, in *offReason) (*struct{}, error) {
	act := actOf(ctx, in.Reason)
	_, _, err := a.desk.ReleaseBrake(ctx, caller(ctx), act.By, act.Why)
	return nil, err
}

// HeldLine is an order line that a rule holds.
type HeldLine struct {
	ID         string    `json:"id" doc:"Keypool's name for the line."`
	Order      string    `json:"order"`
	Account    string    `json:"account"`
	Product    string    `json:"product"`
	Title      string    `json:"title,omitempty" doc:"The product's name as the platform wrote it."`
	Quantity   int       `json:"quantity" doc:"Units paid for."`
	Holds      []string  `json:"holds" nullable:"false" doc:"Why it is on hold, as get-order says it."`
	ReceivedAt time.Time `json:"received_at"`
	HeldAt     time.Time `json:"held_at"`
}

// HeldList is one page of the lines that rules hold.
type HeldList struct {
	Items []HeldLine `json:"items" nullable:"false"`
	Next  string     `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleHeld = HeldList{Items: []HeldLine{{
	ID: "Zx0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRtG3hJkL2n", Order: "A-1001", Account: "shop-eu", Product: "4711", Title: "Elden", Quantity: 120,
	Holds:      []string{string(order.HoldCap)},
	ReceivedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), HeldAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
}}}

// OneSide says which side is meant.
type OneSide struct {
	Test bool `query:"test" doc:"Orders that were marked as a test; paid ones where left out."`
}

func (s OneSide) side() pool.Side {
	if s.Test {
		return pool.Test
	}
	return pool.Live
}

type listHeld struct {
	rest.Page
	OneSide
}

// Decided says what a decision of all lines did.
type Decided struct {
	Done int  `json:"done" doc:"Lines that were released or rejected."`
	Held int  `json:"held,omitempty" doc:"Of those that were released, how many stay on hold for another reason than a rule: a dispute, somebody's hold, a missing mail address, or that they were paid before their account delivers. release-order releases one of them, but from a missing address."`
	Left bool `json:"left" doc:"There are more: send the same again."`
}

// DecideAct is a decision of all lines.
type DecideAct struct {
	Reason
	HeldUntil time.Time `json:"held_until,omitzero" doc:"Leave lines that were held later: nobody has seen them. Now where left out."`
}

type decideHeld struct {
	OneSide
	Body DecideAct
}

var (
	sampleDecide  = DecideAct{Reason: Reason{"a sale"}, HeldUntil: time.Date(2026, 11, 23, 9, 45, 0, 0, time.UTC)}
	sampleDecided = Decided{Done: 200, Left: true}
)

func (a *api) addHeld(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-held", Method: http.MethodGet, Path: "/v1/held", Tags: []string{"Review"},
		Summary:     "List the order lines that rules hold, the oldest first",
		Description: "Lines that a rule of review or the brake holds. release-order and reject-order decide one order, release-held and reject-held all.",
		Responses:   to.Responses(sampleHeld, 200),
	}, a.listHeld)
	for _, one := range []struct {
		verdict              review.Verdict
		summary, description string
	}{
		{review.Release, "Release all order lines that rules hold", "They get their keys, in their old places of the queue, and their mails."},
		{review.Reject, "Reject all order lines that rules hold", "They are given back, without a key. Nothing is paid back: that is the platform's. The customers are not told."},
	} {
		rest.Register(to, huma.Operation{
			OperationID: string(one.verdict) + "-held", Method: http.MethodPost, Path: "/v1/held/" + string(one.verdict), Tags: []string{"Review"},
			Summary: one.summary, Description: one.description + " Up to 200 a call: repeat it while left is true.",
			RequestBody: rest.Request(sampleDecide), Responses: to.Responses(sampleDecided, 200),
		}, func(ctx context.Context, in *decideHeld) (*rest.Body[Decided], error) {
			until := in.Body.HeldUntil
			if until.IsZero() {
				until = a.desk.Now()
			}
			all, err := a.desk.DecideAll(ctx, caller(ctx), in.side(), until, one.verdict, actOf(ctx, in.Body.Reason.Reason))
			return &rest.Body[Decided]{Body: Decided(all)}, err
		})
	}
}

func (a *api) listHeld(ctx context.Context, in *listHeld) (*rest.Body[HeldList], error) {
	held, next, err := a.desk.Held.Held(ctx, caller(ctx), in.side(), in.After, in.Limit)
	out := HeldList{Items: []HeldLine{}, Next: next}
	for _, h := range held {
		line := HeldLine{
			ID: string(h.Line), Order: h.Order, Account: h.Account, Product: h.Product, Title: h.Title, Quantity: h.Quantity,
			Holds: []string{}, ReceivedAt: h.ReceivedAt.UTC(), HeldAt: h.HeldAt.UTC(),
		}
		for _, reason := range h.Reasons {
			line.Holds = append(line.Holds, string(reason))
		}
		out.Items = append(out.Items, line)
	}
	return &rest.Body[HeldList]{Body: out}, err
}
