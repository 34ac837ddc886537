package dynamosim_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var (
	seed  = flag.Uint64("seed", 0, "repeats the random calls of this seed")
	steps = flag.Int("steps", 1000, "how many random calls")
)

// TestDifferential asks the model and the engine the same at random, over few
// keys, so that the calls meet each other, and wants the same answer to each call
// and the same tables in the end.
func TestDifferential(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("again with: go test ./infra/proof/dynamosim -run TestDifferential -seed %d", *seed)
	g := &generator{rand.New(rand.NewPCG(*seed, 0))}
	model, reference := engines(t)
	answers := map[string]int{}
	for n := range *steps {
		s := g.step()
		m, r := s.answer(model), s.answer(reference)
		if m != r {
			t.Fatalf("call %d: %s\nthe model answers  %s\nthe reference answers  %s", n, s.name, m, r)
		}
		kind, _, _ := strings.Cut(s.name, " ")
		if strings.HasPrefix(m, "ValidationException") {
			answers["refused"]++
		}
		answers[kind]++
		if n%100 == 99 {
			if m, r := model.content(t), reference.content(t); m != r {
				t.Fatalf("after call %d: %s\nthe model holds\n%s\nthe reference\n%s", n, s.name, m, r)
			}
		}
	}
	t.Logf("%v", answers)
	if answers["refused"] > *steps/2 {
		t.Errorf("%d of %d calls were refused: they say little", answers["refused"], *steps)
	}
}

// step is a call at random, which can be made on several engines.
type step struct {
	name string
	do   func(w world) (any, error)
}

func (s step) answer(w world) string { return told(s.do(w)) }

type generator struct{ *rand.Rand }

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) key() item {
	return item{"pk": pick(g, "a", "b", "c"), "sk": pick(g, "1", "2", "3", "31")}
}

// item is a whole item, with or without what the indexes want.
func (g *generator) item() item {
	i := g.key()
	if g.IntN(3) > 0 {
		i["g"] = pick(g, "G", "H")
	}
	if g.IntN(3) > 0 {
		i["n"] = g.number()
	}
	for _, name := range []string{"note", "m", "set", "flag", "x"} {
		if g.IntN(3) == 0 {
			i[name] = g.value()
		}
	}
	return i
}

func (g *generator) number() any {
	return pick[any](g, g.IntN(12), -3, number("2.5"), number("1e2"), number("0.5"), number("100"), number("12345678901234567890"))
}

func (g *generator) value() any {
	return pick[any](g, "text", "tex", "", g.number(), g.number(), true, nil, []byte("raw"), texts{"p", "q"}, numbers{"1", "2"},
		item{"k": g.number()}, item{"k": "deep", "l": item{"k": 1}}, []any{"el", 1})
}

func (g *generator) path() string {
	return pick(g, "n", "note", "m", "m.k", "m.l", "m.l.k", "#set", "flag", "x", "g", "nowhere")
}

var placed = map[string]string{"#set": "set"}

// bound gathers the placeholders that expressions use.
type bound struct {
	values item
	names  map[string]string
}

func newBound() *bound { return &bound{item{}, map[string]string{}} }

func (b *bound) value(v any) string {
	name := fmt.Sprintf(":v%d", len(b.values))
	b.values[name] = v
	return name
}

func (b *bound) path(path string) string {
	if full, ok := placed[path]; ok {
		b.names[path] = full
	}
	return path
}

func (b *bound) nameMap() map[string]string {
	if len(b.names) == 0 {
		return nil
	}
	return b.names
}

func (b *bound) valueMap() map[string]types.AttributeValue {
	if len(b.values) == 0 {
		return nil
	}
	return b.values.av()
}

func (g *generator) operand(b *bound) string {
	if g.IntN(2) == 0 {
		return b.path(g.path())
	}
	return b.value(g.value())
}

