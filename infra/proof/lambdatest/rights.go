package lambdatest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"keypool/infra/deployment"
)

// rights hold the calls of DynamoDB and SQS that a function makes against the rights
// that infra/deployment gives it. A call without a right is an error. So is, when the
// test ends, a right that no call used: it is for nothing.
type rights struct {
	function   string
	statements []deployment.Statement
	used       map[string]bool
}

// newRights returns the rights of the function whose folder the test runs in.
func newRights() (*rights, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for _, f := range deployment.Functions {
		if f.Folder() == filepath.Base(folder) {
			return &rights{function: f.ID, statements: f.Statements(), used: map[string]bool{}}, nil
		}
	}
	return nil, fmt.Errorf("no function has the folder %s", filepath.Base(folder))
}

// access is what DynamoDB asks IAM for.
type access struct {
	action   string   // "dynamodb:GetItem"
	resource string   // "${Orders.Arn}"
	key      string   // partition key; "" if it is not the table's own
	selected string   // of a query: COUNT, or ""
	names    []string // the attributes that an update names
}

// take uses the right to an access, and returns an error if there is none.
func (r *rights) take(a access) error {
	for _, s := range r.statements {
		if s.Resource != a.resource || !slices.Contains(s.Actions, a.action) {
			continue
		}
		condition := s.Condition()
		if selected := condition["StringEquals"]["dynamodb:Select"]; selected != nil && !slices.Contains(selected, a.selected) {
			continue
		}
		if may := condition["ForAllValues:StringEquals"]["dynamodb:Attributes"]; may != nil && slices.ContainsFunc(a.names, func(name string) bool { return !slices.Contains(may, name) }) {
			continue
		}
		begins := condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
		if begins == nil {
			r.used[a.action+" on "+s.Resource] = true
			return nil
		}
		for _, begin := range begins {
			if Matches(begin, a.key) {
				r.used[a.action+" on "+s.Resource+" for "+begin] = true
				return nil
			}
		}
	}
	kind, _, _ := strings.Cut(a.key, "#")
	return fmt.Errorf("no right to %s on %s for %s# %s: give the function one in infra/deployment", a.action, a.resource, kind, a.selected)
}

// Matches is IAM's StringLike: a question mark stands for any character, a star for any number
// of them.
func Matches(pattern, value string) bool {
	switch {
	case pattern == "":
		return value == ""
	case pattern[0] == '*':
		return Matches(pattern[1:], value) || value != "" && Matches(pattern, value[1:])
	case value == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == value[0]) && Matches(pattern[1:], value[1:])
}

// elsewhere are rights whose calls need what no run in a sandbox comes to; the tests
// of the use case make them.
var elsewhere = map[string][]string{
	"Api": {
		"dynamodb:BatchGetItem on ${Catalog.Arn} for uploads#*", // a key comes back that is for sale again
		"dynamodb:ConditionCheckItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:UpdateItem on ${Keys.Arn}",   // an order is cancelled
		"dynamodb:BatchGetItem on ${Keys.Arn}", // a key was taken meanwhile
		"dynamodb:GetItem on ${Orders.Arn} for order#*",
		"dynamodb:PutItem on ${Orders.Arn} for order#*",
		"dynamodb:DeleteItem on ${Orders.Arn} for order#*",
		"dynamodb:DeleteItem on ${Orders.Arn} for queue#*",
		"dynamodb:DeleteItem on ${Orders.Arn} for unconnected#*",
		"dynamodb:DeleteItem on ${Orders.Arn} for held#*",      // a line that a rule held is released
		"dynamodb:PutItem on ${Orders.Arn} for held#*",         // and is held by hand too
		"dynamodb:DeleteItem on ${Catalog.Arn} for settings#*", // a pool or a product is deleted
		"dynamodb:Query on ${Catalog.Arn} for parked#*",        // a pool is created for which files wait
		"dynamodb:Query on ${Orders.Arn} for unconnected#*",    // a product is deleted
		"sqs:SendMessage on ${Fills.Arn}",                      // a product is connected
		"sqs:SendMessage on ${Ranges.Arn}",                     // a pool is created for which files wait
		"sqs:SendMessage on ${Catchups.Arn}",                   // an account is given credentials
	},
	"Catchup": {
		"dynamodb:BatchGetItem on ${Catalog.Arn} for uploads#*", // a key comes back that is for sale again
		"dynamodb:ConditionCheckItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:BatchGetItem on ${Keys.Arn}",            // a key was taken meanwhile
		"dynamodb:PutItem on ${Orders.Arn} for held#*",    // a rule holds a line
		"dynamodb:DeleteItem on ${Orders.Arn} for held#*", // which is given back
		"dynamodb:UpdateItem on ${Orders.Arn} for buyer#*",
	},
	"Deliver": {
		"dynamodb:PutItem on ${Catalog.Arn} for review#*", // a brake that sets itself
		"dynamodb:PutItem on ${Catalog.Arn} for audit#*",
		"dynamodb:Query on ${Catalog.Arn} for counts#*", // a day that sells far more than others
		"dynamodb:Query on ${Catalog.Arn} for review#*",
		"dynamodb:Query on ${Orders.Arn} for held#*",       // the notice of what is on hold
		"dynamodb:GetItem on ${Catalog.Arn} for uploads#*", // the report of an upload
		"dynamodb:Query on ${Orders.Arn} for order#*",      // a line of more than 20 keys
	},
	"Fill": {
		"dynamodb:BatchGetItem on ${Keys.Arn}",         // a key was taken meanwhile
		"dynamodb:PutItem on ${Orders.Arn} for held#*", // the brake was set meanwhile
		"dynamodb:Query on ${Orders.Arn} for order#*",  // a product is connected
		"dynamodb:UpdateItem on ${Orders.Arn} for buyer#*",
	},
	"Ingest": {
		"dynamodb:DeleteItem on ${Catalog.Arn} for parked#*", // a file is read whose pool was missing
		"sqs:SendMessage on ${Ranges.Arn}",                   // a file of several ranges
	},
	"Operator": { // a merchant's default pool or languages change
		"dynamodb:GetItem on ${Catalog.Arn} for settings#*",
		"dynamodb:Query on ${Catalog.Arn} for settings#*",
		"sqs:SendMessage on ${Fills.Arn}",
	},
	"Sweep": { // an upload that stopped, a notice that was not mailed, the delay mail
		"dynamodb:BatchGetItem on ${Keys.Arn}", // a key comes back that is for sale again
		"dynamodb:ConditionCheckItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:BatchGetItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:BatchGetItem on ${Orders.Arn} for notice#*",
		"dynamodb:GetItem on ${Catalog.Arn} for settings#*",
		"dynamodb:PutItem on ${Orders.Arn} for notice#*",
		"dynamodb:PutItem on ${Orders.Arn} for held#*", // a dispute of a line that a rule holds
		"dynamodb:DeleteItem on ${Orders.Arn} for held#*",
		"dynamodb:UpdateItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:UpdateItem on ${Orders.Arn} for notice#*",
		"sqs:SendMessage on ${Ranges.Arn}",
	},
	"Webhook": {
		"dynamodb:BatchGetItem on ${Catalog.Arn} for uploads#*", // a key comes back that is for sale again
		"dynamodb:ConditionCheckItem on ${Catalog.Arn} for uploads#*",
		"dynamodb:BatchGetItem on ${Keys.Arn}",            // a key was taken meanwhile
		"dynamodb:PutItem on ${Orders.Arn} for held#*",    // a rule holds a line
		"dynamodb:DeleteItem on ${Orders.Arn} for held#*", // which is given back
		"dynamodb:UpdateItem on ${Orders.Arn} for buyer#*",
	},
}

