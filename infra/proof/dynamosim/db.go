package dynamosim

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Options are the model's behaviour. The zero value answers at once, never fails, and
// shows changes in the indexes at once.
type Options struct {
	// Seed decides everything random.
	Seed uint64

	// Latency is the time that a call takes to arrive, and again that of its answer.
	// Nil is no time.
	Latency func(chance uint64) time.Duration

	// IndexLag is the longest time until an index shows a change. The time of each
	// change of an item in a partition of an index is random, from 0 on, but no
	// change shows before an earlier change of the same item there.
	IndexLag time.Duration

	// PartitionWrites and PartitionReads are the units a second of one partition key,
	// of a table or of an index. 0 is no limit. The units of one second may be
	// consumed at once; calls beyond that are throttled.
	PartitionWrites, PartitionReads float64

	// TransactionTime is the time for which a transaction holds its items, between
	// the check of its conditions and its writes. Nil is no time. Meanwhile, other
	// writes to the items meet a conflict, and readers see the items of before.
	TransactionTime func(chance uint64) time.Duration

	// ReadTime is the time for which a BatchGetItem or a Query pauses between two of
	// its items, while others write. Nil or no time is no pause: it reads all at one
	// moment. The place of the pause is random.
	ReadTime func(chance uint64) time.Duration

	// Fate decides the fault of a call. Nil is none.
	Fate func(Call) Fate

	// Caller returns the name of the caller. Nil is "".
	Caller func(context.Context) string

	// Observe is called for every commit at its moment, in their order, under the
	// model's lock: it must not call the model. Nil is no observer.
	Observe func(Commit)
}

// Commit is the changes of one call, which take place together. The writes of a batch
// are independent; its commit is those that succeeded.
type Commit struct {
	Caller  string
	Changes []Change
}

// Change is an item before and after a write, nil where it does not exist.
type Change struct {
	Table         string
	Key           map[string]types.AttributeValue
	Before, After map[string]types.AttributeValue
}

// Call is an attempt of a call, for Fate.
type Call struct {
	Caller    string
	Operation string   // such as "Query"
	Table     string   // the first table of the call
	Texts     []string // that the expressions of a Query compare with, such as its partition key
	Chance    uint64   // random, evenly spread
	Attempt   int      // number of the caller's attempts of this very call, from 1
}

// Fate is a fault of a call. A fault that is impossible for an operation, such as a
// Conflict for a Query, has no effect.
type Fate struct {
	name  string
	delay time.Duration // of the answer
	late  time.Duration // of the call
}

// The fates.
var (
	Fine             = Fate{}
	NeverArrives     = Fate{name: "NeverArrives"}     // the connection is cut; nothing is done
	LostAnswer       = Fate{name: "LostAnswer"}       // it is done; the connection is cut
	ServerError      = Fate{name: "ServerError"}      // InternalServerError; nothing is done
	ServerErrorAfter = Fate{name: "ServerErrorAfter"} // InternalServerError, and yet it is done
	Unavailable      = Fate{name: "Unavailable"}      // ServiceUnavailable; nothing is done
	Throttled        = Fate{name: "Throttled"}        // a partition is throttled; nothing is done
	Partial          = Fate{name: "Partial"}          // a batch is done in part
	Conflict         = Fate{name: "Conflict"}         // another transaction holds one of the items; nothing is done
	InProgress       = Fate{name: "InProgress"}       // the same transaction is still being decided; nothing is done
)

// Slow delays the answer.
func Slow(delay time.Duration) Fate { return Fate{name: "Slow", delay: delay} }

// Late cuts the connection and delays the call: it is done long after its caller has
// retried or given up. See DB.Wait.
func Late(delay time.Duration) Fate { return Fate{name: "Late", late: delay} }

func (f Fate) String() string {
	if f == Fine {
		return "Fine"
	}
	return f.name
}

// DB is a model of DynamoDB. It implements http.RoundTripper and is safe for
// concurrent use.
type DB struct {
	options Options

	mu      sync.Mutex
	tables  map[string]*table
	parsed  map[string]*expression // by grammar and text
	inserts map[string]*insert     // by text
	held    map[string]bool        // items of transactions that are being decided, by table and id
	tokens  map[string]*token
	recent  []*token // in the order of their times
	buckets map[string]*bucket
	seen    map[uint64]int // calls, by caller and content
	changes int            // of indexes, to order those of one moment
	stats   Stats

	late sync.WaitGroup // calls that have not arrived yet
}

