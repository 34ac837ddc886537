package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/ingest"
	"keypool/shared/notice"
	"keypool/shared/pool"
)

const gigabyte = 1 << 30

// TestMain lets the memory test run itself in a process of its own, whose peak
// is nobody else's.
func TestMain(m *testing.M) {
	kind := os.Getenv("INGEST_GIGABYTE")
	if kind == "" {
		os.Exit(m.Run())
	}
	err := ingestGigabyte(kind)
	if err == nil {
		err = printPeak()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printPeak prints the most memory that this process ever had, in KiB. What
// getrusage says of a child is at least what its parent had.
func printPeak() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println(strings.Fields(peak)[0])
	return nil
}

func TestIngest_gigabyteInBoundedMemory(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"one-line", "long-lines", "utf-16"} {
		t.Run(kind, func(t *testing.T) {
			self := exec.Command(os.Args[0], "-test.run=^$")
			self.Env = append(os.Environ(), "INGEST_GIGABYTE="+kind)
			self.Stderr = os.Stderr
			out, err := self.Output()
			if err != nil {
				t.Fatal(err)
			}
			peak, err := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("1 GiB with a peak of %d MiB resident", peak>>10)
			if peak > 64<<10 {
				t.Errorf("1 GiB took %d MiB at its peak, want at most 64", peak>>10)
			}
		})
	}
}

// ingestGigabyte ingests a file of 1 GiB: its lines go nowhere, but all else is as
// it always is.
func ingestGigabyte(kind string) error {
	ingest.TuneMemory()
	nowhere := &nowhere{file: bytes.Repeat([]byte("x"), 1<<20)}
	switch kind {
	case "long-lines": // half a million, every one of which is refused or a key
		for at := 1999; at < len(nowhere.file); at += 2000 {
			nowhere.file[at] = '\n'
		}
	case "utf-16": // one range, whose lines are all too long
		copy(nowhere.file, "\xff\xfe")
		for at := 65536; at+1 < len(nowhere.file); at += 65536 {
			copy(nowhere.file[at:], "\n\x00")
		}
	}
	w := &ingest.Worker{
		Catalog: nowhere, Records: nowhere, Ranges: nowhere, Keys: nowhere,
		Objects: nowhere, Reports: nowhere, RangeJobs: nowhere, Fill: nowhere,
		Now: time.Now,
	}
	ctx := context.Background()
	if err := w.Receive(ctx, ingest.Object{Bucket: "b", Name: "uploads/nova/elden/large.txt", Version: "1"}); err != nil {
		return err
	}
	for len(nowhere.jobs) > 0 {
		job := nowhere.jobs[0]
		nowhere.jobs = nowhere.jobs[1:]
		if err := w.Handle(ctx, job); err != nil {
			return err
		}
	}
	return nil
}

// nowhere takes everything and keeps next to nothing. Its file repeats one MiB.
type nowhere struct {
	ingest.Records
	ingest.Keys
	file   []byte
	upload ingest.Upload
	jobs   []ingest.Message
}

func (n *nowhere) Merchant(context.Context, string) (catalog.Merchant, bool, error) {
	return catalog.Merchant{}, true, nil
}

func (n *nowhere) Pool(context.Context, string, string) (catalog.Pool, bool, error) {
	return catalog.Pool{Shards: 4}, true, nil
}

func (n *nowhere) Upload(context.Context, string, string) (ingest.Upload, bool, error) {
	return n.upload, n.upload.State != "", nil
}

func (n *nowhere) MoveUpload(_ context.Context, _ ingest.State, u ingest.Upload, _ *notice.Notice) (bool, error) {
	n.upload = u
	return true, nil
}

func (n *nowhere) TakeRange(_ context.Context, _ ingest.Upload, number int, _ time.Time) (ingest.Range, error) {
	return ingest.Range{Number: number, Turn: 1}, nil
}

func (n *nowhere) SaveRange(context.Context, ingest.Upload, ingest.Range) error { return nil }

func (n *nowhere) EndRange(_ context.Context, _ ingest.Upload, r ingest.Range, _ time.Time) error {
	n.upload.Done++
	n.upload.Counts.Add(r.Counts)
	return nil
}

func (n *nowhere) Ranges(context.Context, ingest.Upload) ([]ingest.Range, error) { return nil, nil }

func (n *nowhere) InsertKeys(_ context.Context, _ pool.ID, _ int, _ string, keys []ingest.NewKey) ([]ingest.Inserted, error) {
	return make([]ingest.Inserted, len(keys)), nil
}

func (n *nowhere) FindKeys(_ context.Context, ids []pool.KeyID) (map[pool.KeyID]ingest.Found, error) {
	found := map[pool.KeyID]ingest.Found{}
	for _, id := range ids {
		found[id] = ingest.Found{Upload: n.upload.ID}
	}
	return found, nil
}

func (n *nowhere) Stat(_ context.Context, o ingest.Object) (ingest.Stat, bool, error) {
	return ingest.Stat{Version: o.Version, Size: gigabyte}, true, nil
}

func (n *nowhere) Open(_ context.Context, _ ingest.Object, from, to int64) (io.ReadCloser, error) {
	return io.NopCloser(&repeating{file: n.file, at: from, end: to}), nil
}

func (n *nowhere) MarkDone(context.Context, ingest.Object) error { return nil }

func (n *nowhere) Put(context.Context, string, []byte) error { return nil }

func (n *nowhere) Get(context.Context, string) ([]byte, error) { return nil, nil }

func (n *nowhere) Write(_ context.Context, _ string, write func(io.Writer) error) error {
	return write(io.Discard)
}

func (n *nowhere) Send(_ context.Context, message any, _ time.Duration) error {
	if job, ok := message.(ingest.Message); ok {
		n.jobs = append(n.jobs, job)
	}
	return nil
}

// repeating reads the same bytes over and over.
type repeating struct {
	file    []byte
	at, end int64
}

func (r *repeating) Read(p []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.end-r.at)]
	n := copy(p, r.file[r.at%int64(len(r.file)):])
	r.at += int64(n)
	return n, nil
}
