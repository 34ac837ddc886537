package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// newPool makes a pool.
func (w *world) newPool(merchant, name string) {
	w.Helper()
	if err := w.store.PutPool(w.Context(), catalog.Pool{Merchant: merchant, Name: name, LowStock: 10, Reminder: 24 * time.Hour, Shards: 1}); err != nil {
		w.Fatal(err)
	}
}

// keysIn puts keys on sale.
func (w *world) keysIn(of pool.ID, texts ...string) {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), of.Merchant)
	if err != nil {
		w.Fatal(err)
	}
	var keys []upload.NewKey
	for i, text := range texts {
		var live pool.KeyID
		if of.Side == pool.Test {
			live = pool.Identify(m.Salt, of.Merchant, pool.Live, text)
		}
		keys = append(keys, upload.NewKey{Live: live, ID: pool.Identify(m.Salt, of.Merchant, of.Side, text), Text: pool.Conceal(text), Offset: int64(20 * i), Row: i + 1})
	}
	inserted, err := w.store.InsertKeys(w.Context(), of, 1, "20261123T110000-0123456789abcdef", keys)
	if err != nil {
		w.Fatal(err)
	}
	for _, what := range inserted {
		if what != upload.Stored {
			w.Fatalf("a key is not stored: %v", inserted)
		}
	}
}

func TestPools_empty(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get("/portal/pools").has("There is none yet, so no order can get a key", "Make the first pool")
	b.get("/portal/uploads").has("No file has come yet", "To the pools")
}

func TestPools_makeAndChange(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	empty := b.get("/portal/pools/-/new").has("New pool", "Small letters, digits and hyphens")
	if limit := fmt.Sprintf(`id="field-name" name="name" aria-describedby="about-name" value="" maxlength="%d"`, pool.MaxName); !strings.Contains(empty.body, limit) {
		t.Errorf("the field of the name is not as long as a name may be:\n%s", empty.body)
	}
	bad := b.post("/portal/pools/-/new", url.Values{"name": {"No Good"}, "title": {"Mine"}, "low_stock": {"many"}, "reminder_hours": {"24"}})
	bad.has("Nothing was changed", "Use a whole number.")
	if bad.status != 422 || !strings.Contains(bad.body, `value="Mine"`) {
		t.Errorf("%d, and what was typed is lost", bad.status)
	}
	form := url.Values{"once": {"abc"}, "name": {"elden"}, "title": {"Elden"}, "low_stock": {"5"}, "reminder_hours": {"12"}, "notice_addresses": {"a@acme.example\nb@acme.example"}}
	made := b.post("/portal/pools/-/new", form)
	made.has("The pool is there", "elden", "Empty", "when fewer than 5 keys are left, again every 12 hours", "b@acme.example")
	b.post("/portal/pools/-/new", form).has("The pool is there") // pressed twice
	form.Set("once", "abd")
	b.post("/portal/pools/-/new", form).has("There is a pool of this name already.")
	b.get("/portal/pools").has("elden", "Elden", "Empty", "Sold in 30 days")

	// Two browsers on one pool: the second sees both.
	shown := b.get("/portal/pools/elden/settings").has("Warn below")
	if !strings.Contains(shown.body, `name="version" value="1"`) {
		t.Fatal("the form names no version")
	}
	change := url.Values{"version": {"1"}, "name": {"elden"}, "title": {"First"}, "low_stock": {"7"}, "reminder_hours": {"12"}, "notice_addresses": {"a@acme.example\r\nb@acme.example"}}
	b.post("/portal/pools/elden/settings", change).has("Saved.", "First")
	change.Set("title", "Second")
	both := b.post("/portal/pools/elden/settings", change)
	both.has("Not saved: somebody else has changed this meanwhile", "Somebody else has saved here: First").hasNot("Somebody else has saved here: 12", "Somebody else has saved here: elden")
	if both.status != 409 || strings.Count(both.body, "Somebody else has saved here") != 1 {
		t.Errorf("%d:\n%s", both.status, both.body)
	}
	if !strings.Contains(both.body, `value="Second"`) || !strings.Contains(both.body, `name="version" value="2"`) {
		t.Errorf("what was typed is lost:\n%s", both.body)
	}
	b.get("/portal/pools/elden").has("First").hasNot("Second")
	change.Set("version", "2")
	b.post("/portal/pools/elden/settings", change).has("Saved.", "Second")
}

