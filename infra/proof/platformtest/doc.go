// Package platformtest is the conformance run of the payment platforms: what every
// adapter must do, driven through the adapter, platform.Accounts, intake and claim on
// the in-process engine. An adapter's test gives it a Platform, which makes the
// webhooks of one shop, and calls Run:
//
//	func TestConformance(t *testing.T) { platformtest.Run(t, platformtest.Platform{…}) }
//
// The run sells to the same customers as the shop would: it never looks into an
// adapter, and judges by the answer, the books (dynamotest.Audit), what is listed as
// refused, and what the merchant is told.
package platformtest
