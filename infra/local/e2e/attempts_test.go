//go:build deployment

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	sestypes "github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"keypool/infra/local/machine"
	"keypool/shared/ses"
)

// deployment is what was deployed: the templates, and what became of each resource.
type deployment struct {
	roles  map[string]grants
	ids    map[string][]string          // logical ids by type
	things map[string]map[string]string // by logical id: its Ref and its attributes
	sorts  map[string][]string          // how the partition keys of a table begin, by the table's name
}

// read reads the templates as the CDK deployed them.
func read(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{roles: map[string]grants{}, ids: map[string][]string{}, things: map[string]map[string]string{}, sorts: map[string][]string{}}
	client := cloudformation.NewFromConfig(world.shop.AWS)
	type resource struct {
		Type       string
		Properties json.RawMessage
	}
	resources := map[string]resource{}
	exports := map[string]any{}
	for _, stack := range []string{"Keypool-Data", "Keypool"} {
		raw, err := os.ReadFile(filepath.Join(world.machine.Home, "cdk.out", stack+".template.json"))
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]resource
			Outputs   map[string]struct {
				Value  any
				Export struct{ Name string }
			}
		}
		if err := json.Unmarshal(raw, &template); err != nil {
			t.Fatal(err)
		}
		deployed, err := client.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: &stack})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range deployed.StackResources {
			id := aws.ToString(r.LogicalResourceId)
			d.things[id] = d.attributes(t, aws.ToString(r.ResourceType), aws.ToString(r.PhysicalResourceId))
			d.ids[aws.ToString(r.ResourceType)] = append(d.ids[aws.ToString(r.ResourceType)], id)
		}
		maps.Copy(resources, template.Resources)
		for _, output := range template.Outputs {
			exports[output.Export.Name] = output.Value
		}
	}
	for id, r := range resources {
		// The scheduler's role is not a function's, and lets nobody in but the scheduler.
		name := strings.TrimSuffix(strings.TrimRight(id, "0123456789ABCDEF"), "Role")
		if r.Type != "AWS::IAM::Role" || !slices.Contains(d.ids["AWS::Lambda::Function"], name) {
			continue
		}
		var properties any
		if err := json.Unmarshal(r.Properties, &properties); err != nil {
			t.Fatal(err)
		}
		resolved, err := json.Marshal(d.resolve(t, properties, exports))
		if err != nil {
			t.Fatal(err)
		}
		var role struct {
			Policies []struct{ PolicyDocument struct{ Statement []grant } }
		}
		if err := json.Unmarshal(resolved, &role); err != nil {
			t.Fatal(err)
		}
		g := grants{arn: d.things[id]["Arn"]}
		for _, policy := range role.Policies {
			for _, s := range policy.PolicyDocument.Statement {
				for operator := range s.Condition {
					if !slices.Contains([]string{"StringEquals", "StringLike", "ForAllValues:StringLike", "ForAllValues:StringEquals", "Null"}, operator) || s.Effect != "Allow" {
						t.Fatalf("%s: this test does not know what %s, %s means", id, s.Effect, operator)
					}
				}
				for _, key := range s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] {
					_, table, _ := strings.Cut(s.Resource[0], "table/")
					d.sorts[table] = append(d.sorts[table], strings.TrimSuffix(key, "*"))
				}
				g.statements = append(g.statements, s)
			}
		}
		d.roles[name] = g
	}
	return d
}

// attributes are what other resources may refer to.
func (d *deployment) attributes(t *testing.T, kind, name string) map[string]string {
	t.Helper()
	arn := func(service, resource string) string {
		return "arn:aws:" + service + ":" + machine.Region + ":" + machine.Account + ":" + resource
	}
	found := map[string]string{"Ref": name}
	switch kind {
	case "AWS::DynamoDB::Table":
		found["Arn"] = arn("dynamodb", "table/"+name)
		described, err := dynamodb.NewFromConfig(world.shop.AWS).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			t.Fatal(err)
		}
		found["StreamArn"] = aws.ToString(described.Table.LatestStreamArn)
		for _, index := range described.Table.GlobalSecondaryIndexes {
			found["index "+*index.IndexName] = *index.KeySchema[0].AttributeName
		}
	case "AWS::SQS::Queue":
		found["Arn"] = arn("sqs", name[strings.LastIndexByte(name, '/')+1:])
	case "AWS::S3::Bucket":
		found["Arn"] = "arn:aws:s3:::" + name
	case "AWS::KMS::Key":
		found["Arn"] = arn("kms", "key/"+name)
	case "AWS::Logs::LogGroup":
		found["Arn"] = arn("logs", "log-group:"+name+":*")
	case "AWS::Lambda::Function":
		found["Arn"] = arn("lambda", "function:"+name)
	case "AWS::IAM::Role":
		found["Arn"] = "arn:aws:iam::" + machine.Account + ":role/" + name
	case "AWS::SNS::Topic":
		found["Arn"] = name
	}
	return found
}

