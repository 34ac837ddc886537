package inventory_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/fuse"
	"keypool/shared/audit"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// export asks for keys of a pool side to be exported.
func (w *world) export(of pool.ID, which job.Which, format job.Format) job.Job {
	w.Helper()
	j, err := w.jobs.Export(w.Context(), inventory.Export{Of: of, Choice: job.Choice{Which: which, Format: format}, By: "the token", Why: "the audit"})
	w.must(err)
	return j
}

// exported has the job done to its end, and returns its file.
func (w *world) exported(j job.Job) string {
	w.Helper()
	if j = w.finish(j.ID); j.State() != job.Ended {
		w.Fatalf("the job is %s", j.State())
	}
	file := w.files.file(j)
	if int(j.File.Size) != len(file) {
		w.Errorf("the job says %d bytes of %d", j.File.Size, len(file))
	}
	return file
}

// keysIn returns the keys that a table has.
func (w *world) keysIn(file string) (keys []string) {
	w.Helper()
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	w.must(err)
	for _, row := range rows[1:] {
		keys = append(keys, row[0])
	}
	return keys
}

// wantKeys expects a file with these keys, each once, whatever their order, and that the job
// counts them.
func (w *world) wantKeys(j job.Job, want []string) {
	w.Helper()
	got := w.keysIn(w.files.file(j))
	if n := w.job(j.ID).Keys; n != len(got) {
		w.Errorf("the job counts %d keys, and its file has %d", n, len(got))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("the file has other keys (-want +got):\n%s", diff)
	}
}

// texts returns the keys of a file of lines.
func texts(name string, from, to int) (keys []string) {
	for i := from; i < to; i++ {
		keys = append(keys, fmt.Sprintf("%s-%04d", name, i))
	}
	return keys
}

const headingOfTable = "key,state,order,account,line,product,paid_at,sold_at,blocked_at,upload,file,file_line\n"

// Keys stand in the file as they are, whatever a spreadsheet makes of them; the names beside them
// do not.
func TestExport_sold(t *testing.T) {
	t.Parallel()
	w := open(t)
	odd := []string{`=1+1`, `"quoted"`, `a,b; c`, `00012`, `\.`, `ключ é 鍵`, `<&>`, `'x`}
	u := w.load("uploads/nova/elden/+odd.txt", "FREE-1\n"+strings.Join(odd, "\n")+"\n")
	w.load("uploads/nova/ring/other.txt", "OTHER-1\n")
	w.load("uploads/nova/elden/test/try.txt", "TRY-1\n")
	for i, key := range odd {
		w.later(time.Second)
		w.sell(fmt.Sprintf("A-%d", i+1), elden, key)
	}
	w.sell("B-1", ring, "OTHER-1")
	w.sell("C-1", pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Test}, "TRY-1")
	w.later(time.Minute)
	table := w.exported(w.export(elden, job.Sold, job.CSV))
	if left := w.files.open(); len(left) > 0 {
		t.Errorf("uploads that have not ended: %v", left)
	}
	want := headingOfTable
	for i, cell := range []string{`'x`, `<&>`, `ключ é 鍵`, `"\."`, `00012`, `"a,b; c"`, `"""quoted"""`, `=1+1`} {
		n := len(odd) - i
		want += fmt.Sprintf("%s,claimed,A-%d,own,1,4711,,2026-11-23T12:00:%02dZ,,%s,'+odd.txt,%d\n", cell, n, n, u.ID, n+1)
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	lines := w.exported(w.export(elden, job.Sold, job.JSONL))
	first, _, _ := strings.Cut(lines, "\n")
	if want := fmt.Sprintf(`{"key":"'x","state":"claimed","order":"A-8","account":"own","line":"1","product":"4711","sold_at":"2026-11-23T12:00:08Z","upload":"%s","file":"+odd.txt","file_line":9}`, u.ID); first != want {
		t.Errorf("the first line is\n%s\nwant\n%s", first, want)
	}
	var read []string
	for line := range strings.Lines(lines) {
		var row struct{ Key string }
		w.must(json.Unmarshal([]byte(line), &row))
		read = append(read, row.Key)
	}
	slices.Reverse(odd)
	for form, got := range map[string][]string{"table": w.keysIn(table), "lines": read} {
		if diff := cmp.Diff(odd, got); diff != "" {
			t.Errorf("the %s reads as (-want +got):\n%s", form, diff)
		}
	}
}

