// Package simulate runs Keypool's own code through histories that a seed makes up:
// orders, repeats, returns, key files, moved keys, changed products. Each history has
// faults: calls fail, answers are lost, indexes lag, messages come twice or never,
// clocks disagree, and processes die between any two steps.
//
//	go test ./infra/proof/simulate                                        twenty thousand steps
//	make histories                                                        a hundred thousand, a part of make test
//	make simulate                                                         five million, and where the limits are
//	go test ./infra/proof/simulate -run TestHistories -seed 7 -steps 1    one history again
//
// # What is real
//
// The domain packages and the store run as they are, through the real SDK client.
// Only their surroundings are models: DynamoDB at the HTTP transport (dynamosim, which
// is held to DynamoDB Local), and queues, buckets, mail service, schedule and stream at
// the interfaces of the domain. A history runs in a bubble of testing/synctest, so an
// hour of waiting takes no time.
//
// # Why a seed is a history
//
// Every random choice follows from the seed, from the name of the process or call that
// makes it, and from how often that has chosen before. It never follows from a generator
// that goroutines share, nor from the order in which goroutines run. A process has the
// name of what it handles. Every call takes a number of nanoseconds of its own, so no
// two things happen at the same moment. That also lets a plan be cut shorter: the rest
// of it happens as before, until it meets something that is gone.
//
// # What is checked
//
// The ledger sees every commit and every mail, and checks each against the promise. It
// knows the tables by their documentation alone. When all acts of a plan are over, the
// sweep resumes unfinished work for some hours, with the same faults: leases expire, and
// so do the leases of the mailers that take over. Then the faults stop. When the sweep
// finds nothing more to do, the end is checked: the tables against what was asked for,
// the claims as a linearizable history of one shop (porcupine), and the tables once
// more by the audit that tests on real engines use.
package simulate
