package lifecycle

import (
	"errors"
	"slices"

	"keypool/shared/order"
)

// OnEach acts on lines, one after the other, and returns them as they stand, and which of
// them their state did not allow it for. Do is given the act with the version that the line
// was seen at, 0 if it was not.
//
// Lines that have changed since they were seen come first. If it is refused for any of
// them, nothing is done to the others: *order.StaleError. It is the same error if a line
// changes only while others are done; then it names those, and later ones are left.
func OnEach(lines []order.Fulfillment, seen []order.LineVersion, act Act, do func(line order.Fulfillment, act Act) (order.Fulfillment, error)) (now []order.Fulfillment, refused []bool, err error) {
	now, refused = slices.Clone(lines), make([]bool, len(lines))
	versions := make([]int, len(lines))
	var changed, others []int
	for i, line := range lines {
		if at := slices.IndexFunc(seen, func(s order.LineVersion) bool { return s.Line == line.ID }); at >= 0 {
			versions[i] = seen[at].Version
		}
		if versions[i] != 0 && versions[i] != line.Version {
			changed = append(changed, i)
		} else {
			others = append(others, i)
		}
	}
	var all order.StaleError
	for _, part := range [][]int{changed, others} {
		for _, i := range part {
			act.Version = versions[i]
			line, err := do(lines[i], act)
			var stale *order.StaleError
			if errors.As(err, &stale) {
				all.Lines = append(all.Lines, stale.Lines...)
				if lines[i].Version == versions[i] {
					break
				}
				continue
			}
			if refused[i] = errors.Is(err, order.ErrState); err != nil && !refused[i] {
				return nil, nil, err
			}
			if now[i] = line; !refused[i] {
				all.Done = append(all.Done, lines[i].Line)
			}
		}
		if len(all.Lines) > 0 {
			return nil, nil, &all
		}
	}
	return now, refused, nil
}
