package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/results"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/ses"
	"keypool/shared/upload"
)

// processorWork measures the processor time and the allocations of the functions'
// code, with the SDK: DynamoDB and SES answer at once, from within this process.
func processorWork(ctx context.Context, b *bench) error {
	const reads, mails, keys, ticks = 10_000, 10_000, 250_000, 1_000
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as in the functions
	tables := dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders"}
	store := dynamo.Open(instant{}.client(), tables)
	claiming, err := claimProcessorTime(ctx, b, tables)
	if err != nil {
		return err
	}
	sender := ses.Open(aws.Config{Region: "us-east-1", Credentials: nobody, BaseEndpoint: aws.String("http://127.0.0.1"), HTTPClient: instant{}}, "keypool")
	m := mailer(store, sender)
	m.Settings = settings{}
	line := paid("mailed")
	mailing, err := measureUsage(mails, func(int) error { return mailOnce(ctx, m, line.ID) })
	if err != nil {
		return err
	}
	following, err := measureUsage(mails, func(int) error {
		return m.ApplyFeedback(ctx, delivery.Feedback{Item: outbox.LineItem(string(line.ID)), Number: 1, Event: order.MailDelivered, At: time.Now(), MessageID: "ses-1"})
	})
	if err != nil {
		return err
	}
	batch := make([]upload.NewKey, upload.BatchSize)
	inserting, err := measureUsage(keys/upload.BatchSize, func(n int) error {
		for i := range batch {
			text := fmt.Sprintf("KEY-%016d", n*len(batch)+i)
			batch[i] = upload.NewKey{ID: pool.Identify([]byte("salt"), "acme", pool.Live, text), Text: pool.Conceal(text), Offset: int64(n*len(batch) + i)}
		}
		_, err := store.InsertKeys(ctx, live, pool.DefaultShards, "20261123T120000-0123456789abcdef", batch)
		return err
	})
	if err != nil {
		return err
	}
	inserting = inserting.by(upload.BatchSize)
	client := instant{}.client()
	reading, err := measureUsage(reads, func(int) error {
		_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("orders"), Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "order"}, "sk": &types.AttributeValueMemberS{Value: "line"},
		}})
		return err
	})
	if err != nil {
		return err
	}
	sweeper, checker := scheduled(store)
	sweeping, err := measureUsage(ticks, func(int) error { _, err := sweeper.Sweep(ctx, time.Now().Add(time.Minute)); return err })
	if err != nil {
		return err
	}
	checking, err := measureUsage(ticks, func(int) error { return checker.Check(ctx) })
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, fact string
		usage
	}{
		{"processor time of a claim", "claim seconds", claiming},
		{"processor time of a mail", "mail seconds", mailing},
		{"processor time of feedback of a mail", "feedback seconds", following},
		{"processor time of a key", "insert seconds", inserting},
		{"processor time of a sweep that finds nothing", "sweep seconds", sweeping},
		{"processor time of a stock check without a pool", "stock seconds", checking},
		{"processor time of one read that finds nothing, the SDK's alone", "read seconds", reading},
	} {
		b.fact(f.fact, f.processor.Seconds())
		b.add(figure{Name: f.name, Got: f.String()})
	}
	b.note("Processor time", "Processor time and allocations of the function's code with the SDK; DynamoDB and SES answer from within the process. A claim is four calls of DynamoDB, three of them in parallel. A mail is the lease, the text, SES, the mark, the history and the count. A key is its identity, its statement and its twenty-fifth of a call. A sweep is a call for each partition of two indexes. The last row is the SDK's work for the simplest call, of which a claim makes four.")
	return nil
}

// claimProcessorTime measures claims and, in turn with them in this process, the same
// four calls made bare.
func claimProcessorTime(ctx context.Context, b *bench, tables dynamo.Tables) (usage, error) {
	const orders, rounds, bar = 1_000, 15, 1.15
	at := func(options ...func(*dynamodb.Options)) *claim.Claimer {
		return &claim.Claimer{
			Store:  dynamo.Open(instant{}.client(options...), tables),
			Cached: settings{}, Uncached: settings{}, Fill: noQueue{}, By: "webhook", Now: time.Now,
		}
	}
	var calls recorder
	recorded, err := calls.record(orders, func(i int) (order.Fulfillment, error) {
		return at(calls.option).Claim(ctx, paid(fmt.Sprint(i)))
	})
	if err != nil {
		return usage{}, err
	}
	claims, client := at(), instant{}.client()
	whole, bare := make([]usage, rounds), make([]usage, rounds)
	for round := range rounds {
		_, err := inTurn(round, func() (err error) {
			whole[round], err = measureUsage(orders, func(i int) error {
				got, err := claims.Claim(ctx, paid(fmt.Sprint(i)))
				if err == nil && got.State() != order.Fulfilled {
					err = fmt.Errorf("an order is %s", got.State())
				}
				return err
			})
			return err
		}, func() (err error) {
			bare[round], err = measureUsage(orders, func(i int) error { return recorded[i].make(ctx, client) })
			return err
		})
		if err != nil {
			return usage{}, err
		}
	}
	ratio := median(ratios(times(whole), times(bare)))
	b.add(figure{
		Name: "processor time of a claim / its four calls, bare", Bar: fmt.Sprintf("<= %.2f", bar),
		Got: fmt.Sprintf("%.2f (%s / %s)", ratio, middle(whole), middle(bare)), Met: ratio <= bar,
	})
	b.note("A claim and its calls", fmt.Sprintf("The four calls are recorded from claims and made again in the same way, three side by side and then the transaction, without a look at the answers. The median of %d rounds of %s claims, in each of which the two run one after the other.", rounds, results.Grouped(orders)))
	return middle(whole), nil
}

