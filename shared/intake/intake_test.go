package intake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

var (
	noon    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	account = platform.Account{Merchant: "acme", Name: "shop-eu", Origin: "eu.acme.example"}
	request = platform.Request{Body: []byte("a body that was verified")}
)

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

// open returns an intake over a merchant with one product and three keys for it.
func open(t *testing.T, options ...dynamotest.Option) (*intake.Intake, dynamo.Tables) {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	now := func() time.Time { return noon }
	for _, err := range []error{
		store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	live := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	dynamotest.Stock(t, tables, live, pool.DefaultShards, dynamotest.Texts("KEY", 3)...)
	return &intake.Intake{
		Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: quiet{}, Notices: store, By: "webhook", Now: now},
		Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: quiet{}, By: "webhook", Now: now},
		Records: store, Products: store, MaxQuantity: 10, By: "webhook", Now: now,
	}, tables
}

// paid returns an order of one line for each product.
func paid(number string, quantity int, products ...string) platform.Paid {
	p := platform.Paid{Within: "data.", Order: number, Customer: order.Customer{Email: "ada@example.com"}}
	for _, product := range products {
		p.Lines = append(p.Lines, platform.Line{Product: product, Quantity: quantity})
	}
	return p
}

// outcomes returns the outcome of each result.
func outcomes(results []platform.Result) []platform.Outcome {
	var all []platform.Outcome
	for _, r := range results {
		all = append(all, r.Outcome)
	}
	return all
}

func is(t *testing.T, got []platform.Result, want ...platform.Outcome) {
	t.Helper()
	all := outcomes(got)
	for i := range max(len(all), len(want)) {
		if i >= len(all) || i >= len(want) || all[i] != want[i] {
			t.Fatalf("outcomes %v, want %v: %+v", all, want, got)
		}
	}
}

// A request may report several events. Each is taken for itself: one that cannot be
// taken holds up no other.
func TestTake_eachEventForItself(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	got := in.Apply(t.Context(), account, request, []platform.Event{
		paid("1", 1, "game", "unheard-of"),
		paid("2", 11, "game"),
		platform.Ignored{Type: "order.created"},
		paid("3", 1, "game"),
	})
	is(t, got, platform.Accepted, platform.Accepted, platform.Rejected, platform.Skipped, platform.Accepted)
	if got[0].State != order.Fulfilled || got[1].State != order.Unconnected || got[3].Type != "order.created" {
		t.Errorf("got %+v", got)
	}
	if field := got[2].Field; field == nil || field.Field != "data.lines[0].quantity" || field.Order != "2" {
		t.Errorf("rejected for %+v", field)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 2 || len(books.Lines) != 3 {
		t.Errorf("%d keys claimed for %d lines", books.Claimed, len(books.Lines))
	}
}

// An order that its platform calls risky only after it was paid is held as one that it called
// so at once, and the merchant is told of it once.
func TestTake_lateRisk(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	if err := in.Records.(*dynamo.Store).PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Risk: true}}); err != nil {
		t.Fatal(err)
	}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	late := paid("1", 1, "game")
	late.Risk = "elevated"
	for range 2 {
		got := in.Apply(t.Context(), account, request, []platform.Event{late})
		if is(t, got, platform.Accepted); got[0].State != order.OnHold || got[0].Allocated != 1 {
			t.Errorf("got %+v", got[0])
		}
	}
	if told := dynamotest.Partitions(t, tables.Orders, "notice#acme#held-for-review#"); len(told) != 2 { // one of them waits for the hour's end
		t.Errorf("told by %v", told)
	}
	dynamotest.Audit(t, tables)
}

