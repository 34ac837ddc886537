package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"keypool/shared/access"
	"keypool/shared/order"
)

// press is a form that somebody sends.
type press struct {
	to   string
	sent url.Values
}

// atOnce sends forms at once, each from a browser of its own, and returns their answers.
func (s *seller) atOnce(presses ...press) []page {
	s.Helper()
	answers, browsers := make([]page, len(presses)), make([]*browser, len(presses))
	for i := range presses {
		browsers[i] = s.as(access.Owner)
	}
	var sending sync.WaitGroup
	for i, of := range presses {
		sending.Go(func() { answers[i] = browsers[i].send("POST", of.to, of.sent) })
	}
	sending.Wait()
	return answers
}

// didOne fails the test unless one of the answers leads on, and each other one says calmly that
// nothing was done.
func (s *seller) didOne(what string, answers []page) {
	s.Helper()
	var said []string
	done, refused := 0, 0
	for _, p := range answers {
		said = append(said, fmt.Sprint(p.status, " ", p.headers["Location"]))
		switch p.status {
		case http.StatusSeeOther:
			done++
		case http.StatusConflict, http.StatusServiceUnavailable:
			refused++
		}
	}
	if done != 1 || done+refused != len(answers) {
		s.Errorf("%s: the answers are %v", what, said)
	}
}

// Two acts at once on an order that both saw as it was: one is done, and the other is told that
// the order has changed. Neither is lost in the middle.
func TestOrder_twoActsAtOnce(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.hasPages()
	s.stock("acme", several(60, "KEY-")...)
	held := func(f *order.Fulfillment) { f.Hold(order.HoldReview) }
	for _, c := range []struct {
		acts  [2]string
		alter []func(*order.Fulfillment)
	}{
		{[2]string{"release", "reject"}, []func(*order.Fulfillment){held}},
		{[2]string{"replace", "return"}, nil},
		{[2]string{"replace", "hold"}, nil},
		{[2]string{"replace-link", "revoke-link"}, nil},
		{[2]string{"replace-link", "replace-link"}, nil},
		{[2]string{"replace", "replace"}, nil},
		{[2]string{"erase", "send"}, nil},
	} {
		for round := range 3 {
			line := s.sell("acme", fmt.Sprint(strings.Join(c.acts[:], "-"), round), 2, c.alter...)
			if len(c.alter) == 0 {
				s.mail(line)
			}
			var presses []press
			for i, act := range c.acts {
				page := pathOf(line)
				if act != "hold" { // which has a button there
					page += "/" + act
				}
				form := s.as(access.Owner).get(page).actForm("once", fmt.Sprint(line.ID, i), "force", "yes", "email", "")
				if act == "send" {
					form.Set("email", "marcel@gmail.com")
				}
				if now := s.line(line); len(now.Keys) > i {
					form.Set("key", string(now.ID)+" "+string(now.Keys[i].ID))
				}
				presses = append(presses, press{pathOf(line) + "/" + act, form})
			}
			answers := s.atOnce(presses...)
			// A return is of the order as a whole, and comes to its lines after what was done to them.
			if both := slices.Contains(c.acts[:], "return") && answers[0].status == answers[1].status; !both {
				s.didOne(strings.Join(c.acts[:], " and "), answers)
			}
			now := s.line(line)
			if now.Allocated != len(now.Keys) || now.Allocated > now.Wanted {
				t.Errorf("%v: it has %d of %d keys, and %d are counted", c.acts, len(now.Keys), now.Wanted, now.Allocated)
			}
			if (now.State() == order.Returned) != slices.ContainsFunc(answers, func(p page) bool {
				return strings.Contains(p.headers["Location"], "done=returned") || strings.Contains(p.headers["Location"], "done=rejected")
			}) ||
				now.State() == order.Returned && now.Allocated > 0 || !now.ErasedAt.IsZero() && now.Customer.Email != "" {
				t.Errorf("%v: it is %s with %d keys, erased at %v, for %s", c.acts, now.State(), now.Allocated, now.ErasedAt, now.Customer.Email)
			}
		}
	}
}

