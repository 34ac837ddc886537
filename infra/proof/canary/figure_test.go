package canary

import (
	"maps"
	"testing"
)

func TestFigures(t *testing.T) {
	got := Figures("=== RUN  TestX\n    figure: calls denied = 12\nfigure: calls denied = 3\nfigure: roles = 7\nfigure: of speech\nok\n")
	if want := map[string]int{"calls denied": 15, "roles": 7}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
