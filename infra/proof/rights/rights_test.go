package rights

import (
	"strings"
	"testing"
)

func TestTable_needsEveryFigure(t *testing.T) {
	figures := map[string]int{}
	for i, row := range rows {
		if _, err := table(figures); err == nil {
			t.Errorf("%d of %d figures make a table", i, len(rows))
		}
		figures[row.figure] = 1000 + i
	}
	text, err := table(figures)
	if err != nil || !strings.Contains(text, "| 1000 |") {
		t.Errorf("%v\n%s", err, text)
	}
}
