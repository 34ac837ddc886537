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
}
