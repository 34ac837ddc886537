package main

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"keypool/infra/deployment"
	"keypool/shared/dynamo"
)

const head = `The functions for SAM's command line: sam validate, sam build, sam local invoke,
sam local start-api. Keypool is deployed by the CDK app in infra/, which adds encryption,
retention, alarms and lifecycle rules. Written by "make template"; edit infra/deployment instead.`

const passedOn = `sam local passes on only what is named here; .local/sam-env.json fills
them in, so that a function reaches the one-machine run.`

// here is the deployment that the template describes.
var here = deployment.Settings{Name: "Keypool", Account: "${AWS::AccountId}", Region: "${AWS::Region}"}

// uploadsName is the name of the upload bucket, which is no resource of its own here.
var uploadsName = here.UploadsName()

// write returns template.yaml.
func write() ([]byte, error) {
	settings, err := deployment.Read(map[string]any{
		"account": "000000000000", "region": "us-east-1",
		"sender": "Keypool <keys@keypool.example>", "operator": "operator@keypool.example",
	})
	if err != nil {
		return nil, err
	}

	parameters := block("Arch", flow("Type", "String", "Default", settings.Architecture, "AllowedValues", line("arm64", "x86_64")))
	for _, p := range settings.Parameters() {
		add(parameters, p.Name, flow("Type", "String", "Default", p.Value))
	}
	// The API's address would be a reference in a circle: SAM writes the routes, and so the
	// functions, into the API itself.
	add(parameters, "PublicUrl", flow("Type", "String", "Default", "https://api.keypool.example"))
	named := block("AWS_ENDPOINT_URL", "", "AWS_CA_BUNDLE", "")
	named.Content[0].HeadComment = passedOn
	resources := resources()
	for _, f := range deployment.Functions {
		add(resources, f.ID, function(f))
	}
	document := block(
		"AWSTemplateFormatVersion", quoted("2010-09-09"),
		"Transform", "AWS::Serverless-2016-10-31",
		"Description", "Keypool's functions",
		"Parameters", parameters,
		"Globals", block("Function", block(
			"Runtime", deployment.Runtime,
			"Handler", deployment.Handler,
			"Architectures", line("${Arch}"),
			"CodeUri", ".",
			"Environment", block("Variables", named),
		)),
		"Resources", resources,
	)
	document.HeadComment = head

	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	// An empty line before each section and each function.
	spaced := regexp.MustCompile(`(?m)^(Parameters|Globals|Resources):$|^  \w+:\n    Type: AWS::Serverless::Function$`)
	return spaced.ReplaceAll(out.Bytes(), []byte("\n$0")), nil
}

