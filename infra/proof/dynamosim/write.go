package dynamosim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// write is a write of one item, from any call.
type write struct {
	t         *table
	key       *entry // where the item stands
	scope     scope
	condition *condition
	update    *expression // nil: not an update
	put       item        // nil: not a put
	check     bool        // changes nothing
	showOld   bool        // shows the item whose condition fails
}

// outcome is the effect of a write: the item before and after, and the changes of
// indexes.
type outcome struct {
	*write
	before *entry
	after  *entry // nil: none
	lags   []lag
	used   capacity
}

// lag is a change of an index.
type lag struct {
	x             *index
	before, after *entry
}

// plan computes the outcome of a write, or the reason against it.
func (db *DB) plan(now time.Time, w *write, transaction bool) (*outcome, error) {
	o := &outcome{write: w, before: w.t.base.get(w.key)}
	var before item
	if o.before != nil {
		before = o.before.item
	}
	after, err := w.after(before)
	if w.condition != nil && !w.scope.holds(w.condition, before) {
		// A failed condition consumes the units of the table's write, without the
		// indexes.
		//
		// Source: Amazon DynamoDB Developer Guide, "DynamoDB read and write
		// operations".
		o.used = o.used.add(w.t.base, w.key.partition, tableUnits(max(before.size(), after.size()), transaction))
		if err := db.writable(now, o.used); err != nil {
			return o, err
		}
		db.consume(o.used)
		f := &failure{status: http.StatusBadRequest, Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
		if w.showOld && before != nil {
			f.Item = &before
		}
		return o, f
	}
	if err != nil {
		return o, err
	}
	if after != nil {
		if err := cmp.Or(w.t.checkIndexed(after), checkSize(after)); err != nil {
			return o, err
		}
		o.after = w.t.base.entry(after)
	}
	o.weigh(transaction)
	return o, db.writable(now, o.used)
}

// after returns the item after the write, nil for none.
func (w *write) after(before item) (item, error) {
	switch {
	case w.check:
		return before, nil
	case w.update == nil:
		return w.put, nil
	}
	if before == nil {
		for _, a := range w.t.base.key.attributes() {
			v, _ := w.key.item.get(a.name)
			before = before.with(a.name, v)
		}
	}
	return w.scope.updated(w.update, before)
}

// weigh computes the changes of indexes and the consumed units.
func (o *outcome) weigh(transaction bool) {
	size := 0
	for _, e := range []*entry{o.before, o.after} {
		if e != nil {
			size = max(size, e.size)
		}
	}
	o.used = o.used.add(o.t.base, o.key.partition, tableUnits(size, transaction))
	if o.check {
		return
	}
	for _, x := range o.t.indexes {
		before, after := x.shown(o.before), x.shown(o.after)
		switch {
		case before == nil && after == nil:
		case before != nil && after != nil && before.partition == after.partition && before.compare(after) == 0:
			if !before.item.equal(after.item) {
				o.lags = append(o.lags, lag{x, before, after})
				o.used = o.used.add(x.collection, after.partition, writeUnits(max(before.size, after.size)))
			}
		case before != nil && after != nil && before.partition == after.partition:
			o.lags = append(o.lags, lag{x, before, after})
			o.used = o.used.add(x.collection, after.partition, writeUnits(before.size)+writeUnits(after.size))
		default:
			if before != nil {
				o.lags = append(o.lags, lag{x, before, nil})
				o.used = o.used.add(x.collection, before.partition, writeUnits(before.size))
			}
			if after != nil {
				o.lags = append(o.lags, lag{x, nil, after})
				o.used = o.used.add(x.collection, after.partition, writeUnits(after.size))
			}
		}
	}
}

// apply carries out a plan. The number of the write in its call is part of the
// randomness of its index changes.
func (db *DB) apply(c *call, number int, o *outcome) {
	db.consume(o.used)
	if o.check || o.before == nil && o.after == nil {
		return
	}
	o.t.base.replace(o.before, o.after)
	for i, l := range o.lags {
		db.changes++
		delay := between(derive(derive(c.chance, chanceOfLag), number*16+i), db.options.IndexLag)
		l.x.later(c.now.Add(delay), db.changes, l.before, l.after)
	}
	for _, x := range o.t.indexes {
		x.catchUp(c.now)
	}
	if db.options.Observe != nil {
		c.changes = append(c.changes, o.change())
	}
}

// change is the effect of the write, for the observer.
func (o *outcome) change() Change {
	keys := item{}
	for _, a := range o.t.base.key.attributes() {
		v, _ := o.key.item.get(a.name)
		keys = keys.with(a.name, v)
	}
	c := Change{Table: o.t.name, Key: keys.sdk()}
	if o.before != nil {
		c.Before = o.before.item.sdk()
	}
	if o.after != nil {
		c.After = o.after.item.sdk()
	}
	return c
}

// one does the write of a call for a single item.
func (db *DB) one(c *call, w *write) (*outcome, error) {
	if db.held[w.name()] {
		return nil, errConflict
	}
	o, err := db.plan(c.now, w, false)
	if err != nil {
		return nil, err
	}
	db.apply(c, 0, o)
	return o, nil
}

// name is the item's id among all tables.
func (w *write) name() string { return w.t.name + "/" + w.key.id }

// conditional is the fields that all writes have.
type conditional struct {
	TableName                           string
	ConditionExpression                 *string
	ReturnValuesOnConditionCheckFailure string
	placeholders
}

func (in *conditional) table() string { return in.TableName }

func (in *conditional) write(db *DB, update *string) (*write, error) {
	t, err := db.find(in.TableName)
	if err != nil {
		return nil, err
	}
	s, found, err := db.bind(in.placeholders, text{conditionGrammar, in.ConditionExpression}, text{updateGrammar, update})
	if err != nil {
		return nil, err
	}
	w := &write{t: t, scope: s, update: found[1]}
	if found[0] != nil {
		w.condition = found[0].condition
	}
	switch in.ReturnValuesOnConditionCheckFailure {
	case "", string(types.ReturnValuesOnConditionCheckFailureNone):
	case string(types.ReturnValuesOnConditionCheckFailureAllOld):
		w.showOld = true
	default:
		return nil, invalid("dynamosim does not speak ReturnValuesOnConditionCheckFailure %s", in.ReturnValuesOnConditionCheckFailure)
	}
	return w, nil
}

type put struct {
	conditional
	Item item
}

func (in *put) write(db *DB) (*write, error) {
	w, err := in.conditional.write(db, nil)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(w.t.checkKey(in.Item), checkSize(in.Item)); err != nil {
		return nil, err
	}
	w.put, w.key = in.Item, w.t.base.entry(in.Item)
	return w, nil
}

// keyed is a write whose item is named by its key.
type keyed struct {
	conditional
	Key item
}

func (in *keyed) write(db *DB, update *string) (*write, error) {
	w, err := in.conditional.write(db, update)
	if err != nil {
		return nil, err
	}
	w.key, err = w.t.key(in.Key)
	return w, err
}

type update struct {
	keyed
	UpdateExpression *string
}

func (in *update) write(db *DB) (*write, error) {
	if in.UpdateExpression == nil {
		return nil, invalid("dynamosim does not speak an update without an UpdateExpression")
	}
	w, err := in.keyed.write(db, in.UpdateExpression)
	if err != nil {
		return nil, err
	}
	for _, a := range w.update.update {
		for _, key := range w.t.base.key.attributes() {
			if w.scope.name(a.path[0]) == key.name {
				return nil, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", key.name)
			}
		}
	}
	return w, nil
}

// answering is the fields that ask for an answer, of calls that write one item.
type answering struct {
	ReturnValues           string
	ReturnConsumedCapacity string
}

type written struct {
	Attributes       *item             `json:",omitempty"`
	ConsumedCapacity *consumedCapacity `json:",omitempty"`
}

// of returns the answer of a write.
func (in answering) of(o *outcome) written {
	out := written{ConsumedCapacity: o.used.of(o.t, in.ReturnConsumedCapacity)}
	switch types.ReturnValue(in.ReturnValues) {
	case types.ReturnValueAllOld:
		if o.before != nil {
			out.Attributes = &o.before.item
		}
	case types.ReturnValueAllNew:
		out.Attributes = &o.after.item
	default: // none
	}
	return out
}

// alone does a single write and returns its answer. It refuses unknown values of the
// fields that ask for an answer.
func (db *DB) alone(c *call, prepare func(*DB) (*write, error), in answering, may ...types.ReturnValue) (any, error) {
	if in.ReturnValues != "" && in.ReturnValues != string(types.ReturnValueNone) && !slices.Contains(may, types.ReturnValue(in.ReturnValues)) {
		return nil, invalid("dynamosim does not speak ReturnValues %s", in.ReturnValues)
	}
	w, err := prepare(db)
	if err != nil {
		return nil, err
	}
	o, err := db.one(c, w)
	if err != nil {
		return nil, err
	}
	return in.of(o), nil
}

type putItem struct {
	put
	answering
}

func (db *DB) putItem(c *call, in *putItem) (any, error) {
	return db.alone(c, in.put.write, in.answering, types.ReturnValueAllOld)
}

type updateItem struct {
	update
	answering
}

func (db *DB) updateItem(c *call, in *updateItem) (any, error) {
	return db.alone(c, in.update.write, in.answering, types.ReturnValueAllOld, types.ReturnValueAllNew)
}

type deleteItem struct {
	keyed
	answering
}

func (db *DB) deleteItem(c *call, in *deleteItem) (any, error) {
	remove := func(db *DB) (*write, error) { return in.keyed.write(db, nil) }
	return db.alone(c, remove, in.answering, types.ReturnValueAllOld)
}

type writeRequest struct {
	PutRequest    *struct{ Item item } `json:",omitempty"`
	DeleteRequest *struct{ Key item }  `json:",omitempty"`
}

func (r writeRequest) write(t *table) (*write, error) {
	w := &write{t: t}
	switch {
	case r.PutRequest != nil && r.DeleteRequest == nil:
		if err := cmp.Or(t.checkKey(r.PutRequest.Item), checkSize(r.PutRequest.Item), t.checkIndexed(r.PutRequest.Item)); err != nil {
			return nil, err
		}
		w.put, w.key = r.PutRequest.Item, t.base.entry(r.PutRequest.Item)
		return w, nil
	case r.DeleteRequest != nil && r.PutRequest == nil:
		var err error
		w.key, err = t.key(r.DeleteRequest.Key)
		return w, err
	default:
		return nil, invalid("Supplied write request has not exactly one of a put and a delete")
	}
}

type batchWriteItem struct {
	RequestItems           map[string][]writeRequest
	ReturnConsumedCapacity string
}

func (in *batchWriteItem) table() string { return first(in.RequestItems) }

func (db *DB) batchWriteItem(c *call, in *batchWriteItem) (any, error) {
	var out struct {
		UnprocessedItems map[string][]writeRequest
		ConsumedCapacity []*consumedCapacity `json:",omitempty"`
	}
	out.UnprocessedItems = map[string][]writeRequest{}
	var writes []*write
	seen := map[string]bool{}
	tables := slices.Sorted(maps.Keys(in.RequestItems))
	for _, name := range tables {
		t, err := db.find(name)
		if err != nil {
			return nil, err
		}
		for _, r := range in.RequestItems[name] {
			w, err := r.write(t)
			if err != nil {
				return nil, err
			}
			if seen[w.name()] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[w.name()] = true
			writes = append(writes, w)
		}
	}
	if len(writes) == 0 || len(writes) > maxBatchWrites {
		return nil, invalid("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: a batch has 1 to %d writes", maxBatchWrites)
	}
	left, n, throttled := c.leaves(len(writes)), 0, 0
	for _, name := range tables {
		var used capacity
		for _, r := range in.RequestItems[name] {
			w := writes[n]
			o, err := db.plan(c.now, w, false)
			if err != nil || left[n] {
				throttled++
			}
			if err != nil || left[n] || db.held[w.name()] {
				out.UnprocessedItems[name] = append(out.UnprocessedItems[name], r)
			} else {
				db.apply(c, n, o)
				used = append(used, o.used...)
			}
			n++
		}
		if consumed := used.of(db.tables[name], in.ReturnConsumedCapacity); consumed != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, consumed)
		}
	}
	if throttled == len(writes) {
		return nil, errThrottled
	}
	return out, nil
}

