package dynamosim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
)

// once is a fate for the first attempt of an operation.
func once(operation string, fate dynamosim.Fate) func(dynamosim.Call) dynamosim.Fate {
	return func(c dynamosim.Call) dynamosim.Fate {
		if c.Operation == operation && c.Attempt == 1 {
			return fate
		}
		return dynamosim.Fine
	}
}

// noRepeats lets the SDK try once, so that a fate is seen as it is.
func noRepeats(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

func TestLatency_bothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := simulated(t, dynamosim.Options{Latency: func(uint64) time.Duration { return 3 * time.Millisecond }})
		began := time.Now()
		if _, err := get("a", "1", "")(w); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 6*time.Millisecond {
			t.Errorf("a call took %v", took)
		}
	})
}

func TestFate_whatIsDoneAndWhatTheCallerLearns(t *testing.T) {
	putOnce := func(w world) (any, error) {
		return w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": "a", "sk": "1"}.av()}, noRepeats)
	}
	transactOnce := func(w world) (any, error) {
		in := &dynamodb.TransactWriteItemsInput{}
		for i := range 3 {
			in.TransactItems = append(in.TransactItems, txPut(item{"pk": "a", "sk": fmt.Sprint(i)}, "")(w))
		}
		return w.TransactWriteItems(ctx, in, noRepeats)
	}
	cases := []struct {
		fate dynamosim.Fate
		do   func(world) (any, error)
		want string // part of what is told
		done bool
	}{
		{dynamosim.Fine, putOnce, "nothing", true},
		{dynamosim.Slow(time.Second), putOnce, "nothing", true},
		{dynamosim.NeverArrives, putOnce, "connection reset", false},
		{dynamosim.LostAnswer, putOnce, "connection reset", true},
		{dynamosim.ServerError, putOnce, "InternalServerError", false},
		{dynamosim.ServerErrorAfter, putOnce, "InternalServerError", true},
		{dynamosim.Unavailable, putOnce, "ServiceUnavailable", false},
		{dynamosim.Throttled, putOnce, "ProvisionedThroughputExceededException", false},
		{dynamosim.Conflict, putOnce, "TransactionConflictException", false},
		{dynamosim.InProgress, putOnce, "nothing", true},
		{dynamosim.Partial, putOnce, "nothing", true},
		{dynamosim.Conflict, transactOnce, "TransactionConflict", false},
		{dynamosim.Throttled, transactOnce, "ThrottlingError", false},
		{dynamosim.InProgress, transactOnce, "TransactionInProgressException", false},
		{dynamosim.LostAnswer, transactOnce, "connection reset", true},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			db, w := simulated(t, dynamosim.Options{Fate: func(dynamosim.Call) dynamosim.Fate { return c.fate }})
			out, err := c.do(w)
			if got := told(out, err); !strings.Contains(got, c.want) {
				t.Errorf("%v: %s, not %s", c.fate, got, c.want)
			}
			if done := len(db.Items("pairs")) > 0; done != c.done {
				t.Errorf("%v: done %v", c.fate, done)
			}
			if c.fate != dynamosim.Fine && db.Stats().Fates[c.fate.String()] != 1 {
				t.Errorf("%v is counted as %v", c.fate, db.Stats().Fates)
			}
		})
	}
}

func TestFate_partialLeavesSomeAndTheSDKDoesNotRepeatThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, w := simulated(t, dynamosim.Options{Seed: 1, Fate: func(dynamosim.Call) dynamosim.Fate { return dynamosim.Partial }})
		var inserts []func(world) types.BatchStatementRequest
		var keys []item
		for i := range 20 {
			inserts = append(inserts, insert("a", fmt.Sprint(i)))
			keys = append(keys, item{"pk": "a", "sk": fmt.Sprint(i)})
		}
		out, err := statements(inserts...)(w)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, r := range out.(*dynamodb.BatchExecuteStatementOutput).Responses {
			if r.Error != nil && r.Error.Code == "ThrottlingError" {
				refused++
			}
		}
		if there := len(db.Items("pairs")); refused < 1 || refused > 19 || there != 20-refused {
			t.Errorf("%d refused, %d there", refused, there)
		}
		got, err := batchGet(w, "", keys)
		if err != nil {
			t.Fatal(err)
		}
		if left := len(got.(*dynamodb.BatchGetItemOutput).UnprocessedKeys["pairs"].Keys); left < 1 || left > 19 {
			t.Errorf("%d keys left", left)
		}
		put := types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"pk": "z", "sk": "1"}.av()}}
		if _, err := w.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"pairs": {put}}}, noRepeats); told(nil, err) != "ProvisionedThroughputExceededException" {
			t.Errorf("a batch of which nothing is written: %v", err)
		}
		none, err := w.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"pairs": {
			Keys: []map[string]types.AttributeValue{item{"pk": "a", "sk": "1"}.av()},
		}}}, noRepeats)
		if told(none, err) != "ProvisionedThroughputExceededException" {
			t.Errorf("a batch of which nothing is read: %s", told(none, err))
		}
	})
}

