package main

import (
	"testing"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
)

// Whatever goes wrong with a look at the stock, neither a key nor an address
// stands in what the function returns or logs.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	s.Stock(lambdatest.Pool, 5)
	s.RefuseEachCall("a tick", func() []byte { return []byte(`{}`) })
	s.Invoke("a tick with something in it", []byte(`{"`+s.Canaries.New(canary.Key)+`":1}`))
}