// The lines of two shops with the same numbers are two lines.
func TestTake_originsAreApart(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	other := account
	other.Name, other.Origin = "shop-us", "us.acme.example"
	for _, from := range []platform.Account{account, other, account} {
		is(t, in.Apply(t.Context(), from, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 2 {
		t.Errorf("%d keys claimed, want 2", books.Claimed)
	}
}

// The name of an account is the merchant's to change; its orders stay the same.
func TestTake_anAccountsNameIsNoIdentity(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	renamed := account
	renamed.Name = "shop-europe"
	for _, from := range []platform.Account{account, renamed} {
		is(t, in.Apply(t.Context(), from, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed, want 1", books.Claimed)
	}
}

func TestTake_changedRepeat(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	for range 2 {
		is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 2, "game")}), platform.Changed)
	}
	if told := dynamotest.Partitions(t, tables.Orders, "notice#acme#changed-repeat#"); len(told) != 1 {
		t.Errorf("told %v", told)
	}
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 1 || kept[0]["field"] != "data.lines[0].quantity" {
		t.Errorf("listed %v", kept)
	}
}

// by returns the order as that customer paid it.
func by(email string, p platform.Paid) platform.Paid {
	p.Customer.Email = email
	return p
}

// Another customer under a used number is refused, told, listed, and stands in the
// history of each line, once however often the platform repeats it.
func TestTake_anotherCustomerUnderAUsedNumber(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	store := in.Records.(*dynamo.Store)
	take := func(p platform.Paid) []platform.Result {
		return in.Apply(t.Context(), account, request, []platform.Event{p})
	}
	is(t, take(paid("1", 1, "game", "other-game")), platform.Accepted, platform.Accepted)
	for _, email := range []string{"bob@example.com", "BOB@example.com", "carol@example.com", "bob@example.com"} {
		got := take(by(email, paid("1", 1, "game", "other-game")))
		is(t, got, platform.Changed, platform.Changed)
		if f := got[0].Field; f == nil || f.Field != "data.customer.email" || f.Order != "1" {
			t.Errorf("refused for %+v", f)
		}
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 1 || len(books.Lines) != 2 {
		t.Errorf("%d keys for %d lines", books.Claimed, len(books.Lines))
	}
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 2 || kept[0]["order"] != "1" {
		t.Errorf("listed %v, want bob's and carol's order", kept)
	}
	told := 0
	for _, id := range dynamotest.Partitions(t, tables.Orders, "notice#acme#order-refused#") {
		n, _, err := store.Notice(t.Context(), strings.TrimPrefix(id, "notice#"))
		if err != nil {
			t.Fatal(err)
		}
		told += len(n.Facts.Refused)
	}
	if told != 2 {
		t.Errorf("told of %d orders", told)
	}
	for _, product := range []string{"game", "other-game"} {
		id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: account.Origin, Order: "1", Line: product}.ID()
		history, err := store.History(t.Context(), id)
		if err != nil || len(history) == 0 || history[0].Event != order.PaidAgain || history[0].Code != "customer" || history[0].By != "webhook" {
			t.Errorf("%s: history %+v, %v", product, history, err)
		}
	}
}

// The same customer is the same however the address is written, and whatever salt it
// was hashed with.
func TestTake_sameCustomer(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	store := in.Records.(*dynamo.Store)
	for _, email := range []string{"ada@example.com", "Ada@Example.COM", " ada@example.com\u00a0", "ada@example.com"} {
		is(t, in.Apply(t.Context(), account, request, []platform.Event{by(email, paid("1", 1, "game"))}), platform.Accepted)
		// Another salt, as after a restore.
		text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
		if _, err := dynamotest.Client(t).DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: &tables.Catalog, Key: map[string]types.AttributeValue{"pk": text("merchant#acme"), "sk": text("merchant")},
		}); err != nil {
			t.Fatal(err)
		}
		if err := store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}); err != nil {
			t.Fatal(err)
		}
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 0 {
		t.Errorf("refused %v", kept)
	}
}

