package stock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/stock"
)

var elden = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}

// TestRecount_neverCountsAClaimTwice sells 250 keys of a new pool at once, between any
// two checks of its first night, and has their mails leave between any two later ones.
// In whatever order that happens, what is shown is what is so.
func TestRecount_neverCountsAClaimTwice(t *testing.T) {
	t.Parallel()
	const checks = 7 // the recount is done after the third
	for sold := range checks {
		for mailed := sold; mailed < checks; mailed++ {
			t.Run(fmt.Sprintf("sold before check %d, mailed before check %d", sold, mailed), func(t *testing.T) {
				t.Parallel()
				s := newShop(t, 1300)
				for check := range checks {
					if check == sold {
						s.sell(250)
					}
					if check == mailed {
						s.mail()
					}
					s.check()
				}
				want := catalog.Stock{Pool: elden, Available: 1050, Claimed: 250, AsOf: s.count().SettledAt}
				shown := s.shown()
				if sold := shown.Sold.In(catalog.SoldDays, s.now); sold != 250 {
					t.Errorf("%d keys are told to be sold (%v), want 250", sold, shown.Sold)
				}
				shown.Sold = nil
				if diff := cmp.Diff(want, shown); diff != "" {
					t.Errorf("shown, with nothing under way (-want +got):\n%s", diff)
				}
				if taken := s.count().Taken; taken != 250 {
					t.Errorf("%d keys are counted as taken, want 250", taken)
				}
			})
		}
	}
}

