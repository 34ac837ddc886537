// Operator is the operator's API: merchants, their first owners and their API tokens, and the
// way into a merchant's portal for who helps there.
//
// API Gateway lets a request through that an AWS identity signed and may send
// (authorization type AWS_IAM). The function refuses every other one, however it
// came here. It stands apart from function api, which merchants reach: api has no
// right to write a merchant or a token.
package main

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/boot"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/idempotency"
	"keypool/shared/settings"
	"keypool/shared/sqs"
	"keypool/shared/web"
	"keypool/shared/web/rest"
)

func main() { boot.Run("operator", wire) }

func wire(env *config.Env, cfg aws.Config) any {
	store := dynamo.Open(dynamodb.NewFromConfig(cfg), dynamo.Tables{
		Catalog: env.Required("KEYPOOL_CATALOG_TABLE"), Orders: env.Required("KEYPOOL_ORDERS_TABLE"), // where notices are
		Sessions: env.Required("KEYPOOL_SESSIONS_TABLE"),
	})
	fill := sqs.Open(awssqs.NewFromConfig(cfg), env.Required("KEYPOOL_FILL_QUEUE_URL"))
	o := &operator{
		calls:     &idempotency.Guard{Store: store, Now: time.Now},
		merchants: &settings.Merchants{Store: store, Refill: &settings.Refill{Products: store, Queue: fill}, Now: time.Now},
		tokens:    &settings.Tokens{Store: store, Now: time.Now},
		people:    &settings.People{Store: store, Now: time.Now},
		help:      &settings.Help{Store: store, PublicURL: env.Required("KEYPOOL_PUBLIC_URL"), Now: time.Now},
	}
	return web.Server{Handler: o.serve(), LogAnswers: true}.Serve
}

// operator holds the use cases that the operations call.
type operator struct {
	calls     *idempotency.Guard
	merchants *settings.Merchants
	tokens    *settings.Tokens
	people    *settings.People
	help      *settings.Help
}

// described is the OpenAPI document, which make documents writes.
//
//go:embed openapi.json
var described []byte

// serve returns the API.
func (o *operator) serve() *rest.API {
	return rest.New(rest.Config{
		Title:       "Keypool for its operator",
		Description: "The merchants of a deployment, their first owners and their API tokens.",
		Tags: []*huma.Tag{
			{Name: "Merchants", Description: "Who sells here."},
			{Name: "People", Description: "Who looks after a merchant first, and how the operator helps."},
			{Name: "Tokens", Description: "What of the merchants' API each may call, and for how long."},
		},
		Document:  "/operator/openapi.json",
		Described: described,

		Authenticate: authenticate,
		Caller:       "operator",
		Scheme: &huma.SecurityScheme{
			Type: "apiKey", In: "header", Name: "Authorization",
			Description: "The deployment's operator: requests signed with AWS Signature Version 4 for execute-api.",
			Extensions:  map[string]any{"x-amazon-apigateway-authtype": "awsSigv4"},
		},
		Refused: http.StatusForbidden,

		Idempotency: o.calls,

		Operations: map[string]func(*rest.API){"merchants": o.addMerchants},
	})
}

// authenticate refuses a request that the gateway did not check the signature of.
func authenticate(ctx context.Context, _ string) (context.Context, error) {
	if _, ok := web.Operator(ctx); !ok {
		return nil, rest.ErrForbidden
	}
	return access.With(ctx, access.Operator()), nil
}
