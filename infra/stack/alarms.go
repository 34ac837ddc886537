package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
)

// alarm tells the operator that a metric was above a value for some minutes.
type alarm struct {
	id, says          string
	namespace, metric string
	statistic         string
	dimension         string // "" for a metric of our own
	of                *string
	above, minutes    float64
}

// addAlarms makes the alarms, which reach the operator by mail.
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

// alarms returns the alarms. A line that a function logs as an error needs somebody to
// act, above all a mail that cannot be sent: the function itself succeeds then, and its
// metrics show nothing.
func (p *pipeline) alarms() []alarm {
	const lambda, sqs = "AWS/Lambda", "AWS/SQS"
	var all []alarm
	for _, id := range deployment.DeadLetterQueues {
		all = append(all, alarm{
			id + "Alarm", "Something was given up: look into the queue " + id,
			sqs, "ApproximateNumberOfMessagesVisible", "Maximum", "QueueName", p.queues[id].QueueName(), 0, 1,
		})
	}
	for _, f := range deployment.Functions {
		name := p.functions[f.ID].Ref()
		logged, says := f.ID+"ErrorLines", f.ID+" met what it cannot mend: look for ERROR in its log"
		if f.ID == "Deliver" {
			says = "Mails cannot be sent (sandbox, unverified sender, sending paused, account suspended) or notices cannot arrive: look for ERROR in Deliver's log"
		}
		awslogs.NewCfnMetricFilter(p.stack, jsii.String(logged), &awslogs.CfnMetricFilterProps{
			LogGroupName:  p.logs[f.ID].Ref(),
			FilterPattern: jsii.String(`{ $.level = "ERROR" }`),
			MetricTransformations: []*awslogs.CfnMetricFilter_MetricTransformationProperty{
				{MetricNamespace: jsii.String(p.settings.Name), MetricName: jsii.String(logged), MetricValue: jsii.String("1")},
			},
		})
		all = append(
			all,
			alarm{f.ID + "Errors", f.ID + " fails: look into its log", lambda, "Errors", "Sum", "FunctionName", name, 0, 3},
			alarm{f.ID + "LogAlarm", says, p.settings.Name, logged, "Sum", "", nil, 0, 1},
		)
	}
	return append(
		all,
		alarm{
			"OrdersThrottled", "Orders are turned away by the limit of executions: platforms repeat them, for a while",
			lambda, "Throttles", "Sum", "FunctionName", p.functions["Webhook"].Ref(), 0, 1,
		},
		alarm{
			"PortalThrottled", "People are turned away from the portal by the limit of executions: reserve some for it, CONCURRENCY=Portal=20",
			lambda, "Throttles", "Sum", "FunctionName", p.functions["Portal"].Ref(), 0, 3,
		},
		alarm{
			"OrderPagesThrottled", "Customers are turned away from their orders' pages by the limit of executions; their mails arrive as ever",
			lambda, "Throttles", "Sum", "FunctionName", p.functions["OrderPage"].Ref(), 0, 3,
		},
		alarm{
			"MailsLate", "Mails wait: Deliver does not keep up with the stream",
			lambda, "IteratorAge", "Maximum", "FunctionName", p.functions["Deliver"].Ref(), 300_000, 3,
		},
		alarm{
			"FillsLate", "Waiting lines are not being filled: Fill does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.queues["Fills"].QueueName(), 900, 3,
		},
		alarm{
			"CatchupsLate", "Platforms are not being asked what their webhooks did not tell: Catchup does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.queues["Catchups"].QueueName(), 3600, 3,
		},
		alarm{
			"JobsLate", "Work on keys that merchants asked for is not begun: Job does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.queues["Jobs"].QueueName(), 3600, 3,
		},
		alarm{
			"RangesLate", "Key files are not being loaded: Ingest does not keep up with its queue",
			sqs, "ApproximateAgeOfOldestMessage", "Maximum", "QueueName", p.queues["Ranges"].QueueName(), 3600, 3,
		},
	)
}
