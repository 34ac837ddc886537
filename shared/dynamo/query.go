package dynamo

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/retry"
)

// query is a read of items in the order of their sort keys.
//
//	query{table: s.tables.Orders, values: attrs{":pk": text("order#x"), ":sk": text("line#")}, where: prefixed}
type query struct {
	table      string
	index      string     // "" is the table itself
	where      string     // key condition
	values     attrs      // of the key condition
	filter     string     // condition of the items; those it leaves out are read all the same
	after      primaryKey // of the item before the first one; none is the start
	afterEntry attrs      // the same of an index: the whole key of the entry
	limit      int        // items in all; 0 is no limit
	pageSize   int        // items a call; 0 is as many as DynamoDB reads
	backwards  bool
	consistent bool     // not possible on an index, which lags
	attributes []string // to read; none is all
	counted    bool     // no items, only their number
}

// Key conditions.
const (
	partition = "pk = :pk"
	prefixed  = "pk = :pk AND begins_with(sk, :sk)"
	inShard   = "#shard = :shard" // of the index of available keys
)

// inPartition reads all items of a partition, consistently.
func inPartition(table, pk string) query {
	return query{table: table, where: partition, values: attrs{":pk": text(pk)}, consistent: true}
}

// withPrefix reads the items of a partition whose sort key starts with prefix,
// consistently.
func withPrefix(table, pk, prefix string) query {
	return query{table: table, where: prefixed, values: attrs{":pk": text(pk), ":sk": text(prefix)}, consistent: true}
}

// pages calls DynamoDB as often as the query takes: until its limit or the end of
// the partition, or until the loop over the pages ends.
func (s *Store) pages(ctx context.Context, q query) iter.Seq2[*dynamodb.QueryOutput, error] {
	return func(yield func(*dynamodb.QueryOutput, error) bool) {
		in := q.input()
		for left := q.limit; ; {
			if page := max(left, q.pageSize); page > 0 {
				in.Limit = aws.Int32(int32(page))
			}
			out, err := s.db.Query(ctx, in)
			if !yield(out, err) || err != nil || out.LastEvaluatedKey == nil {
				return
			}
			if q.limit > 0 {
				if left -= int(out.Count); left <= 0 {
					return
				}
			}
			in.ExclusiveStartKey = out.LastEvaluatedKey
		}
	}
}

func (q query) input() *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:                 aws.String(q.table),
		KeyConditionExpression:    aws.String(q.where),
		ExpressionAttributeValues: q.values,
	}
	if q.filter != "" {
		in.FilterExpression = aws.String(q.filter)
	}
	if q.after != (primaryKey{}) {
		in.ExclusiveStartKey = q.after.attrs()
	}
	if q.afterEntry != nil {
		in.ExclusiveStartKey = q.afterEntry
	}
	if q.index != "" {
		in.IndexName = aws.String(q.index)
	}
	if q.backwards {
		in.ScanIndexForward = aws.Bool(false)
	}
	if q.consistent {
		in.ConsistentRead = aws.Bool(true)
	}
	if q.counted {
		in.Select = types.SelectCount
	}
	if len(q.attributes) > 0 {
		projection, names := project(q.attributes)
		in.ProjectionExpression, in.ExpressionAttributeNames = aws.String(projection), names
	}
	if strings.HasPrefix(q.where, inShard) {
		if in.ExpressionAttributeNames == nil {
			in.ExpressionAttributeNames = map[string]string{}
		}
		in.ExpressionAttributeNames["#shard"] = "shard"
	}
	return in
}

// project returns a projection of these attributes, with placeholders for their
// names, which may be reserved words.
func project(attributes []string) (string, map[string]string) {
	names := make(map[string]string, len(attributes))
	for _, name := range attributes {
		names["#"+name] = name
	}
	return "#" + strings.Join(attributes, ", #"), names
}

