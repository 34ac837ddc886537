package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/idempotency"
	"keypool/shared/notice"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web"
	"keypool/shared/web/bodies"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// document is shared by all tests. It needs no tables.
var document = &resttest.Document{
	Path:  "/operator/openapi.json",
	Serve: func() resttest.Serve { return web.Server{Handler: (&operator{}).serve()}.Serve },
}

// world is the operator's API over tables of its own.
type world struct {
	*testing.T
	serve  resttest.Serve
	store  *dynamo.Store
	tables dynamo.Tables
	fill   *fakeQueue
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	w := &world{T: t, store: store, tables: tables, fill: &fakeQueue{}}
	o := &operator{
		calls:     &idempotency.Guard{Store: store, Now: func() time.Time { return noon }},
		merchants: &settings.Merchants{Store: store, Refill: &settings.Refill{Products: store, Queue: w.fill}, Now: func() time.Time { return noon }},
		tokens:    &settings.Tokens{Store: store, Now: func() time.Time { return noon }},
		people:    &settings.People{Store: store, Now: func() time.Time { return noon }},
		help:      &settings.Help{Store: store, PublicURL: "https://keypool.example", Now: func() time.Time { return noon }},
	}
	w.serve = web.Server{Handler: o.serve()}.Serve
	return w
}

func (w *world) send(e events.APIGatewayV2HTTPRequest) resttest.Response {
	w.Helper()
	return resttest.Send(w.T, w.serve, document, e)
}

// call sends a request that the operator signed.
func (w *world) call(method, path string, body any, headers ...string) resttest.Response {
	w.Helper()
	return w.send(resttest.Altered(w, resttest.Event(w, "good_operator_merchant"), method, path, body, headers...))
}

// fakeQueue keeps messages as the JSON they would be sent as.
type fakeQueue struct {
	mu   sync.Mutex
	sent []string
}

func (q *fakeQueue) Send(_ context.Context, message any, delay time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	raw, err := json.Marshal(message)
	q.sent = append(q.sent, fmt.Sprintf("%s after %s", raw, delay))
	return err
}

// take returns the messages sent since it was last called, sorted.
func (q *fakeQueue) drain() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	sent := q.sent
	q.sent = nil
	slices.Sort(sent)
	return sent
}

// The events are what the gateway sends.
func TestOperator_setsAMerchantUp(t *testing.T) {
	t.Parallel()
	w := open(t)
	var merchant Merchant
	w.send(resttest.Event(t, "good_operator_merchant")).Want(201).Into(&merchant)
	if diff := cmp.Diff(Merchant{
		Name: "acme", ShopSettings: bodies.ShopSettings{Title: "Acme Games", NoticeAddress: "stock@acme.example", Languages: []string{"en", "de"}, TimeZone: "Europe/Berlin"},
		Uploads: &Limits{Files: 500, Bytes: 2 << 30, Keys: 12_000_000}, Calls: 100_000, Mails: 500,
	}, merchant); diff != "" {
		t.Error(diff)
	}

	var made Token
	w.send(resttest.Event(t, "good_operator_token")).Want(201).Into(&made)
	if !strings.HasPrefix(made.Token, "kp_acme_") || len(made.Token) != len("kp_acme_")+43 {
		t.Errorf("the token has %d characters and begins with %.8q", len(made.Token), made.Token)
	}
	if diff := cmp.Diff(Token{
		Token: made.Token, ID: access.HashToken(made.Token)[:16], Merchant: "acme", Name: "nightly upload", Scopes: []string{"upload"}, Rate: 600,
		CreatedAt: noon, ExpiresAt: noon.AddDate(0, 0, 30),
	}, made); diff != "" {
		t.Error(diff)
	}
	gate := access.Gate{Tokens: w.store, Now: func() time.Time { return noon }}
	principal, ok, err := gate.Principal(t.Context(), made.Token)
	want := access.Principal{ID: made.ID, Merchant: "acme", Name: `the token "nightly upload" (` + made.ID + `)`, Scopes: []access.Scope{access.Upload}}
	if diff := cmp.Diff(want, principal); diff != "" || !ok || err != nil {
		t.Errorf("%v, %v, %s", ok, err, diff)
	}
	w.send(resttest.Event(t, "bad_operator_token")).Want(422)
	if err := w.store.PutToken(t.Context(), access.Token{Hash: sampleToken.ID, Merchant: "acme"}); err != nil {
		t.Fatal(err)
	}
	w.send(resttest.Event(t, "good_operator_token_revoke")).Want(204)
	w.send(resttest.Event(t, "bad_operator_unsigned")).Want(403)
}

