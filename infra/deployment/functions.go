package deployment

import (
	"slices"
	"time"

	"keypool/shared/dynamo"
)

// variables are the environment variables that functions may ask for, without
// KEYPOOL_, and their values.
var variables = map[string]string{
	"CATALOG_TABLE":     "${Catalog}",
	"KEYS_TABLE":        "${Keys}",
	"ORDERS_TABLE":      "${Orders}",
	"SESSIONS_TABLE":    "${Sessions}",
	"UPLOADS_BUCKET":    "${UploadsName}",
	"REPORTS_BUCKET":    "${Reports}",
	"RANGES_QUEUE_URL":  "${Ranges}",
	"FILL_QUEUE_URL":    "${Fills}",
	"CATCHUP_QUEUE_URL": "${Catchups}",
	"JOBS_QUEUE_URL":    "${Jobs}",
	"CONFIGURATION_SET": "${Mail}",
	"PUBLIC_URL":        "${PublicUrl}", // of the API; no link is made of what a request says of itself
	"KMS_KEY":           "${Key.Arn}",
	"SENDER":            "${Sender}",
	"OPERATOR":          "${OperatorAddress}",
	"MAX_QUANTITY":      "${MaxQuantity}",
	"DELAY_MAIL_AFTER":  "${DelayMailAfter}",
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
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.UploadsPrefix, dynamo.ParkedPrefix, dynamo.TicketsPrefix}},
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.CountsPrefix, dynamo.UploadsPrefix, dynamo.RangesPrefix, dynamo.UsagePrefix}},
			{Target: catalogTable, Actions: "DeleteItem", Items: []string{dynamo.ParkedPrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.RangesPrefix}},
			{Target: keysTable, Actions: "PartiQLInsert PutItem ConditionCheckItem BatchGetItem"},
			{Target: ordersTable, Actions: "GetItem PutItem", Items: []string{dynamo.NoticePrefix}},
			{Target: tableKey, Actions: readAndWrite},
			{Target: uploadedFiles, Actions: "GetObject GetObjectVersion PutObjectTagging PutObjectVersionTagging"},
			{Target: uploadsBucket, Actions: "ListBucket ListBucketVersions"}, // without them, S3 does not say that a file, or a version of it, is gone
			{Target: reportFiles, Actions: "PutObject AbortMultipartUpload"},
			{Target: rejectedFiles, Actions: "GetObject PutObject AbortMultipartUpload"},
			{Target: bucketKey, Actions: "Decrypt GenerateDataKey"},
			{Target: rangesQueue, Actions: receive + " SendMessage"},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: deadUploads, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		UploadEvents: true,
		Queue:        &QueueSource{Queue: "Ranges", Batch: 1, Concurrency: 2},
		OnFailure:    &OnFailure{Queue: "DeadUploads", Retries: 2, MaxAge: 6 * time.Hour},
	},
	{
		ID:          "Webhook",
		Description: "Claims keys for the lines of a paid order, and takes those of a refunded one back",
		Memory:      1024,
		Timeout:     20 * time.Second,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL", "MAX_QUANTITY", "PUBLIC_URL"},
		Rights: slices.Concat(intakeRights, []Right{
			{Target: tableKey, Actions: readAndWrite},
			{Target: accountSecrets, Actions: "Decrypt"},
			{Target: accountCredentials, Actions: "Decrypt"}, // some platforms' webhooks do not hold all
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		}),
		Routes: []Route{
			{Method: "POST", Path: "/webhooks/{merchant}/{account}", Throttle: webhookThrottle},
			// API Gateway matches a slash at the end of an address, and refuses a route that
			// ends in one.
			{Method: "POST", Path: "/webhooks/{proxy+}", Throttle: webhookThrottle},
		},
	},
	{
		ID:          "Fill",
		Description: "Gives waiting lines their keys, oldest first",
		Memory:      512,
		Timeout:     fillTimeout,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.ReviewPrefix}},
			{Target: keysTable, Actions: "BatchGetItem UpdateItem"},
			{Target: keysAvailable, Actions: "Query"},
			{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.AlertPrefix}},
			{Target: ordersTable, Actions: "BatchGetItem Query", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "Query DeleteItem", Items: []string{dynamo.QueuePrefix, dynamo.UnconnectedPrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.HeldPrefix, dynamo.AlertPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "UpdateItem", Items: []string{dynamo.BuyerPrefix}}, // as Webhook, of a line that is connected
			{Target: tableKey, Actions: readAndWrite},
			{Target: fillQueue, Actions: receive},
			{Target: queueKey, Actions: "Decrypt"}, // it only receives
		},
		// Of the ten executions of a new account, the 2 each of ranges, fill, catch-up and jobs
		// leave 2 to webhooks and mails. More would only compete: one serves 250 lines of a
		// queue a second, as many as DynamoDB takes.
		Queue: &QueueSource{Queue: "Fills", Batch: 10, Concurrency: 2},
	},
	{
		ID:          "Deliver",
		Description: "Sends mails that are due and applies SES's feedback",
		Memory:      256,
		Timeout:     2 * time.Minute, // most of the time it waits for SES
		Environment: []string{"CATALOG_TABLE", "ORDERS_TABLE", "SESSIONS_TABLE", "SENDER", "OPERATOR", "CONFIGURATION_SET", "PUBLIC_URL"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UploadsPrefix, dynamo.SendersPrefix, dynamo.CountsPrefix}}, // of counts: the notices of a day
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.CountsPrefix, dynamo.ReviewPrefix, dynamo.AddressesPrefix}},   // of addresses: who signs in
			{Target: sessionsTable, Actions: "GetItem PutItem", Items: []string{dynamo.SignInPrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.ReviewPrefix, dynamo.AuditPrefix, dynamo.SendersPrefix}}, // a brake that sets itself; a sender that SES refuses
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.CountsPrefix, dynamo.DomainsPrefix}},
			{Target: ordersTable, Actions: "GetItem PutItem UpdateItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.OrderPrefix, dynamo.HeldPrefix}},
			{Target: ordersStream, Actions: "DescribeStream GetRecords GetShardIterator"},
			{Target: ordersStreams, Actions: "ListStreams"},
			{Target: tableKey, Actions: readAndWrite},
			// The one call has two names. SES checks the second for MIME, and may for attachments.
			{Target: identities, Actions: "SendEmail SendRawEmail"},
			{Target: configurationSet, Actions: "SendEmail SendRawEmail"},
			{Target: deadMails, Actions: "SendMessage"},
			{Target: deadEvents, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Stream: &StreamSource{
			Filter: dynamo.StreamFilter, Batch: 10, Parallel: 10,
			Retries: 10, MaxAge: time.Hour, // by then the sweep has long taken over
			DeadLetters: "DeadMails",
		},
		MailEvents: true,
		OnFailure:  &OnFailure{Queue: "DeadEvents", Retries: 2, MaxAge: 6 * time.Hour},
	},
	{
		ID:          "Stock",
		Description: "Tells merchants of pools that run low",
		Memory:      256,
		Timeout:     5 * time.Minute, // once a night it counts every key: 10 million take a minute or more
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.SettingsPrefix, dynamo.CountsPrefix}},
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.CountsPrefix}},
			{Target: catalogKind, Actions: "Query"},
			{Target: keysAvailable, Actions: "Query", CountOnly: true},
			{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.AlertPrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.AlertPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.QueuePrefix}},
			{Target: tableKey, Actions: readAndWrite},
			{Target: deadTicks, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Schedule:  "${Schedule}",
		OnFailure: ticksNotRepeated,
	},
	{
		ID:          "Sweep",
		Description: "Resumes work that stopped halfway",
		Memory:      256,
		Timeout:     50 * time.Second, // it runs every minute
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "JOBS_QUEUE_URL", "DELAY_MAIL_AFTER", "CONFIGURATION_SET"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.UsagePrefix, dynamo.CountsPrefix}},
			{Target: catalogTable, Actions: "BatchGetItem", Items: []string{dynamo.UploadsPrefix, dynamo.JobsPrefix, dynamo.SendersPrefix}},
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.UploadsPrefix, dynamo.JobsPrefix, dynamo.CountsPrefix, dynamo.DomainsPrefix}}, // counts: keys that a returned line gives back
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.SendersPrefix}},
			{Target: merchantSenders, Actions: "GetEmailIdentity"},
			{Target: catalogDue, Actions: "Query"},
			{Target: catalogTable, Actions: "ConditionCheckItem", Items: []string{dynamo.UploadsPrefix}}, // such keys are for sale again, unless their upload is withdrawn
			{Target: keysTable, Actions: "BatchGetItem UpdateItem"},                                      // the same
			{Target: ordersTable, Actions: "BatchGetItem UpdateItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "Query ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix}},
			{Target: ordersTable, Actions: "DeleteItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix}},
			{Target: ordersDue, Actions: "Query"},
			{Target: tableKey, Actions: readAndWrite},
			{Target: rangesQueue, Actions: "SendMessage"},
			{Target: jobsQueue, Actions: "SendMessage"},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: deadTicks, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Schedule:  "rate(1 minute)",
		OnFailure: ticksNotRepeated,
	},
	{
		ID:          "Catchup",
		Description: "Asks payment platforms what their webhooks did not tell",
		Memory:      256,
		Timeout:     catchupTimeout, // most of the time it waits for a platform's API
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL", "CATCHUP_QUEUE_URL", "PUBLIC_URL", "MAX_QUANTITY"},
		Rights: slices.Concat(intakeRights, []Right{
			{Target: ordersTable, Actions: "BatchGetItem", Items: []string{dynamo.OrderPrefix}},
			{Target: catalogKind, Actions: "Query"},
			{Target: tableKey, Actions: readAndWrite},
			{Target: accountCredentials, Actions: "Decrypt"}, // of the platforms' APIs, and no signing secret
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: catchupQueue, Actions: receive + " SendMessage"},
			{Target: deadTicks, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		}),
		Queue:     &QueueSource{Queue: "Catchups", Batch: 1, Concurrency: 2}, // the fewest that Lambda lets a queue have
		Schedule:  "rate(15 minutes)",
		OnFailure: ticksNotRepeated,
	},
	{
		ID:          "Job",
		Description: "Does the long work on keys that merchants ask for",
		Memory:      256,
		Timeout:     jobTimeout,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "REPORTS_BUCKET", "JOBS_QUEUE_URL", "FILL_QUEUE_URL"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.SettingsPrefix, dynamo.UploadsPrefix, dynamo.JobsPrefix}},
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.JobsPrefix, dynamo.UploadsPrefix, dynamo.CountsPrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.AuditPrefix}},
			{Target: keysTable, Actions: "UpdateItem BatchGetItem"}, // keys that are exported are read
			{Target: keysAvailable, Actions: "Query"},
			{Target: exportFiles, Actions: "GetObject PutObject AbortMultipartUpload"},
			{Target: bucketKey, Actions: "Decrypt GenerateDataKey"},
			{Target: tableKey, Actions: readAndWrite},
			// A customer who is erased, of whose line somebody waits, or a rule holds it.
			{Target: ordersWho, Actions: "Query"},
			{Target: ordersListed, Actions: "Query"}, // customers who were kept for long enough; keys that were sold
			{Target: ordersTable, Actions: "GetItem Query ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.HeldPrefix, dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "BatchGetItem", Items: testRows},
			{Target: ordersTable, Actions: "DeleteItem", Items: append([]string{dynamo.UnconnectedPrefix, dynamo.HeldPrefix}, testRows...)},
			// The test side, which is wiped. Of keys, the pattern lets none of the live side be deleted.
			{Target: keysTest, Actions: "Query"},
			{Target: keysTable, Actions: "DeleteItem", Items: []string{dynamo.TestKeys}},
			{Target: ordersTest, Actions: "Query"},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.UploadsPrefix, dynamo.RangesPrefix, dynamo.CountsPrefix}}, // ranges: also where an exported key stood in its file
			{Target: catalogTable, Actions: "ConditionCheckItem", Items: []string{dynamo.UploadsPrefix}},
			{Target: catalogTable, Actions: "DeleteItem", Items: []string{dynamo.RangesPrefix, dynamo.ParkedPrefix}},
			{Target: testReports, Actions: "DeleteObject"},
			{Target: jobsQueue, Actions: receive},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Queue: &QueueSource{Queue: "Jobs", Batch: 1, Concurrency: 2},
	},
	{
		ID:          "Api",
		Description: "What merchants set up and look at",
		Memory:      512,
		Timeout:     28 * time.Second, // the HTTP API waits 30 seconds at most
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "CATCHUP_QUEUE_URL", "JOBS_QUEUE_URL", "KMS_KEY", "MAX_QUANTITY", "PUBLIC_URL", "SENDER", "CONFIGURATION_SET"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.CountsPrefix, dynamo.TokensPrefix, dynamo.PeoplePrefix, dynamo.UploadsPrefix, dynamo.JobsPrefix, dynamo.SendersPrefix, dynamo.DomainsPrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.UploadsPrefix, dynamo.RangesPrefix, dynamo.ParkedPrefix, dynamo.ReviewPrefix, dynamo.JobsPrefix, dynamo.AuditPrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.AddressesPrefix, dynamo.ReviewPrefix, dynamo.JobsPrefix, dynamo.AuditPrefix, dynamo.SendersPrefix, dynamo.DomainsPrefix}},
			{Target: catalogTable, Actions: "DeleteItem", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.AddressesPrefix, dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.SendersPrefix}}, // of tokens: to revoke one
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.CountsPrefix, dynamo.TokenUsesPrefix, dynamo.UploadsPrefix, dynamo.JobsPrefix, dynamo.DomainsPrefix}},                            // keys that a cancelled line gave back; a held file is confirmed, or one withdrawn; a job is cancelled
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.MerchantPrefix}, Attributes: dynamo.OwnOfMerchant},
			{Target: catalogTable, Actions: "BatchGetItem", Items: []string{dynamo.CountsPrefix}},                     // of the pools that a page shows
			{Target: catalogTable, Actions: "BatchGetItem ConditionCheckItem", Items: []string{dynamo.UploadsPrefix}}, // of keys that are for sale again
			{Target: keysTable, Actions: "BatchGetItem UpdateItem ConditionCheckItem"},                                // of an order that is fulfilled by hand, as Webhook; keys that a line gives back, or gets for one that is replaced; codes of products
			{Target: keysAvailable, Actions: "Query"},
			{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			// A return of a whole order.
			{Target: ordersTable, Actions: "ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "UpdateItem", Items: []string{dynamo.CorrectedPrefix}}, // how often addresses are corrected
			// The last ones are of a line that is released.
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix, dynamo.IdempotencyPrefix}},
			{Target: ordersTable, Actions: "DeleteItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix, dynamo.BuyerPrefix, dynamo.IdempotencyPrefix}}, // of BuyerPrefix: of a customer who is erased
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.RefusedPrefix, dynamo.HeldPrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.UnconnectedPrefix}, CountOnly: true},
			// What lists show, and where their lines stand.
			{Target: ordersTable, Actions: "BatchGetItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
			{Target: ordersListed, Actions: "Query"},
			{Target: ordersWho, Actions: "Query"},
			{Target: ordersAttention, Actions: "Query"},
			{Target: tableKey, Actions: readAndWrite},
			{Target: uploadedFiles, Actions: "PutObject GetObject"}, // the second is for the head of a file that it put
			{Target: reportFiles, Actions: "GetObject"},
			{Target: exportFiles, Actions: "GetObject"}, // by the links that it makes
			{Target: bucketKey, Actions: "Decrypt GenerateDataKey"},
			{Target: accountSecrets, Actions: "Decrypt Encrypt"}, // to open them is for dry runs
			{Target: accountCredentials, Actions: "Encrypt"},
			{Target: newSenders, Actions: "CreateEmailIdentity"},
			{Target: merchantSenders, Actions: "GetEmailIdentity PutEmailIdentityMailFromAttributes DeleteEmailIdentity"},
			{Target: rangesQueue, Actions: "SendMessage"},
			{Target: catchupQueue, Actions: "SendMessage"},
			{Target: jobsQueue, Actions: "SendMessage"},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Routes: []Route{
			{Method: "GET", Path: "/openapi.json", Throttle: documentThrottle},
			{Method: "GET", Path: "/v1", Throttle: documentThrottle},
			{Method: "ANY", Path: "/v1/{proxy+}", Throttle: settingsThrottle},
		},
	},
	{
		ID:          "Portal",
		Description: "Where a merchant's people set up, watch and mend",
		Memory:      512,
		Timeout:     28 * time.Second,
		Environment: []string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "SESSIONS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "JOBS_QUEUE_URL", "CATCHUP_QUEUE_URL", "KMS_KEY", "MAX_QUANTITY", "PUBLIC_URL", "SENDER", "CONFIGURATION_SET"},
		Rights: []Right{
			// As the API: people, tokens that are revoked, the audit trail, what a shop sets up, pools, key files and keys.
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.PeoplePrefix, dynamo.SettingsPrefix, dynamo.CountsPrefix, dynamo.UploadsPrefix, dynamo.JobsPrefix, dynamo.DomainsPrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.AuditPrefix, dynamo.UploadsPrefix, dynamo.RangesPrefix, dynamo.ParkedPrefix, dynamo.JobsPrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.AddressesPrefix, dynamo.AuditPrefix, dynamo.JobsPrefix, dynamo.ReviewPrefix, dynamo.SendersPrefix, dynamo.DomainsPrefix}}, // of review: the rules, and the brake
			{Target: catalogTable, Actions: "DeleteItem", Items: []string{dynamo.SettingsPrefix, dynamo.PeoplePrefix, dynamo.AddressesPrefix, dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.SendersPrefix}},
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.UploadsPrefix, dynamo.CountsPrefix, dynamo.JobsPrefix, dynamo.DomainsPrefix}}, // of counts: the shards of a pool that is deleted; of jobs: that of a retention
			{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.MerchantPrefix}, Attributes: dynamo.OwnOfMerchant},
			{Target: catalogTable, Actions: "BatchGetItem", Items: []string{dynamo.CountsPrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.UnconnectedPrefix}, CountOnly: true},
			{Target: keysTable, Actions: "BatchGetItem UpdateItem ConditionCheckItem"}, // codes of products; keys that are blocked
			{Target: ordersTable, Actions: "GetItem BatchGetItem", Items: []string{dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.NoticePrefix, dynamo.IdempotencyPrefix, dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix}},   // of the second: forms that are sent twice; of the last: an order by hand while the brake is set
			{Target: ordersTable, Actions: "DeleteItem", Items: []string{dynamo.IdempotencyPrefix, dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix, dynamo.BuyerPrefix}}, // of the last: of a customer who is erased
			{Target: sessionsTable, Actions: "GetItem PutItem DeleteItem", Items: []string{dynamo.SignInPrefix, dynamo.SessionsPrefix}},
			{Target: sessionsTable, Actions: "UpdateItem", Items: []string{dynamo.SessionsPrefix, dynamo.LimitsPrefix}},
			{Target: keysAvailable, Actions: "Query"}, // keys left in pools; the key that takes the place of another
			{Target: sessionsTable, Actions: "Query", Items: []string{dynamo.SessionsPrefix}},
			// What needs somebody.
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.CountsPrefix, dynamo.ReviewPrefix}},
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.SendersPrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.RefusedPrefix, dynamo.HeldPrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.QueuePrefix}},
			{Target: uploadedFiles, Actions: "PutObject GetObject"},
			{Target: reportFiles, Actions: "GetObject"},
			{Target: exportFiles, Actions: "GetObject"}, // by the links that it makes
			{Target: bucketKey, Actions: "Decrypt GenerateDataKey"},
			{Target: rangesQueue, Actions: "SendMessage"},
			{Target: jobsQueue, Actions: "SendMessage"},
			{Target: newSenders, Actions: "CreateEmailIdentity"},
			{Target: merchantSenders, Actions: "GetEmailIdentity PutEmailIdentityMailFromAttributes DeleteEmailIdentity"},
			{Target: accountSecrets, Actions: "Decrypt Encrypt"}, // to open them is for test orders
			{Target: accountCredentials, Actions: "Encrypt"},
			{Target: catchupQueue, Actions: "SendMessage"},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
			// Orders, and what is done to them, as the API.
			{Target: catalogTable, Actions: "BatchGetItem ConditionCheckItem", Items: []string{dynamo.UploadsPrefix}},
			{Target: ordersTable, Actions: "GetItem Query BatchGetItem ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "UpdateItem", Items: []string{dynamo.CorrectedPrefix}}, // how often addresses are corrected
			{Target: ordersListed, Actions: "Query"},
			{Target: ordersWho, Actions: "Query"},
			{Target: ordersAttention, Actions: "Query"},
			{Target: tableKey, Actions: readAndWrite},
		},
		Routes: []Route{
			{Method: "GET", Path: "/", Throttle: documentThrottle},
			{Method: "GET", Path: "/robots.txt", Throttle: documentThrottle},
			{Method: "ANY", Path: "/portal", Throttle: settingsThrottle},
			{Method: "ANY", Path: "/portal/{proxy+}", Throttle: settingsThrottle},
			// Anybody may ask for a mail, and guess codes.
			{Method: "POST", Path: "/portal/sign-in/{proxy+}", Throttle: signInThrottle},
		},
	},
	{
		ID:          "OrderPage",
		Description: "The page of an order, for the customer who has its link",
		Memory:      512,
		Timeout:     28 * time.Second,
		Environment: []string{"CATALOG_TABLE", "ORDERS_TABLE", "SESSIONS_TABLE"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.SettingsPrefix}}, // the shops whose order somebody has lost the mail of
			// It writes that keys are shown, and that a mail is due.
			{Target: ordersTable, Actions: "GetItem Query PutItem ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
			{Target: ordersTable, Actions: "Query", Items: []string{dynamo.QueuePrefix, dynamo.UnconnectedPrefix}, CountOnly: true},
			{Target: sessionsTable, Actions: "UpdateItem", Items: []string{dynamo.LimitsPrefix}},
			{Target: tableKey, Actions: readAndWrite},
		},
		Routes: []Route{
			{Method: "ANY", Path: "/o/{proxy+}", Throttle: pageThrottle},
		},
	},
	{
		ID:          "Operator",
		Description: "What the operator sets up: merchants, their first owners and their tokens",
		Memory:      256,
		Timeout:     28 * time.Second,
		Environment: []string{"CATALOG_TABLE", "ORDERS_TABLE", "SESSIONS_TABLE", "FILL_QUEUE_URL", "PUBLIC_URL"},
		Rights: []Right{
			{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.PeoplePrefix}},
			{Target: catalogTable, Actions: "Query", Items: []string{dynamo.SettingsPrefix, dynamo.TokensPrefix, dynamo.TokenUsesPrefix, dynamo.PeoplePrefix}},
			{Target: catalogTable, Actions: "PutItem", Items: []string{dynamo.MerchantPrefix, dynamo.TokensPrefix, dynamo.PeoplePrefix, dynamo.AddressesPrefix, dynamo.AuditPrefix}},
			{Target: sessionsTable, Actions: "PutItem", Items: []string{dynamo.SignInPrefix}}, // a portal that is opened to help
			{Target: catalogTable, Actions: "DeleteItem", Items: []string{dynamo.TokensPrefix, dynamo.TokenUsesPrefix}},
			{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.NoticePrefix}},
			{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.NoticePrefix, dynamo.IdempotencyPrefix}},
			{Target: ordersTable, Actions: "DeleteItem", Items: []string{dynamo.IdempotencyPrefix}},
			{Target: tableKey, Actions: readAndWrite},
			{Target: fillQueue, Actions: "SendMessage"},
			{Target: queueKey, Actions: "Decrypt GenerateDataKey"},
		},
		Routes: []Route{
			{Method: "GET", Path: "/operator/openapi.json", Throttle: documentThrottle},
			{Method: "GET", Path: "/v1/merchants/{merchant}", IAM: true, Throttle: settingsThrottle},
			{Method: "PUT", Path: "/v1/merchants/{merchant}", IAM: true, Throttle: settingsThrottle},
			{Method: "GET", Path: "/v1/merchants/{merchant}/tokens", IAM: true, Throttle: settingsThrottle},
			{Method: "POST", Path: "/v1/merchants/{merchant}/tokens", IAM: true, Throttle: settingsThrottle},
			{Method: "DELETE", Path: "/v1/merchants/{merchant}/tokens/{token}", IAM: true, Throttle: settingsThrottle},
			{Method: "POST", Path: "/v1/merchants/{merchant}/owners", IAM: true, Throttle: settingsThrottle},
			{Method: "POST", Path: "/v1/merchants/{merchant}/help", IAM: true, Throttle: settingsThrottle},
		},
	},
}