// Of two customers under one number at once, one is served and the other told.
func TestTake_twoCustomersAtOnce(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	var results [2]platform.Outcome
	var calls sync.WaitGroup
	for i, email := range []string{"ada@example.com", "bob@example.com"} {
		calls.Go(func() {
			results[i] = in.Apply(t.Context(), account, request, []platform.Event{by(email, paid("1", 1, "game"))})[0].Outcome
		})
	}
	calls.Wait()
	if results[0]+results[1] != platform.Accepted+platform.Changed || results[0] == results[1] {
		t.Errorf("outcomes %v", results)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

// down refuses everything that is to be kept.
type down struct{ intake.Records }

func (down) KeepRefusal(context.Context, order.Refusal, notice.Notice, ...order.History) error {
	return errors.New("the table is away")
}

// A refusal that cannot be kept is not answered as one: the platform sends again.
func TestRefuse(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	field := &platform.FieldError{Field: "data.paid_at", Problem: "is not a time", Order: "1"}
	is(t, in.Refuse(t.Context(), account, request, field), platform.Rejected)
	is(t, in.Refuse(t.Context(), account, request, errors.New("the platform's API is away")), platform.Failed)
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 1 || kept[0]["account"] != "shop-eu" {
		t.Errorf("kept %v", kept)
	}
	// An account that is to be mended is told of like a refusal, once, and asked again.
	setup := &platform.SetupError{Field: "credentials.live_key", Problem: "is missing: enter it", Order: "2"}
	for range 2 {
		is(t, in.Refuse(t.Context(), account, request, fmt.Errorf("decode: %w", setup)), platform.Failed)
	}
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 2 || kept[0]["field"] != setup.Field && kept[1]["field"] != setup.Field {
		t.Errorf("kept %v", kept)
	}
	// What is left to catch-up is no refusal: nobody is told of it, and nothing is kept.
	left := &platform.LeftError{Order: "3", Cause: platform.ErrTryAgain}
	got := in.Refuse(t.Context(), account, request, fmt.Errorf("decode: %w", left))
	if is(t, got, platform.Left); got[0].Order != "3" {
		t.Errorf("left is %+v", got)
	}
	if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != 2 {
		t.Errorf("kept %v", kept)
	}
	in.Records = down{in.Records}
	is(t, in.Refuse(t.Context(), account, request, field), platform.Failed)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("", 1, "game")}), platform.Failed)
}

// The lines of an order that was paid before its account delivers are put on hold, without a
// key and in no queue, however often it is reported. It is listed, and told once. One that
// is paid at the moment, later, or nobody knows when, is delivered.
func TestPaid_beforeTheAccountDelivers(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	from := account
	from.DeliversFrom = noon.Add(-time.Hour)
	store := in.Records.(*dynamo.Store)
	early := paid("1", 1, "game", "unheard-of")
	early.PaidAt = from.DeliversFrom.Add(-time.Millisecond)
	early.SkippedLines = []string{"shipping"}
	for range 3 {
		got := in.Apply(t.Context(), from, request, []platform.Event{early})
		is(t, got, platform.Accepted, platform.Accepted, platform.Skipped)
		if got[0].State != order.OnHold || got[1].State != order.OnHold || got[0].Order != "1" || got[0].Line != "game" || got[2].Why != platform.NothingToDo {
			t.Errorf("%+v", got)
		}
	}
	more := paid("2", 1, "game")
	more.PaidAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	is(t, in.Apply(t.Context(), from, request, []platform.Event{more}), platform.Accepted)

	books := dynamotest.Audit(t, tables)
	if books.Claimed != 0 || len(books.Lines) != 3 || len(books.Queue) != 0 {
		t.Errorf("%d keys claimed for %d lines, %d wait", books.Claimed, len(books.Lines), len(books.Queue))
	}
	for id := range books.Lines {
		line, _, err := store.Fulfillment(t.Context(), order.LineID(id))
		if err != nil || line.Version != 1 || !slices.Equal(line.Holds, []order.Hold{order.HoldPaidBefore}) || !line.Mail.DueAt.IsZero() {
			t.Errorf("stored as %+v, %v", line, err)
		}
	}
	refused, _, err := store.Refusals(t.Context(), "acme", "", 10)
	if err != nil || len(refused) != 2 {
		t.Fatalf("%+v, %v", refused, err)
	}
	for _, r := range refused {
		if r.Account != from.Name || r.Field != "" || !strings.Contains(r.Problem, "delivers_from") {
			t.Errorf("listed as %+v", r)
		}
	}
	told := noticesOf(t, tables, notice.PaidBefore)
	if len(told) != 1 || told[0].Facts.Count != 2 || len(told[0].Facts.Refused) != 2 || told[0].Facts.Refused[1] != (notice.Refused{Order: "2", Account: "shop-eu", Cause: "2020-01-01"}) {
		t.Errorf("told %+v", told)
	}
	if told := noticesOf(t, tables, notice.Unconnected); len(told) != 0 {
		t.Errorf("told of a product that nobody waits for: %+v", told)
	}

	for i, at := range []time.Time{from.DeliversFrom, noon, {}} {
		event := paid([]string{"3", "4", "5"}[i], 1, "game")
		event.PaidAt = at
		got := in.Apply(t.Context(), from, request, []platform.Event{event})
		if is(t, got, platform.Accepted); got[0].State != order.Fulfilled {
			t.Errorf("paid %s: %+v", at, got)
		}
	}
}

