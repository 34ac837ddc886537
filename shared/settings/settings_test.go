package settings

import (
	"errors"
	"slices"
	"testing"

	"keypool/shared/catalog"
)

func TestCondition(t *testing.T) {
	t.Parallel()
	is := func(versions ...int) func(int) bool {
		return func(v int) bool { return slices.Contains(versions, v) }
	}
	for name, c := range map[string]struct {
		condition Condition
		version   int
		same      bool
		want      error
	}{
		"create":                       {Condition{}, 0, false, nil},
		"create only":                  {Condition{New: true}, 0, false, nil},
		"create only, exists":          {Condition{New: true}, 3, false, ErrExists},
		"create only, exists the same": {Condition{New: true}, 3, true, ErrExists},
		"change":                       {Condition{Version: is(3)}, 3, false, nil},
		"change of one of several":     {Condition{Version: is(2, 3)}, 3, false, nil},
		"change of another version":    {Condition{Version: is(2)}, 3, false, catalog.ErrConflict},
		"repeat of another version":    {Condition{Version: is(2)}, 3, true, catalog.ErrConflict},
		"change, does not exist":       {Condition{Version: is(0)}, 0, false, catalog.ErrMissing},
		"change without condition":     {Condition{}, 3, false, ErrUnconditional},
		"repeat without condition":     {Condition{}, 3, true, nil},
	} {
		if got := c.condition.check(c.version, c.same); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	name := func(s string) string { return s }
	for _, c := range []struct {
		items []string
		limit int
		want  []string
		next  string
	}{
		{nil, 2, nil, ""},
		{[]string{"a", "b"}, 2, []string{"a", "b"}, ""},
		{[]string{"a", "b", "c"}, 2, []string{"a", "b"}, "b"},
	} {
		if got, next := page(c.items, c.limit, name); !slices.Equal(got, c.want) || next != c.next {
			t.Errorf("%v by %d: %v and then %q", c.items, c.limit, got, next)
		}
	}
}
