package claim_test

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/inventory"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

var (
	merchant   = access.Principal{Merchant: "acme", Name: "ada"}
	anyVersion = settings.Condition{Version: func(int) bool { return true }}
	sharing    = catalog.KeyRule{Mode: catalog.Shared, Count: 1}
)

func (s *shop) codes() *settings.Codes {
	return &settings.Codes{Store: s.store, Refill: &settings.Refill{Products: s.store, Queue: s.fills}, Now: s.now}
}

// setCode sets the code that all orders of a product on that side get.
func (s *shop) setCode(product string, side pool.Side, text string) {
	s.t.Helper()
	_, err := s.codes().Set(s.t.Context(), merchant, product, map[pool.Side]string{side: text}, anyVersion)
	s.must(err)
}

// block blocks keys of these texts.
func (s *shop) block(texts ...string) {
	s.t.Helper()
	b := inventory.Blocker{Merchants: s.store, Keys: s.store, Finder: &inventory.Finder{Merchants: s.store, Keys: s.store, Lines: s.store, Uploads: s.store}, Now: s.now}
	_, err := b.Block(s.t.Context(), "acme", texts, "ada", "")
	s.must(err)
}

// serve has fill serve what it was asked for.
func (s *shop) serve() {
	s.t.Helper()
	for _, r := range s.fills.drain() {
		s.must(s.filler.Fill(s.t.Context(), r, s.now().Add(time.Minute)))
	}
}

// has reports an error unless a line has one key, with that text; none: it waits for one.
func (s *shop) has(f order.Fulfillment, text string) {
	s.t.Helper()
	f = s.stored(f.ID)
	switch {
	case text == "" && (f.State() != order.Unconnected || f.Allocated != 0 || len(f.Keys) != 0):
		s.t.Errorf("order %s is %s, with %d keys", f.Order, f.State(), f.Allocated)
	case text != "" && (f.State() != order.Fulfilled || f.Allocated != 1 || !slices.Equal(texts(f), []string{text})):
		s.t.Errorf("order %s is %s, and its keys are not one code, the right one", f.Order, f.State())
	}
}

// test is a line of a test order.
func test(f order.Fulfillment) order.Fulfillment {
	f.Side = pool.Test
	f.ID = f.Identity().ID()
	return f
}

// openSharing returns a shop whose product demo has a code.
func openSharing(t *testing.T, options ...dynamotest.Option) *shop {
	t.Helper()
	s := open(t, options...)
	s.product(catalog.Product{ID: "demo", Pool: "elden", Keys: sharing})
	s.setCode("demo", pool.Live, "EVERYBODY")
	s.fills.drain()
	return s
}

// Every line gets the one code, however many units it has, and nothing is used up.
func TestClaim_code(t *testing.T) {
	t.Parallel()
	s := openSharing(t)
	s.stock(live, "KEY", 5)
	for n := range 3 {
		line := paid(fmt.Sprint(n), "demo", 3)
		for range 2 {
			got := s.claim(line)
			if !got.SharedCode || got.Pool != "" || got.Wanted != 1 || got.Mail.State != outbox.Due || got.Mail.Kind != outbox.Keys {
				t.Errorf("the line is %+v", got)
			}
			s.has(got, "EVERYBODY")
		}
	}
	if books := dynamotest.Audit(t, s.tables); books.Available != 5 || books.Claimed != 0 || books.Shared != 1 {
		t.Errorf("%d keys are left, %d sold, %d shared", books.Available, books.Claimed, books.Shared)
	}
	if asked := s.fills.drain(); len(asked) > 0 {
		t.Errorf("fill was asked for %v", asked)
	}
}

// A warm claim of a code is one read of its order, one of the code beside it, and one
// transaction of one write: two round trips, 8 write units at most, and no item that two
// orders share.
func TestClaim_codeCosts(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	var writes []types.TransactWriteItem
	s := openSharing(t, meter.Option, transactions(&writes))
	s.claim(paid("warm up", "demo", 1))
	meter.Reset()
	s.claim(paid("1", "demo", 1))
	var operations []string
	for _, call := range meter.Calls() {
		operations = append(operations, call.Operation)
	}
	sort.Strings(operations)
	if got := strings.Join(operations, " "); got != "BatchGetItem Query TransactWriteItems" {
		t.Errorf("it took %s", got)
	}
	if len(writes) != 1 || writes[0].Put == nil {
		t.Fatalf("the transaction has %d writes", len(writes))
	}
	units := 2*((dynamotest.Size(writes[0].Put.Item)+1023)/1024) + 3 // due, listed, who
	if units > 8 {
		t.Errorf("it takes %d write units", units)
	}
	if read, _ := meter.Units(); read > 4 {
		t.Errorf("it takes %v read units", read)
	}
}

