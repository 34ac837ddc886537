package dynamosim

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// table is a table with its indexes.
type table struct {
	name    string
	base    *collection
	indexes []*index
}

// index is a secondary index. Its entries follow the table's with a delay.
type index struct {
	*collection
	projects []string // nil: all attributes
	coming   changes
	last     map[string]time.Time // when the last change to come of an item in a partition shows
}

// keys are the attributes of a key. The sort key has no name if there is none.
type keys struct{ hash, sort keyAttribute }

type keyAttribute struct {
	name string
	kind kind
}

// attributes returns the key's attributes, one or two.
func (k keys) attributes() []keyAttribute {
	if k.sort.name == "" {
		return []keyAttribute{k.hash}
	}
	return []keyAttribute{k.hash, k.sort}
}

// limit returns the most bytes of one of the key's attributes.
func (k keys) limit(a keyAttribute) int {
	if a == k.sort {
		return maxSortSize
	}
	return maxHashSize
}

// collection is the items of a table or an index by partition, in order.
type collection struct {
	name       string // of the table, and of the index after a slash
	key        keys
	table      keys // the same, but for an index: its ties are ordered by the table's key
	isIndex    bool
	partitions map[string]*partition
	inOrder    []*partition // nil if it must be made anew
}

// partition is the entries of one partition key.
type partition struct {
	place   uint64 // where it comes in a scan
	entries []*entry
}

// entry is an item with its place. It is immutable.
type entry struct {
	id        string // names the item in its table
	partition string // names the partition
	order     [3]value
	item      item
	size      int
}

func (e *entry) compare(other *entry) int {
	for i := range e.order {
		if c := compare(e.order[i], other.order[i]); c != 0 {
			return c
		}
	}
	return 0
}

// identify returns a name of a value that is unique even when names are joined.
func identify(v value) string {
	return string(v.kind) + strconv.Itoa(len(v.text)) + ":" + v.text
}

// entry places an item, which must have the attributes of the key.
func (c *collection) entry(it item) *entry {
	e := &entry{item: it, size: it.size()}
	hash, _ := it.get(c.key.hash.name)
	e.partition = identify(hash)
	if c.key.sort.name != "" {
		e.order[0], _ = it.get(c.key.sort.name)
	}
	tableHash, _ := it.get(c.table.hash.name)
	e.id = identify(tableHash)
	if c.isIndex {
		e.order[1] = tableHash
	}
	if c.table.sort.name != "" {
		tableSort, _ := it.get(c.table.sort.name)
		e.id += identify(tableSort)
		if c.isIndex {
			e.order[2] = tableSort
		}
	}
	return e
}

func placeOf(partition string) uint64 { return derive(hashText(partition), 0) }

// find returns the position of an entry in its partition, or the position to insert
// it.
func (p *partition) find(e *entry) (int, bool) {
	return slices.BinarySearchFunc(p.entries, e, (*entry).compare)
}

// get returns the item with a key, nil for none.
func (c *collection) get(key *entry) *entry {
	p := c.partitions[key.partition]
	if p == nil {
		return nil
	}
	if i, ok := p.find(key); ok {
		return p.entries[i]
	}
	return nil
}

// replace replaces an entry by another; either may be nil.
func (c *collection) replace(before, after *entry) {
	if before != nil && after != nil && before.partition == after.partition && before.compare(after) == 0 {
		p := c.partitions[after.partition]
		if i, ok := p.find(after); ok {
			p.entries[i] = after
			return
		}
	}
	if before != nil {
		p := c.partitions[before.partition]
		if i, ok := p.find(before); ok {
			p.entries = slices.Delete(p.entries, i, i+1)
		}
		if len(p.entries) == 0 {
			delete(c.partitions, before.partition)
			c.inOrder = nil
		}
	}
	if after != nil {
		p := c.partitions[after.partition]
		if p == nil {
			p = &partition{place: placeOf(after.partition)}
			c.partitions[after.partition] = p
			c.inOrder = nil
		}
		i, _ := p.find(after)
		p.entries = slices.Insert(p.entries, i, after)
	}
}

// scanned returns the partitions in the order of a scan.
func (c *collection) scanned() []*partition {
	if c.inOrder == nil {
		for _, p := range c.partitions {
			c.inOrder = append(c.inOrder, p)
		}
		slices.SortFunc(c.inOrder, func(a, b *partition) int {
			return cmp.Or(cmp.Compare(a.place, b.place), strings.Compare(a.entries[0].partition, b.entries[0].partition))
		})
	}
	return c.inOrder
}

// shown returns the index entry of an item, nil if the item is not in the index.
func (x *index) shown(e *entry) *entry {
	if e == nil {
		return nil
	}
	it := e.item
	for _, a := range x.key.attributes() {
		if _, ok := it.get(a.name); !ok {
			return nil
		}
	}
	if x.projects != nil {
		it = it.only(x.projects)
	}
	return x.entry(it)
}

// change is a pending change of a partition of an index.
type change struct {
	at            time.Time
	number        int
	tail          string
	before, after *entry
}

type changes []change

