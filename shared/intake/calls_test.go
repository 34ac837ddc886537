package intake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/platform"
)

// heard returns the account's last webhooks in words, the newest first, by minutes after noon.
func heard(t *testing.T, tables dynamo.Tables) string {
	t.Helper()
	calls, err := dynamo.Open(dynamotest.Client(t), tables).Calls(t.Context(), "acme", "shop-eu")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range calls.Last {
		all = append(all, fmt.Sprintf("%.0f %s %s %s %s", c.At.Sub(noon).Minutes(), c.Event, c.Order, c.Became, c.State))
	}
	return fmt.Sprintf("%q", all)
}

// The last webhooks are shown with what became of each: beside the work, and so by the
// next one; a failure at once.
func TestApply_lastCallsAreShown(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now.Add(1234567 * time.Nanosecond) } // a clock knows more than is stored
	shows := func(want string) {
		t.Helper()
		if got := heard(t, tables); got != want {
			t.Errorf("shown is\n%s, want\n%s", got, want)
		}
	}
	in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")})
	shows(`["0 paid 1  "]`)
	now = noon.Add(time.Minute)
	in.Apply(t.Context(), account, request, []platform.Event{platform.Returned{Order: "1", ID: "R-1", All: true}})
	shows(`["1 refunded 1  " "0 paid 1 accepted fulfilled"]`)
	now = noon.Add(2 * time.Minute)
	in.Apply(t.Context(), account, request, []platform.Event{paid("2", 11, "game")})
	shows(`["2 paid 2 rejected " "1 refunded 1 accepted returned" "0 paid 1 accepted fulfilled"]`)
	now = noon.Add(3 * time.Minute)
	in.Refuse(t.Context(), account, request, &platform.FieldError{Field: "data", Problem: "is missing", Order: "9"})
	in.NotSigned(t.Context(), &platform.SignatureError{Merchant: "acme", Account: "shop-eu", Cause: platform.ErrSecret})
	in.Refuse(t.Context(), account, request, &platform.LeftError{Order: "8", Cause: platform.ErrTryAgain})
	now = noon.Add(4 * time.Minute)
	in.Apply(t.Context(), account, request, []platform.Event{platform.Ignored{Type: "order.created"}})
	in.Take(t.Context(), account, paid("3", 1, "game")) // of catch-up: no webhook
	if got := heard(t, tables); got != `["4 order.created   " "3  8 left_to_catchup " "3   not_signed " "3  9 rejected " "2 paid 2 rejected " "1 refunded 1 accepted returned" "0 paid 1 accepted fulfilled"]` {
		t.Errorf("shown is %s", got)
	}
}

// A rush costs few writes, and keeps the last.
func TestApply_lastCallsOfARush(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	writes := &counted{Records: in.Records}
	in.Records = writes
	for n := range 200 {
		now = noon.Add(time.Duration(n) * 100 * time.Millisecond)
		in.Apply(t.Context(), account, request, []platform.Event{platform.Ignored{Type: fmt.Sprint(n)}})
	}
	if writes.calls != 2 {
		t.Errorf("%d writes in 20 seconds", writes.calls)
	}
	now = noon.Add(time.Minute)
	in.Apply(t.Context(), account, request, []platform.Event{platform.Ignored{Type: "last"}})
	calls, err := dynamo.Open(dynamotest.Client(t), tables).Calls(t.Context(), "acme", "shop-eu")
	if err != nil || len(calls.Last) != catalog.KeptCalls || calls.Last[0].Event != "last" || calls.Last[1].Event != "199" || calls.Last[1].Became != "skipped" {
		t.Errorf("%d are kept, %+v, %v", len(calls.Last), calls.Last, err)
	}
}

// Webhooks that nobody signed are counted by the hour, and hide none that the shop sent.
func TestNotSigned_byTheHour(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	in.Apply(t.Context(), account, request, []platform.Event{platform.Ignored{Type: "of the shop"}})
	for _, n := range []int{30, 45} {
		now = now.Add(time.Hour)
		for range n {
			now = now.Add(time.Second)
			in.NotSigned(t.Context(), &platform.SignatureError{Merchant: "acme", Account: "shop-eu", Cause: platform.ErrSecret})
		}
	}
	now = now.Add(time.Minute)
	in.Apply(t.Context(), account, request, []platform.Event{platform.Ignored{Type: "the last"}})
	calls, err := dynamo.Open(dynamotest.Client(t), tables).Calls(t.Context(), "acme", "shop-eu")
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.FailedHour{{From: noon.Add(2 * time.Hour).Truncate(time.Hour), Webhooks: 45}, {From: noon.Add(time.Hour).Truncate(time.Hour), Webhooks: 30}}
	if !slices.EqualFunc(calls.FailedHours, want, func(a, b catalog.FailedHour) bool { return a.From.Equal(b.From) && a.Webhooks == b.Webhooks }) {
		t.Errorf("counted are %v, want %v", calls.FailedHours, want)
	}
	if n := len(calls.Last); n != 7 || calls.Last[0].Event != "the last" || calls.Last[6].Event != "of the shop" || calls.Last[1].Became != catalog.NotSigned {
		t.Errorf("%d are kept: %+v", n, calls.Last)
	}
	for n := range catalog.KeptHours {
		now = now.Add(time.Hour)
		in.NotSigned(t.Context(), &platform.SignatureError{Merchant: "acme", Account: "shop-eu", Cause: platform.ErrSecret})
		calls, err = dynamo.Open(dynamotest.Client(t), tables).Calls(t.Context(), "acme", "shop-eu")
		if want := min(n+3, catalog.KeptHours); err != nil || len(calls.FailedHours) != want || !calls.FailedHours[0].From.Equal(now.Truncate(time.Hour)) {
			t.Fatalf("%d hours are counted, want %d: %v, %v", len(calls.FailedHours), want, calls.FailedHours, err)
		}
	}
}

// What is only shown holds up no order: a store that keeps no calls is no failure.
func TestApply_callsThatAreNotKept(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	in.Records = &counted{Records: in.Records, fails: errors.New("the table is away")}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
}

// counted counts the writes of calls.
type counted struct {
	intake.Records
	calls int
	fails error
}

func (c *counted) AddCalls(ctx context.Context, merchant, account string, more catalog.Calls) error {
	c.calls++
	if c.fails != nil {
		return c.fails
	}
	return c.Records.AddCalls(ctx, merchant, account, more)
}
