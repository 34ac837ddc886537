package ingest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/fuse"
	"keypool/shared/ingest"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var update = flag.Bool("update", false, "write the golden reports anew")

func TestIngest_fileIsLoadedAndReported(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/elden/november.txt", "\uFEFFAAAA-1\r\n\r\n  BBBB-2\t\r\nhttps://files.example/key?id=3\r\nbad\x01key\r\nAAAA-1")

	want := upload.Upload{
		Merchant: "nova", ID: u.ID, Object: u.Object,
		File: "november.txt", Pool: "elden", Side: pool.Live, Size: 71, Encoding: upload.UTF8,
		State: upload.Finished, Ranges: 1, Done: 1, Lines: 6,
		Counts: upload.Counts{upload.Accepted: 3, upload.ControlCharacter: 1, upload.SameFile: 1},
		Kept: []upload.RejectedLine{
			{Line: 5, Reason: upload.ControlCharacter},
			{Line: 6, Reason: upload.SameFile},
		},
		ReceivedAt: noon, FinishedAt: noon, Counted: true,
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if want := "20261123T120000-"; !strings.HasPrefix(u.ID, want) || len(u.ID) != len(want)+16 {
		t.Errorf("id %q, want it to begin with the time the file was written", u.ID)
	}
	keys := d.keys("nova", pool.Live)
	if diff := cmp.Diff([]string{"AAAA-1", "BBBB-2", "https://files.example/key?id=3"}, slices.Sorted(maps.Keys(keys))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	key := keys["BBBB-2"]
	if len(key.Place) != 16 || !strings.HasPrefix(key.Shard, "nova#elden#live#") {
		t.Errorf("shard %q and place %q, want those of an available key", key.Shard, key.Place)
	}
	if key.Shard, key.Place = "", ""; key != (storedKey{Upload: u.ID, Offset: 13, Pool: "elden", State: pool.KeyAvailable}) {
		t.Errorf("stored as %+v", key)
	}
	if n := d.shown(elden); n != 3 {
		t.Errorf("the pool shows %d accepted keys, want 3", n)
	}
	if !d.bucket.Done(u.Object) {
		t.Error("the file is not marked as one that may expire")
	}
	d.wantNotice(u, notice.UploadReport)
	// Once when the index should show the keys, once when it surely does.
	if diff := cmp.Diff([]any{order.FillPool(elden), order.FillPool(elden)}, d.fills.Messages); diff != "" {
		t.Errorf("fill was asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{2 * time.Second, time.Minute}, d.fills.Delays); diff != "" {
		t.Errorf("fill was asked to begin after (-want +got):\n%s", diff)
	}
	golden(t, d, u, "report_small.json")
}

// golden compares a report with the file that shows it. The upload's name
// changes with nothing but the object's, so it is part of it.
func golden(t *testing.T, d *fixture, u upload.Upload, file string) {
	t.Helper()
	got, err := d.reports.Get(context.Background(), u.ReportName())
	if err != nil {
		t.Fatalf("no report: %v", err)
	}
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestIngest_sameEventAgainChangesNothing(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	first := d.drop("uploads/nova/elden/a.txt", "AAAA-1\nBBBB-2\n")
	if err := d.worker.Receive(context.Background(), first.Object); err != nil {
		t.Fatal(err)
	}
	d.work()
	if diff := cmp.Diff(first, d.upload(first.Object)); diff != "" {
		t.Errorf("record (-first +again):\n%s", diff)
	}
	if n := d.shown(elden); n != 2 {
		t.Errorf("the pool shows %d accepted keys, want 2", n)
	}
}

func TestIngest_sameFileDroppedAgainIsAnUploadOfDuplicates(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.drop("uploads/nova/elden/a.txt", "AAAA-1\nBBBB-2\n")
	again := d.drop("uploads/nova/elden/a.txt", "AAAA-1\nBBBB-2\n")
	if diff := cmp.Diff(upload.Counts{upload.ThisPool: 2}, again.Counts); diff != "" || again.Cause != "" {
		t.Errorf("cause %q, counts (-want +got):\n%s", again.Cause, diff)
	}
}

func TestIngest_tellsWhereDuplicatesStand(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx := context.Background()
	d.drop("uploads/nova/elden/old.txt", "HERE-1\nSOLD-1\n")
	d.drop("uploads/nova/ring/other.txt", "RING-1\n")
	d.sell("SOLD-1", time.Date(2026, 5, 3, 10, 30, 0, 0, time.UTC))

	file := "NEW-1\nHERE-1\nSOLD-1\nRING-1\nNEW-1\nNEW-2\n" + strings.Repeat("x", ingest.MaxLine+1) + "\ncaf\xe9\nNEW\u200b-3\n"
	u := d.drop("uploads/nova/elden/new.txt", file)
	want := upload.Counts{
		upload.Accepted: 2, upload.ThisPool: 1, upload.Sold: 1, upload.AnotherPool: 1, upload.SameFile: 1,
		upload.TooLong: 1, upload.InvalidText: 1, upload.InvisibleCharacter: 1,
	}
	if diff := cmp.Diff(want, u.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	golden(t, d, u, "report_duplicates.json")

	// The same text may stand on both sides, but nothing that is on sale is
	// given away by a test order.
	test := d.drop("uploads/nova/elden/test/try.txt", "TRY-1\nNEW-1\nSOLD-1\nTRY-1\n")
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 1, upload.OtherSide: 2, upload.SameFile: 1}, test.Counts); diff != "" {
		t.Errorf("counts of test keys (-want +got):\n%s", diff)
	}
	live := d.drop("uploads/nova/elden/tried.txt", "TRY-1\n")
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 1}, live.Counts); diff != "" {
		t.Errorf("counts of keys that were tried (-want +got):\n%s", diff)
	}
	// A test file that is taken up again, after its keys came to the live side.
	if err := d.store.SaveRange(ctx, test, upload.Range{}); !errors.Is(err, job.ErrFenced) {
		t.Errorf("saving a range that is done: %v, want %v", err, job.ErrFenced)
	}
	golden(t, d, test, "report_test_side.json")
}

// A key that came back from its order line is a key that was sold, unless it is for
// sale again.
func TestIngest_keyThatALineGaveBack(t *testing.T) {
	t.Parallel()
	for to, want := range map[order.Disposition]upload.Outcome{
		order.Revoke: upload.Sold, order.Keep: upload.Sold, order.Restock: upload.ThisPool,
	} {
		t.Run(string(to), func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			d.drop("uploads/nova/elden/old.txt", "BACK-1\n")
			change := order.ChangeOf(d.sell("BACK-1", time.Date(2026, 5, 3, 10, 30, 0, 0, time.UTC)))
			change.After.Returned = 1
			if err := change.Release(order.Release{Key: change.Before.Keys[0].ID, To: to, Shards: 2}); err != nil {
				t.Fatal(err)
			}
			if err := d.store.Commit(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			u := d.drop("uploads/nova/elden/new.txt", "BACK-1\n")
			if diff := cmp.Diff(upload.Counts{want: 1}, u.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// sell claims a key for an order that came in at that time.
func (d *fixture) sell(text string, at time.Time) order.Fulfillment {
	d.t.Helper()
	ctx := context.Background()
	keys, err := d.store.Candidates(ctx, elden, 2, 25)
	if err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(keys, func(k pool.Key) bool { return k.Text.Reveal() == text })
	if i < 0 {
		d.t.Fatalf("%s is not for sale", text)
	}
	line := order.Fulfillment{
		ID: order.Identity{Merchant: "nova", Side: pool.Live, Origin: "own", Order: "1001", Line: "1"}.ID(), Version: 1,
		Merchant: "nova", Side: pool.Live, Account: "own", Origin: "own", Order: "1001", Line: "1", Product: "p1", Pool: "elden",
		Quantity: 1, Wanted: 1, Allocated: 1, Keys: keys[i : i+1], ReceivedAt: at,
	}
	if err := d.store.Commit(ctx, order.Change{After: line, Allocated: keys[i : i+1]}); err != nil {
		d.t.Fatal(err)
	}
	return line
}

// threeRanges is a file whose lines stand across two cuts: an over-long line
// takes up most of each range.
func threeRanges(key func(n int) string) string {
	var b strings.Builder
	n := 0
	for _, until := range []int{upload.RangeSize, 2 * upload.RangeSize} {
		for range 4 {
			n++
			b.WriteString(key(n) + "\n")
		}
		b.WriteString(strings.Repeat("z", until-b.Len()-3) + "\r\n")
		n++
		b.WriteString(key(n) + "\n") // begins at until-1
	}
	for range 3 {
		n++
		b.WriteString(key(n) + "\n")
	}
	return b.String()
}

func TestIngest_rangesAddUp(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	file := threeRanges(func(n int) string { return fmt.Sprintf("KEY-%02d", n) })
	o := d.bucket.Put("uploads/nova/elden/large.txt", []byte(file))
	if err := d.worker.Receive(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	u := d.upload(o)
	if u.State != upload.Loading || u.Done != 1 || u.Ranges != 3 {
		t.Fatalf("%s, %d of %d ranges done: want the first of 3", u.State, u.Done, u.Ranges)
	}
	want := []any{upload.LoadRange("nova", u.ID, 1), upload.LoadRange("nova", u.ID, 2)}
	if diff := cmp.Diff(want, d.jobs.Messages); diff != "" {
		t.Fatalf("messages (-want +got):\n%s", diff)
	}
	slices.Reverse(d.jobs.Messages) // in whatever order they come
	d.work()
	u = d.upload(o)
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 13, upload.TooLong: 2}, u.Counts); diff != "" || u.Lines != 15 {
		t.Errorf("%d lines, counts (-want +got):\n%s", u.Lines, diff)
	}
	kept := []upload.RejectedLine{{Line: 5, Reason: upload.TooLong}, {Line: 11, Reason: upload.TooLong}}
	if diff := cmp.Diff(kept, u.Kept); diff != "" {
		t.Errorf("kept lines (-want +got):\n%s", diff)
	}
	golden(t, d, u, "report_ranges.json")
}

// TestIngest_killedAnywhereCountsExactly kills the worker at each of its calls,
// before it is made and after, and takes the upload up again, as Lambda does.
func TestIngest_killedAnywhereCountsExactly(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	whole := d.worker
	kill := 0
	for calls := 1; ; calls++ {
		survived := true
		for _, late := range []bool{false, true} {
			kill++
			merchant := fmt.Sprintf("m%d", kill)
			d.addMerchant(merchant, "elden")
			// The second half is loaded after a save, the second range by a message.
			file := threeRanges(func(n int) string { return fmt.Sprintf("K%02d", n%12) }) +
				strings.Repeat("\n", 5001) + "K98\nbad\x00\nK01\nK99\n"
			o := d.bucket.Put("uploads/"+merchant+"/elden/keys.txt", []byte(file))

			f := &fuse.Fuse{Left: calls, Late: late}
			d.worker = fused(f, whole)
			err := d.worker.Receive(context.Background(), o)
			for err == nil {
				message, ok := d.jobs.Next()
				if !ok {
					break
				}
				if err = d.worker.Handle(context.Background(), message.(upload.Message)); err != nil {
					d.jobs.Send(context.Background(), message, 0)
				}
			}
			survived = survived && f.Left > 0

			d.worker = whole
			if err != nil {
				if err := d.worker.Receive(context.Background(), o); err != nil { // Lambda's own repeat
					t.Fatal(err)
				}
				d.work()
			}
			u := d.upload(o)
			if u.State == upload.Loading { // the repeat saw it half done: the sweep
				d.jobs.Send(context.Background(), upload.Resume(merchant, u.ID), 0)
				d.work()
				u = d.upload(o)
			}
			want := upload.Counts{upload.Accepted: 14, upload.SameFile: 2, upload.TooLong: 2, upload.ControlCharacter: 1}
			if diff := cmp.Diff(want, u.Counts); diff != "" || u.State != upload.Finished {
				t.Errorf("killed at call %d (late: %t): %s, counts (-want +got):\n%s", calls, late, u.State, diff)
			}
			if diff := cmp.Diff(19+5001, u.Lines); diff != "" {
				t.Errorf("killed at call %d (late: %t): lines (-want +got):\n%s", calls, late, diff)
			}
			if n := len(d.keys(merchant, pool.Live)); n != 14 {
				t.Errorf("killed at call %d (late: %t): %d keys, want 14", calls, late, n)
			}
			if n := d.shown(pool.ID{Merchant: merchant, Pool: "elden", Side: pool.Live}); n != 14 {
				t.Errorf("killed at call %d (late: %t): the pool shows %d, want 14", calls, late, n)
			}
			if len(u.Kept) != 5 {
				t.Errorf("killed at call %d (late: %t): told of lines %v, want 5", calls, late, u.Kept)
			}
			if told := d.noticed(u); len(told) != 1 || told[0].Kind != notice.LargeUpload || told[0].Facts.Count != 1 {
				t.Errorf("killed at call %d (late: %t): told by %v, want one notice", calls, late, told)
			}
			if !d.bucket.Done(o) {
				t.Errorf("killed at call %d (late: %t): not marked as done", calls, late)
			}
		}
		if survived {
			t.Logf("killed at each of %d calls", calls-1)
			return
		}
	}
}

func TestIngest_filesThatRaceShareTheirKeys(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	const files, each = 3, 60
	var objects []upload.Object
	for range files {
		var lines []string
		for n := range each {
			lines = append(lines, fmt.Sprintf("KEY-%03d", n))
		}
		rand.Shuffle(each, func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		objects = append(objects, d.bucket.Put("uploads/nova/elden/race.txt", []byte(strings.Join(lines, "\n"))))
	}
	var wg sync.WaitGroup
	for _, o := range append(objects, objects...) { // each event twice, at once
		wg.Go(func() {
			if err := d.worker.Receive(context.Background(), o); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d.work()
	sum := upload.Counts{}
	for _, o := range objects {
		u := d.upload(o)
		if u.State != upload.Finished || u.Lines != each {
			t.Errorf("%s after %d lines, want %s after %d", u.State, u.Lines, upload.Finished, each)
		}
		sum.Add(u.Counts)
	}
	if diff := cmp.Diff(upload.Counts{upload.Accepted: each, upload.ThisPool: (files - 1) * each}, sum); diff != "" {
		t.Errorf("together (-want +got):\n%s", diff)
	}
	if n := d.shown(elden); n != each {
		t.Errorf("the pool shows %d, want %d", n, each)
	}
}

func TestIngest_unknownPoolIsReadOnceItExists(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx := context.Background()
	u := d.drop("uploads/nova/later/a.txt", "AAAA-1\nBBBB-2\n")
	if u.State != upload.Parked || u.Cause != upload.UnknownPool || u.DueAt.IsZero() {
		t.Fatalf("%s because %q, looked at %v: want it parked, and looked at again", u.State, u.Cause, u.DueAt)
	}
	if cause := d.wantNotice(u, notice.UploadReport).Facts.Cause; cause != string(upload.UnknownPool) {
		t.Errorf("noticed cause %q, want %q", cause, upload.UnknownPool)
	}
	d.jobs.Send(ctx, upload.Resume("nova", u.ID), 0) // the sweep, too early
	d.work()
	if got := d.upload(u.Object); got.State != upload.Parked {
		t.Fatalf("started without a pool: %s", got.State)
	}

	d.addPool("nova", "later")
	parked, err := d.store.Parked(ctx, "nova", "later")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{u.ID}, parked); diff != "" {
		t.Fatalf("parked (-want +got):\n%s", diff)
	}
	for range 2 { // a message may come twice
		d.jobs.Send(ctx, upload.Resume("nova", parked[0]), 0)
	}
	d.work()
	u = d.upload(u.Object)
	if u.State != upload.Finished || u.Cause != "" || u.Counts[upload.Accepted] != 2 {
		t.Errorf("%s because %q with %v, want it finished with 2 keys", u.State, u.Cause, u.Counts)
	}
	if parked, _ := d.store.Parked(ctx, "nova", "later"); len(parked) != 0 {
		t.Errorf("still parked: %v", parked)
	}
	// The first notice has not been mailed yet, and tells how it went on.
	if facts := d.wantNotice(u, notice.UploadReport).Facts; facts.Cause != "" || facts.Count != 1 {
		t.Errorf("noticed cause %q of %d: want the report of 1", facts.Cause, facts.Count)
	}
}

func TestIngest_parkedFileThatWasDeletedIsNotSold(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	u := d.drop("uploads/nova/later/a.txt", "AAAA-1\n")
	d.bucket.Hide("uploads/nova/later/a.txt")
	d.addPool("nova", "later")
	d.jobs.Send(context.Background(), upload.Resume("nova", u.ID), 0)
	d.work()
	if u = d.upload(u.Object); u.State != upload.Finished || u.Cause != upload.Gone || !u.DueAt.IsZero() {
		t.Errorf("%s because %q, looked at %v: want it gone, for good", u.State, u.Cause, u.DueAt)
	}
	if keys := d.keys("nova", pool.Live); len(keys) != 0 {
		t.Errorf("%d keys are on sale, want none", len(keys))
	}
}

func TestIngest_poolMadeWhileTheFileIsParked(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	// The pool is made after ingest looked for it and before the file is parked,
	// so that whoever made it finds nothing parked.
	d.worker.Records = &between{Records: d.store, do: func() { d.addPool("nova", "later") }}
	u := d.drop("uploads/nova/later/a.txt", "AAAA-1\n")
	if u.State != upload.Finished || u.Counts[upload.Accepted] != 1 {
		t.Errorf("%s with %v, want it read", u.State, u.Counts)
	}
}

// between does something just before the first record is written.
type between struct {
	ingest.Records
	once sync.Once
	do   func()
}

func (b *between) MoveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice) (bool, error) {
	b.once.Do(b.do)
	return b.Records.MoveUpload(ctx, from, u, tell)
}

func TestIngest_filesThatAreNoKeyFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		object  string
		content string

		cause   upload.Cause
		counts  upload.Counts
		notice  notice.Kind
		remind  bool
		golden  string
		expires bool
	}{
		{
			name: "empty", object: "uploads/nova/elden/a.txt", content: "",
			cause: upload.Empty, notice: notice.UploadReport, remind: true, golden: "report_empty.json",
		},
		{
			name: "only blank lines", object: "uploads/nova/elden/a.txt", content: "\r\n  \n\n",
			cause: upload.Empty, notice: notice.UploadReport, remind: true,
		},
		{
			name: "a picture", object: "uploads/nova/elden/a.png", content: "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\nLOOKS-LIKE-A-KEY\n",
			cause: upload.Binary, notice: notice.UploadReport, remind: true, golden: "report_binary.json",
		},
		{
			name: "a document", object: "uploads/nova/elden/a.pdf", content: "%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\n",
			cause: upload.Binary, notice: notice.UploadReport, remind: true,
		},
		{
			name: "UTF-32", object: "uploads/nova/elden/a.txt", content: "\xff\xfe\x00\x00A\x00\x00\x00\n\x00\x00\x00",
			cause: upload.Binary, notice: notice.UploadReport, remind: true,
		},
		{
			name: "an older encoding throughout", object: "uploads/nova/elden/a.txt", content: strings.Repeat("\xea\xeb\xfe\xf7 1\n", 20),
			cause: upload.Binary, notice: notice.UploadReport, remind: true,
		},
		{
			name: "an older encoding here and there", object: "uploads/nova/elden/a.txt", content: "KEY-1\ncaf\xe9\nKEY-2\n",
			counts: upload.Counts{upload.Accepted: 2, upload.InvalidText: 1}, notice: notice.UploadReport, expires: true,
		},
		{
			name: "no line that holds a key", object: "uploads/nova/elden/a.txt", content: "A\tB\nC\tD\n",
			cause: upload.NoKeys, counts: upload.Counts{upload.Tab: 2}, notice: notice.UploadReport, remind: true,
		},
		{
			name: "misplaced, by a merchant we know", object: "uploads/nova/keys.txt", content: "KEY-1\n",
			cause: upload.Misplaced, notice: notice.UploadReport, remind: true,
		},
		{
			name: "a file called test", object: "uploads/nova/elden/test", content: "KEY-1\n",
			cause: upload.Misplaced, notice: notice.UploadReport, remind: true,
		},
		{
			name: "misplaced, by nobody", object: "keys.txt", content: "KEY-1\n",
			cause: upload.Misplaced, notice: notice.Misplaced, remind: true, golden: "report_misplaced.json",
		},
		{
			name: "an unknown merchant", object: "uploads/vega/elden/a.txt", content: "KEY-1\n",
			cause: upload.UnknownMerchant, notice: notice.Misplaced, remind: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			u := d.drop(test.object, test.content)
			if test.counts == nil {
				test.counts = upload.Counts{}
			}
			if diff := cmp.Diff(test.counts, u.Counts); diff != "" || u.State != upload.Finished || u.Cause != test.cause {
				t.Errorf("%s because %q, want %q; counts (-want +got):\n%s", u.State, u.Cause, test.cause, diff)
			}
			if cause := d.wantNotice(u, test.notice).Facts.Cause; cause != string(test.cause) {
				t.Errorf("noticed cause %q, want %q", cause, test.cause)
			}
			if test.remind != u.DueAt.Equal(noon.Add(72*time.Hour)) {
				t.Errorf("looked at %v, want a reminder after three days: %t", u.DueAt, test.remind)
			}
			kept := map[bool]time.Duration{true: upload.LoadedKept, false: upload.RefusedKept}[test.expires]
			if got := d.bucket.Kept(u.Object); got != kept {
				t.Errorf("the file is kept for %s, want %s", got, kept)
			}
			if n := len(d.keys("nova", pool.Live)); n != test.counts[upload.Accepted] {
				t.Errorf("%d keys in the table", n)
			}
			if test.golden != "" {
				golden(t, d, u, test.golden)
			}
		})
	}
}

func TestIngest_folderOfAConsoleIsNoFile(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	o := d.bucket.Put("uploads/nova/elden/", nil)
	if err := d.worker.Receive(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if uploads, err := d.store.Uploads(context.Background(), "nova", "", 10); len(uploads) != 0 || err != nil {
		t.Errorf("uploads %v, %v: want none", uploads, err)
	}
}

func TestIngest_utf16(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	var file []byte
	for _, unit := range utf16.Encode([]rune("\uFEFFAAAA-1\r\nключ-2\r\n\r\nAAAA-1\r\n")) {
		file = binary.LittleEndian.AppendUint16(file, unit)
	}
	u := d.drop("uploads/nova/elden/a.txt", string(file))
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 2, upload.SameFile: 1}, u.Counts); diff != "" || u.Encoding != upload.UTF16LE {
		t.Errorf("%s, counts (-want +got):\n%s", u.Encoding, diff)
	}
	if _, ok := d.keys("nova", pool.Live)["ключ-2"]; !ok {
		t.Error("a key is not stored as it was written")
	}
}

func TestIngest_outOfTimeSavesAndGoesOn(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	var file strings.Builder
	for n := range 60 {
		fmt.Fprintf(&file, "KEY-%d\n", n)
	}
	o := d.bucket.Put("uploads/nova/elden/a.txt", []byte(file.String()))
	hurry, cancel := context.WithTimeout(context.Background(), 15*time.Second) // less than a worker wants to have left
	defer cancel()
	if err := d.worker.Receive(hurry, o); err != nil {
		t.Fatal(err)
	}
	u := d.upload(o)
	if diff := cmp.Diff([]any{upload.LoadRange("nova", u.ID, 0)}, d.jobs.Messages); diff != "" {
		t.Fatalf("messages (-want +got):\n%s", diff)
	}
	message, _ := d.jobs.Next()
	if err := d.worker.Handle(hurry, message.(upload.Message)); !errors.Is(err, job.ErrUnfinished) {
		t.Fatalf("handled in a hurry: %v, want %v", err, job.ErrUnfinished)
	}
	ranges, err := d.store.Ranges(context.Background(), u)
	if err != nil || len(ranges) != 1 || ranges[0].Counts[upload.Accepted] != 50 || ranges[0].Token != 2 {
		t.Fatalf("saved %+v, %v: want 50 keys after two turns", ranges, err)
	}
	d.jobs.Send(context.Background(), message, 0)
	d.work()
	if u = d.upload(o); u.Counts[upload.Accepted] != 60 || u.State != upload.Finished {
		t.Errorf("%s with %v, want 60 keys", u.State, u.Counts)
	}
}

func TestIngest_fencedWorkerStops(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx := context.Background()
	o := d.bucket.Put("uploads/nova/elden/a.txt", []byte("A\nB\nA\n"))
	other := *d.worker
	overtake := &overtaking{Keys: d.store, do: func() {
		if err := other.Receive(ctx, o); err != nil { // the same event, while we insert
			t.Error(err)
		}
		d.work()
	}}
	d.worker = &other
	slow := other
	slow.Keys = overtake
	if err := slow.Receive(ctx, o); err != nil {
		t.Fatal(err)
	}
	u := d.upload(o)
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 2, upload.SameFile: 1}, u.Counts); diff != "" || u.State != upload.Finished {
		t.Errorf("%s, counts (-want +got):\n%s", u.State, diff)
	}
	if n := d.shown(elden); n != 2 {
		t.Errorf("the pool shows %d, want 2", n)
	}
	if diff := cmp.Diff([]upload.RejectedLine{{Line: 3, Reason: upload.SameFile}}, u.Kept); diff != "" {
		t.Errorf("kept lines (-want +got):\n%s", diff)
	}
}

// Of two workers on a test file, one reports a line as a duplicate of a key that came to the live
// side meanwhile. The other, which read the line before, does not insert it after that.
func TestIngest_testKeyThatComesToTheLiveSide(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	o := d.bucket.Put("uploads/nova/elden/test/try.txt", []byte("TRY-1\nTRY-2\n"))
	slow := *d.worker
	slow.Keys = &overtaking{Keys: d.store, before: true, do: func() {
		d.drop("uploads/nova/elden/live.txt", "TRY-1\n")
		if err := d.worker.Receive(t.Context(), o); err != nil { // the same event
			t.Error(err)
		}
	}}
	if err := slow.Receive(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(upload.Counts{upload.Accepted: 1, upload.OtherSide: 1}, d.upload(o).Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	test := elden
	test.Side = pool.Test
	if n, shown := len(d.keys("nova", pool.Test)), d.shown(test); n != 1 || shown != 1 {
		t.Errorf("%d keys are on the test side, %d are shown", n, shown)
	}
}

// overtaking does something after the first insert, or before it.
type overtaking struct {
	ingest.Keys
	once   sync.Once
	before bool
	do     func()
}

func (o *overtaking) InsertKeys(ctx context.Context, p pool.ID, shards int, upload string, keys []upload.NewKey) ([]upload.Inserted, error) {
	if o.before {
		o.once.Do(o.do)
	}
	results, err := o.Keys.InsertKeys(ctx, p, shards, upload, keys)
	o.once.Do(o.do)
	return results, err
}

func TestIngest_fileRemovedWhileItIsRead(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	o := d.bucket.Put("uploads/nova/elden/large.txt", []byte(threeRanges(func(n int) string { return fmt.Sprint("K", n) })))
	if err := d.worker.Receive(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	d.bucket.Remove(o)
	d.work()
	u := d.upload(o)
	if u.State != upload.Finished || u.Cause != upload.Gone || !u.DueAt.IsZero() || u.Counts[upload.Accepted] != 5 {
		t.Errorf("%s because %q, looked at %v, counts %v: want the first range's keys and no reminder", u.State, u.Cause, u.DueAt, u.Counts)
	}
	if err := d.worker.Receive(context.Background(), o); err != nil { // a late repeat of its event
		t.Fatal(err)
	}
}

// TestIngest_keysOfAFileThatIsGoneAreFilledWith: the file is removed while one
// worker inserts, and another ends the upload. The keys are on sale all the same,
// so whoever waits for them must not have to wait for the sweep.
func TestIngest_keysOfAFileThatIsGoneAreFilledWith(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx := context.Background()
	o := d.bucket.Put("uploads/nova/elden/large.txt", []byte(threeRanges(func(n int) string { return fmt.Sprint("K", n) })))
	slow := *d.worker
	slow.Keys = &overtaking{Keys: d.store, do: func() {
		d.bucket.Remove(o)
		d.work() // of the other ranges
	}}
	if err := slow.Receive(ctx, o); err != nil {
		t.Fatal(err)
	}
	if u := d.upload(o); u.State != upload.Finished || u.Cause != upload.Gone {
		t.Fatalf("%s because %q: want that the other worker has ended it", u.State, u.Cause)
	}
	if n := len(d.keys("nova", pool.Live)); n == 0 {
		t.Fatal("no key was inserted before the file was gone")
	}
	if diff := cmp.Diff([]any{order.FillPool(elden)}, d.fills.Messages); diff != "" {
		t.Errorf("fill was asked (-want +got):\n%s", diff)
	}
}

func TestIngest_throttledStatementsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError", "RequestLimitExceeded", "TransactionConflict"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			faults := dynamotest.NewFaults(t, rand.Uint64())
			d := newFixture(t, faults.Option)
			faults.Next("BatchExecuteStatement", 1, dynamotest.LostAnswer)
			faults.Next("BatchExecuteStatement", 2, dynamotest.Partial(code, 0.5))
			u := d.drop("uploads/nova/elden/a.txt", "A\nB\nC\nA\nD\nE\n")
			if diff := cmp.Diff(upload.Counts{upload.Accepted: 5, upload.SameFile: 1}, u.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIngest_lineThatTheTableRejects(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	d := newFixture(t, faults.Option)
	faults.Next("BatchExecuteStatement", 1, dynamotest.Partial("ValidationError", 0)) // one of the two
	u := d.drop("uploads/nova/elden/a.txt", "A\nB\nA\nB\n")
	want := upload.Counts{upload.Accepted: 1, upload.NotStorable: 2, upload.SameFile: 1}
	if diff := cmp.Diff(want, u.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestIngest_messageOfANewerProgramWaits(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	if err := d.worker.Handle(context.Background(), upload.Message{V: 2, Merchant: "nova", Upload: "u"}); err == nil {
		t.Error("handled a message of a version not known")
	}
	if err := d.worker.Handle(context.Background(), upload.Resume("nova", "not-there")); err != nil {
		t.Errorf("a message of an upload that is not there: %v, want it dropped", err)
	}
}

func TestUploads_newestFirst(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	ctx := context.Background()
	var ids []string
	for n := range 5 {
		u := upload.Upload{Merchant: "nova", State: upload.Finished, ID: upload.NewID(upload.Object{Name: fmt.Sprint(n)}, noon.Add(time.Duration(n)*time.Minute))}
		if ok, err := d.store.MoveUpload(ctx, "", u, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		ids = append([]string{u.ID}, ids...)
	}
	var got []string
	for before := ""; ; before = got[len(got)-1] {
		page, err := d.store.Uploads(ctx, "nova", before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			got = append(got, u.ID)
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
}

// Files that desktops leave in a folder are passed over: nobody meant to upload them.
func TestIngest_filesLeftByDesktopsAreNoUploads(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	for _, name := range []string{".DS_Store", "Thumbs.db", "desktop.ini", "._november.txt", "~$keys.docx", ".~lock.keys.csv#"} {
		for _, folder := range []string{"uploads/nova/elden/", "uploads/nova/elden/test/", "uploads/nova/", ""} {
			o := d.bucket.Put(folder+name, []byte("AAAA-1\n"))
			if err := d.worker.Receive(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if kept := d.bucket.Kept(o); kept != upload.RefusedKept {
				t.Errorf("%s is kept for %s", o.Name, kept)
			}
			for _, merchant := range []string{"nova", ""} {
				if u, ok, err := d.store.Upload(t.Context(), merchant, upload.NewID(o, noon)); ok || err != nil {
					t.Errorf("%s is upload %+v, %v", o.Name, u, err)
				}
			}
		}
	}
	if keys := d.keys("nova", pool.Live); len(keys) != 0 {
		t.Errorf("%d keys of them are on sale", len(keys))
	}
}

func TestIngest_charactersThatNobodySees(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content string
		keys    []string
		counts  upload.Counts
	}{
		"Ctrl-Z on a line of its own": {"AAAA-1\r\nBBBB-2\r\n\x1a", []string{"AAAA-1", "BBBB-2"}, upload.Counts{upload.Accepted: 2}},
		"Ctrl-Z after the last key":   {"AAAA-1\r\nBBBB-2\x1a", []string{"AAAA-1", "BBBB-2"}, upload.Counts{upload.Accepted: 2}},
		"Ctrl-Z between two files":    {"AAAA-1\r\n\x1aBBBB-2\r\n", []string{"AAAA-1", "BBBB-2"}, upload.Counts{upload.Accepted: 2}},
		"Ctrl-Z inside":               {"AA\x1aAA\n", nil, upload.Counts{upload.ControlCharacter: 1}},
		"no width": {
			"\u200bAAAA-1\nBBBB\u200b-2\nCCCC-3\u200e\nDD\u00adDD-4\n",
			[]string{"AAAA-1", "CCCC-3"},
			upload.Counts{upload.Accepted: 2, upload.InvisibleCharacter: 2},
		},
		"a tab": {"AAAA-1\tunused\nBBBB-2\t\n", []string{"BBBB-2"}, upload.Counts{upload.Accepted: 1, upload.Tab: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			u := d.drop("uploads/nova/elden/a.txt", test.content)
			if diff := cmp.Diff(test.counts, u.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.keys, slices.Sorted(maps.Keys(d.keys("nova", pool.Live)))); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// Some programs write UTF-16 without its mark.
func TestIngest_utf16WithoutAMark(t *testing.T) {
	t.Parallel()
	for want, order := range map[upload.Encoding]binary.AppendByteOrder{upload.UTF16LE: binary.LittleEndian, upload.UTF16BE: binary.BigEndian} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			var file []byte
			for _, unit := range utf16.Encode([]rune("AAAA-1\r\nключ-2\r\n\r\nAAAA-1\r\n")) {
				file = order.AppendUint16(file, unit)
			}
			u := d.drop("uploads/nova/elden/a.txt", string(file))
			if diff := cmp.Diff(upload.Counts{upload.Accepted: 2, upload.SameFile: 1}, u.Counts); diff != "" || u.Encoding != want {
				t.Errorf("%s, counts (-want +got):\n%s", u.Encoding, diff)
			}
			if diff := cmp.Diff([]string{"AAAA-1", "ключ-2"}, slices.Sorted(maps.Keys(d.keys("nova", pool.Live)))); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
}

// A file that can never be read is told to its merchant, and not tried for ever.
func TestIngest_fileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for cause, failure := range map[upload.Cause]error{upload.Encrypted: upload.ErrEncrypted, upload.Archived: upload.ErrArchived} {
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			o := d.bucket.Put("uploads/nova/elden/a.txt", []byte("AAAA-1\n"))
			d.bucket.Break(o, failure)
			large := d.bucket.Put("uploads/nova/elden/large.txt", []byte(threeRanges(func(n int) string { return fmt.Sprint("K", n) })))
			for _, o := range []upload.Object{o, large} {
				if err := d.worker.Receive(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			d.bucket.Break(large, failure) // its first range is loaded
			d.work()
			for o, accepted := range map[upload.Object]int{o: 0, large: 5} {
				u := d.upload(o)
				if u.State != upload.Finished || u.Cause != cause || u.Counts[upload.Accepted] != accepted || !u.DueAt.Equal(noon.Add(upload.RemindAfter)) {
					t.Errorf("%s because %q with %v, looked at %v: want %d keys and a reminder", u.State, u.Cause, u.Counts, u.DueAt, accepted)
				}
				kind := map[bool]notice.Kind{false: notice.UploadReport, true: notice.LargeUpload}[u.Ranges > 1]
				if told := d.wantNotice(u, kind).Facts.Cause; told != string(cause) {
					t.Errorf("noticed cause %q, want %q", told, cause)
				}
				if kept := d.bucket.Kept(o); kept != upload.RefusedKept {
					t.Errorf("the file is kept for %s", kept)
				}
			}
		})
	}
}

// An upload address takes one file: what comes under its name later is told, and not read,
// however often the events come.
func TestIngest_ticketTakesOneFile(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	const name = "uploads/nova/elden/ticket-0123456789abcdef/keys.txt"
	first := d.drop(name, "AAAA-1\n")
	if first.State != upload.Finished || first.Cause != "" || first.File != "keys.txt" || first.Counts[upload.Accepted] != 1 {
		t.Fatalf("the first file: %+v", first)
	}
	second := d.drop(name, "BBBB-1\n")
	for _, o := range []upload.Object{first.Object, second.Object} {
		if err := d.worker.Receive(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		d.work()
	}
	if got := d.upload(second.Object); got.State != upload.Finished || got.Cause != upload.UsedTicket {
		t.Errorf("the second file: %s because %q", got.State, got.Cause)
	}
	if kept := d.bucket.Kept(second.Object); kept != upload.RefusedKept {
		t.Errorf("the second file is kept for %s", kept)
	}
	d.wantNotice(second, notice.UploadReport)
	if keys := d.keys("nova", pool.Live); len(keys) != 1 {
		t.Errorf("%d keys are on sale, want that of the first file", len(keys))
	}
	if other := d.drop("uploads/nova/elden/ticket-fedcba9876543210/keys.txt", "CCCC-1\n"); other.Cause != "" {
		t.Errorf("a file of another ticket: %s", other.Cause)
	}
	if again := d.drop("uploads/nova/elden/keys.txt", "DDDD-1\n"); again.Cause != "" || d.drop("uploads/nova/elden/keys.txt", "EEEE-1\n").Cause != "" {
		t.Error("files that were dropped without a ticket are not all read")
	}
}
