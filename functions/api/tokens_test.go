package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
)

// Every operation is tried with a token of each scope, and with one that has every
// scope but the one it needs. An operation that stands not in the table of scopes, or a
// line of the table without its operation, fails.
func TestEveryOperation_needsItsScope(t *testing.T) {
	t.Parallel()
	w := open(t)
	newOwner(w)
	bearers := map[access.Scope]string{}
	for _, scope := range access.Scopes {
		bearers[scope] = w.token(ownersName, scope)
	}
	operations := map[string]bool{}
	tried := 0
	for _, c := range document.Calls(t) {
		operations[c.Operation] = true
		needed, ok := access.Needs[c.Operation]
		if !ok {
			t.Errorf("%s stands not in the table of scopes, access.Needs: nobody can call it", c.Operation)
			continue
		}
		others := slices.DeleteFunc(slices.Clone(access.Scopes), func(s access.Scope) bool { return s == needed })
		without := maps.Clone(bearers)
		delete(without, needed)
		without["all but "+needed] = w.token(ownersName, others...)
		before := w.dump()
		for scope, bearer := range without {
			tried++
			got := w.shop(bearer, c.Method, c.Path, c.Body)
			if got.StatusCode != http.StatusForbidden || !strings.Contains(got.Body, "scope "+string(needed)) {
				t.Errorf("%s with a token of scope %s: %d, want 403 and the scope %s named\n%s", c.Operation, scope, got.StatusCode, needed, got.Body)
			}
			if want := `scope="` + string(needed) + `"`; !strings.Contains(got.Headers["Www-Authenticate"], want) {
				t.Errorf("%s: WWW-Authenticate is %q, without %s", c.Operation, got.Headers["Www-Authenticate"], want)
			}
		}
		if diff := gocmp.Diff(before, w.dump()); diff != "" {
			t.Errorf("%s: a refused token changed something:\n%s", c.Operation, diff)
		}
		if got := w.shop(bearers[needed], c.Method, c.Path, c.Body); got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusUnauthorized {
			t.Errorf("%s with a token of scope %s: %d\n%s", c.Operation, needed, got.StatusCode, got.Body)
		}
		if got := document.Scopes(t, c.Operation); !slices.Equal(got, []string{string(needed)}) {
			t.Errorf("%s: the document says it needs %q, the table says %s", c.Operation, got, needed)
		}
	}
	for operation := range access.Needs {
		if !operations[operation] {
			t.Errorf("the table has a scope for %s, which is no operation", operation)
		}
	}
	canary.Figure("API calls with a token that lacks the scope", tried)
}

// The token that stands in scripts brings keys and key files, and can do nothing else.
func TestUploadToken_onlyUploads(t *testing.T) {
	t.Parallel()
	w := open(t)
	newOwner(w)
	bearer := w.token(ownersName, access.Upload)
	may := []string{}
	for _, c := range document.Calls(t) {
		switch got := w.shop(bearer, c.Method, c.Path, c.Body); got.StatusCode {
		case http.StatusForbidden:
		case http.StatusCreated, http.StatusAccepted:
			may = append(may, c.Operation)
		default:
			t.Errorf("%s: %d", c.Operation, got.StatusCode)
		}
	}
	slices.Sort(may)
	if !slices.Equal(may, []string{"add-keys", "create-upload"}) {
		t.Errorf("it may %q", may)
	}
}

