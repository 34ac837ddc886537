package ingest_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/ingest"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var monstersTo = flag.String("monsters", "", "write what came of the monsters, the slow ones at their full size too, to this file, as JSON")

// A monster is a file that nobody should drop in the bucket. It exists only while
// it is read.
type monster struct {
	name string
	file file

	// slow makes it the larger one that is tried on demand alone.
	slow func(*file)

	want func(units int) outcome
}

// file is a head, a unit so many times, and a tail.
type file struct {
	head, unit, tail string
	units            int
	numbered         bool // each unit begins with its number instead of ten of its own bytes
}

// outcome is what a report says.
type outcome struct {
	Cause  upload.Cause
	Lines  int
	Counts upload.Counts
}

// trial is what came of a monster.
type trial struct {
	Name    string
	Size    int64
	Said    outcome
	Reports int   // written
	Listed  int   // lines in the report
	Told    int   // notices
	Turn    int64 // bytes that the longest turn of a worker read
	PeakKiB int
	Took    time.Duration
}

// bound is the memory that a worker may take, whatever a file holds.
const bound = 64 << 10 // KiB

var monsters = []monster{
	{name: "no byte", want: refused(upload.Empty)},
	{
		name: "one line without an end",
		file: file{unit: "x", units: gigabyte},
		want: func(int) outcome { return outcome{upload.NoKeys, 1, upload.Counts{upload.TooLong: 1}} },
	},
	{
		name: "lines of 2,048 and of 2,049 bytes in turn",
		file: file{unit: strings.Repeat("x", ingest.MaxLine) + "\n" + strings.Repeat("x", ingest.MaxLine+1) + "\n", units: 100_000, numbered: true},
		want: func(n int) outcome { return outcome{"", 2 * n, upload.Counts{upload.Accepted: n, upload.TooLong: n}} },
	},
	{name: "blank lines", file: file{unit: "\n", units: 10_000_000}, want: blank(1)},
	{name: "blank lines of CR, CRLF, tabs and byte order marks", file: file{unit: "\r \t\r\n\uFEFF\n", units: 3_000_000}, want: blank(3)},
	{
		name: "CRs alone", file: file{unit: "\r", units: 10_000_000}, want: blank(1),
		slow: func(f *file) { f.units = 30_000_000 },
	},
	{
		name: "blank lines in UTF-16", file: file{head: "\xff\xfe", unit: "\n\x00", units: 10_000_000}, want: blank(1),
		slow: func(f *file) { f.units = 30_000_000 },
	},
	{name: "NULs", file: file{unit: "\x00", units: gigabyte}, want: refused(upload.Binary)},
	{
		name: "NULs after a good beginning",
		file: file{head: begin, unit: "\x00", units: gigabyte},
		want: func(int) outcome {
			return outcome{"", beginLines + 1, upload.Counts{upload.Accepted: beginLines, upload.TooLong: 1}}
		},
	},
	{
		name: "control characters after a good beginning, more of them than a report lists",
		file: file{head: begin, unit: "\x01\n", units: 100_000},
		slow: func(f *file) { f.units = 3_000_000 },
		want: func(n int) outcome {
			return outcome{"", beginLines + n, upload.Counts{upload.Accepted: beginLines, upload.ControlCharacter: n}}
		},
	},
	{
		name: "lines too long in UTF-16 of odd length",
		file: file{head: "\xff\xfe", unit: strings.Repeat("x\x00", 1<<15-1) + "\n\x00", units: 1000, tail: "k"},
		slow: func(f *file) { f.units = gigabyte >> 16 },
		want: func(n int) outcome {
			return outcome{upload.NoKeys, n + 1, upload.Counts{upload.TooLong: n, upload.InvalidText: 1}}
		},
	},
	{
		name: "half surrogates after a good beginning in UTF-16",
		file: file{head: "\xfe\xff" + strings.Repeat("\x00k", 2040) + "\x00\n", unit: "\xd8\x00\x00\n", units: 100_000},
		slow: func(f *file) { f.units = 3_000_000 },
		want: func(n int) outcome {
			return outcome{"", n + 1, upload.Counts{upload.Accepted: 1, upload.InvalidText: n}}
		},
	},
	{name: "byte order marks alone", file: file{unit: "\uFEFF", units: 600}, want: blank(0)},
	{
		name: "more of them than a line may have", file: file{unit: "\uFEFF", units: gigabyte / 3},
		want: func(int) outcome { return outcome{upload.NoKeys, 1, upload.Counts{upload.TooLong: 1}} },
	},
	{
		name: "byte order marks of UTF-16 alone", file: file{unit: "\xff\xfe", units: gigabyte / 2},
		want: func(int) outcome { return outcome{upload.NoKeys, 1, upload.Counts{upload.TooLong: 1}} },
	},
	{name: "a zip bomb, a gigabyte of NULs", file: file{head: zipped(1<<20, "keys.txt")}, slow: func(f *file) { f.head = zipped(gigabyte, "keys.txt") }, want: refused(upload.Binary)},
	{name: "a zip of a key file", file: file{head: zipped(0, "keys.txt")}, want: refused(upload.Binary)},
	{name: "an xlsx", file: file{head: zipped(0, "[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml")}, want: refused(upload.Binary)},
	{name: "a gzip", file: file{head: gzipped("AAAA-1\n")}, want: refused(upload.Binary)},
	{name: "a PDF", file: file{head: "%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"}, want: refused(upload.Binary)},
	{name: "a PNG", file: file{head: drawn()}, want: refused(upload.Binary)},
}

