package dynamosim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
)

var ctx = context.Background()

// TestConformance asks the model and DynamoDB Local the same, and wants the same of
// both: what is written here. Where DynamoDB Local answers otherwise than AWS,
// the case says what it answers and where AWS says better.
func TestConformance(t *testing.T) {
	t.Parallel()
	one := item{"pk": "a", "sk": "1", "g": "G", "n": 5, "note": "first", "m": item{"x": 1}, "s": texts{"p", "q"}, "flag": true}
	two := item{"pk": "a", "sk": "2", "g": "G", "n": 10}
	three := item{"pk": "b", "sk": "1", "note": "alone"}
	all := []item{one, two, three}

	cases := []struct {
		name  string
		given []item // in pairs
		do    func(w world) (any, error)
		want  string // see told
		local string // what DynamoDB Local answers, if it is not what AWS does
	}{
		// Reads
		{"GetItem of nothing", nil, get("a", "1", ""), "nothing", ""},
		{"GetItem", all, get("b", "1", ""), "{note:alone pk:b sk:1}", ""},
		{"GetItem, projected", all, get("a", "1", "pk, m.x, note"), "{m:{x:#1} note:first pk:a}", ""},
		{"GetItem, projected to nothing", all, get("a", "2", "nowhere"), "{}", ""},
		{"GetItem, projecting overlapping paths", all, get("a", "1", "m, m.x"), "ValidationException", ""},
		{"GetItem with a key of the wrong type", nil, func(w world) (any, error) {
			return w.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.pairs, Key: item{"pk": "a", "sk": 1}.av()})
		}, "ValidationException", ""},
		{"GetItem without the sort key", nil, func(w world) (any, error) {
			return w.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.pairs, Key: item{"pk": "a"}.av()})
		}, "ValidationException", ""},
		{"GetItem with too much of a key", nil, func(w world) (any, error) {
			return w.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.flat, Key: item{"pk": "a", "sk": "1"}.av()})
		}, "ValidationException", ""},
		{"GetItem with an empty key", nil, get("", "1", ""), "ValidationException", ""},
		{"GetItem of an unknown table", nil, func(w world) (any, error) {
			return w.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("nowhere"), Key: item{"pk": "a"}.av()})
		}, "ResourceNotFoundException", ""},
		{"BatchGetItem", all, func(w world) (any, error) {
			return batchGet(w, "", []item{{"pk": "a", "sk": "1"}, {"pk": "a", "sk": "9"}, {"pk": "b", "sk": "1"}})
		}, "{flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p q> sk:1} {note:alone pk:b sk:1}, 0 left", ""},
		{"BatchGetItem, projected", all, func(w world) (any, error) {
			return batchGet(w, "note", []item{{"pk": "a", "sk": "1"}, {"pk": "b", "sk": "1"}})
		}, "{note:alone} {note:first}, 0 left", ""},
		{"BatchGetItem of the same twice", nil, func(w world) (any, error) {
			return batchGet(w, "", []item{{"pk": "a", "sk": "1"}, {"pk": "a", "sk": "1"}})
		}, "ValidationException", ""},
		{"BatchGetItem of 101", nil, func(w world) (any, error) {
			keys := []item{}
			for i := range 101 {
				keys = append(keys, item{"pk": "a", "sk": fmt.Sprint(i)})
			}
			return batchGet(w, "", keys)
		}, "ValidationException", ""},
		{"BatchGetItem of none", nil, func(w world) (any, error) { return batchGet(w, "", []item{}) }, "ValidationException", ""},

		// Queries
		{"Query", all, query("pk = :p", item{":p": "a"}, nil), "2/2 {flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p q> sk:1} {g:G n:#10 pk:a sk:2}", ""},
		{"Query of nothing", all, query("pk = :p", item{":p": "z"}, nil), "0/0 ", ""},
		{"Query backward, one", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(1)
		}), "1/1 {g:G n:#10 pk:a sk:2} after {pk:a sk:2}", ""},
		{"Query with the limit at the very end", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.Limit, in.ProjectionExpression = aws.Int32(2), aws.String("sk")
		}), "2/2 {sk:1} {sk:2} after {pk:a sk:2}", ""},
		{"Query from behind the last", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = item{"pk": "a", "sk": "2"}.av()
		}), "0/0 ", ""},
		{"Query from where nothing is", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey, in.ProjectionExpression = item{"pk": "a", "sk": "15"}.av(), aws.String("sk")
		}), "1/1 {sk:2}", ""},
		{"Query backward from where nothing is", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ScanIndexForward, in.ExclusiveStartKey, in.ProjectionExpression = aws.Bool(false), item{"pk": "a", "sk": "15"}.av(), aws.String("sk")
		}), "1/1 {sk:1}", ""},
		{"Query from a place of another partition", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = item{"pk": "b", "sk": "1"}.av()
		}), "ValidationException", ""},
		{"Query from a place of half a key", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = item{"pk": "a"}.av()
		}), "ValidationException", ""},
		{"Query with Limit 0", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(0) }), "ValidationException", ""},
		{"Query counting", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) { in.Select = types.SelectCount }), "2/2 ", ""},
		{"Query counting with a limit", all, query("pk = :p", item{":p": "a"}, func(in *dynamodb.QueryInput) {
			in.Select, in.Limit = types.SelectCount, aws.Int32(1)
		}), "1/1  after {pk:a sk:1}", ""},
		{"Query with a filter", all, query("pk = :p", item{":p": "a", ":n": 5}, func(in *dynamodb.QueryInput) {
			in.FilterExpression, in.ProjectionExpression = aws.String("n > :n"), aws.String("sk")
		}), "1/2 {sk:2}", ""},
		{"Query, a prefix", all, query("pk = :p AND begins_with(sk, :s)", item{":p": "a", ":s": "2"}, nil), "1/1 {g:G n:#10 pk:a sk:2}", ""},
		{"Query, an empty prefix", all, query("pk = :p AND begins_with(sk, :s)", item{":p": "a", ":s": ""}, nil), "ValidationException", ""},
		{"Query, the sort key first, in parentheses", all, query("(sk > :s) AND (pk = :p)", item{":p": "a", ":s": "1"}, nil), "1/1 {g:G n:#10 pk:a sk:2}", ""},
		{"Query, sort key >=", all, query("pk = :p AND sk >= :s", item{":p": "a", ":s": "2"}, nil), "1/1 {g:G n:#10 pk:a sk:2}", ""},
		{"Query, sort key <", all, query("pk = :p AND sk < :s", item{":p": "b", ":s": "2"}, nil), "1/1 {note:alone pk:b sk:1}", ""},
		{"Query, sort key <=", all, query("pk = :p AND sk <= :s", item{":p": "b", ":s": "1"}, nil), "1/1 {note:alone pk:b sk:1}", ""},
		{"Query, sort key =", all, query("pk = :p AND sk = :s", item{":p": "b", ":s": "1"}, nil), "1/1 {note:alone pk:b sk:1}", ""},
		{"Query, sort key between", all, query("pk = :p AND sk BETWEEN :s AND :t", item{":p": "a", ":s": "15", ":t": "2"}, nil), "1/1 {g:G n:#10 pk:a sk:2}", ""},
		{"Query, sort key between, upside down", all, query("pk = :p AND sk BETWEEN :s AND :t", item{":p": "a", ":s": "3", ":t": "2"}, nil), "ValidationException", ""},
		{"Query, sort key <>", all, query("pk = :p AND sk <> :s", item{":p": "a", ":s": "1"}, nil), "ValidationException", ""},
		{"Query with OR", all, query("pk = :p OR sk = :s", item{":p": "a", ":s": "1"}, nil), "ValidationException", ""},
		{"Query without the partition key", all, query("sk = :s", item{":s": "1"}, nil), "ValidationException", ""},
		{"Query, partition key >", all, query("pk > :p", item{":p": "a"}, nil), "ValidationException", ""},
		{"Query on what is no key", all, query("pk = :p AND note = :s", item{":p": "a", ":s": "1"}, nil), "ValidationException", ""},
		{"Query with a key of the wrong type", all, query("pk = :p", item{":p": 1}, nil), "ValidationException", ""},
		{"Query, the same key twice", all, query("pk = :p AND pk = :q", item{":p": "a", ":q": "b"}, nil), "ValidationException", ""},
		{"Query whose filter names a key", all, query("pk = :p", item{":p": "a", ":s": "1"}, func(in *dynamodb.QueryInput) {
			in.FilterExpression = aws.String("sk = :s")
		}), "ValidationException", ""},
		{"Query of an index", all, index("byNumber", "g = :g", item{":g": "G"}, nil), "2/2 {g:G n:#5 note:first pk:a sk:1} {g:G n:#10 pk:a sk:2}", ""},
		{"Query of an index, a page", all, index("byNumber", "g = :g", item{":g": "G"}, func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(1) }), "1/1 {g:G n:#5 note:first pk:a sk:1} after {g:G n:#5 pk:a sk:1}", ""},
		{"Query of an index from a place", all, index("byNumber", "g = :g", item{":g": "G"}, func(in *dynamodb.QueryInput) {
			in.ExclusiveStartKey = item{"g": "G", "n": 5, "pk": "a", "sk": "1"}.av()
		}), "1/1 {g:G n:#10 pk:a sk:2}", ""},
		{"Query of an index by number", all, index("byNumber", "g = :g AND n <= :n", item{":g": "G", ":n": number("5.0")}, nil), "1/1 {g:G n:#5 note:first pk:a sk:1}", ""},
		{"Query of keys only", all, index("byPair", "g = :g AND pk = :p", item{":g": "G", ":p": "a"}, func(in *dynamodb.QueryInput) { in.Select = types.SelectCount }), "2/2 ", ""},
		{"Query of an index for what it does not project", all, index("byNumber", "g = :g", item{":g": "G"}, func(in *dynamodb.QueryInput) { in.ProjectionExpression = aws.String("flag") }), "ValidationException", ""},
		{"Query of an index, consistent", all, index("byNumber", "g = :g", item{":g": "G"}, func(in *dynamodb.QueryInput) { in.ConsistentRead = aws.Bool(true) }), "ValidationException", ""},
		{"Query of an unknown index", all, index("nowhere", "g = :g", item{":g": "G"}, nil), "ValidationException", ""},
		{"Scan", all, scan(nil, "", nil), "3/3 {flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p q> sk:1} {g:G n:#10 pk:a sk:2} {note:alone pk:b sk:1}", ""},
		{"Scan with a filter on a key", all, scan(nil, "begins_with(pk, :p)", item{":p": "b"}), "1/3 {note:alone pk:b sk:1}", ""},
		{"Scan of an index", all, scan(aws.String("byPair"), "", nil), "2/2 {g:G pk:a sk:1} {g:G pk:a sk:2}", ""},

		// Puts and deletes
		{"PutItem", nil, put(one, "", nil, ""), "nothing", ""},
		{"PutItem over another, old values", all, put(item{"pk": "b", "sk": "1"}, "", nil, types.ReturnValueAllOld), "{note:alone pk:b sk:1}", ""},
		{"PutItem that is there", all, put(item{"pk": "b", "sk": "1"}, "attribute_not_exists(pk)", nil, ""), "ConditionalCheckFailedException{note:alone pk:b sk:1}", ""},
		{"PutItem that is not there", all, put(item{"pk": "c", "sk": "1"}, "attribute_exists(pk)", nil, ""), "ConditionalCheckFailedException", ""},
		{"PutItem without its key", nil, put(item{"pk": "a"}, "", nil, ""), "ValidationException", ""},
		{"PutItem with an empty key", nil, put(item{"pk": "a", "sk": ""}, "", nil, ""), "ValidationException", ""},
		{"PutItem with an empty text", nil, put(item{"pk": "a", "sk": "1", "x": "", "b": []byte{}}, "", nil, ""), "nothing", ""},
		{"PutItem with an index key of the wrong type", nil, put(item{"pk": "a", "sk": "1", "g": 1}, "", nil, ""), "ValidationException", ""},
		{"PutItem with an empty index key", nil, put(item{"pk": "a", "sk": "1", "g": ""}, "", nil, ""), "ValidationException", ""},
		{"PutItem with an empty set", nil, put(item{"pk": "a", "sk": "1", "s": texts{}}, "", nil, ""), "ValidationException", ""},
		{"PutItem with a set that names something twice", nil, put(item{"pk": "a", "sk": "1", "s": texts{"x", "x"}}, "", nil, ""), "ValidationException", ""},
		{"PutItem with no number", nil, put(item{"pk": "a", "sk": "1", "x": number("1x")}, "", nil, ""), "ValidationException", ""},
		{"PutItem with 39 digits", nil, put(item{"pk": "a", "sk": "1", "x": number(strings.Repeat("1", 39))}, "", nil, ""), "ValidationException", ""},
		{"PutItem with 38 digits", nil, put(item{"pk": "a", "sk": "1", "x": number(strings.Repeat("1", 38))}, "", nil, ""), "nothing", ""},
		{"PutItem with too large a number", nil, put(item{"pk": "a", "sk": "1", "x": number("1E126")}, "", nil, ""), "ValidationException", ""},
		{"PutItem with too small a number", nil, put(item{"pk": "a", "sk": "1", "x": number("1E-131")}, "", nil, ""), "ValidationException", ""},
		{"PutItem with numbers of all kinds", nil, put(item{"pk": "a", "sk": "1", "a": number("-0"), "b": number("007"), "c": number("1.50"), "d": number("1e3"), "e": number("-1E-3"), "f": number("9.99E+20"), "g1": number("+4"), "h": number(".5"), "i": number("1E125"), "j": number("-1E-130")}, "", nil, ""), "nothing", ""},
		{"PutItem of 400 KB", nil, put(item{"pk": "a", "sk": "1", "x": strings.Repeat("x", 400<<10-7)}, "", nil, ""), "nothing", ""},
		{"PutItem of a byte more", nil, put(item{"pk": "a", "sk": "1", "x": strings.Repeat("x", 400<<10-6)}, "", nil, ""), "ValidationException", ""},
		{"PutItem with a sort key of 1025 bytes", nil, put(item{"pk": "a", "sk": strings.Repeat("x", 1025)}, "", nil, ""), "ValidationException", ""},
		{"PutItem with a partition key of 2049 bytes", nil, put(item{"pk": strings.Repeat("x", 2049), "sk": "1"}, "", nil, ""), "ValidationException", ""},
		{"PutItem with an undefined value", nil, put(three, "note = :n", nil, ""), "ValidationException", ""},
		{"PutItem with an unused value", nil, put(three, "note = :n", item{":n": 1, ":m": 1}, ""), "ValidationException", ""},
		{"PutItem with a value and no expression", nil, put(three, "", item{":n": 1}, ""), "ValidationException", ""},
		{"PutItem with no values at all", nil, put(three, "attribute_exists(pk)", item{}, ""), "ValidationException", ""},
		{"DeleteItem", all, del("b", "1", "", nil, types.ReturnValueAllOld), "{note:alone pk:b sk:1}", ""},
		{"DeleteItem of nothing", all, del("z", "1", "", nil, types.ReturnValueAllOld), "nothing", ""},
		{"DeleteItem that has changed", all, del("b", "1", "note = :n", item{":n": "other"}, ""), "ConditionalCheckFailedException{note:alone pk:b sk:1}", ""},

		// Conditions, of the item a/1
		{"=, of numbers", all, holds("n = :v", number("5.00")), "holds", ""},
		{"=, of another type", all, holds("n = :v", "5"), "ConditionalCheckFailedException", ""},
		{"<>, of another type", all, holds("n <> :v", "5"), "holds", ""},
		{"<>, of what is not there", all, holds("nowhere <> :v", "5"), "holds", ""},
		{"=, of what is not there", all, holds("nowhere = :v", "5"), "ConditionalCheckFailedException", ""},
		{"<, of another type", all, holds("n < :v", "9"), "ConditionalCheckFailedException", ""},
		{"<, of numbers of unlike length", all, holds("n < :v", 10), "holds", ""},
		{">, of what is not there", all, holds("nowhere > :v", 1), "ConditionalCheckFailedException", ""},
		{">, of a truth value", all, holds("flag > :v", true), "ValidationException", ""},
		{"=, of a truth value", all, holds("flag = :v", true), "holds", ""},
		{"=, of maps", all, holds("m = :v", item{"x": number("1.0")}), "holds", ""},
		{"=, of sets in another order", all, holds("s = :v", texts{"q", "p"}), "holds", ""},
		{"two paths that are not there, <>", all, holds("nowhere <> nothing AND pk = :v", "a"), "holds", ""},
		{"two paths that are not there, =", all, holds("nowhere = nothing AND pk = :v", "a"), "ConditionalCheckFailedException", ""},
		{"a path in a map", all, holds("m.x = :v", 1), "holds", ""},
		{"a path in what is no map", all, holds("note.x = :v", 1), "ConditionalCheckFailedException", ""},
		{"attribute_exists in a map", all, holds("attribute_exists(m.x) AND attribute_not_exists(m.y) AND pk = :v", "a"), "holds", ""},
		{"begins_with", all, holds("begins_with(note, :v)", "fi"), "holds", ""},
		{"begins_with a number", all, holds("begins_with(note, :v)", 1), "ValidationException", ""},
		{"begins_with, of a number", all, holds("begins_with(n, :v)", "5"), "ConditionalCheckFailedException", ""},
		{"begins_with, turned around", all, holds("begins_with(:v, note)", "first of all"), "holds", ""},
		{"AND binds closer than OR", all, holds("pk = :v OR pk = sk AND pk <> :v", "a"), "holds", ""},
		{"NOT binds closest", all, holds("NOT pk = sk AND pk = :v", "a"), "holds", ""},
		{"NOT of parentheses", all, holds("NOT (pk = :v OR pk = sk)", "a"), "ConditionalCheckFailedException", ""},
		{"words in small letters", all, holds("not pk = sk and (pk = :v or pk = sk)", "a"), "holds", ""},
		{"BETWEEN", all, holds("n BETWEEN :v AND n", 5), "ValidationException", ""},
		{"a value first", all, holds(":v = pk", "a"), "holds", ""},
		{"the same path twice", all, holds("pk = pk AND pk = :v", "a"), "ValidationException", ""},
		{"redundant parentheses", all, holds("((pk = :v))", "a"), "ValidationException", ""},
		{"parentheses that are not redundant", all, holds("((pk = :v) AND (sk <> :v))", "a"), "holds", ""},
		// "Reserved words in DynamoDB" has SIZE in its list.
		{"a reserved word, which is a function's name too", all, holds("size = :v", "a"), "ValidationException", "ConditionalCheckFailedException"},
		{"a verb, which is not reserved, in a condition", all, holds("remove = :v", "a"), "ValidationException", ""},
		{"a verb in a projection", all, get("a", "2", "remove, sk"), "ValidationException", ""},
		{"a reserved word", all, holds("state = :v", "a"), "ValidationException", ""},
		{"a reserved word within a path", all, holds("m.state = :v", "a"), "ValidationException", ""},
		{"an expression cut off", all, holds("pk = :v AND", "a"), "ValidationException", ""},
		{"an expression too long", all, holds("pk = :v sk", "a"), "ValidationException", ""},
		{"an empty expression", all, holds("", "a"), "ValidationException", ""},
		{"a bare path", all, holds("flag AND pk = :v", "a"), "ValidationException", ""},

		// Updates, of the item a/1
		{"SET", all, change("SET note = :v", item{":v": "new"}), "{flag:true g:G m:{x:#1} n:#5 note:new pk:a s:<p q> sk:1}", ""},
		{"SET two, each from before", all, change("SET note = n, n = :v", item{":v": 7}), "{flag:true g:G m:{x:#1} n:#7 note:#5 pk:a s:<p q> sk:1}", ""},
		{"SET, +", all, change("SET n = n + :v", item{":v": number("0.5")}), "{flag:true g:G m:{x:#1} n:#5.5 note:first pk:a s:<p q> sk:1}", ""},
		{"SET, -", all, change("SET n = :v - n", item{":v": 5}), "{flag:true g:G m:{x:#1} n:#0 note:first pk:a s:<p q> sk:1}", ""},
		{"SET, + of a text in the item", all, change("SET n = note + :v", item{":v": 1}), "ValidationException", ""},
		{"SET, + a text", all, change("SET n = n + :v", item{":v": "1"}), "ValidationException", ""},
		{"SET, + of what is not there", all, change("SET n = nowhere + :v", item{":v": 1}), "ValidationException", ""},
		{"SET, if_not_exists of what is", all, change("SET n = if_not_exists(n, :v) + :v", item{":v": 1}), "{flag:true g:G m:{x:#1} n:#6 note:first pk:a s:<p q> sk:1}", ""},
		{"SET, if_not_exists in a map", all, change("SET m.y = if_not_exists(m.y, :z) + :v", item{":v": 1, ":z": 0}), "{flag:true g:G m:{x:#1 y:#1} n:#5 note:first pk:a s:<p q> sk:1}", ""},
		{"SET in a map that is not there", all, change("SET k.y = :v", item{":v": 1}), "ValidationException", ""},
		{"SET in what is no map", all, change("SET note.y = :v", item{":v": 1}), "ValidationException", ""},
		{"SET of overlapping paths", all, change("SET m.x = :v, m = :v", item{":v": 1}), "ValidationException", ""},
		{"SET and REMOVE of the same", all, change("SET note = :v REMOVE note", item{":v": 1}), "ValidationException", ""},
		{"SET of a key", all, change("SET sk = :v", item{":v": "1"}), "ValidationException", ""},
		{"SET twice", all, change("SET note = :v SET g = :v", item{":v": "1"}), "ValidationException", ""},
		{
			"SET of an index key to another type", all, change("SET g = :v", item{":v": 1}), "ValidationException",
			// API reference, TransactionCanceledException: "The update expression attempted to update the secondary index key to unsupported type".
			"{flag:true g:#1 m:{x:#1} n:#5 note:first pk:a s:<p q> sk:1}",
		},
		{"SET beyond 400 KB", all, change("SET note = :v", item{":v": strings.Repeat("x", 400<<10)}), "ValidationException", ""},
		{"REMOVE", all, change("REMOVE note, m.x, s, flag", nil), "{g:G m:{} n:#5 pk:a sk:1}", ""},
		{"REMOVE where a path is wanted", all, change("REMOVE remove", nil), "ValidationException", ""},
		{"SET of a verb", all, change("SET remove = :v", item{":v": 1}), "ValidationException", ""},
		{"SET to a verb", all, change("SET x = remove", nil), "ValidationException", ""},
		{"REMOVE what is not there", all, change("REMOVE nowhere, m.z", nil), "{flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p q> sk:1}", ""},
		{"REMOVE in a map that is not there", all, change("REMOVE k.z", nil), "ValidationException", ""},
		{"ADD", all, change("ADD n :v, fresh :v", item{":v": 2}), "{flag:true fresh:#2 g:G m:{x:#1} n:#7 note:first pk:a s:<p q> sk:1}", ""},
		{"ADD in a map", all, change("ADD m.x :v", item{":v": 2}), "{flag:true g:G m:{x:#3} n:#5 note:first pk:a s:<p q> sk:1}", ""},
		{"ADD to a text", all, change("ADD note :v", item{":v": 2}), "ValidationException", ""},
		{"ADD a text", all, change("ADD n :v", item{":v": "2"}), "ValidationException", ""},
		{"ADD to a set", all, change("ADD s :v", item{":v": texts{"q", "r"}}), "{flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p q r> sk:1}", ""},
		{"DELETE from a set", all, change("DELETE s :v", item{":v": texts{"q", "r"}}), "{flag:true g:G m:{x:#1} n:#5 note:first pk:a s:<p> sk:1}", ""},
		{"DELETE all of a set", all, change("DELETE s :v", item{":v": texts{"q", "p"}}), "{flag:true g:G m:{x:#1} n:#5 note:first pk:a sk:1}", ""},
		{"DELETE of no set", all, change("DELETE n :v", item{":v": 1}), "ValidationException", ""},
		{"all verbs at once", all, change("ADD n :one REMOVE note SET v = :one DELETE s :s", item{":one": 1, ":s": texts{"p"}}), "{flag:true g:G m:{x:#1} n:#6 pk:a s:<q> sk:1 v:#1}", ""},
		{"an update of what is not there", nil, change("SET v = :v ADD n :v", item{":v": 1}), "{n:#1 pk:a sk:1 v:#1}", ""},
		{"an update of what is not there that only removes", nil, change("REMOVE v", nil), "{pk:a sk:1}", ""},
		{"an update that says nothing", nil, change("", nil), "ValidationException", ""},
		{"an unknown verb", nil, change("PUT v = :v", item{":v": 1}), "ValidationException", ""},
		{"an update whose condition fails", all, func(w world) (any, error) {
			return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &w.pairs, Key: item{"pk": "b", "sk": "1"}.av(), UpdateExpression: aws.String("SET note = :v"),
				ConditionExpression: aws.String("#n = :v"), ExpressionAttributeNames: map[string]string{"#n": "note"},
				ExpressionAttributeValues:           item{":v": "x"}.av(),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			})
		}, "ConditionalCheckFailedException{note:alone pk:b sk:1}", ""},
		{"an unused name", all, func(w world) (any, error) {
			return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &w.pairs, Key: item{"pk": "b", "sk": "1"}.av(), UpdateExpression: aws.String("REMOVE note"),
				ExpressionAttributeNames: map[string]string{"#n": "note"},
			})
		}, "ValidationException", ""},
		{"an undefined name", all, change("REMOVE #n", nil), "ValidationException", ""},

		// Batches of writes
		{"BatchWriteItem", all, func(w world) (any, error) {
			return w.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
				w.pairs: {{PutRequest: &types.PutRequest{Item: item{"pk": "c", "sk": "1", "g": "G", "n": 1}.av()}}, {DeleteRequest: &types.DeleteRequest{Key: item{"pk": "a", "sk": "1"}.av()}}},
				w.flat:  {{PutRequest: &types.PutRequest{Item: item{"pk": "c"}.av()}}},
			}})
		}, "ok, 0 left", ""},
		{"BatchWriteItem of the same twice", all, func(w world) (any, error) {
			return w.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
				w.pairs: {{PutRequest: &types.PutRequest{Item: item{"pk": "c", "sk": "1"}.av()}}, {DeleteRequest: &types.DeleteRequest{Key: item{"pk": "c", "sk": "1"}.av()}}},
			}})
		}, "ValidationException", ""},
		{"BatchWriteItem of 26", nil, func(w world) (any, error) {
			var writes []types.WriteRequest
			for i := range 26 {
				writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item{"pk": fmt.Sprint(i)}.av()}})
			}
			return w.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{w.flat: writes}})
		}, "ValidationException", ""},

		// Transactions
		{"a transaction", all, transact(
			txPut(item{"pk": "c", "sk": "1", "g": "G", "n": 1}, "attribute_not_exists(pk)"),
			txUpdate("a", "1", "SET note = :v REMOVE g", item{":v": "new"}, "n = :v2", item{":v2": 5}),
			txDelete("a", "2"), txCheck("b", "1", "attribute_exists(note)")), "ok", ""},
		{
			"a transaction whose conditions fail, by position", all, transact(
				txPut(item{"pk": "c", "sk": "1"}, ""),
				txPut(item{"pk": "b", "sk": "1"}, "attribute_not_exists(pk)"),
				txUpdate("a", "1", "SET note = :v", item{":v": "new"}, "n = :v2", item{":v2": 6}),
				txCheck("z", "1", "attribute_exists(note)")),
			"canceled: None, ConditionalCheckFailed{note:alone pk:b sk:1}, ConditionalCheckFailed, ConditionalCheckFailed", "",
		},
		{
			"a transaction that updates wrongly", all, transact(
				txUpdate("a", "1", "ADD note :v", item{":v": 1}, "", nil), txPut(item{"pk": "c", "sk": "1"}, "")), "canceled: ValidationError, None",
			// API reference, TransactionCanceledException: ValidationError, "An operand in the update expression has an incorrect data type".
			"ValidationException",
		},
		{
			"a transaction that updates in a map that is not there", all, transact(
				txUpdate("b", "1", "SET k.x = :v", item{":v": 1}, "", nil)), "canceled: ValidationError",
			// API reference, TransactionCanceledException: ValidationError, "The document path provided in the update expression is invalid for update".
			"ValidationException",
		},
		{"a transaction that writes an index key of the wrong type", all, transact(
			txPut(item{"pk": "c", "sk": "1"}, ""), txPut(item{"pk": "c", "sk": "2", "g": 1}, "")), "canceled: None, ValidationError", ""},
		{"a transaction that writes an item too large", all, transact(
			txPut(item{"pk": "c", "sk": "1"}, ""), txPut(item{"pk": "c", "sk": "2", "x": strings.Repeat("x", 400<<10)}, "")), "ValidationException", ""},
		{
			"a transaction that updates an item until it is too large", all, transact(
				txPut(item{"pk": "c", "sk": "1"}, ""), txUpdate("a", "1", "SET note = :v", item{":v": strings.Repeat("x", 400<<10)}, "", nil)), "canceled: None, ValidationError",
			// API reference, TransactionCanceledException: ValidationError, "Item size to update has exceeded the maximum allowed size".
			"ValidationException",
		},
		{"a transaction that puts an item without its key", all, transact(txPut(item{"pk": "c"}, "")), "ValidationException", ""},
		{
			"a transaction with the same item twice", all, transact(txDelete("a", "1"), txCheck("a", "1", "attribute_exists(pk)")), "ValidationException",
			// API reference, TransactWriteItems: no two actions can target the same item.
			"canceled: None, ConditionalCheckFailed",
		},
		{"a transaction that puts the same item twice", all, transact(txPut(one, ""), txPut(one, "")), "ValidationException", ""},
		{"a transaction of nothing", nil, transact(), "ValidationException", ""},
		{"a transaction of 101", nil, func(w world) (any, error) {
			var writes []func(world) types.TransactWriteItem
			for i := range 101 {
				writes = append(writes, txPut(item{"pk": "c", "sk": fmt.Sprint(i)}, ""))
			}
			return transact(writes...)(w)
		}, "ValidationException", ""},
		{"a transaction of 100", nil, func(w world) (any, error) {
			var writes []func(world) types.TransactWriteItem
			for i := range 100 {
				writes = append(writes, txPut(item{"pk": "c", "sk": fmt.Sprint(i)}, ""))
			}
			return transact(writes...)(w)
		}, "ok", ""},
		{"a transaction of more than 4 MB", nil, func(w world) (any, error) {
			var writes []func(world) types.TransactWriteItem
			for i := range 11 {
				writes = append(writes, txPut(item{"pk": "c", "sk": fmt.Sprint(i), "x": strings.Repeat("x", 390<<10)}, ""))
			}
			return transact(writes...)(w)
		}, "ValidationException", ""},
		{"a transaction with a reserved word", all, transact(txPut(item{"pk": "c", "sk": "1"}, "state = pk")), "ValidationException", ""},
		{"a transaction with an unknown table", nil, transact(func(world) types.TransactWriteItem {
			return types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String("nowhere"), Key: item{"pk": "a"}.av()}}
		}), "ResourceNotFoundException", ""},

		// Statements
		{"statements", nil, statements(insert("a", "1"), insert("b", "1")), "ok, ok", ""},
		{"statements that insert what is there", []item{{"pk": "a", "sk": "1"}}, statements(insert("b", "1"), insert("a", "1"), insert("c", "1")), "ok, DuplicateItem, ok", ""},
		{
			"statements that insert the same twice", nil, statements(insert("a", "1"), insert("b", "1"), insert("a", "1")), "ValidationException",
			// It refuses the batch, and yet has done the statements before: no reference says so, and nothing may rely on it.
			"ValidationException",
		},
		{"a statement with an empty key", nil, statements(insert("", "1"), insert("b", "1")), "ValidationError, ok", ""},
		{"a statement with an index key of the wrong type", nil, statements(func(w world) types.BatchStatementRequest {
			s := insert("a", "1")(w)
			s.Parameters[2] = av(7)
			return s
		}, insert("b", "1")), "ValidationError, ok", ""},
		{"a statement with too few parameters", nil, statements(func(w world) types.BatchStatementRequest {
			s := insert("a", "1")(w)
			s.Parameters = s.Parameters[:2]
			return s
		}), "ValidationError", ""},
		{"26 statements", nil, func(w world) (any, error) {
			var all []func(world) types.BatchStatementRequest
			for i := range 26 {
				all = append(all, insert("a", fmt.Sprint(i)))
			}
			return statements(all...)(w)
		}, "ValidationException", ""},
	}
	model, reference := engines(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			model.refill(t, c.given)
			reference.refill(t, c.given)
			if out, err := c.do(model); told(out, err) != c.want {
				t.Errorf("the model answers %s, not %s (%v)", told(out, err), c.want, err)
			}
			want := c.want
			if c.local != "" && !dynamotest.InProcess() {
				want = c.local
			}
			if out, err := c.do(reference); told(out, err) != want {
				t.Errorf("the reference answers %s, not %s (%v)", told(out, err), want, err)
			}
			if m, r := model.content(t), reference.content(t); c.local == "" && m != r {
				t.Errorf("the model holds\n%s\nthe reference\n%s", m, r)
			}
		})
	}
}

