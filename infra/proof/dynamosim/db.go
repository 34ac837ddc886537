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

// Options say how the model behaves. The zero value answers at once, never
// fails, and shows a change in the indexes right away.
type Options struct {
	// Seed decides everything that comes by chance.
	Seed uint64

	// Latency is how long a call takes to arrive, and again how long its answer
	// does; nil: no time.
	Latency func(chance uint64) time.Duration

	// IndexLag is the longest time until an index shows a change. Each change of an
	// item in a partition of an index takes a time of its own, evenly from 0 on, but
	// none shows before an earlier one of the same item there.
	IndexLag time.Duration

	// PartitionWrites and PartitionReads are the units a second that a partition
	// key takes, of a table or of an index; 0: no limit. A second's worth may be
	// taken at once. Beyond it calls are throttled.
	PartitionWrites, PartitionReads float64

	// TransactionTime is how long a transaction holds its items between checking
	// its conditions and writing; nil: no time. Whatever else wants to write one of
	// them meanwhile meets a conflict; who reads them finds what was before.
	TransactionTime func(chance uint64) time.Duration

	// ReadTime is how long a BatchGetItem or a Query stops between two of its items
	// while others write, nil or no time: it reads all at one moment. Where it stops
	// is left to chance.
	ReadTime func(chance uint64) time.Duration

	// Fate decides what befalls a call; nil: nothing.
	Fate func(Call) Fate

	// Caller names who calls; nil: "".
	Caller func(context.Context) string

	// Observe is told of every commit at its moment, in their order, while nothing
	// else goes on in the model: it must not call it. nil: nobody is told.
	Observe func(Commit)
}

// Commit is what one call changed, all at once; of a batch, whose writes are each
// for themselves, all that succeeded.
type Commit struct {
	Caller  string
	Changes []Change
}

// Change is an item before and after a write, nil where there is none.
type Change struct {
	Table         string
	Key           map[string]types.AttributeValue
	Before, After map[string]types.AttributeValue
}

// Call is an attempt of a call, as Fate sees it.
type Call struct {
	Caller    string
	Operation string // such as "Query"
	Table     string // the first that it names
	Chance    uint64 // even, and its own
	Attempt   int    // how often this caller has sent this very call, from 1 on
}

// Fate is what befalls a call. One that cannot befall an operation, such as a
// Conflict a Query, leaves it alone.
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
	Throttled        = Fate{name: "Throttled"}        // a partition takes no more; nothing is done
	Partial          = Fate{name: "Partial"}          // a batch is done in part
	Conflict         = Fate{name: "Conflict"}         // another transaction holds one of the items; nothing is done
	InProgress       = Fate{name: "InProgress"}       // the same transaction is still being decided; nothing is done
)

// Slow lets the answer come that much later.
func Slow(delay time.Duration) Fate { return Fate{name: "Slow", delay: delay} }

// Late cuts the connection, and lets the call arrive that much later: it is done
// when its caller has long tried again, or given up. See DB.Wait.
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

// Stats counts what a model did.
type Stats struct {
	Calls         map[string]int // attempts, by operation
	Errors        map[string]int // answers that refuse a call, by code
	Cancellations map[string]int // reasons in cancelled transactions, by code
	Fates         map[string]int // that befell an attempt, by name
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

// Client returns a client of the model. It tries a call as often as the SDK does,
// but without the SDK's budget for repeats, which would let one caller's failures
// end another's tries, and after pauses that depend on nothing but how often it
// tried.
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

// direct leaves out what http.Client does besides: redirects, cookies, timeouts.
type direct struct{ db *DB }

func (d direct) Do(r *http.Request) (*http.Response, error) { return d.db.RoundTrip(r) }

// CreateTable makes a table, which is ready at once.
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

// Items returns a table's items as they stand, in the order of their keys. What a
// transaction has not written yet is not among them.
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

// Wait waits until the calls that are Late have been done. Those that nobody
// waits for end with their bubble, done or not.
func (db *DB) Wait() { db.late.Wait() }

// Stats returns what was counted so far.
func (db *DB) Stats() Stats {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.stats
	for _, counts := range []*map[string]int{&s.Calls, &s.Errors, &s.Cancellations, &s.Fates} {
		*counts = maps.Clone(*counts)
	}
	return s
}

// failure is how a call is refused.
type failure struct {
	status  int
	Code    string   `json:"__type"`
	Message string   `json:"message"`
	Item    *item    `json:"Item,omitempty"`
	Reasons []reason `json:"CancellationReasons,omitempty"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

// reason is why a transaction was cancelled, by the position of the write.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    *item  `json:",omitempty"`
}
