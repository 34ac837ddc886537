package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

func TestFindKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	find := func(keys ...string) resttest.Response {
		t.Helper()
		return w.shop(bearer, "POST", "/v1/keys/find", FindKeys{Keys: keys})
	}
	unknown := find("ELDN-7K2M-4QXT").Want(404)
	if !strings.Contains(unknown.Body, "No pool here has such a key") {
		t.Errorf("of an unknown key: %s", unknown.Body)
	}
	stockText(w, w.store, w.tables, "acme", "elden", "ELDN-7K2M-4QXT")

	var got KeyList
	answer := find(" ELDN-7K2M-4QXT", "OF-NOBODY").Want(200).Into(&got)
	if len(got.Items) != 1 || strings.Contains(answer.Body, "7K2M") {
		t.Fatalf("answer %s", answer.Body)
	}
	key := got.Items[0]
	if diff := cmp.Diff(Key{
		Key: 1, KeyID: key.KeyID, Side: "live", Pool: "elden", State: "available",
		Upload: &KeySource{ID: "upload of a test"}, History: []KeyEvent{},
	}, key); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2}, got.Unknown); diff != "" {
		t.Errorf("unknown: %s", diff)
	}
	w.shop(w.token("acme", access.OrdersRead, access.Settings), "POST", "/v1/keys/find", FindKeys{Keys: []string{"A"}}).Want(403)
	w.shop(w.merchant("mallory"), "POST", "/v1/keys/find", FindKeys{Keys: []string{"ELDN-7K2M-4QXT"}}).Want(404)

	if refused := find(strings.Split(strings.Repeat("SECRET-1,", 20)+"SECRET-1", ",")...).Want(422); strings.Contains(refused.Body, "SECRET") {
		t.Errorf("a refusal quotes keys: %s", refused.Body)
	}
	find().Want(422)
}

func TestBlockKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	stockText(w, w.store, w.tables, "acme", "elden", "ELDN-7K2M-4QXT")
	sold := w.sells("acme", "A-1", "ELDN-SOLD")
	bearer := w.token("acme", access.Settings)
	block := func(in BlockKeys) resttest.Response {
		t.Helper()
		return w.shop(bearer, "POST", "/v1/keys/block", in)
	}
	in := BlockKeys{Keys: []string{" ELDN-7K2M-4QXT", "ELDN-SOLD", "OF-NOBODY"}, Reason: "posted in a forum"}
	var got, again, full BlockedKeys
	answer := block(in).Want(200).Into(&got)
	if diff := cmp.Diff(BlockedKeys{Withdrawn: 1, Unknown: 1, Sold: 1}, got); diff != "" || strings.Contains(answer.Body, "ELDN") {
		t.Errorf("answer %s\n%s", answer.Body, diff)
	}
	block(in).Want(200).Into(&again)
	if diff := cmp.Diff(BlockedKeys{Before: 3, Sold: 1}, again); diff != "" {
		t.Errorf("again: %s", diff)
	}
	bearer = w.token("acme", access.Settings, access.KeysRead)
	block(in).Want(200).Into(&full)
	if len(full.Orders) != 1 || full.Orders[0].Key != 2 || full.Orders[0].Sold.LineID != sold || !full.Orders[0].BlockedAt.Equal(noon) {
		t.Errorf("the orders that have it: %+v", full.Orders)
	}
	if last := full.Orders[0].History; len(last) == 0 || last[len(last)-1].What != "blocked" || !strings.HasPrefix(last[len(last)-1].By, "the token") {
		t.Errorf("its history: %+v", last)
	}
	var trail AuditList
	w.shop(bearer, "GET", "/v1/audit", nil).Want(200).Into(&trail)
	trail.Items = slices.DeleteFunc(trail.Items, func(e AuditEntry) bool { return e.Thing != "keys" })
	if len(trail.Items) != 1 || trail.Items[0].After["reason"] != in.Reason || !strings.HasPrefix(trail.Items[0].By, "the token") {
		t.Errorf("the audit trail: %+v", trail.Items)
	}
	if refused := block(BlockKeys{Keys: []string{"fine", "", "SECRET\t1"}}).Want(422); strings.Contains(refused.Body, "SECRET") {
		t.Errorf("a refusal quotes keys: %s", refused.Body)
	}
	block(BlockKeys{}).Want(422)
	block(BlockKeys{Keys: strings.Split(strings.Repeat("A,", 1000)+"A", ",")}).Want(422)
	bearer = w.token("acme", access.Upload, access.KeysRead, access.OrdersWrite)
	block(in).Want(403)
}

