package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/callback"
)

// refusedItem is a signed callback that could not be taken.
type refusedItem struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
	V        int    `dynamodbav:"v"`
	Platform string `dynamodbav:"platform"`
	Order    string `dynamodbav:"order,omitempty"`
	Field    string `dynamodbav:"field,omitempty"`
	Problem  string `dynamodbav:"problem"`
	At       int64  `dynamodbav:"at"`
}

// KeepRefused stores a refused callback. The same order refused again for the
// same field, as platforms repeat what they could not deliver, replaces it.
func (s *Store) KeepRefused(ctx context.Context, r callback.Refused) error {
	name := r.Order
	if name == "" {
		name = "body " + r.Body
	}
	item, err := attributevalue.MarshalMap(refusedItem{
		PK: "refused#" + r.Merchant, SK: r.Platform + "#" + name + "#" + r.Field, V: schema,
		Platform: r.Platform, Order: r.Order, Field: r.Field, Problem: r.Problem, At: millis(r.At),
	})
	if err != nil {
		return fmt.Errorf("encode a refused callback: %w", err)
	}
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.tables.Orders), Item: item}); err != nil {
		return fmt.Errorf("keep a refused callback of %s: %w", r.Merchant, err)
	}
	return nil
}
