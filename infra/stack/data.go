package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
	"keypool/shared/dynamo"
	"keypool/shared/job"
)

// data is the stack of tables, key and reports, which outlives every other.
type data struct {
	stack   awscdk.Stack
	key     awskms.Key
	tables  map[string]awsdynamodb.Table // by ID
	reports awss3.Bucket
}

func newData(scope constructs.Construct, s deployment.Settings) *data {
	d := &data{tables: map[string]awsdynamodb.Table{}, stack: awscdk.NewStack(scope, jsii.String(s.DataStack()), &awscdk.StackProps{
		Env:                   &awscdk.Environment{Account: jsii.String(s.Account), Region: jsii.String(s.Region)},
		Description:           jsii.String("Keypool: the tables, their key, the upload reports"),
		TerminationProtection: jsii.Bool(!s.DeleteData),
		AnalyticsReporting:    jsii.Bool(false),
	})}
	d.key = awskms.NewKey(d.stack, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String(s.Name + ": tables, buckets, queues, logs and accounts' secrets"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     removal(s),
		Policy:            keyPolicy(s),
	})

	for i, schema := range dynamo.Schemas(dynamo.Tables{}) {
		id := deployment.Tables[i]
		d.tables[id] = newTable(d.stack, id, s, d.key, schema)
	}
	d.reports = newBucket(d.stack, "Reports", s, d.key, &awss3.BucketProps{
		// A report that a fault or an attacker overwrote can be had back for a month.
		Versioned: jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{
			{
				// Reports are put together from these files. The reports themselves are kept.
				Id:         jsii.String("rejected lines"),
				Prefix:     jsii.String("rejected/"),
				Expiration: awscdk.Duration_Days(jsii.Number(30)),
			},
			{
				// Whoever has the link to a file of keys has the keys. No version of one outlives its
				// day, and no part of one that was not finished.
				Id:                                  jsii.String("exports"),
				Prefix:                              jsii.String(job.FilesPrefix),
				Expiration:                          awscdk.Duration_Days(jsii.Number(job.FileKept.Hours() / 24)),
				NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(job.FileKept.Hours() / 24)),
				AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(job.FileKept.Hours() / 24)),
			},
			replacedOrDeleted(30),
		},
	})

	output(d.stack, "ReportsBucket", d.reports.BucketName())
	for _, id := range deployment.Tables {
		output(d.stack, id+"Table", d.tables[id].TableName())
	}
	output(d.stack, "KmsKey", d.key.KeyArn())
	return d
}

// newTable makes a table with the schema that the store relies on.
func newTable(scope constructs.Construct, id string, s deployment.Settings, key awskms.IKey, schema *dynamodb.CreateTableInput) awsdynamodb.Table {
	kinds := map[string]awsdynamodb.AttributeType{}
	for _, a := range schema.AttributeDefinitions {
		kinds[*a.AttributeName] = map[types.ScalarAttributeType]awsdynamodb.AttributeType{
			types.ScalarAttributeTypeS: awsdynamodb.AttributeType_STRING,
			types.ScalarAttributeTypeN: awsdynamodb.AttributeType_NUMBER,
		}[a.AttributeType]
	}
	// attributes returns the partition key of a schema and its sort key, nil if it has none.
	attributes := func(elements []types.KeySchemaElement) (partition, sort *awsdynamodb.Attribute) {
		for _, e := range elements {
			attribute := &awsdynamodb.Attribute{Name: e.AttributeName, Type: kinds[*e.AttributeName]}
			if e.KeyType == types.KeyTypeHash {
				partition = attribute
			} else {
				sort = attribute
			}
		}
		return partition, sort
	}

	props := &awsdynamodb.TableProps{
		BillingMode:                      awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:                       awsdynamodb.TableEncryption_CUSTOMER_MANAGED,
		EncryptionKey:                    key,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		DeletionProtection:               jsii.Bool(!s.DeleteData),
		RemovalPolicy:                    removal(s),
	}
	props.PartitionKey, props.SortKey = attributes(schema.KeySchema)
	if schema.StreamSpecification != nil {
		props.Stream = awsdynamodb.StreamViewType(schema.StreamSpecification.StreamViewType)
	}
	if id == "Sessions" {
		// Nobody wants a session back, or a deployment's next life to know those of its last one.
		props.PointInTimeRecoverySpecification, props.DeletionProtection, props.RemovalPolicy = nil, jsii.Bool(false), awscdk.RemovalPolicy_DESTROY
	}
	if id == "Orders" || id == "Sessions" {
		props.TimeToLiveAttribute = jsii.String(dynamo.ExpiresAttribute)
	}
	table := awsdynamodb.NewTable(scope, jsii.String(id), props)
	for _, index := range schema.GlobalSecondaryIndexes {
		props := &awsdynamodb.GlobalSecondaryIndexProps{
			IndexName:      index.IndexName,
			ProjectionType: awsdynamodb.ProjectionType(index.Projection.ProjectionType),
		}
		props.PartitionKey, props.SortKey = attributes(index.KeySchema)
		if also := index.Projection.NonKeyAttributes; also != nil {
			props.NonKeyAttributes = jsii.Strings(also...)
		}
		table.AddGlobalSecondaryIndex(props)
	}
	return table
}