// A merchant sees the tokens, without their texts, and revokes one: it is refused at
// once, well within the 30 seconds that are promised.
func TestTokens_areListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := open(t)
	admin := w.merchant("acme")
	w.advance(time.Hour)
	upload := w.token("acme", access.Upload)
	other := w.merchant("mallory")

	var listed TokenList
	answer := w.shop(admin, "GET", "/v1/tokens", nil).Want(200).Into(&listed)
	created := noon.Add(time.Hour)
	id := access.Token{Hash: access.HashToken(upload)}.ID()
	if diff := gocmp.Diff([]Token{
		{ID: id, Name: "test", Scopes: []string{"upload"}, Rate: 600, CreatedAt: created, ExpiresAt: created.AddDate(0, 0, 90)},
		{
			ID: access.Token{Hash: access.HashToken(admin)}.ID(), Name: "test",
			Scopes: []string{"upload", "orders:read", "orders:write", "keys:read", "settings", "secrets", "people"}, Rate: 600,
			CreatedAt: noon, ExpiresAt: noon.AddDate(0, 0, 90),
		},
	}, listed.Items); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(answer.Body, access.TokenPrefix) || strings.Contains(answer.Body, access.HashToken(upload)) {
		t.Errorf("the list shows a token: %s", answer.Body)
	}

	ticket := NewUpload{Name: "keys.txt", Size: 3}
	w.shop(admin, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.shop(upload, "POST", "/v1/pools/elden/uploads", ticket).Want(201)
	w.shop(other, "DELETE", "/v1/tokens/"+id, nil).Want(404)
	w.shop(upload, "POST", "/v1/pools/elden/uploads", ticket).Want(201)
	w.shop(admin, "DELETE", "/v1/tokens/"+id, nil).Want(204)
	w.shop(upload, "POST", "/v1/pools/elden/uploads", ticket).Want(401)
	w.shop(admin, "DELETE", "/v1/tokens/"+id, nil).Want(404)
	w.shop(admin, "GET", "/v1/tokens", nil).Want(200).Into(&listed)
	if len(listed.Items) != 1 {
		t.Errorf("the list still has %d tokens", len(listed.Items))
	}
}

// A token is refused from the moment when it expires.
func TestTokens_expire(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.advance(90*24*time.Hour - time.Millisecond)
	w.shop(bearer, "GET", "/v1/pools", nil).Want(200)
	w.advance(time.Millisecond)
	w.shop(bearer, "GET", "/v1/pools", nil).Want(401)
}

// The last use of a token is noted once an hour. A call does not depend on it.
func TestTokens_lastUse(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	faults := dynamotest.NewFaults(t, 1)
	w := open(t, calls.Option, faults.Option)
	w.gate.Uses = w.store
	bearer := w.merchant("acme")
	id := access.Token{Hash: access.HashToken(bearer)}.ID()
	usedAt := func() time.Time {
		t.Helper()
		var listed TokenList
		w.shop(bearer, "GET", "/v1/tokens", nil).Want(200).Into(&listed)
		if len(listed.Items) != 1 || listed.Items[0].ID != id {
			t.Fatalf("tokens %+v", listed.Items)
		}
		return listed.Items[0].UsedAt
	}
	writes := func() int {
		n := 0
		for _, c := range calls.Calls() {
			if c.Operation == "UpdateItem" {
				n++
			}
		}
		calls.Reset()
		return n
	}
	writes()
	if got := usedAt(); !got.Equal(noon) {
		t.Errorf("first used at %s, want %s", got, noon)
	}
	w.advance(59 * time.Minute)
	if got := usedAt(); !got.Equal(noon) {
		t.Errorf("noted again within the hour: %s", got)
	}
	if n := writes(); n != 1 {
		t.Errorf("%d writes in an hour, want 1", n)
	}
	w.advance(time.Minute)
	if got := usedAt(); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("after an hour: %s", got)
	}
	w.advance(time.Hour)
	faults.Next("UpdateItem", dynamotest.SDKAttempts, dynamotest.Throttled)
	if got := usedAt(); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("a use that could not be noted: %s", got)
	}
}

// A call is answered though DynamoDB does not answer the note of a token's use.
func TestTokens_lastUseIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.gate.Uses = never{}
	w.shop(bearer, "GET", "/v1/pools", nil).Want(200)
}

// never notes nothing for as long as it may.
type never struct{}

func (never) UseToken(ctx context.Context, _ access.Token, _ time.Time, _ time.Duration) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

// A token that calls too much is told so, and what to do; another is not bothered, and
// nothing of the refused call is done. Each answer says what is left.
func TestTokens_rate(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	w := open(t, calls.Option)
	w.gate.Uses, w.gate.Rate = w.store, 20
	bearer := w.merchant("acme")
	other := w.token("acme", access.Settings)
	for left := 19; left >= 0; left-- {
		got := w.shop(bearer, "GET", "/v1/review", nil).Want(200)
		for name, want := range map[string]string{"RateLimit-Policy": `"token";q=20;w=60`, "RateLimit": fmt.Sprintf(`"token";r=%d;t=%d`, left, 3*(20-left))} {
			if header := got.Headers[http.CanonicalHeaderKey(name)]; header != want {
				t.Errorf("%s: %s, want %s", name, header, want)
			}
		}
	}
	before := w.dump()
	refused := w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(429)
	if refused.Headers["Retry-After"] != "3" || !strings.Contains(refused.Body, "20 calls a minute") {
		t.Errorf("%v\n%s", refused.Headers, refused.Body)
	}
	notUses := cmpopts.IgnoreMapEntries(func(id, _ string) bool { return strings.Contains(id, dynamo.TokenUsesPrefix) })
	if diff := gocmp.Diff(before, w.dump(), notUses); diff != "" {
		t.Error(diff)
	}
	w.shop(other, "GET", "/v1/review", nil).Want(200)
	w.advance(3 * time.Second)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)

	// Counting took two writes: the first use, and ten calls together, as a note of its own
	// beside the read of the token.
	writes := 0
	for _, c := range calls.Calls() {
		if c.Operation == "UpdateItem" {
			writes++
		}
	}
	if writes > 8 {
		t.Errorf("%d writes for 23 calls", writes)
	}
}

