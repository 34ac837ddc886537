package claim_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// A warm claim reads three things side by side and commits: two round trips. A
// one-key order whose record has up to 1 KB consumes at most 8 write and 3 read units.
//
// Read units are as the engine reports them. It reports transactions at twice
// what AWS bills, so write units follow from the transaction itself by AWS's
// rule: two for each KB of each item, one for each index entry that comes or goes.
func TestClaim_warmClaimCosts(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	var writes []types.TransactWriteItem
	s := open(t, meter.Option, transactions(&writes))
	s.stock(live, "AAAAA-BBBBB-CCCCC-DDDDD", 200)
	s.claim(paid("warm up", "game", 1)) // reads the catalog, once in 30 seconds

	for i := range 20 {
		meter.Reset()
		s.claim(paid(fmt.Sprint(i), "game", 1))
		var operations []string
		for _, call := range meter.Calls() {
			operations = append(operations, call.Operation)
		}
		if last := operations[len(operations)-1]; last != "TransactWriteItems" {
			t.Errorf("the last call is %s", last)
		}
		// A second query of keys comes where the random place is the end of a shard.
		sort.Strings(operations)
		calls := strings.Join(slices.Compact(operations), " ")
		if calls != "Query TransactWriteItems" || len(operations) > 5 {
			t.Errorf("claim %d took %v", i, operations)
		}
		if read, _ := meter.Units(); read > 4 {
			t.Errorf("a one-key order consumed %v read units", read)
		}
		if len(writes) != 2 || writes[0].Put == nil || writes[1].Update == nil {
			t.Fatalf("the transaction has %d writes", len(writes))
		}
		if size := dynamotest.Size(writes[0].Put.Item); size > 1024 {
			t.Errorf("the record of a one-key order has %d bytes", size)
		}
		units := 0
		for _, item := range []map[string]types.AttributeValue{writes[0].Put.Item, keyItem(t, s, writes[1].Update)} {
			units += 2 * ((dynamotest.Size(item) + 1023) / 1024)
			units++ // the record enters the index due, the key leaves the index available
		}
		for _, index := range []string{"listed", "who", "attention"} {
			if _, in := writes[0].Put.Item[index]; in {
				units++
			}
		}
		if units > 8 {
			t.Errorf("a one-key order consumes %d write units", units)
		}
	}
}

// A line tells how it came to its keys, at no further write: by which function it was paid,
// how many it took then, and how many came later.
func TestClaim_tellsHowTheKeysCame(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "FIRST", 1)
	line := s.claim(paid("1", "game", 3))
	if line.BroughtBy != s.claims.By || line.Claimed != 1 || line.Filled != 0 {
		t.Errorf("brought by %q, claimed %d, filled %d", line.BroughtBy, line.Claimed, line.Filled)
	}
	s.stock(live, "SECOND", 5)
	s.fill()
	if f := s.stored(line.ID); f.State() != order.Fulfilled || f.Claimed != 1 || f.Filled != 2 || f.FilledAt.IsZero() {
		t.Errorf("%s: claimed %d, filled %d at %s", f.State(), f.Claimed, f.Filled, f.FilledAt)
	}
}

// A claim that finds its product by an alias takes the calls and the read units of one
// that finds it by its id, also where nothing is cached.
func TestClaim_aliasCostsNothing(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	s := open(t, meter.Option)
	s.product(catalog.Product{ID: "other", Aliases: []string{"price_1"}, Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.stock(live, "AAAAA-BBBBB-CCCCC-DDDDD", 200)
	cost := func(product string) (reads []string, units float64) {
		s.claims.Cached = catalog.NewCached(s.store, s.now)
		meter.Reset()
		if got := s.claim(paid("of "+product, product, 1)); got.State() != order.Fulfilled || got.Product != product {
			t.Errorf("the line of %s is %s, of %s", product, got.State(), got.Product)
		}
		for _, call := range meter.Calls() {
			if call.Operation == "GetItem" {
				reads = append(reads, call.Operation)
				units += call.Read
			}
		}
		return reads, units
	}
	byID, unitsByID := cost("other")
	byAlias, unitsByAlias := cost("price_1")
	if len(byID) != len(byAlias) || unitsByID != unitsByAlias {
		t.Errorf("by its id a claim reads %d settings for %v units, by an alias %d for %v", len(byID), unitsByID, len(byAlias), unitsByAlias)
	}
}

// keyItem returns the item that an update left.
func keyItem(t *testing.T, s *shop, update *types.Update) map[string]types.AttributeValue {
	t.Helper()
	out, err := dynamotest.Client(t).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: update.TableName, Key: update.Key})
	if err != nil || out.Item == nil {
		t.Fatalf("read the key: %v", err)
	}
	return out.Item
}

// transactions keeps the writes of the last transaction.
func transactions(last *[]types.TransactWriteItem) dynamotest.Option {
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Transactions",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					if tx, ok := in.Parameters.(*dynamodb.TransactWriteItemsInput); ok {
						*last = tx.TransactItems
					}
					return next.HandleInitialize(ctx, in)
				}), middleware.Before)
		})
	}
}

// The three reads are in flight together: none waits for another's answer.
func TestClaim_readsSideBySide(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	meeting := &meeting{Store: s.store}
	meeting.guests.Add(3)
	s.claims.Store = meeting
	if got := s.claim(paid("1", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("the line is %s", got.State())
	}
}

// meeting is a store whose reads begin only once all three are asked for.
type meeting struct {
	claim.Store
	guests sync.WaitGroup
}

func (m *meeting) Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error) {
	m.arrive()
	return m.Store.Order(ctx, orderID)
}

func (m *meeting) Queue(ctx context.Context, p pool.ID) (order.Queue, error) {
	m.arrive()
	return m.Store.Queue(ctx, p)
}

func (m *meeting) Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error) {
	m.arrive()
	return m.Store.Candidates(ctx, p, shards, n)
}

func (m *meeting) arrive() {
	m.guests.Done()
	m.guests.Wait()
}
