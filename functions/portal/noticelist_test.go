package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// raise stores a notice, with its mail in a state.
func (w *world) raise(n notice.Notice, state outbox.State) {
	w.Helper()
	n.Mail.State = state
	if err := w.store.RaiseNotice(w.Context(), n); err != nil {
		w.Fatal(err)
	}
}

// low is the notice that a pool runs low, as of that many minutes ago.
func (w *world) low(merchant, name string, minutes int) notice.Notice {
	at := w.now().Add(-time.Duration(minutes) * time.Minute)
	return notice.New(merchant, notice.LowStock, fmt.Sprint(name, "#live#", minutes), notice.Facts{Pool: name, Side: pool.Live, Available: 3, Threshold: 10}, at)
}

func TestNotices(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get(homePath).has("Notices")
	b.get(noticesPath).has("Nothing was mailed to you yet.", "They go to stock@acme.example", "See the pools")

	w.newPool("acme", "elden")
	for state, minutes := range map[outbox.State]int{outbox.Sent: 1, outbox.Bounced: 2, outbox.Delivered: 3, outbox.Complained: 4, outbox.Failed: 5, outbox.None: 6, outbox.Due: 7} {
		w.raise(w.low("acme", "elden", minutes), state)
	}
	token := notice.New("acme", notice.ExpiringToken, "0123456789abcdef", notice.Facts{Changed: []notice.Changed{{Name: "warehouse", ID: "0123456789abcdef"}}}, w.now().Add(-8*time.Minute))
	w.raise(token.At(w.now().Add(24*time.Hour)), outbox.Due)
	further := w.low("acme", "elden", 9)
	further.To = "desk@acme.example"
	w.raise(further, outbox.Delivered)
	// To others than those who work at acme.
	w.raise(w.low("nova", "theirs", 1), outbox.Sent)
	customer := notice.New("acme", notice.KeysElsewhere, "line#1", notice.Facts{Line: "x", Orders: []string{"secret-1001"}}, w.now())
	customer.To = "customer@example.com"
	w.raise(customer, outbox.Sent)
	invitation := notice.New("acme", notice.Invitation, "y", notice.Facts{}, w.now())
	invitation.To = "new@acme.example"
	w.raise(invitation, outbox.Sent)

	p := b.get(noticesPath)
	p.has("Handed over", "Came back", "Delivered", "Called unwanted", "Refused by Amazon SES", "Not mailed", "About to leave", "Leaves later", "not before", "To desk@acme.example.", "Set when you are warned", "Add keys now", "See your tokens")
	p.has("The last notice of which we know did not reach you").hasNot("theirs", "secret-1001", "customer@example.com", "new@acme.example")
	last := -1
	for _, fate := range []string{"Handed over", "Came back", "Delivered", "Called unwanted", "Refused by", "Not mailed", "About to leave", "Leaves later"} {
		at := strings.Index(p.body, fate)
		if at < last {
			t.Errorf("%s stands before what is newer", fate)
		}
		last = at
	}
	for _, link := range []string{poolPath("elden") + "/add", poolPath("elden") + "/settings", tokensPath} {
		if to := b.get(link); to.status != 200 || !strings.Contains(p.body, `href="`+link+`"`) {
			t.Errorf("%s is not linked, or %d", link, to.status)
		}
	}
	// One that arrived since says that the address is right.
	w.raise(w.low("acme", "elden", 0), outbox.Delivered)
	b.get(noticesPath).hasNot("did not reach you")
}

// Pages have each notice once, the newest first, also those of one moment; a place tells nothing.
func TestNotices_pages(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	for i := range 60 {
		n := notice.New("acme", notice.RefundFailed, fmt.Sprint("shop-eu#A-1001#", i), notice.Facts{Orders: []string{fmt.Sprintf("N-%03d", i)}}, w.now().Add(-time.Duration(i/7)*time.Minute))
		w.raise(n, outbox.Delivered)
	}
	b := w.signIn("ada@acme.example")
	seen, path := 0, noticesPath
	for pages := 1; ; pages++ {
		p := b.get(path)
		rows := strings.Count(p.body, `<th scope="row">`)
		if seen += rows; rows > noticesAtOnce || pages > 3 {
			t.Fatalf("page %d has %d", pages, rows)
		}
		b.wantTrips(&calls, path)
		if size := len(p.body); size > 60<<10 {
			t.Errorf("%s has %d bytes", path, size)
		} else {
			t.Logf("%d notices are %d bytes", rows, size)
		}
		next := strings.Index(p.body, noticesPath+"?after=")
		if next < 0 {
			break
		}
		path, _, _ = strings.Cut(p.body[next:], `"`)
		if strings.Contains(path, "1001") {
			t.Errorf("an order's number stands in %s", path)
		}
	}
	if seen != 60 {
		t.Errorf("all pages have %d notices, want 60", seen)
	}
	for _, place := range []string{"x", "12", "-", "99999999999999999999-aa"} {
		if p := b.get(noticesPath + "?after=" + url.QueryEscape(place)); p.status != 404 {
			t.Errorf("the place %s is %d", place, p.status)
		}
	}
}

