package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/retry"
)

// MaxPeople is how many people a merchant may have.
const MaxPeople = 100

// ErrLastOwner means that a change would leave a merchant without an owner.
var ErrLastOwner = errors.New("the last owner")

// People says who works at a merchant, and in which role. The merchant is told of whoever
// comes, and of another role or address.
type People struct {
	Store PeopleStore
	Now   func() time.Time
}

// PeopleStore keeps people. What is true of all of them together, such as that one is an
// owner, is checked against them as they were at one version: a write fails with
// catalog.ErrRosterChanged if one of them was changed since.
type PeopleStore interface {
	access.PersonFinder
	People(ctx context.Context, merchant string) (people []access.Person, version int, err error)
	PutPerson(ctx context.Context, version int, p access.Person, former string, with ...audit.Record) error
	DeletePerson(ctx context.Context, version int, p access.Person, with ...audit.Record) error
}

// CheckPerson returns the mistakes in a person.
func CheckPerson(who access.Person) []Problem {
	var p problems
	p.name("id", who.ID)
	p.line("name", who.Name, true)
	p.address("email", who.Address, true)
	if !slices.Contains(access.Roles, who.Role) {
		p.add("role", "not a role; use one of: %s", strings.Join(access.RoleNames(access.Roles), ", "))
	}
	return p
}

// List returns all people of a merchant, by their IDs.
func (s *People) List(ctx context.Context, merchant string) ([]access.Person, error) {
	people, _, err := s.Store.People(ctx, merchant)
	return people, err
}

// Get returns a person. Its error is ErrNotFound if there is none.
func (s *People) Get(ctx context.Context, merchant, id string) (access.Person, error) {
	person, ok, err := s.Store.Person(ctx, merchant, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return person, err
}

// Put adds a person, or changes one, and returns it with its new version. Its error is
// ErrLastOwner, an *InvalidError, or that of the condition.
func (s *People) Put(ctx context.Context, next access.Person, by access.Principal, c Condition) (p access.Person, created bool, err error) {
	err = s.change(ctx, next.Merchant, func(people []access.Person, version int) error {
		p, created, err = s.put(ctx, people, version, next, by, c)
		return err
	})
	return p, created, err
}

func (s *People) put(ctx context.Context, people []access.Person, version int, next access.Person, by access.Principal, c Condition) (p access.Person, created bool, err error) {
	var before access.Person
	problems := CheckPerson(next)
	owners := next.Role == access.Owner
	for _, other := range people {
		if other.ID == next.ID {
			before = other
			continue
		}
		owners = owners || other.Role == access.Owner
		if strings.EqualFold(other.Address, next.Address) {
			problems = append(problems, Problem{Path: "email", Message: fmt.Sprintf("is that of %s: each person signs in by an address of their own", other.ID)})
		}
	}
	created = before.Version == 0
	if created && len(people) >= MaxPeople {
		problems = append(problems, Problem{Path: "id", Message: fmt.Sprintf("there are %d people already, and no more are possible", MaxPeople)})
	}
	if err := invalid(problems...); err != nil {
		return p, false, err
	}
	next.Version, next.AddedAt = before.Version, before.AddedAt
	same := next == before
	if err := c.check(before.Version, same); err != nil || same {
		return before, false, err
	}
	if before.Role == access.Owner && !owners {
		return p, false, ErrLastOwner
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	if created {
		next.AddedAt = now
	}
	record := audit.Record{
		Entry: entry(ctx, by, audit.Person, next.Merchant, next.ID, personIf(!created, before), shownPerson(next), now),
		Tell:  append(personChanged(before, next, by, now), invitation(before, next, by, now)...),
	}
	if err := s.Store.PutPerson(ctx, version, next, before.Address, record); err != nil {
		return p, false, err
	}
	next.Version++
	return next, created, nil
}

// Invite adds a person, whose id is made of the name. Its error is an *InvalidError.
func (s *People) Invite(ctx context.Context, who access.Person, by access.Principal) (p access.Person, err error) {
	err = s.change(ctx, who.Merchant, func(people []access.Person, version int) error {
		who.ID = personID(who.Name, people)
		p, _, err = s.put(ctx, people, version, who, by, Condition{New: true})
		return err
	})
	return p, err
}

// Owner makes somebody an owner, whoever has the address already or a new person: the operator
// sets a merchant's first owner up so. That it is one already is no change.
func (s *People) Owner(ctx context.Context, who access.Person, by access.Principal) (p access.Person, err error) {
	err = s.change(ctx, who.Merchant, func(people []access.Person, version int) error {
		next, c := who, Condition{New: true}
		next.ID = personID(who.Name, people)
		for _, there := range people {
			if strings.EqualFold(there.Address, who.Address) {
				next, c = there, Condition{Version: func(v int) bool { return v == there.Version }}
			}
		}
		next.Role = access.Owner
		p, _, err = s.put(ctx, people, version, next, by, c)
		return err
	})
	return p, err
}

// personID returns the id of a new person, made of the name: "Ada Byron" is ada-byron.
func personID(name string, people []access.Person) string {
	const longest = 50
	var made strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			made.WriteRune(r)
		case made.Len() > 0 && !strings.HasSuffix(made.String(), "-"):
			made.WriteByte('-')
		}
		if made.Len() == longest {
			break
		}
	}
	id := cmp.Or(strings.Trim(made.String(), "-"), "person") // of a name in another script
	taken := func(id string) bool {
		return slices.ContainsFunc(people, func(p access.Person) bool { return p.ID == id })
	}
	free := id
	for n := 2; taken(free); n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	return free
}

