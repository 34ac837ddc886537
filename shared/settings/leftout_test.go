package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/upload"
)

func TestLinesOf(t *testing.T) {
	t.Parallel()
	report := `{"v":1,"findings":[{"lines":3}],"refused":{"lines":1},"file":"lines","lines":[
		{"line":2,"reason":"sold","soldAt":"2026-05-23T12:00:00Z"},{"line":7,"reason":"too-long"},{"line":9,"reason":"tab"}]}`
	got, err := linesOf(strings.NewReader(report), 2)
	want := []upload.RejectedLine{{Line: 2, Reason: upload.Sold, SoldAt: time.Date(2026, 5, 23, 12, 0, 0, 0, time.UTC)}, {Line: 7, Reason: upload.TooLong}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, broken := range []string{"", "{", `{"v":1}`, `{"lines":`, `{"lines":[{]`, "no report"} {
		if lines, err := linesOf(strings.NewReader(broken), 2); err == nil {
			t.Errorf("%q has the lines %v", broken, lines)
		}
	}
}
