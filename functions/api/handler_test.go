package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/problem"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// TestHandler_setsAMerchantUp sends the events of a merchant's first hour, as
// the gateway does.
func TestHandler_setsAMerchantUp(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.setMerchant(catalog.Merchant{
		Name: "acme", Title: "Acme Games", NoticeAddress: "stock@acme.example", Languages: []string{"en", "de"}, TimeZone: "Europe/Berlin",
	})
	if err := w.store.PutToken(t.Context(), access.Token{Hash: access.HashToken(token), Merchant: "acme", Scopes: access.Scopes, CreatedAt: noon}); err != nil {
		t.Fatal(err)
	}
	var p Pool
	w.send(resttest.Event(t, "good_api_pool")).Want(201).Into(&p)
	if diff := cmp.Diff(Pool{
		Name: "elden", Title: "Elden, Steam keys", LowStock: new(25), ReminderHours: new(24), Shards: new(4),
		Live: &Stock{AsOf: new(noon)}, Test: &Stock{AsOf: new(noon)},
	}, p); diff != "" {
		t.Error(diff)
	}
	w.send(resttest.Event(t, "good_api_pool")).Want(200)  // the same again
	w.send(resttest.Event(t, "again_api_pool")).Want(428) // a change without a condition
	w.send(resttest.Event(t, "bad_api_token")).Want(401)
	uploads := strings.TrimPrefix(resttest.Event(t, "bad_api_scope").Headers["authorization"], "Bearer ")
	if err := w.store.PutToken(t.Context(), access.Token{Hash: access.HashToken(uploads), Merchant: "acme", Scopes: []access.Scope{access.Upload}}); err != nil {
		t.Fatal(err)
	}
	w.send(resttest.Event(t, "bad_api_scope")).Want(403)
	w.send(resttest.Event(t, "good_api_tokens")).Want(200)

	var product Product
	w.send(resttest.Event(t, "good_api_product")).Want(201).Into(&product)
	if diff := cmp.Diff(&KeyRule{Mode: "per_unit", Count: 1}, product.Keys); diff != "" {
		t.Error(diff)
	}
	refused := w.send(resttest.Event(t, "bad_api_product")).Want(422)
	if diff := cmp.Diff([]string{
		"body.download", "body.keys.count", "body.keys.mode", "body.pool", "body.texts", "body.texts.en_EN.body", "body.texts.en_EN.body",
		"body.titel", "body.title",
	}, sorted(refused.Locations())); diff != "" {
		t.Errorf("%s\n%s", diff, refused.Body)
	}

	w.send(resttest.Event(t, "good_api_catalog")).Want(200)
	if got := sorted(w.send(resttest.Event(t, "bad_api_catalog")).Want(422).Locations()); !slices.Equal(got, []string{"body.pools.elden.titel", "body.products.game.title"}) {
		t.Errorf("a catalog with mistakes: %q", got)
	}

	var account Account
	made2 := w.send(resttest.Event(t, "good_api_account")).Want(201).Into(&account)
	if account.Platform != "standard" || account.WebhookPath != "/webhooks/acme/shop-eu" || !strings.HasPrefix(account.Secret, "whsec_") {
		t.Errorf("account %s", made2.Body)
	}

	var ticket UploadTicket
	w.send(resttest.Event(t, "good_api_upload")).Want(201).Into(&ticket)
	if diff := cmp.Diff(UploadTicket{
		Method: "PUT", URL: "https://uploads.example.com/uploads/acme/elden/ticket-x/keys.txt?lasts=15m0s", ExpiresAt: noon.Add(15 * time.Minute),
		Headers: map[string]string{"Content-Length": "21000", "If-None-Match": "*"},
	}, ticket); diff != "" {
		t.Error(diff)
	}

	w.upload(upload.Upload{
		Merchant: "acme", ID: sampleUpload.ID, File: "keys.txt", Pool: "elden", Side: pool.Live, State: upload.NeedsConfirmation, Cause: upload.Unclear,
		Seen: upload.Seen{Asked: []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}, {Trait: upload.Quotes, Lines: 9, First: 2}}},
	})
	if got := w.send(resttest.Event(t, "bad_api_load")).Want(422).Locations(); !slices.Equal(got, []string{"body.strip_numbers"}) {
		t.Errorf("an option for nothing in the file: %q", got)
	}
	w.send(resttest.Event(t, "good_api_load")).Want(202)

	var added AddedKeys
	w.send(resttest.Event(t, "good_api_add_keys")).Want(202).Into(&added)
	if added.Keys != 2 || len(w.files.files) != 1 {
		t.Errorf("added %+v: files %v", added, w.files.files)
	}
	if got := w.send(resttest.Event(t, "bad_api_add_keys")).Want(422).Locations(); !slices.Equal(got, []string{"body.keys[1]", "body.keys[2]"}) {
		t.Errorf("keys that are none: %q", got)
	}

	w.shop(token, "PUT", "/v1/products/demo", Product{Title: "Demo", Keys: &KeyRule{Mode: "shared"}}).Want(201)
	w.send(resttest.Event(t, "good_api_code")).Want(200)
	if got := w.send(resttest.Event(t, "bad_api_code")).Want(422).Locations(); !slices.Equal(sorted(got), []string{"body.code", "body.test_code"}) {
		t.Errorf("codes that are none: %q", got)
	}

	var started Job
	w.shop(token, "PUT", "/v1/pools/ring", Pool{}).Want(201)
	w.send(resttest.Event(t, "good_api_move")).Want(202).Into(&started)
	if started.State != "queued" || started.Upload != sampleUpload.ID || started.To != "ring" || started.Reason != "the file was for the other game" {
		t.Errorf("job %+v", started)
	}
	w.send(resttest.Event(t, "good_api_withdraw")).Want(202).Into(&started)
	if started.State != "queued" || started.Upload != sampleUpload.ID || started.Reason != "keys of another edition" || !strings.HasPrefix(started.By, "the token") {
		t.Errorf("job %+v", started)
	}
	w.send(resttest.Event(t, "good_api_export")).Want(202).Into(&started)
	if started.State != "queued" || started.Which != "sold" || started.Format != "csv" || started.Reason != "the month's books" {
		t.Errorf("job %+v", started)
	}
	w.send(resttest.Event(t, "bad_api_export")).Want(422)

	w.send(resttest.Event(t, "good_api_erase")).Want(202).Into(&started)
	if started.State != "queued" || started.Kind != "erase" {
		t.Errorf("job %+v", started)
	}
	w.send(resttest.Event(t, "bad_api_erase")).Want(422)

	w.send(resttest.Event(t, "good_api_find_keys")).Want(404)
	stockText(w, w.store, w.tables, "acme", "elden", sampleFindKeys.Keys[0])
	var found KeyList
	w.send(resttest.Event(t, "good_api_find_keys")).Want(200).Into(&found)
	if len(found.Items) != 2 || !slices.Equal(found.Unknown, []int{3}) {
		t.Errorf("keys %+v", found)
	}
	w.send(resttest.Event(t, "bad_api_find_keys")).Want(422)
	var blocked BlockedKeys
	w.send(resttest.Event(t, "good_api_block_keys")).Want(200).Into(&blocked)
	if blocked.Withdrawn != 1 || blocked.Unknown != 1 {
		t.Errorf("blocked %+v", blocked)
	}

	w.send(resttest.Event(t, "good_api_order")).Want(404)
	w.claim("acme", "elden", pool.Live, "10001", 1)
	w.send(resttest.Event(t, "good_api_order")).Want(200)
	w.send(resttest.Event(t, "good_api_orders")).Want(200)
	w.send(resttest.Event(t, "bad_api_orders")).Want(422)
	w.send(resttest.Event(t, "good_api_resend")).Want(200)
	if got := w.send(resttest.Event(t, "bad_api_resend")).Want(422).Locations(); !slices.Equal(got, []string{"body.email"}) {
		t.Errorf("to what is no address: %q", got)
	}
	w.send(resttest.Event(t, "good_api_cancel")).Want(200)

	w.send(resttest.Event(t, "good_api_fulfil")).Want(200)
	if got := w.send(resttest.Event(t, "bad_api_fulfil")).Want(422).Locations(); !slices.Equal(got, []string{"body.lines[0].product"}) {
		t.Errorf("of a product that nobody knows: %q", got)
	}
}

