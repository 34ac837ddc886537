package dynamo

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attrs is an item as DynamoDB takes and gives it, its primary key, or the values
// of an expression.
type attrs = map[string]types.AttributeValue

// schema is the version that every item written now carries as v.
const schema = 1

// The oldest version of an item that is still read. A line may be refunded years
// after it was sold, so orders and keys are read in every version there ever was.
// The catalog is read in the last two, so that an upgrade needs no pause.
const (
	everyVersion = 1
	lastVersions = schema - 1
)

// encode returns an item of a struct with dynamodbav tags.
func encode(item any) attrs {
	encoded, err := attributevalue.MarshalMap(item)
	if err != nil {
		panic(fmt.Sprintf("encode a %T: %v", item, err)) // the structs hold texts and numbers only
	}
	return encoded
}

// decode reads an item whose version is oldest or newer. An item that a later
// version of Keypool wrote is an error.
func decode[T any](item attrs, oldest int) (T, error) {
	var into T
	if v := int(numberOf(item["v"])); v < oldest || v > schema {
		return into, fmt.Errorf("an item of schema version %d, readable are %d to %d: deploy the newer version", v, oldest, schema)
	}
	if err := attributevalue.UnmarshalMap(item, &into); err != nil {
		return into, fmt.Errorf("decode a %T: %w", into, err)
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
