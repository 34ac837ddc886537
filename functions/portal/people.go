package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/settings"
)

const (
	peoplePath = settingsPath + "/people"
	invitePath = settingsPath + "/invite"
)

func (p *portal) peopleScreens() []screen {
	return []screen{
		{pattern: "GET " + peoplePath, does: "list-people", serve: p.listPeople},
		{pattern: "POST " + settingsPath + "/help/end", does: "delete-person", serve: p.endHelp},
		{pattern: "GET " + invitePath, does: "put-person", fresh: true, serve: p.invitation},
		{pattern: "POST " + invitePath, does: "put-person", fresh: true, serve: p.invite},
		{pattern: "GET " + peoplePath + "/{person}", does: "put-person", fresh: true, serve: p.person},
		{pattern: "POST " + peoplePath + "/{person}", does: "put-person", fresh: true, serve: p.putPerson},
		{pattern: "GET " + peoplePath + "/{person}/remove", does: "delete-person", fresh: true, serve: p.toRemove},
		{pattern: "POST " + peoplePath + "/{person}/remove", does: "delete-person", fresh: true, serve: p.remove},
	}
}

// role is a role as a form offers it.
type role struct{ Value, Text, Means string }

// roles are all roles, with what each may do in plain words.
func roles() []role {
	var all []role
	for _, r := range access.Roles {
		all = append(all, role{string(r), string(r), r.Meaning()})
	}
	return all
}

// peopleData is what the list of people shows.
type peopleData struct {
	People []personRow
	Roles  []role
	Help   time.Time // when the operator's help ends; zero: there is none
}

type personRow struct {
	access.Person
	Path string
	Self bool // who looks at it
}

var peopleDone = map[string]band{
	"invited":    {Says: "Invited: a mail is on its way that says so, and where to sign in."},
	"changed":    {Says: "Changed. Another role counts from the next click on."},
	"help-ended": {Says: "Ended: the operator is signed out here."},
	"removed":    {Says: "Removed: this person can do nothing here any more."},
}

func (p *portal) listPeople(v *visit) (answer, error) {
	data := peopleData{Roles: roles()}
	var people []access.Person
	reading, ctx := errgroup.WithContext(v.Context())
	reading.Go(func() (err error) {
		people, err = p.people.List(ctx, v.Merchant)
		return err
	})
	reading.Go(func() error {
		sessions, err := p.sessions.SessionsOf(ctx, access.HelpOf(v.Merchant))
		for _, s := range lasting(sessions, v.now) {
			if s.Ends().After(data.Help) {
				data.Help = s.Ends()
			}
		}
		return err
	})
	err := reading.Wait()
	for _, person := range people {
		data.People = append(data.People, personRow{person, personPath(person.ID), v.Session.By == "" && person.ID == v.Session.Person})
	}
	return answer{page: "people", title: "People", data: data, band: done(v, peopleDone)}, err
}

// endHelp signs the operator out, who looks after the shop at this moment.
func (p *portal) endHelp(v *visit) (answer, error) {
	sessions, err := p.sessions.SessionsOf(v.Context(), access.HelpOf(v.Merchant))
	for _, s := range sessions {
		if err == nil {
			err = p.sessions.EndSession(v.Context(), s.Whom, s.Hash)
		}
	}
	return answer{see: peoplePath + "?done=help-ended"}, err
}

func personPath(id string) string { return peoplePath + "/" + id }

// personData is what the form of a person shows.
type personData struct {
	form
	Roles []role
	ID    string // empty: the person is to be invited
	Name  string
	Last  bool // the last owner stays one
}

func (p *portal) invitation(*visit) (answer, error) {
	return personPage(personData{form: form{Values: url.Values{"role": {string(access.Support)}}}}), nil
}

func personPage(data personData) answer {
	data.Roles = roles()
	a := answer{page: "person", title: "Invite a person", data: data}
	if data.ID != "" {
		a.title = "Change a person"
	}
	switch {
	case data.Wrong != nil:
		a.status = http.StatusUnprocessableEntity
	case data.Theirs != nil:
		a.status = http.StatusConflict
	}
	return a
}

func (p *portal) invite(v *visit) (answer, error) {
	_, err := p.people.Invite(v.Context(), sentPerson(v, ""), v.Principal)
	if f, ok := again(v.form, err); ok {
		return personPage(personData{form: f}), nil
	}
	return answer{see: peoplePath + "?done=invited"}, err
}

// sentPerson returns the person that a form describes.
func sentPerson(v *visit, id string) access.Person {
	r := formReader{values: v.form}
	return access.Person{Merchant: v.Merchant, ID: id, Name: r.line("name"), Address: r.line("email"), Role: access.Role(r.line("role"))}
}

// heldPerson returns the form of a person as it is stored.
func heldPerson(person access.Person) personData {
	return personData{
		form: form{Values: url.Values{"name": {person.Name}, "email": {person.Address}, "role": {string(person.Role)}}, Version: person.Version},
		ID:   person.ID, Name: person.Name,
	}
}

func (p *portal) person(v *visit) (answer, error) {
	person, err := p.people.Get(v.Context(), v.Merchant, v.PathValue("person"))
	return personPage(heldPerson(person)), err
}

func (p *portal) putPerson(v *visit) (answer, error) {
	id := v.PathValue("person")
	_, _, err := p.people.Put(v.Context(), sentPerson(v, id), v.Principal, condition(v.form))
	f, invalid := again(v.form, err)
	if err == nil {
		return answer{see: peoplePath + "?done=changed"}, nil
	}
	now, missing := p.people.Get(v.Context(), v.Merchant, id)
	data := heldPerson(now)
	switch {
	case missing != nil:
		return answer{}, missing
	case invalid:
		data.form = f
	case errors.Is(err, settings.ErrLastOwner):
		data.form = form{Values: v.form, Version: data.Version, Wrong: map[string][]string{"role": {lastOwner}}}
	case errors.Is(err, catalog.ErrConflict):
		data.form = besideTheirs(v.form, data.form)
	default:
		return answer{}, err
	}
	return personPage(data), nil
}

const lastOwner = "this is the last owner: nobody could say who works here any more. Make somebody else an owner first"

func (p *portal) toRemove(v *visit) (answer, error) {
	people, err := p.people.List(v.Context(), v.Merchant)
	i := slices.IndexFunc(people, func(person access.Person) bool { return person.ID == v.PathValue("person") })
	switch {
	case err != nil:
		return answer{}, err
	case i < 0:
		return answer{}, errNotFound
	}
	person := people[i]
	if person.Role == access.Owner && !slices.ContainsFunc(people, func(other access.Person) bool { return other.Role == access.Owner && other.ID != person.ID }) {
		return answer{}, settings.ErrLastOwner
	}
	says := []string{
		person.Name + " will be able to do nothing here any more, from the next click on. API tokens that stand for this person are refused from then on, too.",
		"What this person has done stays in the audit trail.",
	}
	if v.Session.By == "" && person.ID == v.Session.Person {
		says = append([]string{"This is you: you will be signed out."}, says...)
	}
	return confirmation{
		Says: says, Does: personPath(person.ID) + "/remove", Values: [][2]string{{"version", strconv.Itoa(person.Version)}},
		Button: "Remove " + person.Name, Stop: true, Back: personPath(person.ID),
	}.page("Remove a person?"), nil
}

func (p *portal) remove(v *visit) (answer, error) {
	return answer{see: peoplePath + "?done=removed"}, p.people.Delete(v.Context(), v.Principal, v.PathValue("person"), condition(v.form))
}
