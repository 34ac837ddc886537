package sheet_test

import (
	"testing"

	"keypool/shared/sheet"
)

func TestHarmless(t *testing.T) {
	t.Parallel()
	for _, formula := range []string{
		"=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1",
		"＝1+1", "＋1", "－1", "＠SUM(1)",
	} {
		if got := sheet.Harmless(formula); got != "'"+formula {
			t.Errorf("%q stands in a table as %q", formula, got)
		}
	}
	for _, name := range []string{"", "A-1001", "1=1", "'=1", "größe", "ー1", "\xff=1", " =1"} {
		if got := sheet.Harmless(name); got != name {
			t.Errorf("%q stands in a table as %q", name, got)
		}
	}
}