func TestDocument(t *testing.T) {
	t.Parallel()
	document.IsComplete(t, 7)
	document.ExamplesCanBeSent(t)
	document.ReferencesResolve(t)
	w := open(t)
	w.send(resttest.Event(t, "good_operator_document")).Want(200)
	w.call("GET", "/openapi.json", nil).Want(404)
	w.call("GET", "/v1/pools", nil).Want(404)
}

// A merchant changes under an optimistic lock.
func TestMerchant_locks(t *testing.T) {
	t.Parallel()
	w := open(t)
	const path = "/v1/merchants/zoo"
	titled := func(title string) Merchant {
		return Merchant{ShopSettings: bodies.ShopSettings{Title: title, NoticeAddress: "a@example.com"}}
	}
	w.call("GET", path, nil).Want(404)
	w.call("PUT", path, titled("A"), "if-match", `"1"`).Want(412)
	w.call("PUT", path, titled("A"), "if-match", "*").Want(412)
	first := w.call("PUT", path, titled("A"), "if-none-match", "*").Want(201).ETag()
	if got := w.call("GET", path, nil).Want(200).ETag(); got != first {
		t.Errorf("ETag %s, want %s", got, first)
	}
	if got := w.call("PUT", path, titled("A")).Want(200).ETag(); got != first {
		t.Errorf("a repeat of the same changed %s to %s", first, got)
	}
	w.call("PUT", path, titled("B")).Want(428)
	w.call("PUT", path, titled("B"), "if-none-match", "*").Want(412)
	w.call("PUT", path, titled("B"), "if-match", `"7"`).Want(412)
	w.call("PUT", path, titled("B"), "if-match", `W/`+first).Want(412)
	second := w.call("PUT", path, titled("B"), "if-match", `"9", `+first).Want(200).ETag()
	if second == first {
		t.Errorf("a change kept the ETag %s", first)
	}
	w.call("PUT", path, titled("C"), "if-match", first).Want(412)
	w.call("PUT", path, titled("C"), "if-match", "*").Want(200)

	// Of the callers who start from the same version, one wins.
	third := w.call("GET", path, nil).Want(200).ETag()
	var racers sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		racers.Go(func() { statuses[i] = w.call("PUT", path, titled("D"), "if-match", third).StatusCode })
	}
	racers.Wait()
	slices.Sort(statuses)
	if want := []int{200, 412, 412, 412, 412, 412, 412, 412}; !slices.Equal(statuses, want) {
		t.Errorf("the racers got %v", statuses)
	}
	read := w.call("GET", path, nil).Want(200)
	if written := w.call("PUT", path, read.Body).Want(200); written.Body != read.Body || written.ETag() != read.ETag() {
		t.Errorf("writing back what was read changed it: %s", written.Body)
	}
}

// The salt keys the hashes of all keys and addresses: no change makes another.
func TestMerchant_keepsItsSalt(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
	before, _, err := w.store.Merchant(t.Context(), "acme")
	if err != nil || len(before.Salt) == 0 {
		t.Fatalf("no salt: %v", err)
	}
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "B", NoticeAddress: "a@example.com"}}, "if-match", "*").Want(200)
	if after, _, err := w.store.Merchant(t.Context(), "acme"); err != nil || !slices.Equal(before.Salt, after.Salt) {
		t.Errorf("the salt changed: %v", err)
	}
}