// claim stores a paid line without keys.
func (w *world) claim(merchant, from string, side pool.Side, name string, quantity int) order.Fulfillment {
	w.Helper()
	return w.claimOf(merchant, "4711", from, side, name, quantity)
}

// claimOf is claim of a line of another product.
func (w *world) claimOf(merchant, product, from string, side pool.Side, name string, quantity int) order.Fulfillment {
	w.Helper()
	account := w.account(merchant, "shop-eu")
	f := order.Fulfillment{
		ID: order.Identity{Merchant: merchant, Side: side, Origin: account.Origin, Order: name, Line: "1"}.ID(), Version: 1,
		Merchant: merchant, Side: side, Account: account.Name, Origin: account.Origin, Order: name, Line: "1", Product: product, Pool: from,
		Quantity: quantity, ReceivedAt: noon, PaidAt: noon.Add(-time.Second), Currency: "EUR", UnitPrice: "29.90", Title: "Elden",
		Customer: order.Customer{Name: "Ada Byron", Email: "ada@example.com", Country: "GB"},
		Mail:     outbox.Entry{}.Next(outbox.Delay, noon),
	}
	if from != "" {
		f.Wanted = quantity
	}
	if err := w.store.Commit(w.Context(), order.Change{After: f}); err != nil {
		w.Fatal(err)
	}
	return f
}

// account returns a merchant's account, created if it does not exist.
func (w *world) account(merchant, name string) catalog.Account {
	w.Helper()
	account, known, err := w.store.Account(w.Context(), merchant, name)
	if err == nil && !known {
		account = catalog.Account{Merchant: merchant, Name: name, Platform: "standard", Origin: "the shop of " + merchant + " and " + name}
		err = w.store.PutAccount(w.Context(), account)
		account.Version++
	}
	if err != nil {
		w.Fatal(err)
	}
	return account
}

func (w *world) upload(u upload.Upload) {
	w.Helper()
	if u.ReceivedAt.IsZero() {
		u.ReceivedAt = noon
	}
	if ok, err := w.store.MoveUpload(w.Context(), "", u, nil); !ok || err != nil {
		w.Fatalf("upload %s: %v, %v", u.ID, ok, err)
	}
}

// Settings change under optimistic locks.
func TestLocks(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	for _, thing := range []struct {
		path   string
		bodies [4]any
	}{
		{"/v1/pools/ring", [4]any{Pool{Title: "A"}, Pool{Title: "B"}, Pool{Title: "C"}, Pool{Title: "D"}}},
		{"/v1/products/4711", [4]any{Product{Title: "A"}, Product{Title: "B"}, Product{Title: "C"}, Product{Title: "D"}}},
		{"/v1/accounts/standard", [4]any{Account{}, Account{}, Account{}, Account{}}},
	} {
		call := func(method, path string, body any, headers ...string) resttest.Response {
			t.Helper()
			return w.shop(bearer, method, path, body, headers...)
		}
		path, bodies := thing.path, thing.bodies
		call("GET", path, nil).Want(404)
		call("PUT", path, bodies[0], "if-match", `"1"`).Want(412)
		call("PUT", path, bodies[0], "if-match", "*").Want(412)
		first := call("PUT", path, bodies[0], "if-none-match", "*").Want(201).ETag()
		if got := call("GET", path, nil).Want(200).ETag(); got != first {
			t.Errorf("%s: ETag %s, want %s", path, got, first)
		}
		if path != "/v1/accounts/standard" { // each call of which brings a new secret
			if got := call("PUT", path, bodies[0]).Want(200).ETag(); got != first {
				t.Errorf("%s: asking for what is so changed %s to %s", path, first, got)
			}
		}
		call("PUT", path, bodies[1]).Want(428)
		call("PUT", path, bodies[1], "if-none-match", "*").Want(412)
		call("PUT", path, bodies[1], "if-match", `"7"`).Want(412)
		call("PUT", path, bodies[1], "if-match", `W/`+first).Want(412)
		second := call("PUT", path, bodies[1], "if-match", `"9", `+first).Want(200).ETag()
		if second == first {
			t.Errorf("%s: a change kept the ETag %s", path, first)
		}
		call("PUT", path, bodies[2], "if-match", first).Want(412)
		call("PUT", path, bodies[2], "if-match", "*").Want(200)

		// Of the callers who start from the same version, one wins.
		third := call("GET", path, nil).Want(200).ETag()
		var racers sync.WaitGroup
		statuses := make([]int, 8)
		for i := range statuses {
			racers.Go(func() { statuses[i] = call("PUT", path, bodies[3], "if-match", third).StatusCode })
		}
		racers.Wait()
		slices.Sort(statuses)
		// A caller who reads after the winner wrote finds the same settings, at a version that it did not name.
		if want := []int{200, 412, 412, 412, 412, 412, 412, 412}; !slices.Equal(statuses, want) {
			t.Errorf("%s: the racers got %v", path, statuses)
		}

		if strings.Contains(path, "/pools/") || strings.Contains(path, "/products/") {
			now := call("GET", path, nil).Want(200).ETag()
			call("DELETE", path, nil).Want(428)
			call("DELETE", path, nil, "if-match", third).Want(412)
			call("DELETE", path, nil, "if-match", now).Want(204)
			call("DELETE", path, nil, "if-match", now).Want(404)
			call("GET", path, nil).Want(404)
		}
	}
}

// A setting that was read can be sent back as it is: read-only properties are ignored.
func TestLocks_readingAndWritingBackChangesNothing(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Title: "Elden", LowStock: new(0), Shards: new(8)}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/4711", Product{
		Title: "Elden", Pool: "elden", PoolsByCurrency: map[string]string{"EUR": "elden"}, Keys: &KeyRule{Mode: "per_line", Count: 2},
		Texts: map[string]Text{"de": {Subject: "Schlüssel", Body: "{KEY}"}}, Download: "https://acme.example/",
	}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/copy", Product{Original: "4711"}).Want(201)
	for _, path := range []string{"/v1/pools/elden", "/v1/products/4711", "/v1/products/copy"} {
		read := w.shop(bearer, "GET", path, nil).Want(200)
		written := w.shop(bearer, "PUT", path, read.Body, "if-match", read.ETag()).Want(200)
		if diff := cmp.Diff(read.Body, written.Body); diff != "" || written.ETag() != read.ETag() {
			t.Errorf("%s: ETag %s to %s, %s", path, read.ETag(), written.ETag(), diff)
		}
	}
}

// Of the callers who create the same thing with other settings at once, one wins.
func TestLocks_oneCreates(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	var racers sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		racers.Go(func() {
			statuses[i] = w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Title: fmt.Sprint(i)}).StatusCode
		})
	}
	racers.Wait()
	slices.Sort(statuses)
	if statuses[0] != 201 || slices.Contains(statuses[1:], 201) || slices.Contains(statuses, 200) {
		t.Errorf("the racers got %v, want one 201 and the others 412 or 428", statuses)
	}
}

