package claim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// What DynamoDB does now and then and no engine of tests ever does is done here
// to the real SDK client's own connection.

func openWithFaults(t *testing.T) (*shop, *dynamotest.Faults) {
	t.Helper()
	faults := dynamotest.NewFaults(t, *seed)
	return open(t, faults.Option), faults
}

func TestClaim_lostAnswerGivesNoSecondKey(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{
		"the SDK's own repeat finds out":  1,
		"the platform's repeat finds out": dynamotest.SDKAttempts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, faults := openWithFaults(t)
			s.stock(live, "K", 30)
			faults.Next("TransactWriteItems", lost, dynamotest.LostAnswer)

			first, err := s.claims.Claim(t.Context(), paid("1", "game", 2))
			if failed := err != nil; failed != (lost == dynamotest.SDKAttempts) {
				t.Fatalf("after %d lost answers: %v", lost, err)
			}
			again := s.claim(paid("1", "game", 2))
			if err == nil {
				if diff := cmp.Diff(ids(first.Keys), ids(again.Keys)); diff != "" {
					t.Errorf("the repeat holds other keys (-first +again):\n%s", diff)
				}
			}
			if len(again.Keys) != 2 || again.State() != order.Fulfilled {
				t.Errorf("the repeat holds %d keys and is %s, want 2 and fulfilled", len(again.Keys), again.State())
			}
			if books := dynamotest.Audit(t, s.tables); books.Claimed != 2 {
				t.Errorf("%d keys are sold, want the 2 of the order", books.Claimed)
			}
		})
	}
}

func TestClaim_conflictOnTheLineReturnsTheKeysOfTheOneThatWon(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	won := s.claim(paid("1", "game", 1))

	// A repeat that read the line before it was there meets the other's transaction.
	s.claims.Store = &tooEarly{Store: s.store}
	faults.Next("TransactWriteItems", 1, dynamotest.Conflict(s.tables.Orders))
	again := s.claim(paid("1", "game", 1))
	if diff := cmp.Diff(ids(won.Keys), ids(again.Keys)); diff != "" {
		t.Errorf("the repeat holds other keys (-won +again):\n%s", diff)
	}
}

func TestClaim_lineThatAppearedMeanwhileIsReturned(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	won := s.claim(paid("1", "game", 1))
	s.claims.Store = &tooEarly{Store: s.store}
	before := faults.Attempts("TransactWriteItems")
	again := s.claim(paid("1", "game", 1))
	if diff := cmp.Diff(ids(won.Keys), ids(again.Keys)); diff != "" {
		t.Errorf("the repeat holds other keys (-won +again):\n%s", diff)
	}
	if tries := faults.Attempts("TransactWriteItems") - before; tries != 1 {
		t.Errorf("%d transactions, want 1: its refusal holds the record that won", tries)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys are sold, want 1", books.Claimed)
	}
}

func TestClaim_conflictOnAKeyTakesTheNext(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	s.claim(paid("0", "game", 1)) // the catalog is known from now on
	before := faults.Attempts("BatchGetItem")
	faults.Next("TransactWriteItems", 1, dynamotest.Conflict(s.tables.Keys))
	got := s.claim(paid("1", "game", 3))
	if len(got.Keys) != 3 || got.State() != order.Fulfilled {
		t.Errorf("%d keys, %s; want 3, fulfilled", len(got.Keys), got.State())
	}
	if reads := faults.Attempts("BatchGetItem") - before; reads != 1 { // which candidates are left
		t.Errorf("%d batches were read, want 1: the next candidate is at hand", reads)
	}
}

func TestClaim_throttledBacksOffThenSaysTryAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"the partition":  dynamotest.Throttled,
		"the call":       dynamotest.ThrottledCall,
		"being decided":  dynamotest.InProgress,
		"the server":     dynamotest.ServerError,
		"nobody there":   dynamotest.Unavailable,
		"the connection": dynamotest.CutOff,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, faults := openWithFaults(t)
			s.stock(live, "K", 30)

			faults.Next("TransactWriteItems", 2, fault)
			if got := s.claim(paid("1", "game", 1)); got.State() != order.Fulfilled {
				t.Errorf("after two refusals: %s, want fulfilled", got.State())
			}

			faults.Sometimes("TransactWriteItems", 1, fault)
			got, err := s.claims.Claim(t.Context(), paid("2", "game", 1))
			if err == nil {
				t.Fatalf("with no transaction possible: %s, want an error", got.State())
			}
			switch name {
			case "the partition", "the call", "being decided":
				if !retry.Temporary(err) {
					t.Errorf("with no transaction possible: %v, want a temporary error", err)
				}
			}
			if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
				t.Errorf("%d keys are sold, want that of order 1", books.Claimed)
			}

			faults.Stop()
			if got := s.claim(paid("2", "game", 1)); got.State() != order.Fulfilled {
				t.Errorf("the repeat when it is over: %s, want fulfilled", got.State())
			}
		})
	}
}