func (g *generator) condition(b *bound, depth int) string {
	if depth > 0 {
		switch g.IntN(5) {
		case 0:
			return g.condition(b, depth-1) + " AND " + g.condition(b, depth-1)
		case 1:
			return g.condition(b, depth-1) + " OR " + g.condition(b, depth-1)
		case 2:
			return "NOT " + g.condition(b, depth-1)
		}
	}
	path := b.path(g.path())
	switch g.IntN(8) {
	case 0:
		return "attribute_exists(" + path + ")"
	case 1, 2:
		return "attribute_not_exists(" + path + ")"
	case 3:
		return "begins_with(" + path + ", " + b.value(pick[any](g, "te", "text", []byte("ra"))) + ")"
	case 4:
		return path + " BETWEEN " + b.value(pick[any](g, 0, number("2.5"))) + " AND " + b.value(pick[any](g, 5, 200))
	case 5:
		return path + " " + pick(g, "<", "<=", ">", ">=") + " " + b.value(pick[any](g, g.number(), "tex", []byte("rax")))
	default:
		return path + " " + pick(g, "=", "<>") + " " + g.operand(b)
	}
}

func (g *generator) maybeCondition(b *bound) *string {
	if g.IntN(2) == 0 {
		return nil
	}
	return aws.String(g.condition(b, 2))
}

func (g *generator) update(b *bound) string {
	paths := []string{"n", "note", "m", "m.k", "m.l", "#set", "flag", "x", "g", "nowhere"}
	g.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	next := func(verb string) string {
		if verb == "ADD" || verb == "DELETE" { // see term
			paths = slices.DeleteFunc(paths, func(path string) bool { return path == "g" })
		}
		if paths[0] == "m" && g.IntN(3) > 0 { // it would overlap with its parts
			paths = paths[1:]
		}
		path := paths[0]
		paths = paths[1:]
		return b.path(path)
	}
	var clauses []string
	for _, verb := range []string{"SET", "REMOVE", "ADD", "DELETE"} {
		if g.IntN(2) == 0 && !(verb == "DELETE" && clauses == nil) {
			continue
		}
		var parts []string
		for range 1 + g.IntN(2) {
			path := next(verb)
			switch verb {
			case "SET":
				parts = append(parts, path+" = "+g.term(b, path))
			case "REMOVE":
				parts = append(parts, path)
			case "ADD":
				parts = append(parts, path+" "+b.value(pick[any](g, g.number(), g.number(), texts{"q", "r"}, numbers{"2", "3"})))
			case "DELETE":
				parts = append(parts, path+" "+b.value(pick[any](g, texts{"q", "r"}, texts{"p", "q"}, numbers{"2", "3"})))
			}
		}
		clauses = append(clauses, verb+" "+strings.Join(parts, ", "))
	}
	g.Shuffle(len(clauses), func(i, j int) { clauses[i], clauses[j] = clauses[j], clauses[i] })
	return strings.Join(clauses, " ")
}

func (g *generator) term(b *bound, path string) string {
	if path == "g" {
		return b.value(pick(g, "G", "H")) // an index key: DynamoDB Local takes any type for it
	}
	if path == "n" {
		return pick(g, "if_not_exists(n, "+b.value(g.number())+")", "if_not_exists(n, "+b.value(0)+") + "+b.value(g.number()))
	}
	switch g.IntN(4) {
	case 0:
		return "if_not_exists(" + b.path(g.path()) + ", " + b.value(0) + ") " + pick(g, "+", "-") + " " + b.value(g.number())
	case 1:
		return b.path(g.path())
	default:
		return b.value(g.value())
	}
}

func (g *generator) step() step {
	switch g.IntN(12) {
	case 0, 1:
		return g.putItem()
	case 2, 3, 4:
		return g.updateItem()
	case 5:
		return g.deleteItem()
	case 6, 7:
		return g.transaction()
	case 8:
		return g.statements()
	case 9, 10:
		return g.query()
	default:
		return g.batchGet()
	}
}

const showOld = types.ReturnValuesOnConditionCheckFailureAllOld