func TestPool_countsWhatIsInIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	live := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	dynamotest.Stock(t, w.tables, live, 4, dynamotest.Texts("live", 7)...)
	dynamotest.Stock(t, w.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}, 4, dynamotest.Texts("test", 2)...)
	w.claim("acme", "elden", pool.Live, "1", 9)
	w.claim("acme", "elden", pool.Live, "2", 9)

	var got Pool
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(200).Into(&got)
	want := Pool{
		Name: "elden", LowStock: new(10), ReminderHours: new(24), Shards: new(4),
		Live: &Stock{Available: 7, Waiting: 2, AsOf: new(noon)}, Test: &Stock{Available: 2, AsOf: new(noon)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// What it sold, and when it runs dry; today counts as sold, and not towards the rates.
	takes := []pool.Take{{Keys: 14, At: noon.AddDate(0, 0, -8)}, {Keys: 7, At: noon.AddDate(0, 0, -1)}, {Keys: 2, At: noon}, {Keys: 9, At: noon.AddDate(0, 0, -30)}}
	if err := w.store.AddTaken(t.Context(), live, takes); err != nil {
		t.Fatal(err)
	}
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(200).Into(&got)
	want.Live.Sold7, want.Live.Sold30, want.Live.SoldByDay = 9, 23, []SoldDay{{Day: "2026-11-15", Keys: 14}, {Day: "2026-11-22", Keys: 7}, {Day: "2026-11-23", Keys: 2}}
	want.Live.RunsDry = &RunsDry{From: "2026-11-25", To: "2026-11-30"} // 7 keys at 21 in 8 days, at 7 in 7
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with sales (-want +got):\n%s", diff)
	}
	want.Live.SoldByDay = nil // not in lists
	w.shop(bearer, "PUT", "/v1/pools/abyss", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/pools/zelda", Pool{}).Want(201)
	var list PoolList
	w.shop(bearer, "GET", "/v1/pools?limit=2", nil).Want(200).Into(&list)
	if len(list.Items) != 2 || list.Items[0].Name != "abyss" || list.Next != "elden" {
		t.Errorf("the first page: %+v", list)
	}
	if diff := cmp.Diff(want, list.Items[1]); diff != "" {
		t.Error(diff)
	}
	list = PoolList{}
	w.shop(bearer, "GET", "/v1/pools?limit=2&after=elden", nil).Want(200).Into(&list)
	if len(list.Items) != 1 || list.Items[0].Name != "zelda" || list.Next != "" {
		t.Errorf("the last page: %+v", list)
	}
}

// Creating a pool resumes the uploads and the lines that waited for a pool of that name.
func TestPool_takesUpWhatWaited(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for _, id := range []string{"20261123T090000-a", "20261123T100000-b"} {
		w.upload(upload.Upload{Merchant: "acme", ID: id, Pool: "elden", Side: pool.Live, State: upload.Parked, Cause: upload.UnknownPool})
	}
	w.upload(upload.Upload{Merchant: "acme", ID: "20261123T100001-c", Pool: "ring", Side: pool.Live, State: upload.Parked, Cause: upload.UnknownPool})
	// A product that named the pool before it was deleted.
	err := w.store.PutProduct(t.Context(), catalog.Product{
		Merchant: "acme", ID: "4711", Title: "Elden", PoolsByCurrency: map[string]string{"EUR": "elden"},
		Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1},
	})
	if err != nil {
		t.Fatal(err)
	}

	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	if diff := cmp.Diff([]string{
		`{"v":1,"merchant":"acme","upload":"20261123T090000-a","resume":true} after 0s`,
		`{"v":1,"merchant":"acme","upload":"20261123T100000-b","resume":true} after 0s`,
	}, w.ranges.drain()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		`{"v":1,"merchant":"acme","side":"live","pool":"elden"} after 2s`,
		`{"v":1,"merchant":"acme","side":"live","product":"4711"} after 2s`,
		`{"v":1,"merchant":"acme","side":"test","pool":"elden"} after 2s`,
		`{"v":1,"merchant":"acme","side":"test","product":"4711"} after 2s`,
	}, sorted(w.fill.drain())); diff != "" {
		t.Error(diff)
	}

	// A change of the pool sends nothing, and a queue that fails does not stop its creation.
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}, "if-match", "*").Want(200)
	if sent := append(w.ranges.drain(), w.fill.drain()...); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
	w.fill.err, w.ranges.err = errors.New("no queue"), errors.New("no queue")
	w.shop(bearer, "PUT", "/v1/pools/ring", Pool{}).Want(201)
}

func sorted(s []string) []string { slices.Sort(s); return s }

// Connecting a product, and a new default pool, let waiting lines go on.
func TestProduct_connectingItSendsAFill(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.fill.drain()
	w.shop(bearer, "PUT", "/v1/products/a", Product{Title: "A", Pool: "elden"}).Want(201)
	want := func(products ...string) {
		t.Helper()
		var all []string
		for _, p := range products {
			for _, side := range []string{"live", "test"} {
				all = append(all, fmt.Sprintf(`{"v":1,"merchant":"acme","side":%q,"product":%q} after 2s`, side, p))
			}
		}
		if diff := cmp.Diff(sorted(all), sorted(w.fill.drain())); diff != "" {
			t.Error(diff)
		}
	}
	want("a")
	w.shop(bearer, "PUT", "/v1/products/b", Product{Original: "a"}).Want(201)
	want("b")
	a := Product{Title: "A", PoolsByCurrency: map[string]string{"EUR": "elden"}}
	w.shop(bearer, "PUT", "/v1/products/a", a, "if-match", "*").Want(200)
	want("a", "b")
	w.shop(bearer, "PUT", "/v1/products/a", a).Want(200)
	a.Title, a.Keys = "AA", &KeyRule{Mode: "per_line", Count: 2}
	w.shop(bearer, "PUT", "/v1/products/a", a, "if-match", "*").Want(200)
	want() // the same pool feeds it
	a.Pool = "elden"
	w.shop(bearer, "PUT", "/v1/products/a", a, "if-match", "*").Want(200)
	want("a", "b")
	w.shop(bearer, "PUT", "/v1/products/c", Product{Title: "C"}).Want(201)
	want("c")

	acme := catalog.Merchant{Name: "acme", Title: "acme", NoticeAddress: "acme@example.com", DefaultPool: "elden"}
	w.setMerchant(acme)
	want("b", "c")
	w.setMerchant(acme)
	want()
}

// The settings that a product names must exist, and it has a text in each of the merchant's languages.
func TestProduct_isCheckedBesideTheOtherSettings(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.setMerchant(catalog.Merchant{
		Name: "acme", Title: "Acme", NoticeAddress: "a@example.com", Languages: []string{"en", "pt-BR", "de"},
	})
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/first", Product{Title: "First", Pool: "elden"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/second", Product{Original: "first"}).Want(201)
	refused := w.shop(bearer, "PUT", "/v1/products/third", Product{
		Title: "Third", Pool: "ring", PoolsByCurrency: map[string]string{"EUR": "elden", "USD": "ring", "BRL": "moon"},
		Texts: map[string]Text{"de": {Body: "{KEY}"}, "fr": {Body: "{KEY}"}}, Original: "second",
	}).Want(422)
	if diff := cmp.Diff([]string{
		"body.texts", "body.pool", "body.pools_by_currency.BRL", "body.pools_by_currency.USD", "body.original",
	}, refused.Locations()); diff != "" {
		t.Errorf("%s\n%s", diff, refused.Body)
	}
	if !strings.Contains(refused.Body, "en, pt-BR") {
		t.Errorf("the answer does not say which languages are missing:\n%s", refused.Body)
	}
	w.shop(bearer, "PUT", "/v1/products/fourth", Product{Original: "fifth"}).Want(422)
	// A chain is refused from its other end too.
	w.shop(bearer, "PUT", "/v1/products/first", Product{Title: "First", Original: "sixth"}, "if-match", "*").Want(422)
	w.shop(bearer, "PUT", "/v1/products/sixth", Product{Title: "Sixth"}).Want(201)
	if got := w.shop(bearer, "PUT", "/v1/products/first", Product{Title: "First", Original: "sixth"}, "if-match", "*").Want(422).Locations(); !slices.Equal(got, []string{"body.original"}) {
		t.Errorf("locations %q", got)
	}
}

// A platform's id may hold any character and pass through the gateway's path, except a
// question mark, where the gateway cuts the path.
func TestProduct_idsAreThePlatforms(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for path, id := range map[string]string{
		"/v1/products/gid://shopify/Product/1": "gid://shopify/Product/1", // as an HTTP API decodes it
		"/v1/products/gid:%2F%2Fshop%2F2":      "gid://shop/2",            // as it was sent
		"/v1/products/50%25 off, #1":           "50% off, #1",             // it decodes all but the percent sign
		"/v1/products/Größe L":                 "Größe L",
		"/v1/products/a..b/../c":               "a..b/../c",
	} {
		var made, got Product
		w.shop(bearer, "PUT", path, Product{Title: "Elden"}).Want(201).Into(&made)
		w.shop(bearer, "GET", path, nil).Want(200).Into(&got)
		if made.ID != id || got.ID != id {
			t.Errorf("%s: made %q and read %q, want %q", path, made.ID, got.ID, id)
		}
		if _, ok, err := w.store.Product(t.Context(), "acme", id); !ok || err != nil {
			t.Errorf("%q is not in the table: %v", id, err)
		}
	}
	var all ProductList
	for after, n := "", 0; ; n++ {
		var list ProductList
		w.shop(bearer, "GET", "/v1/products?limit=2&after="+url.QueryEscape(after), nil).Want(200).Into(&list)
		all.Items = append(all.Items, list.Items...)
		if after = list.Next; after == "" {
			if n != 2 || len(all.Items) != 5 {
				t.Errorf("%d products on %d pages, want 5 on 3", len(all.Items), n+1)
			}
			break
		}
	}
	for _, path := range []string{"/v1/products/" + strings.Repeat("x", 129), "/v1/products/a\tb", "/v1/products/ a"} {
		w.shop(bearer, "PUT", path, Product{Title: "Elden"}).Want(422)
	}
}

