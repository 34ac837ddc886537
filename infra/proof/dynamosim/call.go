package dynamosim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// call is an attempt on its way through the model.
type call struct {
	caller    string
	operation string
	body      []byte
	content   uint64 // a hash of what is asked for
	attempt   int
	chance    uint64
	fate      Fate
	now       time.Time
	changes   []Change // done and not yet observed
}

// The uses of a call's randomness.
const (
	chanceOfArrival = iota + 1
	chanceOfReturn
	chanceOfFate
	chanceOfHold
	chanceOfLag
	chanceOfPart
	chanceOfTear
)

// RoundTrip implements http.RoundTripper. A call that was sent is done even if its
// context ends meanwhile: then only the answer is lost.
func (db *DB) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	c := &call{caller: db.options.Caller(ctx), operation: operation, body: body}
	db.draw(c)

	time.Sleep(db.options.Latency(derive(c.chance, chanceOfArrival)))
	out, err := db.answer(c)
	wait(ctx, db.options.Latency(derive(c.chance, chanceOfReturn))+c.fate.delay)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return response(req, out, err)
}

// wait waits, but not longer than the context lasts.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// draw gives a call its randomness: a hash of the seed, the caller, the content of
// the call and the number of such calls before. Neither the moment of the call nor
// other calls matter.
func (db *DB) draw(c *call) {
	c.content = mix(hashText(c.operation), contentHash(c.body))
	who := mix(hashText(c.caller), c.content)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.stats.Calls[c.operation]++
	db.seen[who]++
	c.attempt = db.seen[who]
	c.chance = derive(mix(mix(db.options.Seed, who), uint64(c.attempt)), 0)
}

// answer does a call and returns its answer.
func (db *DB) answer(c *call) ([]byte, error) {
	do, ok := operations[c.operation]
	if !ok {
		return nil, invalid("dynamosim does not speak %s", c.operation)
	}
	out, err := do(db, c)
	switch c.fate {
	case LostAnswer:
		err = errReset
	case ServerErrorAfter:
		err = errServer
	}
	if err != nil {
		var f *failure
		if errors.As(err, &f) {
			db.mu.Lock()
			db.stats.Errors[f.Code]++
			db.mu.Unlock()
		}
		return nil, err
	}
	if p, ok := out.(page); ok {
		return p.encode()
	}
	return json.Marshal(out)
}

// request is the input of a call.
type request interface {
	table() string // the first that it names
}

// operation returns the way from the body of a call to its answer. Work runs under
// the lock.
func operation[In any, P interface {
	*In
	request
}](do func(*DB, *call, P) (any, error)) func(*DB, *call) (any, error) {
	return func(db *DB, c *call) (any, error) {
		in := P(new(In))
		if err := decode(c.body, in); err != nil {
			return nil, err
		}
		attempt := Call{Caller: c.caller, Operation: c.operation, Table: in.table(), Chance: derive(c.chance, chanceOfFate), Attempt: c.attempt}
		if q, ok := any(in).(*query); ok {
			attempt.Texts = q.texts()
		}
		c.fate = db.options.Fate(attempt)
		arrive := func(c *call) (any, error) {
			c.now = time.Now()
			db.forget(c.now)
			defer db.tell(c)
			return do(db, c, in)
		}
		db.mu.Lock()
		defer db.mu.Unlock()
		if c.fate != Fine {
			db.stats.Fates[c.fate.String()]++
		}
		if c.fate.late > 0 {
			late := *c
			late.fate = Fine
			db.late.Add(1)
			// A sleeping goroutine would keep the bubble from ending.
			time.AfterFunc(c.fate.late, func() {
				defer db.late.Done()
				db.mu.Lock()
				defer db.mu.Unlock()
				arrive(&late)
			})
			return nil, errReset
		}
		if err := c.refused(); err != nil {
			return nil, err
		}
		return arrive(c)
	}
}

// tell reports the changes of a call to the observer.
func (db *DB) tell(c *call) {
	if len(c.changes) > 0 {
		db.options.Observe(Commit{Caller: c.caller, Changes: c.changes})
	}
}