func TestClaim_throttledReadsSayTryAgain(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	s.claim(paid("0", "game", 1)) // the catalog is known from now on
	faults.Sometimes("Query", 1, dynamotest.Throttled)
	if _, err := s.claims.Claim(t.Context(), paid("1", "game", 1)); !errors.Is(err, retry.ErrThrottled) {
		t.Errorf("throttled: %v, want ErrThrottled", err)
	}
}

// tooEarly is a store whose next read of an order comes before anything of it is stored.
type tooEarly struct {
	claim.Store
	was bool
}

func (s *tooEarly) Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error) {
	if !s.was {
		s.was = true
		return nil, order.Whole{ID: orderID}, nil
	}
	return s.Store.Order(ctx, orderID)
}

func TestClaim_answerAfterTheDeadline(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	ctx, giveUp := context.WithCancel(t.Context())
	faults.Next("TransactWriteItems", 1, dynamotest.SlowAnswer(giveUp))
	if _, err := s.claims.Claim(ctx, paid("1", "game", 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that the time is up", err)
	}
	if got := s.claim(paid("1", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("the repeat: %s, want fulfilled", got.State())
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys are sold, want 1", books.Claimed)
	}
}

func TestClaim_laggingIndexSellsNothingTwice(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 40)
	faults.Freeze(s.tables, s.tables.Keys, "available") // goes on showing all 40
	sold := map[pool.KeyID]string{}
	for i := range 20 {
		id := fmt.Sprint(i)
		for _, key := range s.claim(paid(id, "game", 1)).Keys {
			if other := sold[key.ID]; other != "" {
				t.Errorf("orders %s and %s hold the same key", other, id)
			}
			sold[key.ID] = id
		}
	}
	if len(sold) < 15 {
		t.Errorf("%d of 20 orders got a key from an index that shows half of them truly", len(sold))
	}
	dynamotest.Audit(t, s.tables)
}

// TestClaim_oneLostRaceTellsAllThatIsGone: half of what the index shows is gone.
// The first refusal names some of it; one read tells the rest, and the second
// transaction takes what is left, to the last key.
func TestClaim_oneLostRaceTellsAllThatIsGone(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 40)
	faults.Freeze(s.tables, s.tables.Keys, "available") // goes on showing all 40
	s.claim(paid("1", "game", 20))
	before := faults.Attempts("TransactWriteItems")
	if got := s.claim(paid("2", "game", 20)); got.State() != order.Fulfilled {
		t.Errorf("%s, want fulfilled: 20 of 40 keys were left", got.State())
	}
	if tries := faults.Attempts("TransactWriteItems") - before; tries != 2 {
		t.Errorf("%d transactions, want 2", tries)
	}
	dynamotest.Audit(t, s.tables)
}

// What remains is asked for as a hint: if nobody can tell, the claim goes on.
func TestClaim_goesOnThoughNobodyCanTellWhatRemains(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.stock(live, "K", 30)
	s.claim(paid("0", "game", 1)) // the catalog is known from now on
	before := faults.Attempts("Query")
	store := &forgetful{Store: s.store}
	s.claims.Store = store
	faults.Next("TransactWriteItems", 1, dynamotest.Conflict(s.tables.Keys))
	if got := s.claim(paid("1", "game", 3)); got.State() != order.Fulfilled {
		t.Errorf("%s, want fulfilled", got.State())
	}
	if !store.asked {
		t.Error("nobody asked what remains")
	}
	if reads := faults.Attempts("Query") - before; reads > 4 { // the order, the queue, and keys to the end of a shard and on
		t.Errorf("%d queries, as of more than one attempt: the candidates are at hand", reads)
	}
}