func TestPool_isDeletedOnlyWhenNothingNeedsIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for _, name := range []string{"full", "owing", "named", "default", "free"} {
		w.shop(bearer, "PUT", "/v1/pools/"+name, Pool{}).Want(201)
	}
	dynamotest.Stock(t, w.tables, pool.ID{Merchant: "acme", Pool: "full", Side: pool.Test}, 4, "K-1")
	w.claim("acme", "owing", pool.Live, "1", 1)
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "Elden", PoolsByCurrency: map[string]string{"EUR": "named"}}).Want(201)
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "A", NoticeAddress: "a@example.com", DefaultPool: "default"})
	for name, why := range map[string]string{
		"full": "test side holds keys for sale (1)", "owing": "order lines wait for its live side (1)", "named": `product \"4711\"`, "default": "default pool",
	} {
		if got := w.shop(bearer, "DELETE", "/v1/pools/"+name, nil, "if-match", "*").Want(409).Body; !strings.Contains(got, why) {
			t.Errorf("%s: the answer does not say %q:\n%s", name, why, got)
		}
	}
	w.shop(bearer, "DELETE", "/v1/pools/free", nil, "if-match", "*").Want(204)

	// By force, it goes with keys and lines: what a pool of its name finds again.
	for name, want := range map[string]int{"full": 204, "owing": 204, "named": 409, "default": 409} {
		got := w.shop(bearer, "DELETE", "/v1/pools/"+name+"?force=true", nil, "if-match", "*").Want(want)
		if want == 409 && strings.Contains(got.Body, "force") {
			t.Errorf("%s: force is offered where it does not help:\n%s", name, got.Body)
		}
	}
	w.shop(bearer, "GET", "/v1/pools/full", nil).Want(404)
	var full, owing Pool
	w.shop(bearer, "PUT", "/v1/pools/full", Pool{}).Want(201).Into(&full)
	w.shop(bearer, "PUT", "/v1/pools/owing", Pool{}).Want(201).Into(&owing)
	if full.Test.Available != 1 || owing.Live.Waiting != 1 {
		t.Errorf("the pools that are made again hold %d keys and %d waiting lines", full.Test.Available, owing.Live.Waiting)
	}
}

// A pool that is made again after it was deleted has the shards that it had: its keys stand
// in them, and would be found by nobody.
func TestPool_isMadeAgainWithItsShards(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(8)}).Want(201)
	dynamotest.Stock(t, w.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}, 8, dynamotest.Texts("K", 100)...)
	w.shop(bearer, "DELETE", "/v1/pools/elden?force=true", nil, "if-match", "*").Want(204)
	if got := w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(4)}).Want(422).Locations(); !slices.Equal(got, []string{"body.shards"}) {
		t.Errorf("locations %q", got)
	}
	var again Pool
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201).Into(&again)
	if *again.Shards != 8 || again.Test.Available != 100 {
		t.Errorf("%d of 100 keys are for sale, in %d shards", again.Test.Available, *again.Shards)
	}
	w.shop(bearer, "DELETE", "/v1/pools/elden?force=true", nil, "if-match", "*").Want(204)
	w.shop(bearer, "PUT", "/v1/catalog", `{"pools": {"elden": {}}}`, "if-match", "*").Want(200)
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(200).Into(&again)
	if *again.Shards != 8 || again.Test.Available != 100 {
		t.Errorf("by a catalog, %d of 100 keys are for sale, in %d shards", again.Test.Available, *again.Shards)
	}
}

func TestProduct_isDeletedOnlyWhenNothingNeedsIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "Elden"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/copy", Product{Original: "4711"}).Want(201)
	w.shop(bearer, "DELETE", "/v1/products/4711", nil, "if-match", "*").Want(409)
	w.shop(bearer, "DELETE", "/v1/products/copy", nil, "if-match", "*").Want(204)
	w.claim("acme", "", pool.Test, "1", 1)
	if got := w.shop(bearer, "DELETE", "/v1/products/4711", nil, "if-match", "*").Want(409).Body; !strings.Contains(got, "wait for it to get a pool (1)") || !strings.Contains(got, "force=true") {
		t.Errorf("the answer does not say how many lines wait, and what helps:\n%s", got)
	}
	w.shop(bearer, "DELETE", "/v1/products/none", nil, "if-match", "*").Want(404)

	// A line of an alias waits for the product as well.
	w.shop(bearer, "PUT", "/v1/products/other", Product{Title: "Elden", Aliases: []string{"alias"}}).Want(201)
	w.claimOf("acme", "alias", "", pool.Live, "2", 1)
	w.shop(bearer, "DELETE", "/v1/products/other", nil, "if-match", "*").Want(409)
	w.shop(bearer, "DELETE", "/v1/products/other?force=true", nil, "if-match", "*").Want(204)
	w.shop(bearer, "GET", "/v1/products/alias", nil).Want(404)
	w.shop(bearer, "DELETE", "/v1/products/4711?force=true", nil, "if-match", "*").Want(204)
	if n, err := w.store.CountUnconnected(t.Context(), "acme", []string{"4711", "alias"}, 10); n != 2 || err != nil {
		t.Errorf("%d lines wait after the deletion (%v), want 2", n, err)
	}
}

// A product is found by its aliases, and changed by its own id. An id names one product;
// who has one that is taken is said.
func TestProduct_aliases(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/elden", Product{Title: "Elden", Aliases: []string{"price_1", "1001"}}).Want(201)
	w.fill.drain()
	var got Product
	w.shop(bearer, "GET", "/v1/products/1001", nil).Want(200).Into(&got)
	if got.ID != "elden" || !slices.Equal(got.Aliases, []string{"price_1", "1001"}) {
		t.Errorf("the alias is answered by %+v", got)
	}
	for _, method := range []string{"PUT", "DELETE"} {
		var body any
		if method == "PUT" {
			body = Product{Title: "Elden"}
		}
		if got := w.shop(bearer, method, "/v1/products/1001", body, "if-match", "*").Want(409).Body; !strings.Contains(got, `\"elden\"`) {
			t.Errorf("%s of an alias does not say whose it is:\n%s", method, got)
		}
	}
	w.shop(bearer, "PUT", "/v1/products/ring", Product{Title: "Ring"}).Want(201)
	refused := w.shop(bearer, "PUT", "/v1/products/ring", Product{Title: "Ring", Original: "price_1", Aliases: []string{"free", "1001", "elden"}}, "if-match", "*").Want(422)
	if diff := cmp.Diff([]string{"body.aliases[1]", "body.aliases[2]", "body.original"}, refused.Locations()); diff != "" || !strings.Contains(refused.Body, `\"elden\"`) {
		t.Errorf("%s\n%s", diff, refused.Body)
	}
	w.shop(bearer, "GET", "/v1/products/free", nil).Want(404)

	// Lines that were paid by the new id are served.
	w.fill.drain()
	w.shop(bearer, "PUT", "/v1/products/elden", Product{Title: "Elden", Aliases: []string{"price_1", "gid"}}, "if-match", "*").Want(200)
	if sent := w.fill.drain(); len(sent) != 6 || !strings.Contains(fmt.Sprint(sent), `"product":"gid"`) {
		t.Errorf("asked for fills: %q", sent)
	}
	w.shop(bearer, "GET", "/v1/products/1001", nil).Want(404)
}

func TestPool_shardsOnlyGrow(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(8)}).Want(201)
	if got := w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(4)}, "if-match", "*").Want(422).Locations(); !slices.Equal(got, []string{"body.shards"}) {
		t.Errorf("locations %q", got)
	}
	var got Pool
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}, "if-match", "*").Want(200).Into(&got)
	if *got.Shards != 8 {
		t.Errorf("leaving shards out made them %d", *got.Shards)
	}
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(16)}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Shards: new(65)}, "if-match", "*").Want(422)
}

