package platform

import (
	"encoding/json"
	"fmt"
	"slices"

	"keypool/shared/catalog"
)

// SideTeller is an adapter of whose orders something else than the secret tells whether they
// are tests: their bodies, or the account's settings. A secret of its accounts is not marked
// test. The mark would say nothing, or another thing.
type SideTeller interface {
	// TellsSide says what tells, and what to do instead of marking a secret: "a shop is live
	// or a test site as a whole: leave test out".
	TellsSide() string
}

// MarkProblem returns why no secret of the adapter's accounts can be marked test, "" if
// they can.
func MarkProblem(a Adapter) string {
	if teller, ok := a.(SideTeller); ok {
		return teller.TellsSide()
	}
	return ""
}

// CheckMarks returns a *SetupError if a secret of a stored account is marked test that cannot
// be: its merchant may mean that its orders are tests, and live keys would be sold.
func CheckMarks(adapter Adapter, a catalog.Account) error {
	marked := func(s catalog.SealedSecret) bool { return s.Test }
	if problem := MarkProblem(adapter); problem != "" && slices.ContainsFunc(a.Secrets, marked) {
		return &SetupError{Field: "secrets", Problem: markedTest + problem}
	}
	return nil
}

// markedTest begins what is said of an account whose secret is marked test and cannot be.
const markedTest = "are marked test, which they cannot be: "

// checkSigner returns a *FieldError if events are about an order, and were signed by a secret
// that is marked test and cannot be.
func (s Sender) checkSigner(events []Event) error {
	problem := MarkProblem(s.Adapter)
	if !s.Account.Test || problem == "" {
		return nil
	}
	for _, event := range events {
		if number, about := orderOf(event); about {
			return &FieldError{Field: "secrets", Problem: markedTest + problem, Order: number}
		}
	}
	return nil
}

// orderOf returns the order that an event is about, false if it is about none.
func orderOf(event Event) (number string, is bool) {
	switch event := event.(type) {
	case Paid:
		return event.Order, true
	case Returned:
		return event.Order, true
	case Disputed:
		return event.Order, true
	case Recorded:
		return event.Order, true
	}
	return "", false
}

// PartsChecker is an adapter of whose accounts some parts serve only together.
type PartsChecker interface {
	// CheckParts returns the mistakes in what an account holds together: FieldErrors, whose
	// fields are members of the account, such as credentials.
	CheckParts(p Parts) error
}

// Parts are the parts of an account as a change leaves it. Their texts are not known.
type Parts struct {
	Settings    json.RawMessage // which CheckSettings accepted
	Secrets     []string        // the names of the signing secrets that do not end
	Credentials []string        // the names of the credentials of the platform's API
	Signing     []string        // those of the credentials whose text is that of one of the secrets
}

// Together adds a mistake if the account has one of two credentials, and not the other.
func (p Parts) Together(e *FieldErrors, one, other string) {
	has := func(name string) bool { return slices.Contains(p.Credentials, name) }
	if has(one) == has(other) {
		return
	}
	if has(other) {
		one, other = other, one
	}
	e.Add("credentials", fmt.Sprintf("have %s and not %s: one serves only with the other, so give both, or none", one, other))
}
