package main

import (
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/notice"
)

// A new merchant's first owner is invited by mail; a second call changes nothing.
func TestOwners_first(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.send(resttest.Event(t, "good_operator_merchant")).Want(201)
	var made Owner
	for range 2 {
		w.call("POST", "/v1/merchants/acme/owners", Owner{Name: "Ada Byron", Email: "ada@acme.example"}).Want(201).Into(&made)
		if made != sampleOwner {
			t.Errorf("%+v", made)
		}
	}
	people, version, err := w.store.People(t.Context(), "acme")
	if err != nil || len(people) != 1 || people[0].Role != access.Owner || version != 1 {
		t.Errorf("%+v at %d, %v", people, version, err)
	}
	n, ok, err := w.store.Notice(t.Context(), notice.New("acme", notice.Invitation, access.HashName("ada@acme.example")[:32]+"#"+notice.Day(noon), notice.Facts{}, noon).ID)
	if err != nil || !ok || n.To != "ada@acme.example" {
		t.Errorf("%+v, %v, %v", n, ok, err)
	}

	// Whoever works there already becomes an owner, whatever the name in the call.
	support := access.Person{Merchant: "acme", ID: "eve", Name: "Eve", Address: "Eve@acme.example", Role: access.Support}
	if err := w.store.PutPerson(t.Context(), version, support, ""); err != nil {
		t.Fatal(err)
	}
	w.call("POST", "/v1/merchants/acme/owners", Owner{Name: "Somebody", Email: "eve@acme.example"}).Want(201)
	if eve, _, err := w.store.Person(t.Context(), "acme", "eve"); err != nil || eve.Role != access.Owner || eve.Name != "Eve" {
		t.Errorf("%+v, %v", eve, err)
	}
	w.call("POST", "/v1/merchants/nobody/owners", Owner{Name: "Ada", Email: "ada@acme.example"}).Want(404)
	w.call("POST", "/v1/merchants/acme/owners", Owner{Name: "", Email: "ada"}).Want(422)
}

func TestHelp_opensAPortal(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.send(resttest.Event(t, "good_operator_merchant")).Want(201)
	var opened OpenedPortal
	w.call("POST", "/v1/merchants/acme/help", Help{Reason: "You asked."}).Want(201).Into(&opened)
	name, ok := strings.CutPrefix(opened.Address, "https://keypool.example"+access.HelpPath)
	if !ok || !opened.EndsAt.Equal(noon.Add(time.Hour)) || !opened.GoodUntil.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("%+v", opened)
	}
	r, err := w.store.SignIn(t.Context(), access.HashName(name))
	if err != nil || !r.Good(noon) || r.By != "the operator" || r.People[0] != access.HelpOf("acme") {
		t.Errorf("%+v, %v", r, err)
	}
	w.call("POST", "/v1/merchants/nobody/help", Help{}).Want(404)
	w.call("POST", "/v1/merchants/acme/help", Help{Reason: "two\nlines"}).Want(422)
}