// Secrets are sealed for their merchant and account, shown once if Keypool made them,
// never read back, and rotate without a refused webhook.
func TestAccount_secretsRotate(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	own := "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	set := func(body Account, status int) Account {
		t.Helper()
		var got Account
		headers := []string{"if-match", "*"}
		if status == 201 {
			headers = nil
		}
		w.shop(bearer, "PUT", "/v1/accounts/standard", body, headers...).Want(status).Into(&got)
		return got
	}
	if got := set(Account{Secret: own}, 201); got.Secret != "" {
		t.Errorf("a secret that was given is shown: %+v", got)
	}
	if want := []string{"acme/standard:3031323334353637383961626364656630313233343536373839616263646566"}; !slices.Equal(w.kms.sealed, want) {
		t.Errorf("sealed %q", w.kms.sealed)
	}
	w.advance(time.Hour)
	made := set(Account{}, 200)
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Errorf("a secret that we made is not shown: %+v", made)
	}
	read := func() []AccountSecret {
		t.Helper()
		var got Account
		body := w.shop(bearer, "GET", "/v1/accounts/standard", nil).Want(200).Into(&got).Body
		if got.Secret != "" || strings.Contains(body, strings.TrimPrefix(made.Secret, "whsec_")) || strings.Contains(body, "sealed") {
			t.Errorf("a secret is read back:\n%s", body)
		}
		return got.Secrets
	}
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	if diff := cmp.Diff([]AccountSecret{{CreatedAt: at(1)}, {CreatedAt: at(0), ExpiresAt: at(25)}}, read()); diff != "" {
		t.Error(diff)
	}
	// A caller who lost the answer asks again; the sender still uses the first.
	set(Account{KeepPreviousHours: new(48)}, 200)
	if diff := cmp.Diff([]AccountSecret{
		{CreatedAt: at(1)}, {CreatedAt: at(1), ExpiresAt: at(49)}, {CreatedAt: at(0), ExpiresAt: at(25)},
	}, read()); diff != "" {
		t.Error(diff)
	}
	w.advance(24 * time.Hour)
	if got := read(); len(got) != 2 {
		t.Errorf("a secret that has expired is still there: %+v", got)
	}
	set(Account{KeepPreviousHours: new(0)}, 200)
	if diff := cmp.Diff([]AccountSecret{{CreatedAt: at(25)}}, read()); diff != "" {
		t.Error(diff)
	}

	refused := w.shop(bearer, "PUT", "/v1/accounts/standard", Account{Secret: "whsec_tooshort"}, "if-match", "*").Want(422)
	if got := refused.Locations(); !slices.Equal(got, []string{"body.secret"}) || strings.Contains(refused.Body, "tooshort") {
		t.Errorf("a secret that is refused: %s", refused.Body)
	}
	refused = w.shop(bearer, "PUT", "/v1/accounts/standard", `{"secret": "whsec_hidden`, "if-match", "*").Want(400)
	if strings.Contains(refused.Body, "hidden") {
		t.Errorf("a body that is no JSON is quoted: %s", refused.Body)
	}
	for path, body := range map[string]Account{"shop-us": {Platform: "nosuch"}, "Shop_US": {}} {
		w.shop(bearer, "PUT", "/v1/accounts/"+path, body).Want(422)
	}
	w.kms.err = errors.New("AccessDenied: acme@example.com")
	if got := w.shop(bearer, "PUT", "/v1/accounts/standard", Account{}, "if-match", "*").Want(500).Body; !strings.Contains(got, problem.Internal.Detail) || strings.Contains(got, "Denied") {
		t.Errorf("an error of ours is told: %s", got)
	}
}

