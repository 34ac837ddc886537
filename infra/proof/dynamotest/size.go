package dynamotest

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Size returns the bytes that DynamoDB counts for an item: names and texts in UTF-8,
// numbers half a byte for each digit and one or two more, sets as their elements,
// lists and maps three bytes and one for each element.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats".
func Size(item map[string]types.AttributeValue) int {
	size := 0
	for name, value := range item {
		size += len(name) + sizeOf(value)
	}
	return size
}

func sizeOf(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 2
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberL:
		size := 3
		for _, element := range v.Value {
			size += 1 + sizeOf(element)
		}
		return size
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + Size(v.Value)
	case *types.AttributeValueMemberSS:
		size := 0
		for _, element := range v.Value {
			size += len(element)
		}
		return size
	case *types.AttributeValueMemberNS:
		size := 0
		for _, element := range v.Value {
			size += (len(element)+1)/2 + 2
		}
		return size
	case *types.AttributeValueMemberBS:
		size := 0
		for _, element := range v.Value {
			size += len(element)
		}
		return size
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return 1
	default:
		panic(fmt.Sprintf("what a %T takes up is not known here", v))
	}
}
