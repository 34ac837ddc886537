package dynamotest

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/dynamo"
)

// Books is what the tables hold, read whole.
type Books struct {
	Keys      int
	Available int
	Claimed   int
	Lines     map[string]Line // by LineID
	Queue     []string        // LineIDs in their queues, oldest first
}

// Line is a fulfillment as it stands in the table.
type Line struct {
	Order      string
	ReceivedAt int64
	Wanted     int
	Held       int
	Mail       string
	Keys       []string // identities of the keys it holds, chunks included
}

// Audit reads the tables whole and reports whatever breaks the promise: a key
// that two lines hold, a line and a key that disagree about each other, a line
// with more keys than its due, a line that waits outside a queue or stands in one
// without need, a key that is neither to be had nor held.
func Audit(t testing.TB, tables dynamo.Tables) Books {
	t.Helper()
	var (
		books    = Books{Lines: map[string]Line{}}
		problems []string
		holder   = map[string]string{} // key -> line, as lines say
		claimed  = map[string]string{} // key -> line, as keys say
		queued   = map[string]bool{}
	)
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	for _, item := range scan(t, tables.Orders) {
		pk, sk := item["pk"].(string), item["sk"].(string)
		switch {
		case strings.HasPrefix(pk, "queue#") && sk != "!pass" || strings.HasPrefix(pk, "unconnected#"):
			_, id, _ := strings.Cut(sk, "#")
			if queued[id] {
				problem("line %s stands in two places", id)
			}
			queued[id] = true
			books.Queue = append(books.Queue, sk)
		case strings.HasPrefix(sk, "line#"):
			id := strings.TrimPrefix(pk, "order#") + strings.TrimPrefix(sk, "line#")
			line := books.Lines[id]
			line.Order, _ = item["order"].(string)
			line.Mail, _ = item["mail"].(string)
			line.ReceivedAt = int64(integer(item["receivedAt"]))
			line.Wanted, line.Held = integer(item["wanted"]), integer(item["held"])
			line.Keys = append(line.Keys, keyIDs(item["keys"])...)
			books.Lines[id] = line
		case strings.HasPrefix(sk, "keys#"):
			inOrder, _, _ := strings.Cut(strings.TrimPrefix(sk, "keys#"), "#")
			id := strings.TrimPrefix(pk, "order#") + inOrder
			line := books.Lines[id]
			line.Keys = append(line.Keys, keyIDs(item["keys"])...)
			books.Lines[id] = line
		}
	}
	for _, item := range scan(t, tables.Keys) {
		books.Keys++
		id := item["pk"].(string)
		_, shelved := item["shard"]
		line, held := item["line"].(string)
		switch state := item["state"]; {
		case state == "available" && shelved && !held:
			books.Available++
		case state == "claimed" && !shelved && held:
			books.Claimed++
			claimed[id] = line
		default:
			problem("key %s is half taken: %v, shelved %v, held %v", id, state, shelved, held)
		}
	}

	for id, line := range books.Lines {
		if len(line.Keys) != line.Held {
			problem("line %s says it holds %d keys and holds %d", id, line.Held, len(line.Keys))
		}
		if line.Held > line.Wanted {
			problem("line %s holds %d keys and paid for %d", id, line.Held, line.Wanted)
		}
		if missing := line.Held < line.Wanted || line.Wanted == 0; missing != queued[id] {
			problem("line %s misses keys: %v, stands in a queue: %v", id, missing, queued[id])
		}
		for _, key := range line.Keys {
			if other, taken := holder[key]; taken {
				problem("key %s is sold twice: to %s and %s", key, other, id)
			}
			holder[key] = id
		}
	}
	for key, line := range claimed {
		if holder[key] != line {
			problem("key %s says it is held by %s, %q holds it", key, line, holder[key])
		}
	}
	for key, line := range holder {
		if _, ok := claimed[key]; !ok {
			problem("line %s holds key %s, which does not say so", line, key)
		}
	}
	sort.Strings(books.Queue)
	for i, sk := range books.Queue {
		_, books.Queue[i], _ = strings.Cut(sk, "#")
	}
	if len(problems) > 0 {
		t.Errorf("the books do not balance:\n%s", strings.Join(problems, "\n"))
	}
	return books
}

func integer(v any) int { f, _ := v.(float64); return int(f) }

func keyIDs(v any) []string {
	var ids []string
	list, _ := v.([]any)
	for _, key := range list {
		ids = append(ids, key.(map[string]any)["id"].(string))
	}
	return ids
}

func scan(t testing.TB, table string) []map[string]any {
	t.Helper()
	var items []map[string]any
	pages := dynamodb.NewScanPaginator(Client(t), &dynamodb.ScanInput{TableName: aws.String(table), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatalf("read %s whole: %v", table, err)
		}
		for _, av := range page.Items {
			var item map[string]any
			if err := attributevalue.UnmarshalMap(av, &item); err != nil {
				t.Fatalf("decode an item of %s: %v", table, err)
			}
			items = append(items, item)
		}
	}
	return items
}

// Partitions returns the partition keys in a table that begin with prefix, sorted.
func Partitions(t testing.TB, table, prefix string) []string {
	t.Helper()
	var found []string
	for _, item := range scan(t, table) {
		if pk := item["pk"].(string); strings.HasPrefix(pk, prefix) {
			found = append(found, pk)
		}
	}
	sort.Strings(found)
	return found
}
