// Package sqs is the only package that speaks SQS.
package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Queue is one queue. It is safe for concurrent use.
type Queue struct {
	client operations
	url    string
}

// operations are the operations of SQS that a queue calls: see package boot.
type operations struct {
	SendMessage             operation[sqs.SendMessageInput, sqs.SendMessageOutput]
	ChangeMessageVisibility operation[sqs.ChangeMessageVisibilityInput, sqs.ChangeMessageVisibilityOutput]
}

type operation[In, Out any] func(context.Context, *In, ...func(*sqs.Options)) (*Out, error)

// Open returns the queue at url.
func Open(client *sqs.Client, url string) *Queue {
	return &Queue{client: operations{client.SendMessage, client.ChangeMessageVisibility}, url: url}
}

// Send puts message on the queue as JSON, to be seen after delay (whole seconds).
func (q *Queue) Send(ctx context.Context, message any, delay time.Duration) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     aws.String(q.url),
		MessageBody:  aws.String(string(body)),
		DelaySeconds: int32(delay / time.Second),
	})
	if err != nil {
		return fmt.Errorf("send a message: %w", err)
	}
	return nil
}

// ReturnMessage makes a received message visible to the next worker at once, instead
// of when its visibility timeout ends.
func (q *Queue) ReturnMessage(ctx context.Context, receiptHandle string) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl:          aws.String(q.url),
		ReceiptHandle:     aws.String(receiptHandle),
		VisibilityTimeout: 0,
	})
	if err != nil {
		return fmt.Errorf("return a message: %w", err)
	}
	return nil
}
