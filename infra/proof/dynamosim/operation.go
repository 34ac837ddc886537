package dynamosim

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// operations are the operations of the model, by name.
var operations = map[string]func(*DB, *call) (any, error){
	"CreateTable":           operation((*DB).createTable),
	"DeleteTable":           operation((*DB).deleteTable),
	"GetItem":               operation((*DB).getItem),
	"BatchGetItem":          operation((*DB).batchGetItem),
	"Query":                 operation((*DB).query),
	"Scan":                  operation((*DB).scan),
	"PutItem":               operation((*DB).putItem),
	"UpdateItem":            operation((*DB).updateItem),
	"DeleteItem":            operation((*DB).deleteItem),
	"BatchWriteItem":        operation((*DB).batchWriteItem),
	"TransactWriteItems":    operation((*DB).transactWriteItems),
	"BatchExecuteStatement": operation((*DB).batchExecuteStatement),
}

type createTable struct{ dynamodb.CreateTableInput }

func (in *createTable) table() string { return aws.ToString(in.TableName) }

func (db *DB) createTable(_ *call, in *createTable) (any, error) {
	if err := db.makeTable(&in.CreateTableInput); err != nil {
		return nil, err
	}
	return struct{ TableDescription map[string]any }{map[string]any{"TableName": in.TableName, "TableStatus": types.TableStatusActive}}, nil
}

type deleteTable struct{ dynamodb.DeleteTableInput }

func (in *deleteTable) table() string { return aws.ToString(in.TableName) }

func (db *DB) deleteTable(_ *call, in *deleteTable) (any, error) {
	t, err := db.find(in.table())
	if err != nil {
		return nil, err
	}
	delete(db.tables, t.name)
	return struct{ TableDescription map[string]any }{map[string]any{"TableName": t.name, "TableStatus": types.TableStatusDeleting}}, nil
}

func (db *DB) find(name string) (*table, error) {
	t := db.tables[name]
	if t == nil {
		return nil, &failure{status: http.StatusBadRequest, Code: "ResourceNotFoundException", Message: "Requested resource not found"}
	}
	return t, nil
}

// placeholders are the names and values that a call's expressions refer to.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues item
}

// text is an expression before it is parsed, with its grammar.
type text struct {
	grammar grammar
	text    *string
}

// bind parses expressions, nil for a missing one, and checks that all placeholders
// are defined and used.
func (db *DB) bind(p placeholders, texts ...text) (scope, []*expression, error) {
	s := scope{p.ExpressionAttributeNames, p.ExpressionAttributeValues}
	if p.ExpressionAttributeNames != nil && len(p.ExpressionAttributeNames) == 0 {
		return s, nil, invalid("ExpressionAttributeNames must not be empty")
	}
	if p.ExpressionAttributeValues != nil && len(p.ExpressionAttributeValues) == 0 {
		return s, nil, invalid("ExpressionAttributeValues must not be empty")
	}
	found := make([]*expression, len(texts))
	for i, t := range texts {
		if t.text == nil {
			continue
		}
		e, err := db.parse(t.grammar, *t.text)
		if err != nil {
			return s, nil, err
		}
		for _, name := range e.names {
			if _, ok := s.names[name]; !ok {
				return s, nil, invalid("An expression attribute name used in the document path is not defined; attribute name: %s", name)
			}
		}
		for _, name := range e.values {
			if _, ok := s.values.get(name); !ok {
				return s, nil, invalid("An expression attribute value used in expression is not defined; attribute value: %s", name)
			}
		}
		if err := s.check(e); err != nil {
			return s, nil, err
		}
		found[i] = e
	}
	used := func(name string, of func(*expression) []string) bool {
		return slices.ContainsFunc(found, func(e *expression) bool { return e != nil && slices.Contains(of(e), name) })
	}
	for name := range s.names {
		if !used(name, func(e *expression) []string { return e.names }) {
			return s, nil, invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", name)
		}
	}
	for _, a := range s.values {
		if !used(a.name, func(e *expression) []string { return e.values }) {
			return s, nil, invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", a.name)
		}
	}
	return s, found, nil
}