func TestPools_delete(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.keysIn(pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, "ELDN-0001", "ELDN-0002")
	b := w.signIn("ada@acme.example")
	b.get("/portal/pools/elden").has("Left 2", "Low")
	b.get("/portal/pools/elden/delete").has("2 keys are still for sale in it", "Delete the pool").hasNot("ELDN")
	b.post("/portal/pools/elden/delete", url.Values{"version": {"7"}, "force": {"yes"}}).has("Changed meanwhile")
	b.post("/portal/pools/elden/delete", url.Values{"version": {"1"}}).has("Its live side holds keys for sale (2)", "Nothing was deleted")
	b.post("/portal/pools/elden/delete", url.Values{"version": {"1"}, "force": {"yes"}}).has("The pool is deleted.")
	if p := b.get("/portal/pools/elden"); p.status != 404 {
		t.Errorf("a deleted pool is answered %d", p.status)
	}
}

// Another merchant's pools and files are as those that are not there.
func TestPools_foreign(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("bravo", "Bravo")
	w.person("bravo", "bob", "Bob", "bob@bravo.example", access.Owner)
	w.newPool("acme", "elden")
	id := w.read("acme", "elden", nil)
	b := w.signIn("bob@bravo.example")
	for _, path := range []string{"/portal/pools/elden", "/portal/pools/elden/settings", "/portal/pools/elden/add", "/portal/pools/elden/delete", "/portal/uploads/" + id, "/portal/uploads/" + id + "/withdraw", "/portal/uploads/" + id + "/report", "/portal/uploads/" + id + "/left-out"} {
		if p := b.get(path); p.status != 404 {
			t.Errorf("%s is answered %d", path, p.status)
		}
	}
	for path, form := range map[string]url.Values{
		"/portal/pools/elden/paste": {"text": {"KEY-1"}}, "/portal/pools/elden/delete": {"version": {"1"}}, "/portal/uploads/" + id + "/withdraw": {}, "/portal/uploads/" + id + "/load": {},
	} {
		if p := b.post(path, form); p.status != 404 {
			t.Errorf("POST %s is answered %d", path, p.status)
		}
	}
}

// read plants a file that was read, with rejected lines or a question as alter says.
func (w *world) read(merchant, name string, alter func(*upload.Upload)) (id string) {
	w.Helper()
	u := upload.Upload{
		Merchant: merchant, ID: "20261123T110000-0123456789abcdef", File: "elden-december.txt", Pool: name, Side: pool.Live, Size: 4000,
		State: upload.Finished, Ranges: 1, Done: 1, Lines: 2, Counts: upload.Counts{upload.Accepted: 1, upload.Sold: 1},
		Kept:       []upload.RejectedLine{{Line: 2, Reason: upload.Sold, SoldAt: noon.AddDate(0, -6, 0)}},
		ReceivedAt: noon.Add(-time.Hour), FinishedAt: noon.Add(-time.Hour),
	}
	if alter != nil {
		alter(&u)
	}
	if ok, err := w.store.MoveUpload(w.Context(), "", u, nil); !ok || err != nil {
		w.Fatalf("upload %s: %v, %v", u.ID, ok, err)
	}
	if u.State == upload.Finished {
		w.files.put(u.ReportName(), `{"v":1,"lines":[]}`)
	}
	return u.ID
}

