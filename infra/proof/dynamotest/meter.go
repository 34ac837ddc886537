package dynamotest

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
)

// Meter records the capacity units that DynamoDB reports for each call of a store. It
// panics at an unknown operation. Its zero value is ready; it is safe for concurrent
// use.
type Meter struct {
	mu    sync.Mutex
	calls []Call
}

// Call is an answered call and the capacity units that it consumed.
type Call struct {
	Operation   string
	Consistent  bool // a read that is consistent at least in part
	Read, Write float64
}

// Option puts the meter on a client.
func (m *Meter) Option(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Meter", m.measure), middleware.Before)
	})
}

// Calls returns the calls since the last Reset.
func (m *Meter) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Call(nil), m.calls...)
}

// Units is the sum over those calls.
func (m *Meter) Units() (read, write float64) {
	for _, call := range m.Calls() {
		read += call.Read
		write += call.Write
	}
	return read, write
}

// Reset forgets the calls so far.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = nil
}

func (m *Meter) measure(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	const all = types.ReturnConsumedCapacityIndexes
	consistent := false
	switch in := in.Parameters.(type) {
	case *dynamodb.GetItemInput:
		in.ReturnConsumedCapacity, consistent = all, aws.ToBool(in.ConsistentRead)
	case *dynamodb.BatchGetItemInput:
		in.ReturnConsumedCapacity = all
		for _, wanted := range in.RequestItems {
			consistent = consistent || aws.ToBool(wanted.ConsistentRead)
		}
	case *dynamodb.QueryInput:
		in.ReturnConsumedCapacity, consistent = all, aws.ToBool(in.ConsistentRead)
	case *dynamodb.PutItemInput:
		in.ReturnConsumedCapacity = all
	case *dynamodb.UpdateItemInput:
		in.ReturnConsumedCapacity = all
	case *dynamodb.DeleteItemInput:
		in.ReturnConsumedCapacity = all
	case *dynamodb.TransactWriteItemsInput:
		in.ReturnConsumedCapacity = all
	case *dynamodb.BatchExecuteStatementInput:
		in.ReturnConsumedCapacity = all
	default:
		panic(fmt.Sprintf("a Meter cannot tell what %T consumes", in))
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err == nil {
		call := Call{Operation: middleware.GetOperationName(ctx), Consistent: consistent}
		reads, writes := consumed(out.Result)
		for _, c := range reads {
			call.Read += aws.ToFloat64(c.CapacityUnits)
		}
		for _, c := range writes {
			call.Write += aws.ToFloat64(c.CapacityUnits)
		}
		m.mu.Lock()
		m.calls = append(m.calls, call)
		m.mu.Unlock()
	}
	return out, metadata, err
}

// consumed returns the units of an answer, for reads and for writes.
func consumed(answer any) (reads, writes []types.ConsumedCapacity) {
	one := func(c *types.ConsumedCapacity) []types.ConsumedCapacity {
		if c == nil {
			return nil
		}
		return []types.ConsumedCapacity{*c}
	}
	switch out := answer.(type) {
	case *dynamodb.GetItemOutput:
		return one(out.ConsumedCapacity), nil
	case *dynamodb.BatchGetItemOutput:
		return out.ConsumedCapacity, nil
	case *dynamodb.QueryOutput:
		return one(out.ConsumedCapacity), nil
	case *dynamodb.PutItemOutput:
		return nil, one(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		return nil, one(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		return nil, one(out.ConsumedCapacity)
	case *dynamodb.TransactWriteItemsOutput:
		return nil, out.ConsumedCapacity
	case *dynamodb.BatchExecuteStatementOutput:
		return nil, out.ConsumedCapacity
	default:
		panic(fmt.Sprintf("a Meter cannot tell what %T consumed", out))
	}
}
