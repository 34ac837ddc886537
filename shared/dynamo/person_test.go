package dynamo_test

import (
	"errors"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
)

// A person is changed or removed by who saw all people as they are: of two owners who were
// checked against each other, one alone goes.
func TestPeople_changeUnderOneLock(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	for i, id := range []string{"ada", "grace"} {
		if err := store.PutPerson(t.Context(), i, access.Person{Merchant: "acme", ID: id, Role: access.Owner}, ""); err != nil {
			t.Fatal(err)
		}
	}
	people, version, err := store.People(t.Context(), "acme")
	if err != nil || len(people) != 2 {
		t.Fatalf("%+v, %v", people, err)
	}
	if err := store.DeletePerson(t.Context(), version, people[0]); err != nil {
		t.Fatal(err)
	}
	if err := store.DeletePerson(t.Context(), version, people[1]); !errors.Is(err, catalog.ErrRosterChanged) {
		t.Errorf("the other owner is removed too: %v", err)
	}
	people[1].Role = access.Support
	if err := store.PutPerson(t.Context(), version, people[1], people[1].Address); !errors.Is(err, catalog.ErrRosterChanged) {
		t.Errorf("the other owner becomes support: %v", err)
	}
	if people, _, err := store.People(t.Context(), "acme"); err != nil || len(people) != 1 || people[0].Role != access.Owner {
		t.Errorf("left: %+v, %v", people, err)
	}
}
