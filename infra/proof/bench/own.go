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

// ownWork measures what the functions' own code, the SDK's included, does for an
// order and for a key: DynamoDB and SES answer at once, from within the process,
// so that neither network nor engine is in the figures.
func ownWork(ctx context.Context, b *bench) error {
	const reads, mails, keys, ticks = 10_000, 10_000, 250_000, 1_000
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as in the functions
	tables := dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders"}
	store := dynamo.Open(empty{}.client(), tables)
	claiming, err := ownOfClaim(ctx, b, tables)
	if err != nil {
		return err
	}
	post := ses.Open(aws.Config{Region: "us-east-1", Credentials: nobody, BaseEndpoint: aws.String("http://127.0.0.1"), HTTPClient: empty{}}, "keypool")
	m := mailer(store, post)
	m.Settings = settings{}
	line := paid("mailed")
	mailing, err := measureOwn(mails, func(int) error { return mailOnce(ctx, m, line.ID) })
	if err != nil {
		return err
	}
	telling, err := measureOwn(mails, func(int) error {
		return m.Follow(ctx, delivery.News{Item: outbox.LineItem(string(line.ID)), Number: 1, What: order.MailDelivered, At: time.Now(), MessageID: "ses-1"})
	})
	if err != nil {
		return err
	}
	batch := make([]upload.NewKey, upload.BatchSize)
	inserting, err := measureOwn(keys/upload.BatchSize, func(n int) error {
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
	client := empty{}.client()
	reading, err := measureOwn(reads, func(int) error {
		_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("orders"), Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "order"}, "sk": &types.AttributeValueMemberS{Value: "line"},
		}})
		return err
	})
	if err != nil {
		return err
	}
	sweeper, checker := clockwork(store)
	sweeping, err := measureOwn(ticks, func(int) error { _, err := sweeper.Sweep(ctx, time.Now().Add(time.Minute)); return err })
	if err != nil {
		return err
	}
	checking, err := measureOwn(ticks, func(int) error { return checker.Check(ctx) })
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, fact string
		own
	}{
		{"own work of a claim", "claim seconds", claiming},
		{"own work of a mail", "mail seconds", mailing},
		{"own work of news of a mail", "news seconds", telling},
		{"own work of a key", "insert seconds", inserting},
		{"own work of a sweep that finds nothing", "sweep seconds", sweeping},
		{"own work of a stock check without a pool", "stock seconds", checking},
		{"the SDK's work for a read that finds nothing", "read seconds", reading},
	} {
		b.fact(f.fact, f.processor.Seconds())
		b.add(figure{Name: f.name, Got: f.String()})
	}
	b.note("Own work", "Processor time and allocations of the function's code, the SDK's included; DynamoDB and SES answer from within the process. A claim is four calls of DynamoDB, three of them side by side; a mail is lease, text, SES, mark, history and count; a key is its identity, its statement and its twenty-fifth of a call; a sweep is a call for each of the parts of two indexes. The last line says what the SDK takes for the least of calls, of which a claim makes four.")
	return nil
}

// ownOfClaim measures a claim, and beside it the same four calls made bare: in one
// process, in turn.
func ownOfClaim(ctx context.Context, b *bench, tables dynamo.Tables) (own, error) {
	const orders, rounds, bar = 1_000, 15, 1.15
	at := func(options ...func(*dynamodb.Options)) *claim.Claimer {
		return &claim.Claimer{
			Store:  dynamo.Open(empty{}.client(options...), tables),
			Recent: settings{}, Fresh: settings{}, Fill: nowhere{}, Now: time.Now,
		}
	}
	var calls recorder
	recorded, err := calls.record(orders, func(i int) (order.Fulfillment, error) {
		return at(calls.option).Claim(ctx, paid(fmt.Sprint(i)))
	})
	if err != nil {
		return own{}, err
	}
	claims, client := at(), empty{}.client()
	whole, bare := make([]own, rounds), make([]own, rounds)
	for round := range rounds {
		_, err := inTurn(round, func() (err error) {
			whole[round], err = measureOwn(orders, func(i int) error {
				got, err := claims.Claim(ctx, paid(fmt.Sprint(i)))
				if err == nil && got.State() != order.Fulfilled {
					err = fmt.Errorf("an order is %s", got.State())
				}
				return err
			})
			return err
		}, func() (err error) {
			bare[round], err = measureOwn(orders, func(i int) error { return recorded[i].make(ctx, client) })
			return err
		})
		if err != nil {
			return own{}, err
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

func times(rounds []own) []time.Duration {
	all := make([]time.Duration, len(rounds))
	for i, o := range rounds {
		all[i] = o.processor
	}
	return all
}

// middle is the round of median processor time.
func middle(rounds []own) own {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b own) int { return cmp.Compare(a.processor, b.processor) })
	return sorted[len(sorted)/2]
}

// own is what a piece of work costs the process that does it.
type own struct {
	processor   time.Duration
	allocations float64
	bytes       float64
}

func (o own) String() string {
	return fmt.Sprintf("%.1f us, %.0f allocations, %.1f KB", float64(o.processor)/1e3, o.allocations, o.bytes/1e3)
}

// by shares it among n.
func (o own) by(n int) own {
	return own{o.processor / time.Duration(n), o.allocations / float64(n), o.bytes / float64(n)}
}

// measureOwn does something n times and returns what one time costs.
func measureOwn(n int, do func(i int) error) (own, error) {
	var before, after runtime.MemStats
	runtime.GC() // each begins with an empty heap
	runtime.ReadMemStats(&before)
	used := processorTime()
	for i := range n {
		if err := do(i); err != nil {
			return own{}, err
		}
	}
	used = processorTime() - used
	runtime.ReadMemStats(&after)
	return own{used, float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)}.by(n), nil
}