// A new default pool lets the lines of products that name no pool go on.
func TestMerchant_defaultPoolSendsAFill(t *testing.T) {
	t.Parallel()
	w := open(t)
	acme := Merchant{ShopSettings: bodies.ShopSettings{Title: "acme", NoticeAddress: "acme@example.com"}}
	w.call("PUT", "/v1/merchants/acme", acme).Want(201)
	rule := catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	for _, err := range []error{
		w.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: 4}),
		w.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "a", Title: "A", Pool: "elden", Keys: rule}),
		w.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "b", Title: "B", Keys: rule}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	acme.DefaultPool = "elden"
	w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(200)
	if diff := cmp.Diff([]string{
		`{"v":1,"merchant":"acme","side":"live","product":"b"} after 2s`,
		`{"v":1,"merchant":"acme","side":"test","product":"b"} after 2s`,
	}, w.fill.drain()); diff != "" {
		t.Error(diff)
	}
	w.call("PUT", "/v1/merchants/acme", acme).Want(200)
	acme.DefaultPool = "nowhere"
	if got := w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(422).Locations(); !slices.Equal(got, []string{"body.default_pool"}) {
		t.Errorf("locations %q", got)
	}
	if sent := w.fill.drain(); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// The words in the mails of all products are read back as they were set, the merchant is told
// that they changed, and a mistake in them is told with its place.
func TestMerchant_wordsOfMails(t *testing.T) {
	t.Parallel()
	w := open(t)
	acme := Merchant{ShopSettings: bodies.ShopSettings{Title: "acme", NoticeAddress: "acme@example.com", Languages: []string{"en", "de"}}}
	w.call("PUT", "/v1/merchants/acme", acme).Want(201)
	acme.Color = "#8a1c5b"
	acme.Frames = map[string]bodies.Frame{"en": {Greeting: "Dear {FULLNAME},", Signature: "Yours,\nAcme", Footer: "Acme Ltd"}}
	w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(200)
	var got Merchant
	w.call("GET", "/v1/merchants/acme", nil).Want(200).Into(&got)
	if diff := cmp.Diff([]any{acme.Color, acme.Frames}, []any{got.Color, got.Frames}); diff != "" {
		t.Error(diff)
	}
	told, ok, err := w.store.Notice(t.Context(), notice.Gather("acme", notice.ChangedText, notice.Facts{}, noon).ID)
	if err != nil || !ok || len(told.Facts.Changed) != 1 {
		t.Fatalf("the notice %+v (%v, %v)", told.Facts, ok, err)
	}
	if diff := cmp.Diff([]string{"frame en"}, told.Facts.Changed[0].Parts); diff != "" || told.Facts.Changed[0].Name != notice.AllProducts {
		t.Errorf("told of %s: %s", told.Facts.Changed[0].Name, diff)
	}
	acme.Color, acme.Frames = "#ffee00", map[string]bodies.Frame{"en": {Greeting: "Dear {FULNAME},"}}
	refused := w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(422)
	for _, want := range []string{"there is no tag {FULNAME}", "on #f6f8fa, as keys are, the contrast is 1.1 to 1"} {
		if !strings.Contains(refused.Body, want) {
			t.Errorf("no %q in %s", want, refused.Body)
		}
	}
}

// What a merchant's files may bring in a day is the operator's to set, one limit or all.
func TestMerchant_limitsOfUploads(t *testing.T) {
	t.Parallel()
	w := open(t)
	acme := Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}, Uploads: &Limits{Files: 3, Keys: 20_000_000}}
	var got Merchant
	w.call("PUT", "/v1/merchants/acme", acme).Want(201).Into(&got)
	if want := (Limits{Files: 3, Bytes: 2 << 30, Keys: 20_000_000}); *got.Uploads != want {
		t.Errorf("%+v, want %+v", *got.Uploads, want)
	}
	acme.Uploads = nil
	w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(200).Into(&got)
	if *got.Uploads != Limits(upload.DefaultLimits) {
		t.Errorf("left out: %+v, want the defaults", *got.Uploads)
	}
	acme.Uploads = &Limits{Files: -1, Bytes: 2 << 50}
	if got := w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(422).Locations(); !slices.Equal(got, []string{"body.uploads.bytes", "body.uploads.files"}) {
		t.Errorf("limits that are none: %q", got)
	}
}

