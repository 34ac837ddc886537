package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

// Codes are what orders of a product get whose mode is shared.
type Codes struct {
	Code     string `json:"code,omitempty" doc:"What every paid order gets: one line of up to 2,048 bytes, a link too. Left out, it stays as it is. Never read back."`
	TestCode string `json:"test_code,omitempty" doc:"What test orders get; another than code. Left out, it stays as it is. Never read back."`
}

var (
	sampleCodes    = Codes{Code: "ELDEN-FRIENDS-2026", TestCode: "ELDEN-TEST"}
	sampleCodesSet = CodesSet{
		Code:     &CodeSet{KeyID: "acme#live#q4ZcX1uXK8s3yTj1o7m0WzVb9LrNfGhE2dYpAe6iUtM", SetAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
		TestCode: &CodeSet{KeyID: "acme#test#Jm2vN7bQx0cRz5sKfHd8WyUaTgLp3oE1iB6nX9kVjM4", SetAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
	}
)

// sides returns the codes that a request has, by their sides.
func (c Codes) sides() map[pool.Side]string {
	codes := map[pool.Side]string{}
	if c.Code != "" {
		codes[pool.Live] = c.Code
	}
	if c.TestCode != "" {
		codes[pool.Test] = c.TestCode
	}
	return codes
}

// CodePath names a product whose code it is.
type CodePath struct {
	Product string `path:"product" maxLength:"128" doc:"The product's id, as the platform writes it; no question mark." example:"demo"`
}

type putCode struct {
	CodePath
	rest.Precondition
	Body Codes
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putCode) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckCodes(in.Body.sides()), nil)
}

type deleteCode struct {
	CodePath
	Side string `query:"side" enum:"live,test" doc:"Which code; both where left out."`
	rest.Precondition
}

// addCodes is not below /v1/products: a product's id may end in anything.
func (a *api) addCodes(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "put-code", Method: http.MethodPut, Path: "/v1/codes/{product}", Tags: []string{"Products"},
		Summary:     "Set the code that every order of a product gets",
		Description: "One code for everybody, which is not used up: for a product whose keys have the mode shared. Every order line gets it once, however many units it has. When this is answered, no order that comes gets the former code; what was sold keeps it, and is mailed it again by resend-order. Orders that waited for a code get it by themselves. The product's ETag is what If-Match takes, for its first code too, since the product is there. Of a product of another mode the code is kept until the mode is shared.\n\n409 if the text is that of a key already: in a pool, sold, withdrawn, blocked, the code of another product, or of the other side. A file that brings the text later is told that it is a code. To block a code that leaked, block-keys; then set another here. The merchant is told by mail.",
		Errors:      []int{404, 409, 412, 428},
		RequestBody: rest.Request(sampleCodes), Responses: to.Responses(sampleCodesSet, 200),
	}, a.putCode)
	rest.Register(to, huma.Operation{
		OperationID: "get-code", Method: http.MethodGet, Path: "/v1/codes/{product}", Tags: []string{"Products"},
		Summary:     "Say whether a product has a code",
		Description: "When each was set. No text is answered. A product without codes of its own has those of its original. The ETag is the product's.",
		Errors:      []int{404},
		Responses:   to.Responses(sampleCodesSet, 200),
	}, a.getCode)
	rest.Register(to, huma.Operation{
		OperationID: "delete-code", Method: http.MethodDelete, Path: "/v1/codes/{product}", Tags: []string{"Products"},
		Summary:     "Take the code of a product off sale",
		Description: "When this is answered, no order that comes gets it: orders wait, as of a product that no pool feeds, until there is another. What was sold keeps it. It may be set again, here or of another product.",
		Errors:      []int{404, 409, 412, 428},
	}, a.deleteCode)
}

func (a *api) getCode(ctx context.Context, in *CodePath) (*rest.Versioned[CodesSet], error) {
	p, err := a.products.Get(ctx, caller(ctx), in.Product)
	return rest.Found(p.Version, bodies.NewCodes(p)), err
}

func (a *api) putCode(ctx context.Context, in *putCode) (*rest.Versioned[CodesSet], error) {
	p, err := a.codes.Set(ctx, access.From(ctx), in.Product, in.Body.sides(), in.Condition())
	return rest.Found(p.Version, bodies.NewCodes(p)), err
}

func (a *api) deleteCode(ctx context.Context, in *deleteCode) (*struct{}, error) {
	sides := pool.Sides[:]
	if in.Side != "" {
		sides = []pool.Side{pool.Side(in.Side)}
	}
	return nil, a.codes.Remove(ctx, access.From(ctx), in.Product, sides, in.Condition())
}