func get(pk, sk, projection string) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.GetItemInput{TableName: &w.pairs, Key: item{"pk": pk, "sk": sk}.av()}
		if projection != "" {
			in.ProjectionExpression = &projection
		}
		return w.GetItem(ctx, in)
	}
}

func batchGet(w world, projection string, keys []item) (any, error) {
	wanted := types.KeysAndAttributes{Keys: []map[string]types.AttributeValue{}}
	for _, key := range keys {
		wanted.Keys = append(wanted.Keys, key.av())
	}
	if projection != "" {
		wanted.ProjectionExpression = &projection
	}
	return w.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{w.pairs: wanted}})
}

func query(condition string, values item, more func(*dynamodb.QueryInput)) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.QueryInput{TableName: &w.pairs, KeyConditionExpression: &condition, ExpressionAttributeValues: values.av()}
		if more != nil {
			more(in)
		}
		return w.Query(ctx, in)
	}
}

func index(name, condition string, values item, more func(*dynamodb.QueryInput)) func(w world) (any, error) {
	return query(condition, values, func(in *dynamodb.QueryInput) {
		in.IndexName = &name
		if more != nil {
			more(in)
		}
	})
}

func scan(index *string, filter string, values item) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.ScanInput{TableName: &w.pairs, IndexName: index, ExpressionAttributeValues: values.av()}
		if filter != "" {
			in.FilterExpression = &filter
		}
		return w.Scan(ctx, in)
	}
}