// A key stands as what it is now, with the order that has it, or had it before it was replaced.
func TestExport_soldThatChanged(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", "BAD-1\nGOOD-1\nBACK-1\nLEAKED-1\n")
	line := w.sell("A-1", elden, "BAD-1")
	w.giveBack(w.sell("A-2", elden, "BACK-1"), order.Restock)
	w.sell("A-3", elden, "LEAKED-1")
	if _, err := (&inventory.Blocker{Merchants: w.store, Keys: w.store, Finder: &inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}, Now: func() time.Time { return noon }}).Block(t.Context(), "nova", []string{"LEAKED-1"}, "the token", ""); err != nil {
		t.Fatal(err)
	}
	change := order.ChangeOf(line)
	w.must(change.Release(order.Release{Key: line.Keys[0].ID, To: order.Revoke, Shards: shards, At: noon}))
	change.After.Replaced = []pool.KeyID{line.Keys[0].ID}
	change.Allocate(slices.DeleteFunc(w.forSale(elden), func(k pool.Key) bool { return k.Text.Reveal() != "GOOD-1" }), noon)
	w.must(w.store.Commit(t.Context(), change))
	w.later(2 * time.Hour)
	j := w.export(elden, job.Sold, job.CSV)
	var got []string
	for row := range strings.Lines(w.exported(j)) {
		cells := strings.Split(row, ",")
		got = append(got, strings.Join(slices.Concat(cells[:3], cells[8:9]), " "))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"BAD-1 revoked A-1 ", "GOOD-1 claimed A-1 ", "LEAKED-1 claimed A-3 2026-11-23T12:00:00Z", "key state order blocked_at"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.wantKeys(w.ended(w.export(elden, job.Unsold, job.CSV)), []string{"BACK-1"})
}

func TestExport_soldInAPeriod(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 5))
	for i, key := range texts("KEY", 0, 5) {
		w.sell(fmt.Sprint("A-", i), elden, key)
		w.later(time.Hour)
	}
	period := func(from, until time.Duration) inventory.Export {
		c := job.Choice{Which: job.Sold, Format: job.CSV, From: noon.Add(from)}
		if until > 0 {
			c.Until = noon.Add(until)
		}
		return inventory.Export{Of: elden, Choice: c}
	}
	for _, c := range []struct {
		period inventory.Export
		want   []string
	}{
		{period(time.Hour, 3*time.Hour), texts("KEY", 1, 3)},
		{period(4*time.Hour, 0), texts("KEY", 4, 5)},
		{period(0, 100*time.Hour), texts("KEY", 0, 5)},
	} {
		j, err := w.jobs.Export(t.Context(), c.period)
		w.must(err)
		w.exported(j)
		w.wantKeys(j, c.want)
	}
	unsold := period(time.Hour, 0)
	unsold.Choice.Which = job.Unsold
	for name, e := range map[string]inventory.Export{"that ends as it begins": period(time.Hour, time.Hour), "of unsold keys": unsold} {
		if _, err := w.jobs.Export(t.Context(), e); !errors.Is(err, job.ErrPeriod) {
			t.Errorf("a period %s: %v", name, err)
		}
	}
}

// An order of more keys than its own record holds is read chunk by chunk.
func TestExport_anOrderOfManyKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 800))
	w.sell("A-1", elden, "KEY-0700")
	w.later(time.Second)
	line := w.sell("A-2", elden, texts("KEY", 0, 20)...)
	for from := 20; from < 700; from += 85 {
		to := min(from+85, 700)
		keys := slices.DeleteFunc(w.forSale(elden), func(k pool.Key) bool { return !slices.Contains(texts("KEY", from, to), k.Text.Reveal()) })
		change := order.ChangeOf(line)
		change.After.Wanted += len(keys)
		change.Allocate(keys, noon)
		w.must(w.store.Commit(t.Context(), change))
		line = change.After
	}
	w.later(time.Second)
	w.sell("A-3", elden, "KEY-0701")
	w.later(time.Second)
	j := w.export(elden, job.Sold, job.CSV)
	w.exported(j)
	w.wantKeys(j, texts("KEY", 0, 702))
}

