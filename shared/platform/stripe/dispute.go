package stripe

import (
	"context"

	"keypool/shared/platform"
)

// dispute is a dispute of a payment.
type dispute struct {
	ID            string `json:"id"`
	Livemode      bool   `json:"livemode"`
	Created       int64  `json:"created"`
	Status        string `json:"status"`
	Charge        id     `json:"charge"`
	PaymentIntent id     `json:"payment_intent"`
	Method        *struct {
		Card *struct {
			CaseType shown `json:"case_type"`
		} `json:"card"`
	} `json:"payment_method_details"`
	Balance []struct {
		Amount int64 `json:"amount"`
	} `json:"balance_transactions"`
}

// disputeStates are the states of a dispute. The warnings are those of an inquiry, which
// has taken no money: its order is on hold until it is closed.
var disputeStates = map[string]platform.DisputeState{
	"needs_response":         platform.DisputeOpen,
	"under_review":           platform.DisputeOpen,
	"warning_needs_response": platform.DisputeOpen,
	"warning_under_review":   platform.DisputeOpen,
	"warning_closed":         platform.DisputeWon,
	"won":                    platform.DisputeWon,
	"lost":                   platform.DisputeLost,
}

// prevented is the status of a dispute that never became a chargeback.
const prevented = "prevented"

func (d dispute) state() (platform.DisputeState, bool) {
	if d.Status != prevented {
		state, ok := disputeStates[d.Status]
		return state, ok
	}
	taken := int64(0)
	for _, movement := range d.Balance {
		taken += movement.Amount
	}
	if taken < 0 || d.Method != nil && d.Method.Card != nil && d.Method.Card.CaseType == "resolution" {
		return platform.DisputeLost, true
	}
	return platform.DisputeWon, true
}

// dispute decodes a dispute that was opened or closed.
func (in *reading) dispute(ctx context.Context) ([]platform.Event, error) {
	d, err := objectOf[dispute](in)
	if err != nil {
		return nil, err
	}
	state, known := d.state()
	switch {
	case !isID(d.ID, "dp_") && !isID(d.ID, "du_"):
		return nil, missing("id", "")
	case d.Livemode != in.Livemode:
		return nil, missing("livemode", "")
	case !known:
		return nil, missing("status", "")
	}
	order, ok, err := in.orderOf(ctx, string(d.PaymentIntent))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return in.ignored(), nil
	}
	return []platform.Event{platform.Disputed{Order: order, Test: !in.Livemode, ID: d.ID, State: state, At: at(in.Created)}}, nil
}
