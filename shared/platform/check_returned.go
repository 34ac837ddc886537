package platform

import (
	"fmt"
	"strings"

	"keypool/shared/order"
)

// Check returns a *FieldError if Keypool cannot take the refund.
func (r *Returned) Check(maxQuantity int) error {
	if err := CheckID(r.Order); err != "" {
		return &FieldError{Field: r.Within + "order", Problem: err}
	}
	problem := func(field, problem string) error {
		return &FieldError{Field: r.Within + field, Problem: problem, Order: r.Order}
	}
	if err := CheckID(r.ID); err != "" {
		return problem("refund", err)
	}
	if len(r.Lines) > MaxLines {
		return problem("lines", fmt.Sprintf("has more than %d lines", MaxLines))
	}
	seen := map[string]bool{}
	for i, line := range r.Lines {
		at := func(name string) string { return fmt.Sprintf("lines[%d].%s", i, name) }
		if err := CheckID(line.ID); err != "" {
			return problem(at("line"), err)
		}
		if seen[line.ID] {
			return problem(at("line"), "is the same as another line's: name each line once, with all units that were refunded")
		}
		seen[line.ID] = true
		if !line.All && (line.Quantity < 1 || line.Quantity > maxQuantity) {
			return problem(at("quantity"), fmt.Sprintf("is not between 1 and %d, the most that one line may have", maxQuantity))
		}
	}
	if r.Failed || r.All || len(r.Lines) > 0 {
		return nil
	}
	if amount, ok := order.Decimal(r.Amount); !ok || amount.Sign() <= 0 {
		return problem("amount", "is not a decimal above 0, such as 19.90")
	}
	r.Currency = strings.ToUpper(strings.TrimSpace(r.Currency))
	return nil
}

// Check returns a *FieldError if Keypool cannot take the dispute.
func (d *Disputed) Check() error {
	if err := CheckID(d.Order); err != "" {
		return &FieldError{Field: d.Within + "order", Problem: err}
	}
	if err := CheckID(d.ID); err != "" {
		return &FieldError{Field: d.Within + "dispute", Problem: err, Order: d.Order}
	}
	switch d.State {
	case DisputeOpen, DisputeWon, DisputeLost:
		return nil
	case order.DisputeDropped: // by a person, never by a platform
	}
	return &FieldError{Field: d.Within + "state", Problem: "is none of: open, won, lost", Order: d.Order}
}
