// Package dynamosim is a model of the part of DynamoDB that Keypool uses. It stands at
// the HTTP transport of the real SDK client and keeps its tables in memory. It also
// does what engines for tests never do and DynamoDB sometimes does: conflicts between
// transactions, throttled partitions, lagging indexes, lost answers.
//
//	db := dynamosim.New(dynamosim.Options{Seed: 7, IndexLag: 200 * time.Millisecond})
//	for _, schema := range dynamo.Schemas(tables) {
//		db.CreateTable(schema)
//	}
//	store := dynamo.Open(db.Client(), tables)
//
// # What it promises
//
// Calls are answered as by DynamoDB: with the same items, error codes, cancellation
// reasons by position, and limits. Only the wording of messages may differ.
//
// A call takes place at one moment, alone, with two exceptions. A transaction checks
// its conditions at one moment, holds its items, and writes at a later moment; another
// write to a held item meets a conflict. And a BatchGetItem or a Query with a ReadTime
// pauses between two of its items: items before the pause are as they were, items
// after it are as other calls left them. In DynamoDB too, each item is a committed
// read of its own.
//
// A write whose condition fails consumes units and may be throttled: the units of the
// larger of the item and of its planned successor. So does every write of a cancelled
// transaction.
//
// An index follows its table with a delay of its own for each change of an item in a
// partition of the index. While an item moves, the index may show it twice or not at
// all; but it never shows an older state in a partition after a newer one.
//
// The same seed gives the same history. Randomness is a hash of the seed, the caller,
// the content of the call and the number of such calls before; the order in which
// calls arrive does not matter. Time is that of package time: inside testing/synctest
// a call takes only virtual latency. The order of two calls that arrive in the same
// nanosecond is up to Go's scheduler, so Latency should have nanoseconds.
//
// # What it leaves out
//
// What Keypool does not use is refused by name with a ValidationException, never
// guessed or ignored: local indexes, DescribeTable, transactions that read, paths into
// lists, size, contains. In particular:
//
//   - Tables are created and deleted at once. Streams cannot be read; Observe reports
//     every commit.
//   - Reads of a table are always consistent, with or without ConsistentRead. Only
//     indexes lag.
//   - A partition's limit is that of one key, in units a second. Partitions are not
//     split and do not adapt.
//   - Time to live, backups and rights are not modelled. Items do not expire.
//   - Numbers are returned in plain notation, as 1000 and never as 1E+3.
//   - A failed transaction holds no items. It consumes no units of indexes, and none
//     for a write that is throttled or meets a conflict: AWS does not document whether
//     DynamoDB charges them.
//   - A Scan, and the writes of a transaction, take place at one moment.
//   - A Client has no retry budget: it retries each call as if it were the only one.
//
// # Why it can be believed
//
// TestConformance makes the same calls on the model and on DynamoDB Local, case by case,
// and names the cases in which DynamoDB Local differs from AWS. TestDifferential makes
// random calls on both and compares all answers and all items. TestCapacity and
// TestPages compare units and pages. faults_test.go tests what no engine does. And the
// tests of the store and of the use cases pass on the model as on the engine.
// `make test` runs this package on DynamoDB Local; without DYNAMODB_ENDPOINT a second
// model is the reference, so that TestConformance still compares the answers that are
// written down.
package dynamosim