func TestUploads_report(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	id := w.read("acme", "elden", nil)
	b := w.signIn("ada@acme.example")
	b.get("/portal/uploads").has("elden-december.txt", "1 key added, 1 line left out.")
	b.get("/portal/pools/elden").has("elden-december.txt")
	report := b.get("/portal/uploads/" + id)
	report.has("1 key added", "Already sold 1 line", "2 already sold, 23 May 2026", "Withdraw its unsold keys…").hasNot("data-refresh")
	b.get("/portal/uploads/" + id + "?keys=2&repeats=0&refused=0").has("Your browser saw 2 keys").hasNot("differs from what was read")
	b.get("/portal/uploads/" + id + "?keys=3&repeats=0&refused=0").has("differs from what was read")
	if p := b.send("GET", "/portal/uploads/"+id+"/report", nil); p.status != 303 || !strings.HasPrefix(p.headers["Location"], "https://reports.example/reports/acme/") {
		t.Errorf("the report is answered %d %s", p.status, p.headers["Location"])
	}
	w.files.files = nil
	if p := b.get("/portal/uploads/" + id + "/left-out"); p.status != 404 {
		t.Errorf("the lines of a report that is gone are answered %d", p.status)
	}
	w.files.files = map[string]string{"reports/acme/" + id + ".json": `{"v":1,"refused":{"lines":7},"lines": [
    {"line":2,"reason":"sold","soldAt":"2026-05-23T12:00:00Z"},
    {"line":7,"reason":"too-long"}
  ]}`}
	left := b.get("/portal/uploads/" + id + "/left-out")
	if want := "line,why,sold at\n2,already sold,2026-05-23T12:00:00Z\n7,\"longer than 2,048 bytes\",\n"; left.body != want || left.headers["Content-Disposition"] != `attachment; filename="left-out-`+id+`.csv"` || !strings.HasPrefix(left.headers["Content-Type"], "text/csv") {
		t.Errorf("the lines: %v\n%s", left.headers, left.body)
	}
	report.has("Download these lines as a table")
	b.get("/portal/uploads/"+id+"/withdraw").has("This cannot be undone", "1 key")
	b.post("/portal/uploads/"+id+"/withdraw", nil).has("From now on no key of this file is sold", "Withdraw unsold keys of a file")
	b.get("/portal/uploads/" + id).has("Withdrawn").hasNot("Undo:")
}

func TestUploads_growing(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	// It was sent a moment ago, and has no record yet.
	arriving := b.get("/portal/uploads/20261123T115959-0123456789abcdef").has("Your keys have arrived")
	if !strings.Contains(arriving.body, `data-refresh="1000"`) {
		t.Error("the page does not look again")
	}
	if p := b.get("/portal/uploads/20261123T115000-0123456789abcdef"); p.status != 404 {
		t.Errorf("a file that never was is answered %d", p.status)
	}
	id := w.read("acme", "elden", func(u *upload.Upload) { u.State, u.Kept, u.FinishedAt = upload.Loading, nil, time.Time{} })
	growing := b.get("/portal/uploads/"+id).has("Reading", "added so far")
	if !strings.Contains(growing.body, `data-refresh="1000"`) {
		t.Error("the page of a file that is being read does not look again")
	}
}

func TestUploads_held(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	id := w.read("acme", "elden", func(u *upload.Upload) {
		u.State, u.Cause, u.Kept, u.Counts, u.Lines, u.FinishedAt = upload.NeedsConfirmation, upload.Unclear, nil, nil, 0, time.Time{}
		u.Seen = upload.Seen{Asked: []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}}
	})
	b := w.signIn("ada@acme.example")
	b.get("/portal/uploads/"+id).has("How should it be read?", "There is a heading (line 1)", "Leave the heading out")
	b.post("/portal/uploads/"+id+"/load", url.Values{"skip_heading": {"yes"}}).has("It is read as you said", "Reading")
	if len(w.queue.sent) != 1 {
		t.Errorf("%v was sent", w.queue.sent)
	}
}

func TestPasteKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	b.get("/portal/pools/elden/add").has("Add keys to elden", "Keys, one to a line")
	b.get("/portal/pools/elden/add?side=test").has("Add test keys to elden")
	b.post("/portal/pools/elden/paste", url.Values{"text": {"  \n"}}).has("Paste at least one key.")
	form := url.Values{"once": {"paste-1"}, "text": {"ELDN-1\r\nELDN-2"}, "side": {"test"}}
	first := b.post("/portal/pools/elden/paste", form).has("Your keys have arrived").hasNot("ELDN")
	second := b.post("/portal/pools/elden/paste", form)
	if first.at != second.at || len(w.files.files) != 1 {
		t.Errorf("%s and %s: two presses made %d files", first.at, second.at, len(w.files.files))
	}
	for name, content := range w.files.files {
		if place, ok := upload.Locate(name); !ok || place.Merchant != "acme" || place.Pool != "elden" || place.Side != pool.Test || content != "ELDN-1\r\nELDN-2" {
			t.Errorf("%s is %q", name, content)
		}
	}
	long := b.post("/portal/pools/elden/paste", url.Values{"text": {strings.Repeat("x", 256<<10+1)}})
	long.has("This is too much to be pasted")
}

