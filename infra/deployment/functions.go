package deployment

import (
	"time"

	"keypool/shared/dynamo"
)

// variables are the environment variables that functions may ask for, without
// KEYPOOL_, and their values.
var variables = map[string]string{
	"CATALOG_TABLE":     "${Catalog}",
	"KEYS_TABLE":        "${Keys}",
	"ORDERS_TABLE":      "${Orders}",
	"UPLOADS_BUCKET":    "${UploadsName}",
	"REPORTS_BUCKET":    "${Reports}",
	"RANGES_QUEUE_URL":  "${Ranges}",
	"FILL_QUEUE_URL":    "${Fills}",
	"CONFIGURATION_SET": "${Mail}",
	"KMS_KEY":           "${Key.Arn}",
	"SENDER":            "${Sender}",
	"OPERATOR":          "${OperatorAddress}",
	"MAX_QUANTITY":      "${MaxQuantity}",
	"PATIENCE":          "${Patience}",
}

// Functions are all functions.
var Functions = []Function{
	{
		ID:          "Ingest",
		Description: "Loads a key file, range by range, and writes its report",
		Memory:      1024,
		Timeout:     ingestTimeout,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix}},
			{On: catalogTable, May: "PutItem", Items: []string{dynamo.UploadsPrefix, dynamo.ParkedPrefix}},
			{On: catalogTable, May: "UpdateItem", Items: []string{dynamo.CountsPrefix, dynamo.UploadsPrefix, dynamo.RangesPrefix}},
			{On: catalogTable, May: "DeleteItem", Items: []string{dynamo.ParkedPrefix}},
			{On: catalogTable, May: "Query", Items: []string{dynamo.RangesPrefix}},
			{On: keysTable, May: "PartiQLInsert BatchGetItem"},
			{On: ordersTable, May: "PutItem", Items: []string{dynamo.NoticePrefix}},
			{On: tableKey, May: readAndWrite},
			{On: uploadedFiles, May: "GetObject GetObjectVersion PutObjectTagging PutObjectVersionTagging"},
			{On: uploadsBucket, May: "ListBucket"}, // without it, S3 does not say that a file is gone
			{On: reportFiles, May: "GetObject PutObject AbortMultipartUpload"},
			{On: bucketKey, May: "Decrypt GenerateDataKey"},
			{On: rangesQueue, May: receive + " SendMessage"},
			{On: fillQueue, May: "SendMessage"},
			{On: deadUploads, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Objects: true,
		Queue:   &QueueSource{Queue: "Ranges", Batch: 1, Concurrency: 4},
		Failed:  &Failed{Queue: "DeadUploads", Retries: 2, MaxAge: 6 * time.Hour},
	},
	{
		ID:          "Webhook",
		Description: "Claims keys for the lines of a paid order",
		Memory:      1024,
		Timeout:     20 * time.Second,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL", "MAX_QUANTITY"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
			{On: keysTable, May: "BatchGetItem UpdateItem"},
			{On: keysAvailable, May: "Query"},
			{On: ordersTable, May: "GetItem", Items: []string{dynamo.OrderPrefix}},
			{On: ordersTable, May: "Query", Items: []string{dynamo.QueuePrefix}},
			{On: ordersTable, May: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.NoticePrefix, dynamo.RefusedPrefix}},
			{On: tableKey, May: readAndWrite},
			{On: accountSecrets, May: "Decrypt"},
			{On: fillQueue, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Routes: []Route{{Method: "POST", Path: "/webhooks/{merchant}/{account}"}},
	},
	{
		ID:          "Fill",
		Description: "Gives waiting lines their keys, oldest first",
		Memory:      512,
		Timeout:     fillTimeout,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
			{On: keysTable, May: "BatchGetItem UpdateItem"},
			{On: keysAvailable, May: "Query"},
			{On: ordersTable, May: "GetItem", Items: []string{dynamo.AlertPrefix}},
			{On: ordersTable, May: "BatchGetItem", Items: []string{dynamo.OrderPrefix}},
			{On: ordersTable, May: "Query DeleteItem", Items: []string{dynamo.QueuePrefix, dynamo.UnconnectedPrefix}},
			{On: ordersTable, May: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.AlertPrefix, dynamo.NoticePrefix}},
			{On: tableKey, May: readAndWrite},
			{On: fillQueue, May: receive + " SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Queue: &QueueSource{Queue: "Fills", Batch: 10},
	},
	{
		ID:          "Deliver",
		Description: "Sends mails that are due and applies SES's feedback",
		Memory:      256,
		Timeout:     2 * time.Minute, // most of the time it waits for SES
		Environment: []string{"CATALOG_TABLE", "ORDERS_TABLE", "SENDER", "OPERATOR", "CONFIGURATION_SET"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix}},
			{On: catalogTable, May: "UpdateItem", Items: []string{dynamo.CountsPrefix}},
			{On: ordersTable, May: "GetItem PutItem UpdateItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{On: ordersTable, May: "Query", Items: []string{dynamo.OrderPrefix}},
			{On: ordersStream, May: "DescribeStream GetRecords GetShardIterator"},
			{On: ordersStreams, May: "ListStreams"},
			{On: tableKey, May: readAndWrite},
			// The one call has two names. SES checks the second for MIME, and may for attachments.
			{On: senderIdentities, May: "SendEmail SendRawEmail"},
			{On: configurationSet, May: "SendEmail SendRawEmail"},
			{On: deadMails, May: "SendMessage"},
			{On: deadEvents, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Stream: &StreamSource{
			Filter: dynamo.StreamFilter, Batch: 10, Parallel: 10,
			Retries: 10, MaxAge: time.Hour, // by then the sweep has long taken over
			DeadLetters: "DeadMails",
		},
		MailEvents: true,
		Failed:     &Failed{Queue: "DeadEvents", Retries: 2, MaxAge: 6 * time.Hour},
	},
	{
		ID:          "Stock",
		Description: "Tells merchants of pools that run low",
		Memory:      256,
		Timeout:     5 * time.Minute, // once a night it counts every key: 10 million take a minute or more
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.SettingsPrefix, dynamo.CountsPrefix}},
			{On: catalogTable, May: "UpdateItem", Items: []string{dynamo.CountsPrefix}},
			{On: catalogKind, May: "Query"},
			{On: keysAvailable, May: "Query"},
			{On: ordersTable, May: "GetItem PutItem", Items: []string{dynamo.AlertPrefix, dynamo.NoticePrefix}},
			{On: ordersTable, May: "Query", Items: []string{dynamo.QueuePrefix}},
			{On: tableKey, May: readAndWrite},
			{On: deadTicks, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Schedule: "${Schedule}",
		Failed:   missedTick,
	},
	{
		ID:          "Sweep",
		Description: "Resumes work that stopped halfway",
		Memory:      256,
		Timeout:     50 * time.Second, // it runs every minute
		Environment: []string{"CATALOG_TABLE", "ORDERS_TABLE", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "PATIENCE"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.SettingsPrefix}},
			{On: catalogTable, May: "BatchGetItem UpdateItem", Items: []string{dynamo.UploadsPrefix}},
			{On: catalogDue, May: "Query"},
			{On: ordersTable, May: "BatchGetItem UpdateItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{On: ordersTable, May: "PutItem", Items: []string{dynamo.NoticePrefix}},
			{On: ordersDue, May: "Query"},
			{On: tableKey, May: readAndWrite},
			{On: rangesQueue, May: "SendMessage"},
			{On: fillQueue, May: "SendMessage"},
			{On: deadTicks, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Schedule: "rate(1 minute)",
		Failed:   missedTick,
	},
	{
		ID:          "Api",
		Description: "What merchants set up and look at",
		Memory:      512,
		Timeout:     28 * time.Second, // the HTTP API waits 30 seconds at most
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "KMS_KEY"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.CountsPrefix, dynamo.TokenPrefix, dynamo.UploadsPrefix}},
			{On: catalogTable, May: "Query", Items: []string{dynamo.SettingsPrefix, dynamo.UploadsPrefix, dynamo.ParkedPrefix}},
			{On: catalogTable, May: "PutItem DeleteItem", Items: []string{dynamo.SettingsPrefix}},
			{On: keysAvailable, May: "Query"},
			{On: ordersTable, May: "Query", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix}},
			{On: tableKey, May: readAndWrite},
			{On: uploadedFiles, May: "PutObject"},
			{On: reportFiles, May: "GetObject"},
			{On: bucketKey, May: "Decrypt GenerateDataKey"},
			{On: accountSecrets, May: "Encrypt"},
			{On: rangesQueue, May: "SendMessage"},
			{On: fillQueue, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Routes: []Route{
			{Method: "GET", Path: "/openapi.json"},
			{Method: "ANY", Path: "/v1/{proxy+}"},
		},
	},
	{
		ID:          "Operator",
		Description: "What the operator sets up: merchants and their tokens",
		Memory:      256,
		Timeout:     28 * time.Second,
		Environment: []string{"CATALOG_TABLE", "FILL_QUEUE_URL"},
		Rights: []Right{
			{On: catalogTable, May: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
			{On: catalogTable, May: "Query", Items: []string{dynamo.SettingsPrefix}},
			{On: catalogTable, May: "PutItem", Items: []string{dynamo.MerchantPrefix, dynamo.TokenPrefix}},
			{On: tableKey, May: readAndWrite},
			{On: fillQueue, May: "SendMessage"},
			{On: queueKey, May: "Decrypt GenerateDataKey"},
		},
		Routes: []Route{
			{Method: "GET", Path: "/operator/openapi.json"},
			{Method: "GET", Path: "/v1/merchants/{merchant}", Signed: true},
			{Method: "PUT", Path: "/v1/merchants/{merchant}", Signed: true},
			{Method: "POST", Path: "/v1/merchants/{merchant}/tokens", Signed: true},
		},
	},
}

// missedTick: a tick that failed is not repeated, since the next one does the same work.
var missedTick = &Failed{Queue: "DeadTicks", MaxAge: time.Minute}
