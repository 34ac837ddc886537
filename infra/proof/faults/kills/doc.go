// Package kills ends the parts of a one-machine deployment by signal, each at the
// moment that would hurt most, and looks at what is left: the books balance, each
// line has its due, and a customer has one mail.
//
// No moment is guessed at. A gate in the emulator (gate.py) does a call and holds
// its answer back; the function that waits for it is killed; then the gate opens.
//
// The tests need a deployment of their own, and minutes. They have the build tag
// `deployment`, so `go test ./...` leaves them out; `make test`, and so CI, runs them:
//
//	make kills    as part of make test
//	make faults   and into RESULTS.md
package kills
