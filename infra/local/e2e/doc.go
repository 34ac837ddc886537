// Package e2e tests Keypool end to end, on a one-machine deployment of its own and
// through its public faces alone: the bucket, the HTTPS API and the mails. After the
// tests it searches everything that the run left behind, above all every line of the
// logs, for the keys, addresses and secrets that were used.
//
// The tests need MiniStack and the CDK's command line, and minutes. They have the
// build tag `deployment`, so `go test ./...` leaves them out; `make test`, and so CI,
// runs every one of them:
//
//	make e2e                                            all of them
//	go test -tags deployment ./infra/local/e2e -run X   one of them
package e2e