// resolve replaces CloudFormation's functions by what they are here.
func (d *deployment) resolve(t *testing.T, value any, exports map[string]any) any {
	t.Helper()
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = d.resolve(t, v[i], exports)
		}
		return out
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok {
			if ref == "AWS::Partition" {
				return "aws"
			}
			return d.attribute(t, ref, "Ref")
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok {
			return d.attribute(t, get[0].(string), get[1].(string))
		}
		if name, ok := v["Fn::ImportValue"].(string); ok {
			return d.resolve(t, exports[name], exports)
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			var parts []string
			for _, part := range join[1].([]any) {
				parts = append(parts, d.resolve(t, part, exports).(string))
			}
			return strings.Join(parts, join[0].(string))
		}
		out := map[string]any{}
		for key, inner := range v {
			out[key] = d.resolve(t, inner, exports)
		}
		return out
	}
	return value
}

func (d *deployment) attribute(t *testing.T, id, name string) string {
	t.Helper()
	value := d.things[id][name]
	if value == "" {
		t.Fatalf("what is %s of %s? say it in attributes", name, id)
	}
	return value
}

// attempt is one call, and what IAM is asked about it.
type attempt struct {
	action  string
	on      string
	context map[string][]string

	service string // whose signature it bears
	method  string
	path    string
	header  map[string]string
	body    string
	merits  []string // refusals on the call's merits: it got there
}

func (a attempt) String() string {
	return strings.TrimSpace(a.on + " " + strings.Join(a.context["dynamodb:LeadingKeys"], " "))
}

// with returns the call with something more for IAM to look at.
func (a attempt) with(key string, values ...string) attempt {
	a.context = maps.Clone(a.context)
	if a.context == nil {
		a.context = map[string][]string{}
	}
	a.context[key] = values
	return a
}

// orSaid returns the call with a refusal that is as good as a success.
func (a attempt) orSaid(codes ...string) attempt { a.merits = codes; return a }

// reply is what came back from an attempt.
type reply struct {
	status int
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %.200s", r.status, r.body) }

func (r reply) denied() bool {
	return r.status >= 400 && (strings.Contains(r.body, "AccessDenied") || strings.Contains(r.body, "not authorized to perform") || r.body == `{"message":"Forbidden"}`)
}

func (r reply) reached(a attempt) bool {
	return r.status < 300 || slices.ContainsFunc(a.merits, func(code string) bool { return strings.Contains(r.body, code) })
}

// send makes the call under a session.
func (a attempt) send(ctx context.Context, session aws.Credentials) (reply, error) {
	address := world.machine.Endpoint()
	if a.service == "execute-api" {
		address = world.shop.URL
	}
	request, err := http.NewRequestWithContext(ctx, a.method, address+a.path, bytes.NewReader([]byte(a.body)))
	if err != nil {
		return reply{}, err
	}
	sum := sha256.Sum256([]byte(a.body))
	request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	for name, value := range a.header {
		request.Header.Set(name, value)
	}
	if err := v4.NewSigner().SignHTTP(ctx, session, request, hex.EncodeToString(sum[:]), a.service, machine.Region, time.Now()); err != nil {
		return reply{}, err
	}
	answer, err := world.shop.HTTP.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, string(body)}, err
}

// jsonCall is a call of a service that takes JSON: dynamodb, sqs, kms, logs …
func jsonCall(action, target, on string, body any) attempt {
	service, _, _ := strings.Cut(action, ":")
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return attempt{
		action: action, on: on, service: service, method: http.MethodPost, path: "/", body: string(encoded),
		header: map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"},
	}
}

