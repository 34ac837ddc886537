package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
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
