package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// personItem is somebody who works at a merchant.
type personItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Version int    `dynamodbav:"version"`
	Name    string `dynamodbav:"name"`
	Address string `dynamodbav:"address"`
	Role    string `dynamodbav:"role"`
	AddedAt int64  `dynamodbav:"addedAt"`
}

func (i personItem) person() access.Person {
	return access.Person{
		Merchant: i.merchant(), ID: i.after(personSort), Version: i.Version, Name: i.Name, Address: i.Address, Role: access.Role(i.Role), AddedAt: at(i.AddedAt),
	}
}

// Person implements access.PersonFinder: one consistent read.
func (s *Store) Person(ctx context.Context, merchant, id string) (access.Person, bool, error) {
	item, ok, err := getAs[personItem](ctx, s, s.tables.Catalog, personKey(merchant, id), oldestInCatalog)
	if !ok {
		return access.Person{}, false, wrap(err, "read a person of %s", merchant)
	}
	return item.person(), true, nil
}

// People returns all people of a merchant, by their IDs, and the version that PutPerson and
// DeletePerson take. It is read first: a change between the two reads is noticed by the write.
func (s *Store) People(ctx context.Context, merchant string) ([]access.Person, int, error) {
	roster, _, err := getAs[rosterItem](ctx, s, s.tables.Catalog, peopleRosterKey(merchant), oldestInCatalog)
	if err != nil {
		return nil, 0, wrap(err, "read the roster of the people of %s", merchant)
	}
	items, err := queryAs[personItem](ctx, s, withPrefix(s.tables.Catalog, PeoplePrefix+merchant, personSort), oldestInCatalog)
	var people []access.Person
	for _, item := range items {
		people = append(people, item.person())
	}
	return people, roster.Version, wrap(err, "list the people of %s", merchant)
}

// addressItem says that a person has a mail address: whoever signs in is found by it.
type addressItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Merchant string `dynamodbav:"merchant"`
	Person   string `dynamodbav:"person"`
}

// Addressed returns the people, of whatever merchant, who have a mail address, at most
// access.MaxPlaces of them.
func (s *Store) Addressed(ctx context.Context, address string) ([]access.Whom, error) {
	q := inPartition(s.tables.Catalog, addressKey(address, access.Whom{}).PK)
	q.limit = access.MaxPlaces
	items, err := queryAs[addressItem](ctx, s, q, oldestInCatalog)
	var people []access.Whom
	for _, item := range items {
		people = append(people, access.Whom{Merchant: item.Merchant, Person: item.Person})
	}
	return people, wrap(err, "look up who has an address")
}

// PutPerson stores a person under an optimistic lock, who was checked against all people of
// that version, and had the former address, "" if the person is new. Its error is
// catalog.ErrRosterChanged if one was changed since.
func (s *Store) PutPerson(ctx context.Context, version int, p access.Person, former string, with ...audit.Record) error {
	item := personItem{
		primaryKey: personKey(p.Merchant, p.ID), V: schema, Version: p.Version + 1,
		Name: p.Name, Address: p.Address, Role: string(p.Role), AddedAt: millis(p.AddedAt),
	}
	of := access.Whom{Merchant: p.Merchant, Person: p.ID}
	beside := beside{[]types.TransactWriteItem{s.nextPeople(p.Merchant, version)}, catalog.ErrRosterChanged}
	if p.Address != former {
		if former != "" && addressKey(former, of) != addressKey(p.Address, of) {
			beside.writes = append(beside.writes, remove(s.tables.Catalog, addressKey(former, of), always))
		}
		beside.writes = append(beside.writes, put(s.tables.Catalog, encode(addressItem{addressKey(p.Address, of), schema, p.Merchant, p.ID}), always))
	}
	return wrap(s.putCatalogWith(ctx, item, locked(p.Version), beside, with), "store a person of %s", p.Merchant)
}

// DeletePerson removes a person who was checked against all people of that version. It is no
// failure that the person is gone.
func (s *Store) DeletePerson(ctx context.Context, version int, p access.Person, with ...audit.Record) error {
	err := s.writeSetting(ctx, []types.TransactWriteItem{
		remove(s.tables.Catalog, personKey(p.Merchant, p.ID), locked(p.Version)),
		s.nextPeople(p.Merchant, version),
		remove(s.tables.Catalog, addressKey(p.Address, access.Whom{Merchant: p.Merchant, Person: p.ID}), always),
	}, with)
	if _, changed := failedCondition(err, 1); changed && !errors.Is(lockError(err), catalog.ErrMissing) {
		return catalog.ErrRosterChanged
	}
	if err = lockError(err); errors.Is(err, catalog.ErrMissing) {
		return nil
	}
	return wrap(err, "delete a person of %s", p.Merchant)
}

// nextPeople is the write that counts a change of a merchant's people.
func (s *Store) nextPeople(merchant string, version int) types.TransactWriteItem {
	return put(s.tables.Catalog, encode(rosterItem{primaryKey: peopleRosterKey(merchant), V: schema, Version: version + 1}), locked(version))
}
