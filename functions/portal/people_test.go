package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/notice"
	"keypool/shared/settings"
)

// hidden returns what a page's form holds in a hidden field.
func (p page) hidden(name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if found == nil {
		p.Fatalf("%s has no %q:\n%s", p.at, name, p.words())
	}
	return unescape(found[1])
}

// invited has the mail written that invites an address, and returns its text, "" if there is
// none.
func (w *world) invited(merchant, address string) string {
	w.Helper()
	id := notice.New(merchant, notice.Invitation, access.HashName(address)[:32]+"#"+notice.Day(w.now()), notice.Facts{}, w.now()).ID
	before := len(w.sent)
	w.mail(id)
	if len(w.sent) == before {
		return ""
	}
	return w.sent[len(w.sent)-1].Text
}

func TestPeople_invite(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get(peoplePath).has("People", "Ada Byron", "you", "owner", "What each role may do", "all but people, secrets and tokens")
	form := b.get("/portal/settings/invite").has("Invite a person", "bring keys, and see what became of the files")
	sent := url.Values{"once": {form.hidden("once")}, "name": {" Grace Hopper "}, "email": {"grace@acme.example"}, "role": {"stock"}}
	for range 2 { // the button is pressed twice
		b.post("/portal/settings/invite", sent).has("Grace Hopper", "grace@acme.example")
	}
	people, _, err := w.store.People(t.Context(), "acme")
	if err != nil || len(people) != 2 || people[1].ID != "grace-hopper" || people[1].Role != access.Stock {
		t.Fatalf("%+v, %v", people, err)
	}
	mail := w.invited("acme", "grace@acme.example")
	for _, says := range []string{"Acme Games", "stock", "Ada Byron (ada)", publicURL + "/portal"} {
		if !strings.Contains(mail, says) {
			t.Errorf("the invitation does not say %q:\n%s", says, mail)
		}
	}
	if linkOfMail.MatchString(mail) || codeOfMail.MatchString(mail) {
		t.Errorf("somebody could sign in by the invitation:\n%s", mail)
	}
	if to := w.sent[len(w.sent)-1].To.Address; to != "grace@acme.example" {
		t.Errorf("it goes to %s", to)
	}
	w.signIn("grace@acme.example").get("/portal").has("Grace Hopper")
}

func TestPeople_mistakes(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	p := b.post("/portal/settings/invite", url.Values{"name": {""}, "email": {"ADA@acme.example"}, "role": {"queen"}})
	p.has("Nothing was changed", "that of ada", "Not a role")
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, `value="ADA@acme.example"`) {
		t.Errorf("%d, or what was typed is gone:\n%s", p.status, p.body)
	}
	for _, name := range []string{"Grace", "Grace", "李", "李", "Éva-María O'Neil"} {
		b.post("/portal/settings/invite", url.Values{"name": {name}, "email": {fmt.Sprintf("p%d@acme.example", w.now().UnixNano())}, "role": {"read"}})
		w.later(time.Nanosecond)
	}
	people, _, err := w.store.People(t.Context(), "acme")
	var ids []string
	for _, person := range people {
		ids = append(ids, person.ID)
	}
	if want := []string{"ada", "grace", "grace-2", "person", "person-2", "va-mar-a-o-neil"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("%v, not %v, %v", ids, want, err)
	}
}

func TestPeople_changeAndRemove(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.person("acme", "grace", "Grace Hopper", "grace@acme.example", access.Stock)
	b, grace := w.signIn("ada@acme.example"), w.signIn("grace@acme.example")
	form := b.get("/portal/settings/people/grace").has("Change a person")
	b.post("/portal/settings/people/grace", url.Values{"version": {form.hidden("version")}, "name": {"Grace Hopper"}, "email": {"grace@acme.example"}, "role": {"manager"}}).has("Changed.", "manager")
	grace.get(auditPath).has("Audit trail", "role", "stock", "manager", "Ada Byron (ada)").hasNot("/portal/settings/people")

	// Somebody else has changed it since: both are shown, and neither is lost.
	p := b.post("/portal/settings/people/grace", url.Values{"version": {form.hidden("version")}, "name": {"G. Hopper"}, "email": {"grace@acme.example"}, "role": {"read"}})
	p.has("Not saved: somebody else has changed this meanwhile.", "Somebody else has saved here: Grace Hopper", "manager")
	if p.status != http.StatusConflict || !strings.Contains(p.body, `value="G. Hopper"`) {
		t.Errorf("%d:\n%s", p.status, p.body)
	}
	if kept, _, _ := w.store.Person(t.Context(), "acme", "grace"); kept.Role != access.Manager {
		t.Errorf("stored: %+v", kept)
	}

	ask := b.get("/portal/settings/people/grace/remove").has("Grace Hopper will be able to do nothing here any more", "Go back")
	b.post("/portal/settings/people/grace/remove", url.Values{"version": {"7"}}).has("Changed meanwhile")
	grace.get("/portal").has("Grace Hopper")
	b.post("/portal/settings/people/grace/remove", url.Values{"version": {ask.hidden("version")}}).has("Removed").hasNot("Grace Hopper")
	grace.get("/portal").has("Your mail address")
	b.get("/portal/settings/people/grace").has("There is nothing of that name here")
}

