package stack

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"keypool/shared/dynamo"
)

// right lets a function do some actions on one thing.
type right struct {
	on    thing
	may   string   // actions of the thing's service
	items []string // of a table: only items whose partition key begins so
}

// rights is every right of every function, and there is no other: roles are given
// these statements and nothing is granted elsewhere. A test holds the list, and
// the one-machine run refuses whatever is missing here.
var rights = map[string][]right{
	"Ingest": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix}},
		{on: catalogTable, may: "PutItem", items: []string{dynamo.UploadsPrefix, dynamo.ParkedPrefix}},
		{on: catalogTable, may: "UpdateItem", items: []string{dynamo.CountsPrefix, dynamo.UploadsPrefix, dynamo.RangesPrefix}},
		{on: catalogTable, may: "DeleteItem", items: []string{dynamo.ParkedPrefix}},
		{on: catalogTable, may: "Query", items: []string{dynamo.RangesPrefix}},
		{on: keysTable, may: "PartiQLInsert BatchGetItem"},
		{on: ordersTable, may: "PutItem", items: []string{dynamo.NoticePrefix}},
		{on: tableKey, may: readAndWrite},
		{on: uploadedFiles, may: "GetObject GetObjectVersion PutObjectTagging PutObjectVersionTagging"},
		{on: uploadsBucket, may: "ListBucket"}, // without it, S3 does not say that a file is gone
		{on: reportFiles, may: "GetObject PutObject AbortMultipartUpload"},
		{on: bucketKey, may: "Decrypt GenerateDataKey"},
		{on: rangesQueue, may: "ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes SendMessage"},
		{on: fillQueue, may: "SendMessage"},
		{on: deadUploads, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Webhook": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
		{on: keysTable, may: "BatchGetItem UpdateItem"},
		{on: keysAvailable, may: "Query"},
		{on: ordersTable, may: "GetItem", items: []string{dynamo.OrderPrefix}},
		{on: ordersTable, may: "Query", items: []string{dynamo.QueuePrefix}},
		{on: ordersTable, may: "PutItem", items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.NoticePrefix, dynamo.RefusedPrefix}},
		{on: tableKey, may: readAndWrite},
		{on: accountSecrets, may: "Decrypt"},
		{on: fillQueue, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Fill": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
		{on: keysTable, may: "BatchGetItem UpdateItem"},
		{on: keysAvailable, may: "Query"},
		{on: ordersTable, may: "GetItem", items: []string{dynamo.AlertPrefix}},
		{on: ordersTable, may: "BatchGetItem", items: []string{dynamo.OrderPrefix}},
		{on: ordersTable, may: "Query DeleteItem", items: []string{dynamo.QueuePrefix, dynamo.UnconnectedPrefix}},
		{on: ordersTable, may: "PutItem", items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.AlertPrefix, dynamo.NoticePrefix}},
		{on: tableKey, may: readAndWrite},
		{on: fillQueue, may: "ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Deliver": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix}},
		{on: catalogTable, may: "UpdateItem", items: []string{dynamo.CountsPrefix}},
		{on: ordersTable, may: "GetItem PutItem UpdateItem", items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
		{on: ordersTable, may: "Query", items: []string{dynamo.OrderPrefix}},
		{on: ordersStream, may: "DescribeStream GetRecords GetShardIterator"},
		{on: ordersStreams, may: "ListStreams"},
		{on: tableKey, may: readAndWrite},
		// The one call has two names. SES checks the second for MIME, and may for attachments.
		{on: senderIdentities, may: "SendEmail SendRawEmail"},
		{on: configurationSet, may: "SendEmail SendRawEmail"},
		{on: deadMails, may: "SendMessage"},
		{on: deadEvents, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Stock": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.SettingsPrefix, dynamo.CountsPrefix}},
		{on: catalogTable, may: "UpdateItem", items: []string{dynamo.CountsPrefix}},
		{on: catalogKind, may: "Query"},
		{on: keysAvailable, may: "Query"},
		{on: ordersTable, may: "GetItem PutItem", items: []string{dynamo.AlertPrefix, dynamo.NoticePrefix}},
		{on: ordersTable, may: "Query", items: []string{dynamo.QueuePrefix}},
		{on: tableKey, may: readAndWrite},
		{on: deadTicks, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Sweep": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.SettingsPrefix}},
		{on: catalogTable, may: "BatchGetItem UpdateItem", items: []string{dynamo.UploadsPrefix}},
		{on: catalogDue, may: "Query"},
		{on: ordersTable, may: "BatchGetItem UpdateItem", items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
		{on: ordersTable, may: "PutItem", items: []string{dynamo.NoticePrefix}},
		{on: ordersDue, may: "Query"},
		{on: tableKey, may: readAndWrite},
		{on: rangesQueue, may: "SendMessage"},
		{on: fillQueue, may: "SendMessage"},
		{on: deadTicks, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Api": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.CountsPrefix, dynamo.TokenPrefix, dynamo.UploadsPrefix}},
		{on: catalogTable, may: "Query", items: []string{dynamo.SettingsPrefix, dynamo.UploadsPrefix, dynamo.ParkedPrefix}},
		{on: catalogTable, may: "PutItem", items: []string{dynamo.SettingsPrefix}},
		{on: catalogTable, may: "DeleteItem", items: []string{dynamo.SettingsPrefix}},
		{on: keysAvailable, may: "Query"},
		{on: ordersTable, may: "Query", items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix}},
		{on: tableKey, may: readAndWrite},
		{on: uploadedFiles, may: "PutObject"},
		{on: reportFiles, may: "GetObject"},
		{on: bucketKey, may: "Decrypt GenerateDataKey"},
		{on: accountSecrets, may: "Encrypt"},
		{on: rangesQueue, may: "SendMessage"},
		{on: fillQueue, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
	"Operator": {
		{on: catalogTable, may: "GetItem", items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
		{on: catalogTable, may: "Query", items: []string{dynamo.SettingsPrefix}},
		{on: catalogTable, may: "PutItem", items: []string{dynamo.MerchantPrefix, dynamo.TokenPrefix}},
		{on: tableKey, may: readAndWrite},
		{on: fillQueue, may: "SendMessage"},
		{on: queueKey, may: "Decrypt GenerateDataKey"},
		{on: ownLogs, may: writeLogs},
	},
}

const (
	// What DynamoDB asks of whoever writes to a table under a key of the account's.
	readAndWrite = "Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
	writeLogs    = "CreateLogStream PutLogEvents"
)

// thing is what a right is about.
type thing string

const (
	catalogTable     thing = "table of the catalog"
	catalogDue       thing = "index due of the catalog"
	catalogKind      thing = "index kind of the catalog"
	keysTable        thing = "table of keys"
	keysAvailable    thing = "index available of keys"
	ordersTable      thing = "table of orders"
	ordersDue        thing = "index due of orders"
	ordersStream     thing = "stream of orders"
	ordersStreams    thing = "streams that orders ever had"
	uploadedFiles    thing = "files in the upload bucket"
	uploadsBucket    thing = "upload bucket"
	reportFiles      thing = "files in the reports bucket"
	rangesQueue      thing = "queue of ranges"
	fillQueue        thing = "queue of fills"
	deadUploads      thing = "dead-letter queue of uploads"
	deadMails        thing = "dead-letter queue of mails"
	deadEvents       thing = "dead-letter queue of events"
	deadTicks        thing = "dead-letter queue of ticks"
	senderIdentities thing = "identities that the sender's address may send as"
	configurationSet thing = "configuration set"
	tableKey         thing = "key, by way of DynamoDB"
	bucketKey        thing = "key, by way of S3"
	queueKey         thing = "key, by way of SQS"
	accountSecrets   thing = "key, for the secrets of accounts"
	ownLogs          thing = "the function's own log"
)

// target is how a thing stands in a policy.
type target struct {
	service  string
	resource string
	only     map[string]any // condition
}

// target resolves a thing for the function with that id. Patterns are few: the
// files of a bucket, the streams of a table, the identities of an account (whose
// use the sender's address limits) and the streams of a log group.
func (p *pipeline) target(on thing, id string) target {
	via := func(service string) map[string]any {
		return map[string]any{"StringEquals": map[string]any{"kms:ViaService": service + "." + p.settings.Region + ".amazonaws.com"}}
	}
	key := *p.data.key.KeyArn()
	switch on {
	case catalogTable:
		return target{"dynamodb", *p.data.catalog.TableArn(), nil}
	case catalogDue:
		return target{"dynamodb", *p.data.catalog.TableArn() + "/index/due", nil}
	case catalogKind:
		return target{"dynamodb", *p.data.catalog.TableArn() + "/index/kind", nil}
	case keysTable:
		return target{"dynamodb", *p.data.keys.TableArn(), nil}
	case keysAvailable:
		return target{"dynamodb", *p.data.keys.TableArn() + "/index/available", nil}
	case ordersTable:
		return target{"dynamodb", *p.data.orders.TableArn(), nil}
	case ordersDue:
		return target{"dynamodb", *p.data.orders.TableArn() + "/index/due", nil}
	case ordersStream:
		return target{"dynamodb", *p.data.orders.TableStreamArn(), nil}
	case ordersStreams:
		return target{"dynamodb", *p.data.orders.TableArn() + "/stream/*", nil}
	case uploadedFiles:
		return target{"s3", p.arn("s3:::" + p.uploadsName() + "/*"), nil}
	case uploadsBucket:
		return target{"s3", p.arn("s3:::" + p.uploadsName()), nil}
	case reportFiles:
		return target{"s3", *p.data.reports.BucketArn() + "/*", nil}
	case rangesQueue:
		return target{"sqs", *p.ranges.QueueArn(), nil}
	case fillQueue:
		return target{"sqs", *p.fills.QueueArn(), nil}
	case deadUploads:
		return target{"sqs", *p.dead["Uploads"].QueueArn(), nil}
	case deadMails:
		return target{"sqs", *p.dead["Mails"].QueueArn(), nil}
	case deadEvents:
		return target{"sqs", *p.dead["Events"].QueueArn(), nil}
	case deadTicks:
		return target{"sqs", *p.dead["Ticks"].QueueArn(), nil}
	case senderIdentities:
		return target{
			"ses", p.here("ses", "identity/*"),
			map[string]any{"StringEquals": map[string]any{"ses:FromAddress": p.settings.Sender.Address}},
		}
	case configurationSet:
		return target{"ses", p.here("ses", "configuration-set/"+*p.configurationSet.Ref()), nil}
	case tableKey:
		return target{"kms", key, via("dynamodb")}
	case bucketKey:
		return target{"kms", key, via("s3")}
	case queueKey:
		return target{"kms", key, via("sqs")}
	case accountSecrets:
		return target{"kms", key, map[string]any{
			"ForAllValues:StringEquals": map[string]any{"kms:EncryptionContextKeys": []string{"merchant", "account"}},
		}}
	case ownLogs:
		return target{"logs", *p.logs[id].AttrArn(), nil}
	}
	panic("no policy is known for the " + string(on))
}

// policy returns the rights of a function as statements.
func (p *pipeline) policy(id string) awsiam.PolicyDocument {
	var statements []awsiam.PolicyStatement
	for _, r := range rights[id] {
		t := p.target(r.on, id)
		props := &awsiam.PolicyStatementProps{Resources: jsii.Strings(t.resource), Actions: &[]*string{}}
		for action := range strings.FieldsSeq(r.may) {
			*props.Actions = append(*props.Actions, jsii.String(t.service+":"+action))
		}
		if r.items != nil {
			begins := make([]string, len(r.items))
			for i, prefix := range r.items {
				begins[i] = prefix + "*"
			}
			t.only = map[string]any{"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": begins}}
		}
		if t.only != nil {
			props.Conditions = &t.only
		}
		statements = append(statements, awsiam.NewPolicyStatement(props))
	}
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &statements})
}
