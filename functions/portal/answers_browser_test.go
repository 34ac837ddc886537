//go:build browser

package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/order"
	"keypool/shared/settings"
)

// What a form is answered by can be read and used by everybody too: what was found, keys that
// are shown once, mistakes, and what was done, with its Undo.
func TestBrowser_answers(t *testing.T) {
	t.Parallel()
	s := selling(t)
	b := s.tab().signIn("ada@acme.example")
	find := func(what string, says string) {
		t.Helper()
		b.Go(homePath)
		b.Type("Order number, mail address or key", what)
		b.Enter()
		b.Has(says)
	}
	find("nothing like this", "There is no order of that number here")
	b.Look("found-nothing")
	find("marcel@gmial.com", "A-delivered")
	b.Look("found-orders")
	find("KEY-2", "elden")
	b.Look("found-key")

	find("A-delivered", "Delivered")
	b.Press("Show keys")
	b.Has("KEY-")
	b.Look("keys-shown")

	find("A-delivered", "Delivered")
	b.Press("Hold")
	b.Has("Held: no key and no mail")
	b.Look("order-held")
	b.Press("Undo")
	b.Has("Released")

	b.Go(rulesPath)
	b.Type("Put orders on hold that cost more than", "a lot of money")
	b.Press("Save")
	b.Has("Nothing was changed.")
	b.Look("mistakes")
	b.Go(rulesPath)
	b.Type("Erase it so many days after the order's last event", "90")
	b.Enter()
	b.Has("Erase customers of old orders?", "This cannot be undone.")
	b.Look("retention-asked")

	b.Go("/portal/platforms/_add/standard")
	b.Press("Go on")
	b.Has("This is the only time that it is shown")
	b.Look("secret-shown")
	b.Go("/portal/platforms/my-shop")
	b.Has("Order page in answer")
	b.Look("account-standard")
}

// broken is a store that answers nothing.
type broken struct{}

func (broken) Entries(context.Context, string, string, int) ([]audit.Entry, string, error) {
	return nil, "", errors.New("the table is gone")
}

// What cannot be shown says so, and what to do next, on a page that everybody can read.
func TestBrowser_failures(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	b := s.tab().signIn("read@acme.example")
	b.Go(invitePath)
	b.Has("Your role does not include this.")
	b.Look("not-for-your-role")
	b.Go("/portal/orders/nothing")
	b.Has("There is nothing at this address.")
	b.Look("not-found")
	s.portal.trail = &settings.Trail{Store: broken{}}
	b = s.tab().signIn("ada@acme.example")
	b.Go(auditPath)
	b.Has("Something went wrong on our side.")
	b.Look("went-wrong")

	operator := s.tab()
	link := s.helped()
	operator.Go(link)
	operator.Look("help")
	operator.Press("Open")
	operator.Has("You look after this shop as the operator.")
	operator.Look("helped")
	b = s.tab()
	b.Go(link)
	b.Has("This address is over")
	b.Look("over")
	s.later(access.HelpLasts + time.Minute)
	operator.Go(homePath)
	operator.Has("Your mail address")
}

// Each role's Home has what that role may do, and its order page the acts that it may do.
func TestBrowser_roles(t *testing.T) {
	t.Parallel()
	s := selling(t)
	held := s.sell("acme", "A-1", 1, func(f *order.Fulfillment) { f.Hold(order.HoldReview) })
	for _, role := range []struct {
		name     string
		may      []string // on Home
		mayNot   []string
		acts     []string // on an order that is held
		mayNotDo []string
	}{
		{"manager", []string{"Orders", "Settings", "New pool", "Add keys now"}, nil, []string{"Release", "Reject", "Erase"}, nil},
		{"support", []string{"Orders", "reached nobody"}, []string{"New pool", "Add keys now", "Platforms"}, nil, []string{"Show keys"}},
		{"stock", []string{"Pools", "Add keys now"}, []string{"Orders", "Correct it", "marcel@gmial.com", "New pool"}, nil, nil},
		{"read", []string{"Orders", "Pools"}, []string{"New pool", "Add keys now", "Correct it"}, nil, []string{"Release", "Reject", "Give back", "Erase", "Show keys", "Hold"}},
	} {
		b := s.tab().signIn(role.name + "@acme.example")
		b.Has(role.may...)
		b.HasNot(role.mayNot...)
		b.Look("home-of-" + role.name)
		b.Go(pathOf(held))
		if role.name == "stock" {
			b.Has("Your role does not include this.")
			continue
		}
		b.Has(role.acts...)
		for _, act := range role.mayNotDo {
			b.HasNot(act + "…")
		}
		b.Look("order-of-" + role.name)
	}
}
