//go:build deployment

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
)

// Secrets turn up where nobody expects them: in addresses, in headers, in bodies
// that are no JSON, in names of files. What is answered and left behind is
// searched as everything is. (A setting's name is told back to who sent it, as the
// place of what is wrong; its value never.)
func TestCanaries_inStrangePlaces(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	canaries := &world.canaries
	key, customer, secret := newKeys(1)[0], newAddress(), strings.TrimPrefix(m.Secret, "whsec_")
	o := m.order(1)

	for name, r := range map[string]shop.Request{
		"address of a pool":        {Method: "GET", Path: "/v1/pools/" + strings.ToLower(key)},
		"address of an order":      {Method: "GET", Path: "/v1/orders/" + key + "?account=" + key},
		"address of nothing":       {Method: "GET", Path: "/" + key + "/" + customer},
		"address of a webhook":     {Method: "POST", Path: "/webhooks/" + strings.ToLower(key) + "/" + secret[:10], Body: []byte(key)},
		"method that is none":      {Method: "PATCH", Path: "/v1/pools/" + strings.ToLower(key), Body: []byte(key)},
		"body that is no JSON":     {Method: "PUT", Path: "/v1/pools/" + m.pool, Body: []byte(key + customer)},
		"setting nobody knows":     {Method: "PUT", Path: "/v1/pools/" + m.pool, Body: []byte(`{"colour":"` + customer + `"}`)},
		"setting of another kind":  {Method: "PUT", Path: "/v1/products/x", Body: []byte(`{"title":7,"pool":"` + key + `","texts":{"en":"` + secret + `"}}`)},
		"secret that is too short": {Method: "PUT", Path: "/v1/accounts/standard", Body: []byte(`{"secret":"whsec_` + base64.StdEncoding.EncodeToString([]byte(canaries.New(canary.Secret)[:16])) + `"}`)},
		"name of a file":           {Method: "POST", Path: "/v1/pools/" + m.pool + "/uploads", Body: []byte(`{"name":"` + key + `/` + customer + `"}`)},
		"place in a list":          {Method: "GET", Path: "/v1/uploads?after=" + key + "&limit=" + key},
	} {
		for _, token := range []string{"", m.token, "kp_" + key, key} {
			r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "If-Match": {key}, "X-Forwarded-For": {customer}}
			if answer := do(t, r); answer.Status >= 500 {
				t.Errorf("a secret as %s: %d", name, answer.Status)
			}
		}
	}

	for name, body := range map[string]string{
		"no JSON":             key + customer + secret,
		"a key for a number":  strings.Replace(string(o.Body()), `"quantity":1`, `"quantity":"`+key+`"`, 1),
		"a key for lines":     `{"type":"order.paid","data":{"order":"1","lines":"` + key + `"}}`,
		"a key for a type":    `{"type":"` + key + `"`,
		"a key for a time":    `{"type":"order.paid","data":{"order":"1","paid_at":"` + key + `"}}`,
		"a key for a field":   `{"type":"order.paid","data":{"order":"1","` + key + `":{}}}`,
		"two addresses":       strings.Replace(string(o.Body()), o.Email, customer+", "+newAddress(), 1),
		"a key as an address": strings.Replace(string(o.Body()), o.Email, key, 1),
		"a key as a currency": strings.Replace(string(o.Body()), `"EUR"`, `"`+key+`"`, 1),
	} {
		want := http.StatusBadRequest
		if name == "a key as a currency" {
			want = http.StatusOK // what is only shown refuses no order, and is left out
		}
		if answer := m.send([]byte(body), time.Now()); answer.Status != want || bytes.Contains(answer.Body, []byte(key)) {
			t.Errorf("%s: %d %s, want %d", name, answer.Status, answer.Body, want)
		}
		r, err := m.Sign([]byte(body), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Webhook-Signature", secret)
		if answer := do(t, r); answer.Status != http.StatusUnauthorized {
			t.Errorf("%s, not signed: %d, want 401", name, answer.Status)
		}
	}
	m.notice("could not take")

	// A file whose lines are refused for every reason there is, and one for no pool.
	file := m.drop(strings.Join([]string{
		key, key, key + strings.Repeat("x", 2100), key + "\x07", key + "\x1b[31m", key + "\u202e", "\xff" + key,
	}, "\n"))
	m.notice(file, "1 key added")
	m = newMerchant(t) // the report of whose first file comes at once
	m.notice(m.dropInto(m.Merchant+"-nowhere/", key), "waits for its pool")
}

