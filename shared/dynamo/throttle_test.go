package dynamo_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// TestThrottles_areKnownWhateverWasAsked calls every method of the store, those
// to come included, on tables that throttle every call.
func TestThrottles_areKnownWhateverWasAsked(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"table":   `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}`,
		"call":    `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}`,
		"account": `{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded"}`,
	} {
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			body := answer
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "TransactWriteItems") && name == "table" {
				body = `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"ThrottlingError"}]}`
			}
			return &http.Response{StatusCode: 400, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		store := reflect.ValueOf(dynamo.Open(
			dynamotest.Client(t, dynamotest.Transport(transport), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }),
			dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders"}))
		for method, call := range methods(store) {
			t.Run(name+"/"+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					results := callWithSamples(t, call)
					err, _ := results[len(results)-1].Interface().(error)
					if method == "InsertKeys" { // which tells of each key by itself
						if got := results[0].Interface(); err != nil || !reflect.DeepEqual(got, []upload.Inserted{upload.Throttled}) {
							t.Errorf("got %v, %v, want a key to try again", got, err)
						}
						return
					}
					if !errors.Is(err, retry.ErrThrottled) {
						t.Errorf("%v is no retry.ErrThrottled", err)
					}
				})
			})
		}
	}
}

// methods returns the methods that call DynamoDB, by name: those of the store, and
// those of the parts of it that its other methods return.
func methods(of reflect.Value) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	for i := range of.NumMethod() {
		name, method := of.Type().Method(i).Name, of.Method(i)
		if method.Type().NumIn() > 0 {
			all[name] = method
			continue
		}
		for inner, call := range methods(method.Call(nil)[0]) {
			all[name+"."+inner] = call
		}
	}
	return all
}

// callWithSamples calls a method with a sample of each parameter's type.
func callWithSamples(t *testing.T, method reflect.Value) []reflect.Value {
	in := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < method.Type().NumIn(); i++ {
		in = append(in, sample(method.Type().In(i)))
	}
	if method.Type().IsVariadic() {
		return method.CallSlice(in)
	}
	return method.Call(in)
}

func sample(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	line := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop", Order: "1", Line: "1"}.ID()
	switch {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)))
	case t == reflect.TypeFor[pool.Secret]():
		v.Set(reflect.ValueOf(pool.Conceal("AAAA-BBBB")))
	case t == reflect.TypeFor[order.Search](): // from its beginning, of all times
		v.Set(reflect.ValueOf(order.Search{Merchant: "acme", Side: pool.Live, Until: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}))
	case t == reflect.TypeFor[order.Place](), t == reflect.TypeFor[notice.Place](): // the first page
	case t == reflect.TypeFor[order.Fulfillment](): // that waits
		v.Set(reflect.ValueOf(order.Fulfillment{ID: line, Version: 1, Merchant: "acme", Side: pool.Live, Pool: "elden", Wanted: 1, CustomerHash: "hash"}))
	case t.Kind() == reflect.String:
		v.SetString(string(line)) // a name as good as any, and the only one that a line may have
	case t.Kind() == reflect.Int:
		v.SetInt(1)
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(sample(t.Elem()))
	case t.Kind() == reflect.Slice:
		v.Set(reflect.Append(v, sample(t.Elem())))
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if field := t.Field(i); field.IsExported() {
				v.Field(i).Set(sample(field.Type))
			}
		}
	case t.Kind() == reflect.Func:
		v.Set(reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
			var out []reflect.Value
			for i := range t.NumOut() {
				out = append(out, reflect.Zero(t.Out(i)))
			}
			return out
		}))
	}
	return v
}