func TestOrder_showsItsLines(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	live, test := w.claim("acme", "elden", pool.Live, "2026/1001", 2), w.claim("acme", "", pool.Test, "2026/1001", 1)
	live2 := live
	live2.Version++
	live2.Keys = []pool.Key{{ID: "acme#live#1", Text: pool.Conceal("SECRET-KEY-1")}, {ID: "acme#live#2", Text: pool.Conceal("SECRET-KEY-2")}}
	live2.Allocated = 2
	live2.Mail = outbox.Entry{State: outbox.Delivered, Kind: outbox.Keys, Number: 2, Tries: 1, MessageID: "0100-a"}
	if err := w.store.Commit(t.Context(), order.Change{Before: &live, After: live2}); err != nil {
		t.Fatal(err)
	}
	for _, h := range []order.History{
		{Line: live.ID, At: noon.Add(2 * time.Second), Event: order.MailDelivered, By: "ses", Mail: 2, MessageID: "0100-a"},
		{Line: live.ID, At: noon.Add(time.Second), Event: order.MailUncertain, By: "deliver", Mail: 1},
	} {
		if err := w.store.AddHistory(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	customer := Customer{Name: "Ada Byron", Email: "ada@example.com", Country: "GB"}
	want := OrderList{Items: []Order{
		{Order: "2026/1001", Account: "shop-eu", Customer: customer, Lines: []Line{{
			ID: string(live.ID), Line: "1", Version: 2, Product: "4711", Title: "Elden", Pool: "elden", State: "fulfilled",
			Quantity: 2, Wanted: 2, Allocated: 2, KeyIDs: []string{"acme#live#1", "acme#live#2"},
			Currency: "EUR", UnitPrice: "29.90", PaidAt: noon.Add(-time.Second), ReceivedAt: noon,
			Delivery: &Delivery{State: "delivered", About: "keys", Number: 2, Tries: 1, MessageID: "0100-a"},
		}}, Timeline: []Entry{
			{At: noon, Line: "1", What: "received", Account: "shop-eu"},
			{At: noon.Add(time.Second), Line: "1", What: "mail-uncertain", By: "deliver", Mail: 1},
			{At: noon.Add(2 * time.Second), Line: "1", What: "mail-delivered", By: "ses", Mail: 2, MessageID: "0100-a"},
		}},
		{Order: "2026/1001", Account: "shop-eu", Test: true, Customer: customer, Lines: []Line{{
			ID: string(test.ID), Line: "1", Version: 1, Product: "4711", Title: "Elden", State: "unconnected",
			Quantity: 1, Currency: "EUR", UnitPrice: "29.90", PaidAt: noon.Add(-time.Second), ReceivedAt: noon, AttentionSince: noon,
			Delivery: &Delivery{State: "due", About: "delay", Number: 1}, QueuePlace: 1,
			Mend: "No pool feeds its product. Connect it: PUT /v1/products/{product} with product 4711 and its pool, or pools_by_currency; or set the code that all its orders get, PUT /v1/codes/{product}. The line gets its keys by itself then, in its place of the queue. To deliver nothing, POST /v1/orders/{order}/cancel.",
		}}, Timeline: []Entry{
			{At: noon, Line: "1", What: "received", Account: "shop-eu"},
			{At: noon, Line: "1", What: "queued"},
			{Line: "1", What: "mail-tried", Ahead: true},
			{At: noon.Add(5 * time.Minute), Line: "1", What: "sweep-looks", Ahead: true},
		}},
	}}
	var got OrderList
	body := w.shop(bearer, "GET", "/v1/orders/2026/1001", nil).Want(200).Into(&got).Body
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(body, "SECRET-KEY") {
		t.Errorf("a key is shown:\n%s", body)
	}
	for query, index := range map[string]int{"test=false": 0, "test=true": 1, "account=shop-eu&test=true": 1} {
		got = OrderList{}
		w.shop(bearer, "GET", "/v1/orders/2026%2F1001?"+query, nil).Want(200).Into(&got)
		if diff := cmp.Diff(OrderList{Items: want.Items[index : index+1]}, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	w.shop(bearer, "GET", "/v1/orders/2026/1001?account=shop-us", nil).Want(404)
	w.shop(bearer, "GET", "/v1/orders/2026/1001?test=perhaps", nil).Want(422)
	w.shop(bearer, "GET", "/v1/orders/2026/1002", nil).Want(404)
}

func TestUploads_showTheirReports(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	finished := upload.Upload{
		Merchant: "acme", ID: "20261123T100000-b", File: "b.txt", Pool: "elden", Side: pool.Live, Size: 40, State: upload.Finished,
		Ranges: 1, Done: 1, Lines: 4, Counts: upload.Counts{upload.Accepted: 2, upload.Sold: 1, upload.TooLong: 1},
		Kept:       []upload.RejectedLine{{Line: 2, Reason: upload.Sold, SoldAt: noon.Add(-time.Hour)}, {Line: 4, Reason: upload.TooLong}},
		ReceivedAt: noon, FinishedAt: noon.Add(time.Second),
	}
	w.upload(upload.Upload{Merchant: "acme", ID: "20261123T090000-a", File: "a.txt", Pool: "ring", Side: pool.Test, State: upload.Parked, Cause: upload.UnknownPool})
	w.upload(finished)
	w.upload(upload.Upload{Merchant: "acme", ID: "20261123T110000-c", File: "c.txt", Pool: "elden", Side: pool.Live, State: upload.Loading, Size: 8 * upload.RangeSize, Ranges: 8, Done: 2})

	var list UploadList
	w.shop(bearer, "GET", "/v1/uploads?limit=2", nil).Want(200).Into(&list)
	if len(list.Items) != 2 || list.Items[0].ID != "20261123T110000-c" || list.Items[0].Progress != 25 || list.Next != finished.ID {
		t.Errorf("the first page: %+v", list)
	}
	list = UploadList{}
	w.shop(bearer, "GET", "/v1/uploads?limit=2&after="+finished.ID, nil).Want(200).Into(&list)
	if len(list.Items) != 1 || list.Items[0].State != "parked" || list.Next != "" {
		t.Errorf("the last page: %+v", list)
	}
	var got Upload
	w.shop(bearer, "GET", "/v1/uploads/"+finished.ID, nil).Want(200).Into(&got)
	if diff := cmp.Diff(Upload{
		ID: finished.ID, File: "b.txt", Pool: "elden", Side: "live", Size: 40, State: "finished", Progress: 100, Read: 40, Lines: 4, Accepted: 2,
		Duplicates: map[string]int{"sold": 1}, Refused: map[string]int{"too-long": 1},
		First:      []RefusedLine{{Line: 2, Reason: "sold", SoldAt: noon.Add(-time.Hour)}, {Line: 4, Reason: "too-long"}},
		ReceivedAt: noon, FinishedAt: noon.Add(time.Second),
		ReportURL: "https://reports.example.com/reports/acme/20261123T100000-b.json?lasts=15m0s",
	}, got); diff != "" {
		t.Error(diff)
	}
	w.shop(bearer, "GET", "/v1/uploads/none", nil).Want(404)
}

// While it is loading, an upload shows what its workers have saved.
func TestUploads_showTheirProgress(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	u := upload.Upload{
		Merchant: "acme", ID: "u1", File: "a.txt", Pool: "elden", Side: pool.Live, Size: 3*upload.RangeSize - 100, State: upload.Loading, Ranges: 3, Counts: upload.Counts{},
	}
	w.upload(u)
	look := func() Upload {
		var got Upload
		w.shop(bearer, "GET", "/v1/uploads/u1", nil).Want(200).Into(&got)
		return got
	}
	if got := look(); got.Progress != 0 || got.Read != 0 || got.Accepted != 0 {
		t.Errorf("before anything is read: %+v", got)
	}
	for n, save := range []upload.Range{
		{Offset: upload.RangeSize + 7, Lines: 10, Counts: upload.Counts{upload.Accepted: 8, upload.Sold: 1, upload.TooLong: 1}}, // ended, its last line in the next range
		{Offset: upload.RangeSize + 1000, Lines: 5, Counts: upload.Counts{upload.Accepted: 4, upload.SkippedComment: 1}},        // begun
		{}, // taken
	} {
		r, err := w.store.TakeRange(t.Context(), u, n, noon)
		if err != nil {
			t.Fatal(err)
		}
		save.Part = r.Part
		if n == 0 {
			save.Done = true
			err = w.store.EndRange(t.Context(), u, save, noon)
		} else if n == 1 {
			err = w.store.SaveRange(t.Context(), u, save)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := Upload{
		ID: "u1", File: "a.txt", Pool: "elden", Side: "live", Size: 3*upload.RangeSize - 100, State: "loading", ReceivedAt: noon,
		Progress: 33, Read: upload.RangeSize + 1000, Lines: 15, Accepted: 12,
		Duplicates: map[string]int{"sold": 1}, Refused: map[string]int{"too-long": 1}, Skipped: map[string]int{"skipped-comment": 1},
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("while it is read (-want +got):\n%s", diff)
	}
	for n := 1; n < 3; n++ {
		r, err := w.store.TakeRange(t.Context(), u, n, noon)
		if err != nil {
			t.Fatal(err)
		}
		r.Done = true
		if err := w.store.EndRange(t.Context(), u, r, noon); err != nil {
			t.Fatal(err)
		}
	}
	if got := look(); got.Progress != 100 || got.Read != got.Size || got.Lines != 15 || got.Accepted != 12 {
		t.Errorf("once all is read: %+v", got)
	}
}

// A held file shows what was seen in it, and is loaded as its merchant says: once.
func TestLoadUpload(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	held := upload.Upload{
		Merchant: "acme", ID: "u1", File: "a.txt", Pool: "elden", Side: pool.Live, Size: 40,
		State: upload.NeedsConfirmation, Cause: upload.Unclear, ReceivedAt: noon,
		Seen: upload.Seen{
			Asked:  []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}, {Trait: upload.Quotes, Lines: 9, First: 2}},
			Warned: []upload.Finding{{Trait: upload.Typography, Lines: 2, First: 5}},
		},
	}
	w.upload(held)
	want := Upload{
		ID: "u1", File: "a.txt", Pool: "elden", Side: "live", Size: 40, State: "needs_confirmation", Cause: "unclear", ReceivedAt: noon,
		Findings: []Finding{{"heading", 1, 1}, {"quotes", 9, 2}}, Warnings: []Finding{{"typography", 2, 5}},
		Options:   []string{"skip_heading", "strip_quotes"},
		ReportURL: "https://reports.example.com/reports/acme/u1.json?lasts=15m0s",
	}
	var got Upload
	w.shop(bearer, "GET", "/v1/uploads/u1", nil).Want(200).Into(&got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	// What was not found cannot be skipped, and a name that is mistyped is no option.
	for body, location := range map[any]string{
		LoadUpload{SkipHeading: true, SkipComments: true}: "body.skip_comments",
		LoadUpload{StripNumbers: true}:                    "body.strip_numbers",
		`{"skip_headings":true}`:                          "body.skip_headings",
		`{"Skip_heading":true}`:                           "body.Skip_heading",
	} {
		if got := w.shop(bearer, "POST", "/v1/uploads/u1/load", body).Want(422).Locations(); !slices.Equal(got, []string{location}) {
			t.Errorf("%+v: %q", body, got)
		}
	}
	w.shop(bearer, "POST", "/v1/uploads/u2/load", nil).Want(404)
	w.shop(w.merchant("mallory"), "POST", "/v1/uploads/u1/load", nil).Want(404)
	if sent := w.ranges.drain(); len(sent) != 0 {
		t.Errorf("sent %q", sent)
	}
	for range 2 { // the same answer again is harmless
		got = Upload{}
		w.shop(bearer, "POST", "/v1/uploads/u1/load", LoadUpload{SkipHeading: true}).Want(202).Into(&got)
		if got.State != "confirmed" || got.Cause != "" || !slices.Equal(got.Options, []string{"skip_heading"}) {
			t.Errorf("confirmed: %+v", got)
		}
		if diff := cmp.Diff([]string{`{"v":1,"merchant":"acme","upload":"u1","resume":true} after 0s`}, w.ranges.drain()); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	}
	w.shop(bearer, "POST", "/v1/uploads/u1/load", nil).Want(409)
	u, _, err := w.store.Upload(t.Context(), "acme", "u1")
	if err != nil || u.Reading != (upload.Reading{SkipHeading: true}) {
		t.Errorf("read by %+v, %v", u.Reading, err)
	}
	// It is the same once it is loading, without another message.
	u.State, u.Ranges = upload.Loading, 1
	if ok, err := w.store.MoveUpload(t.Context(), upload.Confirmed, u, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.shop(bearer, "POST", "/v1/uploads/u1/load", LoadUpload{SkipHeading: true}).Want(202)
	w.shop(bearer, "POST", "/v1/uploads/u1/load", LoadUpload{StripQuotes: true}).Want(409)
	if sent := w.ranges.drain(); len(sent) != 0 {
		t.Errorf("sent %q", sent)
	}
	for i, state := range []upload.State{upload.Parked, upload.Loading, upload.Finished} {
		u := held
		u.ID, u.State, u.Cause = fmt.Sprint("other", i), state, ""
		w.upload(u)
		w.shop(bearer, "POST", "/v1/uploads/"+u.ID+"/load", nil).Want(409)
	}
	// No body at all: every line is a key.
	held.ID, held.Seen.Asked = "u3", held.Seen.Asked[:1]
	w.upload(held)
	w.shop(bearer, "POST", "/v1/uploads/u3/load", nil).Want(202)

	// What is remembered is shown, and forgotten.
	w.shop(bearer, "GET", "/v1/pools/elden/readings", nil).Want(404)
	w.shop(bearer, "DELETE", "/v1/pools/elden/readings", nil).Want(404)
	for _, name := range []string{"elden", "elden-2"} {
		w.shop(bearer, "PUT", "/v1/pools/"+name, Pool{}).Want(201)
	}
	held.ID, held.Pool = "u4", "elden-2"
	w.upload(held)
	w.shop(bearer, "POST", "/v1/uploads/u4/load", nil).Want(202)
	for pool, want := range map[string][]Reading{
		"elden":   {{[]string{"heading"}, []string{}, "u3"}, {[]string{"heading", "quotes"}, []string{"skip_heading"}, "u1"}},
		"elden-2": {{[]string{"heading"}, []string{}, "u4"}},
	} {
		var list ReadingList
		w.shop(bearer, "GET", "/v1/pools/"+pool+"/readings", nil).Want(200).Into(&list)
		if diff := cmp.Diff(want, list.Items); diff != "" {
			t.Errorf("%s remembers (-want +got):\n%s", pool, diff)
		}
	}
	for range 2 {
		w.shop(bearer, "DELETE", "/v1/pools/elden/readings", nil).Want(204)
	}
	for pool, want := range map[string]int{"elden": 0, "elden-2": 1} {
		var list ReadingList
		w.shop(bearer, "GET", "/v1/pools/"+pool+"/readings", nil).Want(200).Into(&list)
		if len(list.Items) != want {
			t.Errorf("%s remembers %+v", pool, list.Items)
		}
	}
}

func TestUpload_isPutWhereIngestLooks(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "POST", "/v1/pools/elden/uploads", NewUpload{Name: "keys.txt", Size: 3}).Want(404)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	var ticket UploadTicket
	w.shop(bearer, "POST", "/v1/pools/elden/uploads", NewUpload{Name: "Steam keys, 3 May.txt", Size: 3, Side: "test"}).Want(201).Into(&ticket)
	if want := "https://uploads.example.com/uploads/acme/elden/test/ticket-x/Steam keys, 3 May.txt?lasts=15m0s"; ticket.URL != want {
		t.Errorf("%s, want %s", ticket.URL, want)
	}
	for _, file := range []string{"", "a/b.txt", "../b.txt", "..", "test", ".DS_Store", "a\nb", strings.Repeat("x", 201)} {
		if got := w.shop(bearer, "POST", "/v1/pools/elden/uploads", NewUpload{Name: file, Size: 3}).Want(422).Locations(); !slices.Equal(got, []string{"body.name"}) {
			t.Errorf("%q: %q", file, got)
		}
	}
	w.shop(bearer, "POST", "/v1/pools/elden/uploads", NewUpload{Name: "a.txt", Size: 3, Side: "dark"}).Want(422)
	for _, size := range []int64{0, -1, settings.MaxFileSize + 1} {
		if got := w.shop(bearer, "POST", "/v1/pools/elden/uploads", NewUpload{Name: "a.txt", Size: size}).Want(422).Locations(); !slices.Equal(got, []string{"body.size"}) {
			t.Errorf("a file of %d bytes: %q", size, got)
		}
	}
	w.shop(bearer, "POST", "/v1/pools/elden/uploads", map[string]string{"name": "a.txt"}).Want(422)
}

// A bad request is answered by a problem that says what to do, and quotes nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for _, c := range []struct {
		what, method, path string
		body               any
		headers            []string
		status             int
		says               string
	}{
		{"no such address", "GET", "/v1/nothing", nil, nil, 404, "no such address"},
		{"the root", "GET", "/", nil, nil, 404, "no such address"},
		{"a path that is not clean", "GET", "/v1//pools", nil, nil, 404, "no such address"},
		{"a path that climbs", "GET", "/v1/x/../pools", nil, nil, 404, "no such address"},
		{"a slash too many", "GET", "/v1/pools/", nil, nil, 404, "no such address"},
		{"another method", "PATCH", "/v1/pools/elden", nil, nil, 405, "Allow"},
		{"no body", "PUT", "/v1/pools/elden", nil, nil, 400, "body is required"},
		{"no JSON", "PUT", "/v1/pools/elden", "{", nil, 400, "JSON"},
		{"two JSON values", "PUT", "/v1/pools/elden", "{}{}", nil, 400, "body"},
		{"no object", "PUT", "/v1/pools/elden", "[]", nil, 422, "body"},
		{"a form", "PUT", "/v1/pools/elden", "title=x", []string{"content-type", "application/x-www-form-urlencoded"}, 415, "content type"},
		{"too large", "PUT", "/v1/pools/elden", `{"title":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "larger"},
		{"another type", "PUT", "/v1/pools/elden", `{"title":5}`, nil, 422, "body.title"},
		{"a name that is none", "PUT", "/v1/pools/Elden!", "{}", nil, 422, "path.pool"},
		{"a page too large", "GET", "/v1/pools?limit=101", nil, nil, 422, "query.limit"},
		{"a query we do not know", "GET", "/v1/pools?limitt=5", nil, nil, 422, "query.limitt"},
		{"no number", "GET", "/v1/pools?limit=all", nil, nil, 422, "query.limit"},
		{"an odd condition", "PUT", "/v1/pools/elden", "{}", []string{"if-none-match", `"1"`}, 422, "If-None-Match"},
	} {
		if got := w.shop(bearer, c.method, c.path, c.body, c.headers...); got.StatusCode != c.status || !strings.Contains(got.Body, c.says) {
			t.Errorf("%s: status %d, want %d and %q\n%s", c.what, got.StatusCode, c.status, c.says, got.Body)
		}
	}
	e := resttest.Event(t, "good_api_pool")
	e.IsBase64Encoded = true
	if got := w.send(e); got.StatusCode != 400 {
		t.Errorf("a body that is no base64: %d\n%s", got.StatusCode, got.Body)
	}
	e.Headers["authorization"] = "bearer  " + bearer
	e.Body = "e30="
	w.send(e).Want(201)
}

// The answer to a mistake of ours holds nothing of it.
func TestFailures(t *testing.T) {
	t.Parallel()
	broken := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 400, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body: io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"table keypool-catalog of 123456789012"}`)),
		}, nil
	})
	w := open(t, dynamotest.Transport(broken))
	got := w.shop(access.NewText("acme"), "GET", "/v1/pools", nil).Want(500)
	if !strings.Contains(got.Body, problem.Internal.Detail) || strings.Contains(got.Body, "keypool-catalog") {
		t.Errorf("the answer tells too much: %s", got.Body)
	}

	slow := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	w = open(t, dynamotest.Transport(slow))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second+10*time.Millisecond)
	defer cancel()
	e := resttest.Event(t, "good_api_pool")
	late, _ := w.serve(ctx, e)
	document.Holds(t, e, late)
	if late.StatusCode != 503 || late.Headers["Retry-After"] == "" {
		t.Errorf("out of time: %d %v\n%s", late.StatusCode, late.Headers, late.Body)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An account keeps its platform and its origin whatever is changed about it: the
// orders paid through it are found by them. No two accounts have one origin.
func TestAccount_keepsPlatformAndOrigin(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{}).Want(201)
	w.shop(bearer, "PUT", "/v1/accounts/shop-us", Account{Platform: "standard"}).Want(201)
	before := w.account("acme", "shop-eu")
	if before.Platform != "standard" || before.Origin == "" || before.Origin == w.account("acme", "shop-us").Origin {
		t.Errorf("made %+v", before)
	}
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{KeepPreviousHours: new(0)}, "if-match", "*").Want(200)
	if after := w.account("acme", "shop-eu"); after.Platform != before.Platform || after.Origin != before.Origin {
		t.Errorf("%+v became %+v", before, after)
	}

	other := w.account("acme", "shop-uk")
	other.Platform = "noventiq"
	if err := w.store.PutAccount(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	refused := w.shop(bearer, "PUT", "/v1/accounts/shop-uk", Account{Platform: "standard"}, "if-match", "*").Want(422)
	if got := refused.Locations(); !slices.Equal(got, []string{"body.platform"}) {
		t.Errorf("refused for %v", got)
	}
	w.shop(bearer, "PUT", "/v1/accounts/shop-uk", Account{}, "if-match", "*").Want(200)
	if after := w.account("acme", "shop-uk"); after.Platform != "noventiq" {
		t.Errorf("became %+v", after)
	}
}