// TestClaim_bypassesNobodyWithFewerKeysThanThereSeemedToBe: a newcomer may take a key
// before one who waits while there seem to be enough for both. Once a key turns out
// to be gone, it queues.
func TestClaim_bypassesNobodyWithFewerKeysThanThereSeemedToBe(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.claim(paid("first", "game", 1))
	s.stock(live, "K", 3)
	faults.Next("TransactWriteItems", 1, dynamotest.Conflict(s.tables.Keys))
	if got := s.claim(paid("second", "game", 1)); got.State() != order.Waiting {
		t.Errorf("the newcomer is %s, want waiting", got.State())
	}
	s.fill()
	for _, id := range []string{"first", "second"} {
		if got := s.stored(paid(id, "game", 1).ID); got.State() != order.Fulfilled {
			t.Errorf("after fill order %s is %s", id, got.State())
		}
	}
}

func TestFill_oneLostRaceTellsAllThatIsGone(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	s.claim(paid("waits", "game", 30))
	keys := dynamotest.Stock(t, s.tables, live, pool.DefaultShards, dynamotest.Texts("K", 50)...)
	faults.Freeze(s.tables, s.tables.Keys, "available") // goes on showing all 50
	other := paid("passes", "game", 20)
	other.Pool, other.Wanted, other.Allocated, other.Keys = live.Pool, 20, 20, keys[:20]
	other.Version, other.ReceivedAt = 1, s.now()
	s.must(s.store.Commit(t.Context(), order.Change{After: other, Allocated: other.Keys}))

	before := faults.Attempts("TransactWriteItems")
	s.fill()
	if got := s.stored(paid("waits", "game", 30).ID); got.State() != order.Fulfilled {
		t.Errorf("%s, want fulfilled: 30 of 50 keys were left", got.State())
	}
	if tries := faults.Attempts("TransactWriteItems") - before; tries != 2 {
		t.Errorf("%d transactions, want 2", tries)
	}
	dynamotest.Audit(t, s.tables)
}

func TestClaim_indexThatHidesNewKeysOnlyDelays(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	faults.Freeze(s.tables, s.tables.Keys, "available")
	s.stock(live, "K", 1)
	if got := s.claim(paid("1", "game", 1)); got.State() != order.Waiting {
		t.Fatalf("%s, want waiting: the index shows no key", got.State())
	}
	faults.Unfreeze(s.tables.Keys)
	s.fill()
	if got := s.stored(paid("1", "game", 1).ID); got.State() != order.Fulfilled {
		t.Errorf("after the index caught up: %s, want fulfilled", got.State())
	}
}

// TestClaim_keyMovedBehindAStaleIndex: the index still shows a key in the pool it
// was moved from, and it is the only one that is left.
func TestClaim_keyMovedBehindAStaleIndex(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	moved := dynamotest.Stock(t, s.tables, live, pool.DefaultShards, "MOVED")[0]
	faults.Freeze(s.tables, s.tables.Keys, "available")
	other := pool.ID{Merchant: live.Merchant, Pool: "ring", Side: pool.Live}
	_, err := dynamotest.Client(t).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName:                aws.String(s.tables.Keys),
		Key:                      map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: string(moved.ID)}},
		UpdateExpression:         aws.String("SET #pool = :pool, #shard = :shard"),
		ExpressionAttributeNames: map[string]string{"#pool": "pool", "#shard": "shard"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":pool":  &types.AttributeValueMemberS{Value: other.Pool},
			":shard": &types.AttributeValueMemberS{Value: "acme#ring#live#0"},
		},
	})
	s.must(err)
	got, err := s.claims.Claim(t.Context(), paid("1", "game", 1))
	if err == nil && (got.State() != order.Waiting || len(got.Keys) != 0) {
		t.Errorf("%s with %d keys; want waiting, or to be tried again, with none", got.State(), len(got.Keys))
	}
	faults.Unfreeze(s.tables.Keys)
	left, err := s.store.Available(t.Context(), other, pool.DefaultShards, 10)
	s.must(err)
	if left != 1 {
		t.Errorf("%d keys are left in the pool it was moved to, want 1", left)
	}
}