// empty is a DynamoDB that holds nothing but keys for sale and one order to be
// mailed, and takes whatever is written; and an SES that takes every mail.
type empty struct{}

var nobody = credentials.NewStaticCredentialsProvider("test", "test", "")

func (e empty) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		Credentials:  nobody,
		BaseEndpoint: aws.String("http://127.0.0.1"),
		HTTPClient:   e,
	}, options...)
}

var forSale = func() string {
	var items []string
	for i := range 25 {
		items = append(items, fmt.Sprintf(`{"pk":{"S":"acme#live#%043d"},"shard":{"S":"acme#elden#live#1"},"place":{"S":"%016x"},"text":{"S":"KEY-%016d"},"upload":{"S":"20261123T120000-0123456789abcdef"}}`, i, i, i))
	}
	return fmt.Sprintf(`{"Count":25,"Items":[%s],"ScannedCount":25}`, strings.Join(items, ","))
}()

// mailed is the one order there is, as its lease shows it and as it is once sent.
func mailed(state string) string {
	id := paid("mailed").ID
	return fmt.Sprintf(`{"pk":{"S":"order#%s"},"sk":{"S":"line#%s"},"v":{"N":"1"},"version":{"N":"2"},"merchant":{"S":"acme"},"side":{"S":"live"},`+
		`"account":{"S":"standard"},"origin":{"S":"GQ5AJ7ZNPKT3VXWBH4M2ECLSDY"},"order":{"S":"mailed"},"line":{"S":"1"},"product":{"S":"game"},"pool":{"S":"elden"},"quantity":{"N":"1"},"wanted":{"N":"1"},"allocated":{"N":"1"},`+
		`"keys":{"L":[{"M":{"id":{"S":"acme#live#1"},"text":{"S":"AAAAA-BBBBB-CCCCC"}}}]},"receivedAt":{"N":"1795000000000"},"language":{"S":"en"},"month":{"S":"acme#2026-11"},`+
		`"customer":{"M":{"name":{"S":"Ada Byron"},"email":{"S":"ada.byron@example.com"}}},"mail":{"S":"%s"},"mailKind":{"S":"keys"},"mailNumber":{"N":"1"},"leaseEndsAt":{"N":"1795000600000"}}`,
		id.Order(), id.InOrder(), state)
}

var (
	leased = `{"Attributes":` + mailed("sending") + `}`
	sent   = `{"Item":` + mailed("sent") + `}`
)

var taken = `{"Responses":[` + strings.TrimSuffix(strings.Repeat(`{"TableName":"keys"},`, 25), ",") + `]}`

func (e empty) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	says := "{}"
	switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."); {
	case operation == "": // SES's alone has none
		says = `{"MessageId":"ses-1"}`
	case operation == "UpdateItem" && bytes.Contains(body, []byte("ALL_NEW")):
		says = leased
	case operation == "GetItem" && bytes.Contains(body, []byte(paid("mailed").ID.InOrder())):
		says = sent
	case operation == "Query":
		says = `{"Count":0,"Items":[],"ScannedCount":0}`
		if bytes.Contains(body, []byte(`"IndexName":"available"`)) {
			says = forSale
		}
	case operation == "BatchExecuteStatement":
		says = taken
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

func (settings) Product(context.Context, string, string) (catalog.Product, bool, error) {
	return catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}, true, nil
}