// sells puts a key of the pool elden for sale, and gives it to a line of an order.
func (w *world) sells(merchant, number, text string) (line string) {
	w.Helper()
	stockText(w, w.store, w.tables, merchant, "elden", text)
	keys, err := w.store.Candidates(w.Context(), pool.ID{Merchant: merchant, Pool: "elden", Side: pool.Live}, pool.DefaultShards, 100)
	if err != nil {
		w.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(k pool.Key) bool { return k.Text.Reveal() != text })
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: merchant, Side: pool.Live, Origin: "shop", Order: number, Line: "1"}.ID(),
		Merchant: merchant, Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: "1", Product: "4711", Pool: "elden",
		Quantity: 1, Wanted: 1, ReceivedAt: noon,
	}
	change := order.NewLine(f)
	change.Allocate(keys, noon)
	if err := w.store.Commit(w.Context(), change); err != nil {
		w.Fatal(err)
	}
	return string(f.ID)
}

func TestAddKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	bearer := w.token("acme", access.Upload)
	w.shop(w.token("acme", access.Settings), "PUT", "/v1/pools/elden", Pool{}).Want(201)
	add := func(pool, word string, in AddKeys) resttest.Response {
		t.Helper()
		var headers []string
		if word != "" {
			headers = []string{"idempotency-key", word}
		}
		return w.shop(bearer, "POST", "/v1/pools/"+pool+"/keys", in, headers...)
	}
	var first, again, other AddedKeys
	add("elden", "a-word", AddKeys{Keys: []string{" A-1 ", "A-2"}}).Want(202).Into(&first)
	add("elden", "a-word", AddKeys{Keys: []string{" A-1 ", "A-2"}}).Want(202).Into(&again)
	if first != again || first.Keys != 2 || first.Upload == "" {
		t.Errorf("%+v, and again %+v", first, again)
	}
	if got := add("elden", "a-word", AddKeys{Keys: []string{"A-3"}}).Want(422); strings.Contains(got.Body, "A-3") {
		t.Errorf("a refusal quotes a key: %s", got.Body)
	}
	add("elden", "another-word", AddKeys{Keys: []string{"T-1"}, Side: "test"}).Want(202).Into(&other)
	if other.Upload == first.Upload {
		t.Error("the keys of the test side are those of the live side")
	}
	for range 2 {
		add("elden", "", AddKeys{Keys: []string{"A-4"}}).Want(202)
	}
	places := map[string]int{}
	for name, content := range w.files.files {
		place, ok := upload.Locate(name)
		if !ok || !upload.AsIs(place.File) || place.Ticket == "" {
			t.Errorf("the file %s of %+v", name, place)
		}
		places[place.Merchant+" "+place.Pool+" "+string(place.Side)+" "+content]++
	}
	if diff := cmp.Diff(map[string]int{"acme elden live A-1\nA-2\n": 1, "acme elden test T-1\n": 1, "acme elden live A-4\n": 2}, places); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	add("nowhere", "", AddKeys{Keys: []string{"A-1"}}).Want(404)
	long := strings.Repeat("x", 2049)
	got := add("elden", "", AddKeys{Keys: []string{"fine", "", "\u200b", "a\tb", "a\x00b", long}}).Want(422)
	if diff := cmp.Diff([]string{"body.keys[1]", "body.keys[2]", "body.keys[3]", "body.keys[4]", "body.keys[5]"}, sorted(got.Locations())); diff != "" || strings.Contains(got.Body, "xxx") {
		t.Errorf("%s\n%s", diff, got.Body)
	}
	add("elden", "", AddKeys{Keys: strings.Split(strings.Repeat("A,", 1000)+"A", ",")}).Want(422)
	w.shop(w.token("acme", access.Settings, access.KeysRead), "POST", "/v1/pools/elden/keys", AddKeys{Keys: []string{"A-9"}}).Want(403)
}
