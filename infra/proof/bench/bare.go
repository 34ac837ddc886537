package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"keypool/shared/order"
)

// callsOfAClaim is how many calls a claim of one key makes: three reads side by
// side, and the transaction.
const callsOfAClaim = 4

// recorder records the calls of a client before the SDK changes them, so that they
// can be made again without Keypool's own code.
type recorder struct {
	mu    sync.Mutex
	calls bareClaim
}

// option puts the recorder on a client.
func (r *recorder) option(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Record",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				r.mu.Lock()
				r.calls.add(in.Parameters)
				r.mu.Unlock()
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
	})
}

// record returns the calls of n claims that made the usual number of calls. Claim i
// is asked for under its own number.
func (r *recorder) record(n int, claim func(i int) (order.Fulfillment, error)) ([]bareClaim, error) {
	var kept []bareClaim
	for i := 0; len(kept) < n; i++ {
		r.calls = bareClaim{}
		got, err := claim(i)
		if err != nil {
			return nil, err
		}
		if got.State() != order.Fulfilled {
			return nil, fmt.Errorf("order %s is %s", got.Order, got.State())
		}
		// A claim whose random place is near the end of a shard makes a second query.
		if len(r.calls.reads)+1 == callsOfAClaim && r.calls.commit != nil {
			kept = append(kept, r.calls)
		}
		if i > 2*n+100 {
			return nil, fmt.Errorf("only %d of %d claims made %d calls", len(kept), i, callsOfAClaim)
		}
	}
	return kept, nil
}

// bareClaim is the calls of one claim.
type bareClaim struct {
	reads  []any
	queue  any // the read of the queue, one of reads
	commit *dynamodb.TransactWriteItemsInput
}

func (c *bareClaim) add(in any) {
	switch in := in.(type) {
	case *dynamodb.TransactWriteItemsInput:
		kept := *in // the SDK gives the original a token
		c.commit = &kept
	case *dynamodb.QueryInput:
		c.reads = append(c.reads, in)
		for _, value := range in.ExpressionAttributeValues {
			if text, ok := value.(*types.AttributeValueMemberS); ok && strings.HasPrefix(text.Value, "queue#") {
				c.queue = in
			}
		}
	default:
		c.reads = append(c.reads, in)
	}
}

// make makes the calls as a claim does, reads first and in parallel, and ignores the
// answers.
func (c bareClaim) make(ctx context.Context, client *dynamodb.Client) error {
	errs := make([]error, len(c.reads))
	var others sync.WaitGroup
	for i, in := range c.reads[1:] {
		others.Go(func() { errs[i+1] = readAgain(ctx, client, in) })
	}
	errs[0] = readAgain(ctx, client, c.reads[0])
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return c.transact(ctx, client)
}

// least makes only the read of the queue and the transaction. Without that read a
// line could overtake a queue.
func (c bareClaim) least(ctx context.Context, client *dynamodb.Client) error {
	if err := readAgain(ctx, client, c.queue); err != nil {
		return err
	}
	return c.transact(ctx, client)
}

// transact makes the transaction alone.
func (c bareClaim) transact(ctx context.Context, client *dynamodb.Client) error {
	commit := *c.commit
	_, err := client.TransactWriteItems(ctx, &commit)
	return err
}

func readAgain(ctx context.Context, client *dynamodb.Client, in any) (err error) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		_, err = client.GetItem(ctx, in)
	case *dynamodb.BatchGetItemInput:
		_, err = client.BatchGetItem(ctx, in)
	case *dynamodb.QueryInput:
		_, err = client.Query(ctx, in)
	default:
		err = fmt.Errorf("a claim makes a call that is not known here: %T", in)
	}
	return err
}
