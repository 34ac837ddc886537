package dynamosim_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"keypool/infra/proof/dynamosim"
	"keypool/infra/proof/dynamotest"
)

// world is two tables on one engine: pairs, by pk and sk, with an index of either
// kind, and flat, by pk alone.
type world struct {
	*dynamodb.Client
	pairs, flat string
}

// item is an item as tests write it: see av.
type item map[string]any

func schemas(pairs, flat string) []*dynamodb.CreateTableInput {
	hash := func(name string) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: types.KeyTypeHash}
	}
	sort := func(name string) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: types.KeyTypeRange}
	}
	typed := func(name string, t types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: t}
	}
	const s, n = types.ScalarAttributeTypeS, types.ScalarAttributeTypeN
	return []*dynamodb.CreateTableInput{{
		TableName:            &pairs,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{typed("pk", s), typed("sk", s), typed("g", s), typed("n", n)},
		KeySchema:            []types.KeySchemaElement{hash("pk"), sort("sk")},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{
				IndexName: aws.String("byNumber"), KeySchema: []types.KeySchemaElement{hash("g"), sort("n")},
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"note"}},
			},
			{
				IndexName: aws.String("byPair"), KeySchema: []types.KeySchemaElement{hash("g"), sort("pk")},
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			},
		},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	}, {
		TableName:            &flat,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{typed("pk", s)},
		KeySchema:            []types.KeySchemaElement{hash("pk")},
	}}
}

// open makes the tables on a client's engine.
func open(t testing.TB, client *dynamodb.Client) world {
	t.Helper()
	prefix := strings.ToLower(rand.Text()[:10])
	w := world{client, prefix + "-pairs", prefix + "-flat"}
	for _, schema := range schemas(w.pairs, w.flat) {
		if _, err := client.CreateTable(context.Background(), schema); err != nil {
			t.Fatalf("create a table: %v", err)
		}
		t.Cleanup(func() {
			client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: schema.TableName})
		})
	}
	return w
}

// engines returns the model, and the engine that it is compared with. Without
// DYNAMODB_ENDPOINT the reference is a second model: the answers that are written down
// still count, and two models must agree.
func engines(t testing.TB) (model, reference world) {
	t.Helper()
	return open(t, dynamosim.New(dynamosim.Options{}).Client()), open(t, dynamotest.Client(t))
}

// simulated is the two tables on a model, for what no engine does.
func simulated(t testing.TB, o dynamosim.Options) (*dynamosim.DB, world) {
	t.Helper()
	db := dynamosim.New(o)
	for _, schema := range schemas("pairs", "flat") {
		if err := db.CreateTable(schema); err != nil {
			t.Fatal(err)
		}
	}
	return db, world{db.Client(), "pairs", "flat"}
}

type (
	numbers []string // NS
	texts   []string // SS
	number  string   // N, as written
)

// av makes an attribute value.
func av(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case int:
		return &types.AttributeValueMemberN{Value: fmt.Sprint(v)}
	case number:
		return &types.AttributeValueMemberN{Value: string(v)}
	case []byte:
		return &types.AttributeValueMemberB{Value: v}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}
	case texts:
		return &types.AttributeValueMemberSS{Value: v}
	case numbers:
		return &types.AttributeValueMemberNS{Value: v}
	case item:
		return &types.AttributeValueMemberM{Value: v.av()}
	case []any:
		list := []types.AttributeValue{}
		for _, element := range v {
			list = append(list, av(element))
		}
		return &types.AttributeValueMemberL{Value: list}
	default:
		panic(fmt.Sprintf("no attribute value: %T", v))
	}
}

func (i item) av() map[string]types.AttributeValue {
	if i == nil {
		return nil
	}
	m := map[string]types.AttributeValue{}
	for name, v := range i {
		m[name] = av(v)
	}
	return m
}

// show writes a value so that two engines' answers can be compared.
func show(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		if len(v.Value) > 40 {
			return fmt.Sprintf("%.10q…%d", v.Value, len(v.Value))
		}
		return v.Value
	case *types.AttributeValueMemberN:
		return showNumber(v.Value)
	case *types.AttributeValueMemberB:
		return fmt.Sprintf("x%x", v.Value)
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint(v.Value)
	case *types.AttributeValueMemberNULL:
		return "null"
	case *types.AttributeValueMemberSS:
		return fmt.Sprintf("<%s>", strings.Join(slices.Sorted(slices.Values(v.Value)), " "))
	case *types.AttributeValueMemberNS:
		shown := []string{}
		for _, n := range v.Value {
			shown = append(shown, showNumber(n))
		}
		slices.Sort(shown)
		return fmt.Sprintf("<%s>", strings.Join(shown, " "))
	case *types.AttributeValueMemberL:
		shown := []string{}
		for _, element := range v.Value {
			shown = append(shown, show(element))
		}
		return "[" + strings.Join(shown, " ") + "]"
	case *types.AttributeValueMemberM:
		return showItem(v.Value)
	default:
		return fmt.Sprintf("%T", v)
	}
}