// formCall is a call of a service that takes a form: iam, sts, sns …
func formCall(action, version, on string, fields url.Values) attempt {
	service, operation, _ := strings.Cut(action, ":")
	fields.Set("Action", operation)
	fields.Set("Version", version)
	return attempt{
		action: action, on: on, service: service, method: http.MethodPost, path: "/", body: fields.Encode(),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	}
}

// restCall is a call that its method and path say.
func restCall(action, on, method, path, body string) attempt {
	service, _, _ := strings.Cut(action, ":")
	return attempt{action: action, on: on, service: service, method: method, path: path, body: body}
}

type object = map[string]any

// attempts is every call that is tried by every role. What they write is read by
// nobody: items without a name that anything looks for, and messages that
// come when the machine is gone.
func (d *deployment) attempts(t *testing.T) []attempt {
	var all []attempt
	all = append(all, d.tables(t)...)
	all = append(all, d.buckets(t)...)
	all = append(all, d.queues()...)
	all = append(all, d.keys(t)...)
	all = append(all, d.mails()...)
	all = append(all, d.domains(t)...)
	all = append(all, d.others()...)
	return all
}

func (d *deployment) tables(t *testing.T) (all []attempt) {
	for _, id := range d.ids["AWS::DynamoDB::Table"] {
		table := d.things[id]
		name, arn := table["Ref"], table["Arn"]
		call := func(operation, on string, body object) attempt {
			return jsonCall("dynamodb:"+operation, "DynamoDB_20120810."+operation, on, body)
		}
		begins := append(slices.Clone(d.sorts[name]), "stranger#")
		slices.Sort(begins)
		for _, begin := range slices.Compact(begins) {
			text := func(s string) object { return object{"S": s} }
			pk := begin + "rights"
			key := object{"pk": text(pk)}
			if !strings.HasPrefix(id, "Keys") {
				key["sk"] = text("rights")
			}
			item := object{"of": text("a test")}
			maps.Copy(item, key)
			one := func(operation string, body object) {
				body["TableName"] = name
				all = append(all, call(operation, arn, body).with("dynamodb:LeadingKeys", pk))
			}
			one("GetItem", object{"Key": key})
			one("PutItem", object{"Item": item})
			// Of a merchant, some functions may change the title, and nothing else of this.
			for _, attribute := range []string{"of", "title"} {
				one("UpdateItem", object{"Key": key, "UpdateExpression": "SET #of = :of", "ExpressionAttributeNames": object{"#of": attribute}, "ExpressionAttributeValues": object{":of": text("a test")}})
				all[len(all)-1] = all[len(all)-1].with("dynamodb:Attributes", append(slices.Collect(maps.Keys(key)), attribute)...)
			}
			one("DeleteItem", object{"Key": key})
			for _, selected := range []string{"ALL_ATTRIBUTES", "COUNT"} {
				one("Query", object{"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": object{":pk": text(pk)}, "Select": selected})
				all[len(all)-1] = all[len(all)-1].with("dynamodb:Select", selected)
			}
			one("BatchGetItem", object{"RequestItems": object{name: object{"Keys": []any{key}}}})
			one("BatchWriteItem", object{"RequestItems": object{name: []any{object{"DeleteRequest": object{"Key": key}}}}})
			// In a transaction, each item is asked for by itself.
			for operation, member := range map[string]object{
				"PutItem":            {"Put": object{"TableName": name, "Item": item}},
				"UpdateItem":         {"Update": object{"TableName": name, "Key": key, "UpdateExpression": "SET #of = :of", "ExpressionAttributeNames": object{"#of": "of"}, "ExpressionAttributeValues": object{":of": text("a test")}}},
				"DeleteItem":         {"Delete": object{"TableName": name, "Key": key}},
				"ConditionCheckItem": {"ConditionCheck": object{"TableName": name, "Key": key, "ConditionExpression": "attribute_not_exists(nothing)"}},
			} {
				a := jsonCall("dynamodb:"+operation, "DynamoDB_20120810.TransactWriteItems", arn, object{"TransactItems": []any{member}})
				a = a.with("dynamodb:LeadingKeys", pk)
				if operation == "UpdateItem" {
					a = a.with("dynamodb:Attributes", append(slices.Collect(maps.Keys(key)), "of")...)
				}
				all = append(all, a)
			}
			where := ` WHERE "pk" = '` + pk + `'`
			if key["sk"] != nil {
				where += ` AND "sk" = 'rights'`
			}
			for verb, statement := range map[string]string{
				"Insert": `INSERT INTO "` + name + `" VALUE {'pk': '` + pk + rand.Text() + `', 'sk': 'rights'}`,
				"Select": `SELECT * FROM "` + name + `"` + where,
				"Update": `UPDATE "` + name + `" SET "of" = 'a test'` + where,
				"Delete": `DELETE FROM "` + name + `"` + where,
			} {
				a := jsonCall("dynamodb:PartiQL"+verb, "DynamoDB_20120810.BatchExecuteStatement", arn, object{"Statements": []any{object{"Statement": statement}}})
				all = append(all, a.with("dynamodb:LeadingKeys", pk))
			}
		}
		for index, hash := range table {
			index, ok := strings.CutPrefix(index, "index ")
			if !ok {
				continue
			}
			on := arn + "/index/" + index
			for _, selected := range []string{"ALL_PROJECTED_ATTRIBUTES", "COUNT"} {
				query := object{"TableName": name, "IndexName": index, "KeyConditionExpression": "#h = :h", "ExpressionAttributeNames": object{"#h": hash}, "ExpressionAttributeValues": object{":h": object{"S": "rights"}}, "Select": selected}
				all = append(all, call("Query", on, query).with("dynamodb:Select", selected))
			}
			all = append(all, call("Scan", on, object{"TableName": name, "IndexName": index}))
		}
		for operation, body := range map[string]object{
			"Scan": {}, "DescribeTable": {}, "DeleteTable": {}, "UpdateTable": {"DeletionProtectionEnabled": false},
			"CreateBackup": {"BackupName": "rights"}, "UpdateTimeToLive": {"TimeToLiveSpecification": object{"Enabled": true, "AttributeName": "of"}},
			"UpdateContinuousBackups": {"PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": false}},
		} {
			body["TableName"] = name
			all = append(all, call(operation, arn, body))
		}
		stream := table["StreamArn"]
		if stream == "" {
			continue
		}
		const first = "shardId-00000000000000000000-00000000"
		streams := func(operation, on string, body object) attempt {
			return jsonCall("dynamodb:"+operation, "DynamoDBStreams_20120810."+operation, on, body)
		}
		all = append(
			all,
			streams("DescribeStream", stream, object{"StreamArn": stream}),
			streams("GetShardIterator", stream, object{"StreamArn": stream, "ShardId": first, "ShardIteratorType": "LATEST"}),
			streams("GetRecords", stream, object{"ShardIterator": iterator(t, stream, first)}),
			streams("ListStreams", arn+"/stream/*", object{"TableName": name}),
		)
	}
	return append(all, jsonCall("dynamodb:ListTables", "DynamoDB_20120810.ListTables", "*", object{}))
}

