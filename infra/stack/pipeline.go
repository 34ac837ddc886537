package stack

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsses"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
	"keypool/shared/s3"
	"keypool/shared/upload"
)

// pipeline is the stack of everything that works on the data.
type pipeline struct {
	stack    awscdk.Stack
	settings deployment.Settings
	data     *data

	queues           map[string]awssqs.Queue // by ID
	configurationSet awsses.CfnConfigurationSet
	uploads          awss3.Bucket
	logs             map[string]awslogs.CfnLogGroup   // by function ID
	functions        map[string]awslambda.CfnFunction // by function ID
	api              awsapigatewayv2.CfnApi
	publicURL        string // of the API; links in mails begin with it
}

func newPipeline(scope constructs.Construct, s deployment.Settings, d *data) *pipeline {
	p := &pipeline{
		stack: awscdk.NewStack(scope, jsii.String(s.Name), &awscdk.StackProps{
			Env:                &awscdk.Environment{Account: jsii.String(s.Account), Region: jsii.String(s.Region)},
			Description:        jsii.String("Keypool: from a dropped key file to the customer's mail"),
			AnalyticsReporting: jsii.Bool(false),
		}),
		settings:  s,
		data:      d,
		queues:    map[string]awssqs.Queue{},
		logs:      map[string]awslogs.CfnLogGroup{},
		functions: map[string]awslambda.CfnFunction{},
	}
	p.addQueues()
	p.addMail()
	p.addAPI()
	for _, f := range deployment.Functions {
		p.addFunction(f)
	}
	for _, f := range deployment.Functions {
		p.addTriggers(f)
	}
	p.addStage()
	p.addAlarms()
	return p
}

// addQueues makes the queues of work, and the dead-letter queues.
func (p *pipeline) addQueues() {
	for _, id := range deployment.DeadLetterQueues {
		p.queues[id] = p.newQueue(id, &awssqs.QueueProps{})
	}
	for _, q := range deployment.Queues {
		p.queues[q.ID] = p.newQueue(q.ID, &awssqs.QueueProps{
			VisibilityTimeout: seconds(q.VisibilityTimeout),
			DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: p.queues[q.DeadLetters()], MaxReceiveCount: jsii.Number(deployment.MaxReceives)},
		})
	}
	output(p.stack, "RangesQueue", p.queues["Ranges"].QueueUrl())
	output(p.stack, "FillQueue", p.queues["Fills"].QueueUrl())
	output(p.stack, "CatchupQueue", p.queues["Catchups"].QueueUrl())
	output(p.stack, "JobsQueue", p.queues["Jobs"].QueueUrl())
}

// newQueue makes a queue as all of ours are: encrypted, and kept for as long as SQS can.
func (p *pipeline) newQueue(id string, props *awssqs.QueueProps) awssqs.Queue {
	props.Encryption = awssqs.QueueEncryption_KMS
	props.EncryptionMasterKey = p.data.key
	props.EnforceSSL = jsii.Bool(true)
	props.RetentionPeriod = awscdk.Duration_Days(jsii.Number(14))
	return awssqs.NewQueue(p.stack, jsii.String(id), props)
}

// addMail makes the configuration set of our mails, which sends SES's events about them
// to EventBridge. The sender's identity is verified by hand once, unless its domain is
// a parameter.
func (p *pipeline) addMail() {
	p.configurationSet = awsses.NewCfnConfigurationSet(p.stack, jsii.String("Mail"), &awsses.CfnConfigurationSetProps{
		DeliveryOptions:   &awsses.CfnConfigurationSet_DeliveryOptionsProperty{TlsPolicy: jsii.String(deployment.MailTLS)},
		ReputationOptions: &awsses.CfnConfigurationSet_ReputationOptionsProperty{ReputationMetricsEnabled: jsii.Bool(true)},
		SendingOptions:    &awsses.CfnConfigurationSet_SendingOptionsProperty{SendingEnabled: jsii.Bool(true)},
	})
	awsses.NewCfnConfigurationSetEventDestination(p.stack, jsii.String("MailEvents"), &awsses.CfnConfigurationSetEventDestinationProps{
		ConfigurationSetName: p.configurationSet.Ref(),
		EventDestination: &awsses.CfnConfigurationSetEventDestination_EventDestinationProperty{
			Enabled: jsii.Bool(true),
			// As CloudFormation's schema spells them. SES's API says RENDERING_FAILURE.
			MatchingEventTypes:     jsii.Strings("send", "renderingFailure", "reject", "delivery", "deliveryDelay", "bounce", "complaint"),
			EventBridgeDestination: &awsses.CfnConfigurationSetEventDestination_EventBridgeDestinationProperty{EventBusArn: jsii.String(p.here("events", "event-bus/default"))},
		},
	})
	if p.settings.Domain != "" {
		identity := awsses.NewCfnEmailIdentity(p.stack, jsii.String("Domain"), &awsses.CfnEmailIdentityProps{
			EmailIdentity: jsii.String(p.settings.Domain),
		})
		output(p.stack, "DomainRecord1", jsii.String(*identity.AttrDkimDnsTokenName1()+" CNAME "+*identity.AttrDkimDnsTokenValue1()))
		output(p.stack, "DomainRecord2", jsii.String(*identity.AttrDkimDnsTokenName2()+" CNAME "+*identity.AttrDkimDnsTokenValue2()))
		output(p.stack, "DomainRecord3", jsii.String(*identity.AttrDkimDnsTokenName3()+" CNAME "+*identity.AttrDkimDnsTokenValue3()))
	}
	output(p.stack, "ConfigurationSet", p.configurationSet.Ref())
}

