package boot

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// quiet keeps AWS's texts out of every error of a call. They quote the request: SES
// an address, DynamoDB a value that does not fit, S3 the name of an object. The
// code and the request's id are kept. AWS's own records tell the rest by that id.
func quiet(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KeypoolQuiet", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if err != nil {
			err = &quietError{err}
		}
		return out, metadata, err
	}), middleware.Before)
}

// quietError is an error of a call. It can be examined by errors.As as before, but
// its text holds no text of AWS.
type quietError struct{ cause error }

func (e *quietError) Unwrap() error { return e.cause }

func (e *quietError) Error() string {
	var api smithy.APIError
	var answer *awshttp.ResponseError
	answered := errors.As(e.cause, &answer)
	switch {
	case errors.As(e.cause, &api) && answered:
		return fmt.Sprintf("%s (status %d, request %s)", api.ErrorCode(), answer.HTTPStatusCode(), answer.ServiceRequestID())
	case errors.As(e.cause, &api):
		return api.ErrorCode()
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(e.cause, known) {
			return known.Error()
		}
	}
	var sending *url.Error
	if errors.As(e.cause, &sending) {
		return fmt.Sprintf("no answer: %v", sending.Err) // without the address, which names objects
	}
	if answered && answer.Response != nil {
		return fmt.Sprintf("an answer that cannot be read (status %d, request %s)", answer.HTTPStatusCode(), answer.ServiceRequestID())
	}
	return fmt.Sprintf("not sent (%T)", errors.Unwrap(e.cause))
}