func (d *deployment) buckets(t *testing.T) (all []attempt) {
	client := s3.NewFromConfig(world.shop.AWS)
	m := newMerchant(t)
	file := m.drop(newKeys(1)[0])
	m.loaded(file)
	objects := [][2]string{{"cdk-hnb659fds-assets-" + machine.Account + "-" + machine.Region, "rights"}, {world.shop.Bucket, "uploads/" + m.Merchant + "/" + m.pool + "/" + file}}
	for _, id := range d.ids["AWS::S3::Bucket"] {
		if bucket := d.things[id]["Ref"]; bucket != world.shop.Bucket {
			for _, folder := range []string{"reports/" + m.Merchant, "reports/" + m.Merchant + "/test", "rejected/" + m.Merchant, "exports/" + m.Merchant} {
				objects = append(objects, [2]string{bucket, folder + "/rights.json"})
			}
		}
	}
	for _, object := range objects {
		bucket, name := object[0], object[1]
		if bucket != world.shop.Bucket {
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: strings.NewReader("{}")}); err != nil {
				t.Fatal(err)
			}
		}
		head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &name})
		if err != nil {
			t.Fatal(err)
		}
		upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String(name + ".part")})
		if err != nil {
			t.Fatal(err)
		}
		on, path := "arn:aws:s3:::"+bucket+"/"+name, "/"+bucket+"/"+name
		version := "versionId=" + url.QueryEscape(aws.ToString(head.VersionId))
		tags := `<Tagging><TagSet><Tag><Key>keypool</Key><Value>done</Value></Tag></TagSet></Tagging>`
		call := func(action, on, method, path, body string) {
			// A role that may delete it may have done so before.
			all = append(all, restCall("s3:"+action, on, method, path, body).orSaid("NoSuchKey"))
		}
		call("GetObject", on, "GET", path, "")
		call("PutObject", on+"."+m.Merchant+".txt", "PUT", path+"."+m.Merchant+".txt", "rights")
		call("DeleteObject", on, "DELETE", path, "")
		call("PutObjectTagging", on, "PUT", path+"?tagging", tags)
		call("GetObjectTagging", on, "GET", path+"?tagging", "")
		call("PutObjectAcl", on, "PUT", path+"?acl", "")
		if head.VersionId != nil {
			call("GetObjectVersion", on, "GET", path+"?"+version, "")
			call("DeleteObjectVersion", on, "DELETE", path+"?"+version, "")
			call("PutObjectVersionTagging", on, "PUT", path+"?tagging&"+version, tags)
		}
		all = append(all, restCall("s3:AbortMultipartUpload", on+".part", "DELETE", path+".part?uploadId="+*upload.UploadId, "").orSaid("NoSuchUpload"))
		on, path = "arn:aws:s3:::"+bucket, "/"+bucket
		call("ListBucket", on, "GET", path+"?list-type=2&max-keys=1", "")
		call("ListBucketVersions", on, "GET", path+"?versions", "")
		call("GetBucketPolicy", on, "GET", path+"?policy", "")
		call("PutBucketPolicy", on, "PUT", path+"?policy", `{"Version":"2012-10-17","Statement":[]}`)
		call("PutLifecycleConfiguration", on, "PUT", path+"?lifecycle", "<LifecycleConfiguration/>")
		call("PutBucketVersioning", on, "PUT", path+"?versioning", "<VersioningConfiguration/>")
		call("DeleteBucket", on, "DELETE", path, "")
	}
	all = append(all, restCall("s3:ListAllMyBuckets", "*", "GET", "/", ""))
	return all
}

