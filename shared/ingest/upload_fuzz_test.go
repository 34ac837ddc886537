package ingest_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/ingest"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// FuzzUpload holds that a dropped file of any name and content gets one report that
// adds up, that what it counts as accepted is in the table and is fit to be mailed,
// and that the same file again brings nothing.
func FuzzUpload(f *testing.F) {
	f.Add("uploads/nova/elden/keys.txt", []byte("AAAA-1\r\nBBBB-2\n\nAAAA-1\rx\x01\n"))
	f.Add("uploads/nova/elden/test/a+b c.txt", []byte("\xff\xfeA\x00\n\x00\x00\xd8\n\x00B"))
	f.Add("uploads/nova/ring/test", []byte("AAAA-1\n"))
	f.Add("uploads/nova/unheard-of/keys.txt", []byte("AAAA-1\n"))
	f.Add("uploads/stranger/elden/keys.txt", []byte("AAAA-1\n"))
	f.Add("uploads/nova/elden/", []byte("x"))
	f.Add("keys.txt", []byte(""))
	f.Add("uploads/nova/elden/bomb.txt", []byte("PK\x03\x04\x14\x00"))
	f.Add("uploads/nova/elden/long.txt", append(make([]byte, 0, 5000), strings.Repeat("k", ingest.MaxLine)+"\n"+strings.Repeat("k", ingest.MaxLine+1)+"\n\u3000\uFEFF"...))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		const longest = 1024 // bytes of an object's name, by S3
		if name == "" || len(name) > longest || !utf8.ValidString(name) || len(content) == 0 && strings.HasSuffix(name, "/") {
			return
		}
		d := newFixture(t)
		u := d.drop(name, string(content))
		keys := map[string]storedKey{}
		for _, side := range []pool.Side{pool.Live, pool.Test} {
			maps.Copy(keys, d.keys("nova", side))
		}
		d.addsUp(u)
		if accepted := u.Counts[upload.Accepted]; accepted != len(keys) || accepted != 0 && accepted != d.shown(u.PoolID()) {
			t.Errorf("%d keys are accepted, %d are there, %d are shown", accepted, len(keys), d.shown(u.PoolID()))
		}
		for text, key := range keys {
			if text == "" || len(text) > ingest.MaxLine || text != strings.TrimSpace(text) || strings.ContainsFunc(text, unicode.IsControl) || key.Upload != u.ID {
				t.Errorf("a key that cannot be mailed: %q of %s", text, key.Upload)
			}
		}
		if u.State == upload.Parked {
			return
		}
		again := d.drop(name, string(content))
		d.addsUp(again)
		if again.Counts[upload.Accepted] != 0 || again.Lines != u.Lines || again.Counts.Rejected() != u.Counts.Rejected() || u.Rejected() && again.Cause != u.Cause {
			t.Errorf("the same file again: %s with %v, at first %s with %v", again.Cause, again.Counts, u.Cause, u.Counts)
		}
		if slices.Contains([]upload.Cause{upload.Binary, upload.Empty, upload.NoKeys}, u.Cause) && len(keys) > 0 {
			t.Errorf("%d keys of a file that is %s", len(keys), u.Cause)
		}
	})
}

// addsUp holds that an upload's report is there, and says the same as its record.
func (d *fixture) addsUp(u upload.Upload) {
	d.t.Helper()
	raw, err := d.reports.Get(d.t.Context(), u.ReportName())
	if err != nil {
		d.t.Fatalf("no report: %v", err)
	}
	var report struct {
		State               upload.State
		Cause               upload.Cause
		LinesRead, Accepted int
		Duplicates, Refused map[upload.Outcome]int
		Lines               []upload.RejectedLine
	}
	if err := json.Unmarshal(raw, &report); err != nil {
		d.t.Fatalf("the report: %v\n%s", err, raw)
	}
	counts := upload.Counts{}
	if report.Accepted > 0 {
		counts[upload.Accepted] = report.Accepted
	}
	counts.Add(report.Duplicates)
	counts.Add(report.Refused)
	if diff := cmp.Diff(u.Counts, counts); diff != "" || report.State != u.State || report.Cause != u.Cause || report.LinesRead != u.Lines {
		d.t.Errorf("the report says %s %s of %d lines, the record %s %s of %d; counts (-record +report):\n%s",
			report.State, report.Cause, report.LinesRead, u.State, u.Cause, u.Lines, diff)
	}
	if listed := u.Counts.Duplicates() + u.Counts.Rejected(); len(report.Lines) != listed || len(u.Kept) != min(listed, upload.KeptRejected) {
		d.t.Errorf("%d lines are listed and %d kept, of %d", len(report.Lines), len(u.Kept), listed)
	}
	last := 0
	for _, line := range report.Lines {
		if line.Line <= last || line.Line > u.Lines {
			d.t.Errorf("line %d is listed after %d, of %d", line.Line, last, u.Lines)
		}
		last = line.Line
	}
}