// resources returns what the functions work on, as far as sam needs to know it.
func resources() *yaml.Node {
	all := block("Key", block("Type", "AWS::KMS::Key", "Properties", block("KeyPolicy", block("Statement", list(block(
		"Effect", "Allow",
		"Principal", flow("AWS", "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"),
		"Action", line("kms:DescribeKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
		"Resource", quoted("*"),
	))))))
	for i, schema := range dynamo.Schemas(dynamo.Tables{}) {
		add(all, deployment.Tables[i], block("Type", "AWS::DynamoDB::Table", "Properties", table(schema)))
	}
	add(all, "Reports", block("Type", "AWS::S3::Bucket", "Properties", block("VersioningConfiguration", flow("Status", "Enabled"))))
	add(all, "Uploads", block("Type", "AWS::S3::Bucket", "Properties", block(
		"BucketName", "${UploadsName}", "VersioningConfiguration", flow("Status", "Enabled"),
		"CorsConfiguration", block("CorsRules", []any{flow("AllowedMethods", []any{"POST"}, "AllowedOrigins", line("${PublicUrl}"))}))))
	for _, q := range deployment.Queues {
		add(all, q.ID, block("Type", "AWS::SQS::Queue", "Properties", block(
			"VisibilityTimeout", int(q.VisibilityTimeout.Seconds()),
			"RedrivePolicy", flow("deadLetterTargetArn", "${"+q.DeadLetters()+".Arn}", "maxReceiveCount", deployment.MaxReceives),
		)))
	}
	for _, id := range deployment.DeadLetterQueues {
		add(all, id, flow("Type", "AWS::SQS::Queue"))
	}
	add(all, "Mail", block("Type", "AWS::SES::ConfigurationSet", "Properties", block("DeliveryOptions", flow("TlsPolicy", deployment.MailTLS))))
	add(all, "HttpApi", block("Type", "AWS::Serverless::HttpApi", "Properties", block("Auth", flow("EnableIamAuthorizer", true))))
	for _, f := range deployment.Functions {
		add(all, f.ID+"Logs", flow("Type", "AWS::Logs::LogGroup"))
	}
	return all
}

func table(schema *dynamodb.CreateTableInput) *yaml.Node {
	attributes := list()
	for _, a := range schema.AttributeDefinitions {
		attributes.Content = append(attributes.Content, flow("AttributeName", *a.AttributeName, "AttributeType", string(a.AttributeType)))
	}
	indexes := list()
	for _, index := range schema.GlobalSecondaryIndexes {
		projection := flow("ProjectionType", string(index.Projection.ProjectionType))
		if also := index.Projection.NonKeyAttributes; also != nil {
			add(projection, "NonKeyAttributes", line(also...))
		}
		indexes.Content = append(indexes.Content, block("IndexName", *index.IndexName, "KeySchema", keySchema(index.KeySchema), "Projection", projection))
	}
	properties := block(
		"BillingMode", string(schema.BillingMode),
		"AttributeDefinitions", attributes,
		"KeySchema", keySchema(schema.KeySchema),
	)
	if len(indexes.Content) > 0 {
		add(properties, "GlobalSecondaryIndexes", indexes)
	}
	if stream := schema.StreamSpecification; stream != nil {
		add(properties, "StreamSpecification", flow("StreamViewType", string(stream.StreamViewType)))
	}
	return properties
}

func keySchema(elements []types.KeySchemaElement) *yaml.Node {
	schema := line()
	for _, e := range elements {
		schema.Content = append(schema.Content, flow("AttributeName", *e.AttributeName, "KeyType", string(e.KeyType)))
	}
	return schema
}

func function(f deployment.Function) *yaml.Node {
	variables := block()
	for _, v := range f.Variables() {
		add(variables, v.Name, v.Value)
	}
	statements := list()
	for _, s := range f.Statements() {
		statement := flow("Effect", "Allow", "Action", line(s.Actions...), "Resource", s.Resource)
		if s.When != nil {
			add(statement, "Condition", condition(s.Condition()))
		}
		statements.Content = append(statements.Content, statement)
	}
	properties := block()
	if name := here.FunctionName(f); name != "" {
		add(properties, "FunctionName", name)
	}
	add(properties, "Description", f.Description)
	add(properties, "MemorySize", f.Memory)
	add(properties, "Timeout", int(f.Timeout.Seconds()))
	add(properties, "LoggingConfig", flow("LogFormat", "Text", "LogGroup", "${"+f.ID+"Logs}"))
	add(properties, "Environment", block("Variables", variables))
	add(properties, "Policies", block("Version", quoted("2012-10-17"), "Statement", statements))
	if f.OnFailure != nil {
		add(properties, "EventInvokeConfig", block(
			"MaximumRetryAttempts", f.OnFailure.Retries,
			"MaximumEventAgeInSeconds", int(f.OnFailure.MaxAge.Seconds()),
			"DestinationConfig", onFailure(f.OnFailure.Queue),
		))
	}
	add(properties, "Events", events(f))
	return block("Type", "AWS::Serverless::Function", "Metadata", flow("BuildMethod", "makefile"), "Properties", properties)
}

func condition(operators map[string]map[string][]string) *yaml.Node {
	all := flow()
	for _, operator := range slices.Sorted(maps.Keys(operators)) {
		keys := flow()
		for _, key := range slices.Sorted(maps.Keys(operators[operator])) {
			add(keys, key, line(operators[operator][key]...))
		}
		add(all, operator, keys)
	}
	return all
}

// events returns the function's triggers.
func events(f deployment.Function) *yaml.Node {
	all := block()
	event := func(name, kind string, properties *yaml.Node) {
		add(all, name, block("Type", kind, "Properties", properties))
	}
	if f.UploadEvents {
		event("Uploads", "S3", block("Bucket", "${Uploads}", "Events", "s3:ObjectCreated:*"))
	}
	if q := f.Queue; q != nil {
		properties := block("Queue", "${"+q.Queue+".Arn}", "BatchSize", q.Batch, "FunctionResponseTypes", line("ReportBatchItemFailures"))
		if q.Concurrency > 0 {
			add(properties, "ScalingConfig", flow("MaximumConcurrency", q.Concurrency))
		}
		event(q.Queue, "SQS", properties)
	}
	if s := f.Stream; s != nil {
		event("Orders", "DynamoDB", block(
			"Stream", "${Orders.StreamArn}",
			"StartingPosition", "TRIM_HORIZON",
			"FilterCriteria", flow("Filters", lineOf(flow("Pattern", s.Filter))),
			"BatchSize", s.Batch,
			"ParallelizationFactor", s.Parallel,
			"FunctionResponseTypes", line("ReportBatchItemFailures"),
			"BisectBatchOnFunctionError", true,
			"MaximumRetryAttempts", s.Retries,
			"MaximumRecordAgeInSeconds", int(s.MaxAge.Seconds()),
			"DestinationConfig", onFailure(s.DeadLetters),
		))
	}
	if f.MailEvents {
		event("Mails", "EventBridgeRule", block("Pattern", flow(
			"source", line("aws.ses"), "detail", flow("mail", flow("tags", flow("ses:configuration-set", line("${Mail}")))))))
	}
	if f.Schedule != "" {
		event("Clock", "ScheduleV2", block(
			"ScheduleExpression", f.Schedule,
			"RetryPolicy", flow("MaximumRetryAttempts", f.OnFailure.Retries, "MaximumEventAgeInSeconds", int(f.OnFailure.MaxAge.Seconds()))))
	}
	for _, r := range f.Routes {
		properties := flow("ApiId", "${HttpApi}", "Method", r.Method, "Path", r.Path)
		if r.IAM {
			add(properties, "Auth", flow("Authorizer", "AWS_IAM"))
		}
		event(r.ID(), "HttpApi", properties)
	}
	return all
}

func onFailure(queue string) *yaml.Node {
	return flow("OnFailure", flow("Type", "SQS", "Destination", "${"+queue+".Arn}"))
}

// block returns a mapping of names and values, one line each.
func block(pairs ...any) *yaml.Node {
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		add(mapping, pairs[i].(string), pairs[i+1])
	}
	return mapping
}