// showNumber writes a number in one form: DynamoDB trims needless zeros, and
// DynamoDB Local keeps the form that it was written in.
//
// Source: Amazon DynamoDB Developer Guide, "Data types", Number.
func showNumber(n string) string {
	r, ok := new(big.Rat).SetString(n)
	if !ok {
		return "no number: " + n
	}
	return "#" + strings.TrimRight(strings.TrimRight(r.FloatString(131), "0"), ".")
}

func showItem(m map[string]types.AttributeValue) string {
	shown := []string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		shown = append(shown, name+":"+show(m[name]))
	}
	return "{" + strings.Join(shown, " ") + "}"
}

func showItems(items []map[string]types.AttributeValue) string {
	shown := []string{}
	for _, m := range items {
		shown = append(shown, showItem(m))
	}
	return strings.Join(shown, " ")
}

// sorted shows items that come in no order to rely on.
func sorted(items []map[string]types.AttributeValue) string {
	shown := []string{}
	for _, m := range items {
		shown = append(shown, showItem(m))
	}
	slices.Sort(shown)
	return strings.Join(shown, " ")
}

// told is what an answer says, or the error in its place.
func told(out any, err error) string {
	var (
		canceled *types.TransactionCanceledException
		failed   *types.ConditionalCheckFailedException
		api      smithy.APIError
	)
	switch {
	case errors.As(err, &canceled):
		reasons := []string{}
		for _, r := range canceled.CancellationReasons {
			shown := aws.ToString(r.Code)
			if r.Item != nil {
				shown += showItem(r.Item)
			}
			reasons = append(reasons, shown)
		}
		return "canceled: " + strings.Join(reasons, ", ")
	case errors.As(err, &failed):
		if failed.Item != nil {
			return "ConditionalCheckFailedException" + showItem(failed.Item)
		}
		return "ConditionalCheckFailedException"
	case errors.As(err, &api):
		return api.ErrorCode()
	case err != nil:
		return err.Error()
	}
	switch out := out.(type) {
	case *dynamodb.GetItemOutput:
		return given(out.Item)
	case *dynamodb.PutItemOutput:
		return given(out.Attributes)
	case *dynamodb.UpdateItemOutput:
		return given(out.Attributes)
	case *dynamodb.DeleteItemOutput:
		return given(out.Attributes)
	case *dynamodb.QueryOutput:
		return fmt.Sprintf("%d/%d %s%s", out.Count, out.ScannedCount, showItems(out.Items), next(out.LastEvaluatedKey))
	case *dynamodb.ScanOutput:
		return fmt.Sprintf("%d/%d %s%s", out.Count, out.ScannedCount, sorted(out.Items), next(out.LastEvaluatedKey))
	case *dynamodb.BatchGetItemOutput:
		shown := []string{}
		for _, items := range out.Responses {
			shown = append(shown, sorted(items))
		}
		slices.Sort(shown)
		return fmt.Sprintf("%s, %d left", strings.Join(shown, " | "), len(out.UnprocessedKeys))
	case *dynamodb.BatchWriteItemOutput:
		return fmt.Sprintf("ok, %d left", len(out.UnprocessedItems))
	case pagesRead:
		return strings.Join(out, "\n")
	case held:
		return "holds"
	case *dynamodb.TransactWriteItemsOutput:
		return "ok"
	case *dynamodb.BatchExecuteStatementOutput:
		shown := []string{}
		for _, r := range out.Responses {
			if r.Error == nil {
				shown = append(shown, "ok")
			} else {
				shown = append(shown, string(r.Error.Code))
			}
		}
		return strings.Join(shown, ", ")
	default:
		return fmt.Sprintf("%T", out)
	}
}

func given(m map[string]types.AttributeValue) string {
	if m == nil {
		return "nothing"
	}
	return showItem(m)
}

func next(key map[string]types.AttributeValue) string {
	if key == nil {
		return ""
	}
	return " after " + showItem(key)
}

// refill empties the tables and puts items into pairs, unless they stand there.
func (w world) refill(t testing.TB, items []item) {
	t.Helper()
	var wanted []map[string]types.AttributeValue
	for _, i := range items {
		wanted = append(wanted, i.av())
	}
	for _, table := range []string{w.flat, w.pairs} {
		out, err := w.Scan(context.Background(), &dynamodb.ScanInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		if table == w.pairs && sorted(out.Items) == sorted(wanted) {
			return
		}
		for _, i := range out.Items {
			key := map[string]types.AttributeValue{"pk": i["pk"]}
			if table == w.pairs {
				key["sk"] = i["sk"]
			}
			if _, err := w.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, i := range items {
		if _, err := w.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &w.pairs, Item: i.av()}); err != nil {
			t.Fatal(err)
		}
	}
}

// content is what both tables hold.
func (w world) content(t testing.TB) string {
	t.Helper()
	var all []string
	for _, table := range []string{w.pairs, w.flat} {
		for _, index := range []*string{nil, aws.String("byNumber"), aws.String("byPair")} {
			if table == w.flat && index != nil {
				continue
			}
			var items []map[string]types.AttributeValue
			pages := dynamodb.NewScanPaginator(w.Client, &dynamodb.ScanInput{TableName: &table, IndexName: index})
			for pages.HasMorePages() {
				page, err := pages.NextPage(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				items = append(items, page.Items...)
			}
			all = append(all, sorted(items))
		}
	}
	return strings.Join(all, "\n")
}