// ticksNotRepeated: a failed tick is not repeated, since the next tick does the same work.
var ticksNotRepeated = &OnFailure{Queue: "DeadTicks", MaxAge: time.Minute}

// testRows are the rows of the orders table that are found as those of a test side.
var testRows = []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.NoticePrefix, dynamo.RefusedPrefix, dynamo.RefusedOncePrefix, dynamo.AlertPrefix, dynamo.BuyerPrefix}

// intakeRights are those that the intake of orders takes, whoever brings them.
var intakeRights = []Right{
	{Target: catalogTable, Actions: "GetItem", Items: []string{dynamo.MerchantPrefix, dynamo.SettingsPrefix, dynamo.CountsPrefix}},
	{Target: catalogTable, Actions: "UpdateItem", Items: []string{dynamo.CountsPrefix}}, // webhooks of an account; keys that a returned line gives back
	{Target: catalogTable, Actions: "Query", Items: []string{dynamo.ReviewPrefix}},
	{Target: catalogTable, Actions: "BatchGetItem ConditionCheckItem", Items: []string{dynamo.UploadsPrefix}}, // of keys that are for sale again
	{Target: keysTable, Actions: "BatchGetItem UpdateItem"},
	{Target: keysAvailable, Actions: "Query"},
	{Target: ordersTable, Actions: "GetItem", Items: []string{dynamo.OrderPrefix, dynamo.NoticePrefix}},
	{Target: ordersTable, Actions: "ConditionCheckItem", Items: []string{dynamo.OrderPrefix}},
	{Target: ordersTable, Actions: "Query", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix}},
	{Target: ordersTable, Actions: "DeleteItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix}},
	{Target: ordersTable, Actions: "PutItem", Items: []string{dynamo.OrderPrefix, dynamo.QueuePrefix, dynamo.UnconnectedPrefix, dynamo.HeldPrefix, dynamo.NoticePrefix, dynamo.RefusedPrefix, dynamo.RefusedOncePrefix}},
	{Target: ordersTable, Actions: "UpdateItem", Items: []string{dynamo.BuyerPrefix}}, // where a merchant limits the orders of an address
}