// A day that has no calls left refuses what can wait. Orders that are paid for are taken, and
// whoever calls too much can be stopped. The merchant is told once.
func TestTokens_callsOfADay(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	w := open(t, calls.Option)
	w.gate.Rate, w.gate.Days, w.gate.Notices = 600, w.store, w.store
	bearer := w.merchant("acme")
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "acme", NoticeAddress: "acme@example.com", Calls: 30})
	other := w.token("acme", access.Secrets, access.Settings)
	foreign := w.merchant("mallory")
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/elden", Product{Title: "Elden", Pool: "elden"}).Want(201)
	for left := 27; left >= 0; left-- {
		calls.Reset()
		got := w.shop([]string{bearer, other}[left%2], "GET", "/v1/review", nil).Want(200)
		for name, want := range map[string]string{"RateLimit-Policy": `"token";q=600;w=60, "day";q=30;w=86400`, "RateLimit": fmt.Sprintf(`, "day";r=%d;t=43200`, left)} {
			if header := got.Headers[http.CanonicalHeaderKey(name)]; !strings.HasSuffix(header, want) {
				t.Errorf("%s: %s, want %s", name, header, want)
			}
		}
		if n, most := len(calls.Calls()), 4; n > most { // the token and the review, and once in ten calls the day and its limit
			t.Errorf("%d calls of DynamoDB, and %d are the most", n, most)
		}
	}
	w.shop(bearer, "GET", "/v1/review", nil).Want(429) // counts the last calls of the day
	before := w.dump()
	calls.Reset()
	refused := w.shop(bearer, "PUT", "/v1/pools/witcher", Pool{}).Want(429)
	if refused.Headers["Retry-After"] != "43200" || !strings.Contains(refused.Body, "30 calls of this day") {
		t.Errorf("%v\n%s", refused.Headers, refused.Body)
	}
	if n := len(calls.Calls()); n != 1 {
		t.Errorf("a refused call takes %d calls of DynamoDB, want that for its token", n)
	}
	if diff := gocmp.Diff(before, w.dump()); diff != "" {
		t.Error(diff)
	}
	w.shop(foreign, "GET", "/v1/pools", nil).Want(200)

	w.shop(bearer, "POST", "/v1/orders/press-17/fulfil", map[string]any{
		"reason": "paid by bank transfer", "customer": map[string]any{"email": "ada@example.com"},
		"lines": []any{map[string]any{"product": "elden", "quantity": 1}},
	}).Want(200)
	w.shop(bearer, "DELETE", "/v1/tokens/"+access.Token{Hash: access.HashToken(other)}.ID(), nil).Want(204)
	w.shop(other, "GET", "/v1/tokens", nil).Want(401)

	if _, ok, err := w.store.Notice(t.Context(), notice.New("acme", notice.CallLimit, notice.Day(noon), notice.Facts{}, noon).ID); !ok || err != nil {
		t.Errorf("the merchant was not told: %v", err)
	}
	w.advance(12 * time.Hour)
	w.shop(bearer, "PUT", "/v1/pools/witcher", Pool{}).Want(201)
}

// A call is answered though DynamoDB does not answer the count of a day.
func TestTokens_callsOfADayAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.gate.Days, w.gate.Notices = never{}, w.store
	w.shop(bearer, "GET", "/v1/pools", nil).Want(200)
}

func (never) CountCalls(ctx context.Context, _ string, _ time.Time, _ int) (access.Day, error) {
	<-ctx.Done()
	return access.Day{}, ctx.Err()
}
