package main

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var elden = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}

// exported is the bucket of the files of exports: each is of one part.
type exported struct {
	*fakeFiles
	parts map[string][]byte
}

func (e *exported) BeginFile(_ context.Context, object string, _ job.Format) (string, error) {
	return object, nil
}

func (e *exported) WritePart(_ context.Context, object, _ string, number int, content []byte) (job.FilePart, error) {
	e.parts[object] = append(e.parts[object], content...)
	return job.FilePart{Number: number, Tag: fmt.Sprint(number)}, nil
}

func (e *exported) FinishFile(context.Context, string, string, []job.FilePart) error { return nil }
func (e *exported) DropFile(context.Context, string, string) error                   { return nil }
func (e *exported) Put(_ context.Context, object string, content []byte) error {
	e.parts[object] = content
	return nil
}

func (e *exported) Rest(_ context.Context, object string) ([]byte, error) {
	return e.parts[object], nil
}

// noReports holds no report that could be deleted.
type noReports struct{}

func (noReports) Delete(context.Context, string) error { return nil }

// work has the job function do a job to its end, and returns the files that it wrote.
func (w *world) work(id string) map[string][]byte {
	w.Helper()
	files := &exported{w.files, map[string][]byte{}}
	worker := &inventory.Worker{
		Progress: w.store, Keys: w.store, Pools: w.store, Uploads: w.store, Lines: w.store, Kept: w.store, Fill: w.queue, Stored: w.store, Files: files, Rests: files,
		Test:   inventory.TestSide{Rows: w.store, Orders: w.store, Keys: w.store, Uploads: w.store, Reports: noReports{}},
		Eraser: &lifecycle.Eraser{Lines: w.store, Words: w.store, Fill: w.queue, Now: w.now}, Now: w.now,
	}
	for range 20 {
		if err := worker.Handle(w.Context(), job.Resume("acme", id)); err != nil && job.OutcomeOf(err) != job.Done {
			w.Fatal(err)
		}
		if j, _, err := w.store.Job(w.Context(), "acme", id); err != nil || j.Done {
			return files.parts
		}
		w.later(inventory.IndexLag)
	}
	w.Fatalf("job %s does not end", id)
	return nil
}

// idOf returns the id of the job whose page this is.
func (p page) idOf() string {
	p.Helper()
	at, _, _ := strings.Cut(p.at, "?")
	if !strings.HasPrefix(at, jobsPath+"/") {
		p.Fatalf("%s is not the page of a job:\n%s", p.at, p.words())
	}
	return path.Base(at)
}

func (p page) refreshes(want bool) page {
	p.Helper()
	if got := strings.Contains(p.body, "data-refresh"); got != want {
		p.Errorf("%s asks again: %t, want %t", p.at, got, want)
	}
	return p
}

// jobShop is a shop with two pools, and keys in one of them.
func jobShop(t *testing.T) (*world, *browser) {
	w := open(t)
	w.newPool("acme", "elden")
	w.newPool("acme", "nova")
	w.keysIn(elden, "ELDN-1", "ELDN-2", "ELDN-3")
	return w, w.signIn("ada@acme.example")
}

func TestJobs_empty(t *testing.T) {
	t.Parallel()
	b := open(t).signIn("ada@acme.example")
	b.get(jobsPath).has("Nothing long was done here yet", "To the pools")
	b.get(jobsPath + "?after=20200101T000000-0000000000000000").has("There are no more jobs.")
	if p := b.get(jobsPath + "/20261123T110000-0123456789abcdef"); p.status != 404 {
		t.Errorf("a job that is none is answered %d", p.status)
	}
}