// A webhook that is signed by a secret of two accounts would be good at both: paid
// once, it would get keys twice.
func TestAccount_secretOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer, other := w.merchant("acme"), w.merchant("nova")
	const own, next = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{Secret: own}).Want(201)
	refused := func() {
		t.Helper()
		answer := w.shop(bearer, "PUT", "/v1/accounts/shop-us", Account{Secret: own}).Want(422)
		if got := answer.Locations(); !slices.Equal(got, []string{"body.secret"}) || !strings.Contains(answer.Body, "the account shop-eu has it") || strings.Contains(answer.Body, own[6:]) {
			t.Errorf("refused by %s", answer.Body)
		}
	}
	refused()
	// The secret from before a rotation is held for as long as it is valid.
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{Secret: next, KeepPreviousHours: new(2)}, "if-match", "*").Want(200)
	refused()
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{Secret: next}, "if-match", "*").Want(200) // its own
	w.advance(3 * time.Hour)
	w.shop(bearer, "PUT", "/v1/accounts/shop-us", Account{Secret: own}).Want(201)
	// What another merchant holds is told to nobody.
	w.shop(other, "PUT", "/v1/accounts/shop-eu", Account{Secret: own}).Want(201)
}

// The names of members are case-sensitive: another spelling is an unknown member, and
// sets nothing.
func TestBody_namesOfMembersAreCaseSensitive(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{}).Want(201)
	for path, body := range map[string]string{
		"/v1/accounts/shop-eu": `{"keep_previous_hours": 1, "KEEP_PREVIOUS_HOURS": 720}`,
		"/v1/accounts/shop-us": `{"Platform": "standard"}`,
		"/v1/pools/elden":      `{"Title": "Elden"}`,
		"/v1/products/game":    `{"title": "Game", "TITLE": "Another"}`,
	} {
		answer := w.shop(bearer, "PUT", path, body, "if-match", "*").Want(422)
		if len(answer.Locations()) == 0 {
			t.Errorf("%s %s: %s", path, body, answer.Body)
		}
	}
	var got Account
	w.shop(bearer, "GET", "/v1/accounts/shop-eu", nil).Want(200).Into(&got)
	if len(got.Secrets) != 1 {
		t.Errorf("a body that is refused brought a secret: %+v", got)
	}
}