func put(i item, condition string, values item, returns types.ReturnValue) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.PutItemInput{
			TableName: &w.pairs, Item: i.av(), ExpressionAttributeValues: values.av(), ReturnValues: returns,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if condition != "" {
			in.ConditionExpression = &condition
		}
		return w.PutItem(ctx, in)
	}
}

func del(pk, sk, condition string, values item, returns types.ReturnValue) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.DeleteItemInput{
			TableName: &w.pairs, Key: item{"pk": pk, "sk": sk}.av(), ExpressionAttributeValues: values.av(), ReturnValues: returns,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if condition != "" {
			in.ConditionExpression = &condition
		}
		return w.DeleteItem(ctx, in)
	}
}

// holds asks whether a condition on :v holds of a/1.
func holds(condition string, v any) func(w world) (any, error) {
	return func(w world) (any, error) {
		_, err := w.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), ConditionExpression: &condition, ExpressionAttributeValues: item{":v": v}.av(),
		})
		return held{}, err
	}
}

type held struct{}

func change(expression string, values item) func(w world) (any, error) {
	return func(w world) (any, error) {
		return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &w.pairs, Key: item{"pk": "a", "sk": "1"}.av(), UpdateExpression: &expression,
			ExpressionAttributeValues: values.av(), ReturnValues: types.ReturnValueAllNew,
		})
	}
}

