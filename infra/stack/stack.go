// Package stack makes the CDK's stacks of what package infra/deployment describes: a
// stack of the data, which outlives all others, and a stack of the pipeline that works
// on the data.
//
// # Decisions
//
// The upload bucket belongs to the pipeline and calls Ingest by its own property, so
// that the CDK adds no function of its own; its name is computed, since bucket,
// permission and function would wait for each other otherwise. AWS chooses all other
// names, so that two deployments fit in one account.
//
// Events that a function could not handle go to a queue by its destination on failure
// rather than by a dead-letter queue of the function: a destination also says why.
package stack

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
)

// New adds both stacks to the app. It fails if a function has not been built.
func New(app awscdk.App, s deployment.Settings) error {
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