func TestMoveKeys(t *testing.T) {
	t.Parallel()
	w, b := jobShop(t)
	w.read("acme", "elden", func(u *upload.Upload) { u.Counts = upload.Counts{upload.Accepted: 3} })
	b.get("/portal/pools/elden").has("Move to another pool")
	b.get("/portal/pools/elden/move").has("3 keys are for sale here", "To the pool", "elden-december.txt, 23 Nov 2026, 3 keys").refreshes(false)
	for query, says := range map[string]string{
		"to=":                 "Choose the pool that they are moved to.",
		"to=elden":            "The keys are in that pool already.",
		"to=gone":             "There is no pool of this name any more.",
		"to=nova&count=many":  "Use a whole number",
		"to=nova&count=-1":    "Give a number from 1 on",
		"to=nova&upload=gone": "", // 404: somebody made it up
	} {
		p := b.get("/portal/pools/elden/move?" + query)
		if want := map[bool]int{true: 404, false: 422}[says == ""]; p.status != want {
			t.Errorf("%s is answered %d, want %d", query, p.status, want)
		}
		p.has(says)
	}
	b.get("/portal/pools/elden/move?to=nova&count=2&side=live").has("2 unsold keys go from elden to nova, no matter which.", "Move 2 keys", "To undo it, move keys back")
	b.get("/portal/pools/elden/move?to=nova&side=test").has("no such key in elden now", "Move what comes")
	b.get("/portal/pools/elden/move?to=nova&upload=20261123T110000-0123456789abcdef").has("3 unsold keys go from elden to nova: those of the file elden-december.txt")

	form := url.Values{"once": {"one"}, "to": {"nova"}, "count": {"2"}, "side": {"live"}, "reason": {"the wrong pool"}}
	first := b.post("/portal/pools/elden/move", form).has("It has begun", "Move keys from elden to nova", "It begins in a moment.", "At most 2 keys", "Why the wrong pool", "by Ada Byron", "End it").refreshes(true)
	if second := b.post("/portal/pools/elden/move", form); second.at != first.at {
		t.Errorf("two presses made %s and %s", first.at, second.at)
	}
	w.work(first.idOf())
	b.get(jobPath(first.idOf())).has("2 keys were moved.", "Done").hasNot("End it").refreshes(false)
	b.get("/portal/pools/nova").has("Left 2")
	b.get(jobsPath).has("Move keys from elden to nova", "by Ada Byron (ada). 2 keys were moved.", "Done")
	b.get("/portal/pools/elden/move?to=nova&upload=gone").hasNot("gone")
	bad := b.post("/portal/pools/elden/move", url.Values{"to": {"gone"}, "count": {"7"}})
	bad.has("There is no pool of this name any more.")
	if bad.status != 422 || !strings.Contains(bad.body, `value="7"`) {
		t.Errorf("%d, and what was typed is lost", bad.status)
	}
}

// Of a file that was withdrawn, nothing is moved, and a shop with one pool is told what to do.
func TestMoveKeys_nowhere(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	b.get("/portal/pools/elden/move").has("There is no other pool", "Make another pool")
	w.newPool("acme", "nova")
	id := w.read("acme", "elden", nil)
	b.get("/portal/uploads/"+id).has("Move its keys to another pool", "Withdraw its unsold keys…")
	withdrawn := b.post("/portal/uploads/"+id+"/withdraw", url.Values{}).has("From now on no key of this file is sold", "Withdraw unsold keys of a file")
	b.get("/portal/uploads/"+id).has("How its withdrawal stands").hasNot("Move its keys", "Undo:")
	b.get("/portal/pools/elden/move?to=nova&upload=" + id).has("This file was withdrawn")
	b.get(jobPath(withdrawn.idOf())+"/cancel").has("End the job?", "you may withdraw the file again")
	ending := b.post(jobPath(withdrawn.idOf())+"/cancel", url.Values{}).has("It ends at its next step", "Ends early").hasNot("End it…")
	w.work(ending.idOf())
	b.get(jobPath(ending.idOf())).has("Ended early", "No keys were taken out of sale.", "You may withdraw the file again.", "by Ada Byron").refreshes(false)
	b.get(jobPath(ending.idOf()) + "/cancel").has("Ended early") // nothing is left to end
	b.get("/portal/uploads/" + id).has("Withdraw its unsold keys…")
}

