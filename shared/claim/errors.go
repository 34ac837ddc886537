package claim

import (
	"errors"
	"fmt"

	"keypool/shared/order"
)

// ErrBusy means that a claim was tried as often as it may be: try again later.
var ErrBusy = errors.New("too busy: try again")

// ChangedError means that a line was paid again with other content; nothing was changed.
type ChangedError struct{ Line order.LineID }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("line %s is there already with another product or quantity", e.Line)
}
