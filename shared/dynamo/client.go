package dynamo

import (
	"context"
	"errors"
	"fmt"

	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"keypool/shared/retry"
)

// Tables names the deployment's four tables. A function that is not granted a
// table leaves its name empty.
type Tables struct {
	Catalog string
	Keys    string
	Orders  string
	// Sessions are the sign-ins of people. Nothing in it is worth keeping.
	Sessions string
}

// Store keeps the tables. It is safe for concurrent use.
//
// Every method returns retry.ErrThrottled for a throttle that outlasts the SDK's
// retries, and retry.ErrChanged if another writer had an item at the same time.
type Store struct {
	db     operations
	tables Tables
}

// Open returns the store behind client. The SDK retries throttles only; this
// store's client also retries a plain write that meets a transaction on its item.
func Open(client *dynamodb.Client, tables Tables) *Store {
	db := dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.Retryer = awsretry.AddWithErrorCodes(o.Retryer, (*types.TransactionConflictException)(nil).ErrorCode())
		o.APIOptions = append(o.APIOptions, translateErrors)
	})
	return &Store{tables: tables, db: operations{
		db.GetItem, db.BatchGetItem, db.Query, db.PutItem, db.UpdateItem, db.DeleteItem, db.TransactWriteItems, db.BatchExecuteStatement,
	}}
}

// operations are the operations of DynamoDB that the store calls. A field of *dynamodb.Client
// would bring all others too into each binary with html/template: see package boot.
type operations struct {
	GetItem               operation[dynamodb.GetItemInput, dynamodb.GetItemOutput]
	BatchGetItem          operation[dynamodb.BatchGetItemInput, dynamodb.BatchGetItemOutput]
	Query                 operation[dynamodb.QueryInput, dynamodb.QueryOutput]
	PutItem               operation[dynamodb.PutItemInput, dynamodb.PutItemOutput]
	UpdateItem            operation[dynamodb.UpdateItemInput, dynamodb.UpdateItemOutput]
	DeleteItem            operation[dynamodb.DeleteItemInput, dynamodb.DeleteItemOutput]
	TransactWriteItems    operation[dynamodb.TransactWriteItemsInput, dynamodb.TransactWriteItemsOutput]
	BatchExecuteStatement operation[dynamodb.BatchExecuteStatementInput, dynamodb.BatchExecuteStatementOutput]
}

type operation[In, Out any] func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error)

// translateErrors is the outermost middleware of every operation: no call can
// forget it.
func translateErrors(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("TranslateErrors",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			return out, metadata, translate(err)
		}), middleware.Before)
}

// translate returns the error that callers branch on: retry.ErrThrottled,
// retry.ErrChanged, or a *writeError for conditions that do not hold. The SDK's
// own error stays in the chain. Other errors are returned as they are.
func translate(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	switch api := api.(type) {
	case *types.ConditionalCheckFailedException:
		return &writeError{writes: []failedWrite{{cause: conditionFailed, item: api.Item}}, err: err}
	case *types.TransactionCanceledException:
		return newWriteError(api.CancellationReasons, err)
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "ThrottlingError", "RequestLimitExceeded":
		return fmt.Errorf("%w: %w", retry.ErrThrottled, err)
	case "TransactionConflictException", "TransactionInProgressException":
		return fmt.Errorf("%w: %w", retry.ErrChanged, err)
	}
	return err
}
