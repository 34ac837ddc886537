package platformtest

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"keypool/shared/platform"
)

// RefusesStranger holds that an adapter does not take a webhook by a secret that its signer
// cannot know.
func RefusesStranger(t testing.TB, a platform.Adapter, header http.Header, body []byte, now time.Time) {
	t.Helper()
	stranger := platform.Account{Secrets: []platform.SigningSecret{{Secret: platform.Conceal([]byte("a secret that nobody has signed with"))}}}
	if _, err := a.Verify(platform.Request{Header: header, Body: body}, stranger, now); err == nil {
		t.Fatal("a signature was made without the secret")
	}
}

// CheckDecoded holds what an adapter made of a webhook to be events that can be applied, or
// an error that somebody knows what to do with.
func CheckDecoded(t testing.TB, events []platform.Event, err error) {
	t.Helper()
	CheckError(t, err)
	if err == nil && len(events) == 0 {
		t.Fatal("a webhook came to nothing")
	}
	for _, event := range events {
		CheckEvent(t, event)
	}
}

// CheckError holds an error of an adapter to name a mistake of the body or of the account,
// or to be one of those that pass.
func CheckError(t testing.TB, err error) {
	t.Helper()
	var field *platform.FieldError
	var setup *platform.SetupError
	if err != nil && !errors.As(err, &field) && !errors.As(err, &setup) && !errors.Is(err, platform.ErrTryAgain) {
		t.Fatalf("an error that nobody knows what to do with: %v", err)
	}
}

// CheckEvent holds an event of an adapter to be one that can be applied. A quantity above
// the merchant's limit is refused later.
func CheckEvent(t testing.TB, event platform.Event) {
	t.Helper()
	const anyQuantity = 1 << 62
	switch event := event.(type) {
	case platform.Paid:
		if event.Check(anyQuantity) == nil && (event.Order == "" || event.Parent == event.Order) {
			t.Fatalf("an order that cannot be claimed passed the check: %+v", event)
		}
	case platform.Returned:
		if err := event.Check(anyQuantity); err != nil || event.All && event.Failed {
			t.Fatalf("a refund that cannot be applied: %+v, %v", event, err)
		}
	case platform.Disputed:
		if err := event.Check(); err != nil {
			t.Fatalf("a dispute that cannot be applied: %+v, %v", event, err)
		}
	case platform.Recorded:
		if event.Order == "" || event.Refund == "" && (event.Line == "" || event.At.IsZero()) {
			t.Fatalf("an entry that cannot be added: %+v", event)
		}
	}
}
