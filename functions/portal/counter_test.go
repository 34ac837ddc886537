package main

import (
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/infra/proof/dynamotest"
)

// counter counts the calls of the store.
type counter struct{ n atomic.Int64 }

func (c *counter) option() dynamotest.Option {
	return func(o *dynamodb.Options) {
		next := o.HTTPClient
		o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			c.n.Add(1)
			return next.Do(r)
		})
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }
