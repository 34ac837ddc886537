package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Schemas returns how the four tables are made, for engines of tests. The
// deployment's own tables are made by the CDK app, whose test holds the two together.
func Schemas(tables Tables) []*dynamodb.CreateTableInput {
	hash := func(name string) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(name), KeyType: types.KeyTypeHash}
	}
	sort := func(name string) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(name), KeyType: types.KeyTypeRange}
	}
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	number := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeN}
	}
	keysOnly := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	index := func(name, by, then string) types.GlobalSecondaryIndex {
		return types.GlobalSecondaryIndex{
			IndexName:  aws.String(name),
			KeySchema:  []types.KeySchemaElement{hash(by), sort(then)},
			Projection: keysOnly,
		}
	}
	due, test := index(dueIndex, "due", "dueAt"), index(testIndex, "testOf", "pk")
	return []*dynamodb.CreateTableInput{
		{
			TableName:              aws.String(tables.Catalog),
			BillingMode:            types.BillingModePayPerRequest,
			AttributeDefinitions:   []types.AttributeDefinition{text("pk"), text("sk"), text("due"), number("dueAt"), text("kind")},
			KeySchema:              []types.KeySchemaElement{hash("pk"), sort("sk")},
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{due, index(kindIndex, "kind", "pk")},
		},
		{
			TableName:            aws.String(tables.Keys),
			BillingMode:          types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("shard"), text("place"), text("testOf")},
			KeySchema:            []types.KeySchemaElement{hash("pk")},
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{test, {
				IndexName: aws.String(availableIndex),
				KeySchema: []types.KeySchemaElement{hash("shard"), sort("place")},
				Projection: &types.Projection{
					ProjectionType:   types.ProjectionTypeInclude,
					NonKeyAttributes: []string{"text", "upload"},
				},
			}},
		},
		{
			TableName:   aws.String(tables.Orders),
			BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{
				text("pk"), text("sk"), text("due"), number("dueAt"),
				text("listed"), text("who"), number("receivedAt"), text("attention"), number("since"), text("testOf"),
			},
			KeySchema: []types.KeySchemaElement{hash("pk"), sort("sk")},
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
				due, index(listedIndex, "listed", "receivedAt"), index(whoIndex, "who", "receivedAt"), index(attentionIndex, "attention", "since"), test,
			},
			StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
		},
		{
			TableName:            aws.String(tables.Sessions),
			BillingMode:          types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk")},
			KeySchema:            []types.KeySchemaElement{hash("pk"), sort("sk")},
		},
	}
}