// addFunction makes a function with its log and its role.
func (p *pipeline) addFunction(f deployment.Function) {
	group := awslogs.NewCfnLogGroup(p.stack, jsii.String(f.ID+"Logs"), &awslogs.CfnLogGroupProps{
		RetentionInDays: jsii.Number(p.settings.Retention),
		KmsKeyId:        p.data.key.KeyArn(),
	})
	p.logs[f.ID] = group
	role := awsiam.NewRole(p.stack, jsii.String(f.ID+"Role"), &awsiam.RoleProps{
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{f.ID: p.policy(f)},
	})
	code := awss3assets.NewAsset(p.stack, jsii.String(f.ID+"Code"), &awss3assets.AssetProps{Path: jsii.String(p.settings.Zip(f))})
	environment := map[string]string{}
	for _, v := range f.Variables() {
		environment[v.Name] = p.expand(v.Value)
	}
	memory := f.Memory
	if chosen, ok := p.settings.Memory[f.ID]; ok {
		memory = chosen
	}
	props := &awslambda.CfnFunctionProps{
		Description:   jsii.String(f.Description),
		Runtime:       jsii.String(deployment.Runtime),
		Handler:       jsii.String(deployment.Handler),
		Architectures: jsii.Strings(p.settings.Architecture),
		Code:          &awslambda.CfnFunction_CodeProperty{S3Bucket: code.S3BucketName(), S3Key: code.S3ObjectKey()},
		MemorySize:    jsii.Number(memory),
		Timeout:       jsii.Number(f.Timeout.Seconds()),
		Role:          role.RoleArn(),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: environment},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogFormat: jsii.String("Text"), LogGroup: group.Ref()},
	}
	if name := p.settings.FunctionName(f); name != "" {
		props.FunctionName = jsii.String(name)
	}
	if reserved, ok := p.settings.Concurrency[f.ID]; ok {
		props.ReservedConcurrentExecutions = jsii.Number(reserved)
	}
	p.functions[f.ID] = awslambda.NewCfnFunction(p.stack, jsii.String(f.ID), props)
	output(p.stack, f.ID+"Function", p.functions[f.ID].Ref())
}

// policy returns the policy of a function's role.
func (p *pipeline) policy(f deployment.Function) awsiam.PolicyDocument {
	var statements []awsiam.PolicyStatement
	for _, s := range f.Statements() {
		props := &awsiam.PolicyStatementProps{Actions: jsii.Strings(s.Actions...), Resources: jsii.Strings(p.expand(s.Resource))}
		if s.When != nil {
			props.Conditions = p.condition(s.Condition())
		}
		statements = append(statements, awsiam.NewPolicyStatement(props))
	}
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements})
}

func (p *pipeline) condition(operators map[string]map[string][]string) *map[string]any {
	all := map[string]any{}
	for operator, keys := range operators {
		expanded := map[string]any{}
		for key, values := range keys {
			texts := make([]string, len(values))
			for i, value := range values {
				texts[i] = p.expand(value)
			}
			expanded[key] = texts
		}
		all[operator] = expanded
	}
	return &all
}

