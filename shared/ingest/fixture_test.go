package ingest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/ingesttest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/ingest"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var (
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	elden = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}
)

// fixture is an ingest with tables of its own on the engine, and buckets and queues
// in memory.
type fixture struct {
	t       testing.TB
	store   *dynamo.Store
	tables  dynamo.Tables
	bucket  *ingesttest.Uploads
	reports *ingesttest.Reports
	jobs    *ingesttest.Queue
	fills   *ingesttest.Queue
	worker  *ingest.Worker
}

// newFixture opens a fixture of merchant nova, with pools elden and ring.
func newFixture(t testing.TB, options ...dynamotest.Option) *fixture {
	t.Helper()
	d := &fixture{
		t:       t,
		bucket:  ingesttest.NewUploads(func() time.Time { return noon }),
		reports: &ingesttest.Reports{},
		jobs:    &ingesttest.Queue{}, fills: &ingesttest.Queue{},
	}
	d.store, d.tables = dynamotest.Open(t, options...)
	d.worker = &ingest.Worker{
		Catalog: d.store, Records: d.store, Ranges: d.store, Keys: d.store,
		Objects: d.bucket, Reports: d.reports, RangeJobs: d.jobs, Fill: d.fills,
		Now: func() time.Time { return noon },
	}
	d.addMerchant("nova", "elden", "ring")
	return d
}

func (d *fixture) addMerchant(name string, pools ...string) {
	d.t.Helper()
	ctx := context.Background()
	if err := d.store.PutMerchant(ctx, catalog.Merchant{Name: name, NoticeAddress: "ops@nova.example"}); err != nil {
		d.t.Fatal(err)
	}
	for _, p := range pools {
		d.addPool(name, p)
	}
}

func (d *fixture) addPool(merchant, name string) {
	d.t.Helper()
	if err := d.store.PutPool(context.Background(), catalog.Pool{Merchant: merchant, Name: name, Shards: 2}); err != nil {
		d.t.Fatal(err)
	}
}

// drop puts a file in the bucket, lets ingest receive it and work until no
// message is left, and returns the upload's record.
func (d *fixture) drop(name, content string) upload.Upload {
	d.t.Helper()
	o := d.bucket.Put(name, []byte(content))
	if err := d.worker.Receive(context.Background(), o); err != nil {
		d.t.Fatal(err)
	}
	d.work()
	return d.upload(o)
}

// work handles messages until none is left.
func (d *fixture) work() {
	d.t.Helper()
	for {
		message, ok := d.jobs.Next()
		if !ok {
			return
		}
		err := d.worker.Handle(context.Background(), message.(upload.Message))
		if errors.Is(err, job.ErrUnfinished) {
			d.jobs.Send(context.Background(), message, 0)
			continue
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// upload returns the record of an object, wherever it is kept.
func (d *fixture) upload(o upload.Object) upload.Upload {
	d.t.Helper()
	place, _ := upload.Locate(o.Name)
	for _, merchant := range []string{place.Merchant, ""} {
		u, ok, err := d.store.Upload(context.Background(), merchant, upload.NewID(o, noon))
		if err != nil {
			d.t.Fatal(err)
		}
		if ok {
			return u
		}
	}
	d.t.Fatalf("no record of %s", o.Name)
	return upload.Upload{}
}

// storedKey is a key as it stands in the table.
type storedKey struct {
	Upload string        `dynamodbav:"upload"`
	Offset int64         `dynamodbav:"offset"`
	Pool   string        `dynamodbav:"pool"`
	State  pool.KeyState `dynamodbav:"state"`
	Shard  string        `dynamodbav:"shard"`
	Place  string        `dynamodbav:"place"`
}

// keys returns what stands in the table of keys for one merchant and side, by text.
func (d *fixture) keys(merchant string, side pool.Side) map[string]storedKey {
	d.t.Helper()
	keys := map[string]storedKey{}
	pages := dynamodb.NewScanPaginator(dynamotest.Client(d.t), &dynamodb.ScanInput{
		TableName:                 aws.String(d.tables.Keys),
		FilterExpression:          aws.String("begins_with(pk, :owner)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":owner": &types.AttributeValueMemberS{Value: merchant + "#" + string(side) + "#"}},
		ConsistentRead:            aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, item := range page.Items {
			var key storedKey
			if err := attributevalue.UnmarshalMap(item, &key); err != nil {
				d.t.Fatal(err)
			}
			keys[item["text"].(*types.AttributeValueMemberS).Value] = key
		}
	}
	return keys
}

// shown returns the count of accepted keys that the pool side shows.
func (d *fixture) shown(p pool.ID) int {
	d.t.Helper()
	item := d.item(d.tables.Catalog, "counts#"+p.Merchant, "count#"+p.Pool+"#"+string(p.Side))
	if item == nil {
		return 0
	}
	n, err := strconv.Atoi(item["accepted"].(*types.AttributeValueMemberN).Value)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// noticed returns the notices that tell of an upload.
func (d *fixture) noticed(u upload.Upload) (told []notice.Notice) {
	d.t.Helper()
	for _, n := range d.allNotices() {
		if slices.Contains(n.Facts.Uploads, u.ID) {
			told = append(told, n)
		}
	}
	return told
}

func (d *fixture) allNotices() (all []notice.Notice) {
	d.t.Helper()
	pages := dynamodb.NewScanPaginator(dynamotest.Client(d.t), &dynamodb.ScanInput{TableName: aws.String(d.tables.Orders), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, item := range page.Items {
			id, ok := strings.CutPrefix(item["pk"].(*types.AttributeValueMemberS).Value, "notice#")
			if !ok {
				continue
			}
			n, _, err := d.store.Notice(context.Background(), id)
			if err != nil {
				d.t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	return all
}

// wantNotice expects one notice of an upload, of that kind, and returns it.
func (d *fixture) wantNotice(u upload.Upload, kind notice.Kind) notice.Notice {
	d.t.Helper()
	told := d.noticed(u)
	if len(told) != 1 || told[0].Kind != kind || told[0].Merchant != u.Merchant {
		d.t.Errorf("upload %s of %q is told by %v, want one notice of %s", u.ID, u.Merchant, told, kind)
		return notice.Notice{}
	}
	return told[0]
}

func (d *fixture) item(table, pk, sk string) map[string]types.AttributeValue {
	d.t.Helper()
	out, err := dynamotest.Client(d.t).GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: aws.String(table), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk},
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Item
}
