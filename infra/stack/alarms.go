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

// alarm tells the operator when a metric was above a value for so many minutes.
type alarm struct {
	id, says          string
	namespace, metric string
	statistic         string
	dimension         string // "" for a metric of our own
	of                *string
	above, minutes    float64
}

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

	for _, a := range p.alarms() {
		props := &awscloudwatch.CfnAlarmProps{
			AlarmDescription:   jsii.String(a.says),
			Namespace:          jsii.String(a.namespace),
			MetricName:         jsii.String(a.metric),
			Statistic:          jsii.String(a.statistic),
			Period:             jsii.Number(60),
			EvaluationPeriods:  jsii.Number(a.minutes),
			ComparisonOperator: jsii.String("GreaterThanThreshold"),
			Threshold:          jsii.Number(a.above),
			TreatMissingData:   jsii.String("notBreaching"),
			AlarmActions:       &[]any{topic.TopicArn()},
			OkActions:          &[]any{topic.TopicArn()},
		}
		if a.dimension != "" {
			props.Dimensions = []*awscloudwatch.CfnAlarm_DimensionProperty{{Name: jsii.String(a.dimension), Value: a.of}}
		}
		awscloudwatch.NewCfnAlarm(p.stack, jsii.String(a.id), props)
	}
}

// alarms are what is watched. What a function logs as an error needs somebody to
// act, mails that cannot be sent above all: the function itself succeeds then, and
// its metrics show nothing.
func (p *pipeline) alarms() []alarm {
	const lambda, sqs = "AWS/Lambda", "AWS/SQS"
	var all []alarm
	for _, what := range slices.Sorted(maps.Keys(p.dead)) {
		all = append(all, alarm{
			"Dead" + what + "Alarm", "Something was given up: look into the queue Dead" + what,
			sqs, "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName", p.dead[what].QueueName(), 0, 1,
		})
	}
	for _, f := range functions {
		name := p.functions[f.id].Ref()
		logged, says := f.id+"ErrorLines", f.id+" met what it cannot mend: look for ERROR in its log"
		if f.id == "Deliver" {
			says = "Mails cannot be sent (sandbox, unverified sender, sending paused, account suspended) or notices cannot arrive: look for ERROR in Deliver's log"
		}
		awslogs.NewCfnMetricFilter(p.stack, jsii.String(logged), &awslogs.CfnMetricFilterProps{
			LogGroupName:  p.logs[f.id].Ref(),
			FilterPattern: jsii.String(`{ $.level = "ERROR" }`),
			MetricTransformations: []*awslogs.CfnMetricFilter_MetricTransformationProperty{
				{MetricNamespace: jsii.String(p.settings.Name), MetricName: jsii.String(logged), MetricValue: jsii.String("1")},
			},
		})
		all = append(
			all,
			alarm{f.id + "Errors", f.id + " fails: look into its log", lambda, "Errors", "Sum", "FunctionName", name, 0, 3},
			alarm{f.id + "LogAlarm", says, p.settings.Name, logged, "Sum", "", nil, 0, 1},
		)
	}
	return append(
		all,
		alarm{
			"OrdersThrottled", "Orders are turned away by the limit of executions: platforms repeat them, for a while",
			lambda, "Throttles", "Sum", "FunctionName", p.functions["Webhook"].Ref(), 0, 1,
		},
		alarm{
			"MailsLate", "Mails wait: Deliver does not keep up with the stream",
			lambda, "IteratorAge", "Maximum", "FunctionName", p.functions["Deliver"].Ref(), 300_000, 3,
		},
		alarm{
			"FillsLate", "Waiting lines are not being filled: Fill does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.fills.QueueName(), 900, 3,
		},
		alarm{
			"RangesLate", "Key files are not being loaded: Ingest does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.ranges.QueueName(), 3600, 3,
		},
	)
}