// byLambda are the calls that Lambda makes with the function's rights.
var byLambda = []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}

// unused returns the rights to tables, indexes and queues of work that no call took.
func (r *rights) unused() []string {
	all := map[string]bool{}
	for _, s := range r.statements {
		service, _, _ := strings.Cut(s.Actions[0], ":")
		if service != "dynamodb" && service != "sqs" || strings.Contains(s.Resource, "tream") || strings.HasPrefix(s.Resource, "${Dead") { // Lambda's own
			continue
		}
		for _, action := range s.Actions {
			if slices.Contains(byLambda, action) {
				continue
			}
			begins := s.Condition()["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
			if begins == nil {
				all[action+" on "+s.Resource] = true
			}
			for _, begin := range begins {
				all[action+" on "+s.Resource+" for "+begin] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(right string) bool {
		return r.used[right] || slices.Contains(elsewhere[r.function], right)
	})
}

var inserted = regexp.MustCompile(`^INSERT INTO "([^"]+)"`)

// accesses returns what a call asks for. Table turns a table's name into its ID.
func accesses(operation string, body []byte, table func(name string) string) ([]access, error) {
	type value struct{ S string }
	type item struct{ PK value }
	type write struct {
		TableName string
		Key, Item item

		ExpressionAttributeNames map[string]string
	}
	var call struct {
		write
		IndexName, KeyConditionExpression, Select string

		ExpressionAttributeValues map[string]value
		RequestItems              map[string]struct{ Keys []item }
		TransactItems             []map[string]write
		Statements                []struct{ Statement string }
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	on := func(name string) string { return "${" + table(name) + ".Arn}" }
	one := func(action string, w write) access {
		// What has no placeholder, such as version, stands in each condition.
		return access{"dynamodb:" + action, on(w.TableName), w.Key.PK.S + w.Item.PK.S, "", slices.Collect(maps.Values(w.ExpressionAttributeNames))}
	}
	var all []access
	switch operation {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem":
		all = append(all, one(operation, call.write))
	case "Query":
		a := access{"dynamodb:Query", on(call.TableName), call.ExpressionAttributeValues[":pk"].S, call.Select, nil}
		if call.IndexName != "" {
			a.resource, a.key = a.resource+"/index/"+call.IndexName, ""
		}
		all = append(all, a)
	case "BatchGetItem":
		for name, request := range call.RequestItems {
			for _, key := range request.Keys {
				all = append(all, access{"dynamodb:BatchGetItem", on(name), key.PK.S, "", nil})
			}
		}
	case "TransactWriteItems":
		for _, part := range call.TransactItems {
			for kind, w := range part {
				action := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]
				all = append(all, one(action, w))
			}
		}
	case "BatchExecuteStatement":
		for _, s := range call.Statements {
			into := inserted.FindStringSubmatch(s.Statement)
			if into == nil {
				return nil, fmt.Errorf("a statement of another kind: %.20s", s.Statement)
			}
			all = append(all, access{"dynamodb:PartiQLInsert", on(into[1]), "", "", nil})
		}
	default:
		return nil, fmt.Errorf("a call of another kind: %s", operation)
	}
	return all, nil
}
