// Package simulate lets Keypool's own code live through histories that a seed
// makes up: orders, repeats, key files, moves, changes of products, in weather in
// which calls fail, answers are lost, indexes lag, messages come twice or never,
// clocks disagree and processes die between any two steps.
//
//	go test ./infra/proof/simulate                                        a hundred thousand steps
//	make simulate                                                   five million, and where the limits are
//	go test ./infra/proof/simulate -run TestHistories -seed 7 -steps 1    a history that is seen again
//
// # What is real
//
// The domain packages and the store run as they are, through the real SDK client.
// Only what they meet is a model: DynamoDB at the HTTP transport (dynamosim, held
// to DynamoDB Local), queues, buckets, mail service, schedule and stream at the
// interfaces of the domain. A history runs in a bubble of testing/synctest, so an
// hour of waiting takes no time.
//
// # Why a seed is a history
//
// Whatever is left to chance follows from the seed and from who does what for the
// how-manieth time: never from a generator that goroutines share, and never from
// the order in which they run. A process is called after what it handles. Every
// call takes a number of nanoseconds of its own, so no two things happen at the
// same moment. That also lets a plan be cut shorter: what is left of it happens as
// before, until it meets what is gone.
//
// # Who judges
//
// The ledger sees every commit and every mail and holds it against the promise, by
// the tables' documentation and nothing else. When all acts are over, what stopped
// halfway is taken up in the same weather, some hours long: leases lapse, and so do
// those of the mailers that take over. At the end, when faults have stopped and the
// sweep has found nothing more to do, what came of everything is held against
// what was asked for, porcupine says whether the claims are a linearizable
// history of one shop, and the audit that tests on real engines use looks at the
// tables once more.
package simulate