func TestExport_unsold(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/keys.txt", lines("KEY", 1203))
	w.load("uploads/nova/ring/other.txt", "OTHER-1\n")
	w.finish(w.withdraw(w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 3))).ID)
	w.sell("A-1", elden, "KEY-0007")
	j := w.export(elden, job.Unsold, job.CSV)
	table := w.exported(j)
	w.wantKeys(j, append(texts("KEY", 0, 7), texts("KEY", 8, 1203)...))
	if row := fmt.Sprintf("KEY-0042,available,,,,,,,,%s,keys.txt,43\n", u.ID); !strings.Contains(table, row) {
		t.Errorf("there is no row %s", row)
	}
	if lines := w.exported(w.export(elden, job.Unsold, job.JSONL)); strings.Count(lines, "\n") != 1202 || !strings.Contains(lines, fmt.Sprintf(`{"key":"KEY-0042","state":"available","upload":"%s","file":"keys.txt","file_line":43}`, u.ID)) {
		t.Errorf("the lines: %d", strings.Count(lines, "\n"))
	}
}

func TestExport_ofAnEmptyPool(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, which := range []job.Which{job.Sold, job.Unsold} {
		for format, want := range map[job.Format]string{job.CSV: headingOfTable, job.JSONL: ""} {
			if got := w.exported(w.export(elden, which, format)); got != want {
				t.Errorf("%s, %s: %q", which, format, got)
			}
		}
	}
	_, err := w.jobs.Export(t.Context(), inventory.Export{Of: pool.ID{Merchant: "nova", Pool: "nowhere", Side: pool.Live}, Choice: job.Choice{Which: job.Sold, Format: job.CSV}})
	if !errors.Is(err, job.ErrNotFound) {
		t.Errorf("of no pool: %v", err)
	}
}

// ended has the job done.
func (w *world) ended(j job.Job) job.Job {
	w.Helper()
	w.exported(j)
	return j
}

// many is a pool whose keys take several steps: 120 sold ones, one an order, and 600 unsold ones.
func (w *world) many() (sold, unsold []string) {
	w.Helper()
	sold, unsold = texts("SOLD", 0, 120), texts("KEY", 0, 600)
	w.load("uploads/nova/elden/sold.txt", lines("SOLD", 120))
	found := map[string]pool.Key{}
	for _, key := range w.forSale(elden) {
		found[key.Text.Reveal()] = key
	}
	for i, text := range sold {
		change := order.NewLine(lineOf(fmt.Sprint("A-", i), elden, 1, noon.Add(time.Duration(i%7)*time.Second)))
		change.Allocate([]pool.Key{found[text]}, noon)
		w.must(w.store.Commit(w.Context(), change))
	}
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 600))
	w.later(time.Hour)
	return sold, unsold
}

// The worker is killed at each of its calls, before it or after, and another goes on: each key is
// in the file once.
func TestExport_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, which := range []job.Which{job.Sold, job.Unsold} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %t", which, late), func(t *testing.T) {
				t.Parallel()
				w := open(t)
				w.worker.PartSize = 2 << 10
				sold, unsold := w.many()
				want := map[job.Which][]string{job.Sold: sold, job.Unsold: unsold}[which]
				for at := 1; ; at++ {
					j := w.export(elden, which, job.CSV)
					f := &fuse.Fuse{Left: at, Late: late}
					err := w.run(fused(f, w.worker), j.ID)
					w.exported(j)
					w.wantKeys(j, want)
					if t.Failed() {
						t.Fatalf("killed at call %d", at)
					}
					if f.Left > 0 {
						w.must(err)
						break
					}
				}
				if len(w.files.sizes) == 0 || slices.Max(w.files.sizes) > 64<<10 {
					t.Errorf("parts of up to %d bytes", slices.Max(w.files.sizes))
				}
			})
		}
	}
}