// TestFate_late: what its caller has given up, or done again, is done after all.
func TestFate_late(t *testing.T) {
	late := func(operation string) dynamosim.Options {
		return dynamosim.Options{Fate: once(operation, dynamosim.Late(time.Minute))}
	}
	synctest.Test(t, func(t *testing.T) {
		db, w := simulated(t, late("PutItem"))
		began := time.Now()
		put := func(note string) error {
			_, err := w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": "a", "sk": "1", "note": note}.av()}, noRepeats)
			return err
		}
		if err := put("old"); !strings.Contains(fmt.Sprint(err), "connection reset") || time.Since(began) > 0 || len(db.Items("pairs")) > 0 {
			t.Errorf("%v after %v, %d items", err, time.Since(began), len(db.Items("pairs")))
		}
		w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), UpdateExpression: aws.String("SET note = :v"), ExpressionAttributeValues: item{":v": "new"}.av(),
		})
		if got := showItems(db.Items("pairs")); got != "{note:new pk:a sk:1}" {
			t.Errorf("meanwhile: %s", got)
		}
		db.Wait()
		if got := showItems(db.Items("pairs")); got != "{note:old pk:a sk:1}" || time.Since(began) != time.Minute {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
	})
	for _, c := range []struct {
		do   func(world) (any, error) // the SDK repeats it
		want string
	}{
		{change("ADD n :v", item{":v": 1}), "{n:#2 pk:a sk:1}"},
		{transact(txUpdate("a", "1", "ADD n :one", item{":one": 1}, "", nil)), "{n:#1 pk:a sk:1}"},
	} {
		synctest.Test(t, func(t *testing.T) {
			db, w := simulated(t, dynamosim.Options{Fate: func(c dynamosim.Call) dynamosim.Fate {
				if c.Attempt == 1 {
					return dynamosim.Late(time.Minute)
				}
				return dynamosim.Fine
			}})
			if _, err := c.do(w); err != nil {
				t.Error(err)
			}
			db.Wait()
			if got := showItems(db.Items("pairs")); got != c.want || db.Stats().Fates["Late"] != 1 {
				t.Errorf("%s, not %s, after %v", got, c.want, db.Stats().Fates)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // nobody waits
		_, w := simulated(t, late("GetItem"))
		get("a", "1", "")(w)
	})
}

func TestSDK_repeatsWhatFailedAndATransactionIsDoneOnce(t *testing.T) {
	for _, fate := range []dynamosim.Fate{dynamosim.LostAnswer, dynamosim.ServerErrorAfter} {
		synctest.Test(t, func(t *testing.T) {
			db, w := simulated(t, dynamosim.Options{Fate: once("TransactWriteItems", fate)})
			out, err := transact(txUpdate("a", "1", "ADD n :one", item{":one": 1}, "", nil))(w)
			if told(out, err) != "ok" {
				t.Errorf("%v: %s", fate, told(out, err))
			}
			if got := showItems(db.Items("pairs")); got != "{n:#1 pk:a sk:1}" || db.Stats().Calls["TransactWriteItems"] != 2 {
				t.Errorf("%v: %s after %v", fate, got, db.Stats().Calls)
			}
		})
	}
}

func TestToken_anotherBodyForgottenAndWhileItIsDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := simulated(t, dynamosim.Options{TransactionTime: func(uint64) time.Duration { return time.Second }})
		try := func(by int) string {
			out, err := w.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
				ClientRequestToken: aws.String("token"),
				TransactItems:      []types.TransactWriteItem{txUpdate("a", "1", "ADD n :by", item{":by": by}, "", nil)(w)},
			}, noRepeats)
			return told(out, err)
		}
		n := func() string { out, err := get("a", "1", "n")(w); return told(out, err) }
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := try(1); got != "ok" {
				t.Errorf("the first: %s", got)
			}
		})
		time.Sleep(time.Second / 2)
		if got := try(1); got != "TransactionInProgressException" {
			t.Errorf("while it is decided: %s", got)
		}
		wg.Wait()
		if got := try(1); got != "ok" || n() != "{n:#1}" {
			t.Errorf("again: %s, %s", got, n())
		}
		if got := try(2); got != "IdempotentParameterMismatchException" {
			t.Errorf("with another body: %s", got)
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := try(2); got != "ok" || n() != "{n:#3}" {
			t.Errorf("after ten minutes: %s, %s", got, n())
		}
	})
}

