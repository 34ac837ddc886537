package mutants

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
		file:   "shared/dynamo/commit.go",
		old:    `ConditionExpression:      aws.String("#shard = :shard"),`,
		new:    `ConditionExpression:      aws.String("#shard = :shard OR attribute_not_exists(#shard)"),`,
		in:     "shared/claim", test: "TestRace",
	},
	{
		breaks: "a line is written over one that is there",
		file:   "shared/dynamo/tx.go",
		old:    `absent = condition{expression: "attribute_not_exists(pk)"}`,
		new:    `absent = condition{expression: "attribute_not_exists(pk) OR attribute_exists(pk)"}`,
		in:     "shared/claim", test: "TestRace",
	},
	{
		breaks: "fill writes a line that was changed meanwhile",
		file:   "shared/dynamo/tx.go",
		old:    `condition{expression: "version = :from",`,
		new:    `condition{expression: "version = :from OR attribute_exists(version)",`,
		in:     "shared/claim", test: "TestFill_lineChangedMeanwhileIsReadAgain",
	},
	{
		breaks: "a served line keeps its place in the queue",
		file:   "shared/dynamo/commit.go",
		old:    `waited && before != place {`,
		new:    `waited && before != place && waits {`,
		in:     "shared/claim", test: "TestClaim_emptyPoolWaitsAndFillServesIt",
	},
	{
		breaks: "a line gives back a key of another line",
		file:   "shared/dynamo/commit.go",
		old:    `#state = :claimed AND #line = :line`,
		new:    `#state = :claimed OR #line = :line`,
		in:     "shared/dynamo", test: "TestCommit_refusesToReleaseAKeyThatIsNotTheLines",
	},
	{
		breaks: "a key is given back twice",
		file:   "shared/dynamo/commit.go",
		old:    `#state = :claimed AND #line = :line`,
		new:    `(#state = :claimed OR attribute_exists(#state)) AND #line = :line`,
		in:     "shared/dynamo", test: "TestCommit_refusesToReleaseAKeyThatIsNotTheLines",
	},
	{
		breaks: "a restocked key still names its line",
		file:   "shared/dynamo/commit.go",
		old:    `		u.remove("line")`,
		new:    ``,
		in:     "shared/dynamo", test: "TestCommit_restockedKeyIsSoldAgainAndOnlyOnce",
	},
	{
		breaks: "a chunk is written over what came to it meanwhile",
		file:   "shared/dynamo/commit.go",
		old:    `c.add(put(s.tables.Orders, encode(item), locked(chunk.Version)), subject{kind: existingLine})`,
		new:    `c.add(put(s.tables.Orders, encode(item), always), subject{kind: existingLine})`,
		in:     "shared/dynamo", test: "TestCommit_chunkThatChangedMeanwhileIsNotWrittenOver",
	},
	{
		breaks: "a chunk is deleted with what came to it meanwhile",
		file:   "shared/dynamo/commit.go",
		old:    `c.add(remove(s.tables.Orders, key, locked(chunk.Version)), subject{kind: existingLine})`,
		new:    `c.add(remove(s.tables.Orders, key, always), subject{kind: existingLine})`,
		in:     "shared/dynamo", test: "TestCommit_chunkThatChangedMeanwhileIsNotWrittenOver",
	},
	{
		breaks: "a change of more keys than a transaction holds is tried",
		file:   "shared/dynamo/commit.go",
		old:    `n > order.MaxKeys {`,
		new:    `n > order.MaxItems {`,
		in:     "shared/dynamo", test: "TestCommit_mostKeysInOneChange",
	},
	{
		breaks: "newcomers do not look at the queue",
		file:   "shared/claim/claim.go",
		old:    `if len(f.queue.Lines) == 0 || c.Now().Before(f.queue.BypassUntil) {`,
		new:    `if len(f.queue.Lines) >= 0 || c.Now().Before(f.queue.BypassUntil) {`,
		in:     "shared/claim", test: "TestClaim_newcomerDoesNotOvertakeTheQueue",
	},
	{
		breaks: "a newcomer takes the last key that the queue misses",
		file:   "shared/claim/claim.go",
		old: `	if len(candidates) <= needed {
		return nil, 0, nil
	}`,
		new: `	if len(candidates) < needed-line.Missing() {
		return nil, 0, nil
	}`,
		in: "shared/claim", test: "TestClaim_newcomerDoesNotOvertakeTheQueue",
	},
	{
		breaks: "a bypass never expires",
		file:   "shared/claim/claim.go",
		old:    `c.Now().Before(f.queue.BypassUntil)`,
		new:    `!f.queue.BypassUntil.IsZero()`,
		in:     "shared/claim", test: "TestClaim_bypassLetsNewcomersThrough",
	},
	{
		breaks: "a newcomer bypasses those who wait with the last key after it lost a race",
		file:   "shared/claim/claim.go",
		old:    `return candidates, needed, nil`,
		new:    `return candidates, 0, nil`,
		in:     "shared/claim", test: "TestClaim_bypassesNobodyWithFewerKeysThanThereSeemedToBe",
	},
	{
		breaks: "a small line behind a large one is served first",
		file:   "shared/claim/fill.go",
		old:    `n := min(line.Missing(), len(candidates), room-items, order.MaxKeys)`,
		new:    `if line.Missing() > len(candidates) { continue }; n := min(line.Missing(), len(candidates), room-items, order.MaxKeys)`,
		in:     "shared/claim", test: "TestFill_strictlyOldestFirst",
	},
	{
		breaks: "a repeat with another quantity is taken for the same",
		file:   "shared/claim/claim.go",
		old:    `case stored.Quantity != paid.Quantity:`,
		new:    `case false:`,
		in:     "shared/claim", test: "TestClaim_repeatWithOtherContentChangesNothing",
	},
	{
		breaks: "another customer under a used number is taken for the same",
		file:   "shared/claim/claim.go",
		old:    `case !stored.SameCustomer(paid.Customer):`,
		new:    `case false:`,
		in:     "shared/intake", test: "TestTake_anotherCustomerUnderAUsedNumber",
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
		in: "functions/webhook", test: "TestHandle_testOrderLeavesLiveKeysAlone",
	},
	{
		breaks: "a signature is compared loosely",
		file:   "shared/platform/standard/standard.go",
		old:    `if hmac.Equal(given, want) {`,
		new:    `if strings.HasPrefix(string(want), string(given)) {`,
		in:     "shared/platform/standard", test: "TestStandard_verify",
	},
	{
		breaks: "an old webhook may be replayed",
		file:   "shared/platform/standard/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age < -tolerance`,
		in:     "shared/platform/standard", test: "TestStandard_verify",
	},
	{
		breaks: "a webhook from the future is taken",
		file:   "shared/platform/standard/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age > tolerance`,
		in:     "shared/platform/standard", test: "TestStandard_verify",
	},
	{
		breaks: "a refused order is not kept",
		file:   "shared/intake/refuse.go",
		old:    `err := in.keep(ctx, from, order.Refusal{Body: hex.EncodeToString(sum[:])}, field); err != nil`,
		new:    `err := errors.Unwrap(errors.New(hex.EncodeToString(sum[:]))); err != nil`,
		in:     "functions/webhook", test: "TestHandle_refusedOrderIsKeptAndNoticedOnceAnHour",
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
		file:   "shared/delivery/mailing.go",
		old:    `item, again, ok, err := m.store.Lease(ctx, id, m.Now())`,
		new:    `item, _, _ := m.store.Read(ctx, id); _, again, ok, err := m.store.Lease(ctx, id, m.Now())`,
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
		breaks: "late feedback takes a mail back",
		file:   "shared/delivery/feedback.go",
		old:    `return e.State.Precedes(next)`,
		new:    `return true`,
		in:     "shared/delivery", test: "TestApplyFeedback_neverBack",
	},
	{
		breaks: "feedback of an older mail changes the line",
		file:   "shared/delivery/feedback.go",
		old:    `if f.Number != entry.Number || f.Event`,
		new:    `if f.Event`,
		in:     "shared/delivery", test: "TestApplyFeedback_olderMail",
	},
	{
		breaks: "a request to SES without an answer is repeated",
		file:   "shared/ses/ses.go",
		old:    `o.Retryer = aws.NopRetryer{}`,
		new:    `o.RetryMaxAttempts = 3`,
		in:     "shared/ses", test: "TestSend_answerLost",
	},
	{
		breaks: "a key that was stored before its answer was lost counts as a duplicate",
		file:   "shared/ingest/load.go",
		old:    `there.Upload == l.upload.ID && there.Offset == key.Offset`,
		new:    `there.Upload == l.upload.ID && there.Offset == -1`,
		in:     "shared/ingest", test: "TestIngest_throttledStatementsAreTriedAgain",
	},
	{
		breaks: "a statement that the table throttled counts as done",
		file:   "shared/dynamo/ingest.go",
		old: `	default:
		return upload.Throttled`,
		new: `	default:
		return upload.Stored`,
		in: "shared/dynamo", test: "TestInsertKeys_saysWhatBecameOfEach",
	},
	{
		breaks: "a fenced worker goes on saving",
		file:   "shared/dynamo/job.go",
		old:    `condition{"fencingToken = :token AND attribute_not_exists(#done)",`,
		new:    `condition{"fencingToken = :token OR attribute_not_exists(#done)",`,
		in:     "shared/dynamo", test: "TestRanges_oneWorkerAtATimeAndCountedOnce",
	},
	{
		breaks: "a file is parked for a pool that was made in the same moment",
		file:   "shared/ingest/ingest.go",
		old:    `if u.State == upload.Parked && from == "" {`,
		new:    `if u.State == upload.Parked && from == upload.Loading {`,
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
		breaks: "an upload is shown to whoever knows its name",
		file:   "functions/api/uploads.go",
		old:    `a.uploads.Get(ctx, caller(ctx), in.Upload)`,
		new:    `a.uploads.Get(ctx, "acme", in.Upload)`,
		in:     "functions/api", test: "TestEveryOperation_strangerSeesNoDifference",
	},
	{
		breaks: "the hash of a token passes for the token",
		file:   "shared/access/token.go",
		old:    `g.Tokens.Token(ctx, merchant, HashToken(token))`,
		new:    `g.Tokens.Token(ctx, merchant, strings.TrimPrefix(token, TokenPrefix))`,
		in:     "functions/api", test: "TestEveryOperation_wrongCallersAreRefusedAlike",
	},
	{
		breaks: "a token may do whatever another of its merchant may",
		file:   "shared/access/access.go",
		old:    `!slices.Contains(p.Scopes, needed)`,
		new:    `!slices.Contains(Scopes, needed)`,
		in:     "functions/api", test: "TestEveryOperation_needsItsScope",
	},
	{
		breaks: "an expired token is good",
		file:   "shared/access/token.go",
		old:    `!found.Valid(g.Now())`,
		new:    `false`,
		in:     "functions/api", test: "TestTokens_expire",
	},
	{
		breaks: "a request that nobody signed passes for the operator's",
		file:   "functions/operator/main.go",
		old:    `if _, ok := web.Operator(ctx); !ok {`,
		new:    `if _, ok := web.Operator(ctx); ok && false {`,
		in:     "functions/operator", test: "TestEveryOperation_wrongCallersAreRefusedAlike",
	},
	{
		breaks: "a signature is compared byte by byte",
		file:   "shared/platform/standard/standard.go",
		old:    `if hmac.Equal(given, want) {`,
		new:    `if string(given) == string(want) {`,
		in:     "infra/proof/rights", test: "TestSecrets_areComparedInConstantTime",
	},
	{
		breaks: "a recorded webhook is good for a second more",
		file:   "shared/platform/standard/standard.go",
		old:    `age > tolerance || age < -tolerance`,
		new:    `age.Truncate(time.Second) > tolerance || age < -tolerance`,
		in:     "shared/platform", test: "TestReplay_theEdgesAreSharp",
	},
	{
		breaks: "a mail that could not be marked at once is sent again",
		file:   "shared/delivery/mailing.go",
		old:    `if try == markTries {`,
		new:    `if try < markTries {`,
		in:     "shared/delivery", test: "TestMail_markIsRetried",
	},
	{
		breaks: "what stands in a mail is read as HTML",
		file:   "shared/mail/letter.go",
		old:    `"html/template"`,
		new:    `"text/template"`,
		in:     "shared/mail", test: "FuzzMail",
	},
	{
		breaks: "the lines of a file depend on where a worker took over",
		file:   "shared/ingest/reader.go",
		old:    `r.at -= int64(r.enc.unit())`,
		new:    `r.at -= 1`,
		in:     "shared/ingest", test: "FuzzReader",
	},
	{
		breaks: "an order is claimed before all of it is checked",
		file:   "shared/intake/paid.go",
		old:    `		return in.Refuse(ctx, from, r, err)`,
		new: `		for _, line := range paid.Lines {
			in.claim(ctx, fulfillment(from, paid, line), "", paid.Within)
		}
		return in.Refuse(ctx, from, r, err)`,
		in: "functions/webhook", test: "FuzzWebhook",
	},
	{
		breaks: "what AWS says of a refused call is logged, and quotes what was sent",
		file:   "shared/boot/quiet.go",
		old:    `			err = &quietError{err}`,
		new:    `			err = fmt.Errorf("%w", err)`,
		in:     "functions/webhook", test: "TestSecrecy",
	},
	{
		breaks: "a record that cannot be read is quoted",
		file:   "functions/deliver/handler.go",
		old:    `return response, errors.New("records of a stream that cannot be read") // the cause quotes them`,
		new:    `return response, err`,
		in:     "functions/deliver", test: "TestSecrecy",
	},
	{
		breaks: "the queue is served from its end",
		file:   "shared/dynamo/queue.go",
		old:    `q.limit = lines + 1 // and the bypass`,
		new:    `q.limit, q.backwards = lines+1, true`,
		in:     "infra/proof/simulate", test: "TestHistories",
	},
	{
		breaks: "a mail whose mailer died is never sent again",
		file:   "shared/sweep/sweep.go",
		old:    `case e.State == outbox.Due, e.State == outbox.Sending:`,
		new:    `case e.State == outbox.Due:`,
		in:     "infra/proof/simulate", test: "TestHistories",
	},
	{
		breaks: "a setting whose answer was lost is answered as somebody else's change",
		file:   "shared/dynamo/catalog.go",
		old:    `is && stringOf(there["writtenBy"]) == signed`,
		new:    `is && there == nil && stringOf(there["writtenBy"]) == signed`,
		in:     "shared/dynamo", test: "TestCatalog_lostAnswerIsNoConflict",
	},
	{
		breaks: "a fenced worker goes on counting",
		file:   "shared/dynamo/job.go",
		old:    `condition{"fencingToken = :token AND attribute_not_exists(#done)",`,
		new:    `condition{"fencingToken <= :token OR attribute_exists(fencingToken)",`,
		in:     "infra/proof/simulate", test: "TestHistories",
	},
	{
		breaks: "a key that was moved is sold where it stood before",
		file:   "shared/dynamo/commit.go",
		old:    `ConditionExpression:      aws.String("#shard = :shard"),`,
		new:    `ConditionExpression:      aws.String("attribute_exists(#shard) OR #shard = :shard"),`,
		in:     "shared/claim", test: "TestClaim_keyMovedBehindAStaleIndex",
	},
	{
		breaks: "a line is cancelled that has its keys",
		file:   "shared/claim/cancel.go",
		old:    `waits := line.State() == order.Waiting || line.State() == order.Unconnected`,
		new:    `waits := line.State() != order.Returned`,
		in:     "functions/api", test: "TestCancel",
	},
	{
		breaks: "a line that is connected keeps its place among the unconnected",
		file:   "shared/dynamo/commit.go",
		old:    `waited && before != place {`,
		new:    `waited && before != place && !waits {`,
		in:     "infra/proof/simulate", test: "TestHistories",
	},
}