func (c changes) Len() int { return len(c) }
func (c changes) Less(i, j int) bool {
	return c[i].at.Before(c[j].at) || c[i].at.Equal(c[j].at) && c[i].number < c[j].number
}
func (c changes) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *changes) Push(x any)   { *c = append(*c, x.(change)) }
func (c *changes) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// later schedules a change. It shows at that time, but never before an earlier change
// of the same item in the same partition.
func (x *index) later(at time.Time, number int, before, after *entry) {
	e := after
	if e == nil {
		e = before
	}
	tail := e.partition + e.id
	if last := x.last[tail]; at.Before(last) {
		at = last
	}
	x.last[tail] = at
	heap.Push(&x.coming, change{at: at, number: number, tail: tail, before: before, after: after})
}

// catchUp applies the changes whose time has come.
func (x *index) catchUp(now time.Time) {
	for len(x.coming) > 0 && !x.coming[0].at.After(now) {
		c := heap.Pop(&x.coming).(change)
		if x.last[c.tail].Equal(c.at) {
			delete(x.last, c.tail)
		}
		x.replace(c.before, c.after)
	}
}

// newTable makes a table from its schema.
func newTable(in *dynamodb.CreateTableInput) (*table, error) {
	kinds := map[string]kind{}
	for _, a := range in.AttributeDefinitions {
		kinds[aws.ToString(a.AttributeName)] = kind(a.AttributeType)
	}
	used := map[string]bool{}
	key := func(schema []types.KeySchemaElement) (keys, error) {
		var k keys
		for _, element := range schema {
			name := aws.ToString(element.AttributeName)
			used[name] = true
			switch element.KeyType {
			case types.KeyTypeHash:
				k.hash = keyAttribute{name, kinds[name]}
			case types.KeyTypeRange:
				k.sort = keyAttribute{name, kinds[name]}
			}
			if !kinds[name].ordered() {
				return k, invalid("Some index key attributes are not defined in AttributeDefinitions: %s", name)
			}
		}
		if k.hash.name == "" {
			return k, invalid("No Hash Key specified in schema")
		}
		return k, nil
	}
	switch {
	case in.LocalSecondaryIndexes != nil:
		return nil, invalid("local indexes are not spoken here")
	}
	primary, err := key(in.KeySchema)
	if err != nil {
		return nil, err
	}
	t := &table{name: aws.ToString(in.TableName)}
	t.base = &collection{name: t.name, key: primary, table: primary, partitions: map[string]*partition{}}
	for _, gsi := range in.GlobalSecondaryIndexes {
		k, err := key(gsi.KeySchema)
		if err != nil {
			return nil, err
		}
		x := &index{last: map[string]time.Time{}, collection: &collection{
			name: t.name + "/" + aws.ToString(gsi.IndexName), key: k, table: primary, isIndex: true, partitions: map[string]*partition{},
		}}
		switch gsi.Projection.ProjectionType {
		case types.ProjectionTypeAll:
		case types.ProjectionTypeKeysOnly, types.ProjectionTypeInclude:
			x.projects = slices.Clone(gsi.Projection.NonKeyAttributes)
			for _, a := range slices.Concat(k.attributes(), primary.attributes()) {
				x.projects = append(x.projects, a.name)
			}
		default:
			return nil, invalid("a projection of %q is not spoken here", gsi.Projection.ProjectionType)
		}
		t.indexes = append(t.indexes, x)
	}
	if len(used) != len(kinds) {
		return nil, invalid("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return t, nil
}

// key places a primary key, which must have no other attributes.
func (t *table) key(key item) (*entry, error) {
	attributes := t.base.key.attributes()
	if len(key) != len(attributes) {
		return nil, invalid("The provided key element does not match the schema")
	}
	for _, a := range attributes {
		if v, ok := key.get(a.name); !ok || v.kind != a.kind {
			return nil, invalid("The provided key element does not match the schema")
		}
	}
	if err := t.checkKey(key); err != nil {
		return nil, err
	}
	return t.base.entry(key), nil
}

// The most bytes of keys.
const (
	maxHashSize = 2048
	maxSortSize = 1024
	maxItemSize = 400 << 10
)

// checkKey checks the primary key of an item.
func (t *table) checkKey(it item) error {
	for _, a := range t.base.key.attributes() {
		v, ok := it.get(a.name)
		limit := t.base.key.limit(a)
		switch {
		case !ok:
			return invalid("One or more parameter values were invalid: Missing the key %s in the item", a.name)
		case v.kind != a.kind:
			return invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", a.name, a.kind, v.kind)
		case v.text == "":
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", a.name)
		case len(v.text) > limit:
			return invalid("One or more parameter values were invalid: Size of the key %s has exceeded the maximum size limit of %d bytes", a.name, limit)
		}
	}
	return nil
}

// checkSize checks the size of an item.
func checkSize(it item) error {
	if it.size() > maxItemSize {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// checkIndexed checks the keys of indexes in an item.
func (t *table) checkIndexed(it item) error {
	for _, x := range t.indexes {
		for _, a := range x.key.attributes() {
			v, ok := it.get(a.name)
			limit := x.key.limit(a)
			switch {
			case !ok:
			case v.kind != a.kind:
				return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s", a.name, a.kind, v.kind)
			case v.text == "":
				return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. Index Key: %s", a.name)
			case len(v.text) > limit:
				return invalid("One or more parameter values were invalid: Size of the index key %s has exceeded the maximum size limit of %d bytes", a.name, limit)
			}
		}
	}
	return nil
}

// index returns the named index.
func (t *table) index(name string) (*index, error) {
	for _, x := range t.indexes {
		if x.name == t.name+"/"+name {
			return x, nil
		}
	}
	return nil, invalid("The table does not have the specified index: %s", name)
}