func TestTransaction_holdsItsItemsAndIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, w := simulated(t, dynamosim.Options{TransactionTime: func(uint64) time.Duration { return 10 * time.Millisecond }})
		w.refill(t, []item{{"pk": "a", "sk": "1", "n": 1}, {"pk": "a", "sk": "2", "n": 1}})
		both := func() string {
			out, err := query("pk = :p", item{":p": "a"}, nil)(w)
			return told(out, err)
		}
		before := both()
		var wg sync.WaitGroup
		wg.Go(func() {
			if out, err := transact(txUpdate("a", "1", "SET n = :n", item{":n": 2}, "", nil), txUpdate("a", "2", "SET n = :n", item{":n": 2}, "", nil))(w); err != nil {
				t.Errorf("the first: %s", told(out, err))
			}
		})
		time.Sleep(5 * time.Millisecond)
		for name, c := range map[string]struct {
			do   func(world) (any, error)
			want string
		}{
			"another transaction": {transact(txPut(item{"pk": "b", "sk": "1"}, ""), txDelete("a", "2")), "canceled: None, TransactionConflict"},
			"a check":             {transact(txCheck("a", "1", "attribute_exists(pk)")), "canceled: TransactionConflict"},
			"a write":             {change("SET note = :v", item{":v": "x"}), "TransactionConflictException"},
			"a statement":         {statements(insert("a", "1"), insert("b", "2")), "TransactionConflict, ok"},
		} {
			if out, err := c.do(w); told(out, err) != c.want {
				t.Errorf("%s: %s, not %s", name, told(out, err), c.want)
			}
		}
		if got := both(); got != before {
			t.Errorf("while it is decided, it reads %s", got)
		}
		wg.Wait()
		if got := both(); got != "2/2 {n:#2 pk:a sk:1} {n:#2 pk:a sk:2}" {
			t.Errorf("afterwards it reads %s", got)
		}
		if s := db.Stats(); s.Cancellations["TransactionConflict"] != 2 || s.Errors["TransactionConflictException"] != 1 {
			t.Errorf("counted: %+v", s)
		}
	})
}

