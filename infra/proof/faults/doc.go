// Package faults runs Keypool's use cases on a real engine through the real SDK
// client, in a storm of faults, and then checks that the promise was kept.
//
// A round has a merchant on tables of its own. Orders, repeats, key files, fills,
// mails, sweeps and stock checks run at random and in parallel, while calls of every
// kind now and then lose their answer, conflict with another transaction, are
// throttled in whole or in part, fail, return too late, or read an index that lags.
// Then the faults stop, the clock is advanced, and the queues and the sweep finish
// what was interrupted. At the end the tables are read whole.
//
//	go test ./infra/proof/faults             a short run, on the engine in the process
//	make faults                              the long ones, for RESULTS.md
//	go run ./infra/proof faults -seed 7 -local 20000 -ministack 0 -record=false
//	                                         a storm again
//
// The seed decides which actions are tried; the engine and the machine decide their
// order.
package faults