// addTriggers makes what calls a function, but for the API.
func (p *pipeline) addTriggers(f deployment.Function) {
	if f.UploadEvents {
		p.addUploads(f)
	}
	if f.Queue != nil {
		p.addQueueSource(f, *f.Queue)
	}
	if f.Stream != nil {
		p.addStreamSource(f, *f.Stream)
	}
	if f.MailEvents {
		p.addMailEvents(f)
	}
	if f.Schedule != "" {
		p.addClock(f)
	}
	if f.OnFailure != nil {
		awslambda.NewCfnEventInvokeConfig(p.stack, jsii.String(f.ID+"Async"), &awslambda.CfnEventInvokeConfigProps{
			FunctionName:             p.functions[f.ID].Ref(),
			Qualifier:                jsii.String("$LATEST"),
			MaximumRetryAttempts:     jsii.Number(f.OnFailure.Retries),
			MaximumEventAgeInSeconds: jsii.Number(f.OnFailure.MaxAge.Seconds()),
			DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
				OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: p.queues[f.OnFailure.Queue].QueueArn()},
			},
		})
	}
}

// addUploads makes the bucket that merchants drop their key files in. It calls the
// function for every object, wherever it lies, so that a misplaced file is reported too.
func (p *pipeline) addUploads(f deployment.Function) {
	function := p.functions[f.ID]
	permission := awslambda.NewCfnPermission(p.stack, jsii.String(f.ID+"ByUploads"), &awslambda.CfnPermissionProps{
		Action:        jsii.String("lambda:InvokeFunction"),
		FunctionName:  function.AttrArn(),
		Principal:     jsii.String("s3.amazonaws.com"),
		SourceAccount: jsii.String(p.settings.Account),
		SourceArn:     jsii.String(p.arn("s3:::" + p.settings.UploadsName())),
	})
	p.uploads = newBucket(p.stack, "Uploads", p.settings, p.data.key, &awss3.BucketProps{
		BucketName: jsii.String(p.settings.UploadsName()),
		// The bucket outlives its stack, even when the data is deleted: a later stack of
		// this name takes it over, which CloudFormation allows only for a bucket that it
		// would not delete.
		RemovalPolicy: kept,
		Versioned:     jsii.Bool(true),
		// The portal's page sends files by a signed form, and reads how far they are.
		Cors: &[]*awss3.CorsRule{{
			AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_POST},
			AllowedOrigins: jsii.Strings(p.publicURL),
		}},
		LifecycleRules: &[]*awss3.LifecycleRule{
			expire("loaded", s3.Loaded, upload.LoadedKept),
			expire("refused", s3.Refused, upload.RefusedKept),
			replacedOrDeleted(7),
		},
	})
	bucket := p.uploads.Node().DefaultChild().(awss3.CfnBucket)
	bucket.SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
		LambdaConfigurations: []*awss3.CfnBucket_LambdaConfigurationProperty{
			{Event: jsii.String("s3:ObjectCreated:*"), Function: function.AttrArn()},
		},
	})
	bucket.AddResourceDependency(permission, jsii.String("the function lets the bucket call it first"))
	output(p.stack, "UploadsBucket", jsii.String(p.settings.UploadsName()))
}

// expire lets files that are done go some time after they were dropped.
func expire(id, tag string, after time.Duration) *awss3.LifecycleRule {
	return &awss3.LifecycleRule{
		Id:         jsii.String(id),
		TagFilters: &map[string]any{s3.DoneTag: tag},
		Expiration: awscdk.Duration_Days(jsii.Number(after.Hours() / 24)),
	}
}

func (p *pipeline) addQueueSource(f deployment.Function, q deployment.QueueSource) {
	props := &awslambda.CfnEventSourceMappingProps{
		FunctionName:          p.functions[f.ID].Ref(),
		EventSourceArn:        p.queues[q.Queue].QueueArn(),
		BatchSize:             jsii.Number(q.Batch),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
	}
	if q.Concurrency > 0 {
		props.ScalingConfig = &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(q.Concurrency)}
	}
	awslambda.NewCfnEventSourceMapping(p.stack, jsii.String(f.ID+"From"+q.Queue), props)
}

func (p *pipeline) addStreamSource(f deployment.Function, s deployment.StreamSource) {
	awslambda.NewCfnEventSourceMapping(p.stack, jsii.String(f.ID+"FromOrders"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     p.functions[f.ID].Ref(),
		EventSourceArn:   p.data.tables["Orders"].TableStreamArn(),
		StartingPosition: jsii.String("TRIM_HORIZON"),
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
			Filters: []*awslambda.CfnEventSourceMapping_FilterProperty{{Pattern: jsii.String(s.Filter)}},
		},
		BatchSize:                  jsii.Number(s.Batch),
		ParallelizationFactor:      jsii.Number(s.Parallel),
		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(s.Retries),
		MaximumRecordAgeInSeconds:  jsii.Number(s.MaxAge.Seconds()),
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: p.queues[s.DeadLetters].QueueArn()},
		},
	})
}