func TestExportKeys(t *testing.T) {
	t.Parallel()
	w, b := jobShop(t)
	b.get("/portal/pools/elden/export").has("Export keys of elden", "Unsold keys", "Sold keys", "JSON Lines")
	for query, says := range map[string]string{
		"which=sold&from=soon":                        "Write a day as 2026-11-30.",
		"which=sold&from=2026-11-02&until=2026-11-01": "The last day comes before the first one.",
		"which=unsold&from=2026-11-02":                "Days are for sold keys.",
	} {
		if p := b.get("/portal/pools/elden/export?" + query).has(says); p.status != 422 {
			t.Errorf("%s is answered %d", query, p.status)
		}
	}
	b.get("/portal/pools/elden/export?which=sold&from=2026-11-01&until=2026-11-30&format=jsonl&side=live").has(
		"those of orders that came in from 1 November 2026 to 30 November 2026", "as JSON Lines", "nothing of customers", "for ten minutes",
	).hasNot("spreadsheet")
	b.get("/portal/pools/elden/export?which=unsold&format=csv&side=live").has("The 3 unsold keys of elden are written to a file, as a table", "Do not sell them elsewhere", "A spreadsheet may change")
	form := url.Values{"once": {"one"}, "which": {"unsold"}, "format": {"csv"}, "side": {"live"}}
	begun := b.post("/portal/pools/elden/export", form).has("Export unsold keys of elden", "Its file is here once it is done").hasNot("Fetch the file")
	id := begun.idOf()
	if p := b.post(jobPath(id)+"/link", url.Values{}); p.status != 409 {
		t.Errorf("the link to a file that is not there is answered %d", p.status)
	}
	files := w.work(id)
	if got := string(files["exports/acme/"+id]); strings.Count(got, "ELDN-") != 3 {
		t.Fatalf("the file:\n%s", got)
	}
	w.later(access.FreshFor) // the job waits longer than a sign-in is fresh
	b = w.signIn("ada@acme.example")
	b.get(jobPath(id)).has("3 keys were written.", "Fetch the file", "File kept until").hasNot("ELDN-", "amazonaws", "reports.example")
	linked := b.post(jobPath(id)+"/link", url.Values{})
	linked.has("Your file is ready", "holds 3 keys", "Whoever has this link has the keys", "Download the file").hasNot("ELDN-")
	if !regexp.MustCompile(`href="https://reports\.example/exports/acme/` + id).MatchString(linked.body) {
		t.Errorf("there is no link:\n%s", linked.body)
	}
	trail, _, err := w.store.Entries(t.Context(), "acme", "", 1)
	if err != nil || len(trail) != 1 || trail[0].Thing != audit.Link || trail[0].By != "Ada Byron (ada)" {
		t.Errorf("the audit trail: %+v, %v", trail, err)
	}
	// Showing keys is for who signed in a moment ago.
	w.later(access.FreshFor + time.Minute)
	b.get("/portal/pools/elden/export").has("Is it you?")
	b.post(jobPath(id)+"/link", url.Values{}).has("Is it you?").hasNot("reports.example")
	b.post("/portal/pools/elden/export", url.Values{"once": {"two"}, "which": {"unsold"}}).has("Is it you?")
	w.later(job.FileKept)
	b = w.signIn("ada@acme.example")
	b.get(jobPath(id)).has("it is kept for a day", "Export again").hasNot("Fetch the file")
	b.post(jobPath(id)+"/link", url.Values{}).has("The file is gone", "Export the keys again")
}

func TestExportKeys_twoAtOnce(t *testing.T) {
	t.Parallel()
	_, b := jobShop(t)
	for i := range 3 {
		p := b.post("/portal/pools/elden/export", url.Values{"once": {fmt.Sprint("export ", i)}, "which": {"unsold"}})
		if i == 2 {
			p.has("Two exports are running", "Wait until one of them has ended")
		} else {
			p.idOf()
		}
	}
	last := regexp.MustCompile(jobsPath + `/2[^"]+`).FindString(b.get(jobsPath).body)
	b.get(last + "/cancel").has("No file is left of it")
	b.post(last+"/cancel", url.Values{}).has("Ends early")
}

