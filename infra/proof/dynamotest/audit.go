package dynamotest

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/shared/dynamo"
)

// Books is the content of the tables, read whole.
type Books struct {
	Keys      int
	Available int
	Claimed   int
	Revoked   int
	Kept      int // given back and left to the customer
	Withdrawn int
	Shared    int             // codes of products, and those that were
	Lines     map[string]Line // by LineID
	Queue     []string        // LineIDs in their queues, oldest first
}

// Line is a fulfillment in the table.
type Line struct {
	Order      string
	ReceivedAt int64
	Wanted     int
	Returned   int
	Allocated  int
	OnHold     bool
	OfParent   bool // it delivers the keys of its parent, and takes none
	Shared     bool // it gets the code of its product
	All        bool // everything is given back
	Expected   bool // not paid yet
	Mail       string
	Keys       []HeldKey // chunks included

	side  string // the pool side that feeds it
	queue string // where it stands if it waits
}

// HeldKey is a key in a line's record.
type HeldKey struct{ ID, Text string }

// place is the place of a line in a queue, and the number of missing keys that the
// queue item names.
type place struct {
	queue    string
	received string
	missing  int
}

// source is the pool side that a key was uploaded to, and the key's text.
type source struct{ side, text string }

// waits reports whether the line belongs in a queue: it misses keys that it has a
// right to, or that number is not known yet.
func (l Line) waits() bool {
	return !l.OnHold && !l.All && !l.Expected && !l.OfParent && (l.Wanted == 0 || l.Returned < l.Wanted && l.Allocated+l.Returned < l.Wanted)
}

// Audit reads the tables whole and reports everything that breaks the promise; see
// Balance.
func Audit(t testing.TB, tables dynamo.Tables) Books {
	t.Helper()
	books, problems := Balance(scan(t, tables.Orders), scan(t, tables.Keys))
	if len(problems) > 0 {
		t.Errorf("the books do not balance:\n%s", strings.Join(problems, "\n"))
	}
	return books
}