// Each role sees and does what the table of roles says.
func TestPools_roles(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	id := w.read("acme", "elden", nil)
	for role, can := range map[access.Role]struct{ see, add, change bool }{
		access.Manager: {true, true, true}, access.Stock: {true, true, false}, access.Read: {true, false, false}, access.Support: {},
	} {
		address := string(role) + "@acme.example"
		w.person("acme", string(role), string(role), address, role)
		b := w.signIn(address)
		status := func(allowed bool, ok int) int {
			if allowed {
				return ok
			}
			return 403
		}
		for path, want := range map[string]int{
			"/portal/pools": status(can.see, 200), "/portal/pools/elden": status(can.see, 200), "/portal/uploads/" + id: status(can.see, 200),
			"/portal/pools/elden/add": status(can.add, 200), "/portal/pools/-/new": status(can.change, 200),
			"/portal/pools/elden/settings": status(can.change, 200), "/portal/pools/elden/delete": status(can.change, 200), "/portal/uploads/" + id + "/withdraw": status(can.change, 200),
		} {
			if p := b.get(path); p.status != want {
				t.Errorf("%s: %s is answered %d, want %d", role, path, p.status, want)
			}
		}
		for path, want := range map[string]int{
			"/portal/pools/elden/paste": status(can.add, 422), "/portal/pools/elden/settings": status(can.change, 422), "/portal/pools/elden/delete": status(can.change, 409), "/portal/uploads/" + id + "/withdraw": status(can.change, 303),
		} {
			if p := b.send("POST", path, url.Values{"low_stock": {"x"}, "version": {"9"}}); p.status != want {
				t.Errorf("%s: POST %s is answered %d, want %d", role, path, p.status, want)
			}
		}
		list := b.get("/portal/pools/elden")
		if got := strings.Contains(list.body, "/delete"); got != can.change {
			t.Errorf("%s: the button to delete is there: %t", role, got)
		}
	}
}

// Who leaves the name of a pool empty gets one of its title.
func TestPools_nameOfTitle(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		"Elden: The Long Night":   "elden-the-long-night",
		"  Überfall – Teil 2 ":    "uberfall-teil-2",
		"Ночь":                    "",
		"-":                       "",
		strings.Repeat("ab ", 30): strings.TrimSuffix(strings.Repeat("ab-", 21), "-"),
	} {
		if got := nameFor(title); got != want || got != "" && pool.CheckName(got) != nil {
			t.Errorf("%q gives %q, want %q", title, got, want)
		}
	}
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/pools/-/new").with("title", "Elden: The Long Night")
	b.post("/portal/pools/-/new", form).has("The pool is there.", "elden-the-long-night")
	b.post("/portal/pools/-/new", b.get("/portal/pools/-/new").with("title", "Elden: the long night")).has("There is a pool of this name already.")
	b.post("/portal/pools/-/new", b.get("/portal/pools/-/new").with("title", "Ночь")).has("Not a name; use 1 to 63 lower-case letters, digits and hyphens, not starting with a hyphen.")
}

// Who adds keys sees before that they go out at once, and for what.
func TestAddKeys_saysWhoWaits(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	b.get("/portal/pools/elden/add").hasNot("waits for keys", "wait for keys")
	w.line("1", func(f *order.Fulfillment) { f.Side, f.Pool = pool.Test, "elden" })
	b.get("/portal/pools/elden/add").hasNot("waits for keys", "wait for keys")
	b.get("/portal/pools/elden/add?side=test").has("1 order waits for keys of this pool: keys that you add are mailed to their customers at once.")
}