// Two shops may number their orders alike. Each order is shown with the account that
// it was paid through.
func TestOrder_ofTwoAccounts(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for _, account := range []string{"shop-eu", "shop-us"} {
		a := w.account("acme", account)
		f := order.Fulfillment{
			ID: order.Identity{Merchant: "acme", Side: pool.Live, Origin: a.Origin, Order: "1001", Line: "1"}.ID(), Version: 1,
			Merchant: "acme", Side: pool.Live, Account: a.Name, Origin: a.Origin, Order: "1001", Line: "1", Product: "4711", Quantity: 1, ReceivedAt: noon,
		}
		if err := w.store.Commit(t.Context(), order.Change{After: f}); err != nil {
			t.Fatal(err)
		}
	}
	var got OrderList
	w.shop(bearer, "GET", "/v1/orders/1001", nil).Want(200).Into(&got)
	if len(got.Items) != 2 || got.Items[0].Account != "shop-eu" || got.Items[1].Account != "shop-us" {
		t.Errorf("got %+v", got)
	}
	got = OrderList{}
	w.shop(bearer, "GET", "/v1/orders/1001?account=shop-us", nil).Want(200).Into(&got)
	if len(got.Items) != 1 || got.Items[0].Account != "shop-us" {
		t.Errorf("got %+v", got)
	}
}

// Two accounts of one shop, one for its live orders and one for its test orders, have one
// origin: an order of theirs is found once, as that of the account that took it.
func TestOrder_ofTwoAccountsOfOneShop(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for _, account := range []string{"trials", "woo"} {
		a := w.account("acme", account)
		a.Origin, a.Version = "https://shop.example", 1
		if err := w.store.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "https://shop.example", Order: "1001", Line: "1"}
	f := order.Fulfillment{
		ID: id.ID(), Version: 1, Merchant: "acme", Side: pool.Live, Account: "woo", Origin: id.Origin, Order: "1001", Line: "1", Product: "4711",
		Quantity: 1, Wanted: 1, ReceivedAt: noon,
	}
	if err := w.store.Commit(t.Context(), order.Change{After: f}); err != nil {
		t.Fatal(err)
	}
	var got OrderList
	w.shop(bearer, "GET", "/v1/orders/1001", nil).Want(200).Into(&got)
	if len(got.Items) != 1 || got.Items[0].Account != "woo" {
		t.Errorf("got %+v", got)
	}
	w.shop(bearer, "POST", "/v1/orders/1001/hold", map[string]any{"reason": "a look"}).Want(200)
	w.shop(bearer, "GET", "/v1/orders/1001?account=woo", nil).Want(200)
	w.shop(bearer, "GET", "/v1/orders/1001?account=trials", nil).Want(404)
}

// An account of a platform takes the secrets that the platform made, each live or test,
// and shows none of them. What a GET shows can be sent back, and changes nothing.
func TestAccount_ofAPlatform(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	const path, live, test = "/v1/accounts/noventiq", "the key of paid webhooks", "the key of the test mode"
	var made Account
	answer := w.shop(bearer, "PUT", path, Account{
		Platform: "noventiq", OtherProducts: "ignore", Settings: AccountSettings(`{"products": {"EL-1": "4711"}}`),
		Secrets: []AccountSecret{{Name: "paid", Secret: live}, {Name: "test", Test: true, Secret: test}},
	}).Want(201).Into(&made)
	want := Account{
		Name: "noventiq", Platform: "noventiq", WebhookPath: "/webhooks/acme/noventiq", DeliversFrom: noon, OtherProducts: "ignore",
		Settings: AccountSettings(`{"products":{"EL-1":"4711"}}`),
		Secrets:  []AccountSecret{{Name: "paid", CreatedAt: noon}, {Name: "test", Test: true, CreatedAt: noon}},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	var got Account
	shown := w.shop(bearer, "GET", path, nil).Want(200)
	shown.Into(&got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if back := w.shop(bearer, "PUT", path, shown.Body, "if-match", "*").Want(200); back.ETag() != answer.ETag() {
		t.Errorf("what was shown changed it: %s", back.Body)
	}
	for name, body := range map[string]Account{
		"body.secrets[0].secret": {Secrets: []AccountSecret{{Name: "paid", Secret: "short"}}},
		"body.secret":            {Secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		"body.credentials":       {Credentials: []AccountCredential{{Name: "api_key", Credential: "a key"}}},
		"body.settings":          {Settings: AccountSettings(`{"product": {}}`)},
		"body.settings.products": {Settings: AccountSettings(`{"products": {"EL-1": ""}}`)},
		"body.other_products":    {OtherProducts: "sell"},
		"body.delivers_from":     {DeliversFrom: noon.AddDate(30, 0, 0)},
	} {
		refused := w.shop(bearer, "PUT", path, body, "if-match", "*").Want(422)
		if at := refused.Locations(); !slices.Equal(at, []string{name}) || strings.Contains(refused.Body, "short") {
			t.Errorf("%s: %s", name, refused.Body)
		}
	}
	for _, secret := range []string{live, test} {
		if strings.Contains(answer.Body+shown.Body, secret) {
			t.Errorf("a secret is shown: %s", shown.Body)
		}
	}
	// One is taken away, and the platform's other stays.
	w.shop(bearer, "PUT", path, Account{Secrets: []AccountSecret{{Name: "paid"}}}, "if-match", "*").Want(200).Into(&got)
	if len(got.Secrets) != 1 || got.Secrets[0].Name != "paid" {
		t.Errorf("%+v", got.Secrets)
	}
}

func TestPlatforms_haveGuides(t *testing.T) {
	t.Parallel()
	w := open(t)
	var got PlatformList
	w.shop(w.merchant("acme"), "GET", "/v1/platforms", nil).Want(200).Into(&got)
	names := map[string]Platform{}
	for _, p := range got.Items {
		names[p.Name] = p
	}
	if p := names["noventiq"]; !p.Settings || p.Credentials || !strings.Contains(p.Guide, "Merchant Portal") {
		t.Errorf("%+v", p)
	}
	if p := names["standard"]; !p.Settings || p.Credentials || p.Guide == "" {
		t.Errorf("%+v", p)
	}
}