// maxParsed is the most parsed expressions that are kept.
const maxParsed = 10_000

func (db *DB) parse(g grammar, text string) (*expression, error) {
	name := string(rune('0'+g)) + text
	if e, ok := db.parsed[name]; ok {
		return e, nil
	}
	e, err := parse(g, text)
	if err != nil {
		return nil, err
	}
	if len(db.parsed) == maxParsed {
		clear(db.parsed)
	}
	db.parsed[name] = e
	return e, nil
}

// Reads

type getItem struct {
	TableName              string
	Key                    item
	ConsistentRead         bool
	ProjectionExpression   *string
	ReturnConsumedCapacity string
	placeholders
}

func (in *getItem) table() string { return in.TableName }

func (db *DB) getItem(c *call, in *getItem) (any, error) {
	t, err := db.find(in.TableName)
	if err != nil {
		return nil, err
	}
	s, found, err := db.bind(in.placeholders, text{projectionGrammar, in.ProjectionExpression})
	if err != nil {
		return nil, err
	}
	key, err := t.key(in.Key)
	if err != nil {
		return nil, err
	}
	if !db.readable(c.now, t.base, key.partition) {
		return nil, errThrottled
	}
	var out struct {
		Item             *item             `json:",omitempty"`
		ConsumedCapacity *consumedCapacity `json:",omitempty"`
	}
	size := 0
	if e := t.base.get(key); e != nil {
		size = e.size
		it := e.item
		if found[0] != nil {
			it = s.projected(found[0].paths, it)
		}
		out.Item = &it
	}
	units := readUnits(size, in.ConsistentRead)
	db.read(t.base, key.partition, units)
	out.ConsumedCapacity = capacity{}.add(t.base, key.partition, units).of(t, in.ReturnConsumedCapacity)
	return out, nil
}

type keysAndAttributes struct {
	Keys                 []item
	ConsistentRead       bool    `json:",omitempty"`
	ProjectionExpression *string `json:",omitempty"`

	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

type batchGetItem struct {
	RequestItems           map[string]keysAndAttributes
	ReturnConsumedCapacity string
}

func (in *batchGetItem) table() string { return first(in.RequestItems) }

func (in *batchGetItem) keys() int {
	n := 0
	for _, wanted := range in.RequestItems {
		n += len(wanted.Keys)
	}
	return n
}

func first[V any](m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	return slices.Min(slices.Collect(maps.Keys(m)))
}

// The sizes of batches.
const (
	maxBatchKeys   = 100
	maxBatchBytes  = 16 << 20
	maxBatchWrites = 25
	maxStatements  = 25
)

func (db *DB) batchGetItem(c *call, in *batchGetItem) (any, error) {
	type batchGetOutput struct {
		Responses        map[string][]item
		UnprocessedKeys  map[string]keysAndAttributes
		ConsumedCapacity []*consumedCapacity `json:",omitempty"`
	}
	out := batchGetOutput{Responses: map[string][]item{}, UnprocessedKeys: map[string]keysAndAttributes{}}
	keys, size, throttled := 0, 0, 0
	left := c.leaves(in.keys())
	torn, pause := db.tear(c, len(left))
	if len(left) == 0 || len(left) > maxBatchKeys {
		return nil, invalid("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: a batch has 1 to %d keys", maxBatchKeys)
	}
	for _, name := range slices.Sorted(maps.Keys(in.RequestItems)) {
		wanted := in.RequestItems[name]
		t, err := db.find(name)
		if err != nil {
			return nil, err
		}
		s, found, err := db.bind(placeholders{ExpressionAttributeNames: wanted.ExpressionAttributeNames}, text{projectionGrammar, wanted.ProjectionExpression})
		if err != nil {
			return nil, err
		}
		var used capacity
		rest := wanted
		rest.Keys = nil
		seen := map[string]bool{}
		answers := []item{}
		for _, k := range wanted.Keys {
			key, err := t.key(k)
			if err != nil {
				return nil, err
			}
			if seen[key.id] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[key.id] = true
			if keys == torn && torn > 0 {
				db.pause(c, pause)
			}
			keys++
			switch {
			case left[keys-1], !db.readable(c.now, t.base, key.partition):
				throttled++
				fallthrough
			case size > maxBatchBytes:
				rest.Keys = append(rest.Keys, k)
				continue
			}
			e := t.base.get(key)
			read := 0
			if e != nil {
				read = e.size
				it := e.item
				if found[0] != nil {
					it = s.projected(found[0].paths, it)
				}
				answers = append(answers, it)
			}
			size += read
			units := readUnits(read, wanted.ConsistentRead)
			db.read(t.base, key.partition, units)
			used = used.add(t.base, key.partition, units)
		}
		slices.Reverse(answers) // they come in no order that a caller may rely on
		out.Responses[name] = answers
		if rest.Keys != nil {
			out.UnprocessedKeys[name] = rest
		}
		if consumed := used.of(t, in.ReturnConsumedCapacity); consumed != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, consumed)
		}
	}
	if throttled == keys {
		return nil, errThrottled
	}
	return out, nil
}

