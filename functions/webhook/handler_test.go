package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/orderpage"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
	"keypool/shared/pool"
	"keypool/shared/web"
)

// now is when the fixtures were signed, with the secret below.
var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

type shop struct {
	store  *dynamo.Store
	tables dynamo.Tables
	claims *claim.Claimer
	now    time.Time
	reads  int // of accounts
	opened int // secrets
	serve  server

	counted  int   // writes of what came to an account's address
	countErr error // what such a write fails with

	pageReads int   // of orders and settings, for the pages of orders
	pageErr   error // what such a read of an order fails with
}

// records counts how often the webhooks of accounts are counted.
type records struct {
	*dynamo.Store
	of *shop
}

func (r records) AddCalls(ctx context.Context, merchant, account string, more catalog.Calls) error {
	r.of.counted++
	if r.of.countErr != nil {
		return r.of.countErr
	}
	return r.Store.AddCalls(ctx, merchant, account, more)
}

// server is the function that Lambda calls.
type server func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

func serve(h *handler) server { return web.Server{Handler: h}.Serve }

type ignore struct{}

func (ignore) Send(context.Context, any, time.Duration) error { return nil }

// open returns a handler over a shop with an account, a product and three keys.
func open(t *testing.T, options ...dynamotest.Option) *shop {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	s := &shop{store: store, tables: tables, now: now}
	clock := func() time.Time { return s.now }
	s.claims = &claim.Claimer{Store: store, Cached: catalog.NewCached(store, clock), Uncached: store, Fill: ignore{}, Notices: store, By: "webhook", Now: clock}
	s.serve = serve(&handler{
		accounts: platform.NewAccounts(
			all.Adapters,
			func(ctx context.Context, merchant, account string) (catalog.Account, bool, error) {
				s.reads++
				return store.Account(ctx, merchant, account)
			},
			opener{s}, clock,
		),
		intake: &intake.Intake{
			Claims:  s.claims,
			Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: ignore{}, By: "webhook", Now: clock},
			Records: records{store, s}, Products: store, MaxQuantity: 1000, By: "webhook", Now: clock, PublicURL: public,
			Pages: &orderpage.Pages{Orders: pageReads{store, s}, Settings: catalog.NewCached(store, clock), Common: catalog.NewCachedOrderPages(pageReads{store, s}, clock), Now: clock},
		},
	})
	for _, err := range []error{
		store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		store.PutAccount(t.Context(), catalog.Account{
			Merchant: "acme", Name: "standard", Platform: "standard", Origin: "its own id",
			Secrets: []catalog.SealedSecret{{Blob: []byte(signingSecret), CreatedAt: now}},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("KEY", 3)...)
	return s
}

// opener opens the secrets of acme's accounts.
type opener struct{ *shop }

func (o opener) Unseal(_ context.Context, merchant, account string, sealed []byte) ([]byte, error) {
	o.opened++
	if merchant == "acme" && (account == "noventiq" || account == "woocommerce" || strings.HasPrefix(account, "my-shop")) {
		return sealed, nil
	}
	if merchant != "acme" || account != "standard" {
		return nil, errors.New("sealed for somebody else")
	}
	return platform.ParseSecret(string(sealed))
}

func (opener) UnsealCredential(context.Context, string, string, string, []byte) ([]byte, error) {
	return nil, errors.New("the account has no credentials")
}

func fixture(t testing.TB, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// sign signs a webhook anew, as of then.
func sign(t *testing.T, r *events.APIGatewayV2HTTPRequest, at time.Time) {
	t.Helper()
	key, err := platform.ParseSecret(signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	r.Headers["webhook-timestamp"] = strconv.FormatInt(at.Unix(), 10)
	r.Headers["webhook-signature"] = standard.Sign(key, r.Headers["webhook-id"], at, []byte(r.Body))
}

func (s *shop) call(t *testing.T, r events.APIGatewayV2HTTPRequest) (int, string) {
	t.Helper()
	response, err := s.serve(t.Context(), r)
	if err != nil {
		t.Fatalf("the handler did not answer for itself: %v", err)
	}
	return response.StatusCode, response.Body
}

func TestHandle_answers(t *testing.T) {
	tests := []struct {
		event  string
		status int
		body   string
	}{
		{
			"good_order_paid", http.StatusOK,
			`{"order":"10001","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{
			"good_order_paid_base64", http.StatusOK,
			`{"order":"10002","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{
			"good_order_paid_lines", http.StatusOK,
			`{"order":"10003","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1},` +
				`{"line":"2","product":"unheard-of","state":"unconnected","wanted":0,"allocated":0}]}`,
		},
		{
			"good_order_paid_lenient", http.StatusOK,
			`{"order":"10020","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{
			"good_order_left_out", http.StatusOK,
			`{"order":"10023","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}],` +
				`"ignored_fields":["data.paid_at","data.customer.zip","data.currency"]}`,
		},
		{
			"good_order_paid_svix", http.StatusOK,
			`{"order":"10021","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{
			"good_order_paid_slash", http.StatusOK,
			`{"order":"10022","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{
			"good_order_paid_renewal", http.StatusOK,
			`{"order":"10030","lines":[{"line":"1","product":"game","state":"fulfilled","wanted":1,"allocated":1}]}`,
		},
		{"good_order_ignored", http.StatusOK, `{"ignored":true,"type":"order.shipped"}`},
		{
			"bad_order_paid_quantity", http.StatusBadRequest,
			`{"type":"/openapi.json#/webhooks","status":400,"title":"Bad Request","detail":"data.lines[0].quantity is less than 1.",` +
				`"errors":[{"message":"is less than 1","location":"body.data.lines[0].quantity"}]}`,
		},
		{
			"bad_order_paid_no_json", http.StatusBadRequest,
			`{"type":"/openapi.json#/webhooks","status":400,"title":"Bad Request","detail":"the body is not the JSON object that the documentation shows.",` +
				`"errors":[{"message":"is not the JSON object that the documentation shows","location":"body"}]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.event, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			status, body := s.call(t, fixture(t, test.event))
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if diff := cmp.Diff(test.body, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}

// An order that cannot be read for certain takes no key, and the merchant is told.
func TestHandle_ambiguousOrdersAreRefusedAndNoticed(t *testing.T) {
	for event, field := range map[string]string{
		"bad_order_paid_surrogate": "data.order",
		"bad_order_paid_unicode":   "data.customer.name",
		"bad_order_paid_twice":     "data.lines[0].quantity",
		"bad_order_paid_case":      "data.lines[0].quantity",
		"bad_order_paid_type":      "type",
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			status, body := s.call(t, fixture(t, event))
			if status != http.StatusBadRequest || !strings.Contains(body, `"location":"body.`+field+`"`) {
				t.Errorf("answered %d %s", status, body)
			}
			kept := dynamotest.Items(t, s.tables.Orders, "refused#acme")
			if len(kept) != 1 || kept[0]["field"] != field {
				t.Errorf("kept: %v", kept)
			}
			if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#order-refused#"); len(got) != 1 {
				t.Errorf("notices: %v", got)
			}
			if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 || len(books.Lines) != 0 {
				t.Errorf("%d keys claimed for %d lines", books.Claimed, len(books.Lines))
			}
		})
	}
}

// Ids that differ only in what is not valid Unicode are two customers' orders: each is
// refused and kept, and none is taken for a repeat of the other.
func TestHandle_idsOfInvalidUnicodeAreApart(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, id := range []string{`T-\ud83c`, `T-\ud83d`, "T-\xff", "T-\xfe"} {
		r := fixture(t, "good_order_paid")
		r.Body = strings.Replace(r.Body, `"10001"`, `"`+id+`"`, 1)
		sign(t, &r, now)
		if status, body := s.call(t, r); status != http.StatusBadRequest {
			t.Errorf("%q is answered %d %s", id, status, body)
		}
	}
	if kept := dynamotest.Items(t, s.tables.Orders, "refused#acme"); len(kept) != 4 {
		t.Errorf("%d of 4 are kept", len(kept))
	}
}

func TestHandle_unknownTypeIsNoticedOnceADay(t *testing.T) {
	t.Parallel()
	s := open(t)
	notices := func() int { return len(dynamotest.Partitions(t, s.tables.Orders, "notice#acme#unknown-event#")) }
	for range 2 {
		s.call(t, fixture(t, "good_order_ignored"))
	}
	if n := notices(); n != 1 {
		t.Errorf("%d notices in a day", n)
	}
	other := fixture(t, "good_order_ignored")
	other.Body = strings.Replace(other.Body, "order.shipped", "order.returned"+strings.Repeat("é", 10_000), 1)
	sign(t, &other, now)
	if status, _ := s.call(t, other); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if n := notices(); n != 2 {
		t.Errorf("%d notices of two types", n)
	}
	s.now = now.Add(24 * time.Hour)
	tomorrow := fixture(t, "good_order_ignored")
	sign(t, &tomorrow, s.now)
	s.call(t, tomorrow)
	if n := notices(); n != 3 {
		t.Errorf("%d notices in two days", n)
	}
}

// A slash more at the end of the address changes nothing; any other address is a
// stranger's.
func TestHandle_slashAtTheEnd(t *testing.T) {
	t.Parallel()
	s := open(t)
	for path, want := range map[string]int{
		"/webhooks/acme/standard/": 200, "/webhooks/acme/standard": 200,
		"/webhooks/acme/standard//": 401, "/webhooks/acme/standard/more": 401, "/webhooks/acme/": 401, "/webhooks/": 401, "/acme/standard/": 401,
	} {
		r := fixture(t, "good_order_paid_slash")
		r.RawPath = path
		if status, body := s.call(t, r); status != want {
			t.Errorf("%s is answered %d %s", path, status, body)
		}
	}
}

func TestHandle_repeatTakesNoSecondKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, first := s.call(t, fixture(t, "good_order_paid"))
	status, again := s.call(t, fixture(t, "good_order_paid"))
	if status != http.StatusOK || again != first {
		t.Errorf("the repeat was answered %d %s", status, again)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
	if s.reads != 1 || s.opened != 1 {
		t.Errorf("the secrets were read %d times and opened %d times for two webhooks", s.reads, s.opened)
	}
}

func TestHandle_repeatWithOtherContentIsAConflictAndNoticed(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, fixture(t, "good_order_paid"))
	status, body := s.call(t, fixture(t, "again_order_paid_other_quantity"))
	if status != http.StatusConflict || !strings.Contains(body, "nothing was changed") {
		t.Errorf("answered %d %s", status, body)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#changed-repeat#"); len(got) != 1 {
		t.Errorf("%d notices", len(got))
	}
}

func TestHandle_anotherCustomerUnderAUsedNumberIsAConflictAndNoticed(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, fixture(t, "good_order_paid"))
	for range 2 {
		status, body := s.call(t, fixture(t, "again_order_paid_other_customer"))
		if status != http.StatusConflict || !strings.Contains(body, "body.data.customer.email") || strings.Contains(body, "grace") || strings.Contains(body, "ada") {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
	if listed := s.refusals(t); len(listed) != 1 || listed[0].Order != "10001" {
		t.Errorf("listed %+v", listed)
	}
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#order-refused#"); len(got) != 1 {
		t.Errorf("%d notices", len(got))
	}
}

func TestHandle_strangersGetTheSameBytes(t *testing.T) {
	t.Parallel()
	s := open(t)
	old := fixture(t, "good_order_paid")
	s.now = now.Add(time.Hour)
	noAccount := fixture(t, "bad_order_paid_merchant")
	noAccount.PathParameters = map[string]string{"merchant": "acme", "account": "paypal"}
	var answers []string
	for _, r := range []events.APIGatewayV2HTTPRequest{
		old, // signed well, an hour ago
		fixture(t, "bad_order_paid_signature"),
		fixture(t, "bad_order_paid_unsigned"),
		fixture(t, "bad_order_paid_merchant"),
		noAccount,
	} {
		status, body := s.call(t, r)
		if status != http.StatusUnauthorized {
			t.Errorf("answered %d", status)
		}
		answers = append(answers, body)
	}
	if len(slices.Compact(answers)) != 1 {
		t.Errorf("the answers differ: %q", answers)
	}
	// The merchant is told once of the two whose sender may be the shop.
	left := dynamotest.Partitions(t, s.tables.Orders, "")
	if len(left) != 1 || !strings.HasPrefix(left[0], "notice#acme#not-signed#") {
		t.Errorf("strangers left something behind: %v", left)
	}
}

func TestHandle_webhooksThatAreNotSignedAreCountedAndNoticed(t *testing.T) {
	t.Parallel()
	wrong, malformed := fixture(t, "bad_order_paid_signature"), fixture(t, "bad_order_paid_signature")
	malformed.Headers["webhook-timestamp"] = "yesterday"
	for name, test := range map[string]struct {
		event  events.APIGatewayV2HTTPRequest
		after  time.Duration
		failed int
		cause  string // of the notice
	}{
		"by another secret":   {wrong, 0, 3, "secret"},
		"too late":            {fixture(t, "good_order_paid"), 6 * time.Minute, 3, "clock"},
		"too early":           {fixture(t, "good_order_paid"), -6 * time.Minute, 3, "clock"},
		"another secret, old": {wrong, time.Hour, 3, ""},
		"without a time":      {malformed, 0, 3, ""},
		"without a signature": {fixture(t, "bad_order_paid_unsigned"), 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.now = now.Add(test.after)
			for range 3 {
				if status, _ := s.call(t, test.event); status != http.StatusUnauthorized {
					t.Errorf("answered %d", status)
				}
			}
			calls, err := s.store.Calls(t.Context(), "acme", "standard")
			if err != nil || calls.Failed != test.failed || calls.LastFailedAt.IsZero() == (test.failed > 0) || !calls.LastSeenAt.IsZero() {
				t.Errorf("%+v are counted, %v", calls, err)
			}
			notices := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#not-signed#")
			if test.cause == "" {
				if len(notices) > 0 {
					t.Errorf("the merchant is told: %v", notices)
				}
				return
			}
			if len(notices) != 1 {
				t.Fatalf("%d notices in an hour", len(notices))
			}
			told, _, err := s.store.Notice(t.Context(), strings.TrimPrefix(notices[0], "notice#"))
			if err != nil || told.Facts.Cause != test.cause || told.Facts.Account != "standard" {
				t.Errorf("the notice tells %+v, %v", told.Facts, err)
			}
		})
	}
}

func TestHandle_webhooksThatAreNotSignedAreNoticedOnceAnHour(t *testing.T) {
	t.Parallel()
	s := open(t)
	for hour := range 3 {
		s.now = now.Add(time.Duration(hour) * time.Hour)
		for range 2 {
			wrong := fixture(t, "bad_order_paid_signature")
			wrong.Headers["webhook-timestamp"] = strconv.FormatInt(s.now.Unix(), 10)
			s.call(t, wrong)
		}
	}
	if notices := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#not-signed#"); len(notices) != 3 {
		t.Errorf("%d notices in three hours", len(notices))
	}
}

// A stranger's rush is counted, and does not cost a write for each webhook.
func TestHandle_aRushThatIsNotSignedCostsFewWrites(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 500 {
		s.call(t, fixture(t, "bad_order_paid_signature"))
	}
	if s.counted > 10 {
		t.Errorf("%d writes for 500 webhooks", s.counted)
	}
	s.now = now.Add(time.Minute)
	s.call(t, fixture(t, "bad_order_paid_signature"))
	if calls, err := s.store.Calls(t.Context(), "acme", "standard"); err != nil || calls.Failed != 501 {
		t.Errorf("%+v are counted, %v", calls, err)
	}
}

func TestHandle_accountIsSeen(t *testing.T) {
	t.Parallel()
	s := open(t)
	refused := fixture(t, "bad_order_paid_quantity")
	for _, test := range []struct {
		after  time.Duration
		event  events.APIGatewayV2HTTPRequest
		seen   time.Duration
		writes int
	}{
		{0, fixture(t, "good_order_paid"), 0, 1},
		{5 * time.Second, fixture(t, "good_order_paid"), 0, 1}, // it is told with the next
		{90 * time.Second, refused, 90 * time.Second, 3},       // it was signed; and that it failed is told at once
	} {
		s.now = now.Add(test.after)
		s.call(t, test.event)
		calls, err := s.store.Calls(t.Context(), "acme", "standard")
		if err != nil || !calls.LastSeenAt.Equal(now.Add(test.seen)) || calls.Failed != 0 || s.counted != test.writes {
			t.Errorf("after %s: %+v, %d writes, %v", test.after, calls, s.counted, err)
		}
	}
}

func TestHandle_whatCannotBeCountedChangesNoAnswer(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.countErr = errors.New("throttled")
	if status, _ := s.call(t, fixture(t, "good_order_paid")); status != http.StatusOK {
		t.Errorf("a paid order was answered %d", status)
	}
	if status, _ := s.call(t, fixture(t, "bad_order_paid_signature")); status != http.StatusUnauthorized {
		t.Errorf("a wrong signature was answered %d", status)
	}
}

func TestHandle_unknownMerchantCostsOneReadAndNoOpening(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 5 {
		s.call(t, fixture(t, "bad_order_paid_merchant"))
	}
	if s.reads != 1 || s.opened != 0 {
		t.Errorf("%d reads, %d openings", s.reads, s.opened)
	}
}

func TestHandle_unsignedCostsNoRead(t *testing.T) {
	t.Parallel()
	s := open(t)
	status, body := s.call(t, fixture(t, "bad_order_paid_unsigned"))
	_, wrong := s.call(t, fixture(t, "bad_order_paid_signature"))
	if status != http.StatusUnauthorized || body != wrong || s.reads != 1 {
		t.Errorf("answered %d %s after %d reads, of which one is for the wrong signature", status, body, s.reads)
	}
}

func TestHandle_badSignatureReadsTheSecretsAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, fixture(t, "bad_order_paid_signature"))
	s.now = now.Add(time.Second)
	s.call(t, fixture(t, "bad_order_paid_signature"))
	if s.reads != 2 || s.opened != 1 {
		t.Errorf("the secrets were read %d times and opened %d times", s.reads, s.opened)
	}
	if status, _ := s.call(t, fixture(t, "good_order_paid")); status != http.StatusOK {
		t.Errorf("a good signature was answered %d", status)
	}
}

func TestHandle_refusedOrderIsKeptAndNoticedOnceAnHour(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 3 {
		s.call(t, fixture(t, "bad_order_paid_quantity"))
	}
	kept := s.refusals(t)
	if len(kept) != 1 || kept[0].Order != "10004" || kept[0].Field != "data.lines[0].quantity" {
		t.Errorf("kept: %v", kept)
	}
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#order-refused#"); len(got) != 1 {
		t.Errorf("notices: %v", got)
	}
}

// Orders without a readable number are told apart by their bodies: each is kept.
func TestHandle_unreadableOrdersAreEachKept(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := fixture(t, "bad_order_paid_no_json")
	for _, text := range []string{"order 1", "order 2", "order 3", "order 3"} {
		r.Body = text
		sign(t, &r, now)
		if status, _ := s.call(t, r); status != http.StatusBadRequest {
			t.Errorf("answered %d", status)
		}
	}
	if kept := s.refusals(t); len(kept) != 3 {
		t.Errorf("%d of 3 are kept", len(kept))
	}
}

// refusals returns the refusals that the API lists, newest first.
func (s *shop) refusals(t *testing.T) []order.Refusal {
	t.Helper()
	kept, next, err := s.store.Refusals(t.Context(), "acme", "", 50)
	if err != nil || next != "" {
		t.Fatalf("next %q, %v", next, err)
	}
	return kept
}

// Every order that is refused is named: the first of an hour in a mail at once, the
// others in a mail when the hour ends, each once, and all of them in the list.
func TestHandle_everyRefusedOrderIsNamed(t *testing.T) {
	t.Parallel()
	s := open(t)
	refuse := func(number, address string) {
		t.Helper()
		r := fixture(t, "good_order_paid")
		r.Body = fmt.Sprintf(`{"type":"order.paid","data":{"order":%q,"customer":{"email":%q},"lines":[{"product":"game","quantity":1}]}}`, number, address)
		sign(t, &r, s.now)
		if status, body := s.call(t, r); status != http.StatusBadRequest {
			t.Errorf("order %s is answered %d %s", number, status, body)
		}
	}
	refuse("bad-1", "a.@example.com")
	mails := s.store.NoticeMails()
	sent := func() (text string) {
		t.Helper()
		for _, id := range dynamotest.Partitions(t, s.tables.Orders, "notice#acme#order-refused#") {
			n, _, ok, err := mails.Lease(t.Context(), strings.TrimPrefix(id, "notice#"), s.now)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			m, err := mail.ForNotice(n, catalog.Merchant{Name: "acme", NoticeAddress: "owner@acme.example"}, catalog.Pool{}, nil, netmail.Address{}, "", s.now)
			if err != nil {
				t.Fatal(err)
			}
			text += m.Subject + "\n" + m.Text
			n.Mail = n.Mail.Completed(outbox.Sent, "ses-1", "", s.now)
			if err := mails.Mark(t.Context(), n, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		return text
	}
	if first := sent(); !strings.Contains(first, "order bad-1") {
		t.Errorf("told at once:\n%s", first)
	}
	s.now = s.now.Add(time.Minute)
	refuse("bad-2", "ada@@example.com")
	s.now = s.now.Add(time.Minute)
	refuse("bad-3", "ada.example.com")
	refuse("bad-2", "ada@@example.com") // again, as platforms do
	refuse("bad-1", "a.@example.com")
	if early := sent(); early != "" {
		t.Errorf("told before the hour ends:\n%s", early)
	}
	s.now = s.now.Add(time.Hour)
	rest := sent()
	if strings.Count(rest, "bad-2") != 1 || strings.Count(rest, "bad-3") != 1 || strings.Contains(rest, "bad-1") || !strings.Contains(rest, "2 orders") {
		t.Errorf("told when the hour ends:\n%s", rest)
	}
	var listed []string
	for _, r := range s.refusals(t) {
		listed = append(listed, r.Order+" "+r.Field)
	}
	if want := []string{"bad-3 data.customer.email", "bad-2 data.customer.email", "bad-1 data.customer.email"}; !slices.Equal(listed, want) {
		t.Errorf("listed %q, want %q", listed, want)
	}
}

// Orders that are refused at once are each named: none is lost to another's write.
func TestHandle_ordersThatAreRefusedAtOnceAreEachNamed(t *testing.T) {
	t.Parallel()
	s := open(t)
	const orders = 20
	var calls sync.WaitGroup
	for i := range orders {
		calls.Go(func() {
			r := fixture(t, "good_order_paid")
			r.Body = fmt.Sprintf(`{"type":"order.paid","data":{"order":"bad-%d","lines":[]}}`, i)
			for {
				sign(t, &r, now)
				if response, err := s.serve(t.Context(), r); err != nil || response.StatusCode == http.StatusBadRequest {
					return
				}
			}
		})
	}
	calls.Wait()
	named := 0
	for _, id := range dynamotest.Partitions(t, s.tables.Orders, "notice#acme#order-refused#") {
		n, _, err := s.store.Notice(t.Context(), strings.TrimPrefix(id, "notice#"))
		if err != nil {
			t.Fatal(err)
		}
		named += len(n.Facts.Refused)
	}
	if listed := len(s.refusals(t)); named != orders || listed != orders {
		t.Errorf("%d named and %d listed of %d", named, listed, orders)
	}
}

// An order with one changed line and one line that could not be stored is answered
// 503, so that the platform sends it again and the second line is stored.
func TestHandle_temporaryFailureComesBeforeAChangedRepeat(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, fixture(t, "good_order_paid"))
	r := fixture(t, "again_order_paid_other_quantity")
	body := strings.Replace(r.Body, `"lines":[`, `"lines":[{"line":"2","product":"game","quantity":1},`, 1)
	r.Body = body
	sign(t, &r, now)
	s.claims.Store = &sometimes{Store: s.store, fail: true}
	if status, _ := s.call(t, r); status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
}

func TestHandle_unconnectedProductIsNoticedOnceADay(t *testing.T) {
	t.Parallel()
	s := open(t)
	notices := func() int { return len(dynamotest.Partitions(t, s.tables.Orders, "notice#acme#unconnected#")) }
	s.call(t, fixture(t, "good_order_paid_lines"))
	s.call(t, fixture(t, "good_order_paid_lines"))
	if n := notices(); n != 1 {
		t.Errorf("%d notices in a day", n)
	}
	s.now = now.Add(24 * time.Hour)
	tomorrow := fixture(t, "good_order_paid_lines")
	sign(t, &tomorrow, s.now)
	s.call(t, tomorrow)
	if n := notices(); n != 2 {
		t.Errorf("%d notices in two days", n)
	}
}

func TestHandle_ignoredProductIsKeptAndNobodyIsTold(t *testing.T) {
	t.Parallel()
	s := open(t)
	err := s.store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "unheard-of", Title: "A T-shirt", Pool: "elden", Ignored: true})
	if err != nil {
		t.Fatal(err)
	}
	status, body := s.call(t, fixture(t, "good_order_paid_lines"))
	if status != http.StatusOK || !strings.Contains(body, `"product":"unheard-of","state":"unconnected"`) {
		t.Errorf("answered %d %s", status, body)
	}
	if told := dynamotest.Partitions(t, s.tables.Orders, "notice#"); len(told) != 0 {
		t.Errorf("told: %v", told)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 || len(books.Lines) != 2 {
		t.Errorf("%d keys claimed for %d lines", books.Claimed, len(books.Lines))
	}
}

func TestHandle_tooLarge(t *testing.T) {
	t.Parallel()
	s := open(t)
	large := fixture(t, "good_order_paid")
	large.Body += strings.Repeat(" ", platform.MaxBody)
	if status, _ := s.call(t, large); status != http.StatusUnauthorized {
		t.Errorf("one that is not signed is answered %d", status)
	}
	if kept := dynamotest.Items(t, s.tables.Orders, "refused#acme"); len(kept) != 0 {
		t.Errorf("%d that are not signed are kept", len(kept))
	}
	large.Headers["webhook-signature"] = "v1," + base64.StdEncoding.EncodeToString(mac(t, large.Headers["webhook-id"], large.Headers["webhook-timestamp"], []byte(large.Body)))
	for range 2 {
		if status, body := s.call(t, large); status != http.StatusBadRequest || !strings.Contains(body, "larger than 1024 KiB") {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if kept := dynamotest.Items(t, s.tables.Orders, "refused#acme"); len(kept) != 1 {
		t.Errorf("%d are kept", len(kept))
	}
	if calls, err := s.store.Calls(t.Context(), "acme", "standard"); err != nil || calls.Failed != 1 {
		t.Errorf("the one that is not signed is counted as %+v, %v", calls, err)
	}
	if told := dynamotest.Partitions(t, s.tables.Orders, "notice#"); len(told) != 2 {
		t.Errorf("told: %v", told)
	}
}

func TestHandle_temporaryFailureAsksForARepeat(t *testing.T) {
	t.Parallel()
	s := open(t)
	down := &sometimes{Store: s.store, fail: true}
	s.claims.Store = down
	r := fixture(t, "good_order_paid_lines")
	response, err := s.serve(t.Context(), r)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Headers["Retry-After"] == "" {
		t.Errorf("answered %d, %v", response.StatusCode, err)
	}
	if strings.Contains(response.Body, "table") {
		t.Errorf("the answer tells what went wrong inside: %s", response.Body)
	}
	down.fail = false
	if status, body := s.call(t, r); status != http.StatusOK || !strings.Contains(body, `"fulfilled"`) {
		t.Errorf("the repeat was answered %d %s", status, body)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 || len(books.Lines) != 2 {
		t.Errorf("%d keys claimed for %d lines", books.Claimed, len(books.Lines))
	}
}

// sometimes is a store whose commits of connected lines fail while fail is set.
type sometimes struct {
	claim.Store
	fail bool
}

func (s *sometimes) Commit(ctx context.Context, takes ...order.Change) error {
	if s.fail && takes[0].After.Pool != "" {
		return errors.New("the table is on fire")
	}
	return s.Store.Commit(ctx, takes...)
}

func TestHandle_testOrderLeavesLiveKeysAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	status, body := s.call(t, fixture(t, "good_order_paid_test"))
	if status != http.StatusOK || !strings.Contains(body, `"waiting"`) {
		t.Errorf("a test order, with live keys only, was answered %d %s", status, body)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 0 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}
