package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
	"keypool/shared/dynamo"
)

// functionIDs are the IDs of all functions, sorted.
var functionIDs = func() []string {
	var ids []string
	for _, f := range deployment.Functions {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return ids
}()

func TestSynth_secondIsIdentical(t *testing.T) {
	first, second := templates(), must(synthesize(given(nil)))
	if !bytes.Equal(first.data.raw, second.data.raw) || !bytes.Equal(first.pipeline.raw, second.pipeline.raw) {
		t.Error("the same app and settings made another template: a second deployment would show differences")
	}
}

func TestTables_areAsTheStoreMakesThem(t *testing.T) {
	for i, id := range deployment.Tables {
		want := dynamo.Schemas(dynamo.Tables{})[i]
		r := templates().data.resources[id]
		if got, want := tableSchema(r.Properties), schemaOf(want.AttributeDefinitions, want.KeySchema, want.GlobalSecondaryIndexes); !cmp.Equal(got, want) {
			t.Errorf("%s:\n%s", id, cmp.Diff(want, got))
		}
		stream := ""
		if want.StreamSpecification != nil {
			stream = string(want.StreamSpecification.StreamViewType)
		}
		if got, _ := at(r, "StreamSpecification", "StreamViewType").(string); got != stream {
			t.Errorf("%s has the stream %q, want %q", id, got, stream)
		}
		if got := at(r, "BillingMode"); got != string(want.BillingMode) {
			t.Errorf("%s is billed by %s", id, got)
		}
	}
}

func TestTables_areKept(t *testing.T) {
	tables := templates().data.ofType("AWS::DynamoDB::Table")
	if len(tables) != 4 {
		t.Errorf("%d tables", len(tables))
	}
	for id, r := range tables {
		want := map[string]any{
			"encrypted": map[string]any{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": "Key.Arn"},
			"recovered": true, "protected": true, "policy": "RetainExceptOnCreate",
		}
		if id == "Sessions" { // nothing in it is worth keeping
			want["recovered"], want["protected"], want["policy"] = nil, false, "Delete"
		}
		got := map[string]any{
			"encrypted": r.Properties["SSESpecification"],
			"recovered": at(r, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
			"protected": r.Properties["DeletionProtectionEnabled"],
			"policy":    r.DeletionPolicy,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
	for _, id := range []string{"Orders", "Sessions"} {
		if got := at(tables[id], "TimeToLiveSpecification", "AttributeName"); got != dynamo.ExpiresAttribute {
			t.Errorf("items of %s are deleted by %v, not by %s", id, got, dynamo.ExpiresAttribute)
		}
	}
	key := templates().data.resources["Key"]
	if key.DeletionPolicy != "RetainExceptOnCreate" || key.Properties["EnableKeyRotation"] != true {
		t.Error("the key is not kept, or not rotated")
	}
}

func TestBuckets_areClosed(t *testing.T) {
	a := templates()
	for id, stack := range map[string]template{"Reports": a.data, "Uploads": a.pipeline} {
		r := stack.resources[id]
		encryption := at(r, "BucketEncryption", "ServerSideEncryptionConfiguration").([]any)[0].(map[string]any)
		want := map[string]any{
			"key":    map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "Key.Arn"},
			"public": map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true},
			"policy": "RetainExceptOnCreate",
			"access": []string{fmt.Sprintf("Deny s3:* on %[1]s.Arn %[1]s.Arn/* if aws:SecureTransport Bool false", id)},
		}
		got := map[string]any{
			"key":    encryption["ServerSideEncryptionByDefault"],
			"public": r.Properties["PublicAccessBlockConfiguration"],
			"policy": r.DeletionPolicy,
			"access": statements(stack.resources[id+"Policy"].Properties["PolicyDocument"]),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

// What stays when a stack is deleted goes when its creation fails: it would be in the
// way of the next try. It stays, too, when it is replaced.
func TestKept_exceptOnCreate(t *testing.T) {
	a := templates()
	for name, stack := range map[string]template{"data": a.data, "pipeline": a.pipeline} {
		found := 0
		for id, r := range stack.resources {
			if !strings.HasPrefix(r.DeletionPolicy, "Retain") {
				continue
			}
			found++
			if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
				t.Errorf("%s is kept by %s, and by %s when it is replaced", id, r.DeletionPolicy, r.UpdateReplacePolicy)
			}
		}
		if found == 0 {
			t.Errorf("nothing of the %s is kept", name)
		}
	}
}

// EventBridge uses the key for its dead-letter queue without saying for which account.
func TestKey_lentToServices(t *testing.T) {
	got := map[string]string{}
	for _, s := range at(templates().data.resources["Key"], "KeyPolicy", "Statement").([]any) {
		s := s.(map[string]any)
		conditions, _ := s["Condition"].(map[string]any)
		got[fmt.Sprint(s["Sid"])] = strings.Join(slices.Sorted(maps.Keys(conditions)), " ")
	}
	want := map[string]string{"Account": "", "Logs": "ArnLike", "Alarms": "StringEquals", "Events": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReports_canBeHadBack(t *testing.T) {
	r := templates().data.resources["Reports"]
	if at(r, "VersioningConfiguration", "Status") != "Enabled" {
		t.Error("not versioned: a report that is overwritten would be gone")
	}
	want := []any{
		map[string]any{"Id": "rejected lines", "Status": "Enabled", "Prefix": "rejected/", "ExpirationInDays": 30.0},
		map[string]any{
			"Id": "exports", "Status": "Enabled", "Prefix": "exports/", "ExpirationInDays": 1.0,
			"NoncurrentVersionExpiration":    map[string]any{"NoncurrentDays": 1.0},
			"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 1.0},
		},
		map[string]any{
			"Id": "replaced or deleted", "Status": "Enabled", "ExpiredObjectDeleteMarker": true,
			"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 30.0},
		},
		map[string]any{
			"Id": "unfinished", "Status": "Enabled",
			"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 7.0},
		},
	}
	if diff := cmp.Diff(want, at(r, "LifecycleConfiguration", "Rules")); diff != "" {
		t.Error(diff)
	}
}

func TestUploads_expireOnceDone(t *testing.T) {
	r := templates().pipeline.resources["Uploads"]
	if at(r, "VersioningConfiguration", "Status") != "Enabled" {
		t.Error("not versioned: a file dropped again under its name would be gone")
	}
	want := []any{
		map[string]any{
			"Id": "loaded", "Status": "Enabled", "ExpirationInDays": 7.0,
			"TagFilters": []any{map[string]any{"Key": "keypool", "Value": "done"}},
		},
		map[string]any{
			"Id": "refused", "Status": "Enabled", "ExpirationInDays": 30.0,
			"TagFilters": []any{map[string]any{"Key": "keypool", "Value": "refused"}},
		},
		map[string]any{
			"Id": "replaced or deleted", "Status": "Enabled", "ExpiredObjectDeleteMarker": true,
			"NoncurrentVersionExpiration": map[string]any{"NoncurrentDays": 7.0},
		},
		map[string]any{
			"Id": "unfinished", "Status": "Enabled",
			"AbortIncompleteMultipartUpload": map[string]any{"DaysAfterInitiation": 7.0},
		},
	}
	if diff := cmp.Diff(want, at(r, "LifecycleConfiguration", "Rules")); diff != "" {
		t.Error(diff)
	}
}

// The order is function, permission, bucket: in another order AWS refuses the bucket's
// notification, and a reference back would be a cycle.
func TestUploads_areMadeAfterWhatTheyCall(t *testing.T) {
	a := templates()
	bucket := a.pipeline.resources["Uploads"]
	if !slices.Contains(bucket.DependsOn, "IngestByUploads") {
		t.Error("the bucket does not wait for the permission")
	}
	want := []any{map[string]any{"Event": "s3:ObjectCreated:*", "Function": "Ingest.Arn"}}
	if diff := cmp.Diff(want, at(bucket, "NotificationConfiguration", "LambdaConfigurations")); diff != "" {
		t.Error(diff)
	}
	wantPermission := map[string]any{
		"Action": "lambda:InvokeFunction", "FunctionName": "Ingest.Arn", "Principal": "s3.amazonaws.com",
		"SourceAccount": "123456789012", "SourceArn": "arn:aws:s3:::keypool-uploads-123456789012-eu-central-1",
	}
	if diff := cmp.Diff(wantPermission, a.pipeline.resources["IngestByUploads"].Properties); diff != "" {
		t.Error(diff)
	}
	if got := bucket.Properties["BucketName"]; got != "keypool-uploads-123456789012-eu-central-1" {
		t.Errorf("the bucket is not called as the functions call it: %s", got)
	}
}

func TestQueues_areEncryptedAndBackedUp(t *testing.T) {
	p := templates().pipeline
	queues := p.ofType("AWS::SQS::Queue")
	want := []string{"Catchups", "DeadCatchups", "DeadEvents", "DeadFills", "DeadJobs", "DeadMails", "DeadRanges", "DeadTicks", "DeadUploads", "Fills", "Jobs", "Ranges"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(queues))); diff != "" {
		t.Error(diff)
	}
	for id, r := range queues {
		if r.Properties["KmsMasterKeyId"] != "Key.Arn" {
			t.Errorf("%s is not encrypted with our key", id)
		}
		if r.Properties["MessageRetentionPeriod"] != 1209600.0 {
			t.Errorf("%s keeps its messages for less than 14 days", id)
		}
		refuses := fmt.Sprintf("Deny sqs:* on %s.Arn if aws:SecureTransport Bool false", id)
		if policy := statements(p.resources[id+"Policy"].Properties["PolicyDocument"]); !slices.Contains(policy, refuses) {
			t.Errorf("%s can be reached without TLS: %v", id, policy)
		}
	}
	for id, function := range map[string]string{"Ranges": "Ingest", "Fills": "Fill", "Catchups": "Catchup", "Jobs": "Job"} {
		if got := at(queues[id], "RedrivePolicy", "deadLetterTargetArn"); got != "Dead"+id+".Arn" {
			t.Errorf("what %s gives up goes to %v", id, got)
		}
		hidden, timeout := queues[id].Properties["VisibilityTimeout"].(float64), p.resources[function].Properties["Timeout"].(float64)
		if hidden <= timeout {
			t.Errorf("%s shows a message again after %v s, while %s may hold it for %v s", id, hidden, function, timeout)
		}
	}
}

// No event that a function could not handle is lost: each queue has a dead-letter queue;
// the stream and each asynchronous caller have a destination for failed events.
func TestSources_haveDeadLetterQueues(t *testing.T) {
	p := templates().pipeline
	async := map[string]string{}
	for id, r := range p.ofType("AWS::Lambda::EventInvokeConfig") {
		if r.Properties["Qualifier"] != "$LATEST" {
			t.Errorf("%s is about %v", id, r.Properties["Qualifier"])
		}
		async[r.Properties["FunctionName"].(string)] = at(r, "DestinationConfig", "OnFailure", "Destination").(string)
	}
	want := map[string]string{}
	for _, f := range deployment.Functions {
		if f.OnFailure != nil {
			want[f.ID] = f.OnFailure.Queue + ".Arn"
		}
	}
	if diff := cmp.Diff(want, async); diff != "" {
		t.Error(diff)
	}
	if got := at(p.resources["DeliverFromOrders"], "DestinationConfig", "OnFailure", "Destination"); got != "DeadMails.Arn" {
		t.Errorf("stream records that are given up go to %v", got)
	}
	rule := p.resources["MailRule"].Properties["Targets"].([]any)[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"Arn": "DeadEvents.Arn"}, rule["DeadLetterConfig"]); diff != "" {
		t.Error(diff)
	}
	allows := "Allow sqs:SendMessage on DeadEvents.Arn if aws:SourceArn ArnEquals MailRule.Arn"
	if policy := statements(p.resources["DeadEventsPolicy"].Properties["PolicyDocument"]); !slices.Contains(policy, allows) {
		t.Errorf("EventBridge cannot use its dead-letter queue: %v", policy)
	}
}

func TestFunctions_asTheyRun(t *testing.T) {
	p := templates().pipeline
	functions := p.ofType("AWS::Lambda::Function")
	if diff := cmp.Diff(functionIDs, slices.Sorted(maps.Keys(functions))); diff != "" {
		t.Error(diff)
	}
	for id, r := range functions {
		want := map[string]any{
			"runtime": "provided.al2023", "handler": "bootstrap", "architecture": []any{"arm64"},
			"role": id + "Role.Arn", "log": id + "Logs", "reserved": nil, "name": nil,
		}
		if id == "Ingest" { // so that a bucket that a later stack takes over calls it
			want["name"] = "Keypool-Ingest"
		}
		got := map[string]any{
			"runtime": r.Properties["Runtime"], "handler": r.Properties["Handler"], "architecture": r.Properties["Architectures"],
			"role": r.Properties["Role"], "log": at(r, "LoggingConfig", "LogGroup"), "reserved": r.Properties["ReservedConcurrentExecutions"],
			"name": r.Properties["FunctionName"],
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

func TestQueues_callSoManyAtOnce(t *testing.T) {
	for id, want := range map[string]float64{"IngestFromRanges": 2, "FillFromFills": 2, "CatchupFromCatchups": 2, "JobFromJobs": 2} {
		if got := at(templates().pipeline.resources[id], "ScalingConfig", "MaximumConcurrency"); got != want {
			t.Errorf("%s makes %v calls at once, want %v", id, got, want)
		}
	}
}

func TestLogs_areEncryptedAndEnd(t *testing.T) {
	groups := templates().pipeline.ofType("AWS::Logs::LogGroup")
	if len(groups) != len(functionIDs)+1 {
		t.Errorf("%d log groups", len(groups))
	}
	for id, r := range groups {
		if diff := cmp.Diff(map[string]any{"RetentionInDays": 30.0, "KmsKeyId": "Key.Arn"}, r.Properties); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

func TestAPI_routes(t *testing.T) {
	p := templates().pipeline
	got := map[string]string{}
	for _, r := range p.ofType("AWS::ApiGatewayV2::Route") {
		integration := p.resources[strings.TrimPrefix(r.Properties["Target"].(string), "integrations/")]
		if integration.Properties["PayloadFormatVersion"] != "2.0" {
			t.Errorf("%s has another payload", r.Properties["RouteKey"])
		}
		got[r.Properties["RouteKey"].(string)] = fmt.Sprint(integration.Properties["IntegrationUri"], " ", r.Properties["AuthorizationType"])
	}
	want := map[string]string{}
	for _, f := range deployment.Functions {
		for _, r := range f.Routes {
			want[r.Key()] = f.ID + ".Arn NONE"
			if r.IAM {
				want[r.Key()] = f.ID + ".Arn AWS_IAM"
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Links in mails begin with the address at which the API answers, never with what a
// request says of itself.
func TestPublicURL_isTheAPIs(t *testing.T) {
	p := templates().pipeline
	if got := at(p.resources["Deliver"], "Environment", "Variables", "KEYPOOL_PUBLIC_URL"); got != "HttpApi.ApiEndpoint" {
		t.Errorf("Deliver is told %v", got)
	}
	if got := p.outputs["ApiUrl"]; got != "HttpApi.ApiEndpoint" {
		t.Errorf("the stack tells %v", got)
	}
}

func TestAPI_callsFunctionsByItsRoutesAlone(t *testing.T) {
	var got []string
	for _, r := range templates().pipeline.ofType("AWS::Lambda::Permission") {
		if r.Properties["Principal"] == "apigateway.amazonaws.com" {
			got = append(got, fmt.Sprint(r.Properties["FunctionName"], " ", r.Properties["SourceArn"]))
		}
	}
	var want []string
	for _, f := range deployment.Functions {
		for _, r := range f.Routes {
			want = append(want, f.ID+".Arn arn:aws:execute-api:eu-central-1:123456789012:HttpApi/*/"+r.Pattern())
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPI_isThrottledAndLogsNoPath(t *testing.T) {
	stage := templates().pipeline.resources["Stage"]
	limit := func(rate, burst float64) map[string]any {
		return map[string]any{"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
	}
	want := map[string]any{
		"POST /webhooks/{merchant}/{account}":            limit(500, 1000),
		"POST /webhooks/{proxy+}":                        limit(500, 1000),
		"ANY /v1/{proxy+}":                               limit(50, 100),
		"GET /v1/merchants/{merchant}":                   limit(50, 100),
		"PUT /v1/merchants/{merchant}":                   limit(50, 100),
		"GET /v1/merchants/{merchant}/tokens":            limit(50, 100),
		"POST /v1/merchants/{merchant}/tokens":           limit(50, 100),
		"DELETE /v1/merchants/{merchant}/tokens/{token}": limit(50, 100),
		"POST /v1/merchants/{merchant}/owners":           limit(50, 100),
		"POST /v1/merchants/{merchant}/help":             limit(50, 100),
		"ANY /portal":                                    limit(50, 100),
		"ANY /portal/{proxy+}":                           limit(50, 100),
		"POST /portal/sign-in/{proxy+}":                  limit(10, 20),
		"ANY /o/{proxy+}":                                limit(50, 100),
		"GET /":                                          limit(5, 10),
		"GET /robots.txt":                                limit(5, 10),
		"GET /openapi.json":                              limit(5, 10),
		"GET /v1":                                        limit(5, 10),
		"GET /operator/openapi.json":                     limit(5, 10),
	}
	if diff := cmp.Diff(want, stage.Properties["RouteSettings"]); diff != "" {
		t.Error(diff)
	}
	// AWS refuses settings of a route that is not there yet.
	for id := range templates().pipeline.ofType("AWS::ApiGatewayV2::Route") {
		if !slices.Contains(stage.DependsOn, id) {
			t.Errorf("the stage does not wait for %s", id)
		}
	}
	if at(stage, "AccessLogSettings", "DestinationArn") != "HttpApiLogs.Arn" {
		t.Error("the API's log goes elsewhere")
	}
	format := at(stage, "AccessLogSettings", "Format").(string)
	for _, tells := range []string{"$context.path", "$context.http.path", "queryString", "sourceIp", "identity", "Message", "authorizer", "domainName"} {
		if strings.Contains(format, tells) {
			t.Errorf("the access log tells %s", tells)
		}
	}
	if !strings.Contains(format, "$context.routeKey") {
		t.Error("the access log does not name the route")
	}
}

func TestMail_tellsWhatBecameOfIt(t *testing.T) {
	p := templates().pipeline
	want := map[string]any{
		"Enabled": true,
		// The resource type's schema has: send, reject, bounce, complaint, delivery, open,
		// click, renderingFailure, deliveryDelay and subscription.
		"MatchingEventTypes":     []any{"send", "renderingFailure", "reject", "delivery", "deliveryDelay", "bounce", "complaint"},
		"EventBridgeDestination": map[string]any{"EventBusArn": "arn:aws:events:eu-central-1:123456789012:event-bus/default"},
	}
	if diff := cmp.Diff(want, p.resources["MailEvents"].Properties["EventDestination"]); diff != "" {
		t.Error(diff)
	}
	if got := at(p.resources["Mail"], "DeliveryOptions", "TlsPolicy"); got != "REQUIRE" {
		t.Errorf("mails that hold keys may be sent in the clear: %v", got)
	}
	// The mails of another deployment in the same account are not ours.
	pattern, _ := json.Marshal(p.resources["MailRule"].Properties["EventPattern"])
	if got, want := string(pattern), `{"detail":{"mail":{"tags":{"ses:configuration-set":["Mail"]}}},"source":["aws.ses"]}`; got != want {
		t.Errorf("the rule matches %s, want %s", got, want)
	}
	if identities := p.ofType("AWS::SES::EmailIdentity"); len(identities) > 0 {
		t.Error("an identity is made though no domain was given")
	}
}

func TestAlarms(t *testing.T) {
	p := templates().pipeline
	watched := map[string]bool{}
	for id, r := range p.ofType("AWS::CloudWatch::Alarm") {
		if diff := cmp.Diff([]any{"Alarms"}, r.Properties["AlarmActions"]); diff != "" {
			t.Errorf("%s tells nobody:\n%s", id, diff)
		}
		if r.Properties["Metrics"] != nil {
			t.Errorf("%s computes with metrics, which the one-machine run cannot", id)
		}
		of := r.Properties["Namespace"]
		if dimensions, _ := r.Properties["Dimensions"].([]any); len(dimensions) > 0 {
			of = dimensions[0].(map[string]any)["Value"]
		}
		watched[fmt.Sprint(r.Properties["MetricName"], " of ", of)] = true
	}
	for _, id := range functionIDs {
		if !watched["Errors of "+id] {
			t.Errorf("nobody is told when %s fails", id)
		}
		filter := p.resources[id+"ErrorLines"]
		counts := []any{map[string]any{"MetricNamespace": "Keypool", "MetricName": id + "ErrorLines", "MetricValue": "1"}}
		if filter.Properties["FilterPattern"] != `{ $.level = "ERROR" }` || filter.Properties["LogGroupName"] != id+"Logs" ||
			!cmp.Equal(filter.Properties["MetricTransformations"], counts) || !watched[id+"ErrorLines of Keypool"] {
			t.Errorf("nobody is told what %s logs as an error", id)
		}
	}
	for _, id := range []string{"Webhook", "Portal", "OrderPage"} { // whoever is turned away there is a customer, or a shop
		if !watched["Throttles of "+id] {
			t.Errorf("nobody is told when %s turns somebody away", id)
		}
	}
	for id := range p.ofType("AWS::SQS::Queue") {
		if strings.HasPrefix(id, "Dead") && !watched["ApproximateNumberOfMessagesVisible of "+id+".QueueName"] {
			t.Errorf("nobody is told when something lies in %s", id)
		}
	}
	want := map[string]any{"Protocol": "email", "Endpoint": "operator@example.com", "TopicArn": "Alarms"}
	if diff := cmp.Diff(want, p.resources["AlarmsToOperator"].Properties); diff != "" {
		t.Error(diff)
	}
	if got := p.resources["Alarms"].Properties["KmsMasterKeyId"]; got != "Key.Arn" {
		t.Errorf("the alarms are encrypted with %v", got)
	}
}

// make up, make merchant and make destroy read these outputs.
func TestOutputs(t *testing.T) {
	a := templates()
	want := []string{"CatalogTable", "KeysTable", "KmsKey", "OrdersTable", "ReportsBucket", "SessionsTable"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(a.data.outputs))); diff != "" {
		t.Error(diff)
	}
	want = []string{"ApiId", "ApiUrl", "CatchupQueue", "ConfigurationSet", "FillQueue", "JobsQueue", "RangesQueue", "UploadsBucket"}
	for _, id := range functionIDs {
		want = append(want, id+"Function")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(a.pipeline.outputs))); diff != "" {
		t.Error(diff)
	}
}

// schemaOf describes the keys of a table and its indexes in words.
func schemaOf(attributes []types.AttributeDefinition, key []types.KeySchemaElement, indexes []types.GlobalSecondaryIndex) []string {
	var words []string
	for _, a := range attributes {
		words = append(words, fmt.Sprintf("attribute %s %s", *a.AttributeName, a.AttributeType))
	}
	for _, k := range key {
		words = append(words, fmt.Sprintf("key %s %s", *k.AttributeName, k.KeyType))
	}
	for _, index := range indexes {
		for _, k := range index.KeySchema {
			words = append(words, fmt.Sprintf("index %s key %s %s", *index.IndexName, *k.AttributeName, k.KeyType))
		}
		words = append(words, fmt.Sprintf("index %s projects %s %v", *index.IndexName, index.Projection.ProjectionType, index.Projection.NonKeyAttributes))
	}
	slices.Sort(words)
	return words
}

// tableSchema is schemaOf for a table in a template.
func tableSchema(properties map[string]any) []string {
	var table struct {
		AttributeDefinitions   []types.AttributeDefinition
		KeySchema              []types.KeySchemaElement
		GlobalSecondaryIndexes []types.GlobalSecondaryIndex
	}
	if err := json.Unmarshal(must(json.Marshal(properties)), &table); err != nil {
		panic(err)
	}
	return schemaOf(table.AttributeDefinitions, table.KeySchema, table.GlobalSecondaryIndexes)
}
