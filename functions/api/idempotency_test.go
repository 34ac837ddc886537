package main

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/idempotency"
	"keypool/shared/platform"
	"keypool/shared/settings"
)

// Whoever adds a POST says what a second one does that asks for the same.
func TestPosts_areJudged(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../operator/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	posts := map[string]bool{}
	for _, methods := range doc.Paths {
		if op, ok := methods["post"]; ok {
			posts[op.OperationID] = true
		}
	}
	for _, c := range document.Calls(t) {
		if c.Method == http.MethodPost {
			posts[c.Operation] = true
		}
	}
	for name := range posts {
		if idempotency.Posts[name] == 0 {
			t.Errorf("say in idempotency.Posts what a repeat of %s does", name)
		}
	}
	for name := range idempotency.Posts {
		if !posts[name] {
			t.Errorf("%s is judged, and no API has such a POST", name)
		}
	}
}

// Every call that would do its act again is made once with an Idempotency-Key.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	for _, c := range document.Calls(t) {
		if !idempotency.Posts[c.Operation].Keyed() {
			continue
		}
		t.Run(c.Operation, func(t *testing.T) {
			t.Parallel()
			o := newOwner(open(t))
			call := func(bearer, word string) resttest.Response {
				t.Helper()
				return o.shop(bearer, c.Method, c.Path, c.Body, "idempotency-key", word)
			}
			first := call(o.token, "a-word")
			if first.StatusCode >= 300 || first.Headers["Idempotency-Replayed"] != "" {
				t.Fatalf("the first: %d %v\n%s", first.StatusCode, first.Headers, first.Body)
			}
			before, mails, files := o.dump(), len(o.posted), len(o.files.files)
			again := call(o.token, `"a-word"`)
			if diff := cmp.Diff(first.Body, again.Body); diff != "" || again.StatusCode != first.StatusCode || again.Headers["Content-Type"] != first.Headers["Content-Type"] {
				t.Errorf("the repeat: %d %v\n%s", again.StatusCode, again.Headers, diff)
			}
			if again.Headers["Idempotency-Replayed"] != "true" {
				t.Error("the repeat does not say that it is one")
			}
			other := o.shop(o.token, c.Method, strings.Replace(c.Path, "?", "?test=false&", 1), strings.Replace(c.Body+" ", "{", "{ ", 1), "idempotency-key", "a-word").Want(422)
			if !strings.Contains(other.Body, "key of its own") {
				t.Errorf("another call with the key: %s", other.Body)
			}
			if diff := cmp.Diff(before, o.dump()); diff != "" || len(o.posted) != mails || len(o.files.files) != files {
				t.Errorf("repeats changed something:\n%s", diff)
			}
			for _, word := range []string{"", "two words", "é", strings.Repeat("x", idempotency.MaxKey+1)} {
				call(o.token, word).Want(422)
			}

			// The key is the token's own, and of one day.
			o.advance(time.Hour)
			if got := call(o.token2(), "a-word"); got.Headers["Idempotency-Replayed"] != "" {
				t.Error("a token is answered what another one was")
			}
			o.advance(23 * time.Hour)
			if got := call(o.token, "a-word"); got.Headers["Idempotency-Replayed"] != "" {
				t.Errorf("after a day: %d %s", got.StatusCode, got.Body)
			}
		})
	}
}

// token2 returns another token of the owner's.
func (o *owner) token2() string { return o.world.token(ownersName, access.Scopes...) }

func TestIdempotencyKey_callThatIsBeingMade(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/game", map[string]any{"title": "The Game"}).Want(201)
	order := func() resttest.Response {
		return w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game"}, "idempotency-key", "1")
	}
	var during resttest.Response
	done := make(chan struct{})
	w.front = func(posted) (platform.Response, error) {
		go func() { // the first call has this world's lock
			defer close(done)
			during = order()
		}()
		w.mu.Unlock()
		<-done
		w.mu.Lock()
		return platform.Response{Status: 200, Body: []byte(takenReply)}, nil
	}
	order().Want(200)
	during.Want(409)
	if !strings.Contains(during.Body, "being made at this moment") || len(w.posted) != 1 {
		t.Errorf("%d orders, and the second: %s", len(w.posted), during.Body)
	}
	order().Want(200)
	if len(w.posted) != 1 {
		t.Errorf("%d orders", len(w.posted))
	}
}

// What failed may be sent again with its key: nothing of it is kept but, of an order whose
// answer was lost, its number.
func TestIdempotencyKey_failureIsForgotten(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	body := map[string]any{"product": "game"}
	w.shop(bearer, "POST", "/v1/test-orders", body, "idempotency-key", "1").Want(422)
	w.shop(bearer, "PUT", "/v1/products/game", map[string]any{"title": "The Game"}).Want(201)
	w.front = func(p posted) (platform.Response, error) {
		if len(w.posted) == 1 {
			return platform.Response{}, settings.ErrUnanswered
		}
		return platform.Response{Status: 200, Body: []byte(takenReply)}, nil
	}
	w.shop(bearer, "POST", "/v1/test-orders", body, "idempotency-key", "1").Want(503)
	var placed TestOrdered
	w.shop(bearer, "POST", "/v1/test-orders", body, "idempotency-key", "1").Want(200).Into(&placed)
	var orders []string
	for _, p := range w.posted {
		orders = append(orders, w.reported(p).Order)
	}
	if !slices.Equal(orders, []string{placed.Order, placed.Order}) {
		t.Errorf("orders %q, and %s was answered", orders, placed.Order)
	}
}

// A process died: its call is made by whoever asks again.
func TestIdempotencyKey_lostCall(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/game", map[string]any{"title": "The Game"}).Want(201)
	w.front = func(posted) (platform.Response, error) {
		if len(w.posted) == 1 {
			panic("the process dies")
		}
		return platform.Response{Status: 200, Body: []byte(takenReply)}, nil
	}
	order := func() resttest.Response {
		return w.shop(bearer, "POST", "/v1/test-orders", map[string]any{"product": "game"}, "idempotency-key", "1")
	}
	e := resttest.Altered(w, resttest.Event(w, "good_api_pool"), "POST", "/v1/test-orders", `{"product":"game"}`, "idempotency-key", "1", "authorization", "Bearer "+bearer)
	if got, _ := w.serve(t.Context(), e); got.StatusCode != 500 {
		t.Fatalf("%d %s", got.StatusCode, got.Body)
	}
	order().Want(409)
	w.advance(31 * time.Second)
	order().Want(200)
	if len(w.posted) != 2 || w.reported(w.posted[0]).Order != w.reported(w.posted[1]).Order {
		t.Errorf("%d webhooks, of two orders", len(w.posted))
	}
}