func TestBlockKeys(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "SOLD-1")
	s.sell("acme", "1001", 1)
	s.stock("acme", "FREE-1", "FREE-2")
	b := s.signIn("ada@acme.example")
	b.get("/portal/pools").has("Did keys leak? Block them")
	b.get(blockPath).has("Block keys", "For keys that leaked")
	b.post(blockPath, url.Values{"keys": {" \n"}}).has("Use 1 to 1000 keys a call")
	b.post(blockPath, url.Values{"keys": {strings.Repeat("x", 48<<10) + "\ny"}}).has("Nothing was changed")

	list := "SOLD-1\r\n FREE-1\r\nFREE-2\r\nNEW-1"
	asked := b.post(blockPath, url.Values{"keys": {list}})
	asked.has("Block these keys?", "None of these 4 keys is sold any more", "2 keys are for sale now, and are taken out.", "1 key was sold. It stays with its order", "1 key is in no file that we know", "This cannot be undone", "Block 4 keys")
	b.get("/portal/pools/elden").has("Left 2") // nothing was done yet
	form := url.Values{"once": {"one"}, "sure": {"yes"}, "keys": {list}, "reason": {"in a forum"}}
	blocked := b.post(blockPath, form)
	blocked.has("The keys are blocked", "Were for sale, and are not any more 2", "Stay with the orders that have them, and are never sold again 1", "Are in no file yet, and are refused when one brings them 1", "1001").hasNot("FREE-", "SOLD-", "NEW-")
	if strings.Contains(blocked.at, "1001") || !strings.Contains(blocked.at, "order=") {
		t.Errorf("the page is at %s", blocked.at)
	}
	if again := b.post(blockPath, form); again.at != blocked.at {
		t.Errorf("two presses lead to %s and %s", blocked.at, again.at)
	}
	s.merchant("bravo", "Bravo")
	s.person("bravo", "bob", "Bob", "bob@bravo.example", access.Owner)
	s.signIn("bob@bravo.example").get(blocked.at).hasNot("1001")
	b.get("/portal/pools/elden").has("Left 0")
	b.post(blockPath, url.Values{"keys": {list}}).has("4 keys are blocked already.")
	trail, _, err := s.store.Entries(t.Context(), "acme", "", 1)
	if err != nil || trail[0].Thing != audit.Keys || trail[0].After["reason"] != "in a forum" || trail[0].By != "Ada Byron (ada)" {
		t.Errorf("the audit trail: %+v, %v", trail, err)
	}
}

// A key that was found can be blocked from there, by who may, as long as it is not.
func TestFind_leadsToBlock(t *testing.T) {
	t.Parallel()
	w, b := jobShop(t)
	w.person("acme", "sue", "Sue", "sue@acme.example", access.Support)
	found := b.post("/portal/find", url.Values{"find": {"ELDN-1"}}).has("Block this key…")
	if !strings.Contains(found.body, `action="/portal/keys/block"><input type="hidden" name="keys" value="ELDN-1">`) {
		t.Errorf("its button leads elsewhere:\n%s", found.body)
	}
	w.signIn("sue@acme.example").post("/portal/find", url.Values{"find": {"ELDN-1"}}).has("For sale").hasNot("Block this key", "ELDN-1")
	b.post(blockPath, url.Values{"keys": {"ELDN-1"}}).has("Block this key?", "1 key is for sale now, and is taken out.", "Block 1 key")
	b.post(blockPath, url.Values{"keys": {"ELDN-1"}, "sure": {"yes"}})
	b.post("/portal/find", url.Values{"find": {"ELDN-1"}}).has("It is blocked").hasNot("Block this key", "ELDN-1")
}