// Balance checks all items of the tables of orders and keys, and returns the
// violations of the promise: a key that two lines hold; a line and a key that
// disagree; a key of another pool or side; a line with more keys than it paid for; a
// line that waits outside its queue, that stands in a queue without need, or at the
// wrong place; a key that is neither available nor held nor given back nor taken out
// of sale; a key that a line both gave back and holds; a history that does not say who acted; a line
// that is not found where it should be, or is where it should not.
func Balance(orders, keys []map[string]any) (Books, []string) {
	var (
		books    = Books{Lines: map[string]Line{}}
		problems []string
		holder   = map[string]string{} // key -> line, as lines say
		claimed  = map[string]string{} // key -> line, as keys say
		released = map[string]string{} // key -> line that gave it back, as keys say
		stock    = map[string]source{} // key -> where it was uploaded to
		codes    = map[string]source{} // key -> merchant and side it is a code of, and the key's text
		queued   = map[string]place{}
	)
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	for _, item := range orders {
		pk, sk := item["pk"].(string), item["sk"].(string)
		switch {
		case strings.HasPrefix(pk, "queue#") && sk != "!bypass" || strings.HasPrefix(pk, "unconnected#"):
			received, id, _ := strings.Cut(sk, "#")
			if _, twice := queued[id]; twice {
				problem("line %s stands in two places", id)
			}
			queued[id] = place{queue: pk, received: received, missing: integer(item["missing"])}
			books.Queue = append(books.Queue, sk)
		case strings.HasPrefix(sk, "line#"):
			id := strings.TrimPrefix(pk, "order#") + strings.TrimPrefix(sk, "line#")
			line := books.Lines[id]
			line.Order, _ = item["order"].(string)
			line.Mail, _ = item["mail"].(string)
			line.ReceivedAt = int64(integer(item["receivedAt"]))
			line.Wanted, line.Allocated, line.Returned = integer(item["wanted"]), integer(item["allocated"]), integer(item["returned"])
			_, line.OnHold = item["holds"]
			line.Expected, _ = item["expected"].(bool)
			line.OfParent, _ = item["keysOfParent"].(bool)
			line.Shared, _ = item["sharedCode"].(bool)
			line.All, _ = item["returnedAll"].(bool)
			line.Keys = append(line.Keys, heldKeys(item["keys"])...)
			pool, _ := item["pool"].(string)
			line.side = fmt.Sprintf("%s#%s#%s", item["merchant"], pool, item["side"])
			line.queue = "queue#" + line.side
			if pool == "" {
				by := item["product"]
				if original, dynamic := item["original"]; dynamic {
					by = original
				}
				line.queue = fmt.Sprintf("unconnected#%s#%s#%s", item["merchant"], item["side"], by)
			}
			books.Lines[id] = line
			for _, wrong := range misplaced(item, line) {
				problem("line %s %s", id, wrong)
			}
		case strings.HasPrefix(sk, "history#"):
			if by, _ := item["by"].(string); by == "" {
				problem("the entry %s of %s does not say who acted", sk, pk)
			}
		case strings.HasPrefix(sk, "keys#"):
			inOrder, _, _ := strings.Cut(strings.TrimPrefix(sk, "keys#"), "#")
			id := strings.TrimPrefix(pk, "order#") + inOrder
			line := books.Lines[id]
			keys := heldKeys(item["keys"])
			if len(keys) == 0 {
				problem("line %s has an empty chunk", id)
			}
			line.Keys = append(line.Keys, keys...)
			books.Lines[id] = line
		}
	}
	for _, item := range keys {
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
			merchant, rest, _ := strings.Cut(id, "#")
			side, _, _ := strings.Cut(rest, "#")
			stock[id] = source{side: fmt.Sprintf("%s#%s#%s", merchant, item["pool"], side), text: item["text"].(string)}
		case state == "revoked" && !shelved && held:
			books.Revoked++
			released[id] = line
		case state == "kept" && !shelved && held:
			books.Kept++
			released[id] = line
		case state == "withdrawn" && !shelved && !held:
			books.Withdrawn++
		case state == "shared" && !shelved && !held && item["pool"] == nil:
			books.Shared++
			merchant, rest, _ := strings.Cut(id, "#")
			side, _, _ := strings.Cut(rest, "#")
			codes[id] = source{side: fmt.Sprintf("%s##%s", merchant, side), text: item["text"].(string)}
		default:
			problem("key %s is half taken: %v, shelved %v, held %v", id, state, shelved, held)
		}
	}

	for id, line := range books.Lines {
		if len(line.Keys) != line.Allocated {
			problem("line %s says it holds %d keys and holds %d", id, line.Allocated, len(line.Keys))
		}
		if line.Allocated > line.Wanted {
			problem("line %s holds %d keys and paid for %d", id, line.Allocated, line.Wanted)
		}
		at, waits := queued[id]
		if line.waits() != waits {
			problem("line %s misses keys: %v, stands in a queue: %v", id, line.waits(), waits)
		}
		missing := line.Wanted - line.Returned - line.Allocated
		if waits && at != (place{line.queue, fmt.Sprintf("%013d", line.ReceivedAt), missing}) {
			problem("line %s misses %d keys since %d and stands in %+v", id, missing, line.ReceivedAt, at)
		}
		delete(queued, id)
		for _, key := range line.Keys {
			if line.Shared {
				if codes[key.ID] != (source{line.side, key.Text}) {
					problem("line %s holds the key %s, which is no code of its side, or has another text", id, key.ID)
				}
				continue
			}
			if other, taken := holder[key.ID]; taken {
				problem("key %s is sold twice: to %s and %s", key.ID, other, id)
			}
			holder[key.ID] = id
			if from, ok := stock[key.ID]; ok && from != (source{line.side, key.Text}) {
				problem("line %s of %s holds a key of %s, or another text than the key's", id, line.side, from.side)
			}
		}
	}
	for id := range queued {
		problem("line %s stands in a queue and does not exist", id)
	}
	for key, line := range claimed {
		if holder[key] != line {
			problem("key %s says it is held by %s, %q holds it", key, line, holder[key])
		}
	}
	for key, line := range released {
		if _, exists := books.Lines[line]; !exists {
			problem("key %s says it was given back by %s, which does not exist", key, line)
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
	return books, problems
}

// misplaced says where a line stands in an index by which lines are found, and should not,
// or should and does not.
func misplaced(item map[string]any, line Line) []string {
	var wrong []string
	place := func(name, want string) {
		if got, _ := item[name].(string); got != want {
			wrong = append(wrong, fmt.Sprintf("stands at %q of the index %s, and belongs at %q", got, name, want))
		}
	}
	text := func(name string) string { s, _ := item[name].(string); return s }
	side := text("merchant") + "#" + text("side")
	listed := text("listed")
	switch shard, in := strings.CutPrefix(listed, side+"#"); {
	case line.Expected:
		place("listed", "")
	case !in || len(shard) != 1 || shard < "0" || shard > "7":
		wrong = append(wrong, fmt.Sprintf("is listed at %q", listed))
	}
	customer, _ := item["customer"].(map[string]any)
	if who := text("who"); who != "" && (customer["email"] == nil || !strings.HasPrefix(who, side+"#")) {
		wrong = append(wrong, fmt.Sprintf("has the address %q and stands at %q of the index who", customer["email"], who))
	}
	attention, since := "", 0
	switch received := integer(item["receivedAt"]); {
	case line.Expected || line.All || line.Wanted > 0 && line.Returned >= line.Wanted:
	case line.OnHold:
		attention, since = side, max(received, integer(item["heldAt"]))
	case text("pool") == "" && !line.OfParent && !(line.Shared && line.Allocated+line.Returned >= line.Wanted):
		attention, since = side, received
	case line.Mail == "failed" || line.Mail == "bounced":
		attention, since = side, max(received, integer(item["failedAt"]))
	case line.Wanted-line.Returned > line.Allocated:
		attention, since = side, received+60*60*1000
	}
	place("attention", attention)
	if got := integer(item["since"]); got != since {
		wrong = append(wrong, fmt.Sprintf("needs attention since %d and says since %d", since, got))
	}
	return wrong
}

func integer(v any) int { f, _ := v.(float64); return int(f) }

func heldKeys(v any) []HeldKey {
	var keys []HeldKey
	list, _ := v.([]any)
	for _, element := range list {
		key := element.(map[string]any)
		keys = append(keys, HeldKey{key["id"].(string), key["text"].(string)})
	}
	return keys
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

// Items returns the items of a table whose partition keys begin with prefix.
func Items(t testing.TB, table, prefix string) []map[string]any {
	t.Helper()
	return slices.DeleteFunc(scan(t, table), func(item map[string]any) bool {
		return !strings.HasPrefix(item["pk"].(string), prefix)
	})
}

// Partitions returns the partition keys in a table that begin with prefix, sorted.
func Partitions(t testing.TB, table, prefix string) []string {
	t.Helper()
	var found []string
	for _, item := range Items(t, table, prefix) {
		found = append(found, item["pk"].(string))
	}
	sort.Strings(found)
	return found
}
