package dynamotest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/dynamo"
)

// LaggingIndex names, among the faults that were met, a query that a frozen index answered.
const LaggingIndex = "lagging index"

// Freeze stops an index at what it shows now, as an index that lags does: it
// goes on showing what has left it and does not show what is new. The engines'
// own indexes never lag.
func (f *Faults) Freeze(tables dynamo.Tables, table, name string) {
	f.t.Helper()
	frozen := &index{name: name}
	for _, schema := range dynamo.Schemas(tables) {
		if aws.ToString(schema.TableName) != table {
			continue
		}
		for _, gsi := range schema.GlobalSecondaryIndexes {
			if aws.ToString(gsi.IndexName) == name {
				frozen.key = append(names(gsi.KeySchema), names(schema.KeySchema)...)
			}
		}
	}
	if frozen.key == nil {
		f.t.Fatalf("table %s has no index %s", table, name)
	}
	in := &dynamodb.ScanInput{TableName: aws.String(table), IndexName: aws.String(name)}
	client := Client(f.t)
	for {
		page, err := client.Scan(context.Background(), in)
		if err != nil {
			f.t.Fatalf("freeze index %s: %v", name, err)
		}
		for _, av := range page.Items {
			frozen.items = append(frozen.items, item(f, av))
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	slices.SortFunc(frozen.items, frozen.compare)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen[table] = frozen
}

// Thaw lets the indexes of a table catch up.
func (f *Faults) Thaw(table string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.frozen, table)
}

// index is a secondary index that stands still, sorted by its range key.
type index struct {
	name  string
	key   []string // its hash key, its range key, then the table's
	items []frozenItem
}

// frozenItem is an item as the wire shows it: attribute -> type -> value.
type frozenItem map[string]map[string]any

func names(schema []types.KeySchemaElement) []string {
	var all []string
	for _, element := range schema {
		all = append(all, aws.ToString(element.AttributeName))
	}
	return all
}

// item brings an item of the SDK into the form of the wire. Indexes hold strings
// and numbers only.
func item(f *Faults, avs map[string]types.AttributeValue) frozenItem {
	out := frozenItem{}
	for name, av := range avs {
		switch av := av.(type) {
		case *types.AttributeValueMemberS:
			out[name] = map[string]any{"S": av.Value}
		case *types.AttributeValueMemberN:
			out[name] = map[string]any{"N": av.Value}
		default:
			f.t.Fatalf("attribute %s of an index is a %T", name, av)
		}
	}
	return out
}

// queryFrozen answers a query of a frozen index, false if its index is not frozen.
func (f *Faults) queryFrozen(body []byte) (any, bool) {
	var in struct {
		TableName                 string
		IndexName                 string
		Select                    string
		KeyConditionExpression    string
		ExpressionAttributeNames  map[string]string
		ExpressionAttributeValues frozenItem
		ExclusiveStartKey         frozenItem
		Limit                     int
	}
	if err := json.Unmarshal(body, &in); err != nil {
		f.t.Errorf("decode a query: %v", err)
		return nil, false
	}
	f.mu.Lock()
	frozen := f.frozen[in.TableName]
	f.mu.Unlock()
	if frozen == nil || frozen.name != in.IndexName {
		return nil, false
	}
	matches := func(frozenItem) bool { return true }
	for _, condition := range strings.Split(in.KeyConditionExpression, " AND ") {
		parts := strings.Fields(condition)
		if len(parts) != 3 {
			f.t.Errorf("a frozen index cannot tell %q", condition)
			return nil, false
		}
		name := parts[0]
		if full, ok := in.ExpressionAttributeNames[name]; ok {
			name = full
		}
		holds, before := comparison(parts[1]), matches
		if holds == nil {
			f.t.Errorf("a frozen index cannot tell %q", condition)
			return nil, false
		}
		value := in.ExpressionAttributeValues[parts[2]]
		matches = func(i frozenItem) bool { return before(i) && holds(compareValues(i[name], value)) }
	}
	found := []frozenItem{}
	out := map[string]any{}
	for _, i := range frozen.items {
		if !matches(i) || (in.ExclusiveStartKey != nil && frozen.compare(i, in.ExclusiveStartKey) <= 0) {
			continue
		}
		if in.Limit > 0 && len(found) == in.Limit {
			last := frozenItem{}
			for _, name := range frozen.key {
				last[name] = found[len(found)-1][name]
			}
			out["LastEvaluatedKey"] = last
			break
		}
		found = append(found, i)
	}
	out["Count"], out["ScannedCount"] = len(found), len(found)
	if in.Select != string(types.SelectCount) {
		out["Items"] = found
	}
	return out, true
}

// compare orders items as the index does.
func (x *index) compare(a, b frozenItem) int {
	for _, name := range x.key {
		if c := compareValues(a[name], b[name]); c != 0 {
			return c
		}
	}
	return 0
}

func comparison(operator string) func(int) bool {
	return map[string]func(int) bool{
		"=":  func(c int) bool { return c == 0 },
		"<":  func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 },
		">":  func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 },
	}[operator]
}

func compareValues(a, b map[string]any) int {
	if n, ok := a["N"]; ok {
		x, y := new(big.Float), new(big.Float)
		x.SetString(fmt.Sprint(n))
		y.SetString(fmt.Sprint(b["N"]))
		return x.Cmp(y)
	}
	return cmp.Compare(fmt.Sprint(a["S"]), fmt.Sprint(b["S"]))
}