func times(rounds []usage) []time.Duration {
	all := make([]time.Duration, len(rounds))
	for i, u := range rounds {
		all[i] = u.processor
	}
	return all
}

// middle is the round with the median processor time.
func middle(rounds []usage) usage {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b usage) int { return cmp.Compare(a.processor, b.processor) })
	return sorted[len(sorted)/2]
}

// usage is the processor time and the allocations of one piece of work.
type usage struct {
	processor   time.Duration
	allocations float64
	bytes       float64
}

func (u usage) String() string {
	return fmt.Sprintf("%.1f us, %.0f allocations, %.1f KB", float64(u.processor)/1e3, u.allocations, u.bytes/1e3)
}

// by divides the usage among n.
func (u usage) by(n int) usage {
	return usage{u.processor / time.Duration(n), u.allocations / float64(n), u.bytes / float64(n)}
}

// measureUsage does something n times and returns the usage of one time.
func measureUsage(n int, do func(i int) error) (usage, error) {
	var before, after runtime.MemStats
	runtime.GC() // every measurement begins with an empty heap
	runtime.ReadMemStats(&before)
	used := processorTime()
	for i := range n {
		if err := do(i); err != nil {
			return usage{}, err
		}
	}
	used = processorTime() - used
	runtime.ReadMemStats(&after)
	return usage{used, float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)}.by(n), nil
}

// instant is an AWS that answers at once. Its DynamoDB has keys for sale and one
// order whose mail is due, and accepts every write; its SES accepts every mail.
type instant struct{}

var nobody = credentials.NewStaticCredentialsProvider("test", "test", "")

func (i instant) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		Credentials:  nobody,
		BaseEndpoint: aws.String("http://127.0.0.1"),
		HTTPClient:   i,
	}, options...)
}

var candidatesAnswer = func() string {
	var items []string
	for i := range 25 {
		items = append(items, fmt.Sprintf(`{"pk":{"S":"acme#live#%043d"},"shard":{"S":"acme#elden#live#1"},"place":{"S":"%016x"},"text":{"S":"KEY-%016d"},"upload":{"S":"20261123T120000-0123456789abcdef"}}`, i, i, i))
	}
	return fmt.Sprintf(`{"Count":25,"Items":[%s],"ScannedCount":25}`, strings.Join(items, ","))
}()

// mailed is that order, in a state of its mail.
func mailed(state string) string {
	id := paid("mailed").ID
	return fmt.Sprintf(`{"pk":{"S":"order#%s"},"sk":{"S":"line#%s"},"v":{"N":"1"},"version":{"N":"2"},"merchant":{"S":"acme"},"side":{"S":"live"},`+
		`"account":{"S":"standard"},"origin":{"S":"GQ5AJ7ZNPKT3VXWBH4M2ECLSDY"},"order":{"S":"mailed"},"line":{"S":"1"},"product":{"S":"game"},"pool":{"S":"elden"},"quantity":{"N":"1"},"wanted":{"N":"1"},"allocated":{"N":"1"},`+
		`"keys":{"L":[{"M":{"id":{"S":"acme#live#1"},"text":{"S":"AAAAA-BBBBB-CCCCC"}}}]},"receivedAt":{"N":"1795000000000"},"language":{"S":"en"},"listed":{"S":"acme#live#3"},`+
		`"customer":{"M":{"name":{"S":"Ada Byron"},"email":{"S":"ada.byron@example.com"}}},"mail":{"S":"%s"},"mailKind":{"S":"keys"},"mailNumber":{"N":"1"},"leaseEndsAt":{"N":"1795000600000"}}`,
		id.OrderHalf(), id.LineHalf(), state)
}

var (
	leaseAnswer = `{"Attributes":` + mailed("sending") + `}`
	sentAnswer  = `{"Item":` + mailed("sent") + `}`
)

var insertAnswer = `{"Responses":[` + strings.TrimSuffix(strings.Repeat(`{"TableName":"keys"},`, 25), ",") + `]}`

func (i instant) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	says := "{}"
	switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."); {
	case operation == "": // only SES has none
		says = `{"MessageId":"ses-1"}`
	case operation == "UpdateItem" && bytes.Contains(body, []byte("ALL_NEW")):
		says = leaseAnswer
	case operation == "GetItem" && bytes.Contains(body, []byte(paid("mailed").ID.LineHalf())):
		says = sentAnswer
	case operation == "Query":
		says = `{"Count":0,"Items":[],"ScannedCount":0}`
		if bytes.Contains(body, []byte(`"IndexName":"available"`)) {
			says = candidatesAnswer
		}
	case operation == "BatchExecuteStatement":
		says = insertAnswer
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(strings.NewReader(says)), ContentLength: int64(len(says)),
	}, nil
}

type settings struct{}

func (settings) Merchant(context.Context, string) (catalog.Merchant, bool, error) {
	return catalog.Merchant{Name: "acme", Title: "Acme"}, true, nil
}

func (settings) Pool(context.Context, string, string) (catalog.Pool, bool, error) {
	return catalog.Pool{Merchant: "acme", Name: "elden", LowStock: 10, Shards: pool.DefaultShards}, true, nil
}

func (settings) Review(context.Context, string) (catalog.Review, error) {
	return catalog.Review{}, nil
}

func (settings) Product(context.Context, string, string) (catalog.Product, bool, error) {
	return catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}, true, nil
}
