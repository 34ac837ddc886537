package dynamotest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/dynamo"
)

// LaggingIndex names, among the faults that were met, a query that a frozen index answered.
const LaggingIndex = "lagging index"

// frozen is an index that stands still: a model that holds what it shows.
type frozen struct {
	index string
	db    *dynamosim.DB
}

// Freeze stops an index at what it shows now, as an index that lags does: it
// goes on showing what has left it and does not show what is new. The engines'
// own indexes never lag.
func (f *Faults) Freeze(tables dynamo.Tables, table, index string) {
	f.t.Helper()
	still := &frozen{index, dynamosim.New(dynamosim.Options{})}
	schemas := slices.DeleteFunc(dynamo.Schemas(tables), func(schema *dynamodb.CreateTableInput) bool {
		return aws.ToString(schema.TableName) != table || !slices.ContainsFunc(schema.GlobalSecondaryIndexes, func(gsi types.GlobalSecondaryIndex) bool {
			return aws.ToString(gsi.IndexName) == index
		})
	})
	if len(schemas) != 1 {
		f.t.Fatalf("no table %s with an index %s", table, index)
	}
	if err := still.db.CreateTable(schemas[0]); err != nil {
		f.t.Fatalf("freeze index %s: %v", index, err)
	}
	keep := still.db.Client()
	pages := dynamodb.NewScanPaginator(Client(f.t), &dynamodb.ScanInput{TableName: aws.String(table), IndexName: aws.String(index)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			f.t.Fatalf("freeze index %s: %v", index, err)
		}
		for _, item := range page.Items {
			if _, err := keep.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: item}); err != nil {
				f.t.Fatalf("freeze index %s: %v", index, err)
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen[table] = still
}

// Thaw lets the indexes of a table catch up.
func (f *Faults) Thaw(table string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.frozen, table)
}

// still returns what answers a query in the engine's place, nil if its index is
// not frozen.
func (f *Faults) still(query []byte) *dynamosim.DB {
	var in struct{ TableName, IndexName string }
	if err := json.Unmarshal(query, &in); err != nil {
		f.t.Errorf("decode a query: %v", err)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.frozen[in.TableName]; found != nil && found.index == in.IndexName {
		return found.db
	}
	return nil
}
