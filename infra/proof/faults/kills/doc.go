// Package kills kills processes of a one-machine deployment at the worst moments and
// checks the result: the tables agree with one another, each line has the keys it
// paid for, and a customer has one mail.
//
// The moments are exact. A gate in the emulator (gate.py) does a call and holds its
// answer back; the test kills the function that waits for the answer, and then opens
// the gate.
//
// The tests need a deployment of their own, and minutes. They have the build tag
// `deployment`, so `go test ./...` leaves them out; `make test`, and so CI, runs
// them:
//
//	make kills    as part of make test
//	make faults   and into RESULTS.md
package kills
