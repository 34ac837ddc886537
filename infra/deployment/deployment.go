// Package deployment describes, as plain data, what Keypool deploys: the functions
// with their settings, rights and triggers, the queues, and the parameters that a
// deployment may choose. Package infra/stack makes the CDK's stacks of it, and
// infra/template writes template.yaml from it, so both describe the same functions.
//
// Texts refer to resources as CloudFormation's Fn::Sub does: "${Catalog}" is the name
// of the table Catalog, "${Catalog.Arn}/index/due" the ARN of its index, and
// "${AWS::Region}" the region. Parameters are referred to in the same way:
// "${MaxQuantity}".
//
// # Decisions
//
// A function's rights stand beside its triggers and reach its role as plain
// statements. The CDK's grants are convenient and give more than is used.
//
// The package knows nothing of the CDK, which takes a minute to compile: `make
// template`, `make doctor` and `make destroy` start at once.
package deployment

import (
	"regexp"
	"strings"
	"time"
)

// Function is one Lambda.
type Function struct {
	ID          string // in the CDK app and in template.yaml; Folder in lower case
	Description string
	Memory      int // MiB, unless a parameter says otherwise
	Timeout     time.Duration
	Environment []string // keys of the table variables
	Rights      []Right

	// Triggers. A function has those that are set.
	UploadEvents bool         // called for every object in the upload bucket, wherever it lies
	Queue        *QueueSource // called with messages of a queue
	Stream       *StreamSource
	MailEvents   bool   // called with SES's events about our mails
	Schedule     string // called by the clock, as EventBridge Scheduler spells it
	Routes       []Route

	// OnFailure is for callers that do not wait: the bucket, EventBridge, the clock.
	OnFailure *OnFailure
}

// Folder is the function's folder under functions/, its binary and its log field.
func (f Function) Folder() string { return strings.ToLower(f.ID) }

// Variable is one environment variable of a function.
type Variable struct{ Name, Value string }

// Variables returns the function's environment.
func (f Function) Variables() []Variable {
	all := make([]Variable, len(f.Environment))
	for i, name := range f.Environment {
		value, ok := variables[name]
		if !ok {
			panic("no value is known for the variable " + name)
		}
		all[i] = Variable{"KEYPOOL_" + name, value}
	}
	return all
}

// QueueSource calls a function with messages of a queue. Messages that the function
// reports as failed become visible again.
type QueueSource struct {
	Queue       string // ID
	Batch       int    // messages in one call, at most
	Concurrency int    // calls at once, at most; 0: no limit
}

// StreamSource calls a function with the changes of table Orders that match Filter.
type StreamSource struct {
	Filter      string
	Batch       int // changes in one call, at most
	Parallel    int // calls at once for each shard
	Retries     int
	MaxAge      time.Duration
	DeadLetters string // ID of the queue for changes that are given up
}

// OnFailure says what becomes of an event that a function could not handle.
type OnFailure struct {
	Queue   string // ID of the queue that gets it
	Retries int
	MaxAge  time.Duration
}

// Route is a route of the HTTP API. Callers are checked by the function itself, by
// signature or token, unless IAM: then AWS checks them (authorization type AWS_IAM).
type Route struct {
	Method, Path string
	IAM          bool
	Throttle     Throttle
}

// Throttle limits the requests to a route, of all callers together. Each route has a
// limit of its own, so that whoever floods one leaves the others alone: orders keep
// coming in while strangers read documents.
type Throttle struct {
	Rate  int // requests a second
	Burst int // requests at once
}

// The throttles of routes. What a deployment's rate and burst say is webhooks alone.
var (
	webhookThrottle  = Throttle{} // the deployment's rate and burst
	settingsThrottle = Throttle{50, 100}
	documentThrottle = Throttle{5, 10}
	signInThrottle   = Throttle{10, 20}
	pageThrottle     = Throttle{50, 100} // customers look at their orders after a sale; strangers may try some
)

// Throttle returns the limit of a route in this deployment.
func (s Settings) Throttle(r Route) Throttle {
	if r.Throttle == webhookThrottle {
		return Throttle{s.Rate, s.Burst}
	}
	return r.Throttle
}

// Key is the route as API Gateway spells it: "GET /v1/pools/{pool}".
func (r Route) Key() string { return r.Method + " " + r.Path }

// ID is the route's name among the resources, such as GetV1PoolsPool. It stays the
// same whatever routes come or go.
func (r Route) ID() string {
	id := ""
	for _, word := range regexp.MustCompile(`[A-Za-z0-9]+`).FindAllString(strings.ToLower(r.Method)+r.Path, -1) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// Pattern is the route in the ARN that API Gateway calls the function by, such as
// "GET/v1/pools/*".
func (r Route) Pattern() string {
	method := r.Method
	if method == "ANY" {
		method = "*"
	}
	return method + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(r.Path, "*")
}

// Queue is a queue of work. Messages that are received MaxReceives times and not
// deleted go to the queue "Dead" + ID.
type Queue struct {
	ID string
	// VisibilityTimeout is how long a message that was received stays hidden from
	// others. It is longer than the function that received it may run.
	VisibilityTimeout time.Duration
}

// DeadLetters is the ID of the queue for messages that are given up.
func (q Queue) DeadLetters() string { return "Dead" + q.ID }

// MaxReceives is high because a function that runs out of time returns its message,
// and each return counts as a receive.
const MaxReceives = 20

// Queues are the queues of work, DeadLetterQueues the queues for what was given up:
// one for each source of events.
var (
	Queues           = []Queue{{"Ranges", ingestTimeout + margin}, {"Fills", fillTimeout + margin}, {"Catchups", catchupTimeout + margin}, {"Jobs", jobTimeout + margin}}
	DeadLetterQueues = []string{"DeadRanges", "DeadFills", "DeadCatchups", "DeadJobs", "DeadUploads", "DeadMails", "DeadEvents", "DeadTicks"}
)

// Tables are the IDs of the tables, in the order of dynamo.Schemas.
var Tables = []string{"Catalog", "Keys", "Orders", "Sessions"}

// Runtime and Handler are those of every function: a binary of our own.
const (
	Runtime = "provided.al2023"
	Handler = "bootstrap"
)

// MailTLS has SES hand mails over by TLS, or not at all: they hold license keys.
const MailTLS = "REQUIRE"

const (
	ingestTimeout  = 2 * time.Minute
	fillTimeout    = time.Minute
	catchupTimeout = 4 * time.Minute
	jobTimeout     = 10 * time.Minute // MaxReceives of it withdraw ten million keys
	margin         = 10 * time.Second
)

// reference is one ${…} in a text.
var reference = regexp.MustCompile(`\$\{([^}]+)\}`)

// Expand replaces each ${name} in a text by resolve(name).
func Expand(text string, resolve func(name string) string) string {
	return reference.ReplaceAllStringFunc(text, func(r string) string { return resolve(r[2 : len(r)-1]) })
}