func (g *generator) putItem() step {
	b, i := newBound(), g.item()
	condition := g.maybeCondition(b)
	name := fmt.Sprintf("PutItem %v if %s %v", i, aws.ToString(condition), b.values)
	return step{name, func(w world) (any, error) {
		return w.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &w.pairs, Item: i.av(), ConditionExpression: condition, ReturnValues: types.ReturnValueAllOld,
			ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(), ReturnValuesOnConditionCheckFailure: showOld,
		})
	}}
}

func (g *generator) updateItem() step {
	b, key := newBound(), g.key()
	expression, condition := g.update(b), g.maybeCondition(b)
	name := fmt.Sprintf("UpdateItem %v %s if %s %v", key, expression, aws.ToString(condition), b.values)
	returns := pick(g, types.ReturnValueAllOld, types.ReturnValueAllNew, types.ReturnValueNone)
	return step{name, func(w world) (any, error) {
		return w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &w.pairs, Key: key.av(), UpdateExpression: &expression, ConditionExpression: condition, ReturnValues: returns,
			ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(), ReturnValuesOnConditionCheckFailure: showOld,
		})
	}}
}

func (g *generator) deleteItem() step {
	b, key := newBound(), g.key()
	condition := g.maybeCondition(b)
	name := fmt.Sprintf("DeleteItem %v if %s %v", key, aws.ToString(condition), b.values)
	return step{name, func(w world) (any, error) {
		return w.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &w.pairs, Key: key.av(), ConditionExpression: condition, ReturnValues: types.ReturnValueAllOld,
			ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(), ReturnValuesOnConditionCheckFailure: showOld,
		})
	}}
}

// transaction writes each item once; what its updates do is right for any item,
// since DynamoDB Local does not say by position what is wrong with one.
func (g *generator) transaction() step {
	var (
		writes []func(w world) types.TransactWriteItem
		names  []string
		used   []string
	)
	for range 1 + g.IntN(5) {
		b, i := newBound(), g.item()
		key := item{"pk": i["pk"], "sk": i["sk"]}
		if id := fmt.Sprint(key); slices.Contains(used, id) {
			continue
		} else {
			used = append(used, id)
		}
		switch g.IntN(4) {
		case 0:
			condition := g.maybeCondition(b)
			names = append(names, fmt.Sprintf("put %v if %s %v", i, aws.ToString(condition), b.values))
			writes = append(writes, func(w world) types.TransactWriteItem {
				return types.TransactWriteItem{Put: &types.Put{
					TableName: &w.pairs, Item: i.av(), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: showOld,
					ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(),
				}}
			})
		case 1:
			expression := fmt.Sprintf("SET x = %s, n = if_not_exists(n, %s) REMOVE %s", b.value(g.value()), b.value(g.number()), pick(g, "g", "note", "flag"))
			condition := g.maybeCondition(b)
			names = append(names, fmt.Sprintf("update %v %s if %s %v", key, expression, aws.ToString(condition), b.values))
			writes = append(writes, func(w world) types.TransactWriteItem {
				return types.TransactWriteItem{Update: &types.Update{
					TableName: &w.pairs, Key: key.av(), UpdateExpression: &expression, ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: showOld,
					ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(),
				}}
			})
		case 2:
			condition := g.maybeCondition(b)
			names = append(names, fmt.Sprintf("delete %v if %s %v", key, aws.ToString(condition), b.values))
			writes = append(writes, func(w world) types.TransactWriteItem {
				return types.TransactWriteItem{Delete: &types.Delete{
					TableName: &w.pairs, Key: key.av(), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: showOld,
					ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(),
				}}
			})
		default:
			condition := g.condition(b, 1)
			names = append(names, fmt.Sprintf("check %v if %s %v", key, condition, b.values))
			writes = append(writes, func(w world) types.TransactWriteItem {
				return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
					TableName: &w.pairs, Key: key.av(), ConditionExpression: &condition, ReturnValuesOnConditionCheckFailure: showOld,
					ExpressionAttributeNames: b.nameMap(), ExpressionAttributeValues: b.valueMap(),
				}}
			})
		}
	}
	return step{"TransactWriteItems " + strings.Join(names, "; "), transact(writes...)}
}

