package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/ingest"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// file is a bucket with one key file, whose lines are generated when they are read.
type file struct {
	lines int
	form  string // format of a line, with a place for its number
	at    time.Time
}

func (f file) text(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, f.form+"\n", i)
	}
	return b.String()
}

func (f file) line() int64 { return int64(len(fmt.Sprintf(f.form+"\n", 0))) }
func (f file) size() int64 { return f.line() * int64(f.lines) }

func (f file) Stat(context.Context, upload.Object) (upload.Stat, bool, error) {
	return upload.Stat{Version: "v1", Size: f.size(), LastModified: f.at}, true, nil
}

func (f file) Open(_ context.Context, _ upload.Object, from, to int64) (io.ReadCloser, error) {
	to = min(to, f.size())
	first, last := from/f.line(), (to+f.line()-1)/f.line()
	text := f.text(int(first), int(last))
	return io.NopCloser(strings.NewReader(text[from-first*f.line() : to-first*f.line()])), nil
}

func (f file) MarkDone(context.Context, upload.Object, bool) error { return nil }

// noReports discards reports.
type noReports struct{}

func (noReports) Put(context.Context, string, []byte) error { return nil }
func (noReports) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("nothing was refused, so nothing was kept")
}

func (noReports) Write(_ context.Context, _ string, write func(io.Writer) error) error {
	return write(io.Discard)
}

// ingestThroughput compares the whole way of a key file into the table with the same
// BatchExecuteStatement calls in a bare loop, and with BatchWriteItem, which checks
// nothing. Each of them has one call in flight.
func ingestThroughput(ctx context.Context, b *bench) error {
	const keys, rounds = 12_000, 5
	// As the function does.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e, err := b.ministack(ctx)
	if err != nil {
		return err
	}
	tables := newTables()
	store, err := e.open(ctx, tables)
	if err != nil {
		return err
	}
	defer e.drop(ctx, tables)
	if err := setUp(ctx, store); err != nil {
		return err
	}
	client := e.client()
	var (
		whole, bare, unchecked []time.Duration
		cpu, kernel, bareCPU   []float64
	)
	for round := range rounds {
		// The bare calls are recorded from the load of another file.
		calls, err := statements(func(keeping *dynamo.Store) error {
			return load(ctx, keeping, file{lines: keys, form: fmt.Sprintf("BARE%d-%%016d", round), at: time.Now()})
		}, e, tables)
		if err != nil {
			return err
		}
		if len(calls) != keys/upload.BatchSize {
			return fmt.Errorf("%d calls were kept, of %d keys", len(calls), keys)
		}
		var writes [][]types.WriteRequest
		for from := 0; from < keys; from += upload.BatchSize {
			var batch []types.WriteRequest
			for i := from; i < from+upload.BatchSize; i++ {
				batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{
					Item: dynamotest.KeyItem(live, pool.DefaultShards, i, fmt.Sprintf("FREE%d-%016d", round, i)),
				}})
			}
			writes = append(writes, batch)
		}
		took, err := inTurn(round, func() error {
			used, inKernel := processorTime(), kernelTime()
			err := load(ctx, store, file{lines: keys, form: fmt.Sprintf("FILE%d-%%016d", round), at: time.Now()})
			cpu = append(cpu, float64((processorTime()-used).Microseconds())/keys)
			kernel = append(kernel, float64((kernelTime()-inKernel).Microseconds())/keys)
			return err
		}, func() error {
			used := processorTime()
			defer func() { bareCPU = append(bareCPU, float64((processorTime()-used).Microseconds())/keys) }()
			for _, call := range calls {
				out, err := client.BatchExecuteStatement(ctx, call)
				if err != nil {
					return err
				}
				for _, response := range out.Responses {
					if response.Error != nil {
						return fmt.Errorf("a bare insert: %s", response.Error.Code)
					}
				}
			}
			return nil
		}, func() error {
			for _, batch := range writes {
				in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tables.Keys: batch}}
				if _, err := client.BatchWriteItem(ctx, in); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		whole, bare, unchecked = append(whole, took[0]), append(bare, took[1]), append(unchecked, took[2])
	}
	against := func(other []time.Duration) (float64, string) {
		ratio := median(ratios(other, whole))
		return ratio, fmt.Sprintf("%.2f (%.0f / %.0f keys a second)", ratio, keys/median(whole).Seconds(), keys/median(other).Seconds())
	}
	ratio, got := against(bare)
	b.add(figure{
		Name: "ingest without duplicates / a bare loop of the same BatchExecuteStatement calls", Bar: ">= 0.9",
		Got: got, Met: ratio >= 0.9,
	})
	_, got = against(unchecked)
	b.add(figure{Name: "ingest / unchecked BatchWriteItem", Got: got})
	b.add(figure{
		Name: "processor time of ingest, a key / its share of the bare calls", Bar: "<= 1.4",
		Got: fmt.Sprintf("%.2f (%.1f us, %.1f of them in the kernel; the bare calls %.1f us)", median(cpu)/median(bareCPU), median(cpu), median(kernel), median(bareCPU)),
		Met: median(cpu) <= 1.4*median(bareCPU),
	})
	b.note("Loading a file", fmt.Sprintf("From the bucket's event to the finished report, %d keys a file, one worker; the median of %d rounds, in each of which the three ways run one after the other. BatchWriteItem overwrites an existing key, so that it could be sold a second time.", keys, rounds))
	b.note("Processor time of ingest", "Keypool's and the SDK's part of it is the processor time of a key above, with a table in the same process. The rest is the transport of 25 keys to another process and back: on a virtual machine, waking a thread that waits for a connection takes longer than encoding the keys.")
	return nil
}

// load loads a file as ingest does, from the event of the bucket to the finished
// report.
func load(ctx context.Context, store *dynamo.Store, f file) error {
	worker := &ingest.Worker{
		Catalog: store, Records: store, Ranges: store, Keys: store,
		Objects: f, Reports: noReports{}, RangeJobs: noQueue{}, Fill: noQueue{}, Now: time.Now,
	}
	object := upload.Object{Bucket: "uploads", Name: "uploads/acme/elden/" + f.form + ".txt", Version: "v1"}
	if err := worker.Receive(ctx, object); err != nil {
		return err
	}
	u, _, err := store.Upload(ctx, "acme", upload.NewID(object, f.at))
	if err == nil && (u.State != upload.Finished || u.Counts[upload.Accepted] != f.lines) {
		err = fmt.Errorf("an upload of %d keys is %s with %d", f.lines, u.State, u.Counts[upload.Accepted])
	}
	return err
}

// statements records the calls that insert keys while load runs. They are not sent,
// but answered as if they had succeeded.
func statements(load func(*dynamo.Store) error, e *engine, tables dynamo.Tables) ([]*dynamodb.BatchExecuteStatementInput, error) {
	var kept []*dynamodb.BatchExecuteStatementInput
	client := e.client(func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Keep",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					call, ok := in.Parameters.(*dynamodb.BatchExecuteStatementInput)
					if !ok || !strings.HasPrefix(aws.ToString(call.Statements[0].Statement), "INSERT") {
						return next.HandleInitialize(ctx, in)
					}
					kept = append(kept, call)
					done := &dynamodb.BatchExecuteStatementOutput{Responses: make([]types.BatchStatementResponse, len(call.Statements))}
					return middleware.InitializeOutput{Result: done}, middleware.Metadata{}, nil
				}), middleware.After)
		})
	})
	err := load(dynamo.Open(client, tables))
	return kept, err
}

// processorTime is the processor time of this process so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// kernelTime is the part of it that the kernel used.
func kernelTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Stime.Nano())
}