// TestTornRead: a transaction writes two items while they are read.
func TestTornRead_showsOneItemBeforeAndAnotherAfter(t *testing.T) {
	both := []item{{"pk": "a", "sk": "1"}, {"pk": "a", "sk": "2"}}
	backward := func(in *dynamodb.QueryInput) { in.ScanIndexForward = aws.Bool(false) }
	for name, c := range map[string]struct {
		read func(world) (any, error)
		want string
	}{
		"a query":              {query("pk = :p", item{":p": "a"}, nil), "2/2 {n:#1 pk:a sk:1} {n:#2 pk:a sk:2}"},
		"a query backward":     {query("pk = :p", item{":p": "a"}, backward), "2/2 {n:#1 pk:a sk:2} {n:#2 pk:a sk:1}"},
		"a query of one":       {query("pk = :p AND sk = :s", item{":p": "a", ":s": "1"}, nil), "1/1 {n:#1 pk:a sk:1}"},
		"a query of an index":  {index("byNumber", "g = :g", item{":g": "G"}, nil), "2/2 {g:G n:#1 pk:b sk:1} {g:G n:#9 pk:b sk:2}"},
		"a batch":              {func(w world) (any, error) { return batchGet(w, "", both) }, "{n:#1 pk:a sk:1} {n:#2 pk:a sk:2}, 0 left"},
		"a batch of one":       {func(w world) (any, error) { return batchGet(w, "", both[1:]) }, "{n:#1 pk:a sk:2}, 0 left"},
		"a read of one":        {get("a", "1", ""), "{n:#1 pk:a sk:1}"},
		"a query by full page": {query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(1) }), "1/1 {n:#1 pk:a sk:1} after {pk:a sk:1}"},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, w := simulated(t, dynamosim.Options{ReadTime: func(uint64) time.Duration { return 10 * time.Millisecond }})
			w.refill(t, []item{{"pk": "a", "sk": "1", "n": 1}, {"pk": "a", "sk": "2", "n": 1}, {"pk": "b", "sk": "1", "g": "G", "n": 1}, {"pk": "b", "sk": "2", "g": "G", "n": 2}})
			var wg sync.WaitGroup
			wg.Go(func() {
				if out, err := c.read(w); told(out, err) != c.want {
					t.Errorf("%s: %s, not %s", name, told(out, err), c.want)
				}
			})
			time.Sleep(5 * time.Millisecond)
			set := func(pk, sk string, n int) func(world) types.TransactWriteItem {
				return txUpdate(pk, sk, "SET n = :n", item{":n": n}, "", nil)
			}
			if out, err := transact(set("a", "1", 2), set("a", "2", 2), set("b", "1", 0), set("b", "2", 9))(w); err != nil {
				t.Errorf("%s: %s", name, told(out, err))
			}
			wg.Wait()
		})
	}
}

func TestDeadline_theCallIsDoneAndTheAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, w := simulated(t, dynamosim.Options{Latency: func(uint64) time.Duration { return time.Second }})
		short, cancel := context.WithTimeout(ctx, time.Second/2)
		defer cancel()
		_, err := w.PutItem(short, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": "a", "sk": "1"}.av()})
		if !errors.Is(err, context.DeadlineExceeded) || len(db.Items("pairs")) != 1 {
			t.Errorf("%v, %d items", err, len(db.Items("pairs")))
		}
		_, err = w.PutItem(short, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": "b", "sk": "1"}.av()})
		if err == nil || len(db.Items("pairs")) != 1 {
			t.Errorf("after its end: %v, %d items", err, len(db.Items("pairs")))
		}
	})
}

// TestIndexLag_upToTheLagAndNeverBack writes an item over and over, and looks at
// both indexes all the time.
func TestIndexLag_upToTheLagAndNeverBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lag = 50 * time.Millisecond
		_, w := simulated(t, dynamosim.Options{Seed: 3, IndexLag: lag})
		written := map[string]time.Time{}
		late, split := 0, 0
		last := map[string]int{}
		for n := range 2000 {
			g := []string{"G", "H"}[n%2]
			note := fmt.Sprintf("%06d", n)
			written[note] = time.Now()
			w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": "a", "sk": "1", "g": g, "n": n, "note": note}.av()})
			time.Sleep(7 * time.Millisecond)
			shown := 0
			for _, g := range []string{"G", "H"} {
				out, err := w.Query(ctx, &dynamodb.QueryInput{
					TableName: &w.pairs, IndexName: aws.String("byNumber"), KeyConditionExpression: aws.String("g = :g"),
					ExpressionAttributeValues: item{":g": g}.av(),
				})
				if err != nil {
					t.Fatal(err)
				}
				shown += len(out.Items)
				for _, i := range out.Items {
					seen := show(i["note"])
					if age := time.Since(written[seen]); age < 7*time.Millisecond {
						t.Fatalf("%s is seen after %v", seen, age)
					}
					number, _ := strconv.Atoi(seen)
					if number < last[g] {
						t.Fatalf("%s shows %d after %d", g, number, last[g])
					}
					last[g] = number
					if number != n {
						late++
						if next := written[fmt.Sprintf("%06d", number+1)]; time.Since(next) > lag {
							t.Fatalf("%s shows %d, which was overwritten %v ago", g, number, time.Since(next))
						}
					}
				}
			}
			if shown != 1 {
				split++
			}
		}
		if late == 0 || split == 0 {
			t.Errorf("the index was late %d times, showed the item in no or both partitions %d times", late, split)
		}
		time.Sleep(lag)
		if out, err := index("byPair", "g = :g", item{":g": "H"}, nil)(w); told(out, err) != "1/1 {g:H pk:a sk:1}" {
			t.Errorf("in the end: %s", told(out, err))
		}
		if out, err := index("byPair", "g = :g", item{":g": "G"}, nil)(w); told(out, err) != "0/0 " {
			t.Errorf("in the end: %s", told(out, err))
		}
	})
}