func (g *generator) statements() step {
	var (
		inserts []func(world) types.BatchStatementRequest
		names   []string
	)
	for range 1 + g.IntN(4) {
		key := g.key()
		if name := fmt.Sprint(key); !slices.Contains(names, name) {
			names = append(names, name)
			inserts = append(inserts, insert(key["pk"].(string), key["sk"].(string)))
		}
	}
	return step{"BatchExecuteStatement " + strings.Join(names, " "), statements(inserts...)}
}

// query reads a partition of the table, or of the index by pages; entries of an
// index that have the same key come in any order, so a page of it is not cut.
func (g *generator) query() step {
	b := newBound()
	in := dynamodb.QueryInput{ScanIndexForward: aws.Bool(g.IntN(2) == 0)}
	if g.IntN(3) > 0 {
		condition := "pk = " + b.value(pick(g, "a", "b", "c"))
		switch g.IntN(4) {
		case 0:
			condition += " AND begins_with(sk, " + b.value(pick(g, "3", "2", "9")) + ")"
		case 1:
			condition += " AND sk " + pick(g, "<", "<=", ">", ">=", "=") + " " + b.value(pick(g, "0", "1", "2", "3", "35"))
		case 2:
			condition += " AND sk BETWEEN " + b.value(pick(g, "0", "1", "2")) + " AND " + b.value(pick(g, "3", "31"))
		}
		in.KeyConditionExpression = &condition
		if g.IntN(2) == 0 {
			in.Limit = aws.Int32(int32(1 + g.IntN(3)))
		}
	} else {
		condition := "g = " + b.value(pick(g, "G", "H"))
		if g.IntN(2) == 0 {
			condition += " AND n " + pick(g, "<", "<=", ">", ">=", "=") + " " + b.value(g.number())
		}
		in.KeyConditionExpression, in.IndexName = &condition, aws.String("byNumber")
	}
	switch g.IntN(4) {
	case 0:
		in.Select = types.SelectCount
	case 1:
		in.ProjectionExpression = aws.String("pk, sk, note")
	}
	if g.IntN(3) == 0 {
		path := pick(g, "note", "x", "flag", "m.k")
		in.FilterExpression = aws.String(pick(g, "attribute_exists("+path+")", path+" = "+b.value("text"), "NOT "+path+" <> "+b.value(5)))
	}
	in.ExpressionAttributeValues = b.valueMap()
	name := fmt.Sprintf("Query %s %s filter %s limit %d %v", aws.ToString(in.IndexName), *in.KeyConditionExpression, aws.ToString(in.FilterExpression), aws.ToInt32(in.Limit), b.values)
	return step{name, func(w world) (any, error) {
		in := in
		in.TableName = &w.pairs
		var pages []string
		for {
			out, err := w.Query(ctx, &in)
			if err != nil {
				return nil, err
			}
			if in.IndexName != nil {
				slices.SortFunc(out.Items, func(a, b map[string]types.AttributeValue) int { return strings.Compare(showItem(a), showItem(b)) })
			}
			// A page that was full may be the last: DynamoDB does not look further,
			// DynamoDB Local sometimes does.
			if in.ExclusiveStartKey = out.LastEvaluatedKey; out.ScannedCount > 0 {
				out.LastEvaluatedKey = nil
				pages = append(pages, told(out, nil))
			}
			if in.ExclusiveStartKey == nil {
				return pagesRead(pages), nil
			}
		}
	}}
}

type pagesRead []string

func (g *generator) batchGet() step {
	var keys []item
	for _, pk := range []string{"a", "b", "c"} {
		for _, sk := range []string{"1", "2", "3", "31"} {
			if g.IntN(2) == 0 {
				keys = append(keys, item{"pk": pk, "sk": sk})
			}
		}
	}
	projection := pick(g, "", "pk, m.k, note", "m.l.k, x")
	return step{fmt.Sprintf("BatchGetItem %v %s", keys, projection), func(w world) (any, error) { return batchGet(w, projection, keys) }}
}
