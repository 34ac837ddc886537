package idempotency

// Repeat says what a second call does that asks for the same as the first.
type Repeat int

const (
	// Reads changes nothing, however often it is called.
	Reads Repeat = iota + 1
	// Settles leads to what the first call led to: what it names is as it asks already.
	Settles
	// Repeats does the act again, but with the Idempotency-Key of the first.
	Repeats
	// RepeatsSecret does so too, and its answer holds a secret.
	RepeatsSecret
)

// Keyed reports whether calls take an Idempotency-Key.
func (r Repeat) Keyed() bool { return r == Repeats || r == RepeatsSecret }

// Posts is the judgement of every POST of the APIs, by the operation's ID. A test of each
// API holds that none is missing. PUT and DELETE settle, GET reads.
var Posts = map[string]Repeat{
	"find-keys":    Reads,
	"preview-mail": Reads,
	"dry-run":      Reads,
	// An address is made, and nothing stored. Keys of a file that is put to two are duplicates.
	"create-upload": Reads,

	// An address is made, and stored nowhere; each is in the audit trail.
	"link-job-file": Settles,

	"cancel-order":          Settles,
	"cancel-order-by-query": Settles,
	"hold-order":            Settles,
	// It shows them again, and the history says so again.
	"show-order-keys":             Reads,
	"show-order-keys-by-query":    Reads,
	"revoke-order-link":           Settles,
	"revoke-order-link-by-query":  Settles,
	"replace-order-link":          Repeats,
	"replace-order-link-by-query": Repeats,

	"hold-order-by-query":    Settles,
	"release-order":          Settles,
	"release-order-by-query": Settles,
	"reject-order":           Settles,
	"reject-order-by-query":  Settles,
	"release-held":           Settles,
	"reject-held":            Settles,
	"set-brake":              Settles,
	"cancel-job":             Settles,
	"load-upload":            Settles,
	"withdraw-upload":        Settles,
	"block-keys":             Settles,
	// The order's number names it.
	"fulfil-order":          Settles,
	"fulfil-order-by-query": Settles,
	// Where it names units, its refund names it.
	"return-order":          Settles,
	"return-order-by-query": Settles,
	// What is erased or wiped is gone; a second job finds nothing.
	"wipe-test-data":       Settles,
	"erase-customer":       Settles,
	"erase-order":          Settles,
	"erase-order-by-query": Settles,
	// The key that is replaced names it.
	"replace-key":          Settles,
	"replace-key-by-query": Settles,

	"add-keys":              Repeats,
	"move-keys":             Repeats,
	"export-keys":           Repeats,
	"place-test-order":      Repeats,
	"resend-order":          Repeats,
	"resend-order-by-query": Repeats,
	"send-sample":           Repeats,

	"make-owner": Settles, // the address names the person

	"create-token": RepeatsSecret,
	"open-portal":  RepeatsSecret,
}
