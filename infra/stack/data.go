package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// data is the stack that outlives every other: tables, key and reports.
type data struct {
	stack                 awscdk.Stack
	key                   awskms.Key
	catalog, keys, orders awsdynamodb.Table
	reports               awss3.Bucket
}

func newData(scope constructs.Construct, s Settings) *data {
	d := &data{stack: awscdk.NewStack(scope, jsii.String(s.Name+"-Data"), &awscdk.StackProps{
		Env:                   &awscdk.Environment{Account: jsii.String(s.Account), Region: jsii.String(s.Region)},
		Description:           jsii.String("Keypool: the tables, their key, the upload reports"),
		TerminationProtection: jsii.Bool(!s.Erase),
		AnalyticsReporting:    jsii.Bool(false),
	})}
	d.key = awskms.NewKey(d.stack, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String(s.Name + ": tables, buckets, queues, logs and accounts' secrets"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     s.removal(),
		Policy:            keyPolicy(s),
	})

	d.catalog = d.table(s, "Catalog", "pk", "sk", "")
	d.index(d.catalog, "due", text("due"), number("dueAt"))
	d.index(d.catalog, "kind", text("kind"), text("pk"))

	d.keys = d.table(s, "Keys", "pk", "", "")
	d.index(d.keys, "available", text("shard"), text("place"), "text", "upload")

	d.orders = d.table(s, "Orders", "pk", "sk", awsdynamodb.StreamViewType_NEW_IMAGE)
	d.index(d.orders, "due", text("due"), number("dueAt"))

	d.reports = newBucket(d.stack, "Reports", s, d.key, &awss3.BucketProps{
		// The parts that a report is put together from; the report itself stays.
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:         jsii.String("rejected lines"),
			Prefix:     jsii.String("rejected/"),
			Expiration: awscdk.Duration_Days(jsii.Number(30)),
		}},
	})

	output(d.stack, "ReportsBucket", d.reports.BucketName())
	output(d.stack, "CatalogTable", d.catalog.TableName())
	output(d.stack, "KeysTable", d.keys.TableName())
	output(d.stack, "OrdersTable", d.orders.TableName())
	output(d.stack, "KmsKey", d.key.KeyArn())
	return d
}

func (d *data) table(s Settings, id, partition, sort string, stream awsdynamodb.StreamViewType) awsdynamodb.Table {
	props := &awsdynamodb.TableProps{
		PartitionKey:                     text(partition),
		BillingMode:                      awsdynamodb.BillingMode_PAY_PER_REQUEST,
		Encryption:                       awsdynamodb.TableEncryption_CUSTOMER_MANAGED,
		EncryptionKey:                    d.key,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		DeletionProtection:               jsii.Bool(!s.Erase),
		RemovalPolicy:                    s.removal(),
		Stream:                           stream,
	}
	if sort != "" {
		props.SortKey = text(sort)
	}
	return awsdynamodb.NewTable(d.stack, jsii.String(id), props)
}

// index adds an index that projects the keys alone, or the named attributes too.
func (d *data) index(table awsdynamodb.Table, name string, partition, sort *awsdynamodb.Attribute, also ...string) {
	props := &awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(name),
		PartitionKey:   partition,
		SortKey:        sort,
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
	}
	if len(also) > 0 {
		props.ProjectionType = awsdynamodb.ProjectionType_INCLUDE
		props.NonKeyAttributes = jsii.Strings(also...)
	}
	table.AddGlobalSecondaryIndex(props)
}

func text(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
}

func number(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_NUMBER}
}

// keyPolicy lets the account govern the key, by its own policies, and the
// services that store or carry data for us use it. The usual kms:* is spelt out,
// so that no policy of ours has a wildcard among its actions.
func keyPolicy(s Settings) awsiam.PolicyDocument {
	account := &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": s.Account}}
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
				Conditions: account,
			}),
			awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Sid:        jsii.String("Events"), // that could not be handed over, to their dead-letter queue
				Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
				Actions:    jsii.Strings(use...),
				Resources:  jsii.Strings("*"),
				Conditions: account,
			}),
		},
	})
}

// newBucket makes a bucket as all of ours are: encrypted with our key, reached
// over TLS alone, closed to the public, kept when its stack goes.
func newBucket(scope constructs.Construct, id string, s Settings, key awskms.IKey, props *awss3.BucketProps) awss3.Bucket {
	props.Encryption = awss3.BucketEncryption_KMS
	props.EncryptionKey = key
	props.BucketKeyEnabled = jsii.Bool(true)
	props.BlockPublicAccess = awss3.BlockPublicAccess_BLOCK_ALL()
	props.ObjectOwnership = awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED
	props.EnforceSSL = jsii.Bool(true)
	if props.RemovalPolicy == "" {
		props.RemovalPolicy = s.removal()
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

func (s Settings) removal() awscdk.RemovalPolicy {
	if s.Erase {
		return awscdk.RemovalPolicy_DESTROY
	}
	return awscdk.RemovalPolicy_RETAIN
}

func output(stack awscdk.Stack, name string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{Value: value})
}
