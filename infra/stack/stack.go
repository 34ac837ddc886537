// Package stack is Keypool's deployment: what runs, where the data lies, and who
// may do what. Two stacks: one of the data, which outlives everything, and one of
// the pipeline that works on it.
//
// # Decisions
//
// Rights stand in one table (rights.go) and reach the roles as plain statements.
// The CDK's grants are convenient and give more than is used; a table can be read,
// and a test compares it word for word.
//
// The upload bucket belongs to the pipeline and tells Ingest of its files through
// its own property, so that no function of the CDK's comes along; its name is
// computed, since bucket, permission and function would wait for each other
// otherwise. All other names are AWS's choice, so that two copies fit in an account.
//
// Functions hand what they give up to a queue (a destination on failure) rather
// than have a dead-letter queue set on themselves: a destination also says why.
package stack

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// New adds both stacks to the app. It fails if a function has not been built.
func New(app awscdk.App, s Settings) error {
	if err := checkZips(s); err != nil {
		return err
	}
	d := newData(app, s)
	newPipeline(app, s, d)
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		awscdk.Tags_Of(app).Add(jsii.String(name), jsii.String(s.Tags[name]), nil)
	}
	return nil
}