// keyPolicy lets the account manage the key by its IAM policies, and lets the services
// that store or carry our data use it. It lists the actions instead of the usual kms:*,
// so that none of our policies has a wildcard among its actions.
func keyPolicy(s deployment.Settings) awsiam.PolicyDocument {
	use := []string{"kms:Decrypt", "kms:GenerateDataKey"}
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{
		Statements: &[]awsiam.PolicyStatement{
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Sid:        jsii.String("Account"),
				Principals: &[]awsiam.IPrincipal{awsiam.NewAccountRootPrincipal()},
				Actions: jsii.Strings(
					"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:CreateGrant", "kms:Decrypt", "kms:DeleteAlias", "kms:DescribeKey",
					"kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:Encrypt",
					"kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
					"kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations", "kms:ListResourceTags", "kms:PutKeyPolicy",
					"kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:RetireGrant", "kms:RevokeGrant", "kms:RotateKeyOnDemand",
					"kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
				),
				Resources: jsii.Strings("*"), // in a key's policy: this key
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Sid:        jsii.String("Logs"),
				Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("logs."+s.Region+".amazonaws.com"), nil)},
				Actions: jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
					"kms:ReEncryptFrom", "kms:ReEncryptTo"),
				Resources: jsii.Strings("*"),
				Conditions: &map[string]any{"ArnLike": map[string]any{
					"kms:EncryptionContext:aws:logs:arn": "arn:" + *awscdk.Aws_PARTITION() + ":logs:" + s.Region + ":" + s.Account + ":log-group:" + s.Name + "-*",
				}},
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Sid:        jsii.String("Alarms"), // to the encrypted topic
				Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil)},
				Actions:    jsii.Strings(use...),
				Resources:  jsii.Strings("*"),
				Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Account}},
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Sid:        jsii.String("Events"), // that could not be handed over, to their dead-letter queue
				Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
				Actions:    jsii.Strings(use...),
				Resources:  jsii.Strings("*"),
				// No condition: EventBridge names no account when it uses a queue's key, and its
				// events would be lost. Who may send to the queue, the queue's own policy says.
			}),
		},
	})
}

// newBucket makes a bucket with the properties of all our buckets: encrypted with our
// key, TLS only, closed to the public, and kept when its stack is deleted.
func newBucket(scope constructs.Construct, id string, s deployment.Settings, key awskms.IKey, props *awss3.BucketProps) awss3.Bucket {
	props.Encryption = awss3.BucketEncryption_KMS
	props.EncryptionKey = key
	props.BucketKeyEnabled = jsii.Bool(true)
	props.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	props.ObjectOwnership = awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED
	props.EnforceSSL = jsii.Bool(true)
	if props.RemovalPolicy == "" {
		props.RemovalPolicy = removal(s)
	}
	if props.LifecycleRules == nil {
		props.LifecycleRules = &[]*awss3.LifecycleRule{}
	}
	*props.LifecycleRules = append(*props.LifecycleRules, &awss3.LifecycleRule{
		Id:                                  jsii.String("unfinished"),
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
	})
	return awss3.NewBucket(scope, jsii.String(id), props)
}

func removal(s deployment.Settings) awscdk.RemovalPolicy {
	if s.DeleteData {
		return awscdk.RemovalPolicy_DESTROY
	}
	return kept
}

// kept outlives its stack. But if the stack's creation fails it is deleted, since it
// holds nothing yet, and would be in the way of the next try.
const kept = awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE

// replacedOrDeleted lets versions of objects that are not current go after some days.
func replacedOrDeleted(days float64) *awss3.LifecycleRule {
	return &awss3.LifecycleRule{
		Id:                          jsii.String("replaced or deleted"),
		NoncurrentVersionExpiration: awscdk.Duration_Days(jsii.Number(days)),
		ExpiredObjectDeleteMarker:   jsii.Bool(true),
	}
}

func output(stack awscdk.Stack, name string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{Value: value})
}
