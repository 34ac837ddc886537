package stack

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
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

	"keypool/shared/dynamo"
	"keypool/shared/s3"
)

// pipeline is the stack of everything that works on the data.
type pipeline struct {
	stack    awscdk.Stack
	settings Settings
	data     *data

	ranges, fills    awssqs.Queue
	dead             map[string]awssqs.Queue // by what died
	configurationSet awsses.CfnConfigurationSet
	uploads          awss3.Bucket
	logs             map[string]awslogs.CfnLogGroup   // by function id
	functions        map[string]awslambda.CfnFunction // by function id
}

func newPipeline(scope constructs.Construct, s Settings, d *data) *pipeline {
	p := &pipeline{
		stack: awscdk.NewStack(scope, jsii.String(s.Name), &awscdk.StackProps{
			Env:                &awscdk.Environment{Account: jsii.String(s.Account), Region: jsii.String(s.Region)},
			Description:        jsii.String("Keypool: from a dropped key file to the customer's mail"),
			AnalyticsReporting: jsii.Bool(false),
		}),
		settings:  s,
		data:      d,
		dead:      map[string]awssqs.Queue{},
		logs:      map[string]awslogs.CfnLogGroup{},
		functions: map[string]awslambda.CfnFunction{},
	}
	p.addQueues()
	p.addMail()
	for _, f := range functions {
		p.addFunction(f)
	}
	p.addUploads()
	p.addSources()
	p.addStream()
	p.addSchedules()
	p.addAPI()
	p.addAlarms()
	return p
}

// addQueues makes the two queues of work, and a dead-letter queue for every source of events.
func (p *pipeline) addQueues() {
	for _, what := range []string{"Ranges", "Fills", "Uploads", "Mails", "Events", "Ticks"} {
		p.dead[what] = awssqs.NewQueue(p.stack, jsii.String("Dead"+what), &awssqs.QueueProps{
			Encryption:          awssqs.QueueEncryption_KMS,
			EncryptionMasterKey: p.data.key,
			EnforceSSL:          jsii.Bool(true),
			RetentionPeriod:     awscdk.Duration_Days(jsii.Number(14)),
		})
	}
	p.ranges = p.queue("Ranges", ingestTimeout+margin)
	p.fills = p.queue("Fills", fillTimeout+margin)
	output(p.stack, "RangesQueue", p.ranges.QueueUrl())
	output(p.stack, "FillQueue", p.fills.QueueUrl())
}

// queue makes a queue of work. Whoever takes a message may give it back many
// times, since what is not finished is never sent anew: hence the high count.
func (p *pipeline) queue(id string, hidden time.Duration) awssqs.Queue {
	return awssqs.NewQueue(p.stack, jsii.String(id), &awssqs.QueueProps{
		Encryption:          awssqs.QueueEncryption_KMS,
		EncryptionMasterKey: p.data.key,
		EnforceSSL:          jsii.Bool(true),
		VisibilityTimeout:   seconds(hidden),
		RetentionPeriod:     awscdk.Duration_Days(jsii.Number(14)),
		DeadLetterQueue:     &awssqs.DeadLetterQueue{Queue: p.dead[id], MaxReceiveCount: jsii.Number(20)},
	})
}

