package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type putTexts struct {
	rest.Precondition
	Body Texts
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putTexts) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckTexts(in.Body.Settings("").Texts), nil)
}

func (a *api) addTexts(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-texts", Method: http.MethodGet, Path: "/v1/texts", Tags: []string{"Texts"},
		Summary:     "Read the texts in the mails of all products",
		Description: "A mail has the product's text in the customer's language (pt-BR, else pt), else yours in it, else the product's in the first of your languages, else yours in that one; where there is none at all, Keypool's own words.",
		Responses:   to.Responses(bodies.SampleTexts, 200),
	}, a.getTexts)
	rest.Register(to, huma.Operation{
		OperationID: "put-texts", Method: http.MethodPut, Path: "/v1/texts", Tags: []string{"Texts"},
		Summary:     "Set the texts in the mails of all products",
		Description: "They stand in the mails of products that have no text of their own in the customer's language: see get-texts. They are checked as a product's are; a text that a product falls back on cannot be taken out. Mails see the change within 30 seconds. You are told by mail of texts that change: the first time in an hour at once, of others when the hour ends.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SampleTexts), Responses: to.Responses(bodies.SampleTexts, 200),
	}, a.putTexts)
}

func (a *api) getTexts(ctx context.Context, _ *struct{}) (*rest.Versioned[Texts], error) {
	t, err := a.texts.Get(ctx, caller(ctx))
	return rest.Found(t.Version, bodies.NewTexts(t)), err
}

func (a *api) putTexts(ctx context.Context, in *putTexts) (*rest.Versioned[Texts], error) {
	t, err := a.texts.Put(ctx, in.Body.Settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(t.Version, bodies.NewTexts(t)), err
}