// Every function is given events that it cannot read, with secrets in them. What
// it fails with goes to the log and to the dead letters.
func TestCanaries_inEventsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	client := lambda.NewFromConfig(world.shop.AWS)
	key, customer := newKeys(1)[0], newAddress()
	image := `{"mail":{"S":"due"},"keys":{"L":[{"S":"` + key + `"}]},"email":{"S":"` + customer + `"},`
	for output, function := range world.outputs {
		if !strings.HasSuffix(output, "Function") || output == "StockFunction" || output == "SweepFunction" {
			continue // there is nothing in a tick to read
		}
		for _, payload := range []string{
			`"` + key + `"`, `["` + key + `"]`, `{"Records":"` + key + `"}`, `{"Records":["` + key + `"]}`,
			`{"Records":[{"eventSource":"` + key + `"}]}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","receiptHandle":"` + key + `","body":"` + key + `"}]}`,
			`{"Records":[{"eventSource":"aws:sqs","messageId":"1","receiptHandle":"x","body":"{\"v\":1,\"merchant\":7,\"upload\":\"` + key + `\"}"}]}`,
			`{"Records":[{"eventSource":"aws:s3","eventTime":"` + key + `","s3":{"object":{"key":"` + key + `%zz"}}}]}`,
			`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"` + strings.ToLower(key) + `"},"object":{"key":"uploads/` + key + `"}}}]}`,
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":` + image + `"x":{"` + key + `":"` + key + `"}}}}]}`,
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":` + image + `"x":{"N":"` + key + `"},"tryAt":{"N":"` + key + `"}}}}]}`,
			`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":` + image + `"x":{"B":"` + key + `?"}}}}]}`,
			`{"detail-type":"x","time":"` + key + `","detail":{"eventType":"Bounce","mail":{"destination":["` + customer + `"]}}}`,
			`{"detail-type":"x","detail":"` + customer + `"}`,
			`{"version":"2.0","rawPath":"/` + key + `","headers":{"authorization":"` + key + `"},"body":"` + key + `!","isBase64Encoded":true,"requestContext":{"http":{"method":"` + key + `"}}}`,
			`{"version":"2.0","headers":"` + key + `","body":"` + key + `"}`,
			`{"version":"2.0","requestContext":{"timeEpoch":"` + key + `"}}`,
		} {
			out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function, Payload: []byte(payload)})
			if err != nil {
				t.Fatal(err)
			}
			told.look("errors of functions", output, string(out.Payload))
		}
	}
}

// An item that no version of Keypool wrote, full of secrets, stops the stock
// check. Its dead letter tells that much and none of them.
func TestCanaries_inDeadLetters(t *testing.T) { // not beside the others, whose stock checks it stops
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	tables := dynamodb.NewFromConfig(world.shop.AWS)
	key := map[string]types.AttributeValue{"pk": text("settings#unreadable"), "sk": text("pool#unreadable")}
	item := map[string]types.AttributeValue{
		"pk": key["pk"], "sk": key["sk"], "v": &types.AttributeValueMemberN{Value: "1"}, "kind": text("pool"),
		"lowStock": text(newKeys(1)[0]), "shards": text(newKeys(1)[0]), "title": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{newAddress(): text(newAddress())}},
	}
	catalog := aws.String(world.outputs["CatalogTable"])
	if _, err := tables.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: catalog, Item: item}); err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(world.shop.AWS).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(world.outputs["StockFunction"]), Payload: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	var failure struct{ ErrorMessage string }
	if err := json.Unmarshal(out.Payload, &failure); err != nil || out.FunctionError == nil {
		t.Errorf("a stock check that met such an item did not fail: %s", out.Payload)
	}
	told.look("errors of functions", "StockFunction", string(out.Payload))
	// Called as the clock calls it, the event is given up at once.
	if _, err := lambda.NewFromConfig(world.shop.AWS).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(world.outputs["StockFunction"]), Payload: []byte("{}"), InvocationType: lambdatypes.InvocationTypeEvent,
	}); err != nil {
		t.Fatal(err)
	}
	deadLetter(t, "DeadTicks")
	if _, err := tables.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: catalog, Key: key}); err != nil {
		t.Fatal(err)
	}
}
