package dynamo

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/retry"
)

// That a released key is not the line's is final only if the line's own condition was looked
// at: a line that was changed at that moment may have given the key back.
func TestAnswer_releasedKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		line, key string
		want      error
	}{
		"not the line's":                     {"None", "ConditionalCheckFailed", order.ErrNotHeld},
		"not the line's, which was changed":  {"ConditionalCheckFailed", "ConditionalCheckFailed", retry.ErrChanged},
		"not the line's, which is contended": {"TransactionConflict", "ConditionalCheckFailed", retry.ErrChanged},
		"not the line's, which is throttled": {"ThrottlingError", "ConditionalCheckFailed", retry.ErrThrottled},
		"throttled":                          {"None", "ThrottlingError", retry.ErrThrottled},
	} {
		c := commit{about: []subject{{kind: existingLine}, {kind: releasedKey, key: "nova#live#k"}}}
		err := c.answer(translate(&types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{
			{Code: aws.String(test.line)}, {Code: aws.String(test.key)},
		}}))
		for _, answer := range []error{order.ErrNotHeld, retry.ErrChanged, retry.ErrThrottled} {
			if errors.Is(err, answer) != errors.Is(test.want, answer) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
		}
	}
}
