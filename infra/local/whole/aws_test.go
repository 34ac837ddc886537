package whole

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
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