// Delete removes a person of the principal's merchant, with all rights, at once. Its error is
// ErrLastOwner, ErrNotFound, or that of the condition.
func (s *People) Delete(ctx context.Context, by access.Principal, id string, c Condition) error {
	return s.change(ctx, by.Merchant, func(people []access.Person, version int) error {
		i := slices.IndexFunc(people, func(p access.Person) bool { return p.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		gone := people[i]
		if err := c.check(gone.Version, false); err != nil {
			return err
		}
		owner := func(p access.Person) bool { return p.Role == access.Owner }
		if owner(gone) && !slices.ContainsFunc(slices.Delete(people, i, i+1), owner) {
			return ErrLastOwner
		}
		e := entry(ctx, by, audit.Person, by.Merchant, id, shownPerson(gone), nil, s.Now())
		return s.Store.DeletePerson(ctx, version, gone, audit.Record{Entry: e})
	})
}

// change makes a change that is checked against all people, again where one of them was
// changed meanwhile.
func (s *People) change(ctx context.Context, merchant string, once func(people []access.Person, version int) error) error {
	var err error
	for range putTries {
		people, version, failed := s.Store.People(ctx, merchant)
		if failed != nil {
			return failed
		}
		if err = once(people, version); !errors.Is(err, catalog.ErrRosterChanged) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", retry.ErrChanged, err)
}

// shownPerson returns what the audit trail shows of a person.
func shownPerson(p access.Person) catalog.Shown {
	return catalog.Shown{"name": p.Name, "email": p.Address, "role": string(p.Role)}
}

func personIf(existed bool, p access.Person) catalog.Shown {
	if !existed {
		return nil
	}
	return shownPerson(p)
}

// personChanged returns the notice of a person who is new, or has another role or address.
func personChanged(before, next access.Person, by access.Principal, now time.Time) []notice.Notice {
	c := notice.Changed{Name: next.Name, ID: next.ID}
	if before.Role != next.Role {
		c.Parts = append(c.Parts, "role "+string(next.Role))
	}
	if before.Version > 0 && before.Address != next.Address {
		c.Parts = append(c.Parts, "mail address")
	}
	if len(c.Parts) == 0 {
		return nil
	}
	return []notice.Notice{changed(notice.ChangedPerson, next.Merchant, c, by, now)}
}

// invitation returns the notice to a person who may sign in from now on, or does it by another
// address. An address is told once a day: nobody can be flooded by it.
func invitation(before, next access.Person, by access.Principal, now time.Time) []notice.Notice {
	if strings.EqualFold(before.Address, next.Address) {
		return nil
	}
	facts := notice.Facts{Count: 1, Changed: []notice.Changed{{Name: next.Name, ID: next.ID, Parts: []string{"role " + string(next.Role)}, By: by.Name, At: now}}}
	n := notice.New(next.Merchant, notice.Invitation, access.HashName(strings.ToLower(next.Address))[:32]+"#"+notice.Day(now), facts, now)
	n.To = next.Address
	return []notice.Notice{n}
}