func TestThrottle_aSecondsWorthAtOnceThenTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, w := simulated(t, dynamosim.Options{PartitionWrites: 20, PartitionReads: 10})
		through := func(pk string) int {
			n := 0
			for i := range 100 {
				_, err := w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": pk, "sk": fmt.Sprint(i)}.av()}, noRepeats)
				if err == nil {
					n++
				} else if told(nil, err) != "ProvisionedThroughputExceededException" {
					t.Fatal(err)
				}
			}
			return n
		}
		if n := through("a"); n != 20 {
			t.Errorf("%d writes at once", n)
		}
		if n := through("b"); n != 20 {
			t.Errorf("%d writes to another partition at once", n)
		}
		time.Sleep(time.Second / 2)
		if n := through("a"); n != 10 {
			t.Errorf("%d writes after half a second", n)
		}
		out, err := transact(txPut(item{"pk": "c", "sk": "1"}, ""), txPut(item{"pk": "a", "sk": "1"}, ""))(w)
		if told(out, err) != "canceled: None, ThrottlingError" {
			t.Errorf("a transaction: %s", told(out, err))
		}
		out, err = statements(insert("c", "1"), insert("a", "x"))(w)
		if told(out, err) != "ok, ThrottlingError" {
			t.Errorf("statements: %s", told(out, err))
		}
		wrote, err := w.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"pairs": {
			{DeleteRequest: &types.DeleteRequest{Key: item{"pk": "a", "sk": "1"}.av()}},
			{DeleteRequest: &types.DeleteRequest{Key: item{"pk": "c", "sk": "1"}.av()}},
		}}})
		if err != nil || len(wrote.UnprocessedItems["pairs"]) != 1 {
			t.Errorf("a batch: %v, left %v", err, wrote)
		}
		reads := 0
		for range 100 {
			if _, err := w.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av()}, noRepeats); err == nil {
				reads++
			}
		}
		if reads != 20 {
			t.Errorf("%d reads of half a unit at once", reads)
		}
		got, err := batchGet(w, "", []item{{"pk": "a", "sk": "1"}, {"pk": "c", "sk": "1"}})
		if err != nil || len(got.(*dynamodb.BatchGetItemOutput).UnprocessedKeys["pairs"].Keys) != 1 {
			t.Errorf("a batch of reads: %v, %s", err, told(got, err))
		}
		if db.Stats().Throttles == 0 {
			t.Error("no throttle was counted")
		}
	})
}

