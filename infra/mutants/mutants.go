package main

// mutant is a small edit that breaks a promise, and the test that must notice.
type mutant struct {
	breaks   string // what is broken
	file     string // relative to the checkout
	old, new string // the edit; old stands in the file once
	in       string // the package of the test
	test     string // its name
}

var mutants = []mutant{
	{
		breaks: "a key may be taken though somebody else has it",
		file:   "shared/dynamo/claim.go",
		old:    `ConditionExpression:      aws.String("#shard = :shard"),`,
		new:    `ConditionExpression:      aws.String("#shard = :shard OR attribute_not_exists(#shard)"),`,
		in:     "shared/claim", test: "TestRace",
	},
	{
		breaks: "a line is written over one that is there",
		file:   "shared/dynamo/claim.go",
		old:    `put.ConditionExpression = aws.String("attribute_not_exists(pk)")`,
		new:    `put.ConditionExpression = aws.String("attribute_not_exists(pk) OR attribute_exists(pk)")`,
		in:     "shared/claim", test: "TestRace",
	},
	{
		breaks: "fill writes a line that was changed meanwhile",
		file:   "shared/dynamo/claim.go",
		old:    `put.ConditionExpression = aws.String("version = :before")`,
		new:    `put.ConditionExpression = aws.String("version = :before OR attribute_exists(version)")`,
		in:     "shared/claim", test: "TestFill_lineChangedMeanwhileIsReadAgain",
	},
	{
		breaks: "a served line keeps its place in the queue",
		file:   "shared/dynamo/claim.go",
		old:    `if before != "" && before != now {`,
		new:    `if before != "" && before != now && now != "" {`,
		in:     "shared/claim", test: "TestClaim_emptyPoolWaitsAndFillServesIt",
	},
	{
		breaks: "newcomers do not look at the queue",
		file:   "shared/claim/claim.go",
		old:    `if len(queue.Lines) == 0 || c.Now().Before(queue.PassUntil) {`,
		new:    `if len(queue.Lines) >= 0 || c.Now().Before(queue.PassUntil) {`,
		in:     "shared/claim", test: "TestClaim_newcomerDoesNotOvertakeTheQueue",
	},
	{
		breaks: "a newcomer takes the last key that the queue misses",
		file:   "shared/claim/claim.go",
		old: `	if len(candidates) <= needed {
		return nil, nil
	}`,
		new: `	if len(candidates) < needed-line.Missing() {
		return nil, nil
	}`,
		in: "shared/claim", test: "TestClaim_newcomerDoesNotOvertakeTheQueue",
	},
	{
		breaks: "a pass never expires",
		file:   "shared/claim/claim.go",
		old:    `c.Now().Before(queue.PassUntil)`,
		new:    `!queue.PassUntil.IsZero()`,
		in:     "shared/claim", test: "TestClaim_passLetsNewcomersThrough",
	},
	{
		breaks: "a pass is left where keys do not abound",
		file:   "shared/claim/fill.go",
		old:    `available < needed {`,
		new:    `available < needed-1 {`,
		in:     "shared/claim", test: "TestFill_leavesAPassOnlyWhereKeysAbound/1005",
	},
	{
		breaks: "a small line behind a large one is served first",
		file:   "shared/claim/fill.go",
		old:    `n := min(line.Missing(), len(candidates), room-besides)`,
		new:    `if line.Missing() > len(candidates) { continue }; n := min(line.Missing(), len(candidates), room-besides)`,
		in:     "shared/claim", test: "TestFill_strictlyOldestFirst",
	},
	{
		breaks: "a repeat with another quantity is taken for the same",
		file:   "shared/claim/claim.go",
		old:    `there.Product != paid.Product || there.Quantity != paid.Quantity`,
		new:    `there.Product != paid.Product`,
		in:     "shared/claim", test: "TestClaim_repeatWithOtherContentChangesNothing",
	},
	{
		breaks: "an old answer of the catalog leaves a line unconnected",
		file:   "shared/claim/claim.go",
		old:    `if err == nil && line.Pool == "" {`,
		new:    `if err == nil && line.Pool == "" && false {`,
		in:     "shared/claim", test: "TestClaim_productConnectedAMomentAgoIsSeen",
	},
	{
		breaks: "a test order takes live keys",
		file:   "shared/pool/pool.go",
		old: `	if test {
		return Test
	}`,
		new: `	if test && false {
		return Test
	}`,
		in: "functions/orderpaid", test: "TestHandle_testOrderLeavesLiveKeysAlone",
	},
	{
		breaks: "a signature is compared loosely",
		file:   "shared/callback/standard.go",
		old:    `if hmac.Equal(given, want) {`,
		new:    `if strings.HasPrefix(string(want), string(given)) {`,
		in:     "shared/callback", test: "TestStandard_verify",
	},
	{
		breaks: "an old callback may be replayed",
		file:   "shared/callback/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age < -tolerance`,
		in:     "shared/callback", test: "TestStandard_verify",
	},
	{
		breaks: "a callback from the future is taken",
		file:   "shared/callback/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age > tolerance`,
		in:     "shared/callback", test: "TestStandard_verify",
	},
	{
		breaks: "the cap on quantities is one too high",
		file:   "shared/callback/callback.go",
		old:    `if line.Quantity > maxQuantity {`,
		new:    `if line.Quantity > maxQuantity+1 {`,
		in:     "shared/callback", test: "TestStandard_refusalNamesTheField",
	},
	{
		breaks: "a refused order is not kept",
		file:   "functions/orderpaid/handler.go",
		old:    `errors.Join(field, h.keep(ctx, merchant, name, body, field))`,
		new:    `field`,
		in:     "functions/orderpaid", test: "TestHandle_refusedOrderIsKeptAndNoticedOnceAnHour",
	},
	{
		breaks: "a mailer ignores another's lease",
		file:   "shared/dynamo/delivery.go",
		old:    `"mail = :due AND attribute_not_exists(leaseEndsAt) AND`,
		new:    `"(mail = :due OR mail = :sending) AND`,
		in:     "shared/delivery", test: "TestMail_manyMailersOneMail",
	},
	{
		breaks: "what was read before the lease is mailed, as the stream's image would be",
		file:   "shared/delivery/lines.go",
		old:    `f, again, ok, err := m.Lines.LeaseLine(ctx, id, m.Now())`,
		new:    `f, _, _ := m.Lines.Fulfillment(ctx, id); _, again, ok, err := m.Lines.LeaseLine(ctx, id, m.Now())`,
		in:     "shared/delivery", test: "TestMail_keyReplacedAtTheLastMoment",
	},
	{
		breaks: "a mail whose end nobody knows is sent again under its old number",
		file:   "shared/outbox/steps.go",
		old:    `e.Number++`,
		new:    `e.Tries++`,
		in:     "shared/delivery", test: "TestMail_leaseRunsOut",
	},
	{
		breaks: "late news takes a mail back",
		file:   "shared/delivery/news.go",
		old:    `return e.State.Precedes(next)`,
		new:    `return true`,
		in:     "shared/delivery", test: "TestFollow_neverBack",
	},
	{
		breaks: "news of an older mail changes the line",
		file:   "shared/delivery/news.go",
		old:    `if news.Number != f.Mail.Number || news.What`,
		new:    `if news.What`,
		in:     "shared/delivery", test: "TestFollow_olderMail",
	},
	{
		breaks: "a mail refused for itself is tried again",
		file:   "shared/ses/ses.go",
		old:    `"MessageRejected":       delivery.Refused,`,
		new:    `"MessageRejected":       delivery.Passing,`,
		in:     "shared/ses", test: "TestSend_answers",
	},
	{
		breaks: "a request to SES without an answer is repeated",
		file:   "shared/ses/ses.go",
		old:    `o.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode`,
		new:    `o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}, retry.RetryableErrorCode`,
		in:     "shared/ses", test: "TestSend_answerLost",
	},
	{
		breaks: "a byte order mark is part of the key",
		file:   "shared/ingest/reader.go",
		old:    `strings.TrimFunc(strings.TrimLeft(text, "\uFEFF"), unicode.IsSpace)`,
		new:    `strings.TrimFunc(text, unicode.IsSpace)`,
		in:     "shared/ingest", test: "TestReader",
	},
	{
		breaks: "CRLF ends two lines",
		file:   "shared/ingest/reader.go",
		old:    `if first == '\r' && r.hi-r.lo >= unit`,
		new:    `if first == 0 && r.hi-r.lo >= unit`,
		in:     "shared/ingest", test: "TestReader",
	},
	{
		breaks: "a line may be one byte too long",
		file:   "shared/ingest/reader.go",
		old:    `longest+r.enc.unit())]`,
		new:    `longest+2*r.enc.unit())]`,
		in:     "shared/ingest", test: "TestReader",
	},
	{
		breaks: "a picture is read for keys",
		file:   "shared/ingest/ingest.go",
		old:    `if u.Encoding, text = examine(head); !text {`,
		new:    `if u.Encoding, text = examine(head); !text && false {`,
		in:     "shared/ingest", test: "TestIngest_filesThatAreNoKeyFiles",
	},
	{
		breaks: "a key that was stored before its answer was lost counts as a duplicate",
		file:   "shared/ingest/load.go",
		old:    `there.Upload == l.upload.ID && there.Offset == key.Offset`,
		new:    `there.Upload == l.upload.ID && there.Offset == -1`,
		in:     "shared/ingest", test: "TestIngest_statementsThatArePutOffAreTriedAgain",
	},
	{
		breaks: "a statement that the table put off counts as done",
		file:   "shared/dynamo/ingest.go",
		old: `	default:
		return ingest.PutOff`,
		new: `	default:
		return ingest.Stored`,
		in: "shared/dynamo", test: "TestInsertKeys_saysWhatBecameOfEach",
	},
	{
		breaks: "a worker that was overtaken goes on saving",
		file:   "shared/dynamo/ingest.go",
		old:    `newUpdate("turn = :turn AND attribute_not_exists(#done)")`,
		new:    `newUpdate("turn = :turn OR attribute_not_exists(#done)")`,
		in:     "shared/dynamo", test: "TestRanges_oneTurnAtATimeAndCountedOnce",
	},
	{
		breaks: "a file is parked for a pool that was made in the same moment",
		file:   "shared/ingest/ingest.go",
		old:    `if u.State == Parked && from == "" {`,
		new:    `if u.State == Parked && from == Loading {`,
		in:     "shared/ingest", test: "TestIngest_poolMadeWhileTheFileIsParked",
	},
	{
		breaks: "a test order gives away a key that is on sale",
		file:   "shared/ingest/load.go",
		old:    `if l.pool.Side != pool.Test || len(b.keys) == 0 {`,
		new:    `if l.pool.Side == pool.Test || len(b.keys) == 0 {`,
		in:     "shared/ingest", test: "TestIngest_tellsWhereDuplicatesStand",
	},
	{
		breaks: "a range is believed to be what was asked for",
		file:   "shared/s3/s3.go",
		old:    `skip := from`,
		new:    `skip := int64(0)`,
		in:     "shared/s3", test: "TestUploads_readsRangesOfAVersion",
	},
	{
		breaks: "an upload is shown to whoever knows its name",
		file:   "functions/api/uploads.go",
		old:    `u, ok, err := a.store.Upload(ctx, caller(ctx), in.Upload)`,
		new:    `u, ok, err := a.store.Upload(ctx, "acme", in.Upload)`,
		in:     "functions/api", test: "TestEveryOperation_strangerSeesNoDifference",
	},
	{
		breaks: "the hash of a token passes for the token",
		file:   "functions/api/api.go",
		old:    `a.store.TokenMerchant(ctx, hashToken(token))`,
		new:    `a.store.TokenMerchant(ctx, strings.TrimPrefix(token, tokenPrefix))`,
		in:     "functions/api", test: "TestEveryOperation_wrongCallersAreRefusedAlike",
	},
	{
		breaks: "a signature is compared byte by byte",
		file:   "shared/callback/standard.go",
		old:    `if hmac.Equal(given, want) {`,
		new:    `if string(given) == string(want) {`,
		in:     "shared", test: "TestSecrets_areComparedInConstantTime",
	},
	{
		breaks: "a recorded callback is good for a second more",
		file:   "shared/callback/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age.Truncate(time.Second) > tolerance || age < -tolerance`,
		in:     "shared/callback", test: "TestReplay_theEdgesAreSharp",
	},
	{
		breaks: "a plain write gives up when a transaction is at its item",
		file:   "shared/dynamo/store.go",
		old:    `retry.AddWithErrorCodes(o.Retryer, conflict)`,
		new:    `retry.AddWithErrorCodes(o.Retryer, conflict+" not")`,
		in:     "shared/dynamo", test: "TestPostponeUpload_outlastsATransaction",
	},
	{
		breaks: "a mail that could not be marked at once is sent again",
		file:   "shared/delivery/lines.go",
		old:    `if done || tries == marks {`,
		new:    `if done || tries < marks {`,
		in:     "shared/delivery", test: "TestMail_markIsInsistedOn",
	},
	{
		breaks: "a right that is missing is waited for without a word",
		file:   "shared/dynamo/ingest.go",
		old:    `return ingest.PutOff, errors.New(string(err.Code))`,
		new:    `return ingest.PutOff, nil`,
		in:     "shared/dynamo", test: "TestInsertKeys_saysWhatBecameOfEach",
	},
	{
		breaks: "keys of a file that is gone lie beside lines that wait",
		file:   "shared/ingest/load.go",
		old:    `(err == nil || errors.Is(err, ErrOvertaken))`,
		new:    `err == nil`,
		in:     "shared/ingest", test: "TestIngest_keysOfAFileThatIsGoneAreFilledWith",
	},
	{
		breaks: "mails storm at an SES that takes no more",
		file:   "shared/delivery/pace.go",
		old:    `p.gap = min(2*p.gap, slowestGap)`,
		new:    `p.gap = min(p.gap, slowestGap)`,
		in:     "shared/delivery", test: "TestSend_sharesTheQuota",
	},
	{
		breaks: "mails that had their turn before SES was too busy are offered all the same",
		file:   "shared/delivery/pace.go",
		old:    `if p.holds(slowed) {`,
		new:    `if p.holds(slowed) || true {`,
		in:     "shared/delivery", test: "TestSend_sharesTheQuota",
	},
	{
		breaks: "a mail is offered until the invocation is cut off",
		file:   "shared/delivery/pace.go",
		old:    `set && at.After(deadline.Add(-stopBefore))`,
		new:    `set && at.After(deadline)`,
		in:     "shared/delivery", test: "TestSend_givesUpInTime",
	},
	{
		breaks: "each order of many lines opens its connections anew",
		file:   "shared/boot/aws.go",
		old:    `t.MaxIdleConnsPerHost = keptOpen`,
		new:    `t.MaxIdleConnsPerHost = 10`,
		in:     "shared/boot", test: "TestAWSConfig_keepsItsConnections",
	},
}
