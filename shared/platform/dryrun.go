package platform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Explainer is an adapter that says in steps how it verifies a request. Of any other, a
// dry run has one step for the signature.
type Explainer interface {
	// Explain returns the steps of Verify in their order, and the secret that signed the
	// request, -1 if none did. It goes on after a step that fails, and quotes no secret and
	// no signature.
	Explain(r Request, a Account, now time.Time) (steps []Step, secret int)
}

// Step is a step of taking a webhook.
type Step struct {
	Name string // "signature"
	OK   bool
	Says string // what was found; or what is wrong, and what to do
}

// Trial is what a dry run found.
type Trial struct {
	Steps  []Step
	Events []Event // what the request reports, as far as it can be read
}

// OK says whether the webhook would be taken.
func (t Trial) OK() bool {
	for _, step := range t.Steps {
		if !step.OK {
			return false
		}
	}
	return true
}

// DryRun says what becomes of a request that was captured, as if it came now: which steps
// are right, which fails, and which events it reports. It goes on after a step that fails.
// It stores nothing and calls no platform: of the account's credentials it reads the names.
// MaxQuantity is the units that one line may have; products tell which lines the account
// passes over.
func DryRun(ctx context.Context, adapter Adapter, r Request, a Account, now time.Time, maxQuantity int, products Products) (Trial, error) {
	var t Trial
	secret := -1
	if explainer, ok := adapter.(Explainer); ok {
		t.Steps, secret = explainer.Explain(r, a, now)
	} else {
		var step Step
		step, secret = explainSignature(adapter, r, a, now)
		t.Steps = append(t.Steps, step)
	}
	if secret >= 0 {
		a.Test = a.Secrets[secret].Test
	}
	has := a.Credentials
	a.Credentials = nil
	read := Step{Name: "body"}
	var err error
	t.Events, err = Sender{Account: a, Adapter: adapter}.Decode(ctx, r)
	var field *FieldError
	var setup *SetupError
	switch {
	case errors.As(err, &field):
		read.Says = mistake(field)
	case errors.As(err, &setup):
		name, isCredential := strings.CutPrefix(setup.Field, "credentials.")
		if _, ok := has[name]; ok && isCredential {
			read.OK, read.Says = true, "It has the form of this platform's events. What it reports is read by a call of the platform's API, which a dry run does not make."
		} else {
			read.Says = setup.Error() + "."
		}
	case err != nil:
		read.Says = "It cannot be read without a call of the platform's API, which a dry run does not make."
	default:
		read.OK, read.Says = true, reports(t.Events)
	}
	t.Steps = append(t.Steps, read)
	for i, event := range t.Events {
		switch event := event.(type) {
		case Paid:
			for j := range event.Lines {
				if event.Lines[j].PassedOver, err = a.PassesOver(ctx, event.Lines[j], products); err != nil {
					return Trial{}, err
				}
			}
			t.Steps = append(t.Steps, checkedPaid(&event, a, maxQuantity))
			t.Events[i] = event
		case Returned:
			t.Steps = append(t.Steps, checked(event.Check(maxQuantity)))
		case Disputed:
			t.Steps = append(t.Steps, checked(event.Check()))
		}
	}
	return t, nil
}

// checked is the step of what holds for the events of all platforms, which are checked with
// that error.
func checked(err error) Step {
	var field *FieldError
	if errors.As(err, &field) {
		return Step{Name: "order", Says: mistake(field)}
	}
	return Step{Name: "order", OK: true, Says: "It can be taken."}
}

// checkedPaid does as checked, of a paid order.
func checkedPaid(paid *Paid, a Account, maxQuantity int) Step {
	step := checked(paid.Check(maxQuantity))
	switch {
	case !step.OK || paid.ours() == 0:
	case paid.Customer.Email == "":
		step.OK, step.Says = false, "It says no mail address. If the platform's API tells none either, it is put on hold, and you are told, until the shop tells one."
	case a.PaidBefore(*paid):
		step.OK, step.Says = false, fmt.Sprintf("It was paid %s, before this account delivers (delivers_from), which is %s: it is put on hold, listed among the refusals, and delivered only if you release it.",
			paid.PaidAt.UTC().Format(time.RFC3339), a.DeliversFrom.UTC().Format(time.RFC3339))
	}
	return step
}

func mistake(e *FieldError) string {
	if e.Field == "" {
		return "The body " + e.Problem + "."
	}
	return e.Field + " " + e.Problem + "."
}

// reports says which events a request reports.
func reports(events []Event) string {
	if len(events) == 0 {
		return "It reports nothing."
	}
	says := "It reports"
	for i, event := range events {
		if i > 0 {
			says += ","
		}
		switch event := event.(type) {
		case Paid:
			says += " a paid order"
		case Returned:
			says += " a refund"
		case Disputed:
			says += " a dispute"
		case Recorded:
			says += " an event that only stands in the history of its line"
		case Ignored:
			says += " an event that is passed over"
			if event.Unknown {
				says += ", of which the merchant is told"
			}
		}
	}
	return says + "."
}

// explainSignature is the one step of an adapter that explains none.
func explainSignature(adapter Adapter, r Request, a Account, now time.Time) (Step, int) {
	step := Step{Name: "signature"}
	signed, err := adapter.Verify(r, a, now)
	switch {
	case !adapter.HasSignature(r.Header):
		step.Says = "There are no headers that hold a signature of this platform. Copy all headers of the webhook, with their names."
	case len(a.Secrets) == 0:
		step.Says = "The account has no secret that is valid: give it the one that the platform shows."
	case errors.Is(err, ErrClock):
		step.Says = fmt.Sprintf("It was signed by a secret of the account, at a time too far from %s. A webhook that was captured is good for minutes: say by received_at when it came.", now.UTC().Format(time.RFC3339))
	case errors.Is(err, ErrSecret):
		step.Says = "It has the form of this platform's signatures and is of this time, and none of the account's secrets signed it. Compare the secret with the platform's, and see that the body is what came, byte by byte."
	case err != nil:
		step.Says = "It is not of the form of this platform's signatures, or of another time, and none of the account's secrets signed it. Say by received_at when it came, and compare the secret with the platform's."
	default:
		step.OK, step.Says = true, "It was signed by "+a.SecretName(signed.Secret)+"."
		return step, signed.Secret
	}
	return step, -1
}

// SecretName names a secret of the account, as texts show it.
func (a Account) SecretName(i int) string {
	name, side := a.Secrets[i].Name, ""
	if a.Secrets[i].Test {
		side = ", which is of the test mode"
	}
	if name == "" {
		return fmt.Sprintf("secret %d of the account%s", i+1, side)
	}
	return "the secret " + name + side
}