// TestThrottle_byWritesWhoseConditionFails: each costs the larger of the item and
// what was to be written, and is refused itself where the partition takes no more.
func TestThrottle_byWritesWhoseConditionFails(t *testing.T) {
	const never = "attribute_not_exists(pk)"
	kilobytes := func(n int) string { return strings.Repeat("x", n*1000) }
	put := func(note string) func(world) (any, error) {
		return func(w world) (any, error) {
			return w.PutItem(ctx, &dynamodb.PutItemInput{
				TableName: &w.pairs, Item: item{"pk": "a", "sk": "1", "note": note}.av(), ConditionExpression: aws.String(never),
			}, noRepeats)
		}
	}
	for name, c := range map[string]struct {
		given  item
		do     func(world) (any, error)
		told   string
		after  string
		passes int // of 12 units
	}{
		"a put of the same size": {item{"pk": "a", "sk": "1"}, put(""), "ConditionalCheckFailedException", "ProvisionedThroughputExceededException", 12},
		"a put over a large one": {item{"pk": "a", "sk": "1", "note": kilobytes(3)}, put(""), "ConditionalCheckFailedException", "ProvisionedThroughputExceededException", 4},
		"a put of a large one":   {item{"pk": "a", "sk": "1"}, put(kilobytes(4)), "ConditionalCheckFailedException", "ProvisionedThroughputExceededException", 3},
		"an update": {item{"pk": "a", "sk": "1"}, func(w world) (any, error) {
			return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), UpdateExpression: aws.String("SET note = :v"),
				ConditionExpression: aws.String(never), ExpressionAttributeValues: item{":v": kilobytes(2)}.av(),
			}, noRepeats)
		}, "ConditionalCheckFailedException", "ProvisionedThroughputExceededException", 6},
		"a delete of nothing": {nil, func(w world) (any, error) {
			return w.DeleteItem(ctx, &dynamodb.DeleteItemInput{
				TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), ConditionExpression: aws.String("attribute_exists(pk)"),
			}, noRepeats)
		}, "ConditionalCheckFailedException", "ProvisionedThroughputExceededException", 12},
		"a statement":   {item{"pk": "a", "sk": "1"}, statements(insert("a", "1")), "DuplicateItem", "ThrottlingError", 12},
		"a transaction": {item{"pk": "a", "sk": "1"}, transact(txCheck("a", "1", never)), "canceled: ConditionalCheckFailed", "canceled: ThrottlingError", 6},
		"another write of a cancelled transaction": {
			nil, transact(txPut(item{"pk": "a", "sk": "1", "note": kilobytes(2)}, ""), txCheck("b", "1", "attribute_exists(pk)")),
			"canceled: None, ConditionalCheckFailed", "canceled: ThrottlingError, ConditionalCheckFailed", 3,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, w := simulated(t, dynamosim.Options{PartitionWrites: 12})
			if c.given != nil {
				w.refill(t, []item{c.given})
				time.Sleep(time.Second)
			}
			for n := range c.passes {
				if out, err := c.do(w); told(out, err) != c.told {
					t.Fatalf("%s, the %d. time: %s, not %s", name, n+1, told(out, err), c.told)
				}
			}
			if out, err := c.do(w); told(out, err) != c.after {
				t.Errorf("%s, in the end: %s, not %s", name, told(out, err), c.after)
			}
		})
	}
}

// TestThrottle_ofAnIndexRefusesTheWrite: the index takes what many partitions of
// the table write.
func TestThrottle_ofAnIndexRefusesTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := simulated(t, dynamosim.Options{PartitionWrites: 10})
		n := 0
		for i := range 40 {
			_, err := w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: item{"pk": fmt.Sprint(i), "sk": "1", "g": "G", "n": 1}.av()}, noRepeats)
			if err == nil {
				n++
			}
		}
		if n != 10 {
			t.Errorf("%d writes into one partition of an index", n)
		}
	})
}

func TestObserve_tellsEachCommitInOrder(t *testing.T) {
	var got []string
	_, w := simulated(t, dynamosim.Options{
		Observe: func(c dynamosim.Commit) { got = append(got, showCommit(c)) },
		Caller:  func(context.Context) string { return "somebody" },
	})
	w.refill(t, []item{{"pk": "a", "sk": "1"}})
	change("SET n = :v", item{":v": 1})(w)
	transact(txPut(item{"pk": "b", "sk": "1"}, ""), txDelete("a", "1"))(w)
	transact(txPut(item{"pk": "c", "sk": "1"}, ""), txCheck("a", "1", "attribute_exists(pk)"))(w) // is cancelled
	statements(insert("b", "1"), insert("d", "1"))(w)                                             // one is there
	transact(txDelete("e", "1"))(w)                                                               // is not there
	want := []string{
		"somebody: pairs{pk:a sk:1} nothing to {pk:a sk:1}",
		"somebody: pairs{pk:a sk:1} {pk:a sk:1} to {n:#1 pk:a sk:1}",
		"somebody: pairs{pk:b sk:1} nothing to {pk:b sk:1}, pairs{pk:a sk:1} {n:#1 pk:a sk:1} to nothing",
		"somebody: pairs{pk:d sk:1} nothing to {g:G n:#1 pk:d sk:1}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("it tells %q", got)
	}
}

func showCommit(c dynamosim.Commit) string {
	var changes []string
	for _, change := range c.Changes {
		changes = append(changes, fmt.Sprintf("%s%s %s to %s", change.Table, showItem(change.Key), given(change.Before), given(change.After)))
	}
	return c.Caller + ": " + strings.Join(changes, ", ")
}