// One press says of a product that no pool feeds that it needs no keys, and one more undoes it.
func TestNotices_ignoreAProduct(t *testing.T) {
	t.Parallel()
	w := open(t)
	products := []notice.Product{{ID: "mug", Side: pool.Live, Count: 1}, {ID: "mug", Side: pool.Test, Count: 1}, {ID: "cap/1", Side: pool.Live, Count: 1}, {ID: "boxed", Ships: true, Count: 1}}
	w.raise(notice.New("acme", notice.Unconnected, "products", notice.Facts{Products: products}, w.now()), outbox.Delivered)
	b := w.signIn("ada@acme.example")
	ignored := func(id string) (is, there bool) {
		t.Helper()
		p, there, err := w.store.Product(t.Context(), "acme", id)
		if err != nil {
			t.Fatal(err)
		}
		return p.Ignored, there
	}
	p := b.get(noticesPath).has("mug needs no keys", "cap/1 needs no keys").hasNot("boxed needs no keys")
	if n := strings.Count(p.body, noticesPath+"/ignore"); n != 2 {
		t.Errorf("%d buttons, want one for each product", n)
	}
	undo := func(p page) url.Values {
		t.Helper()
		sent := url.Values{}
		for _, name := range []string{"product", "version"} {
			m := regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(p.body)
			if m == nil {
				t.Fatalf("the band's form holds no %s", name)
			}
			sent.Set(name, m[1])
		}
		return sent
	}
	// A product that is not there is made, and gone again.
	done := b.post(noticesPath+"/ignore", url.Values{"product": {"cap/1"}}).has("Done: the product needs no keys.", "Undo")
	if is, there := ignored("cap/1"); !is || !there {
		t.Errorf("ignored %v, there %v", is, there)
	}
	b.post(noticesPath+"/ignore", url.Values{"product": {"cap/1"}}).has("It was said before that this product needs no keys.").hasNot("Undo")
	b.post(noticesPath+"/ignore/undo", undo(done)).has("Undone: orders of the product wait again")
	if _, there := ignored("cap/1"); there {
		t.Error("what was made is there still")
	}
	// One that is there keeps all else, unless somebody changed it meanwhile.
	err := w.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "mug", Title: "A mug", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	if err != nil {
		t.Fatal(err)
	}
	done = b.post(noticesPath+"/ignore", url.Values{"product": {"mug"}}).has("Done: the product needs no keys.")
	b.post(noticesPath+"/ignore/undo", undo(done)).has("Undone")
	if is, there := ignored("mug"); is || !there {
		t.Errorf("ignored %v, there %v", is, there)
	}
	if p := b.send("POST", noticesPath+"/ignore/undo", undo(done)); p.status != 412 && p.status != 409 {
		t.Errorf("a second time: %d", p.status)
	}
	// One that a pool feeds by now is not taken from it.
	w.newPool("acme", "elden")
	if err := w.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Title: "Game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}); err != nil {
		t.Fatal(err)
	}
	b.post(noticesPath+"/ignore", url.Values{"product": {"game"}}).has("Nothing was changed.").hasNot("Undo")
	if is, _ := ignored("game"); is {
		t.Error("a product that a pool feeds is ignored")
	}
	// The rights are those of the product's form.
	for _, role := range access.Roles {
		w.person("acme", string(role), "Bob", string(role)+"@acme.example", role)
		for _, path := range []string{"/ignore", "/ignore/undo"} {
			by := w.signIn(string(role) + "@acme.example")
			form, direct := by.send("POST", "/portal/products/new", url.Values{}).status, by.send("POST", noticesPath+path, url.Values{"product": {"game"}}).status
			if (form == 403) != (direct == 403) {
				t.Errorf("%s: %s is %d, the form %d", role, path, direct, form)
			}
		}
	}
}

func TestNotices_roles(t *testing.T) {
	t.Parallel()
	w := open(t)
	for role, status := range map[access.Role]int{access.Manager: 200, access.Read: 403, access.Support: 403, access.Stock: 403} {
		w.person("acme", string(role), "Bob", string(role)+"@acme.example", role)
		b := w.signIn(string(role) + "@acme.example")
		if p := b.send("GET", noticesPath, nil); p.status != status {
			t.Errorf("%s sees it: %d", role, p.status)
		}
		if p := b.send("GET", homePath, nil); strings.Contains(p.body, `href="`+noticesPath) != (status == 200) {
			t.Errorf("%s is shown the way to it, or not", role)
		}
	}
}
