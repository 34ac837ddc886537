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

// LaggingIndex is the name under which Met counts queries that a frozen index
// answered.
const LaggingIndex = "lagging index"

// frozen is an index that does not change: a model with its items.
type frozen struct {
	index string
	db    *dynamosim.DB
}

// Freeze makes an index lag: it keeps the entries that it has now, shows entries that
// have left it, and does not show new ones. The indexes of the engines never lag.
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

// Unfreeze lets the indexes of a table catch up.
func (f *Faults) Unfreeze(table string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.frozen, table)
}

// still returns the model that answers a query of a frozen index, nil if the index is
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
