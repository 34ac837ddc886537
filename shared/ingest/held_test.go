package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/fuse"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// sampleFile returns a file of testdata/files.
func sampleFile(t *testing.T, name string) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", "files", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// texts returns the keys that are on sale.
func (d *fixture) texts() []string { return slices.Sorted(maps.Keys(d.keys("nova", pool.Live))) }

// answer has a held upload loaded, as the API does, and lets ingest work.
func (d *fixture) answer(u upload.Upload, how upload.Reading) upload.Upload {
	d.t.Helper()
	api := &settings.Uploads{Store: d.store, Ranges: d.jobs, Now: func() time.Time { return noon }}
	confirmed, err := api.Load(d.t.Context(), "nova", u.ID, how)
	if err != nil || confirmed.State != upload.Confirmed || confirmed.Cause != "" || !confirmed.DueAt.Equal(noon.Add(upload.StalledAfter)) {
		d.t.Fatalf("%+v, %v; want it confirmed, and looked at by the sweep if the message is lost", confirmed, err)
	}
	d.work()
	return d.upload(u.Object)
}

// A file that reads like something else is held whole, its merchant is told what was
// seen and asked, and it is loaded by the answer.
func TestIngest_fileThatReadsLikeSomethingElseIsHeld(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file    string
		offered []string
		how     upload.Reading
		keys    []string
		counts  upload.Counts
	}{
		"csv, without its columns": {
			file: "csv-header-quotes.txt", offered: []string{"skip_heading", "strip_quotes"},
			how:    upload.Reading{SkipHeading: true, StripQuotes: true},
			counts: upload.Counts{upload.SkippedHeading: 1, upload.UnpairedQuotes: 2},
		},
		"one quoted column": {
			file: "one-column-quoted.txt", offered: []string{"skip_heading", "strip_quotes"},
			how:  upload.Reading{SkipHeading: true, StripQuotes: true},
			keys: []string{"QF02-AAAA-1111", `QF02-BB"BB-2222`}, counts: upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 2},
		},
		"one quoted column, as it is": {
			file: "one-column-quoted.txt", offered: []string{"skip_heading", "strip_quotes"},
			keys: []string{`"QF02-AAAA-1111"`, `"QF02-BB""BB-2222"`, "key"}, counts: upload.Counts{upload.Accepted: 3},
		},
		"numbered list": {
			file: "numbered-list.txt", offered: []string{"skip_heading", "strip_numbers"},
			how:  upload.Reading{SkipHeading: true, StripNumbers: true},
			keys: []string{"QNL1-AAAA-1111", "QNL2-BBBB-2222"}, counts: upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 2},
		},
		"comments": {
			file: "comment.txt", offered: []string{"skip_comments"}, how: upload.Reading{SkipComments: true},
			keys: []string{"QF16-AAAA-1111", "QF16-BBBB-2222"}, counts: upload.Counts{upload.SkippedComment: 2, upload.Accepted: 2},
		},
		"json": {
			file: "json.txt", keys: []string{`["QF22-AAAA-1111","QF22-BBBB-2222"]`}, counts: upload.Counts{upload.Accepted: 1},
		},
		"html": {
			file: "html-table.txt", counts: upload.Counts{upload.Accepted: 2},
			keys: []string{"<table><tr><td>QF24-AAAA-1111</td></tr>", "<tr><td>QF24-BBBB-2222</td></tr></table>"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			u := d.drop("uploads/nova/elden/"+test.file, sampleFile(t, test.file))
			if u.State != upload.NeedsConfirmation || u.Cause != upload.Unclear || len(u.Counts) > 0 || u.Ranges > 0 {
				t.Fatalf("%s because %q, %v: want it held", u.State, u.Cause, u.Counts)
			}
			if keys := d.texts(); len(keys) > 0 {
				t.Errorf("%q are on sale", keys)
			}
			if d.bucket.Kept(u.Object) != 0 {
				t.Error("the file may expire")
			}
			if told := d.wantNotice(u, notice.UploadReport).Facts.Cause; told != string(upload.Unclear) {
				t.Errorf("told %q", told)
			}
			if diff := cmp.Diff(test.offered, u.Seen.Offered()); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
			report, err := d.reports.Get(t.Context(), u.ReportName())
			if err != nil || !strings.Contains(string(report), `"state": "needs_confirmation"`) || !strings.Contains(string(report), `"findings"`) ||
				strings.Contains(string(report), "AAAA") {
				t.Errorf("the report, %v:\n%s", err, report)
			}
			// Its event again, and a message that comes late, change nothing.
			if err := d.worker.Receive(t.Context(), u.Object); err != nil {
				t.Fatal(err)
			}
			d.jobs.Send(t.Context(), upload.Resume("nova", u.ID), 0)
			d.jobs.Send(t.Context(), upload.LoadRange("nova", u.ID, 0), 0)
			d.work()
			if diff := cmp.Diff(u, d.upload(u.Object)); diff != "" {
				t.Errorf("changed without an answer:\n%s", diff)
			}

			loaded := d.answer(u, test.how)
			if diff := cmp.Diff(test.counts, loaded.Counts); diff != "" || loaded.State != upload.Finished {
				t.Errorf("%s, counts (-want +got):\n%s", loaded.State, diff)
			}
			if diff := cmp.Diff(test.keys, d.texts()); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			d.wantNotice(u, notice.UploadReport)
			if n := d.shown(elden); n != test.counts[upload.Accepted] {
				t.Errorf("the pool shows %d keys", n)
			}
			again := upload.Resume("nova", u.ID)
			d.jobs.Send(t.Context(), again, 0)
			d.work()
			if diff := cmp.Diff(loaded, d.upload(u.Object)); diff != "" {
				t.Errorf("loaded again (-once +twice):\n%s", diff)
			}

			// The answer holds for the next file of the pool that raises the question, on its
			// test side too, and for no other pool.
			next := d.drop("uploads/nova/elden/test/next.txt", strings.NewReplacer("Q", "R", "key\r", "code\r").Replace(sampleFile(t, test.file)))
			if next.State != upload.Finished || !next.Remembered || next.Reading != test.how {
				t.Errorf("the next file is %s, read by %+v", next.State, next.Reading)
			}
			if diff := cmp.Diff(test.counts, next.Counts); diff != "" {
				t.Errorf("counts of the next file (-want +got):\n%s", diff)
			}
			if other := d.drop("uploads/nova/ring/other.txt", sampleFile(t, test.file)); other.State != upload.NeedsConfirmation {
				t.Errorf("a file of another pool is %s", other.State)
			}
		})
	}
}