func TestFill_lostAnswerGivesNoSecondKey(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, dynamotest.SDKAttempts} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			s, faults := openWithFaults(t)
			for i := range 5 {
				s.claim(paid(fmt.Sprint(i), "game", 1))
			}
			s.stock(live, "K", 30)
			faults.Next("TransactWriteItems", lost, dynamotest.LostAnswer)
			err := s.filler.Fill(t.Context(), order.FillPool(live), s.now().Add(time.Minute))
			if lost == 1 && err != nil {
				t.Fatal(err)
			}
			s.fill()
			books := dynamotest.Audit(t, s.tables)
			if books.Claimed != 5 || len(books.Queue) != 0 {
				t.Errorf("%d keys sold and %d lines wait, want 5 and 0", books.Claimed, len(books.Queue))
			}
		})
	}
}

// TestFill_troubleGivesEachLineItsDue lets a queue be served while a third of all
// transactions meet some trouble, by chance.
func TestFill_troubleGivesEachLineItsDue(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	for i := range 40 {
		s.claim(paid(fmt.Sprint(i), "game", 1+i%3))
	}
	s.stock(live, "K", 100)
	faults.Sometimes("TransactWriteItems", 0.3,
		dynamotest.LostAnswer, dynamotest.CutOff, dynamotest.Throttled, dynamotest.ServerError,
		dynamotest.Conflict(s.tables.Orders), dynamotest.Conflict(s.tables.Keys))
	var fills sync.WaitGroup
	for range 3 {
		fills.Go(func() {
			// What fails is asked for again, as the queue of fill does.
			for range 10 {
				if s.filler.Fill(t.Context(), order.FillPool(live), s.now().Add(time.Minute)) == nil {
					return
				}
			}
		})
	}
	fills.Wait()
	faults.Stop()
	s.fill()
	books := dynamotest.Audit(t, s.tables)
	if want := 40 + 13 + 2*13; books.Claimed != want || len(books.Queue) != 0 {
		t.Errorf("%d keys sold and %d lines wait, want %d and 0", books.Claimed, len(books.Queue), want)
	}
}

// TestClaim_troubleByChance is the race in bad weather: each order is delivered
// until it is answered, then once more, while every kind of call fails now and then.
func TestClaim_troubleByChance(t *testing.T) {
	t.Parallel()
	s, faults := openWithFaults(t)
	const orders, keys = 60, 50
	s.stock(live, "K", keys)
	trouble := []dynamotest.Fault{
		dynamotest.LostAnswer, dynamotest.CutOff, dynamotest.Throttled, dynamotest.ThrottledCall, dynamotest.ServerError,
	}
	for _, operation := range []string{"BatchGetItem", "Query"} {
		faults.Sometimes(operation, 0.1, trouble...)
	}
	faults.Sometimes("TransactWriteItems", 0.3, append(slices.Clone(trouble),
		dynamotest.Conflict(s.tables.Orders), dynamotest.Conflict(s.tables.Keys), dynamotest.InProgress)...)
	deliver := func(id string) order.Fulfillment {
		for range 50 {
			if got, err := s.claims.Claim(t.Context(), paid(id, "game", 1)); err == nil {
				return got
			}
		}
		t.Errorf("order %s is never answered", id)
		return order.Fulfillment{}
	}
	var deliveries sync.WaitGroup
	for i := range orders {
		deliveries.Go(func() {
			first := deliver(fmt.Sprint(i))
			again := deliver(fmt.Sprint(i))
			if first.State() == order.Fulfilled && !slices.Equal(ids(first.Keys), ids(again.Keys)) {
				t.Errorf("order %d was answered with different keys", i)
			}
		})
	}
	deliveries.Wait()
	faults.Stop()
	s.fill() // whoever was told "empty" while a throttle hid the keys
	books := dynamotest.Audit(t, s.tables)
	if books.Claimed != keys || len(books.Queue) != orders-keys {
		t.Errorf("%d keys sold and %d lines wait, want %d and %d", books.Claimed, len(books.Queue), keys, orders-keys)
	}
}

// forgetful is a store that cannot tell which candidates are left.
type forgetful struct {
	*dynamo.Store
	asked bool
}

func (f *forgetful) Remaining(context.Context, []pool.Key) ([]pool.Key, error) {
	f.asked = true
	return nil, errors.New("the table does not answer")
}
