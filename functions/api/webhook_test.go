package main

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// taken says whether the webhook's decoder takes a body as a paid order, whole.
func taken(t *testing.T, body []byte) bool {
	t.Helper()
	events, err := standard.Adapter{}.Decode(t.Context(), platform.Request{Body: body}, platform.Account{})
	if err != nil {
		return false
	}
	paid, ok := events[0].(platform.Paid)
	return ok && paid.Check(1000) == nil && len(paid.IgnoredFields) == 0
}

// What is sent in the examples of events is what the document describes.
func TestWebhook_goodEventsAreValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../events/good_order_paid*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d events, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(raw, &event); err != nil {
			t.Fatal(err)
		}
		body := []byte(event.Body)
		if event.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
				t.Fatal(err)
			}
		}
		if err := document.Webhook(t, "order.paid", []byte(strings.TrimPrefix(string(body), "\ufeff"))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !taken(t, body) {
			t.Errorf("%s: the decoder does not take it", file)
		}
	}
}

// wholeOrder has every member that the document names.
const wholeOrder = `{"type":"order.paid","timestamp":"2026-11-23T12:00:00Z","data":{"order":"10001","test":false,"parent":"9001","risk":"elevated","currency":"EUR","language":"de",
	"paid_at":"2026-11-23T12:00:00Z","customer":{"email":"ada@example.com","name":"Ada","first_name":"Ada","last_name":"Byron","phone":"1",
	"company":"AE","country":"GB","city":"London","zip":"SW1Y 4LE","address":"12 St James's Square","license_for":"AE","add_info":"none"},
	"lines":[{"line":"1","product":"game","original":"elden","title":"The Game","quantity":2,"unit_price":"59.99"}]}}`

// The members that the document requires are those without which the decoder refuses
// an order, and it names all that the decoder reads.
func TestWebhook_requiredMembersAreTheDecoders(t *testing.T) {
	t.Parallel()
	if err := document.Webhook(t, "order.paid", []byte(wholeOrder)); err != nil || !taken(t, []byte(wholeOrder)) {
		t.Fatalf("the whole order: %v", err)
	}
	var whole any
	if err := json.Unmarshal([]byte(wholeOrder), &whole); err != nil {
		t.Fatal(err)
	}
	schema := webhooks()["order.paid"].Post.RequestBody.Content["application/json"].Schema
	line := schema.Properties["data"].Properties["lines"].Items
	var described []string
	for path, named := range map[string][]string{
		"":               slices.Collect(maps.Keys(schema.Properties)),
		"data.":          slices.Collect(maps.Keys(schema.Properties["data"].Properties)),
		"data.customer.": slices.Collect(maps.Keys(schema.Properties["data"].Properties["customer"].Properties)),
		"data.lines[0].": slices.Collect(maps.Keys(line.Properties)),
	} {
		for _, name := range named {
			described = append(described, path+name)
		}
	}
	var sent []string
	eachMember("", whole, func(path string, object map[string]any, name string) {
		sent = append(sent, path)
		value := object[name]
		delete(object, name)
		defer func() { object[name] = value }()
		body, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if valid := document.Webhook(t, "order.paid", body) == nil; valid != taken(t, body) {
			t.Errorf("without %s, the schema accepts it: %v; the decoder: %v", path, valid, !valid)
		}
		for _, wrong := range []any{map[string]any{"a": 1}, []any{"a"}, true} {
			object[name] = wrong
			if body, err = json.Marshal(whole); err != nil {
				t.Fatal(err)
			}
			if path != "timestamp" && document.Webhook(t, "order.paid", body) == nil != taken(t, body) {
				t.Errorf("with %s as %v, the decoder takes it whole: %v; the schema does not agree", path, wrong, taken(t, body))
			}
		}
	})
	slices.Sort(described)
	slices.Sort(sent)
	if diff := cmp.Diff(described, sent); diff != "" {
		t.Errorf("the document (-) and the order of this test (+) differ:\n%s", diff)
	}
}

// eachMember calls f for each member of each object within a value.
func eachMember(path string, value any, f func(path string, object map[string]any, name string)) {
	switch value := value.(type) {
	case map[string]any:
		if path != "" {
			path += "."
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			f(path+name, value, name)
			eachMember(path+name, value[name], f)
		}
	case []any:
		eachMember(path+"[0]", value[0], f)
	}
}