// leaves selects the parts of a batch that are left undone, if that is the call's
// fate: each with a chance of a half, and at least one.
func (c *call) leaves(parts int) []bool {
	left := make([]bool, parts)
	if c.fate != Partial || parts == 0 {
		return left
	}
	chance := derive(c.chance, chanceOfPart)
	for i := range left {
		left[i] = derive(chance, i)%2 == 0
	}
	left[chance%uint64(parts)] = true
	return left
}

// Limits of partitions

// bucket is the units that a partition key has left.
type bucket struct {
	units float64
	at    time.Time
}

// admits reports whether a partition has units left. One call may overdraw it.
func (db *DB) admits(now time.Time, name string, perSecond float64) bool {
	if perSecond == 0 {
		return true
	}
	b := db.buckets[name]
	if b == nil {
		db.buckets[name] = &bucket{units: perSecond, at: now}
		return true
	}
	b.units = min(perSecond, b.units+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	if b.units <= 0 {
		db.stats.Throttles++
		return false
	}
	return true
}

func (db *DB) take(name string, units float64) {
	if b := db.buckets[name]; b != nil {
		b.units -= units
	}
}

func (db *DB) readable(now time.Time, of *collection, partition string) bool {
	return db.admits(now, "read/"+of.name+"/"+partition, db.options.PartitionReads)
}

// read counts the units read from a partition.
func (db *DB) read(of *collection, partition string, units float64) {
	db.take("read/"+of.name+"/"+partition, units)
}

// writable reports whether the partitions of a write have units left.
func (db *DB) writable(now time.Time, used capacity) error {
	if db.options.PartitionWrites == 0 {
		return nil
	}
	for _, part := range used {
		if !db.admits(now, "write/"+part.of.name+"/"+part.partition, db.options.PartitionWrites) {
			return errThrottled
		}
	}
	return nil
}

// consume counts the written units.
func (db *DB) consume(used capacity) {
	if db.options.PartitionWrites == 0 {
		return
	}
	for _, part := range used {
		db.take("write/"+part.of.name+"/"+part.partition, part.units)
	}
}
