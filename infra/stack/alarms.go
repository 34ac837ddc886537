package stack

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
)

// addAlarms tells the operator by mail of whatever does not mend itself.
func (p *pipeline) addAlarms() {
	topic := awssns.NewTopic(p.stack, jsii.String("Alarms"), &awssns.TopicProps{
		DisplayName: jsii.String(p.settings.Name),
		MasterKey:   p.data.key,
		EnforceSSL:  jsii.Bool(true),
	})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": p.settings.Account}},
	}))
	awssns.NewCfnSubscription(p.stack, jsii.String("AlarmsToOperator"), &awssns.CfnSubscriptionProps{
		TopicArn: topic.TopicArn(),
		Protocol: jsii.String("email"),
		Endpoint: jsii.String(p.settings.Operator.Address),
	})

	alarm := func(id, says, namespace, metric, statistic, dimension string, of *string, above, periods float64) {
		dimensions := []*awscloudwatch.CfnAlarm_DimensionProperty{}
		if dimension != "" {
			dimensions = append(dimensions, &awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String(dimension), Value: of})
		}
		awscloudwatch.NewCfnAlarm(p.stack, jsii.String(id), &awscloudwatch.CfnAlarmProps{
			AlarmDescription:   jsii.String(says),
			Namespace:          jsii.String(namespace),
			MetricName:         jsii.String(metric),
			Dimensions:         dimensions,
			Statistic:          jsii.String(statistic),
			Period:             jsii.Number(60),
			EvaluationPeriods:  jsii.Number(periods),
			ComparisonOperator: jsii.String("GreaterThanThreshold"),
			Threshold:          jsii.Number(above),
			TreatMissingData:   jsii.String("notBreaching"),
			AlarmActions:       &[]any{topic.TopicArn()},
			OkActions:          &[]any{topic.TopicArn()},
		})
	}
	for _, what := range slices.Sorted(maps.Keys(p.dead)) {
		alarm("Dead"+what+"Alarm", "Something was given up: look into the queue Dead"+what,
			"AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName", p.dead[what].QueueName(), 0, 1)
	}
	for _, f := range functions {
		alarm(f.id+"Errors", f.id+" fails: look into its log",
			"AWS/Lambda", "Errors", "Sum", "FunctionName", p.functions[f.id].Ref(), 0, 3)
		alarm(f.id+"Throttles", f.id+" is held back by the account's or its own limit of executions",
			"AWS/Lambda", "Throttles", "Sum", "FunctionName", p.functions[f.id].Ref(), 0, 5)
	}
	alarm("MailsLate", "Mails wait: Deliver does not keep up with the stream",
		"AWS/Lambda", "IteratorAge", "Maximum", "FunctionName", p.functions["Deliver"].Ref(), 300_000, 3)
	alarm("FillsLate", "Waiting lines are not being filled: Fill does not keep up with its queue",
		"AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.fills.QueueName(), 900, 3)
	alarm("RangesLate", "Key files are not being loaded: Ingest does not keep up with its queue",
		"AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.ranges.QueueName(), 3600, 3)

	// Trouble of the account or the sender fails no invocation: the mails stay due,
	// and Deliver logs an error. The stack's name keeps two copies apart.
	awslogs.NewCfnMetricFilter(p.stack, jsii.String("MailTroubleFilter"), &awslogs.CfnMetricFilterProps{
		LogGroupName:  p.logs["Deliver"].Ref(),
		FilterPattern: jsii.String(`{ $.level = "ERROR" }`),
		MetricTransformations: []*awslogs.CfnMetricFilter_MetricTransformationProperty{{
			MetricNamespace: jsii.String(p.settings.Name),
			MetricName:      jsii.String("MailTrouble"),
			MetricValue:     jsii.String("1"),
		}},
	})
	alarm("MailTroubleAlarm", "Mails cannot be sent (sandbox, unverified sender, sending paused, account suspended) or notices cannot arrive: look into Deliver's log",
		p.settings.Name, "MailTrouble", "Sum", "", nil, 0, 1)
}
