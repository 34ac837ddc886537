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

// Person is somebody who works for the merchant.
type Person struct {
	ID      string    `json:"id,omitempty" readOnly:"true" doc:"Names the person in addresses."`
	Name    string    `json:"name" doc:"As the merchant's mails and the audit trail say it."`
	Email   string    `json:"email" doc:"Mail address of the person's own, to sign in with."`
	Role    string    `json:"role" enum:"owner,manager,support,stock,read" doc:"owner: everything. manager: all but people, secrets and tokens. support: find orders, send their mails again, put them on hold. stock: bring keys, and see what became of the files. read: look at settings and orders."`
	AddedAt time.Time `json:"added_at,omitzero" readOnly:"true"`
}

// PersonList holds all people of the merchant.
type PersonList struct {
	Items []Person `json:"items" nullable:"false"`
}

var samplePerson = Person{
	ID: "ada", Name: "Ada Byron", Email: "ada@acme.example", Role: string(access.Manager), AddedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
}

// settable returns the part of a person that a request can set.
func (p Person) settable() Person { p.ID, p.AddedAt = "", time.Time{}; return p }

func newPerson(p access.Person) Person {
	return Person{ID: p.ID, Name: p.Name, Email: p.Address, Role: string(p.Role), AddedAt: p.AddedAt}
}

type PersonPath struct {
	Person string `path:"person" maxLength:"63" doc:"Id of the person, which whoever adds the person chooses: lower-case letters, digits and hyphens." example:"ada"`
}

type putPerson struct {
	PersonPath
	rest.Precondition
	Body Person
}

func (in *putPerson) person(merchant string) access.Person {
	return access.Person{Merchant: merchant, ID: in.Person, Name: in.Body.Name, Address: in.Body.Email, Role: access.Role(in.Body.Role)}
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putPerson) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckPerson(in.person("")), rest.InPath{"id": "person"})
}

type deletePerson struct {
	PersonPath
	rest.Precondition
}

func (a *api) addPeople(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-people", Method: http.MethodGet, Path: "/v1/people", Tags: []string{"People"},
		Summary:   "List who works here, and in which role",
		Responses: to.Responses(PersonList{Items: []Person{samplePerson}}, 200),
	}, a.listPeople)
	rest.Register(to, huma.Operation{
		OperationID: "put-person", Method: http.MethodPut, Path: "/v1/people/{person}", Tags: []string{"People"},
		Summary:     "Add a person, or change one",
		Description: "The notice address is told of whoever is new, and of another role or address. Another role counts from the next call on. The last owner stays one. A token that stands for a person is the operator's to make.",
		Errors:      []int{409, 412, 428},
		RequestBody: rest.Request(samplePerson.settable()), Responses: to.Responses(samplePerson, 200, 201),
	}, a.putPerson)
	rest.Register(to, huma.Operation{
		OperationID: "get-person", Method: http.MethodGet, Path: "/v1/people/{person}", Tags: []string{"People"},
		Summary: "Read who a person is, and in which role",
		Errors:  []int{404}, Responses: to.Responses(samplePerson, 200),
	}, a.getPerson)
	rest.Register(to, huma.Operation{
		OperationID: "delete-person", Method: http.MethodDelete, Path: "/v1/people/{person}", Tags: []string{"People"},
		Summary:     "Remove a person, with all rights",
		Description: "Tokens that stand for the person are refused from then on, and stay so if somebody is added by this id again. 409 for the last owner.",
		Errors:      []int{404, 409, 412, 428},
	}, a.deletePerson)
}

func (a *api) listPeople(ctx context.Context, _ *struct{}) (*rest.Body[PersonList], error) {
	people, err := a.people.List(ctx, caller(ctx))
	out := PersonList{Items: []Person{}}
	for _, p := range people {
		out.Items = append(out.Items, newPerson(p))
	}
	return &rest.Body[PersonList]{Body: out}, err
}

func (a *api) putPerson(ctx context.Context, in *putPerson) (*rest.Versioned[Person], error) {
	p, created, err := a.people.Put(ctx, in.person(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Stored(p.Version, created, newPerson(p)), err
}

func (a *api) getPerson(ctx context.Context, in *PersonPath) (*rest.Versioned[Person], error) {
	p, err := a.people.Get(ctx, caller(ctx), in.Person)
	return rest.Found(p.Version, newPerson(p)), err
}

func (a *api) deletePerson(ctx context.Context, in *deletePerson) (*struct{}, error) {
	return nil, a.people.Delete(ctx, access.From(ctx), in.Person, in.Condition())
}
