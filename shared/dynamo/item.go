package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/outbox"
	"keypool/shared/random"
)

// attrs is an item as DynamoDB takes and gives it, its primary key, or the values
// of an expression.
type attrs = map[string]types.AttributeValue

// schema is the version that every item written now carries as v.
const schema = 1

// The oldest version of a table's items that is still read. A line may be refunded
// years after it was sold, so orders and keys are read in every version there ever
// was. The catalog is read in the last two, so that an upgrade needs no pause.
const (
	oldestInOrders   = 1
	oldestInCatalog  = schema - 1
	oldestInSessions = schema - 1
)

// encode returns an item of a struct with dynamodbav tags.
func encode(item any) attrs {
	encoded, err := attributevalue.MarshalMap(item)
	if err != nil {
		panic(fmt.Sprintf("encode a %T: %v", item, err)) // the structs hold texts and numbers only
	}
	return encoded
}

// decode reads an item whose version is oldest or newer. Another version's item, or one
// that does not fit, is an outbox.ErrUnreadable.
func decode[T any](item attrs, oldest int) (T, error) {
	var into T
	if v := int(numberOf(item["v"])); v < oldest || v > schema {
		return into, fmt.Errorf("%w: it has schema version %d, readable are %d to %d: deploy the newer version", outbox.ErrUnreadable, v, oldest, schema)
	}
	if err := attributevalue.UnmarshalMap(item, &into); err != nil {
		return into, fmt.Errorf("%w as a %T: %w", outbox.ErrUnreadable, into, err)
	}
	return into, nil
}

// stringOf returns "" for an attribute that is absent or no string.
func stringOf(av types.AttributeValue) string {
	if s, ok := av.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// numberOf returns 0 for an attribute that is absent or no whole number.
func numberOf(av types.AttributeValue) int64 {
	if n, ok := av.(*types.AttributeValueMemberN); ok {
		if value, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return value
		}
	}
	return 0
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// setText sets a text. An empty one takes no room.
func setText(item attrs, name, value string) {
	if value != "" {
		item[name] = text(value)
	}
}

// setNumber sets a number. Zero takes no room.
func setNumber[N int | int64](item attrs, name string, value N) {
	if value != 0 {
		item[name] = number(value)
	}
}

// setTexts sets a list of texts. An empty one takes no room.
func setTexts(item attrs, name string, values []string) {
	if len(values) == 0 {
		return
	}
	list := make([]types.AttributeValue, len(values))
	for i, value := range values {
		list[i] = text(value)
	}
	item[name] = &types.AttributeValueMemberL{Value: list}
}

// setTrue sets what is true. False takes no room.
func setTrue(item attrs, name string, value bool) {
	if value {
		item[name] = &types.AttributeValueMemberBOOL{Value: true}
	}
}

// millis returns a time as it stands in the tables: milliseconds since 1970, 0 for
// the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is the inverse of millis.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// randomHex returns 16 random hex digits. A key's place in its shard is one. A writer
// also leaves one in an item, and so knows its own write again if the answer is lost.
func randomHex(ctx context.Context) string { return fmt.Sprintf("%016x", random.Uint64(ctx)) }

// wrap says what was tried, if it went wrong.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