// items reads all items of the query.
func (s *Store) items(ctx context.Context, q query) ([]attrs, error) {
	var items []attrs
	for page, err := range s.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// count counts the items of the query, up to its limit.
func (s *Store) count(ctx context.Context, q query) (int, error) {
	q.counted = true
	n := 0
	for page, err := range s.pages(ctx, q) {
		if err != nil {
			return 0, err
		}
		n += int(page.Count)
	}
	return n, nil
}

// queryAs reads all items of the query, each decoded: see decode.
func queryAs[T any](ctx context.Context, s *Store, q query, oldest int) ([]T, error) {
	items, err := s.items(ctx, q)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	all := make([]T, len(items))
	for i, item := range items {
		if all[i], err = decode[T](item, oldest); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// listAs reads a page of a list: up to limit items of the query, each decoded (see decode),
// and the sort key after which the next page starts, "" on the last page.
//
// It takes two calls at most. A call reads 1 MB, and a filter may leave most of that out: a
// page of what two calls find may have fewer items, or none, and a next page.
func listAs[T any](ctx context.Context, s *Store, q query, limit, oldest int) (list []T, next string, err error) {
	in := q.input()
	in.Limit = aws.Int32(int32(limit + 1))
	out, err := s.db.Query(ctx, in)
	if err != nil {
		return nil, "", err
	}
	items, more := out.Items, out.LastEvaluatedKey
	if len(items) <= limit && more != nil {
		in.Limit, in.ExclusiveStartKey = aws.Int32(listRest), more
		if out, err = s.db.Query(ctx, in); err != nil {
			return nil, "", err
		}
		items, more = append(items, out.Items...), out.LastEvaluatedKey
	}
	if len(items) > limit {
		items = items[:limit]
		more = items[limit-1]
	}
	list = make([]T, len(items))
	for i, item := range items {
		if list[i], err = decode[T](item, oldest); err != nil {
			return nil, "", err
		}
	}
	return list, keyOf(more).SK, nil
}

// listRest is how many items the second call of a page looks at: ten aliases of each product
// of a page are left out.
const listRest = 200

// The longest keys that DynamoDB takes, in bytes.
const longestPartitionKey, longestSortKey = 2048, 1024

// isNothings reports whether a key is longer than DynamoDB takes, such as one made of what
// somebody typed: nothing has it, and to ask for it would be an error.
func isNothings(key attrs) bool {
	return len(stringOf(key["pk"])) > longestPartitionKey || len(stringOf(key["sk"])) > longestSortKey
}

// get reads one item, consistently; nil if it is not there.
func (s *Store) get(ctx context.Context, table string, key primaryKey) (attrs, error) {
	if isNothings(key.attrs()) {
		return nil, nil
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(table), Key: key.attrs(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// getAs reads one item, consistently and decoded (see decode), false if it is not there.
func getAs[T any](ctx context.Context, s *Store, table string, key primaryKey, oldest int) (T, bool, error) {
	var none T
	item, err := s.get(ctx, table, key)
	if err != nil || item == nil {
		return none, false, err
	}
	decoded, err := decode[T](item, oldest)
	return decoded, err == nil, err
}

// batchGet reads the items with these primary keys, consistently and in any order;
// those that are not there are left out. It calls again for those that DynamoDB
// did not read this time. If that does not help it returns retry.ErrThrottled and
// the items that could be read.
func (s *Store) batchGet(ctx context.Context, back retry.BackOff, table string, keys []attrs, attributes ...string) ([]attrs, error) {
	request := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	if len(attributes) > 0 {
		projection, names := project(attributes)
		request.ProjectionExpression, request.ExpressionAttributeNames = aws.String(projection), names
	}
	var items []attrs
	for batch := range slices.Chunk(slices.DeleteFunc(slices.Clone(keys), isNothings), batchGetKeys) {
		request.Keys = batch
		err := back.Do(ctx, func() error {
			out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{table: request},
			})
			if err != nil {
				return err
			}
			items = append(items, out.Responses[table]...)
			if request.Keys = out.UnprocessedKeys[table].Keys; len(request.Keys) > 0 {
				return retry.ErrThrottled
			}
			return nil
		})
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

const batchGetKeys = 100 // as many as one BatchGetItem takes
