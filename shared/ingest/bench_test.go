package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/ingest"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// BenchmarkIngest measures what ingest adds to the calls it cannot do without.
// Each round loads as many keys by a whole ingest, by a bare loop of the same
// BatchExecuteStatement calls, and by unchecked BatchWriteItem, so that all see
// the same engine in the same state.
//
//	ingest/bare   keys a second, ours by the bare loop's: the bar is 0.9
//	ingest/write  the same by BatchWriteItem's, which overwrites duplicates
//	us-cpu/key    processor time of this process for each key ingested: the bar is 15
//
// The engine is that at DYNAMODB_ENDPOINT: MiniStack, since DynamoDB Local
// inserts some 200 keys a second, and hides everything else.
func BenchmarkIngest(b *testing.B) {
	const keys = 5000
	ingest.TuneMemory()
	d := newFixture(b)
	client := dynamotest.Client(b)
	var ours, bare, write, cpu, bareCPU time.Duration
	for round := range b.N {
		texts := dynamotest.Texts(fmt.Sprintf("KEY-%08d-AAAA-BBBB", round), keys)
		o := d.bucket.Put("uploads/nova/elden/keys.txt", []byte(strings.Join(texts, "\r\n")))
		before := processorTime(b)
		ours += measure(func() {
			if err := d.worker.Receive(context.Background(), o); err != nil {
				b.Fatal(err)
			}
		})
		cpu += processorTime(b) - before
		if u := d.upload(o); u.Counts[upload.Accepted] != keys {
			b.Fatalf("%s with %v", u.State, u.Counts)
		}
		before = processorTime(b)
		bare += measure(func() { insertBare(b, client, d.tables.Keys, round, texts) })
		bareCPU += processorTime(b) - before
		write += measure(func() { writeUnchecked(b, client, d.tables.Keys, round, texts) })
	}
	loaded := float64(b.N * keys)
	b.ReportMetric(loaded/ours.Seconds(), "keys/s")
	b.ReportMetric(loaded/bare.Seconds(), "bare-keys/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ingest/bare")
	b.ReportMetric(write.Seconds()/ours.Seconds(), "ingest/write")
	b.ReportMetric(float64(cpu.Microseconds())/loaded, "us-cpu/key")
	b.ReportMetric(float64(bareCPU.Microseconds())/loaded, "bare-us-cpu/key")
	b.ReportMetric(0, "ns/op")
}

func measure(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

// processorTime is what this process has used, in its own code and the kernel's.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// attributes are those of a key as ingest stores it.
func attributes(round int, kind string, n int, key string) []types.AttributeValue {
	str := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	num := func(n int) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	return []types.AttributeValue{
		str(fmt.Sprintf("nova#live#%s%040d%03d", kind, n, round)), num(1), str(key), str("20261123T120000-0123456789abcdef"), num(n),
		str("elden"), str(string(pool.KeyAvailable)), str(fmt.Sprintf("nova#elden#live#%d", n%2)), str(fmt.Sprintf("%016x", n*2654435761)),
	}
}

func insertBare(b *testing.B, client *dynamodb.Client, table string, round int, texts []string) {
	statement := aws.String(`INSERT INTO "` + table + `" VALUE {'pk':?,'v':?,'text':?,'upload':?,'offset':?,'row':?,'pool':?,'state':?,'shard':?,'place':?}`)
	for from := 0; from < len(texts); from += upload.BatchSize {
		var statements []types.BatchStatementRequest
		for n := from; n < min(from+upload.BatchSize, len(texts)); n++ {
			statements = append(statements, types.BatchStatementRequest{
				Statement: statement, Parameters: attributes(round, "bare", n, texts[n]),
			})
		}
		out, err := client.BatchExecuteStatement(context.Background(), &dynamodb.BatchExecuteStatementInput{Statements: statements})
		if err != nil {
			b.Fatal(err)
		}
		for _, response := range out.Responses {
			if response.Error != nil {
				b.Fatal(response.Error.Code)
			}
		}
	}
}

func writeUnchecked(b *testing.B, client *dynamodb.Client, table string, round int, texts []string) {
	names := []string{"pk", "v", "text", "upload", "offset", "pool", "state", "shard", "place"}
	for from := 0; from < len(texts); from += upload.BatchSize {
		var writes []types.WriteRequest
		for n := from; n < min(from+upload.BatchSize, len(texts)); n++ {
			item := make(map[string]types.AttributeValue, len(names))
			for i, value := range attributes(round, "write", n, texts[n]) {
				item[names[i]] = value
			}
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		if _, err := client.BatchWriteItem(context.Background(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{table: writes},
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader measures the reader alone, and the identity of each key.
func BenchmarkReader(b *testing.B) {
	file := strings.Join(dynamotest.Texts("KEY-AAAA-BBBB-CCCC", 50_000), "\r\n")
	salt := make([]byte, 32)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r, err := ingest.NewReader(strings.NewReader(file), upload.UTF8, 0, int64(len(file)), 0)
		if err != nil {
			b.Fatal(err)
		}
		for line, err := r.Next(); err == nil; line, err = r.Next() {
			pool.Identify(salt, "nova", pool.Live, line.Text.Reveal())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/key")
}
