//go:build browser

package main

import (
	"testing"

	"keypool/shared/pool"
	"keypool/shared/upload"
)

// lookAt opens a page and looks at it.
func (b *tab) lookAt(name, path string) {
	b.Helper()
	b.Go(path)
	b.Look(name)
}

// Keys are moved: from the form, by the page that says what will happen, to the job that ends
// while it is looked at.
func TestBrowser_moveKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.tab().signIn("ada@acme.example")
	b.lookAt("jobs-empty", jobsPath)
	b.lookAt("move-nowhere", "/portal/pools/elden/move")
	w.newPool("acme", "nova")
	w.keysIn(elden, "ELDN-1", "ELDN-2", "ELDN-3")
	w.read("acme", "elden", func(u *upload.Upload) { u.Counts = upload.Counts{upload.Accepted: 3} })
	b.Go("/portal/pools/elden")
	b.Press("Move to another pool")
	b.Look("move")
	b.Choose("To the pool", "nova")
	b.Type("How many", "many")
	b.Press("Go on")
	b.Has("Use a whole number.")
	b.Look("move-wrong")
	b.Type("How many", "2")
	b.Press("Go on")
	b.Has("2 unsold keys go from elden to nova")
	b.Look("move-sure")
	b.Press("Move 2 keys")
	b.Has("It has begun", "It begins in a moment.")
	b.Look("job-begins")
	w.work(page{T: t, at: b.Address()}.idOf())
	b.Has("2 keys were moved.", "Done")
	b.HasNot("End it")
	b.announces("2 keys were moved.")
	b.Look("job-moved")
	b.Press("All jobs")
	b.Has("Move keys from elden to nova")
	b.Look("jobs")
}

// A job is begun and watched by bare forms.
func TestBrowser_moveKeysWithoutScript(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.newPool("acme", "nova")
	w.keysIn(elden, "ELDN-1", "ELDN-2", "ELDN-3")
	w.read("acme", "elden", func(u *upload.Upload) { u.Counts = upload.Counts{upload.Accepted: 3} })
	b := w.tab()
	b.WithoutScript()
	b.signIn("ada@acme.example")
	b.Go("/portal/pools/elden/move")
	b.Choose("To the pool", "nova")
	b.Press("Go on")
	b.Press("Move 3 keys")
	b.Has("It begins in a moment.")
	w.work(page{T: t, at: b.Address()}.idOf())
	b.Press("Look again")
	b.Has("3 keys were moved.", "Done")
}

// Keys are exported, and the file is fetched.
func TestBrowser_exportKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.keysIn(elden, "ELDN-1", "ELDN-2", "ELDN-3")
	b := w.tab().signIn("ada@acme.example")
	b.Go("/portal/pools/elden")
	b.Press("Export")
	b.Look("export")
	b.Type("From", "11012026")
	b.Press("Go on")
	b.Has("Days are for sold keys.")
	b.Look("export-wrong")
	b.Go("/portal/pools/elden/export")
	b.Press("Go on")
	b.Has("The 3 unsold keys of elden are written to a file")
	b.Look("export-sure")
	b.Press("Write the file")
	b.Has("It has begun")
	w.work(page{T: t, at: b.Address()}.idOf())
	b.Has("3 keys were written.", "Fetch the file")
	b.Look("job-exported")
	b.Press("Fetch the file")
	b.Has("Your file is ready", "holds 3 keys")
	b.HasNot("ELDN-")
	b.Look("job-file")
	b.Press("Back to the job")

	b.Go("/portal/pools/elden/export")
	b.Press("Go on")
	b.Press("Write the file")
	b.Press("End it…")
	b.Has("No file is left of it")
	b.Look("job-end")
	b.Press("End it")
	b.Has("It ends at its next step")
	b.Look("job-ending")
	w.work(page{T: t, at: b.Address()}.idOf())
	b.Has("There is no file.", "Ended early")
	b.Look("job-ended")
}

// Keys are blocked: from a list, and from where one was found.
func TestBrowser_blockKeys(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", "SOLD-1")
	s.sell("acme", "1001", 1)
	s.stock("acme", "FREE-1", "FREE-2", "FREE-3")
	b := s.tab().signIn("ada@acme.example")
	b.Go("/portal/pools")
	b.Press("Block them")
	b.Look("block")
	b.Paste("Keys, one to a line", "SOLD-1\nFREE-1\nFREE-2\nNEW-1")
	b.Press("Go on")
	b.Has("2 keys are for sale now, and are taken out.", "1 key was sold.")
	b.Look("block-sure")
	b.Type("Why?", "in a forum")
	b.Press("Block 4 keys")
	b.Has("The keys are blocked", "1001")
	b.Look("blocked")
	b.Type("Order number, mail address or key", "FREE-3")
	b.Enter()
	b.Has("For sale", "Did this key leak")
	b.Look("found-key")
	b.Press("Block this key…")
	b.Has("Block this key?")
	b.Press("Block 1 key")
	b.Has("The keys are blocked")
	b.HasNot("FREE-")
}

// Test data is taken away from where somebody has tried the shop.
func TestBrowser_wipe(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.keysIn(pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}, "TRY-1")
	b := w.tab().signIn("ada@acme.example")
	b.Go("/portal/pools/elden")
	b.Look("pool")
	b.Press("Take all test data away")
	b.Look("wipe-sure")
	b.Press("Take all test data away")
	b.Has("It has begun")
	w.work(page{T: t, at: b.Address()}.idOf())
	b.Has("1 key", "Done")
	b.Look("job-wiped")
	b.lookAt("test-purchase", testPurchasePath)
	b.lookAt("orders-test", "/portal/orders?side=test")
}