// A worker without time puts what it has of the next part aside, and the next one goes on there,
// also after steps that found nothing. It is killed at each of its calls meanwhile.
func TestExport_outOfTime(t *testing.T) {
	t.Parallel()
	w := open(t)
	sold, _ := w.many()
	for i := range 120 { // another pool's
		w.must(w.store.Commit(t.Context(), order.NewLine(lineOf(fmt.Sprint("R-", i), ring, 1, noon.Add(time.Minute)))))
	}
	for at := 1; at < 40; at += 3 {
		for format, late := range map[job.Format]bool{job.CSV: at%2 == 1, job.JSONL: at%2 == 0} {
			j := w.export(elden, job.Sold, format)
			f := &fuse.Fuse{Left: at, Late: late}
			ctx, cancel := context.WithTimeout(t.Context(), job.Reserve) // no time is left after a step
			steps := 0
			for worker := fused(f, w.worker); !w.job(j.ID).Done; steps++ {
				if err := worker.Handle(ctx, job.Resume("nova", j.ID)); err != nil && !errors.Is(err, job.ErrUnfinished) {
					worker = w.worker // it was killed
				}
				if steps > 50 {
					t.Fatalf("it does not come to its end: %+v", w.job(j.ID))
				}
			}
			cancel()
			if steps < 6 {
				t.Fatalf("it took %d workers", steps)
			}
			if format == job.CSV {
				w.wantKeys(j, sold)
			} else if n := strings.Count(w.exported(j), "\n"); n != len(sold) {
				t.Errorf("%d lines", n)
			}
			if t.Failed() {
				t.Fatalf("killed at call %d (late %t)", at, late)
			}
		}
	}
}

// Whatever is for sale, or sold, while a pool is exported: each key is in a file once at most, and
// in one of the two at least.
func TestExport_whileItSells(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.worker.PartSize = 1 << 10
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 900))
	unsold := w.export(elden, job.Unsold, job.CSV)
	stop := make(chan struct{})
	var sales sync.WaitGroup
	for seller := range 4 {
		sales.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					w.take(fmt.Sprintf("R-%d-%d", seller, n))
				}
			}
		})
	}
	w.exported(unsold)
	close(stop)
	sales.Wait()
	w.later(time.Minute)
	sold := w.export(elden, job.Sold, job.CSV)
	w.exported(sold)
	seen := map[string]int{}
	for n, file := range []string{w.files.file(unsold), w.files.file(sold)} {
		here := map[string]int{}
		for _, key := range w.keysIn(file) {
			here[key]++
			seen[key]++
			if here[key] > 1 {
				t.Errorf("file %d has %s twice", n, key)
			}
		}
	}
	if len(seen) != 900 {
		t.Errorf("the files have %d keys of 900", len(seen))
	}
}

// A key that is sold, or for sale, again while it is exported is not met a second time.
func TestExport_aKeyThatComesBackMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 3))
	w.must(w.store.Commit(t.Context(), order.NewLine(lineOf("A-0", elden, 1, noon)))) // it waits
	w.later(time.Minute)
	line := w.sell("A-1", elden, "KEY-0000")
	w.later(time.Minute)
	for _, which := range []job.Which{job.Sold, job.Unsold} {
		j := w.export(elden, which, job.CSV)
		if which == job.Sold {
			w.giveBackNow(line)
			waits, _, err := w.store.Fulfillment(t.Context(), lineOf("A-0", elden, 1, noon).ID)
			w.must(err)
			change := order.ChangeOf(waits)
			change.Allocate(slices.DeleteFunc(w.forSale(elden), func(k pool.Key) bool { return k.Text.Reveal() != "KEY-0000" }), w.now)
			w.must(w.store.Commit(t.Context(), change))
			w.exported(j)
			w.wantKeys(j, nil)
			continue
		}
		line = w.sell("A-2", elden, "KEY-0001")
		w.giveBackNow(line)
		w.exported(j)
		w.wantKeys(j, []string{"KEY-0002"})
	}
}