// addMailEvents sends SES's events about our mails to a function. Events that cannot be
// handed over go to the queue of those that the function could not handle.
func (p *pipeline) addMailEvents(f deployment.Function) {
	function, dead := p.functions[f.ID], p.queues[f.OnFailure.Queue]
	rule := awsevents.NewCfnRule(p.stack, jsii.String("MailRule"), &awsevents.CfnRuleProps{
		Description: jsii.String("What became of our mails"),
		EventPattern: map[string]any{
			"source": []string{"aws.ses"},
			"detail": map[string]any{"mail": map[string]any{"tags": map[string]any{"ses:configuration-set": []*string{p.configurationSet.Ref()}}}},
		},
		Targets: []*awsevents.CfnRule_TargetProperty{{
			Id:               jsii.String(f.ID),
			Arn:              function.AttrArn(),
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: dead.QueueArn()},
		}},
	})
	awslambda.NewCfnPermission(p.stack, jsii.String(f.ID+"ByEvents"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: function.AttrArn(),
		Principal:    jsii.String("events.amazonaws.com"),
		SourceArn:    rule.AttrArn(),
	})
	dead.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{dead.QueueArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule.AttrArn()}},
	}))
}

// addClock has EventBridge Scheduler call a function, by a role that may call this
// function and nothing else.
func (p *pipeline) addClock(f deployment.Function) {
	function := p.functions[f.ID]
	role := awsiam.NewRole(p.stack, jsii.String(f.ID+"ClockRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": p.settings.Account}},
		}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"Clock": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("lambda:InvokeFunction"),
				Resources: &[]*string{function.AttrArn()},
			})},
		})},
	})
	awsscheduler.NewCfnSchedule(p.stack, jsii.String(f.ID+"Clock"), &awsscheduler.CfnScheduleProps{
		ScheduleExpression: jsii.String(p.expand(f.Schedule)),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn:         function.AttrArn(),
			RoleArn:     role.RoleArn(),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(f.OnFailure.Retries), MaximumEventAgeInSeconds: jsii.Number(f.OnFailure.MaxAge.Seconds())},
		},
	})
}

// expand replaces the references in a text, such as ${Catalog.Arn}.
func (p *pipeline) expand(text string) string {
	return deployment.Expand(text, func(name string) string {
		switch name {
		case "AWS::Partition":
			return *awscdk.Aws_PARTITION()
		case "AWS::Region":
			return p.settings.Region
		case "AWS::AccountId":
			return p.settings.Account
		case "UploadsName":
			return p.settings.UploadsName()
		case "Key.Arn":
			return *p.data.key.KeyArn()
		case "Reports":
			return *p.data.reports.BucketName()
		case "Reports.Arn":
			return *p.data.reports.BucketArn()
		case "PublicUrl":
			return p.publicURL
		case "Mail":
			return *p.configurationSet.Ref()
		}
		for _, parameter := range p.settings.Parameters() {
			if parameter.Name == name {
				return parameter.Value
			}
		}
		id, attribute, _ := strings.Cut(name, ".")
		if table, ok := p.data.tables[id]; ok {
			switch attribute {
			case "":
				return *table.TableName()
			case "Arn":
				return *table.TableArn()
			case "StreamArn":
				return *table.TableStreamArn()
			}
		}
		if queue, ok := p.queues[id]; ok {
			switch attribute {
			case "":
				return *queue.QueueUrl()
			case "Arn":
				return *queue.QueueArn()
			}
		}
		if log, ok := p.logs[strings.TrimSuffix(id, "Logs")]; ok && attribute == "Arn" {
			return *log.AttrArn()
		}
		panic("nothing is known by the name ${" + name + "}")
	})
}

// arn returns the ARN that ends in rest.
func (p *pipeline) arn(rest string) string { return "arn:" + *awscdk.Aws_PARTITION() + ":" + rest }

// here returns the ARN of a service's resource in this account and region.
func (p *pipeline) here(service, resource string) string {
	return p.arn(service + ":" + p.settings.Region + ":" + p.settings.Account + ":" + resource)
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

// checkZips returns an error that names the functions that have not been built.
func checkZips(s deployment.Settings) error {
	var missing []string
	for _, f := range deployment.Functions {
		if _, err := os.Stat(s.Zip(f)); err != nil {
			missing = append(missing, s.Zip(f))
		}
	}
	if missing != nil {
		return fmt.Errorf("not built for %s: %s; run `make build`", s.Architecture, strings.Join(missing, ", "))
	}
	return nil
}