func transact(writes ...func(world) types.TransactWriteItem) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{}}
		for _, write := range writes {
			in.TransactItems = append(in.TransactItems, write(w))
		}
		return w.TransactWriteItems(ctx, in)
	}
}

func txPut(i item, condition string) func(world) types.TransactWriteItem {
	return func(w world) types.TransactWriteItem {
		put := &types.Put{TableName: &w.pairs, Item: i.av(), ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
		if condition != "" {
			put.ConditionExpression = &condition
		}
		return types.TransactWriteItem{Put: put}
	}
}

func txUpdate(pk, sk, expression string, values item, condition string, more item) func(world) types.TransactWriteItem {
	return func(w world) types.TransactWriteItem {
		update := &types.Update{TableName: &w.pairs, Key: item{"pk": pk, "sk": sk}.av(), UpdateExpression: &expression, ExpressionAttributeValues: values.av()}
		for name, v := range more {
			update.ExpressionAttributeValues[name] = av(v)
		}
		if condition != "" {
			update.ConditionExpression = &condition
		}
		return types.TransactWriteItem{Update: update}
	}
}

func txDelete(pk, sk string) func(world) types.TransactWriteItem {
	return func(w world) types.TransactWriteItem {
		return types.TransactWriteItem{Delete: &types.Delete{TableName: &w.pairs, Key: item{"pk": pk, "sk": sk}.av()}}
	}
}

func txCheck(pk, sk, condition string) func(world) types.TransactWriteItem {
	return func(w world) types.TransactWriteItem {
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &w.pairs, Key: item{"pk": pk, "sk": sk}.av(), ConditionExpression: &condition}}
	}
}

func statements(all ...func(world) types.BatchStatementRequest) func(w world) (any, error) {
	return func(w world) (any, error) {
		in := &dynamodb.BatchExecuteStatementInput{}
		for _, s := range all {
			in.Statements = append(in.Statements, s(w))
		}
		return w.BatchExecuteStatement(ctx, in)
	}
}

func insert(pk, sk string) func(world) types.BatchStatementRequest {
	return func(w world) types.BatchStatementRequest {
		return types.BatchStatementRequest{
			Statement:  aws.String(`INSERT INTO "` + w.pairs + `" VALUE {'pk':?,'sk':?,'g':?,'n':?}`),
			Parameters: []types.AttributeValue{av(pk), av(sk), av("G"), av(1)},
		}
	}
}
