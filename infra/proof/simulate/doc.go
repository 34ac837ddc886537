// Package simulate runs Keypool's own code through random histories, each from a seed:
// orders, repeats, refunds of lines, orders and amounts, before the payment and after,
// disputes, several at once, some of which people drop, pages that show an order's keys, what a merchant does with a line, rules of review, the brake,
// decisions about what they hold, by the API and by pages that mails lead to, orders from before the
// account delivers, key files, some of them held for an answer, moved and blocked keys, changed
// products. Each history has faults: calls fail, answers are lost, indexes lag, messages
// are duplicated or lost, clocks disagree, and processes die between any two steps.
//
//	go test ./infra/proof/simulate                                        twenty thousand steps
//	make histories                                                        a hundred thousand, a part of make test
//	make simulate                                                         five million, and the limits of throughput
//	go test ./infra/proof/simulate -run TestHistories -seed 7 -steps 1    repeats one history
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
// makes it, and from the number of its earlier choices. No choice depends on a generator
// that goroutines share or on the order in which goroutines run. A process is named
// after the message or call that it handles. Every call takes a number of nanoseconds of
// its own, so no two events happen at the same moment. A plan can therefore be shrunk:
// the remaining actions happen as before, unless they depend on a removed one.
//
// # What is checked
//
// The ledger sees every commit and every mail, and checks each against the promise. It
// knows the tables by their documentation alone. Nothing may be returned, held, released
// or replaced but for a reason that was reported, and that the line's history tells. A line
// is asked about by the rules that were in force, and nobody but a person lets it go.
//
// After the last action of a plan, the sweep resumes unfinished work for some hours, with
// the same faults: leases expire, and so do the leases of the mailers that take over. Then
// the faults stop. When the sweep finds nothing more to do, the end is checked: the tables
// against the orders and files, each line and each key as a linearizable history
// (porcupine), and the tables once more by the audit that tests on real engines use. Last the
// test side is wiped, with faults again: every row of the live side is as it was, byte for byte,
// and nothing of the test side is left.
package simulate