// giveBackNow puts the keys of a line on sale again, at this moment.
func (w *world) giveBackNow(line order.Fulfillment) {
	w.Helper()
	change := order.ChangeOf(line)
	change.After.Returned = change.After.Wanted
	for _, key := range line.Keys {
		w.must(change.Release(order.Release{Key: key.ID, To: order.Restock, Shards: shards, At: w.now}))
	}
	w.must(w.store.Commit(w.Context(), change))
}

// What a worker does whose job another has taken is in no file, and saved nowhere.
func TestExport_fenced(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.worker.PartSize = 1 << 10
	_, unsold := w.many()
	j := w.export(elden, job.Unsold, job.CSV)
	stale := *w.worker
	late := &lateFiles{Files: w.files}
	stale.Files = late
	late.takeOver = func() { w.must(w.run(w.worker, j.ID)) } // while it writes its second part
	if err := stale.Handle(t.Context(), job.Resume("nova", j.ID)); err != nil {
		t.Errorf("the worker that was fenced: %v", err)
	}
	if late.parts < 2 {
		t.Fatalf("it wrote %d parts", late.parts)
	}
	w.exported(j)
	w.wantKeys(j, unsold)
}

// lateFiles writes a second part when another worker has done the rest of the job.
type lateFiles struct {
	inventory.Files
	parts    int
	takeOver func()
}

func (f *lateFiles) WritePart(ctx context.Context, object, upload string, number int, content []byte) (job.FilePart, error) {
	if f.parts++; f.parts == 2 {
		f.takeOver()
	}
	return f.Files.WritePart(ctx, object, upload, number, content)
}

// A worker may write a part after another has written the same keys: the parts of both have
// numbers of their own.
func TestExport_partsOfTwoWorkers(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.worker.PartSize = 1 << 10
	_, unsold := w.many()
	j := w.export(elden, job.Unsold, job.CSV)
	stale := *w.worker
	files := &pausedFiles{Files: w.files, begun: make(chan struct{}), goOn: make(chan struct{})}
	stale.Files = files
	var first sync.WaitGroup
	first.Go(func() {
		if err := stale.Handle(t.Context(), job.Resume("nova", j.ID)); err != nil {
			t.Errorf("the worker that was fenced: %v", err)
		}
	})
	<-files.begun // its second part
	next := *w.worker
	written := 0
	next.Files = &overtaken{Files: w.files, then: func() {
		if written++; written == 1 {
			close(files.goOn)
			first.Wait()
		}
	}}
	w.must(w.run(&next, j.ID))
	if written == 0 {
		t.Fatal("the second worker wrote nothing")
	}
	w.exported(j)
	w.wantKeys(j, unsold)
}

// overtaken does something once it has written a part.
type overtaken struct {
	inventory.Files
	then func()
}

func (f *overtaken) WritePart(ctx context.Context, object, upload string, number int, content []byte) (job.FilePart, error) {
	defer f.then()
	return f.Files.WritePart(ctx, object, upload, number, content)
}

// pausedFiles pauses before the second part.
type pausedFiles struct {
	inventory.Files
	parts       int
	begun, goOn chan struct{}
}

func (f *pausedFiles) WritePart(ctx context.Context, object, upload string, number int, content []byte) (job.FilePart, error) {
	if f.parts++; f.parts == 2 {
		close(f.begun)
		<-f.goOn
		content = []byte("what an earlier worker found\n")
	}
	return f.Files.WritePart(ctx, object, upload, number, content)
}

func TestExport_cancelled(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.worker.PartSize = 1 << 10
	w.many()
	j := w.export(elden, job.Unsold, job.CSV)
	f := &fuse.Fuse{Left: 9}
	w.run(fused(f, w.worker), j.ID)
	if n := w.job(j.ID).Keys; n == 0 || len(w.files.open()) != 1 {
		t.Fatalf("%d keys, uploads %v", n, w.files.open())
	}
	if _, err := w.jobs.Cancel(t.Context(), "nova", j.ID, "another token"); err != nil {
		t.Fatal(err)
	}
	w.must(w.run(w.worker, j.ID))
	if now := w.job(j.ID); now.State() != job.Cancelled || now.Keys != 0 || len(w.files.open()) > 0 || w.files.file(j) != "" {
		t.Errorf("it is %s with %d keys; uploads %v, file %q", now.State(), now.Keys, w.files.open(), w.files.file(j))
	}
	if _, err := w.exports().Link(t.Context(), "nova", j.ID, ""); !errors.Is(err, job.ErrNoFile) {
		t.Errorf("its file: %v", err)
	}
}