// How much a merchant's tokens may call in a day, and how many notices it gets, is the
// operator's to set.
func TestMerchant_limitsOfCallsAndMails(t *testing.T) {
	t.Parallel()
	w := open(t)
	acme := Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}, Calls: 5, Mails: 7}
	var got Merchant
	w.call("PUT", "/v1/merchants/acme", acme).Want(201).Into(&got)
	if got.Calls != 5 || got.Mails != 7 {
		t.Errorf("%d calls and %d mails a day, want 5 and 7", got.Calls, got.Mails)
	}
	acme.Calls, acme.Mails = 0, 0
	w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(200).Into(&got)
	if got.Calls != 100_000 || got.Mails != 500 {
		t.Errorf("left out: %d calls and %d mails a day, want the defaults", got.Calls, got.Mails)
	}
	acme.Calls, acme.Mails = -1, -1
	if got := w.call("PUT", "/v1/merchants/acme", acme, "if-match", "*").Want(422).Locations(); !slices.Equal(got, []string{"body.calls_per_day", "body.mails_per_day"}) {
		t.Errorf("limits that are none: %q", got)
	}
}

// All mistakes in a merchant are told at once, each with its place.
func TestMerchant_everyProblemInOneAnswer(t *testing.T) {
	t.Parallel()
	w := open(t)
	refused := w.call("PUT", "/v1/merchants/Acme", `{"title":7,"reply_to":"nobody","logo":"http://example.com/x.png",
		"languages":["en","en","xx-klingon-"],"time_zone":"Mars/Olympus","default_pool":"Not a name","surprise":true}`).Want(422)
	got := refused.Locations()
	slices.Sort(got)
	if diff := cmp.Diff([]string{
		"body.default_pool", "body.languages[1]", "body.languages[2]", "body.logo", "body.notice_address",
		"body.reply_to", "body.surprise", "body.time_zone", "body.title", "path.merchant",
	}, got); diff != "" {
		t.Errorf("%s\n%s", diff, refused.Body)
	}
	w.call("GET", "/v1/merchants/acme", nil).Want(404)
	w.call("POST", "/v1/merchants/acme/tokens", sampleNewToken).Want(404)
	w.call("GET", "/v1/merchants/acme/tokens", nil).Want(404)
	w.call("DELETE", "/v1/merchants/acme/tokens/"+sampleToken.ID, nil).Want(404)
}