func TestIngest_golden_held(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/elden/list.txt", "License Code\n1. AAAA-1\n2. BBBB-2\n")
	golden(t, d, u, "report_held.json")
	u = d.answer(u, upload.Reading{SkipHeading: true, StripNumbers: true})
	golden(t, d, u, "report_confirmed.json")
}

// A file by whose name the merchant says that each line is a key is loaded unasked.
func TestIngest_asIs(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	for _, name := range []string{"comment.as-is.txt", "Comment.AS-IS.TXT"} {
		if u := d.drop("uploads/nova/elden/"+name, sampleFile(t, "comment.txt")); u.State != upload.Finished || u.Lines != 4 || len(u.Seen.Asked) > 0 {
			t.Errorf("%s is %s after %d lines", name, u.State, u.Lines)
		}
	}
	if n := len(d.texts()); n != 4 {
		t.Errorf("%d keys, want every line", n)
	}
}

func TestIngest_warnsOfLinesThatKeysRarelyHave(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"nbsp.txt": {"no-break-space"}, "word-dashes.txt": {"some-quotes", "typography"},
		"trailing-commas.txt": {"separators"}, "semicolon-list.txt": {"separators"},
	} {
		d := newFixture(t)
		u := d.drop("uploads/nova/elden/"+file, sampleFile(t, file))
		var got []string
		for _, f := range u.Seen.Warned {
			got = append(got, string(f.Trait))
		}
		if u.State != upload.Finished || u.Counts[upload.Accepted] != u.Lines || !slices.Equal(got, want) {
			t.Errorf("%s: %s, %v of %d lines, warned of %q; want it loaded, and %q", file, u.State, u.Counts, u.Lines, got, want)
		}
		report, err := d.reports.Get(t.Context(), u.ReportName())
		if err != nil || !strings.Contains(string(report), `"trait": "`+want[0]+`"`) {
			t.Errorf("%s: the report, %v:\n%s", file, err, report)
		}
	}
}

// The options hold in every range, on whichever worker, and every line is counted once.
func TestIngest_optionsHoldInEveryRange(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	file := "Code\n" + threeRanges(func(n int) string { return fmt.Sprintf("%d. \"K%02d\"", n, n) }) + "14. \"half\n"
	u := d.answer(d.drop("uploads/nova/elden/large.txt", file), upload.Reading{SkipHeading: true, StripNumbers: true, StripQuotes: true})
	if u.State != upload.Finished || u.Ranges != 3 {
		t.Fatalf("%s, %d ranges", u.State, u.Ranges)
	}
	want := upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 13, upload.TooLong: 2, upload.UnpairedQuotes: 1}
	if diff := cmp.Diff(want, u.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	sum := 0
	for _, lines := range u.Counts {
		sum += lines
	}
	if sum != u.Lines {
		t.Errorf("%d outcomes of %d lines", sum, u.Lines)
	}
	if _, ok := d.keys("nova", pool.Live)["K13"]; !ok {
		t.Errorf("keys %q", d.texts())
	}
}

