package dynamo

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestFulfillmentItem_isEncodedAsItsTagsSay holds the encoding by hand against the
// one by reflection, for every field alone and for all of them.
func TestFulfillmentItem_isEncodedAsItsTagsSay(t *testing.T) {
	t.Parallel()
	const all = -1
	fields := 0
	for only := all; only < fields; only++ {
		var item fulfillmentItem
		fields = fill(reflect.ValueOf(&item).Elem(), only, 0)
		diff := cmp.Diff(encode(item), item.attrs(), cmpopts.IgnoreUnexported(
			types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberBOOL{},
			types.AttributeValueMemberL{}, types.AttributeValueMemberM{}))
		if diff != "" {
			t.Errorf("field %d: by reflection (-), by hand (+):\n%s", only, diff)
		}
	}
	if fields < 50 {
		t.Errorf("only %d fields were tried", fields)
	}
}

// fill sets the field with the number only, or all for -1, counts from n, and
// returns the number after the last.
func fill(v reflect.Value, only, n int) int {
	set := only < 0 || only == n
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			n = fill(v.Field(i), only, n)
		}
		return n
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), only, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		return fill(v.Index(1), only, n)
	case reflect.String:
		if set {
			v.SetString(fmt.Sprint("field ", n))
		}
	case reflect.Int, reflect.Int64:
		if set {
			v.SetInt(int64(n + 1))
		}
	case reflect.Bool:
		v.SetBool(set)
	default:
		panic("a field of a new kind: " + v.Kind().String())
	}
	return n + 1
}