// A button that is pressed many times at once acts once.
func TestForms_pressedAtOnce(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", several(20, "KEY-")...)
	line := s.sell("acme", "A-1", 2)
	s.mail(line)
	key := string(line.ID) + " " + string(s.line(line).Keys[0].ID)
	left := s.left()
	for what, of := range map[string]press{
		"replace": {pathOf(line) + "/replace", url.Values{"once": {"r"}, "key": {key}}},
		"by hand": {byHandPath, url.Values{"once": {"h"}, "sure": {"1"}, "keys": {"1"}, "order": {"H-1"}, "customer.email": {"mara@example.com"}, "lines[0].product": {"4711"}, "lines[0].quantity": {"1"}, "reason": {"paid by bank transfer"}}},
		"invite":  {invitePath, url.Values{"once": {"i"}, "name": {"Grace"}, "email": {"grace@acme.example"}, "role": {"read"}}},
		"secret":  {accountPath("shop-eu") + "/secret", url.Values{"once": {"s"}, "version": {"1"}}},
	} {
		answers := s.atOnce(slices.Repeat([]press{of}, 8)...)
		did, refused := 0, 0
		for _, p := range answers {
			switch {
			case p.status == http.StatusSeeOther || p.status == http.StatusOK:
				did++
			case p.status == http.StatusConflict || p.status == http.StatusServiceUnavailable:
				refused++
			default:
				t.Errorf("%s: %d, %s", what, p.status, p.words())
			}
		}
		if did == 0 || what == "secret" && did != 1 {
			t.Errorf("%s: %d were done, and %d refused", what, did, refused)
		}
	}
	if now := s.left(); now != left-2 {
		t.Errorf("%d keys are left of %d: one was replaced, and one went out by hand", now, left)
	}
	if people, _, err := s.store.People(t.Context(), "acme"); err != nil || len(slices.DeleteFunc(people, func(p access.Person) bool { return p.Name != "Grace" })) != 1 {
		t.Errorf("%v, %v", people, err)
	}
}

// left counts the keys for sale.
func (s *seller) left() int {
	s.Helper()
	is, err := s.portal.pools.Get(s.Context(), "acme", "elden")
	if err != nil {
		s.Fatal(err)
	}
	return is.Live.Available
}

// Two browsers that save one setting at once lose nothing: one has saved, the other sees both.
func TestSettings_savedAtOnce(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	b := s.as(access.Owner)
	for round := range 3 {
		for path, field := range map[string]string{
			shopPath: "title", poolPath(acme["pool"]) + "/settings": "title", productPath(acme["product"]): "title", personPath(acme["person"]): "name", rulesPath + "/order-page": "days", textsPath + "/en": "subject",
		} {
			form := b.get(strings.TrimSuffix(path, "/order-page")).with("role", string(access.Support))
			if strings.HasSuffix(path, "/order-page") {
				form = formOf(fmt.Sprint(round+1), "default", "on")
			}
			var presses []press
			for i := range 2 {
				sent := url.Values{}
				for name, values := range form {
					sent[name] = slices.Clone(values)
				}
				sent.Set(field, fmt.Sprint(10*round+i+1))
				sent.Set("once", fmt.Sprint(path, round, i))
				presses = append(presses, press{path, sent})
			}
			answers := s.atOnce(presses...)
			won := slices.IndexFunc(answers, func(p page) bool { return p.status == http.StatusSeeOther })
			if won < 0 {
				t.Errorf("%s: %d and %d", path, answers[0].status, answers[1].status)
				continue
			}
			lost := answers[1-won]
			if lost.status != http.StatusConflict && lost.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: both are stored, or the other is %d", path, lost.status)
			}
			mine, theirs := presses[1-won].sent.Get(field), presses[won].sent.Get(field)
			if !strings.Contains(lost.body, mine) || !strings.Contains(lost.words(), theirs) {
				t.Errorf("%s does not show both, %s and %s:\n%s", path, mine, theirs, lost.words())
			}
		}
	}
}