type query struct {
	TableName              string
	IndexName              *string
	KeyConditionExpression *string
	FilterExpression       *string
	ProjectionExpression   *string
	ConsistentRead         bool
	ExclusiveStartKey      item
	Limit                  *int
	ScanIndexForward       *bool
	Select                 string
	ReturnConsumedCapacity string
	placeholders
}

func (in *query) table() string { return in.TableName }

// texts returns the texts that the expressions compare with.
func (in *query) texts() (all []string) {
	for _, a := range in.ExpressionAttributeValues {
		if a.value.kind == textKind {
			all = append(all, a.value.text)
		}
	}
	return all
}

type scan struct {
	TableName              string
	IndexName              *string
	FilterExpression       *string
	ProjectionExpression   *string
	ConsistentRead         bool
	ExclusiveStartKey      item
	Limit                  *int
	Select                 string
	ReturnConsumedCapacity string
	placeholders
}

func (in *scan) table() string { return in.TableName }

// page is the answer of a query or a scan.
type page struct {
	items []item
	pageSummary
}

type pageSummary struct {
	Count            int
	ScannedCount     int
	LastEvaluatedKey *item             `json:",omitempty"`
	ConsumedCapacity *consumedCapacity `json:",omitempty"`
}

// encode encodes the items itself: encoding/json would validate each of them once
// more.
func (p page) encode() ([]byte, error) {
	b, err := json.Marshal(p.pageSummary)
	if err != nil || p.items == nil {
		return b, err
	}
	b = append(b[:len(b)-1], `,"Items":[`...)
	for i, it := range p.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendItem(b, it)
	}
	return append(b, "]}"...), nil
}

// maxPageSize is the most bytes of items that a query or a scan reads.
const maxPageSize = 1 << 20

// source is the input of a query or a scan.
type source struct {
	*collection
	index      *index // nil: the table itself
	t          *table
	scope      scope
	key        *condition
	filter     *condition
	projection []path
	limit      int
	count      bool
	consistent bool
	start      *entry // where the page before ended
}