func TestWipe(t *testing.T) {
	t.Parallel()
	w, b := jobShop(t)
	try := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}
	w.keysIn(try, "TRY-1")
	b.get("/portal/pools/elden").has("Take all test data away")
	b.get("/portal/orders?side=test").has("Done with trying?")
	b.get(wipePath).has("Take all test data away?", "Nothing of paid orders can go", "This cannot be undone")
	begun := b.post(wipePath, url.Values{"once": {"one"}}).has("It has begun", "Take all test data away")
	w.work(begun.idOf())
	b.get(jobPath(begun.idOf())).has("Taken away: no order lines, 1 key.", "Done")
	b.get("/portal/pools/elden").has("Left 3", "Left 0")
}

// Each role sees and does what the table of roles says, and what is another merchant's is as
// what is not there.
func TestStockJobs_roles(t *testing.T) {
	t.Parallel()
	w, ada := jobShop(t)
	id := ada.post("/portal/pools/elden/move", url.Values{"once": {"one"}, "to": {"nova"}}).idOf()
	w.merchant("bravo", "Bravo")
	w.person("bravo", "bob", "Bob", "bob@bravo.example", access.Owner)
	see, do := []string{jobsPath, jobPath(id)}, []string{"/portal/pools/elden/move", "/portal/pools/elden/export", blockPath, wipePath, jobPath(id) + "/cancel"}
	posts := []string{"/portal/pools/elden/move", "/portal/pools/elden/export", blockPath, wipePath, jobPath(id) + "/cancel", jobPath(id) + "/link"}
	for role, can := range map[access.Role]struct{ see, do bool }{
		access.Manager: {true, true}, access.Read: {true, false}, access.Support: {}, access.Stock: {},
	} {
		address := string(role) + "@acme.example"
		w.person("acme", string(role), string(role), address, role)
		b := w.signIn(address)
		for _, path := range see {
			if p := b.get(path); (p.status == 200) != can.see {
				t.Errorf("%s: %s is answered %d", role, path, p.status)
			}
		}
		for _, path := range do {
			if p := b.get(path); (p.status == 200) != can.do {
				t.Errorf("%s: %s is answered %d", role, path, p.status)
			}
		}
		for _, path := range posts {
			if p := b.send("POST", path, url.Values{"to": {"gone"}, "keys": {""}}); (p.status == 403) == can.do {
				t.Errorf("%s: POST %s is answered %d", role, path, p.status)
			}
		}
		if role == access.Read {
			b.get(jobPath(id)).hasNot("/cancel", "/link")
			b.get("/portal/pools/elden").hasNot("/move", "/export", blockPath, wipePath)
		}
	}
	bob := w.signIn("bob@bravo.example")
	for _, path := range []string{jobPath(id), jobPath(id) + "/cancel", "/portal/pools/elden/move", "/portal/pools/elden/move?to=nova", "/portal/pools/elden/export", "/portal/pools/elden/export?which=unsold"} {
		if p := bob.get(path); p.status != 404 {
			t.Errorf("another merchant's %s is answered %d", path, p.status)
		}
	}
	for _, path := range []string{jobPath(id) + "/cancel", jobPath(id) + "/link", "/portal/pools/elden/move", "/portal/pools/elden/export"} {
		if p := bob.post(path, url.Values{"to": {"nova"}, "which": {"unsold"}}); p.status != 404 && p.status != 422 {
			t.Errorf("another merchant's POST %s is answered %d", path, p.status)
		}
	}
	bob.get(jobsPath).hasNot("elden")
	if j, _, _ := w.store.Job(t.Context(), "acme", id); strings.Contains(j.CancelledBy, "Bob") {
		t.Error("another merchant's job was ended")
	}
}

// What an address says of keys that were blocked is no text of a stranger's.
func TestBlock_namesProductsThatAreThere(t *testing.T) {
	t.Parallel()
	s, acme, nova := twoShops(t)
	b := s.as(access.Owner)
	b.get(blockPath+"?"+url.Values{"done": {"blocked"}, "code": {acme["product"], nova["product"], "call +49 30 1234, we help"}}.Encode()).
		has(acme["product"]).hasNot(nova["product"], "+49")
}