// addMail sets up how mails leave and how their fate comes back. The sender's own
// identity is verified by hand once, unless its domain is named.
func (p *pipeline) addMail() {
	p.configurationSet = awsses.NewCfnConfigurationSet(p.stack, jsii.String("Mail"), &awsses.CfnConfigurationSetProps{
		ReputationOptions: &awsses.CfnConfigurationSet_ReputationOptionsProperty{ReputationMetricsEnabled: jsii.Bool(true)},
		SendingOptions:    &awsses.CfnConfigurationSet_SendingOptionsProperty{SendingEnabled: jsii.Bool(true)},
	})
	awsses.NewCfnConfigurationSetEventDestination(p.stack, jsii.String("MailEvents"), &awsses.CfnConfigurationSetEventDestinationProps{
		ConfigurationSetName: p.configurationSet.Ref(),
		EventDestination: &awsses.CfnConfigurationSetEventDestination_EventDestinationProperty{
			Enabled:                jsii.Bool(true),
			MatchingEventTypes:     jsii.Strings("SEND", "RENDERING_FAILURE", "REJECT", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT"),
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

func (p *pipeline) addFunction(f function) {
	group := awslogs.NewCfnLogGroup(p.stack, jsii.String(f.id+"Logs"), &awslogs.CfnLogGroupProps{
		RetentionInDays: jsii.Number(p.settings.Retention),
		KmsKeyId:        p.data.key.KeyArn(),
	})
	p.logs[f.id] = group
	role := awsiam.NewRole(p.stack, jsii.String(f.id+"Role"), &awsiam.RoleProps{
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{f.id: p.policy(f.id)},
	})
	code := awss3assets.NewAsset(p.stack, jsii.String(f.id+"Code"), &awss3assets.AssetProps{Path: jsii.String(p.settings.zip(f))})
	environment := map[string]string{}
	for _, name := range f.environment {
		environment["KEYPOOL_"+name] = p.value(name)
	}
	memory := f.memory
	if chosen, ok := p.settings.Memory[f.id]; ok {
		memory = chosen
	}
	props := &awslambda.CfnFunctionProps{
		Description:   jsii.String(f.says),
		Runtime:       jsii.String("provided.al2023"),
		Handler:       jsii.String("bootstrap"),
		Architectures: jsii.Strings(p.settings.Architecture),
		Code:          &awslambda.CfnFunction_CodeProperty{S3Bucket: code.S3BucketName(), S3Key: code.S3ObjectKey()},
		MemorySize:    jsii.Number(memory),
		Timeout:       jsii.Number(f.timeout.Seconds()),
		Role:          role.RoleArn(),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: environment},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogFormat: jsii.String("Text"), LogGroup: group.Ref()},
	}
	if reserved, ok := p.settings.Concurrency[f.id]; ok {
		props.ReservedConcurrentExecutions = jsii.Number(reserved)
	}
	p.functions[f.id] = awslambda.NewCfnFunction(p.stack, jsii.String(f.id), props)
	output(p.stack, f.id+"Function", p.functions[f.id].Ref())
}

// uploadsName is the upload bucket's name. It is computed, not taken from the
// bucket: the function's settings and rights hold it, and the bucket itself can
// only be made once the function may be called by it.
func (p *pipeline) uploadsName() string {
	return strings.ToLower(p.settings.Name) + "-uploads-" + p.settings.Account + "-" + p.settings.Region
}

// addUploads makes the bucket that merchants drop their key files in. It calls
// Ingest for every object, wherever it lies, so that a misplaced file is reported too.
func (p *pipeline) addUploads() {
	ingest := p.functions["Ingest"]
	permission := awslambda.NewCfnPermission(p.stack, jsii.String("IngestByUploads"), &awslambda.CfnPermissionProps{
		Action:        jsii.String("lambda:InvokeFunction"),
		FunctionName:  ingest.AttrArn(),
		Principal:     jsii.String("s3.amazonaws.com"),
		SourceAccount: jsii.String(p.settings.Account),
		SourceArn:     jsii.String(p.arn("s3:::" + p.uploadsName())),
	})
	p.uploads = newBucket(p.stack, "Uploads", p.settings, p.data.key, &awss3.BucketProps{
		BucketName: jsii.String(p.uploadsName()),
		// Whatever happens to the stack: a later one of this name finds the bucket and
		// takes it over, which CloudFormation allows only if it would not delete it.
		RemovalPolicy: awscdk.RemovalPolicy_RETAIN,
		Versioned:     jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{
			{
				Id:         jsii.String("loaded"),
				TagFilters: &map[string]any{s3.DoneTag: s3.DoneValue},
				Expiration: awscdk.Duration_Days(jsii.Number(7)),
			},
			{
				Id:                          jsii.String("replaced or deleted"),
				NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(7)),
				ExpiredObjectDeleteMarker:   jsii.Bool(true),
			},
		},
	})
	bucket := p.uploads.Node().DefaultChild().(awss3.CfnBucket)
	bucket.SetNotificationConfiguration(&awss3.CfnBucket_NotificationConfigurationProperty{
		LambdaConfigurations: []*awss3.CfnBucket_LambdaConfigurationProperty{
			{Event: jsii.String("s3:ObjectCreated:*"), Function: ingest.AttrArn()},
		},
	})
	bucket.AddResourceDependency(permission, jsii.String("the function lets the bucket call it first"))
	p.async("Ingest", "Uploads", 2, 6*time.Hour)
	output(p.stack, "UploadsBucket", jsii.String(p.uploadsName()))
}

// async says what becomes of events that a function could not handle when called without waiting.
func (p *pipeline) async(id, dead string, retries int, age time.Duration) {
	awslambda.NewCfnEventInvokeConfig(p.stack, jsii.String(id+"Async"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             p.functions[id].Ref(),
		Qualifier:                jsii.String("$LATEST"),
		MaximumRetryAttempts:     jsii.Number(retries),
		MaximumEventAgeInSeconds: jsii.Number(age.Seconds()),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: p.dead[dead].QueueArn()},
		},
	})
}

