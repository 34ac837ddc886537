package catalog

import "time"

// Catchup is how far catch-up has come with an account.
type Catchup struct {
	// Watermark is the time, by the platform's clock, up to which every change is applied.
	// Zero: none was found yet.
	Watermark time.Time
	// From is the account's DeliversFrom as the watermark knows it. Where the account
	// delivers from an earlier time by now, catch-up begins there again.
	From time.Time

	RanAt       time.Time // when the last run ended; zero: never
	SucceededAt time.Time // when the last one ended that left nothing out; zero: never
	// UnansweredSince is the end of the first run that the platform's API did not answer, of those
	// since it last did; zero: it answers.
	UnansweredSince time.Time
	Error           string // of the last run, for the merchant to read; empty: none

	// Webhook is what the platform says of its webhook: see platform.WebhookStatus.
	Webhook string
}

// Since returns the time from which changes are looked for: somewhat before the
// watermark, since lists lag and clocks differ, and never before the account delivers.
func (c Catchup) Since(overlap time.Duration) time.Time {
	if since := c.Watermark.Add(-overlap); since.After(c.From) {
		return since
	}
	return c.From
}