// begin is a good beginning, longer than what is looked at to know a file.
var begin = string(file{unit: "0000000000-KEY\n", units: beginLines, numbered: true}.whole())

const (
	gigabyte   = 1_000_000_000
	beginLines = 300
)

func refused(cause upload.Cause) func(int) outcome {
	return func(int) outcome { return outcome{Cause: cause} }
}

// blank wants so many lines in each unit, all of them blank.
func blank(each int) func(int) outcome {
	return func(n int) outcome { return outcome{Cause: upload.Empty, Lines: max(1, each*n)} }
}

func TestIngest_monsters(t *testing.T) {
	t.Parallel()
	var trials []trial
	for n, m := range monsters {
		if *monstersTo != "" && m.slow != nil {
			m.slow(&m.file)
		}
		t.Run(m.name, func(t *testing.T) {
			got := try(t, n)
			want := m.want(m.file.units)
			if want.Counts == nil {
				want.Counts = upload.Counts{}
			}
			if diff := gocmp.Diff(want, got.Said); diff != "" {
				t.Errorf("the report says (-want +got):\n%s", diff)
			}
			if listed := min(want.Counts.Rejected(), 1_000_000); got.Reports != 1 || got.Told != 1 || got.Listed != listed {
				t.Errorf("%d reports, with %d lines, of which %d notices tell; want one, with %d", got.Reports, got.Listed, got.Told, listed)
			}
			// The first turn looks at 64 KiB before it reads its range.
			if most := int64(64<<10 + upload.RangeSize + 4*ingest.Overlap); got.Turn > most {
				t.Errorf("a worker read %d bytes in one turn, want at most %d: it may have no time for more", got.Turn, most)
			}
			if got.PeakKiB > bound {
				t.Errorf("%d MB took %d MiB at its peak, want at most %d", got.Size/1e6, got.PeakKiB>>10, bound>>10)
			}
			trials = append(trials, got)
		})
	}
	if *monstersTo == "" {
		return
	}
	out, err := json.Marshal(trials)
	if err == nil {
		err = os.WriteFile(*monstersTo, out, 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// try ingests a monster in a process of its own, whose peak is nobody else's.
func try(t *testing.T, n int) trial {
	t.Helper()
	self := exec.Command(os.Args[0], "-monsters="+*monstersTo)
	self.Env = append(os.Environ(), "INGEST_MONSTER="+strconv.Itoa(n))
	self.Stderr = os.Stderr
	out, err := self.Output()
	var got trial
	if err == nil {
		err = json.Unmarshal(out, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestMain is, in that process, the worker.
func TestMain(m *testing.M) {
	number, ok := os.LookupEnv("INGEST_MONSTER")
	if !ok {
		os.Exit(m.Run())
	}
	flag.Parse()
	n, err := strconv.Atoi(number)
	if err == nil {
		err = meet(monsters[n])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// meet ingests a monster and prints what came of it. Its keys go nowhere, but all
// else is as it always is.
func meet(m monster) error {
	if *monstersTo != "" && m.slow != nil {
		m.slow(&m.file)
	}
	ingest.TuneMemory()
	folder, err := os.MkdirTemp("", "monster")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	nowhere := &nowhere{file: m.file, folder: folder}
	w := &ingest.Worker{
		Catalog: nowhere, Records: nowhere, Ranges: nowhere, Keys: nowhere,
		Objects: nowhere, Reports: nowhere, RangeJobs: nowhere, Fill: nowhere,
		Now: time.Now,
	}
	ctx, start := context.Background(), time.Now()
	if err := w.Receive(ctx, upload.Object{Bucket: "b", Name: "uploads/nova/elden/keys.txt", Version: "1"}); err != nil {
		return err
	}
	for len(nowhere.jobs) > 0 {
		job := nowhere.jobs[0]
		nowhere.jobs, nowhere.turn = nowhere.jobs[1:], 0
		if err := w.Handle(ctx, job); err != nil {
			return err
		}
	}
	u := nowhere.upload
	if u.State != upload.Finished {
		return fmt.Errorf("the upload is %s", u.State)
	}
	peak, err := peak()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(trial{
		Name: m.name, Size: m.file.size(), Said: outcome{u.Cause, u.Lines, u.Counts},
		Reports: nowhere.reports, Listed: nowhere.listed, Told: nowhere.told,
		Turn: nowhere.longest, PeakKiB: peak, Took: time.Since(start),
	})
}

// peak returns the most memory that this process ever had, in KiB. What getrusage
// says of a child is at least what its parent had.
func peak() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	return strconv.Atoi(strings.Fields(peak)[0])
}

func (f file) size() int64 {
	return int64(len(f.head) + f.units*len(f.unit) + len(f.tail))
}

// ReadAt makes up what stands there.
func (f file) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) {
		off := at + int64(n)
		body := off - int64(len(f.head))
		end := int64(f.units) * int64(len(f.unit))
		switch {
		case body < 0:
			n += copy(b[n:], f.head[off:])
		case body < end && f.numbered:
			number, from := body/int64(len(f.unit)), int(body%int64(len(f.unit)))
			n += copy(b[n:], (fmt.Sprintf("%010d", number) + f.unit[10:])[from:])
		case body < end:
			n += f.repeat(b[n:min(int64(len(b)), int64(n)+end-body)], body)
		case body-end < int64(len(f.tail)):
			n += copy(b[n:], f.tail[body-end:])
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

// repeat fills b with the unit, from somewhere in it on: what is there already is
// copied, so that a gigabyte takes no minute.
func (f file) repeat(b []byte, from int64) int {
	n := copy(b, f.unit[from%int64(len(f.unit)):])
	for whole := n; n < len(b); {
		if n < whole+len(f.unit) {
			n += copy(b[n:], f.unit)
			continue
		}
		n += copy(b[n:], b[whole:n])
	}
	return n
}

func (f file) whole() []byte {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, f.size()))
	return b
}

// zipped returns a zip with these files in it, each of so many NULs.
func zipped(size int64, names ...string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if to, err := w.Create(name); err == nil {
			io.Copy(to, io.NewSectionReader(file{unit: "\x00", units: int(size)}, 0, size))
		}
	}
	w.Close()
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func drawn() string {
	var b bytes.Buffer
	png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64)))
	return b.String()
}

// nowhere takes every key and keeps none.
type nowhere struct {
	ingest.Records
	ingest.Keys
	file   file
	folder string // of the parts of a report
	upload upload.Upload
	ranges []upload.Range
	jobs   []upload.Message

	reports, listed, told int
	turn, longest         int64 // bytes read
}

func (n *nowhere) Merchant(context.Context, string) (catalog.Merchant, bool, error) {
	return catalog.Merchant{}, true, nil
}

func (n *nowhere) Pool(context.Context, string, string) (catalog.Pool, bool, error) {
	return catalog.Pool{Shards: 4}, true, nil
}

func (n *nowhere) Upload(context.Context, string, string) (upload.Upload, bool, error) {
	return n.upload, n.upload.State != "", nil
}

func (n *nowhere) AdmitUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, _ upload.Usage, _ upload.Limits, _ time.Time) (bool, error) {
	return n.MoveUpload(ctx, from, u, tell)
}

func (n *nowhere) MoveUpload(_ context.Context, _ upload.State, u upload.Upload, tell *notice.Notice) (bool, error) {
	n.upload = u
	if tell != nil {
		n.told++
	}
	return true, nil
}

func (n *nowhere) TakeRange(_ context.Context, _ upload.Upload, number int, _ time.Time) (upload.Range, error) {
	return upload.Range{Part: job.Part{Number: number, Token: 1}}, nil
}

func (n *nowhere) SaveRange(context.Context, upload.Upload, upload.Range) error { return nil }

func (n *nowhere) EndRange(_ context.Context, _ upload.Upload, r upload.Range, _ time.Time) error {
	n.ranges = append(n.ranges, r)
	n.upload.Done++
	n.upload.Lines += r.Lines
	n.upload.Counts.Add(r.Counts)
	return nil
}

func (n *nowhere) Ranges(context.Context, upload.Upload) ([]upload.Range, error) {
	return n.ranges, nil
}

func (n *nowhere) InsertKeys(_ context.Context, _ pool.ID, _ int, _ string, keys []upload.NewKey) ([]upload.Inserted, error) {
	return make([]upload.Inserted, len(keys)), nil
}

func (n *nowhere) FindKeys(_ context.Context, ids []pool.KeyID) (map[pool.KeyID]upload.KnownKey, error) {
	found := map[pool.KeyID]upload.KnownKey{}
	for _, id := range ids {
		found[id] = upload.KnownKey{Upload: n.upload.ID}
	}
	return found, nil
}

func (n *nowhere) Stat(_ context.Context, o upload.Object) (upload.Stat, bool, error) {
	return upload.Stat{Version: o.Version, Size: n.file.size()}, true, nil
}

func (n *nowhere) Open(_ context.Context, _ upload.Object, from, to int64) (io.ReadCloser, error) {
	n.turn += to - from
	n.longest = max(n.longest, n.turn)
	return io.NopCloser(io.NewSectionReader(n.file, from, to-from)), nil
}

func (n *nowhere) MarkDone(context.Context, upload.Object, bool) error { return nil }

func (n *nowhere) Put(_ context.Context, name string, data []byte) error {
	return os.WriteFile(n.part(name), data, 0o600)
}

func (n *nowhere) Get(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(n.part(name))
}

func (n *nowhere) part(name string) string {
	return filepath.Join(n.folder, strings.ReplaceAll(name, "/", "-"))
}

// Write reads the report while it is written, as JSON.
func (n *nowhere) Write(_ context.Context, _ string, write func(io.Writer) error) error {
	from, to := io.Pipe()
	go func() { to.CloseWithError(write(to)) }()
	n.reports++
	d := json.NewDecoder(from)
	for token := json.Token(nil); token != "lines"; {
		var err error
		if token, err = d.Token(); err != nil {
			return err
		}
	}
	for _, err := d.Token(); d.More(); n.listed++ {
		var line upload.RejectedLine
		if err = cmp.Or(err, d.Decode(&line)); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, io.MultiReader(d.Buffered(), from))
	return err
}

func (n *nowhere) Send(_ context.Context, message any, _ time.Duration) error {
	if job, ok := message.(upload.Message); ok {
		n.jobs = append(n.jobs, job)
	}
	return nil
}