// A token says what it is for and how long it is good: none has every right because
// nothing was said.
func TestToken_saysWhatItIsFor(t *testing.T) {
	t.Parallel()
	w := open(t)
	const path = "/v1/merchants/acme/tokens"
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
	all := []string{"upload", "orders:read", "orders:write", "keys:read", "settings", "secrets", "people"}
	for name, c := range map[string]struct {
		body  string
		wrong []string
	}{
		"no scopes":          {`{"name":"x"}`, []string{"body.scopes"}},
		"an empty list":      {`{"name":"x","scopes":[]}`, []string{"body.scopes"}},
		"no name":            {`{"scopes":["upload"]}`, []string{"body.name"}},
		"an unknown scope":   {`{"name":"x","scopes":["upload","all"]}`, []string{"body.scopes[1]"}},
		"a pattern":          {`{"name":"x","scopes":["*"]}`, []string{"body.scopes[0]"}},
		"a scope twice":      {`{"name":"x","scopes":["upload","upload"]}`, []string{"body.scopes[1]"}},
		"too long":           {`{"name":"x","scopes":["upload"],"expires_in_days":366}`, []string{"body.expires_in_days"}},
		"too many calls":     {`{"name":"x","scopes":["upload"],"calls_per_minute":60001}`, []string{"body.calls_per_minute"}},
		"a negative time":    {`{"name":"x","scopes":["upload"],"expires_in_days":-1}`, []string{"body.expires_in_days"}},
		"two ends":           {`{"name":"x","scopes":["upload"],"expires_in_days":1,"never_expires":true}`, []string{"body.never_expires"}},
		"two lines":          {`{"name":"x\ny","scopes":["upload"]}`, []string{"body.name"}},
		"everything wrong":   {`{"name":"","scopes":["all"],"expires_in_days":1000}`, []string{"body.expires_in_days", "body.name", "body.scopes[0]"}},
		"a person too":       {`{"name":"x","scopes":["upload"],"person":"ada"}`, []string{"body.person"}},
		"nobody's":           {`{"name":"x","person":"nobody"}`, []string{"body.person"}},
		"an unknown setting": {`{"name":"x","scopes":["upload"],"scope":"all"}`, []string{"body.scope"}},
	} {
		refused := w.call("POST", path, c.body).Want(422)
		got := refused.Locations()
		slices.Sort(got)
		if !slices.Equal(got, c.wrong) {
			t.Errorf("%s: %q, want %q\n%s", name, got, c.wrong, refused.Body)
		}
		if c.wrong[0] == "body.scopes" && !strings.Contains(refused.Body, strings.Join(all, ", ")) {
			t.Errorf("%s: the answer does not name the scopes: %s", name, refused.Body)
		}
	}
	w.call("POST", path, nil).Want(400)
	var listed TokenList
	w.call("GET", path, nil).Want(200).Into(&listed)
	if len(listed.Items) != 0 {
		t.Errorf("a refused request made a token: %+v", listed.Items)
	}

	for name, c := range map[string]struct {
		body    string
		expires time.Time
	}{
		"90 days":  {`{"name":"90 days","scopes":["settings"]}`, noon.AddDate(0, 0, 90)},
		"a year":   {`{"name":"a year","scopes":["settings"],"expires_in_days":365}`, noon.AddDate(0, 0, 365)},
		"no end":   {`{"name":"no end","scopes":["settings"],"never_expires":true}`, time.Time{}},
		"in order": {`{"name":"in order","scopes":["secrets","keys:read","upload"]}`, noon.AddDate(0, 0, 90)},
	} {
		var made Token
		w.call("POST", path, c.body).Want(201).Into(&made)
		if made.Name != name || !made.ExpiresAt.Equal(c.expires) {
			t.Errorf("%s: %+v", name, made)
		}
		if name == "in order" && !slices.Equal(made.Scopes, []string{"upload", "keys:read", "secrets"}) {
			t.Errorf("scopes %q", made.Scopes)
		}
	}
}

// A token is made once with an Idempotency-Key, and its text is kept nowhere: not for the
// repeat either, which says what to do.
func TestToken_isMadeOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
	make := func(in NewToken) resttest.Response {
		t.Helper()
		e := resttest.Altered(t, resttest.Event(t, "good_operator_token"), "POST", "/v1/merchants/acme/tokens", in, "idempotency-key", "once")
		return w.send(e)
	}
	var made Token
	make(sampleNewToken).Want(201).Into(&made)
	if again := make(sampleNewToken).Want(409); !strings.Contains(again.Body, "revoke what was made") {
		t.Errorf("the repeat: %s", again.Body)
	}
	make(NewToken{Name: "another", Scopes: []string{"upload"}}).Want(422)
	tokens, err := w.store.Tokens(t.Context(), "acme")
	if err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	kept := fmt.Sprint(dynamotest.Items(t, w.tables.Orders, ""), dynamotest.Items(t, w.tables.Catalog, ""))
	if strings.Contains(kept, made.Token) || !strings.Contains(kept, dynamo.IdempotencyPrefix) {
		t.Error("the token's text is kept, or its call is not")
	}
}

