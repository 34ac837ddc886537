package whole

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// checkStock does what the clock does every minute.
func checkStock(ctx context.Context) error {
	function := world.outputs["StockFunction"]
	out, err := lambda.NewFromConfig(world.shop.AWS).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: []byte("{}")})
	if err == nil && out.FunctionError != nil {
		err = errors.New("the stock check failed")
	}
	return err
}

// bounce puts on the bus what SES puts there when a mail comes back, as its
// documentation shows it; the emulator sends no such events.
func bounce(ctx context.Context, line *shop.OrderLine, address string) error {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	detail, err := json.Marshal(map[string]any{
		"eventType": "Bounce",
		"mail": map[string]any{
			"timestamp":   now,
			"source":      machine.Sender,
			"messageId":   line.Delivery.MessageID,
			"destination": []string{address},
			"tags": map[string][]string{
				"ses:configuration-set": {world.outputs["ConfigurationSet"]},
				"line":                  {line.ID},
				"mail":                  {fmt.Sprint(line.Delivery.Number)},
			},
		},
		"bounce": map[string]any{
			"bounceType": "Permanent", "bounceSubType": "General", "timestamp": now, "feedbackId": "0100-bounce",
			"bouncedRecipients": []map[string]string{{"emailAddress": address, "action": "failed", "status": "5.1.1"}},
		},
	})
	if err != nil {
		return err
	}
	out, err := eventbridge.NewFromConfig(world.shop.AWS).PutEvents(ctx, &eventbridge.PutEventsInput{
		Entries: []types.PutEventsRequestEntry{{
			Source: aws.String("aws.ses"), DetailType: aws.String("Email Bounced"), Detail: aws.String(string(detail)),
		}},
	})
	if err == nil && out.FailedEntryCount > 0 {
		err = fmt.Errorf("the bus refused the event: %s", aws.ToString(out.Entries[0].ErrorMessage))
	}
	return err
}