// A test order never gets the live code, nor the other way round. A side without a code waits.
func TestClaim_codeOfItsSide(t *testing.T) {
	t.Parallel()
	s := openSharing(t)
	s.stock(testSide, "TEST KEY", 5)
	first := s.claim(test(paid("1", "demo", 1)))
	s.has(first, "")
	s.serve()
	s.has(first, "")
	s.setCode("demo", pool.Test, "NOBODY PAYS")
	s.serve()
	s.has(first, "NOBODY PAYS")
	s.has(s.claim(test(paid("2", "demo", 1))), "NOBODY PAYS")
	s.has(s.claim(paid("2", "demo", 1)), "EVERYBODY")
	dynamotest.Audit(t, s.tables)
}

// Lines that come before there is a code wait as those of a product that no pool feeds, and
// get it once it is set. Setting it asks fill.
func TestClaim_codeThatComesLater(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.product(catalog.Product{ID: "origin", Keys: sharing, Title: "Origin"})
	s.product(catalog.Product{ID: "demo", Original: "origin"})
	line, heir := s.claim(paid("1", "origin", 2)), s.claim(paid("2", "demo", 1))
	if asked := s.fills.drain(); len(asked) != 2 || asked[0] != order.FillProduct("acme", pool.Live, "origin") {
		t.Errorf("fill was asked for %v", asked)
	}
	dynamotest.Audit(t, s.tables)
	s.setCode("origin", pool.Live, "LATE")
	s.serve()
	for _, f := range []order.Fulfillment{line, heir} {
		s.has(f, "LATE")
		if got := s.stored(f.ID); got.Mail.State != outbox.Due || got.Filled != 1 || got.FilledAt.IsZero() {
			t.Errorf("the line is %+v", got)
		}
	}
	s.setCode("demo", pool.Live, "OWN")
	s.has(s.claim(paid("3", "origin", 1)), "LATE")
	s.now = func() time.Time { return time.Now().Add(catalog.CacheFor) } // the settings, not the code
	s.has(s.claim(paid("4", "demo", 1)), "OWN")
	dynamotest.Audit(t, s.tables)
}

// From the answer on that says that a code was changed, taken off or blocked, no order that
// comes gets it, whatever is cached of its product; what was sold keeps it.
func TestClaim_codeThatIsNoMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(s *shop)
		instead string
	}{
		"changed":   {func(s *shop) { s.setCode("demo", pool.Live, "OTHER") }, "OTHER"},
		"blocked":   {func(s *shop) { s.block("EVERYBODY") }, ""},
		"taken off": {func(s *shop) { s.must(s.codes().Remove(s.t.Context(), merchant, "demo", pool.Sides[:], anyVersion)) }, ""},
		"of another product by now": {func(s *shop) {
			s.must(s.codes().Remove(s.t.Context(), merchant, "demo", pool.Sides[:], anyVersion))
			s.product(catalog.Product{ID: "other", Keys: sharing})
			s.setCode("other", pool.Live, "EVERYBODY")
		}, ""},
		"of a product that was deleted": {func(s *shop) {
			p := settings.Products{Store: s.store, Related: s.store, Refill: s.codes().Refill, Now: s.now}
			s.must(p.Delete(s.t.Context(), merchant, "demo", true, anyVersion))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSharing(t)
			s.stock(live, "KEY", 5)
			before := s.claim(paid("1", "demo", 1)) // and the product is cached
			c.change(s)
			after := s.claim(paid("2", "demo", 1))
			s.has(before, "EVERYBODY")
			s.has(after, c.instead)
			s.serve()
			s.has(after, c.instead)
			if got := s.claim(paid("1", "demo", 1)); !slices.Equal(texts(got), []string{"EVERYBODY"}) {
				t.Error("a repeat of the first order is answered with another code")
			}
			if books := dynamotest.Audit(t, s.tables); books.Available != 5 {
				t.Errorf("%d keys are left", books.Available)
			}
		})
	}
}

// What waits follows the product's setting as it is when it is connected; what waits for keys
// of a pool goes on waiting for those.
func TestFill_codeAfterAChangeOfMode(t *testing.T) {
	t.Parallel()
	s := open(t)
	mode := func(rule catalog.KeyRule) {
		before, _, err := s.store.Product(t.Context(), "acme", "demo")
		s.must(err)
		p := settings.Products{Store: s.store, Related: s.store, Refill: s.codes().Refill, Now: s.now}
		_, _, err = p.Put(t.Context(), catalog.Product{Merchant: "acme", ID: "demo", Title: "Demo", Pool: "elden", Keys: rule}, merchant,
			settings.Condition{Version: func(v int) bool { return v == before.Version }})
		s.must(err)
		s.claims.Cached = s.store
	}
	s.product(catalog.Product{ID: "demo", Title: "Demo", Pool: "elden", Keys: sharing})
	waiting := s.claim(paid("1", "demo", 2))
	mode(catalog.KeyRule{Mode: catalog.PerUnit, Count: 1})
	s.serve()
	queued := s.claim(paid("2", "demo", 1))
	for _, f := range []order.Fulfillment{waiting, queued} {
		if got := s.stored(f.ID); got.State() != order.Waiting || got.SharedCode || got.Pool != "elden" {
			t.Errorf("order %s is %s, fed by %q", f.Order, got.State(), got.Pool)
		}
	}
	mode(sharing)
	s.setCode("demo", pool.Live, "EVERYBODY")
	s.serve()
	s.has(s.claim(paid("3", "demo", 1)), "EVERYBODY")
	s.stock(live, "KEY", 3)
	s.fill()
	if got := s.stored(waiting.ID); got.Allocated != 2 || slices.Contains(texts(got), "EVERYBODY") {
		t.Errorf("the line that waited for two keys has %d", got.Allocated)
	}
	dynamotest.Audit(t, s.tables)
}