func (d *deployment) queues() (all []attempt) {
	for _, id := range d.ids["AWS::SQS::Queue"] {
		address, arn := d.things[id]["Ref"], d.things[id]["Arn"]
		for operation, body := range map[string]object{
			"SendMessage":             {"MessageBody": "{}", "DelaySeconds": 900},
			"ReceiveMessage":          {"VisibilityTimeout": 0, "MaxNumberOfMessages": 1},
			"DeleteMessage":           {"ReceiptHandle": "rights"},
			"ChangeMessageVisibility": {"ReceiptHandle": "rights", "VisibilityTimeout": 0},
			"GetQueueAttributes":      {"AttributeNames": []string{"QueueArn"}},
			"SetQueueAttributes":      {"Attributes": object{"VisibilityTimeout": "1"}},
			"PurgeQueue":              {},
			"DeleteQueue":             {},
			"AddPermission":           {"Label": "rights", "AWSAccountIds": []string{machine.Account}, "Actions": []string{"SendMessage"}},
		} {
			body["QueueUrl"] = address
			all = append(all, jsonCall("sqs:"+operation, "AmazonSQS."+operation, arn, body).orSaid("ReceiptHandleIsInvalid"))
		}
	}
	return append(all, jsonCall("sqs:ListQueues", "AmazonSQS.ListQueues", "*", object{}))
}