// The operator lists a merchant's tokens, without their texts, and revokes one.
func TestToken_isListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := open(t)
	made := map[string]Token{}
	for _, name := range []string{"acme", "zoo"} {
		w.call("PUT", "/v1/merchants/"+name, Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
		var token Token
		w.call("POST", "/v1/merchants/"+name+"/tokens", sampleNewToken).Want(201).Into(&token)
		made[name] = token
	}
	var listed TokenList
	answer := w.call("GET", "/v1/merchants/acme/tokens", nil).Want(200).Into(&listed)
	want := made["acme"]
	want.Token = ""
	if diff := cmp.Diff([]Token{want}, listed.Items); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(answer.Body, access.TokenPrefix) {
		t.Errorf("the list shows a token: %s", answer.Body)
	}
	w.call("DELETE", "/v1/merchants/zoo/tokens/"+want.ID, nil).Want(404)
	w.call("DELETE", "/v1/merchants/acme/tokens/"+want.ID, nil).Want(204)
	w.call("DELETE", "/v1/merchants/acme/tokens/"+want.ID, nil).Want(404)
	for name, there := range map[string]bool{"acme": false, "zoo": true} {
		if _, ok, err := w.store.Token(t.Context(), name, access.HashToken(made[name].Token)); ok != there || err != nil {
			t.Errorf("the token of %s is there: %v, %v", name, ok, err)
		}
	}
}

// A caller who did not sign is refused before anything is read, with the same bytes
// for every reason and whatever the request names. A merchant's token is no use.
func TestEveryOperation_wrongCallersAreRefusedAlike(t *testing.T) {
	t.Parallel()
	w := open(t)
	var made Token
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
	w.call("POST", "/v1/merchants/acme/tokens", sampleNewToken).Want(201).Into(&made)
	before := dynamotest.Items(t, w.tables.Catalog, "")
	callers := map[string]func(*events.APIGatewayV2HTTPRequest){
		"nobody":     func(e *events.APIGatewayV2HTTPRequest) { delete(e.Headers, "authorization") },
		"a merchant": func(e *events.APIGatewayV2HTTPRequest) { e.Headers["authorization"] = "Bearer " + made.Token },
		"a signature that the gateway did not check": func(*events.APIGatewayV2HTTPRequest) {},
		"another authorizer": func(e *events.APIGatewayV2HTTPRequest) {
			e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"iam": true}}
		},
	}
	first, tried := "", 0
	for _, c := range document.Calls(t) {
		for who, alter := range callers {
			e := resttest.Altered(t, resttest.Event(t, "good_operator_merchant"), c.Method, c.Path, c.Body)
			e.RequestContext.Authorizer = nil
			alter(&e)
			got := w.send(e)
			if first == "" {
				first = got.Body
			}
			if got.StatusCode != 403 || got.Body != first {
				t.Errorf("%s by %s: %d %s", c.Operation, who, got.StatusCode, got.Body)
			}
			tried++
		}
	}
	if diff := cmp.Diff(before, dynamotest.Items(t, w.tables.Catalog, "")); diff != "" {
		t.Errorf("a refused caller changed something:\n%s", diff)
	}
	canary.Figure("operator's calls by the wrong caller", tried)
}