// Rules and the brake hold lines of a code as any: without it, until they are released.
func TestClaim_codeIsHeldByRules(t *testing.T) {
	t.Parallel()
	s := openSharing(t)
	s.rules(catalog.Rules{Always: true})
	held := s.claim(paid("1", "demo", 1))
	if got := s.stored(held.ID); got.State() != order.OnHold || got.Allocated != 0 || !slices.Equal(got.Holds, []order.Hold{order.HoldReview}) {
		t.Errorf("the line is %s with %d keys, held for %v", got.State(), got.Allocated, got.Holds)
	}
	s.release(held.ID)
	dynamotest.Audit(t, s.tables)
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "demo"), s.now().Add(time.Minute)))
	s.has(held, "EVERYBODY")

	s.rules(catalog.Rules{})
	s.brake(true)
	s.now = func() time.Time { return time.Now().Add(catalog.CacheFor) }
	if braked := s.claim(paid("2", "demo", 1)); braked.State() != order.OnHold || braked.Allocated != 0 {
		t.Errorf("with the brake set, the line is %s with %d keys", braked.State(), braked.Allocated)
	}
	s.must(s.codes().Remove(t.Context(), merchant, "demo", pool.Sides[:], anyVersion))
	s.claims.Cached = s.store
	waiting := s.claim(paid("3", "demo", 1))
	s.has(waiting, "")
	s.setCode("demo", pool.Live, "OTHER")
	s.serve()
	if got := s.stored(waiting.ID); got.State() != order.OnHold || got.Allocated != 0 {
		t.Errorf("connected while the brake is set, the line is %s with %d keys", got.State(), got.Allocated)
	}
	dynamotest.Audit(t, s.tables)
}

// An order by hand is refused where there is no code to give.
func TestByHand_code(t *testing.T) {
	t.Parallel()
	s := openSharing(t)
	by := func(number string) error {
		line := paid(number, "demo", 2)
		line.OrderLines = 1
		_, err := s.claims.ByHand(t.Context(), claim.ByHand{Lines: []order.Fulfillment{line}, By: "support", Why: "for the press"})
		if err == nil {
			s.has(line, "EVERYBODY")
		}
		return err
	}
	s.must(by("1"))
	s.block("EVERYBODY")
	if err := by("2"); !errors.As(err, new(*claim.UnconnectedError)) {
		t.Errorf("of a code that is blocked: %v", err)
	}
	s.must(s.codes().Remove(t.Context(), merchant, "demo", pool.Sides[:], anyVersion))
	if err := by("2"); !errors.As(err, new(*claim.UnconnectedError)) {
		t.Errorf("of a product without a code: %v", err)
	}
}

// While a code is changed again and again, orders come, each three times at once: each gets a
// code that was the product's at some time since the order came, and none waits.
func TestRace_code(t *testing.T) {
	t.Parallel()
	s := openSharing(t)
	const changes, shops = 25, 6
	var began, ended atomic.Int64 // code n may stand from when began is n until ended is n+1
	code := func(n int64) string { return fmt.Sprint("CODE ", n) }
	s.setCode("demo", pool.Live, code(0))
	type answer struct {
		first, last int64 // the codes that may have stood while it was made
		code        string
	}
	claim := func(number string) (a answer) {
		a.first = ended.Load()
		got, err := s.claims.Claim(t.Context(), paid(number, "demo", 1))
		a.last = began.Load()
		if err != nil || got.State() != order.Fulfilled || len(got.Keys) != 1 {
			t.Errorf("order %s is %s: %v", number, got.State(), err)
			return a
		}
		a.code = got.Keys[0].Text.Reveal()
		return a
	}
	var all sync.WaitGroup
	for shop := range shops {
		all.Go(func() {
			for n := 0; ended.Load() < changes; n++ {
				var of [3]answer
				var repeats sync.WaitGroup
				for i := range of {
					repeats.Go(func() { of[i] = claim(fmt.Sprint(shop, "-", n)) })
				}
				repeats.Wait()
				first, last := min(of[0].first, of[1].first, of[2].first), max(of[0].last, of[1].last, of[2].last)
				right := false
				for c := first; c <= last; c++ {
					right = right || of[0].code == code(c)
				}
				if !right || of[1].code != of[0].code || of[2].code != of[0].code {
					t.Errorf("order %d-%d, made while codes %d to %d stood, is answered with %q, %q, %q", shop, n, first, last, of[0].code, of[1].code, of[2].code)
				}
			}
		})
	}
	for n := int64(1); n <= changes; n++ {
		began.Store(n)
		s.setCode("demo", pool.Live, code(n))
		ended.Store(n)
	}
	all.Wait()
	dynamotest.Audit(t, s.tables)
}