// flow returns a mapping in one line.
func flow(pairs ...any) *yaml.Node {
	mapping := block(pairs...)
	mapping.Style = yaml.FlowStyle
	return mapping
}

// list returns a list, one line each.
func list(values ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: values}
}

// line returns a list of texts in one line, lineOf one of anything.
func line(values ...string) *yaml.Node {
	nodes := make([]*yaml.Node, len(values))
	for i, v := range values {
		nodes[i] = value(v)
	}
	return lineOf(nodes...)
}

func lineOf(values ...*yaml.Node) *yaml.Node {
	sequence := list(values...)
	sequence.Style = yaml.FlowStyle
	return sequence
}

func add(mapping *yaml.Node, name string, v any) {
	mapping.Content = append(mapping.Content, value(name), value(v))
}

// value returns a node. References in texts become CloudFormation's functions.
func value(v any) *yaml.Node {
	text, ok := v.(string)
	if !ok {
		if node, ok := v.(*yaml.Node); ok {
			return node
		}
		var node yaml.Node
		if err := node.Encode(v); err != nil {
			panic(err) // numbers and booleans encode
		}
		return &node
	}
	text = strings.ReplaceAll(text, "${UploadsName}", uploadsName)
	name, whole := strings.CutPrefix(text, "${")
	name, closed := strings.CutSuffix(name, "}")
	whole = whole && closed && !strings.Contains(name, "$")
	switch {
	case whole && strings.Contains(name, "."):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!GetAtt", Value: name}
	case whole:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Ref", Value: name}
	case strings.Contains(text, "${"):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Sub", Value: text, Style: yaml.DoubleQuotedStyle}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func quoted(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
}