func TestPeople_lastOwner(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/settings/people/ada")
	p := b.post("/portal/settings/people/ada", url.Values{"version": {form.hidden("version")}, "name": {"Ada Byron"}, "email": {"ada@acme.example"}, "role": {"read"}})
	p.has("this is the last owner", "Make somebody else an owner first")
	b.get("/portal/settings/people/ada/remove").has("This is the last owner, and nothing was changed")
	b.post("/portal/settings/people/ada/remove", url.Values{"version": {form.hidden("version")}}).has("This is the last owner, and nothing was changed")
	if ada, ok, _ := w.store.Person(t.Context(), "acme", "ada"); !ok || ada.Role != access.Owner {
		t.Errorf("%+v, %v", ada, ok)
	}
}

// Who may not give power is not offered it, and cannot take it by an address. Power is given
// within a quarter of an hour of a sign-in alone.
func TestPeople_whoMay(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, r := range access.Roles[1:] {
		w.person("acme", string(r), string(r), string(r)+"@acme.example", r)
		b := w.signIn(string(r) + "@acme.example")
		if p := b.send("GET", "/portal/settings/people", nil); p.status != http.StatusForbidden {
			t.Errorf("%s sees people: %d", r, p.status)
		}
		for _, path := range []string{"/portal/settings/people/ada", "/portal/settings/invite", "/portal/settings/people/ada/remove", "/portal/settings/tokens/x/revoke"} {
			p := b.post(path, url.Values{"name": {"x"}, "email": {"x@acme.example"}, "role": {"owner"}, "version": {"1"}})
			if p.status != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", r, path, p.status)
			}
		}
	}
	b := w.signIn("ada@acme.example")
	w.later(access.FreshFor)
	for _, path := range []string{"/portal/settings/people/ada", "/portal/settings/invite", "/portal/settings/people/ada/remove"} {
		b.get(path).has("Is it you?")
		b.post(path, url.Values{"name": {"x"}, "email": {"x@acme.example"}, "role": {"owner"}, "version": {"1"}}).has("Is it you?")
	}
	if people, _, err := w.store.People(t.Context(), "acme"); err != nil || len(people) != len(access.Roles) {
		t.Errorf("%d people, %v", len(people), err)
	}
}

func TestTokens_revoke(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get("/portal/settings/tokens").has("There is no token")
	tokens := &settings.Tokens{Store: w.store, Now: w.now}
	token, text, err := tokens.Create(t.Context(), settings.NewToken{Merchant: "acme", Name: "nightly", Scopes: []string{"upload"}, By: access.Operator()})
	if err != nil {
		t.Fatal(err)
	}
	b.get("/portal/settings/tokens").has("nightly", token.ID(), "bring keys, and key files", "never", "600").hasNot(text, token.Hash)
	path := "/portal/settings/tokens/" + token.ID() + "/revoke"
	b.get(path).has("is refused from then on")
	b.post(path, nil).has("Revoked", "There is no token")
	b.post(path, nil).has("There is nothing of that name here")

	w.merchant("nova", "Nova")
	foreign, _, err := tokens.Create(t.Context(), settings.NewToken{Merchant: "nova", Name: "theirs", Scopes: []string{"upload"}, By: access.Operator()})
	if err != nil {
		t.Fatal(err)
	}
	path = "/portal/settings/tokens/" + foreign.ID() + "/revoke"
	if got := []int{b.get(path).status, b.post(path, nil).status}; !slices.Equal(got, []int{404, 404}) {
		t.Errorf("another merchant's token: %v", got)
	}
	if all, err := tokens.List(t.Context(), "nova"); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// The trail lists what this merchant's people did, page by page, and nothing of another's.
func TestAudit_pages(t *testing.T) {
	t.Parallel()
	calls := &counter{}
	w := open(t, calls.option())
	b := w.signIn("ada@acme.example")
	b.get("/portal/settings/audit").has("Nothing was changed yet")
	people := &settings.People{Store: w.store, Now: w.now}
	w.merchant("nova", "Nova")
	for _, merchant := range []string{"acme", "nova"} {
		for i := range entriesAtOnce + 3 {
			w.later(time.Second)
			who := access.Person{Merchant: merchant, ID: fmt.Sprintf("p-%d", i), Name: fmt.Sprintf("%s person %d", merchant, i), Address: fmt.Sprintf("p%d@%s.example", i, merchant), Role: access.Read}
			if _, _, err := people.Put(t.Context(), who, access.Operator(), settings.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := calls.n.Load()
	first := b.get("/portal/settings/audit").has("Person p-27: added", "acme person 27", "the operator", "Show more").hasNot("nova", "acme person 2<")
	if made := calls.n.Load() - before; made > 4 {
		t.Errorf("%d calls, of which two find the visitor", made)
	}
	if len(first.body) > 60<<10 {
		t.Errorf("%d bytes", len(first.body))
	}
	next := regexp.MustCompile(`href="([^"]*after=[^"]*)"`).FindStringSubmatch(first.body)
	b.get(unescape(next[1])).has("Person p-2: added", "Person p-0: added").hasNot("Show more", "nova")
}