// TestDeterminism runs a crowd of callers, twice: whatever befalls them and
// whatever they read is the same, however Go schedules them.
func TestDeterminism(t *testing.T) {
	type callerKey struct{}
	history := func(seed uint64) (told []string) {
		synctest.Test(t, func(t *testing.T) {
			var commits []string
			db, w := simulated(t, dynamosim.Options{
				Seed:            seed,
				Latency:         func(chance uint64) time.Duration { return time.Duration(chance % uint64(5*time.Millisecond)) },
				TransactionTime: func(chance uint64) time.Duration { return time.Duration(chance % uint64(3*time.Millisecond)) },
				ReadTime:        func(chance uint64) time.Duration { return time.Duration(chance % uint64(2*time.Millisecond)) },
				IndexLag:        20 * time.Millisecond,
				Observe: func(c dynamosim.Commit) {
					commits = append(commits, fmt.Sprint(time.Now().UnixNano(), showCommit(c)))
				},
				Fate: func(c dynamosim.Call) dynamosim.Fate {
					fates := []dynamosim.Fate{dynamosim.LostAnswer, dynamosim.ServerError, dynamosim.Conflict, dynamosim.Throttled, dynamosim.Partial, dynamosim.Slow(time.Millisecond), dynamosim.Late(10*time.Millisecond + time.Duration(c.Chance%uint64(time.Millisecond)))}
					if c.Chance%4 == 0 {
						return fates[c.Chance/4%uint64(len(fates))]
					}
					return dynamosim.Fine
				},
				Caller: func(ctx context.Context) string { name, _ := ctx.Value(callerKey{}).(string); return name },
			})
			lines := make([][]string, 20)
			var wg sync.WaitGroup
			for n := range lines {
				wg.Go(func() {
					ctx := context.WithValue(ctx, callerKey{}, fmt.Sprint(n))
					for round := range 20 {
						pk := fmt.Sprint((n + round) % 5)
						_, err := w.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
							txUpdate(pk, "1", "ADD n :one SET g = :g", item{":one": 1, ":g": "G"}, "", nil)(w),
							txPut(item{"pk": fmt.Sprint(n), "sk": fmt.Sprint(round), "note": pk}, "")(w),
						}})
						if err == nil {
							err = errors.New("done")
						}
						out, queried := w.Query(ctx, &dynamodb.QueryInput{
							TableName: &w.pairs, IndexName: aws.String("byNumber"), KeyConditionExpression: aws.String("g = :g"),
							ExpressionAttributeValues: item{":g": "G"}.av(),
						})
						line := fmt.Sprintf("%d.%d at %d: %v, ", n, round, time.Now().UnixNano(), err)
						if queried == nil {
							line += showItems(out.Items)
						}
						lines[n] = append(lines[n], line)
					}
				})
			}
			wg.Wait()
			db.Wait()
			for _, l := range lines {
				told = append(told, l...)
			}
			told = append(told, showItems(db.Items("pairs")), fmt.Sprint(db.Stats()))
			told = append(told, commits...)
		})
		return told
	}
	first, again, other := history(7), history(7), history(8)
	if len(first) != len(again) {
		t.Fatalf("the same seed tells %d lines and %d", len(first), len(again))
	}
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("the same seed tells\n%s\nand\n%s", first[i], again[i])
		}
	}
	if slices.Equal(first, other) {
		t.Error("another seed tells the same")
	}
}

// What the model does not speak, it refuses by name.
func TestUnspoken_isRefusedByName(t *testing.T) {
	_, w := simulated(t, dynamosim.Options{})
	for want, do := range map[string]func() (any, error){
		"DescribeTable": func() (any, error) { return w.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &w.pairs}) },
		"TransactGetItems": func() (any, error) {
			return w.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{}})
		},
		"Segment": func() (any, error) {
			return w.Scan(ctx, &dynamodb.ScanInput{TableName: &w.pairs, Segment: aws.Int32(0), TotalSegments: aws.Int32(2)})
		},
		"size": func() (any, error) { return holds("size(note) = :v", 1)(w) },
		"[":    func() (any, error) { return change("REMOVE note[0]", nil)(w) },
		"UPDATED_NEW": func() (any, error) {
			return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), UpdateExpression: aws.String("REMOVE x"), ReturnValues: types.ReturnValueUpdatedNew,
			})
		},
		"SELECT": func() (any, error) {
			return statements(func(world) types.BatchStatementRequest {
				return types.BatchStatementRequest{Statement: aws.String(`SELECT * FROM "pairs"`)}
			})(w)
		},
	} {
		out, err := do()
		if told(out, err) != "ValidationException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %s, %v", want, told(out, err), err)
		}
	}
}
