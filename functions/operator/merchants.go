package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

// Merchant is a merchant's settings.
type Merchant struct {
	Name string `json:"name,omitempty" readOnly:"true" doc:"In addresses and bucket paths."`
	bodies.ShopSettings

	Uploads *Limits `json:"uploads,omitempty" doc:"What the merchant's key files may bring in a day, by UTC. Files beyond it wait for the next day."`
	Calls   int     `json:"calls_per_day,omitempty" minimum:"1" maximum:"100000000" doc:"How many calls of the API the merchant's tokens may make together in a day, by UTC; 100,000 where left out. A call beyond that is 429 until the next day, and the merchant is told once. No webhook counts."`
	Mails   int     `json:"mails_per_day,omitempty" minimum:"1" maximum:"1000000" doc:"How many notices the merchant gets by mail in a day, by UTC; 500 where left out. Beyond that, those that can wait are told together, in one mail when the first is held back and one when the day ends. Customers' mails do not count."`
}

// Limits are those of a day. One that is left out is the default.
type Limits struct {
	Files int   `json:"files,omitempty" minimum:"1" maximum:"1000000" doc:"500 by default."`
	Bytes int64 `json:"bytes,omitempty" minimum:"1" maximum:"1099511627776" doc:"2,147,483,648 by default."`
	Keys  int   `json:"keys,omitempty" minimum:"1" maximum:"1000000000" doc:"12,000,000 by default. A file's are reckoned from its first 64 KiB."`
}

var sampleMerchant = Merchant{
	Name: "acme", ShopSettings: bodies.SampleShop,
	Uploads: &Limits{Files: 500, Bytes: 2 << 30, Keys: 12_000_000}, Calls: catalog.DefaultCalls, Mails: catalog.DefaultMails,
}

// settable returns the part of a merchant that a request can set.
func (m Merchant) settable() Merchant { m.Name = ""; return m }

func newMerchant(m catalog.Merchant) Merchant {
	limits := Limits(m.Uploads.OrDefault())
	return Merchant{
		Name: m.Name, ShopSettings: bodies.NewShop(m),
		Uploads: &limits, Calls: cmp.Or(m.Calls, catalog.DefaultCalls), Mails: cmp.Or(m.Mails, catalog.DefaultMails),
	}
}

type MerchantPath struct {
	Merchant string `path:"merchant" maxLength:"63" doc:"Name of the merchant: lower-case letters, digits and hyphens." example:"acme"`
}

type putMerchant struct {
	MerchantPath
	rest.Precondition
	Body Merchant
}

// settings returns the merchant that a request describes.
func (in *putMerchant) settings() catalog.Merchant {
	m := in.Body.Merchant(in.Merchant)
	if in.Body.Uploads != nil {
		m.Uploads = upload.Limits(*in.Body.Uploads).Own()
	}
	if in.Body.Calls != catalog.DefaultCalls {
		m.Calls = in.Body.Calls
	}
	if in.Body.Mails != catalog.DefaultMails {
		m.Mails = in.Body.Mails
	}
	return m
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putMerchant) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckMerchant(in.settings()), rest.InPath{"name": "merchant"})
}

func (o *operator) addMerchants(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "put-merchant", Method: http.MethodPut, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary:     "Create a merchant, or change its settings",
		Description: "What the body leaves out is emptied. A new default pool lets the lines go on that waited for one. Another notice address is told by mail, to the new and to the former one; another frame to the notice address. The merchant's texts are its own to set, by put-texts.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(sampleMerchant.settable()), Responses: to.Responses(sampleMerchant, 200, 201),
	}, o.putMerchant)
	rest.Register(to, huma.Operation{
		OperationID: "get-merchant", Method: http.MethodGet, Path: "/v1/merchants/{merchant}", Tags: []string{"Merchants"},
		Summary: "Read a merchant's settings",
		Errors:  []int{404}, Responses: to.Responses(sampleMerchant, 200),
	}, o.getMerchant)
	o.addTokens(to)
	o.addPeople(to)
}

func (o *operator) putMerchant(ctx context.Context, in *putMerchant) (*rest.Versioned[Merchant], error) {
	m, created, err := o.merchants.Put(ctx, in.settings(), access.From(ctx), in.Condition())
	return rest.Stored(m.Version, created, newMerchant(m)), err
}

func (o *operator) getMerchant(ctx context.Context, in *MerchantPath) (*rest.Versioned[Merchant], error) {
	m, err := o.merchants.Get(ctx, in.Merchant)
	return rest.Found(m.Version, newMerchant(m)), err
}