// What is on hold since it is from before stays so when the account delivers from an
// earlier time, and goes to its old place in the queue when a person releases it.
func TestPaid_beforeTheAccountDelivers_release(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	clock := func() time.Time { return now }
	store := in.Records.(*dynamo.Store)
	in.Now, in.Claims = clock, &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: quiet{}, Notices: store, By: "webhook", Now: clock}
	changes := &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: quiet{}, By: "webhook", Now: clock}
	from := account
	from.DeliversFrom = noon.Add(-time.Hour)
	early := paid("1", 2, "game")
	early.PaidAt = noon.Add(-2 * time.Hour)
	in.Apply(t.Context(), from, request, []platform.Event{early})
	from.DeliversFrom = time.Time{}
	now = now.Add(time.Minute)
	got := in.Apply(t.Context(), from, request, []platform.Event{early, paid("2", 2, "game"), paid("3", 1, "game"), paid("4", 1, "game")})
	if got[0].State != order.OnHold || got[1].State != order.Fulfilled || got[3].State != order.Waiting {
		t.Fatalf("%+v", got)
	}
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: from.Origin, Order: "1", Line: "game"}.ID()
	if _, err := changes.Release(t.Context(), id, lifecycle.Act{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	live := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	dynamotest.Stock(t, tables, live, pool.DefaultShards, dynamotest.Texts("NEW", 2)...)
	filler := &claim.Filler{Store: store, Bypass: store, Catalog: store, Notices: store, Now: clock}
	if err := filler.Fill(t.Context(), order.FillPool(live), now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	line, _, err := store.Fulfillment(t.Context(), id)
	if err != nil || line.State() != order.Fulfilled || line.Mail.State != outbox.Due {
		t.Errorf("released, it is %s, its mail %q, %v", line.State(), line.Mail.State, err)
	}
	if books := dynamotest.Audit(t, tables); len(books.Queue) != 1 {
		t.Errorf("%d wait", len(books.Queue))
	}
}

// A repeat of an early order costs one read a line, whatever became of it. What the account
// passes over is neither stored nor told.
func TestPaid_beforeTheAccountDelivers_repeatIsCheap(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	in, tables := open(t, meter.Option)
	store := in.Records.(*dynamo.Store)
	cached := catalog.NewCached(store, in.Now)
	in.Products, in.Claims = cached, &claim.Claimer{Store: store, Cached: cached, Uncached: store, Fill: quiet{}, Notices: store, By: "webhook", Now: in.Now}
	from := account
	from.DeliversFrom, from.OtherProducts = noon, catalog.OthersIgnored
	early := paid("1", 1, "game", "shirt")
	early.PaidAt = noon.Add(-time.Hour)
	in.Records = down{store}
	is(t, in.Apply(t.Context(), from, request, []platform.Event{early}), platform.Failed)
	in.Records = store
	if books := dynamotest.Audit(t, tables); len(books.Lines) != 0 {
		t.Error("an order is stored that nobody was told of")
	}
	got := in.Apply(t.Context(), from, request, []platform.Event{early})
	is(t, got, platform.Accepted, platform.Skipped)
	if got[1].Why != platform.OtherProduct {
		t.Errorf("%+v", got)
	}
	shirts := paid("2", 1, "shirt")
	shirts.PaidAt = early.PaidAt
	is(t, in.Apply(t.Context(), from, request, []platform.Event{shirts}), platform.Skipped)
	if refused := dynamotest.Items(t, tables.Orders, "refused#acme"); len(refused) != 1 {
		t.Errorf("listed %v", refused)
	}
	meter.Reset()
	is(t, in.Apply(t.Context(), from, request, []platform.Event{early}), platform.Accepted, platform.Skipped)
	if calls := meter.Calls(); len(calls) != 2 { // side by side
		t.Errorf("a repeat took %+v, want a read of the line, and one of the product that is not cached since there is none", calls)
	}
	other := early
	other.Lines = slices.Clone(early.Lines)
	other.Lines[0].Quantity = 2
	is(t, in.Apply(t.Context(), from, request, []platform.Event{other}), platform.Changed, platform.Skipped)
}

// A shop that sells other things too passes over what the catalog does not know. What
// is shipped is passed over in any shop.
func TestPaid_otherProducts(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	mixed := paid("1", 1, "game", "shirt")
	mixed.Lines = append(mixed.Lines, platform.Line{ID: "dynamic", Product: "made-up", Original: "game", Quantity: 1})
	mixed.SkippedLines = []string{"gift-card"}
	from := account
	from.OtherProducts = catalog.OthersIgnored
	for range 2 {
		got := in.Apply(t.Context(), from, request, []platform.Event{mixed})
		is(t, got, platform.Accepted, platform.Skipped, platform.Accepted, platform.Skipped)
		if got[1].Why != platform.OtherProduct || got[1].Product != "shirt" || got[3].Why != platform.NothingToDo || got[3].Line != "gift-card" {
			t.Errorf("%+v", got)
		}
	}
	if books := dynamotest.Audit(t, tables); len(books.Lines) != 2 {
		t.Errorf("%d lines are stored", len(books.Lines))
	}
	if told := noticesOf(t, tables, notice.Unconnected); len(told) > 1 { // of the dynamic product, if it has no pool
		t.Errorf("told %+v", told)
	}
	// What is passed over is not checked: it refuses nothing of ours.
	mixed = paid("5", 1, "game", "sticker", "no\x00id")
	mixed.Lines[1].Quantity = 20_000
	for i := range platform.MaxLines {
		mixed.Lines = append(mixed.Lines, platform.Line{Product: fmt.Sprint("poster", i), Quantity: 1})
	}
	got := in.Apply(t.Context(), from, request, []platform.Event{mixed})
	is(t, got, platform.Rejected) // of a product that has no id
	mixed.Lines = slices.Delete(mixed.Lines, 2, 3)
	if got = in.Apply(t.Context(), from, request, []platform.Event{mixed}); got[0].Outcome != platform.Accepted || got[0].State != order.Fulfilled || got[1].Outcome != platform.Skipped || len(got) != 2+platform.MaxLines {
		t.Errorf("%+v", got)
	}
	is(t, in.Apply(t.Context(), from, request, []platform.Event{paid("7", 1, "game", "")}), platform.Rejected)
	nowhere := paid("6", 1, "sticker")
	nowhere.Customer = order.Customer{}
	is(t, in.Apply(t.Context(), from, request, []platform.Event{nowhere}), platform.Skipped)
	// The other way, the line waits for its product.
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("2", 1, "shirt")}), platform.Accepted)

	onlyShipped := platform.Paid{Order: "3", Customer: order.Customer{Email: "ada@example.com"}, SkippedLines: []string{"shirt"}}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{onlyShipped}), platform.Skipped)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{platform.Paid{Order: "4", Customer: onlyShipped.Customer}}), platform.Rejected)
}