func (d *deployment) keys(t *testing.T) (all []attempt) {
	for _, id := range d.ids["AWS::KMS::Key"] {
		key := d.things[id]["Arn"]
		blob := seal(t, key, map[string]string{"merchant": "rights", "account": "standard"})
		for names, context := range map[string]object{
			"merchant account":            {"merchant": "rights", "account": "standard"},
			"merchant account credential": {"merchant": "rights", "account": "standard", "credential": "live_key"},
			"tenant":                      {"tenant": "rights"},
			"":                            {},
		} {
			for operation, body := range map[string]object{
				"Encrypt": {"Plaintext": "cmlnaHRz"}, "Decrypt": {"CiphertextBlob": blob}, "GenerateDataKey": {"KeySpec": "AES_256"},
				"GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
			} {
				body["KeyId"], body["EncryptionContext"] = key, context
				a := jsonCall("kms:"+operation, "TrentService."+operation, key, body).
					with("kms:EncryptionContextKeys", strings.Fields(names)...).orSaid("InvalidCiphertextException")
				for name, value := range context {
					a = a.with("kms:EncryptionContext:"+name, value.(string))
				}
				all = append(all, a)
			}
		}
		for operation, body := range map[string]object{
			"DescribeKey": {}, "DisableKey": {}, "ScheduleKeyDeletion": {"PendingWindowInDays": 30}, "GetKeyPolicy": {"PolicyName": "default"},
			"CreateGrant": {"GranteePrincipal": "arn:aws:iam::" + machine.Account + ":root", "Operations": []string{"Decrypt"}},
		} {
			body["KeyId"] = key
			all = append(all, jsonCall("kms:"+operation, "TrentService."+operation, key, body))
		}
	}
	return all
}

