// Package faults lets Keypool's own code work through a storm, on a real engine
// behind the real SDK client, and then asks whether the promise was kept.
//
// A round is a merchant on tables of its own. Orders, repeats, key files, fills,
// mails, sweeps and stock checks happen at once and by chance, while every kind
// of call now and then loses its answer, meets another transaction, is throttled
// whole or in part, fails, comes too late, or reads an index that lags. Then the
// faults stop, time is moved on, and what was left halfway is taken up as the
// queues and the sweep would. At the end the tables are read whole.
//
//	go test ./infra/proof/faults                                            a short run, on DynamoDB Local
//	make faults                                                       the long ones, into RESULTS.md
//	go test ./infra/proof/faults -run TestStorm -args -local 20000 -seed 7  one that is seen again
//
// The seed decides what is tried; which of it happens first is up to the engine
// and the machine.
package faults