// source resolves the table or index, and binds the expressions.
func (db *DB) source(c *call, in *query) (*source, error) {
	t, err := db.find(in.TableName)
	if err != nil {
		return nil, err
	}
	s := &source{collection: t.base, t: t, limit: math.MaxInt, consistent: in.ConsistentRead}
	var x *index
	if in.IndexName != nil {
		if x, err = t.index(*in.IndexName); err != nil {
			return nil, err
		}
		x.catchUp(c.now)
		s.collection, s.index = x.collection, x
		if in.ConsistentRead {
			return nil, invalid("Consistent reads are not supported on global secondary indexes")
		}
	}
	var found []*expression
	s.scope, found, err = db.bind(in.placeholders,
		text{conditionGrammar, in.KeyConditionExpression}, text{conditionGrammar, in.FilterExpression}, text{projectionGrammar, in.ProjectionExpression})
	if err != nil {
		return nil, err
	}
	if found[0] != nil {
		s.key = found[0].condition
	}
	if found[1] != nil {
		s.filter = found[1].condition
	}
	if found[2] != nil {
		s.projection = found[2].paths
		for _, p := range s.projection {
			if x != nil && x.projects != nil && !slices.Contains(x.projects, s.scope.name(p[0])) {
				return nil, invalid("One or more parameter values were invalid: Global secondary index %s does not project %s", *in.IndexName, s.scope.name(p[0]))
			}
		}
	}
	switch in.Select {
	case "":
	case string(types.SelectCount):
		if s.projection != nil {
			return nil, invalid("Cannot specify the AttributesToGet when choosing to get only the COUNT")
		}
		s.count = true
	default:
		return nil, invalid("dynamosim does not speak Select %s", in.Select)
	}
	if in.Limit != nil {
		if s.limit = *in.Limit; s.limit < 1 {
			return nil, invalid("Limit must be greater than or equal to 1")
		}
	}
	if in.ExclusiveStartKey != nil {
		attributes := s.keyNames()
		if len(in.ExclusiveStartKey) != len(attributes) {
			return nil, invalid("The provided starting key is invalid")
		}
		for _, a := range attributes {
			if v, ok := in.ExclusiveStartKey.get(a.name); !ok || v.kind != a.kind {
				return nil, invalid("The provided starting key is invalid")
			}
		}
		s.start = s.entry(in.ExclusiveStartKey)
	}
	return s, nil
}

// keyNames returns the attributes of an entry's key.
func (c *collection) keyNames() []keyAttribute {
	attributes := c.key.attributes()
	for _, a := range c.table.attributes() {
		if !slices.Contains(attributes, a) {
			attributes = append(attributes, a)
		}
	}
	return attributes
}