// addSources ties the queues to their functions.
func (p *pipeline) addSources() {
	awslambda.NewCfnEventSourceMapping(p.stack, jsii.String("IngestFromRanges"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          p.functions["Ingest"].Ref(),
		EventSourceArn:        p.ranges.QueueArn(),
		BatchSize:             jsii.Number(1),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
		ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(4)},
	})
	awslambda.NewCfnEventSourceMapping(p.stack, jsii.String("FillFromFills"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:          p.functions["Fill"].Ref(),
		EventSourceArn:        p.fills.QueueArn(),
		BatchSize:             jsii.Number(10),
		FunctionResponseTypes: jsii.Strings("ReportBatchItemFailures"),
	})
}

// addStream has every item that is to be mailed come to Deliver as soon as it is
// written, and what becomes of the mails too.
func (p *pipeline) addStream() {
	deliver := p.functions["Deliver"]
	awslambda.NewCfnEventSourceMapping(p.stack, jsii.String("DeliverFromOrders"), &awslambda.CfnEventSourceMappingProps{
		FunctionName:     deliver.Ref(),
		EventSourceArn:   p.data.orders.TableStreamArn(),
		StartingPosition: jsii.String("TRIM_HORIZON"),
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
			Filters: []*awslambda.CfnEventSourceMapping_FilterProperty{
				{Pattern: jsii.String(dynamo.StreamFilter)},
			},
		},
		BatchSize:                  jsii.Number(10),
		ParallelizationFactor:      jsii.Number(10),
		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(10),
		MaximumRecordAgeInSeconds:  jsii.Number(3600), // by then the sweep has long taken over
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: p.dead["Mails"].QueueArn()},
		},
	})

	rule := awsevents.NewCfnRule(p.stack, jsii.String("MailRule"), &awsevents.CfnRuleProps{
		Description: jsii.String("What became of our mails"),
		EventPattern: map[string]any{
			"source": []string{"aws.ses"},
			"detail": map[string]any{"mail": map[string]any{"tags": map[string]any{"ses:configuration-set": []*string{p.configurationSet.Ref()}}}},
		},
		Targets: []*awsevents.CfnRule_TargetProperty{{
			Id:               jsii.String("Deliver"),
			Arn:              deliver.AttrArn(),
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: p.dead["Events"].QueueArn()},
		}},
	})
	awslambda.NewCfnPermission(p.stack, jsii.String("DeliverByEvents"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: deliver.AttrArn(),
		Principal:    jsii.String("events.amazonaws.com"),
		SourceArn:    rule.AttrArn(),
	})
	p.dead["Events"].AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{p.dead["Events"].QueueArn()},
		Conditions: &map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule.AttrArn()}},
	}))
	p.async("Deliver", "Events", 2, 6*time.Hour)
}

// addSchedules has Stock and Sweep called by the clock. A tick that cannot be
// delivered is not repeated: the next one does the same work.
func (p *pipeline) addSchedules() {
	role := awsiam.NewRole(p.stack, jsii.String("ClockRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": p.settings.Account}},
		}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"Clock": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
			Statements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("lambda:InvokeFunction"),
				Resources: &[]*string{p.functions["Stock"].AttrArn(), p.functions["Sweep"].AttrArn()},
			})},
		})},
	})
	for _, clock := range []struct{ id, expression string }{
		{"Stock", p.settings.Schedule},
		{"Sweep", "rate(1 minute)"},
	} {
		awsscheduler.NewCfnSchedule(p.stack, jsii.String(clock.id+"Clock"), &awsscheduler.CfnScheduleProps{
			ScheduleExpression: jsii.String(clock.expression),
			FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
			Target: &awsscheduler.CfnSchedule_TargetProperty{
				Arn:         p.functions[clock.id].AttrArn(),
				RoleArn:     role.RoleArn(),
				RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumRetryAttempts: jsii.Number(0), MaximumEventAgeInSeconds: jsii.Number(60)},
			},
		})
		p.async(clock.id, "Ticks", 0, time.Minute)
	}
}

// arn completes what follows the partition in an ARN.
func (p *pipeline) arn(rest string) string { return "arn:" + *awscdk.Aws_PARTITION() + ":" + rest }

// here returns the ARN of a service's resource in this account and region.
func (p *pipeline) here(service, resource string) string {
	return p.arn(service + ":" + p.settings.Region + ":" + p.settings.Account + ":" + resource)
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}

// checkZips tells which functions have not been built.
func checkZips(s Settings) error {
	var missing []string
	for _, f := range functions {
		if _, err := os.Stat(s.zip(f)); err != nil {
			missing = append(missing, s.zip(f))
		}
	}
	if missing != nil {
		return fmt.Errorf("not built for %s: %s; run `make build`", s.Architecture, strings.Join(missing, ", "))
	}
	return nil
}