// The requests of the test above reach the thing when the operator sends them:
// without that, the test would prove nothing.
func TestEveryOperation_operatorGetsThere(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
	if err := w.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: 4}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutToken(t.Context(), access.Token{Hash: sampleToken.ID, Merchant: "acme"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range document.Calls(t) {
		if got := w.call(c.Method, c.Path, c.Body, "if-match", "*"); got.StatusCode >= 300 {
			t.Errorf("%s: the operator got %d\n%s", c.Operation, got.StatusCode, got.Body)
		}
	}
}

// FuzzOperator holds that every operation of the operator's document answers what
// the document tells, whatever it is sent, never 5xx; that a caller who did not sign
// is refused; that a refused request changed nothing; and that an accepted change
// reads back as it was answered.
func FuzzOperator(f *testing.F) {
	for n := range document.Operations(f) {
		f.Add([]byte{byte(n)}, "")
		f.Add([]byte{byte(n), 1}, strings.Repeat("a", 3000))
		f.Add([]byte{byte(n), 1}, "%ff")
		f.Add([]byte{byte(n), 1}, "\x00")
		f.Add([]byte{byte(n), 1, 3, 3, 3, 2, 0, 1, 5, 7, 1, 2, 9, 4, 6, 3, 1, 8, 2}, "../{KEY}\r\n<b>?#")
		f.Add([]byte{byte(n), 0, 0, 1, 1, 3, 4, 2, 0, 3, 2, byte(n), 0, 0, 1, 1, 2, 6, 1, 4}, `"3"`)
	}
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Cleanup(func() { slog.SetDefault(log) })
	f.Fuzz(func(t *testing.T, data []byte, free string) {
		var calls dynamotest.Meter
		w := open(t, calls.Option)
		w.call("PUT", "/v1/merchants/acme", Merchant{ShopSettings: bodies.ShopSettings{Title: "A", NoticeAddress: "a@example.com"}}).Want(201)
		if err := w.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: 4}); err != nil {
			t.Fatal(err)
		}
		c := resttest.Choices{Document: document, Data: data, Free: strings.ToValidUTF8(free, "\uFFFD")}
		for range 8 {
			w.tries(c.Attempt(), &calls)
			if len(c.Data) == 0 {
				break
			}
		}
	})
}

// tries sends a request, and holds the response and the tables to the promise.
func (w *world) tries(r resttest.Attempt, calls *dynamotest.Meter) {
	w.Helper()
	calls.Reset()
	w.fill.drain()
	e := resttest.Altered(w, resttest.Event(w, "good_operator_merchant"), r.Method, r.Path, r.Body)
	maps.Copy(e.Headers, r.Headers)
	if r.Caller != "" {
		e.RequestContext.Authorizer, e.Headers["authorization"] = nil, r.Caller
	}
	got, err := w.serve(w.Context(), e)
	if err != nil {
		w.Fatalf("%+v: %v", r, err)
	}
	document.Answers(w, r, e, got)
	writes := slices.DeleteFunc(calls.Calls(), func(c dynamotest.Call) bool {
		return slices.Contains([]string{"GetItem", "BatchGetItem", "Query"}, c.Operation)
	})
	if n := len(writes); e.Headers["idempotency-key"] != "" && got.StatusCode >= 400 && n >= 2 && writes[0].Operation == "PutItem" && writes[n-1].Operation == "DeleteItem" {
		writes = writes[1 : n-1] // the record of a call that failed, which is forgotten
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if sent := w.fill.drain(); (reads || got.StatusCode >= 400) && len(writes)+len(sent) > 0 {
		w.Errorf("%+v: answered %d, and wrote %+v, sent %v", r, got.StatusCode, writes, sent)
	}
	if r.Method == http.MethodPut && got.StatusCode < 400 {
		e.RequestContext.HTTP.Method, e.Body = http.MethodGet, ""
		var put, read Merchant
		if err := json.Unmarshal([]byte(got.Body), &put); err != nil {
			w.Fatal(err)
		}
		again := w.send(e).Want(http.StatusOK).Into(&read)
		if diff := cmp.Diff(put, read); diff != "" || again.ETag() != got.Headers["Etag"] {
			w.Errorf("%+v: it reads back otherwise, as %s (-put +read):\n%s", r, again.ETag(), diff)
		}
	}
}

func TestDocument_isCurrent(t *testing.T) {
	t.Parallel()
	resttest.IsCurrent(t, (&operator{}).serve())
}