func (db *DB) query(c *call, in *query) (any, error) {
	s, err := db.source(c, in)
	if err != nil {
		return nil, err
	}
	hash, holds, err := s.ranges()
	if err != nil {
		return nil, err
	}
	if s.scope.reads(s.filter, s.collection.key.hash.name, s.collection.key.sort.name) {
		return nil, invalid("Filter Expression can only contain non-primary key attributes")
	}
	partition := identify(hash)
	if s.start != nil && s.start.partition != partition {
		return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	if !db.readable(c.now, s.collection, partition) {
		return nil, errThrottled
	}
	backward := in.ScanIndexForward != nil && !*in.ScanIndexForward
	entries := s.wanted(partition, holds, s.start, backward)
	r := newReading(s)
	torn, pause := db.tear(c, min(len(entries), s.limit))
	more := r.some(entries, torn, backward)
	if more && torn > 0 {
		db.pause(c, pause)
		if s.index != nil {
			s.index.catchUp(c.now)
		}
		entries = s.wanted(partition, holds, r.seen, backward)
	}
	if more {
		r.some(entries, len(entries), backward)
	}
	units := readUnits(r.size, s.consistent)
	db.read(s.collection, partition, units)
	return r.page(capacity{}.add(s.collection, partition, units).of(s.t, in.ReturnConsumedCapacity)), nil
}

// wanted returns the entries of a partition that meet the key condition, in order,
// from the start of the page on.
func (s *source) wanted(partition string, holds func(*entry) int, after *entry, backward bool) []*entry {
	p := s.partitions[partition]
	if p == nil {
		return nil
	}
	// The sort keys that meet a condition are contiguous.
	from := sortSearch(p.entries, func(e *entry) bool { return holds(e) >= 0 })
	to := sortSearch(p.entries, func(e *entry) bool { return holds(e) > 0 })
	entries := p.entries[from:to]
	switch {
	case after == nil:
		return entries
	case backward:
		return entries[:sortSearch(entries, func(e *entry) bool { return e.compare(after) >= 0 })]
	default:
		return entries[sortSearch(entries, func(e *entry) bool { return e.compare(after) > 0 }):]
	}
}

func sortSearch(entries []*entry, f func(*entry) bool) int {
	i, _ := slices.BinarySearchFunc(entries, true, func(e *entry, _ bool) int {
		if f(e) {
			return 0
		}
		return -1
	})
	return i
}

// ranges reads a key condition. It returns the partition's key and a function that
// places an entry: before the wanted sort keys (-1), among them (0), or after them
// (1).
func (s *source) ranges() (value, func(*entry) int, error) {
	all := func(*entry) int { return 0 }
	if s.key == nil {
		return value{}, nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	conditions := []*condition{s.key}
	if s.key.operator == "AND" {
		conditions = []*condition{s.key.left, s.key.right}
	}
	var hash value
	holds := all
	seen := map[string]bool{}
	for _, c := range conditions {
		if len(c.operands) < 2 || c.operator == "<>" || len(c.operands[0].path) != 1 ||
			slices.ContainsFunc(c.operands[1:], func(o operand) bool { return o.path != nil }) {
			return value{}, nil, invalid("Invalid operator used in KeyConditionExpression: %s", c.operator)
		}
		name := s.scope.name(c.operands[0].path[0])
		if seen[name] {
			return value{}, nil, invalid("KeyConditionExpressions must only contain one condition per key")
		}
		seen[name] = true
		low, _ := s.scope.values.get(c.operands[1].value)
		high := low
		if c.operator == "BETWEEN" {
			high, _ = s.scope.values.get(c.operands[2].value)
		}
		switch name {
		case s.collection.key.hash.name:
			if c.operator != "=" {
				return value{}, nil, invalid("Query key condition not supported")
			}
			if low.kind != s.collection.key.hash.kind {
				return value{}, nil, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			hash = low
		case s.collection.key.sort.name:
			if low.kind != s.collection.key.sort.kind {
				return value{}, nil, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			holds = rangeOf(c.operator, low, high)
		default:
			return value{}, nil, invalid("Query condition missed key schema element: %s", s.collection.key.hash.name)
		}
		if low.text == "" || high.text == "" {
			return value{}, nil, invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		}
	}
	if hash.kind == "" {
		return value{}, nil, invalid("Query condition missed key schema element: %s", s.collection.key.hash.name)
	}
	return hash, holds, nil
}

func rangeOf(operator string, low, high value) func(*entry) int {
	return func(e *entry) int {
		c := compare(e.order[0], low)
		switch operator {
		case "=":
			return c
		case "<":
			return max(c+1, 0)
		case "<=":
			return max(c, 0)
		case ">":
			return min(c-1, 0)
		case ">=":
			return min(c, 0)
		case "BETWEEN":
			if c < 0 {
				return -1
			}
			return max(compare(e.order[0], high), 0)
		default: // begins_with
			if strings.HasPrefix(e.order[0].text, low.text) {
				return 0
			}
			return c
		}
	}
}

// reading collects a page.
type reading struct {
	*source
	size int
	out  page
	last *entry // where the page ends, if more may come
	seen *entry
}

func newReading(s *source) *reading { return &reading{source: s} }

// some adds up to n entries, from the end if backward, and reports whether the page
// has room for more.
func (r *reading) some(entries []*entry, n int, backward bool) bool {
	for i := range min(n, len(entries)) {
		if backward {
			i = len(entries) - 1 - i
		}
		if !r.take(entries[i]) {
			return false
		}
	}
	return true
}

// take adds an entry to the page, and reports whether the page has room for more. An
// entry without room marks that there are more.
func (r *reading) take(e *entry) bool {
	r.seen = e
	r.size += e.size
	r.out.ScannedCount++
	if r.filter == nil || r.scope.holds(r.filter, e.item) {
		r.out.Count++
		if !r.count {
			it := e.item
			if r.projection != nil {
				it = r.scope.projected(r.projection, it)
			}
			r.out.items = append(r.out.items, it)
		}
	}
	if r.out.ScannedCount == r.limit || r.size >= maxPageSize {
		r.last = e
		return false
	}
	return true
}

func (r *reading) page(consumed *consumedCapacity) page {
	if r.last != nil {
		key := item{}
		for _, a := range r.keyNames() {
			v, _ := r.last.item.get(a.name)
			key = key.with(a.name, v)
		}
		r.out.LastEvaluatedKey = &key
	}
	r.out.ConsumedCapacity = consumed
	return r.out
}

func (db *DB) scan(c *call, in *scan) (any, error) {
	s, err := db.source(c, &query{
		TableName: in.TableName, IndexName: in.IndexName, FilterExpression: in.FilterExpression,
		ProjectionExpression: in.ProjectionExpression, ConsistentRead: in.ConsistentRead, ExclusiveStartKey: in.ExclusiveStartKey,
		Limit: in.Limit, Select: in.Select, placeholders: in.placeholders,
	})
	if err != nil {
		return nil, err
	}
	partitions := s.scanned()
	if s.start != nil {
		place := placeOf(s.start.partition)
		from, _ := slices.BinarySearchFunc(partitions, place, func(p *partition, place uint64) int { return cmp.Compare(p.place, place) })
		partitions = partitions[from:]
	}
	r := newReading(s)
	for _, p := range partitions {
		name, before := p.entries[0].partition, r.size
		if !db.readable(c.now, s.collection, name) {
			if r.seen == nil {
				return nil, errThrottled
			}
			r.last = r.seen
			break
		}
		full := false
		for _, e := range p.entries {
			if s.start != nil && name == s.start.partition && e.compare(s.start) <= 0 {
				continue
			}
			if full = !r.take(e); full {
				break
			}
		}
		db.read(s.collection, name, readUnits(r.size-before, s.consistent))
		if full {
			break
		}
	}
	used := capacity{}.add(s.collection, "", readUnits(r.size, s.consistent))
	return r.page(used.of(s.t, in.ReturnConsumedCapacity)), nil
}

// Capacity

// readUnits are the units of reading that many bytes.
func readUnits(size int, consistent bool) float64 {
	units := math.Max(1, math.Ceil(float64(size)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// writeUnits are the units of writing that many bytes.
func writeUnits(size int) float64 { return math.Max(1, math.Ceil(float64(size)/1024)) }

// tableUnits are the units of writing an item of that many bytes to its table. A
// transaction takes twice as many.
func tableUnits(size int, transaction bool) float64 {
	if transaction {
		return 2 * writeUnits(size)
	}
	return writeUnits(size)
}

// capacity is the units that a call consumed of a table and its indexes.
type capacity []consumption

type consumption struct {
	of        *collection
	partition string
	units     float64
}

func (c capacity) add(of *collection, partition string, units float64) capacity {
	return append(c, consumption{of, partition, units})
}

// consumedCapacity is the same in DynamoDB's format.
type consumedCapacity struct {
	TableName              string
	CapacityUnits          float64
	Table                  *units            `json:",omitempty"`
	GlobalSecondaryIndexes map[string]*units `json:",omitempty"`
}

type units struct{ CapacityUnits float64 }

// of returns the consumed units of a table in the detail that the call asks for, nil
// for none.
func (c capacity) of(t *table, asked string) *consumedCapacity {
	if asked == "" || asked == string(types.ReturnConsumedCapacityNone) {
		return nil
	}
	sum := &consumedCapacity{TableName: t.name}
	if asked == string(types.ReturnConsumedCapacityIndexes) {
		sum.Table = &units{}
	}
	for _, part := range c {
		sum.CapacityUnits += part.units
		if sum.Table == nil {
			continue
		}
		if !part.of.isIndex {
			sum.Table.CapacityUnits += part.units
			continue
		}
		if sum.GlobalSecondaryIndexes == nil {
			sum.GlobalSecondaryIndexes = map[string]*units{}
		}
		name := strings.TrimPrefix(part.of.name, t.name+"/")
		if sum.GlobalSecondaryIndexes[name] == nil {
			sum.GlobalSecondaryIndexes[name] = &units{}
		}
		sum.GlobalSecondaryIndexes[name].CapacityUnits += part.units
	}
	return sum
}