// A file that nobody went on with for a day, so that the bucket deleted it, is begun anew.
func TestExport_whoseFileIsGone(t *testing.T) {
	t.Parallel()
	w := open(t)
	sold, _ := w.many()
	for at := 3; at < 25; at += 2 {
		for _, size := range []int{1 << 10, 8 << 10, 1 << 20} {
			w.worker.PartSize = size
			j := w.export(elden, job.Sold, job.CSV)
			w.run(fused(&fuse.Fuse{Left: at}, w.worker), j.ID)
			w.files.forget()
			if !w.job(j.ID).Done {
				w.exported(j)
				w.wantKeys(j, sold)
			}
		}
	}
}

func TestExport_soManyAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", "KEY-1\n")
	ask := func() (job.Job, error) {
		return w.jobs.Export(t.Context(), inventory.Export{Of: elden, Choice: job.Choice{Which: job.Unsold, Format: job.CSV}})
	}
	first, second := w.export(elden, job.Sold, job.CSV), w.export(ring, job.Unsold, job.CSV)
	if _, err := ask(); !errors.Is(err, job.ErrExports) {
		t.Errorf("the third: %v", err)
	}
	other, err := w.jobs.Export(t.Context(), inventory.Export{Of: pool.ID{Merchant: "mallory", Pool: "elden", Side: pool.Live}, Choice: job.Choice{Which: job.Unsold, Format: job.CSV}})
	if err != nil || other.Merchant != "mallory" {
		t.Errorf("another merchant's: %v", err)
	}
	w.exported(first)
	w.must(w.run(w.worker, first.ID)) // again: it has ended
	if _, err := w.jobs.Cancel(t.Context(), "nova", second.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.must(w.run(w.worker, second.ID))
	for range job.MostExports {
		_, err := ask()
		w.must(err)
	}
	if _, err := ask(); !errors.Is(err, job.ErrExports) {
		t.Errorf("after two have ended, the third: %v", err)
	}
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 20)
	w.must(err)
	if asked := slices.DeleteFunc(trail, func(e audit.Entry) bool { return e.Change != audit.Added || e.Thing != audit.Job }); len(asked) != 4 {
		t.Errorf("%d were asked for, by the audit trail", len(asked))
	}
}

func (w *world) exports() *inventory.Exports {
	return &inventory.Exports{Jobs: w.store, Files: w.files, Now: func() time.Time { return w.now }}
}

func TestExports_link(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 3))
	j := w.export(elden, job.Unsold, job.CSV)
	link := func(merchant, id string) (inventory.Link, error) {
		return w.exports().Link(t.Context(), merchant, id, "the token")
	}
	if _, err := link("nova", j.ID); !errors.Is(err, job.ErrNoFile) {
		t.Errorf("before it is done: %v", err)
	}
	w.exported(j)
	got, err := link("nova", j.ID)
	w.must(err)
	if want := "https://bucket.example/exports/nova/" + j.ID + "?file=elden-live-unsold-20261123T120000Z.csv&for=10m0s"; got.URL != want || !got.ExpiresAt.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("link %s until %s, want %s", got.URL, got.ExpiresAt, want)
	}
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 10)
	w.must(err)
	var told []string
	for _, e := range trail {
		told = append(told, fmt.Sprint(e.By, " ", e.Change, " ", e.Thing, " ", e.Name == j.ID, " ", e.Before, " ", e.After))
	}
	slices.Sort(told)
	if diff := cmp.Diff([]string{
		"the token added job true map[] map[format:csv kind:export pool:elden side:live which:unsold]",
		"the token added link true map[] map[expires_at:2026-11-23T12:10:00Z keys:3 pool:elden side:live which:unsold]",
		"the token changed job true map[state:running] map[keys:3 state:done]",
	}, told); diff != "" {
		t.Errorf("the audit trail (-want +got):\n%s", diff)
	}
	for _, merchant := range []string{"mallory", "nobody"} {
		if _, err := link(merchant, j.ID); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("to %s: %v", merchant, err)
		}
	}
	moved := w.finish(w.move("", 1).ID)
	if _, err := link("nova", moved.ID); !errors.Is(err, job.ErrNoFile) {
		t.Errorf("of a job that exports nothing: %v", err)
	}
	w.later(job.FileKept)
	if _, err := link("nova", j.ID); !errors.Is(err, job.ErrFileGone) {
		t.Errorf("a day later: %v", err)
	}
	refuses := &inventory.Exports{Jobs: unwritten{w.store}, Files: w.files, Now: func() time.Time { return noon }}
	if got, err := refuses.Link(t.Context(), "nova", j.ID, ""); err == nil || got.URL != "" {
		t.Errorf("a link that is in no audit trail: %s", got.URL)
	}
}