// Stats are the counts of a model.
type Stats struct {
	Calls         map[string]int // attempts, by operation
	Errors        map[string]int // answers that refuse a call, by code
	Cancellations map[string]int // reasons in cancelled transactions, by code
	Fates         map[string]int // faults of attempts, by name
	Throttles     int            // calls, writes and keys of batches refused for a partition's limit
}

// New returns an empty model.
func New(o Options) *DB {
	if o.Latency == nil {
		o.Latency = func(uint64) time.Duration { return 0 }
	}
	if o.TransactionTime == nil {
		o.TransactionTime = func(uint64) time.Duration { return 0 }
	}
	if o.ReadTime == nil {
		o.ReadTime = func(uint64) time.Duration { return 0 }
	}
	if o.Fate == nil {
		o.Fate = func(Call) Fate { return Fine }
	}
	if o.Caller == nil {
		o.Caller = func(context.Context) string { return "" }
	}
	return &DB{
		options: o,
		tables:  map[string]*table{},
		parsed:  map[string]*expression{},
		inserts: map[string]*insert{},
		held:    map[string]bool{},
		tokens:  map[string]*token{},
		buckets: map[string]*bucket{},
		seen:    map[uint64]int{},
		stats:   Stats{Calls: map[string]int{}, Errors: map[string]int{}, Cancellations: map[string]int{}, Fates: map[string]int{}},
	}
}

// Client returns a client of the model. It retries as often as the SDK does, but
// without the SDK's retry budget, by which one caller's failures would end another's
// retries. The pauses depend only on the number of the attempt.
func (db *DB) Client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:                          "us-east-1",
		Credentials:                     aws.AnonymousCredentials{},
		BaseEndpoint:                    aws.String("http://dynamosim"),
		DisableValidateResponseChecksum: true,
		HTTPClient:                      direct{db},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.RateLimiter = ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return min(50*time.Millisecond<<min(attempt, 10), 20*time.Second), nil
			})
		}),
	}, options...)
}

// direct is http.Client without redirects, cookies and timeouts.
type direct struct{ db *DB }

func (d direct) Do(r *http.Request) (*http.Response, error) { return d.db.RoundTrip(r) }

// CreateTable makes a table.
func (db *DB) CreateTable(in *dynamodb.CreateTableInput) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.makeTable(in)
}

func (db *DB) makeTable(in *dynamodb.CreateTableInput) error {
	if _, ok := db.tables[aws.ToString(in.TableName)]; ok {
		return &failure{status: http.StatusBadRequest, Code: "ResourceInUseException", Message: "Table already exists: " + aws.ToString(in.TableName)}
	}
	t, err := newTable(in)
	if err != nil {
		return err
	}
	db.tables[t.name] = t
	return nil
}

// Items returns the committed items of a table, in the order of their keys.
func (db *DB) Items(name string) []map[string]types.AttributeValue {
	db.mu.Lock()
	defer db.mu.Unlock()
	t := db.tables[name]
	if t == nil {
		return nil
	}
	var items []map[string]types.AttributeValue
	for _, partition := range slices.Sorted(maps.Keys(t.base.partitions)) {
		for _, e := range t.base.partitions[partition].entries {
			items = append(items, e.item.sdk())
		}
	}
	return items
}

// Wait waits until all Late calls are done. Otherwise they end with their bubble,
// done or not.
func (db *DB) Wait() { db.late.Wait() }

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.stats
	for _, counts := range []*map[string]int{&s.Calls, &s.Errors, &s.Cancellations, &s.Fates} {
		*counts = maps.Clone(*counts)
	}
	return s
}

// failure is the refusal of a call.
type failure struct {
	status  int
	Code    string   `json:"__type"`
	Message string   `json:"message"`
	Item    *item    `json:"Item,omitempty"`
	Reasons []reason `json:"CancellationReasons,omitempty"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

// reason is the cancellation reason of one write of a transaction.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    *item  `json:",omitempty"`
}
