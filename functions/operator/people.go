package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Owner is somebody who may do everything at a merchant.
type Owner struct {
	ID    string `json:"id,omitempty" readOnly:"true" doc:"Names the person at the merchant; made of the name."`
	Name  string `json:"name" doc:"As the merchant's mails and the audit trail say it."`
	Email string `json:"email" doc:"Mail address of the person's own, to sign in with."`
}

var sampleOwner = Owner{ID: "ada-byron", Name: "Ada Byron", Email: "ada@acme.example"}

// settable returns the part of an owner that a request can set.
func (p Owner) settable() Owner { p.ID = ""; return p }

type makeOwner struct {
	MerchantPath
	Body Owner
}

func (in *makeOwner) person() access.Person {
	return access.Person{Merchant: in.Merchant, ID: "new", Name: in.Body.Name, Address: in.Body.Email, Role: access.Owner}
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *makeOwner) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckPerson(in.person()), rest.InPath{})
}

// Help is what the operator says of opening a merchant's portal.
type Help struct {
	Reason string `json:"reason,omitempty" doc:"Why, in a line that the merchant reads."`
}

// OpenedPortal is a merchant's portal that is open for the operator.
type OpenedPortal struct {
	Address   string    `json:"address" doc:"Opens the portal in a browser, once. Whoever has it is in: give it to nobody."`
	GoodUntil time.Time `json:"good_until" doc:"The address is refused from then on."`
	EndsAt    time.Time `json:"ends_at" doc:"The portal is closed again then."`
}

var (
	sampleHelp   = Help{Reason: "You asked us to load keys."}
	sampleOpened = OpenedPortal{
		Address:   "https://keypool.example.com/portal/sign-in/help/m3TqYvB0sX9nK4rLwZ7cHd2PfJ6gU1aE8oViQtRyNbM",
		GoodUntil: time.Date(2026, 11, 23, 9, 40, 0, 0, time.UTC), EndsAt: time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC),
	}
)

type openPortal struct {
	MerchantPath
	Body Help
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *openPortal) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckHelp(in.Body.Reason), rest.InPath{})
}

func (o *operator) addPeople(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "make-owner", Method: http.MethodPost, Path: "/v1/merchants/{merchant}/owners", Tags: []string{"People"},
		Summary:     "Make somebody an owner of a merchant, such as its first one",
		Description: "Whoever has the address there already becomes an owner; else a person of the name is added, and invited to the Merchant Portal by mail. The notice address is told. Owners add all other people. A second call changes nothing.",
		Errors:      []int{404}, DefaultStatus: http.StatusCreated,
		RequestBody: rest.Request(sampleOwner.settable()), Responses: to.Responses(sampleOwner, 201),
	}, o.makeOwner)
	rest.Register(to, huma.Operation{
		OperationID: "open-portal", Method: http.MethodPost, Path: "/v1/merchants/{merchant}/help", Tags: []string{"People"},
		Summary:     "Open a merchant's portal for an hour, to help there",
		Description: "The address is shown this once, and good once, for ten minutes. Behind it the operator may do what an owner may, until the hour is over. The notice address and the owners (the first 50) are told by mail at once, it stands in the audit trail, as all that is done there, and an owner can end it. An owner who is locked out gets another address by it.",
		Errors:      []int{404}, DefaultStatus: http.StatusCreated,
		RequestBody: rest.Request(sampleHelp), Responses: to.Responses(sampleOpened, 201),
	}, o.openPortal)
}

func (o *operator) makeOwner(ctx context.Context, in *makeOwner) (*rest.Body[Owner], error) {
	if _, err := o.merchants.Get(ctx, in.Merchant); err != nil {
		return nil, err
	}
	p, err := o.people.Owner(ctx, in.person(), access.From(ctx))
	return &rest.Body[Owner]{Body: Owner{p.ID, p.Name, p.Address}}, err
}

func (o *operator) openPortal(ctx context.Context, in *openPortal) (*rest.Body[OpenedPortal], error) {
	opened, err := o.help.Open(ctx, access.From(ctx), in.Merchant, in.Body.Reason)
	return &rest.Body[OpenedPortal]{Body: OpenedPortal(opened)}, err
}