// A catalog that does not answer is no reason to pass over a line.
func TestPaid_otherProductsWhoseCatalogFails(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	in.Products = brokenProducts{}
	from := account
	from.OtherProducts = catalog.OthersIgnored
	is(t, in.Apply(t.Context(), from, request, []platform.Event{paid("1", 1, "game")}), platform.Failed)
}

type brokenProducts struct{}

func (brokenProducts) Product(context.Context, string, string) (catalog.Product, bool, error) {
	return catalog.Product{}, false, errors.New("throttled")
}

// noticesOf returns the merchant's notices of a kind.
func noticesOf(t *testing.T, tables dynamo.Tables, kind notice.Kind) []notice.Notice {
	t.Helper()
	store := dynamo.Open(dynamotest.Client(t), tables)
	var all []notice.Notice
	for _, id := range dynamotest.Partitions(t, tables.Orders, "notice#acme#"+string(kind)+"#") {
		n, _, err := store.Notice(t.Context(), strings.TrimPrefix(id, "notice#"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// What the platform says of the order as a whole stands on each of its lines.
func TestPaid_parentAndRiskAreTheLines(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	renewal := paid("2", 1, "game", "unheard-of")
	renewal.Parent, renewal.Risk = "1", strings.Repeat("ä", 65)
	itself := paid("3", 1, "game")
	itself.Parent = "3" // the first order of a subscription may be named by all of them
	in.Apply(t.Context(), account, request, []platform.Event{renewal, itself})
	store := dynamo.Open(dynamotest.Client(t), tables)
	for number, want := range map[string][2]string{"2": {"1", strings.Repeat("ä", 64)}, "3": {"", ""}} {
		lines, err := store.Lines(t.Context(), order.Identity{Merchant: "acme", Side: pool.Live, Origin: account.Origin, Order: number}.OrderID())
		if err != nil || len(lines) == 0 {
			t.Fatalf("order %s: %d lines, %v", number, len(lines), err)
		}
		for _, line := range lines {
			if got := [2]string{line.Parent, line.Risk}; got != want {
				t.Errorf("line %s of order %s: %q, want %q", line.Line, number, got, want)
			}
		}
	}
}

// broken changes no order.
type broken struct{}

func (broken) ReturnLine(context.Context, lifecycle.LineReturn) (order.Fulfillment, error) {
	return order.Fulfillment{}, errors.New("throttled")
}

func (broken) Return(context.Context, order.Whole, order.Return) ([]order.Fulfillment, bool, error) {
	return nil, false, errors.New("throttled")
}

func (broken) RefundFailed(context.Context, order.Whole, order.Return) ([]order.Fulfillment, time.Time, error) {
	return nil, time.Time{}, errors.New("throttled")
}

func (broken) Dispute(context.Context, order.Whole, string, order.Dispute) ([]order.Fulfillment, error) {
	return nil, errors.New("throttled")
}

// What was given back of an order stands before its payment in one webhook. If it was not
// applied, nobody claims for the payment: its customer would get keys of what was refunded.
func TestTake_paymentBesideWhatWasNotApplied(t *testing.T) {
	t.Parallel()
	tooMany := platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1 << 20}}}
	for name, c := range map[string]struct {
		before platform.Event
		fails  bool
		want   []platform.Outcome
		keys   int
	}{
		"a return":                       {platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}}, false, []platform.Outcome{platform.Accepted, platform.Accepted}, 1},
		"a return that fails":            {platform.Returned{Order: "1", ID: "R1", All: true}, true, []platform.Outcome{platform.Failed, platform.Failed}, 0},
		"a return that cannot be taken":  {tooMany, false, []platform.Outcome{platform.Rejected, platform.Rejected}, 0},
		"a failed refund not noted":      {platform.Returned{Order: "1", ID: "R1", Failed: true}, true, []platform.Outcome{platform.Failed, platform.Failed}, 0},
		"a dispute that fails":           {platform.Disputed{Order: "1", ID: "D1", State: order.DisputeOpen}, true, []platform.Outcome{platform.Failed, platform.Failed}, 0},
		"a return of another that fails": {platform.Returned{Order: "2", ID: "R1", All: true}, true, []platform.Outcome{platform.Failed, platform.Accepted}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			orders := in.Orders
			if c.fails {
				in.Orders = broken{}
			}
			is(t, in.Apply(t.Context(), account, request, []platform.Event{c.before, paid("1", 2, "game")}), c.want...)
			if books := dynamotest.Audit(t, tables); books.Claimed != c.keys {
				t.Errorf("%d keys are claimed, want %d", books.Claimed, c.keys)
			}
			again := []platform.Outcome{platform.Accepted, platform.Accepted}
			if !c.fails {
				again = c.want
			}
			in.Orders = orders // the platform sends it again
			is(t, in.Apply(t.Context(), account, request, []platform.Event{c.before, paid("1", 2, "game")}), again...)
		})
	}
}