// A merchant who mended the file and deleted it finds none of it on sale after all.
func TestIngest_heldFileThatIsGone(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/elden/a.txt", "key\nAAAA-1\n")
	d.bucket.Remove(u.Object)
	if u = d.answer(u, upload.Reading{SkipHeading: true}); u.State != upload.Finished || u.Cause != upload.Gone || len(d.texts()) > 0 {
		t.Errorf("%s because %q, %q on sale", u.State, u.Cause, d.texts())
	}
}

// A file whose pool is deleted between answer and load waits for it, and is not asked about again.
func TestIngest_confirmedFileWaitsForItsPool(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/elden/a.txt", "key\nAAAA-1\n")
	p, _, err := d.store.Pool(t.Context(), "nova", "elden")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.store.DeletePool(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if u = d.answer(u, upload.Reading{SkipHeading: true}); u.State != upload.Parked {
		t.Fatalf("%s without its pool", u.State)
	}
	d.addPool("nova", "elden")
	d.jobs.Send(t.Context(), upload.Resume("nova", u.ID), 0)
	d.work()
	if u = d.upload(u.Object); u.State != upload.Finished || u.Counts[upload.Accepted] != 1 || u.Counts[upload.SkippedHeading] != 1 {
		t.Errorf("%s with %v", u.State, u.Counts)
	}
}

// A .csv is read as CSV: each key is the cell of its column, and its place that of its row.
func TestIngest_csv(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/elden/keys.CSV", sampleFile(t, "csv-header-quotes.txt")+"\"QF01-AAAA-1111\",\"yes\"\r\n\"QF01-CC\"CC\",no\r\nQF01-DDDD-4444,no\r\n")
	want := upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 3, upload.SameFile: 1, upload.UnpairedQuotes: 1}
	if diff := cmp.Diff(want, u.Counts); diff != "" || u.State != upload.Finished || u.Lines != 6 || len(u.Seen.Asked)+len(u.Seen.Warned) > 0 {
		t.Errorf("%s after %d lines, %+v, counts (-want +got):\n%s", u.State, u.Lines, u.Seen, diff)
	}
	keys := d.keys("nova", pool.Live)
	if diff := cmp.Diff([]string{"QF01-AAAA-1111", "QF01-BBBB-2222", "QF01-DDDD-4444"}, slices.Sorted(maps.Keys(keys))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if offset := keys["QF01-BBBB-2222"].Offset; offset != 45 {
		t.Errorf("a key stands at %d", offset)
	}
	golden(t, d, u, "report_csv.json")

	u = d.drop("uploads/nova/elden/orders.csv", "E-Mail,Voucher,Code,Secret\nada@example.com,AAAA-1,BBBB-2,CCCC-3\n")
	if u.State != upload.Finished || u.Counts[upload.Accepted] != 1 || u.Seen.Table.Column != 3 {
		t.Errorf("%s because %q: %+v", u.State, u.Cause, u.Seen.Table)
	}
	u = d.drop("uploads/nova/elden/customers.csv", "E-Mail,QX01-SECRET,Status\nada@example.com,QX02-SECRET,new\n")
	if u.State != upload.Finished || u.Cause != upload.NoColumn || !u.DueAt.Equal(noon.Add(upload.RemindAfter)) {
		t.Errorf("%s because %q, looked at %v", u.State, u.Cause, u.DueAt)
	}
	golden(t, d, u, "report_no_column.json")
	// The same rows in a file of another name are lines.
	if u = d.drop("uploads/nova/elden/customers.as-is.txt", "a,b\nc,d\n"); u.Counts[upload.Accepted] != 2 {
		t.Errorf("as it is: %v", u.Counts)
	}
}