// TestRecount_keysThatAreGivenBack takes 3 of 10 keys back from a line and gives it 2
// others, between any two checks, before or after its mail. The shown count is exact.
func TestRecount_keysThatAreGivenBack(t *testing.T) {
	t.Parallel()
	const checks = 7
	for _, to := range []order.Disposition{order.Revoke, order.Restock, order.Keep} {
		for changed := range checks {
			for mailed := range checks {
				t.Run(fmt.Sprintf("%s before check %d, mailed before check %d", to, changed, mailed), func(t *testing.T) {
					t.Parallel()
					s := newShop(t, 1300)
					s.sell(10)
					for check := range checks {
						if check == changed {
							s.change(to, 3, 2)
						}
						if check == mailed {
							s.mail()
						}
						s.check()
					}
					s.mail() // of the new keys
					want := catalog.Stock{Pool: elden, Available: 1288, Claimed: 12, AsOf: s.count().SettledAt}
					switch to {
					case order.Restock:
						want.Available, want.Claimed = 1291, 9
					case order.Revoke:
						want.Claimed, want.Revoked = 9, 3
					case order.Keep: // its customer has them
					}
					shown := s.shown()
					shown.Sold = nil
					if diff := cmp.Diff(want, shown); diff != "" {
						t.Errorf("shown, with nothing under way (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// A line that gets its keys bit by bit has those counted that no recount saw gone.
func TestRecount_lineThatGetsItsKeysBitByBit(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1300)
	s.commit(20, 5)
	for range 3 {
		s.check()
	}
	if s.count().SettledAt.IsZero() {
		t.Fatal("a side where a line waits is never settled")
	}
	s.change(order.Restock, 0, 7)
	s.now = s.now.Add(30 * time.Second)
	s.change(order.Restock, 0, 8)
	s.mail()
	if taken := s.count().Taken; taken != 20 {
		t.Errorf("%d keys are counted as taken, want 20", taken)
	}
}

// A message that is lost leaves the count wrong until the night.
func TestRecount_putsRightWhatWasLost(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1300)
	s.sell(40)
	s.due = nil // the mailer died after the mail
	for range 3 {
		s.check()
	}
	if count := s.count(); count.Taken != 40 || count.SettledAt.IsZero() {
		t.Errorf("%d taken, settled at %v; want 40 and a time", count.Taken, count.SettledAt)
	}
	if diff := cmp.Diff(catalog.Sales{"2026-11-22": 40}, s.count().Sold); diff != "" {
		t.Errorf("sold, as the night found it (-want +got):\n%s", diff)
	}
	settled := s.count().SettledAt
	for range 3 {
		s.check()
	}
	if again := s.count().SettledAt; again != settled {
		t.Errorf("settled again at %v on the same day, after %v", again, settled)
	}
}

// More keys than are counted cannot be keys that wait for their mail: something was
// counted twice, as when the answer to a write is lost. It is mended on the same day.
func TestRecount_doesNotLeaveTooFewUntilNight(t *testing.T) {
	t.Parallel()
	s := newShop(t, 12)
	for range 3 {
		s.check()
	}
	s.add("taken", 7) // 5 of 12 are shown
	for range 3 {
		s.check()
	}
	if taken := s.count().Taken; taken != 0 {
		t.Errorf("%d keys are counted as taken, want 0", taken)
	}
}

// A side where keys come or go is left alone.
func TestRecount_waitsForQuiet(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*shop){
		"a sale at each check":             func(s *shop) { s.sell(1) },
		"a mail at each check":             func(s *shop) { s.add("taken", 1) },
		"a file that is still loaded":      func(s *shop) { s.load(1); s.add("accepted", -1) },
		"a file that is loaded":            func(s *shop) { s.load(1) },
		"a key that is given back":         func(s *shop) { s.sell(1); s.giveBack(order.Restock, 1) },
		"checks that follow on each other": func(s *shop) { s.now = s.now.Add(-3 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 30)
			checks := 6
			if name == "checks that follow on each other" {
				checks = 3
			}
			for range checks {
				disturb(s)
				s.check()
			}
			if at := s.count().SettledAt; !at.IsZero() {
				t.Errorf("settled at %v", at)
			}
		})
	}
}

// shop is a pool with keys that are sold and mailed while they are recounted.
type shop struct {
	t      *testing.T
	store  *dynamo.Store
	tables dynamo.Tables
	now    time.Time
	keys   []pool.Key
	lines  int
	last   order.LineID   // that was sold
	due    []order.LineID // whose mail waits
}

func newShop(t *testing.T, keys int) *shop {
	store, tables := dynamotest.Open(t)
	s := &shop{t: t, store: store, tables: tables, now: time.Date(2026, 11, 23, 0, 2, 0, 0, time.UTC)}
	if err := store.PutPool(t.Context(), catalog.Pool{Merchant: elden.Merchant, Name: elden.Pool, Shards: 2, LowStock: 10}); err != nil {
		t.Fatal(err)
	}
	s.load(keys)
	return s
}

func (s *shop) load(n int) {
	s.t.Helper()
	s.keys = append(s.keys, dynamotest.Stock(s.t, s.tables, elden, 2, dynamotest.Texts(fmt.Sprint("k", len(s.keys)), n)...)...)
	s.add("accepted", n)
}

// add adds to the count.
func (s *shop) add(name string, n int) {
	s.t.Helper()
	_, err := dynamotest.Client(s.t).UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(s.tables.Catalog),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "counts#nova"}, "sk": &types.AttributeValueMemberS{Value: "count#elden#live"},
		},
		UpdateExpression:          aws.String("ADD " + name + " :n REMOVE lookAt"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: fmt.Sprint(n)}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// sell sells keys, up to 50 to a line.
func (s *shop) sell(n int) {
	s.t.Helper()
	for n > 0 {
		few := min(n, 50)
		s.commit(few, few)
		n -= few
	}
}

// giveBack takes the first keys from the last line that was sold.
func (s *shop) giveBack(to order.Disposition, keys int) { s.change(to, keys, 0) }

// change takes the first keys from the last line that was sold, and gives it others.
func (s *shop) change(to order.Disposition, keys, others int) {
	s.t.Helper()
	change := order.ChangeOf(s.line(s.last))
	for _, key := range change.Before.Keys[:keys] {
		if err := change.Release(order.Release{Key: key.ID, To: to, Shards: 2}); err != nil {
			s.t.Fatal(err)
		}
	}
	change.After.Returned += keys - others
	change.Allocate(s.keys[:others], s.now)
	s.keys = s.keys[others:]
	s.due = append(s.due, s.last)
	if err := s.store.Commit(s.t.Context(), change); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) commit(wanted, keys int) {
	s.t.Helper()
	s.lines++
	number := fmt.Sprint(s.lines)
	change := order.NewLine(order.Fulfillment{
		ID:       order.Identity{Merchant: elden.Merchant, Side: elden.Side, Origin: "shop", Order: number, Line: "1"}.ID(),
		Merchant: elden.Merchant, Side: elden.Side, Account: "shop", Origin: "shop", Order: number, Line: "1",
		Product: "game", Pool: elden.Pool, Quantity: wanted, Wanted: wanted, ReceivedAt: s.now,
	})
	change.Allocate(s.keys[:keys], s.now)
	s.keys = s.keys[keys:]
	if err := s.store.Commit(s.t.Context(), change); err != nil {
		s.t.Fatal(err)
	}
	s.last = change.After.ID
	s.due = append(s.due, s.last)
}

// mail counts the keys of the lines whose mail waits, as deliver does after their mails.
func (s *shop) mail() {
	s.t.Helper()
	for _, id := range s.due {
		line := s.line(id)
		takes := line.Takes
		line.Takes = nil
		if err := s.store.LineMails().Mark(s.t.Context(), line, nil, nil); err != nil {
			s.t.Fatal(err)
		}
		if err := s.store.AddTaken(s.t.Context(), elden, takes); err != nil {
			s.t.Fatal(err)
		}
	}
	s.due = nil
}

func (s *shop) line(id order.LineID) order.Fulfillment {
	s.t.Helper()
	line, ok, err := s.store.Fulfillment(s.t.Context(), id)
	if err != nil || !ok {
		s.t.Fatal(ok, err)
	}
	return line
}

// check checks the stock, five minutes after the last check.
func (s *shop) check() {
	s.t.Helper()
	s.now = s.now.Add(5 * time.Minute)
	c := stock.Checker{Pools: s.store, Keys: s.store, Alerts: s.store, Counts: s.store, Now: func() time.Time { return s.now }}
	if err := c.Check(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.now = s.now.Add(time.Second)
}

func (s *shop) count() catalog.Count {
	s.t.Helper()
	count, err := s.store.Count(s.t.Context(), elden)
	if err != nil {
		s.t.Fatal(err)
	}
	return count
}

func (s *shop) shown() catalog.Stock {
	s.t.Helper()
	shown, err := s.store.Stock(s.t.Context(), []catalog.Pool{{Merchant: elden.Merchant, Name: elden.Pool, Shards: 2}}, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return shown[elden]
}