// unwritten has an audit trail that cannot be written to.
type unwritten struct{ inventory.ExportStore }

func (unwritten) AddEntry(context.Context, audit.Entry) error { return errors.New("the table is down") }

// An erased customer is in no file, and the order's number stays.
func TestExport_ofAnErasedCustomer(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", "KEY-1\n")
	line := lineOf("A-1", elden, 1, noon)
	line.Customer = order.Customer{Name: "Ada", Email: "ada@customer.example"}
	change := order.NewLine(line)
	change.Allocate(w.forSale(elden), noon)
	w.must(w.store.Commit(t.Context(), change))
	before := w.exported(w.export(elden, job.Sold, job.CSV))
	if _, err := w.eraser.Erase(t.Context(), line.ID, lifecycle.Erasure{Force: true}); err != nil {
		t.Fatal(err)
	}
	if after := w.exported(w.export(elden, job.Sold, job.CSV)); after != before || strings.Contains(strings.ToLower(after), "ada") {
		t.Errorf("before %s, after %s", before, after)
	}
}

// What an export reads: of keys for sale the index once and each key once; of sold ones the
// index, the lines and their keys.
func TestExport_roundTrips(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	w := open(t, meter.Option)
	w.many()
	for which, want := range map[job.Which]map[string]int{
		job.Unsold: {"Query": 2 + 1, "BatchGetItem": 6 + 1},                 // of 2 shards, and the ranges of 1 upload
		job.Sold:   {"Query": 8*3 + 1, "BatchGetItem": 3 + 3, "GetItem": 0}, // 3 pages of 50 lines, each of 8 partitions
	} {
		j := w.export(elden, which, job.CSV)
		meter.Reset()
		w.exported(j)
		calls := map[string]int{}
		for _, call := range meter.Calls() {
			calls[call.Operation]++
		}
		if calls["Query"] > want["Query"] || calls["BatchGetItem"] > want["BatchGetItem"] {
			t.Errorf("%s: %v, want at most %v", which, calls, want)
		}
	}
}

// The index of keys for sale shows a key for a moment after it was sold, or moved away.
func TestExport_aKeyThatIsSoldMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/keys.txt", lines("KEY", 4))
	j := w.export(elden, job.Unsold, job.CSV)
	seen := &soldWhenSeen{world: w, Keys: w.store}
	w.worker.Keys = seen
	w.exported(j)
	w.wantKeys(j, slices.DeleteFunc(texts("KEY", 0, 4), func(key string) bool { return key == seen.sold }))
}

// soldWhenSeen sells the first key that the index shows.
type soldWhenSeen struct {
	*world
	inventory.Keys
	sold string
}

func (k *soldWhenSeen) OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) ([]pool.Key, string, error) {
	keys, last, err := k.Keys.OnSale(ctx, p, shard, after, n)
	if k.sold == "" && len(keys) > 0 {
		for _, key := range k.forSale(p) {
			if key.ID == keys[0].ID {
				k.sold = key.Text.Reveal()
				k.sell("A-1", p, k.sold)
			}
		}
	}
	return keys, last, err
}
