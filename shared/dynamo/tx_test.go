package dynamo

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"keypool/shared/retry"
)

// TestTranslate holds what DynamoDB says against the error that callers branch on.
func TestTranslate(t *testing.T) {
	t.Parallel()
	item := attrs{"pk": text("x")}
	canceled := func(codes ...string) error {
		e := &types.TransactionCanceledException{}
		for _, code := range codes {
			reason := types.CancellationReason{Code: aws.String(code)}
			if code == "ConditionalCheckFailed" {
				reason.Item = item
			}
			e.CancellationReasons = append(e.CancellationReasons, reason)
		}
		return e
	}
	code := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	for name, c := range map[string]struct {
		err                error
		changed, throttled bool
		failedCondition    int // the position; -1: nowhere
	}{
		"a condition":                  {&types.ConditionalCheckFailedException{Item: item}, true, false, 0},
		"a transaction on the item":    {&types.TransactionConflictException{}, true, false, -1},
		"the same transaction":         {&types.TransactionInProgressException{}, true, false, -1},
		"a throttled table":            {&types.ProvisionedThroughputExceededException{}, false, true, -1},
		"a throttled call":             {code("ThrottlingException"), false, true, -1},
		"a throttled account":          {&types.RequestLimitExceeded{}, false, true, -1},
		"trouble at DynamoDB":          {&types.InternalServerError{}, false, false, -1},
		"a call that is wrong":         {code("ValidationException"), false, false, -1},
		"no table":                     {&types.ResourceNotFoundException{}, false, false, -1},
		"no answer":                    {errors.New("connection reset"), false, false, -1},
		"a condition of three writes":  {canceled("None", "ConditionalCheckFailed", "None"), true, false, 1},
		"a conflict of three writes":   {canceled("None", "None", "TransactionConflict"), true, false, -1},
		"a throttle of two writes":     {canceled("None", "ThrottlingError"), false, true, -1},
		"a throttled table, two":       {canceled("ProvisionedThroughputExceeded", "None"), false, true, -1},
		"a throttle and a condition":   {canceled("ThrottlingError", "ConditionalCheckFailed"), true, false, 1},
		"a write that is never made":   {canceled("ConditionalCheckFailed", "ValidationError"), false, false, -1},
		"a cancellation for no reason": {canceled(), false, false, -1},
	} {
		got := translate(c.err)
		if errors.Is(got, retry.ErrChanged) != c.changed || errors.Is(got, retry.ErrThrottled) != c.throttled {
			t.Errorf("%s: %v; want changed %v, throttled %v", name, got, c.changed, c.throttled)
		}
		if !errors.Is(got, c.err) {
			t.Errorf("%s: %v does not hold the SDK's error", name, got)
		}
		for position := range 3 {
			there, is := failedCondition(got, position)
			if is != (position == c.failedCondition) || is && len(there) == 0 {
				t.Errorf("%s: write %d: %v, %v", name, position, there, is)
			}
		}
	}
	if translate(nil) != nil {
		t.Error("success is an error")
	}
}