// refused returns the refusal that the call's fate asks for, nil if none. Fates that
// concern parts of the call are handled where the parts are.
func (c *call) refused() error {
	transaction := c.operation == "TransactWriteItems"
	switch c.fate {
	case NeverArrives:
		return errReset
	case ServerError:
		return errServer
	case Unavailable:
		return &failure{status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The service cannot serve the request"}
	case Throttled:
		if !transaction {
			return errThrottled
		}
	case Conflict:
		switch c.operation {
		case "PutItem", "UpdateItem", "DeleteItem":
			return errConflict
		}
	case InProgress:
		if transaction {
			return errInProgress
		}
	}
	return nil
}

// pause releases the lock for a while, so that other calls proceed.
func (db *DB) pause(c *call, d time.Duration) {
	db.mu.Unlock()
	time.Sleep(d)
	db.mu.Lock()
	c.now = time.Now()
}

// tear returns after how many of its items a read pauses, and for how long; 0 if it
// reads all at one moment.
func (db *DB) tear(c *call, parts int) (int, time.Duration) {
	chance := derive(c.chance, chanceOfTear)
	d := db.options.ReadTime(chance)
	if d <= 0 || parts < 2 {
		return 0, 0
	}
	return 1 + int(derive(chance, 1)%uint64(parts-1)), d
}

// decode decodes the input of a call. An unknown field is an error, so that nothing
// is ignored.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var f *failure
		if errors.As(err, &f) {
			return f
		}
		return invalid("dynamosim does not speak this: %v", err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

var (
	errServer     = &failure{status: http.StatusInternalServerError, Code: "InternalServerError", Message: "Internal server error"}
	errThrottled  = &failure{status: http.StatusBadRequest, Code: "ProvisionedThroughputExceededException", Message: "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."}
	errConflict   = &failure{status: http.StatusBadRequest, Code: "TransactionConflictException", Message: "Transaction is ongoing for the item"}
	errInProgress = &failure{status: http.StatusBadRequest, Code: "TransactionInProgressException", Message: "Transaction is already in progress"}
)

// response is an answer in DynamoDB's format.
func response(req *http.Request, body []byte, err error) (*http.Response, error) {
	status := http.StatusOK
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			return nil, err
		}
		status = f.status
		told := *f
		told.Code = "com.amazonaws.dynamodb.v20120810#" + f.Code
		if body, err = json.Marshal(told); err != nil {
			return nil, err
		}
	}
	return Answer(req, status, body), nil
}

// Answer is an answer in DynamoDB's format.
func Answer(req *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"DYNAMOSIM"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}

// Randomness. The hashes must only spread well, and be the same in every run.

func mix(a, b uint64) uint64 {
	a ^= b + 0x9e3779b97f4a7c15 + a<<6 + a>>2
	return a * 0xff51afd7ed558ccd
}

// derive returns a random number for one of many uses.
func derive(chance uint64, use int) uint64 {
	// SplitMix64's finish.
	z := chance + uint64(use)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// between returns a duration from 0 to most, evenly spread.
func between(chance uint64, most time.Duration) time.Duration {
	return time.Duration(chance % uint64(max(most, 0)+1))
}

// hashText is FNV-1a.
func hashText[T string | []byte](text T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// contentHash is the same for two calls that ask for the same, in whatever order
// a map's members, the words of an expression, or a transaction's token came.
func contentHash(body []byte) uint64 {
	r := reader{data: body}
	return r.hash("")
}

// hash reads a value, the member of that name, and returns its hash.
func (r *reader) hash(name string) uint64 {
	var h uint64
	switch c := r.next(); c {
	case '{':
		r.each('{', func() {
			member := r.string()
			value := r.hash(member)
			if member != "ClientRequestToken" {
				h += derive(mix(hashText(member), value), 1)
			}
		})
	case '[':
		r.each('[', func() { h = mix(h, r.hash("")) })
	case '"':
		text := r.string()
		if !strings.HasSuffix(name, "Expression") {
			return hashText(text)
		}
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ' ' || c == ',' }) {
			h += derive(hashText(word), 2)
		}
	case 0:
		return 0
	default: // a number, true, false, null
		start := r.at
		for r.at < len(r.data) && !strings.ContainsRune(",]} \n\t", rune(r.data[r.at])) {
			r.at++
		}
		h = hashText(r.data[start:r.at])
	}
	return h
}
