// Package dynamosim is a model of DynamoDB, as far as Keypool speaks it. It stands
// at the HTTP transport of the real SDK client, keeps its tables in memory, and does
// what engines for tests never do and DynamoDB does now and then: conflicts between
// transactions, throttles of partitions, indexes that lag, lost answers.
//
//	db := dynamosim.New(dynamosim.Options{Seed: 7, IndexLag: 200 * time.Millisecond})
//	for _, schema := range dynamo.Schemas(tables) {
//		db.CreateTable(schema)
//	}
//	store := dynamo.Open(db.Client(), tables)
//
// # What it promises
//
// Calls are answered as DynamoDB answers them: the same items, the same error codes,
// the same reasons by position, the same limits. Only the words of messages may
// differ.
//
// A call takes place at one moment, alone, with two exceptions. A transaction checks
// at one moment, holds its items, and writes at one later moment; whoever wants to
// write an item that it holds is refused as DynamoDB refuses him. And a BatchGetItem
// or a Query that has a ReadTime stops between two of its items, and shows the first
// as they were before what others wrote meanwhile, the rest as they are after: to
// DynamoDB each item is a read of its own, of what is committed.
//
// A write costs what DynamoDB says, and may be throttled, though its condition
// fails: then it costs by the larger of the item and of what was to become of it. So
// does every write of a transaction that is cancelled.
//
// An index follows its table with a delay of its own for each change, item and
// partition of the index, so it may show an item twice, or nowhere, as it moves; but
// never in one partition an older state after a newer one.
//
// The same seed gives the same history. Whatever comes by chance is drawn from a
// hash of the seed, the caller, what he asks for and how often he asked for that
// before, never from the order in which calls arrive. Time is package time's: within
// testing/synctest a call costs no time at all, only virtual latency. Two calls that
// arrive in the same nanosecond are the one thing left to Go's scheduler: let
// Latency have nanoseconds.
//
// # What it leaves out
//
// Whatever Keypool does not use, such as local indexes, DescribeTable, transactions
// that read, paths into lists, size and contains, is refused by name, with a
// ValidationException: nothing is guessed, nothing ignored. In particular:
//
//   - Tables are ready and gone at once. Streams cannot be read: Observe tells of
//     every commit.
//   - Of a read without ConsistentRead it makes no difference: reads of a table
//     always show what was last written. Indexes are what lags.
//   - A partition's limit is that of one key, in units a second; nothing is split or
//     adapts.
//   - Time to live, backups and rights are not modelled. Items do not expire.
//   - A number comes back plain, as 1000 and never as 1E+3.
//   - A transaction that fails holds nothing. What it would have cost in the indexes
//     it does not cost, nor does a write of it that is throttled or meets a conflict:
//     AWS does not say whether they do.
//   - A Scan, and a transaction's writing, take place at one moment.
//   - The SDK's budget for repeats: a Client tries each call as often as if it were
//     the only one.
//
// # Why it can be believed
//
// TestConformance asks the model and DynamoDB Local the same, case by case, and says
// where DynamoDB Local is wrong about AWS. TestDifferential asks both the same at
// random and compares every answer and all that the tables hold. TestCapacity and
// TestPages compare units and pages. What no engine does is held by faults_test.go.
// And the tests of the store and of all that stands on it pass on the model as they
// do on the engine. `make test` runs this package, the store and the claim on DynamoDB
// Local; without DYNAMODB_ENDPOINT the judge is a second model, so that TestConformance
// still holds the answers that are written down.
package dynamosim