// domains are the calls about identities, each about one with the deployment's tag, and one
// without.
func (d *deployment) domains(t *testing.T) (all []attempt) {
	client := sesv2.NewFromConfig(world.shop.AWS)
	for _, id := range d.ids["AWS::SES::ConfigurationSet"] {
		ours := d.things[id]["Ref"]
		for domain, tag := range map[string]string{"tagged." + world.domain: ours, "foreign." + world.domain: "another", "plain." + world.domain: ""} {
			in := &sesv2.CreateEmailIdentityInput{EmailIdentity: &domain}
			tags := []object{}
			if tag != "" {
				in.Tags = []sestypes.Tag{{Key: aws.String(ses.TagKey), Value: &tag}}
				tags = append(tags, object{"Key": ses.TagKey, "Value": tag})
			}
			if _, err := client.CreateEmailIdentity(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			on, path := "arn:aws:ses:"+machine.Region+":"+machine.Account+":identity/"+domain, "/v2/email/identities/"+domain
			made, err := json.Marshal(object{"EmailIdentity": domain, "Tags": tags})
			if err != nil {
				t.Fatal(err)
			}
			all = append(
				all,
				restCall("ses:CreateEmailIdentity", on, "POST", "/v2/email/identities", string(made)).with("aws:RequestTag/"+ses.TagKey, tag).orSaid("AlreadyExistsException"),
				restCall("ses:GetEmailIdentity", on, "GET", path, "").with("aws:ResourceTag/"+ses.TagKey, tag).orSaid("NotFoundException"),
				restCall("ses:PutEmailIdentityMailFromAttributes", on, "PUT", path+"/mail-from", `{"MailFromDomain":"a.`+domain+`"}`).with("aws:ResourceTag/"+ses.TagKey, tag).orSaid("NotFoundException"),
				restCall("ses:DeleteEmailIdentity", on, "DELETE", path, "").with("aws:ResourceTag/"+ses.TagKey, tag).orSaid("NotFoundException"),
			)
		}
	}
	return all
}

func (d *deployment) mails() (all []attempt) {
	here := "arn:aws:ses:" + machine.Region + ":" + machine.Account + ":"
	for _, from := range []string{machine.Sender, "another@" + world.domain} {
		for _, set := range d.ids["AWS::SES::ConfigurationSet"] {
			set = d.things[set]["Ref"]
			for action, attachments := range map[string][]object{
				"ses:SendEmail":    {},
				"ses:SendRawEmail": {{"FileName": "keys.txt", "RawContent": []byte("rights")}},
			} {
				body, err := json.Marshal(object{
					"FromEmailAddress": "Keypool <" + from + ">", "ConfigurationSetName": set, "Destination": object{"ToAddresses": []string{"rights@" + world.domain}},
					"Content": object{"Simple": object{"Subject": object{"Data": "rights"}, "Body": object{"Text": object{"Data": "rights"}}, "Attachments": attachments}},
				})
				if err != nil {
					panic(err)
				}
				// SES asks for both; the role has both or none.
				for _, on := range []string{here + "identity/" + from, here + "configuration-set/" + set} {
					if from != machine.Sender && strings.Contains(on, "configuration-set") {
						continue
					}
					all = append(all, restCall(action, on, "POST", "/v2/email/outbound-emails", string(body)).with("ses:FromAddress", from).orSaid("MessageRejected")) // the other address is nobody's
				}
			}
		}
	}
	all = append(
		all,
		restCall("ses:GetAccount", "*", "GET", "/v2/email/account", ""),
	)
	return all
}

// others are services that hold nothing which a function works on, but much that
// somebody who had taken over a function would like to reach.
func (d *deployment) others() (all []attempt) {
	for _, id := range d.ids["AWS::Logs::LogGroup"] {
		group, arn := d.things[id]["Ref"], d.things[id]["Arn"]
		call := func(operation string, body object) {
			body["logGroupName"] = group
			// The calls go side by side: another role's stream may be there already, and this
			// role's own may not be there yet.
			all = append(all, jsonCall("logs:"+operation, "Logs_20140328."+operation, arn, body).orSaid("ResourceAlreadyExistsException", "ResourceNotFoundException"))
		}
		call("CreateLogStream", object{"logStreamName": "rights"})
		call("PutLogEvents", object{"logStreamName": "rights", "logEvents": []any{object{"timestamp": time.Now().UnixMilli(), "message": "rights"}}})
		call("FilterLogEvents", object{})
		call("GetLogEvents", object{"logStreamName": "rights"})
		call("DeleteLogGroup", object{})
		call("PutRetentionPolicy", object{"retentionInDays": 1})
	}
	for _, id := range d.ids["AWS::Lambda::Function"] {
		name, arn := d.things[id]["Ref"], d.things[id]["Arn"]
		path := "/2015-03-31/functions/" + name
		all = append(
			all,
			restCall("lambda:InvokeFunction", arn, "POST", path+"/invocations", "{}"),
			restCall("lambda:GetFunction", arn, "GET", path, ""),
			restCall("lambda:UpdateFunctionConfiguration", arn, "PUT", path+"/configuration", `{"Timeout":1}`),
			restCall("lambda:UpdateFunctionCode", arn, "PUT", path+"/code", `{"ZipFile":""}`),
			restCall("lambda:DeleteFunction", arn, "DELETE", path, ""),
		)
	}
	for _, id := range d.ids["AWS::IAM::Role"] {
		name, arn := d.things[id]["Ref"], d.things[id]["Arn"]
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
		all = append(
			all,
			formCall("iam:GetRolePolicy", "2010-05-08", arn, url.Values{"RoleName": {name}, "PolicyName": {"rights"}}),
			formCall("iam:PutRolePolicy", "2010-05-08", arn, url.Values{"RoleName": {name}, "PolicyName": {"rights"}, "PolicyDocument": {policy}}),
			formCall("iam:UpdateAssumeRolePolicy", "2010-05-08", arn, url.Values{"RoleName": {name}, "PolicyDocument": {policy}}),
			formCall("sts:AssumeRole", "2011-06-15", arn, url.Values{"RoleArn": {arn}, "RoleSessionName": {"rights"}}),
		)
	}
	for _, id := range d.ids["AWS::SNS::Topic"] {
		arn := d.things[id]["Arn"]
		all = append(
			all,
			formCall("sns:Publish", "2010-03-31", arn, url.Values{"TopicArn": {arn}, "Message": {"rights"}}),
			formCall("sns:Subscribe", "2010-03-31", arn, url.Values{"TopicArn": {arn}, "Protocol": {"email"}, "Endpoint": {"x@" + world.domain}}),
		)
	}
	here := machine.Region + ":" + machine.Account + ":"
	return append(
		all,
		formCall("iam:CreateUser", "2010-05-08", "*", url.Values{"UserName": {"rights"}}),
		formCall("cloudformation:DescribeStacks", "2010-05-15", "*", url.Values{}),
		jsonCall("events:PutEvents", "AWSEvents.PutEvents", "arn:aws:events:"+here+"event-bus/default", object{"Entries": []any{object{"Source": "aws.ses", "DetailType": "x", "Detail": "{}"}}}),
		jsonCall("secretsmanager:GetSecretValue", "secretsmanager.GetSecretValue", "*", object{"SecretId": "rights"}),
		jsonCall("ssm:GetParameter", "AmazonSSM.GetParameter", "*", object{"Name": "/rights"}),
		restCall("execute-api:Invoke", "the operator's routes", "GET", "/v1/merchants/rights", ""),
	)
}