// A table is one range, of any size, and a worker that resumes it counts each row once.
func TestIngest_csvIsResumed(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	var file strings.Builder
	file.WriteString("note,key\n")
	for n := range 60 {
		if n%7 == 0 {
			file.WriteString("\n") // a blank line, that belongs to no row
		}
		fmt.Fprintf(&file, "\"for you,\nand\t%d\",KEY-%d\n", n, n)
	}
	file.WriteString("\"" + strings.Repeat("x", 3<<20))
	o := d.bucket.Put("uploads/nova/elden/a.csv", []byte(file.String()))
	hurry, cancel := context.WithTimeout(t.Context(), 15*time.Second) // less than a worker wants to have left
	defer cancel()
	if err := d.worker.Receive(hurry, o); err != nil {
		t.Fatal(err)
	}
	if u := d.upload(o); u.Ranges != 1 || u.State != upload.Loading {
		t.Fatalf("%s in %d ranges", u.State, u.Ranges)
	}
	for turns := 0; ; turns++ {
		message, ok := d.jobs.Next()
		if !ok {
			break
		}
		err := d.worker.Handle(hurry, message.(upload.Message))
		if errors.Is(err, job.ErrUnfinished) {
			d.jobs.Send(t.Context(), message, 0)
		} else if err != nil {
			t.Fatal(err)
		}
		if turns > 10 {
			t.Fatal("it makes no progress")
		}
	}
	u := d.upload(o)
	if diff := cmp.Diff(upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 60, upload.EndlessRow: 1}, u.Counts); diff != "" || u.State != upload.Finished || u.Lines != 62 {
		t.Errorf("%s after %d rows, counts (-want +got):\n%s", u.State, u.Lines, diff)
	}
	if n := d.shown(elden); n != 60 {
		t.Errorf("the pool shows %d keys", n)
	}
}

// TestIngest_heldFileKilledAnywhere kills the worker at each of its calls while it holds a
// file, and while it loads one that is confirmed: of lines, and of a table.
func TestIngest_heldFileKilledAnywhere(t *testing.T) {
	t.Parallel()
	lines := ""
	for n := range 12 {
		lines += fmt.Sprintf("%d. KEY-%d,\n", n+1, n%10)
	}
	for name, file := range map[string]string{
		"a.txt": "key\n" + strings.ReplaceAll(lines, ",", "") + "13. \n",
		"a.csv": "key,used\n" + lines + "13. ,no\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			whole := d.worker
			kill := 0
			// attempt works with a fuse, and then again without, as Lambda and the sweep do.
			attempt := func(f *fuse.Fuse, work func() error) (survived bool) {
				d.worker = fused(f, whole)
				err := work()
				d.worker = whole
				if err != nil {
					err = work()
				}
				if err != nil {
					t.Fatal(err)
				}
				d.work()
				return f.Left > 0
			}
			for calls := 1; ; calls++ {
				survived := true
				for _, late := range []bool{false, true} {
					kill++
					merchant := fmt.Sprintf("m%d", kill)
					d.addMerchant(merchant, "elden")
					o := d.bucket.Put("uploads/"+merchant+"/elden/"+name, []byte(file))
					at := fmt.Sprintf("killed at call %d (late: %t)", calls, late)

					survived = attempt(&fuse.Fuse{Left: calls, Late: late}, func() error { return d.worker.Receive(t.Context(), o) }) && survived
					u := d.upload(o)
					if u.State != upload.NeedsConfirmation || len(d.keys(merchant, pool.Live)) > 0 {
						t.Fatalf("%s: %s, with %d keys", at, u.State, len(d.keys(merchant, pool.Live)))
					}
					u.State, u.Cause, u.ConfirmedAt, u.Reading = upload.Confirmed, "", noon, upload.Reading{StripNumbers: true, SkipHeading: u.Seen.Has(upload.Heading)}
					if ok, err := d.store.ConfirmUpload(t.Context(), u); !ok || err != nil {
						t.Fatal(ok, err)
					}
					survived = attempt(&fuse.Fuse{Left: calls, Late: late}, func() error {
						d.jobs.Send(t.Context(), upload.Resume(merchant, u.ID), 0)
						for {
							message, ok := d.jobs.Next()
							if !ok {
								return nil
							}
							if err := d.worker.Handle(t.Context(), message.(upload.Message)); err != nil {
								return err
							}
						}
					}) && survived
					u = d.upload(o)
					want := upload.Counts{upload.SkippedHeading: 1, upload.Accepted: 10, upload.SameFile: 2, upload.NoKey: 1}
					if diff := cmp.Diff(want, u.Counts); diff != "" || u.State != upload.Finished || u.Lines != 14 {
						t.Errorf("%s: %s after %d lines, counts (-want +got):\n%s", at, u.State, u.Lines, diff)
					}
					if n := d.shown(u.PoolID()); n != 10 || len(d.keys(merchant, pool.Live)) != 10 {
						t.Errorf("%s: the pool shows %d keys", at, n)
					}
				}
				if survived {
					t.Logf("killed at each of %d calls", calls-1)
					return
				}
			}
		})
	}
}
