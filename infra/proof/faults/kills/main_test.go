//go:build deployment

package kills

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/results"
)

// timeout is the longest wait for something that happens by itself.
const timeout = 3 * time.Minute

var record = flag.Bool("record", false, "write the results into RESULTS.md")

//go:embed gate.py
var gates []byte

// world is the deployment under test.
var world struct {
	machine *machine.Machine
	shop    *shop.Shop
	outputs map[string]string
	page    strings.Builder
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if *record && flag.Lookup("test.run").Value.String() != "" {
		fmt.Fprintln(os.Stderr, "the results of some of the tests are not recorded: leave out -run or -record")
		return 1
	}
	ctx := context.Background()
	defer func() {
		if world.machine != nil {
			world.machine.Remove(ctx)
		}
	}()
	if err := deploy(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "the deployment to be killed:", err)
		return 1
	}
	code := m.Run()
	if code == 0 && *record {
		text := "| killed, or repeated | result |\n|---|---|\n" + world.page.String()
		if err := results.Write("kills", "make faults", text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// deploy makes a machine for this run alone.
func deploy(ctx context.Context) error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	if world.machine, err = machine.OpenNew(checkout, "kills"); err != nil {
		return err
	}
	world.machine.Starter = gates
	if err := os.MkdirAll(filepath.Join(world.machine.Home, "gates"), 0o700); err != nil {
		return err
	}
	world.shop, world.outputs, err = shop.Open(ctx, world.machine, os.Stderr)
	return err
}

// addResult adds a row to the page.
func addResult(t *testing.T, what, of string, args ...any) {
	t.Logf(what+": "+of, args...)
	fmt.Fprintf(&world.page, "| %s | %s |\n", what, fmt.Sprintf(of, args...))
}

// gate is a call that the emulator holds back.
type gate struct {
	t    *testing.T
	path string // without its ending
}

// hold lets calls pass whose body contains a text, as many as after says, and holds
// back the next.
func hold(t *testing.T, call, text string, after int) *gate {
	t.Helper()
	g := &gate{t: t, path: filepath.Join(world.machine.Home, "gates", strings.ToLower(rand.Text()[:8]))}
	content, err := json.Marshal(map[string]any{"call": call, "holds": text, "after": after})
	if err != nil {
		t.Fatal(err)
	}
	// Renamed into place, so that the emulator never reads half a file.
	if err := errors.Join(os.WriteFile(g.path, content, 0o600), os.Rename(g.path, g.path+".json")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(g.path + ".json"); os.Remove(g.path + ".held") })
	return g
}

// kill waits until the call is held, kills all processes of the function, and
// releases the answer.
func (g *gate) kill(function string) {
	g.t.Helper()
	err := shop.Await(g.t.Context(), timeout, "the call to be held", func() (bool, error) {
		_, err := os.Stat(g.path + ".held")
		return err == nil, nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	running, err := world.machine.Functions()
	if err != nil {
		g.t.Fatal(err)
	}
	killed := 0
	for _, f := range running {
		if f.Name == world.outputs[function+"Function"] && syscall.Kill(f.PID, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		g.t.Fatalf("no process of %s was there to be killed", function)
	}
	if err := os.Remove(g.path + ".held"); err != nil {
		g.t.Fatal(err)
	}
}

// items reads a table whole.
func items(t *testing.T, output string) []map[string]any {
	t.Helper()
	var all []map[string]any
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(world.shop.AWS), &dynamodb.ScanInput{
		TableName: aws.String(world.outputs[output]), ConsistentRead: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var some []map[string]any
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &some); err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

// audit waits until no work is left, reads the tables whole and checks that they
// agree. Counts made after it are final: no mail is on its way.
func audit(t *testing.T) {
	t.Helper()
	var left []string
	err := shop.Await(t.Context(), timeout, "nothing being left to do", func() (bool, error) {
		left = unfinished(t)
		return len(left) == 0, nil
	})
	if err != nil {
		t.Fatalf("%v:\n%s", err, strings.Join(left, "\n"))
	}
	if _, problems := dynamotest.Balance(items(t, "OrdersTable"), items(t, "KeysTable")); len(problems) > 0 {
		t.Errorf("the books do not balance:\n%s", strings.Join(problems, "\n"))
	}
}

// unfinished lists the work that is left: mails and files.
func unfinished(t *testing.T) []string {
	t.Helper()
	var left []string
	for _, item := range items(t, "OrdersTable") {
		if state := item["mail"]; state == "due" || state == "sending" {
			left = append(left, fmt.Sprintf("the mail of %s %s is %s", item["pk"], item["sk"], state))
		}
	}
	for _, item := range items(t, "CatalogTable") {
		if strings.HasPrefix(item["pk"].(string), "uploads#") && item["state"] != "finished" {
			left = append(left, fmt.Sprintf("upload %s is %s", item["sk"], item["state"]))
		}
	}
	return left
}

// anHourLater makes everything that is due or leased overdue, and sweeps.
func anHourLater(t *testing.T) {
	t.Helper()
	client := dynamodb.NewFromConfig(world.shop.AWS)
	long := &types.AttributeValueMemberN{Value: "1"}
	for _, item := range items(t, "OrdersTable") {
		if _, due := item["dueAt"]; !due {
			continue
		}
		update := &dynamodb.UpdateItemInput{
			TableName: aws.String(world.outputs["OrdersTable"]),
			Key: map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: item["pk"].(string)}, "sk": &types.AttributeValueMemberS{Value: item["sk"].(string)},
			},
			UpdateExpression:          aws.String("SET dueAt = :long"),
			ConditionExpression:       aws.String("attribute_exists(dueAt)"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":long": long},
		}
		if _, leased := item["leaseEndsAt"]; leased {
			update.UpdateExpression = aws.String("SET dueAt = :long, leaseEndsAt = :long")
		}
		_, err := client.UpdateItem(t.Context(), update)
		var notDue *types.ConditionalCheckFailedException
		if err != nil && !errors.As(err, &notDue) {
			t.Fatal(err)
		}
	}
	invoke(t, "Sweep", []byte("{}"))
}

// invoke runs a function with an event.
func invoke(t *testing.T, function string, event []byte) {
	t.Helper()
	out, err := lambda.NewFromConfig(world.shop.AWS).Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(world.outputs[function+"Function"]), Payload: event,
	})
	if err == nil && out.FunctionError != nil {
		err = fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
	}
	if err != nil {
		t.Errorf("%s: %v", function, err)
	}
}

// merchant is the merchant of one test.
type merchant struct {
	t *testing.T
	shop.Account
	token, notices, name string
}

func newMerchant(t *testing.T) *merchant {
	t.Helper()
	m := &merchant{t: t, name: "m" + strings.ToLower(rand.Text()[:8])}
	m.notices = m.name + "@merchants.example"
	never := 0
	made, err := world.shop.SetUp(t.Context(), shop.Setup{
		Merchant: m.name, Title: m.name, Notices: m.notices, Pool: m.name, LowStock: &never, Product: m.name, ProductTitle: m.name, MaxKeys: 1000,
		Token: shop.NewToken{Name: "kills", Scopes: []string{"settings", "secrets", "orders:read", "orders:write"}, Days: 1, PerMinute: 6000}, // a longer one has a mail due, a week before it expires
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Account, m.token = made.Account, made.Token.Text
	return m
}

// drop drops a file of n new keys and returns its name in the bucket.
func (m *merchant) drop(n int) string {
	m.t.Helper()
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "KEY-" + m.name + "-" + rand.Text()
	}
	name := "uploads/" + m.name + "/" + m.name + "/" + strings.ToLower(rand.Text()[:8]) + ".txt"
	if err := world.shop.Drop(m.t.Context(), name, []byte(strings.Join(keys, "\n"))); err != nil {
		m.t.Fatal(err)
	}
	return name
}

// loaded waits until a file is loaded.
func (m *merchant) loaded(name string, want int) {
	m.t.Helper()
	u, err := world.shop.AwaitUpload(m.t.Context(), timeout, m.token, filepath.Base(name), "finished")
	if err != nil {
		m.t.Fatal(err)
	}
	if u.Accepted != want || len(u.Duplicates)+len(u.Refused) > 0 {
		m.t.Errorf("of %d keys %d were accepted, duplicates %v, refused %v", want, u.Accepted, u.Duplicates, u.Refused)
	}
}

func (m *merchant) order(quantity int) shop.Order {
	return shop.Order{
		ID: rand.Text()[:12], Email: strings.ToLower(rand.Text()[:12]) + "@customers.example", Name: "Ada Byron", Currency: "EUR", Language: "en",
		Lines: []shop.Line{{ID: "1", Product: m.name, Quantity: quantity, UnitPrice: "29.90"}},
	}
}

// report reports the order until it is answered, and returns the state of its line.
func (m *merchant) report(o shop.Order) string {
	m.t.Helper()
	var state string
	err := shop.Await(m.t.Context(), timeout, "the answer to an order", func() (bool, error) {
		reply, _, err := world.shop.Pay(m.t.Context(), m.Account, o)
		if err == nil {
			state = reply.Lines[0].State
		}
		return err == nil, err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return state
}

// refunded is the event that a whole order was refunded.
func refunded(number, refund string) []byte {
	return fmt.Appendf(nil, `{"type":"order.refunded","data":{"order":%q,"refund":%q}}`, number, refund)
}

// disputed is the event that a dispute of an order has come to a state.
func disputed(number, dispute, state string) []byte {
	return fmt.Appendf(nil, `{"type":"order.disputed","data":{"order":%q,"dispute":%q,"state":%q}}`, number, dispute, state)
}

// send sends an event once, as the platform does.
func (m *merchant) send(event []byte) error {
	request, err := m.Sign(event, time.Now())
	if err != nil {
		return err
	}
	answer, err := world.shop.Do(m.t.Context(), request)
	if err != nil {
		return err
	}
	return answer.Refused()
}

// answered sends an event until it is answered.
func (m *merchant) answered(event []byte) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), timeout, "the answer to an event", func() (bool, error) {
		err := m.send(event)
		return err == nil, err
	})
	if err != nil {
		m.t.Error(err)
	}
}

// dropDisputes calls the API once to drop the disputes of an order.
func (m *merchant) dropDisputes(o shop.Order, reason string) error {
	return world.shop.Ask(m.t.Context(), m.token, http.MethodPost, "/v1/orders/"+o.ID+"/release", map[string]any{"disputes": true, "reason": reason}, nil)
}

// disputesDropped calls the API to drop the disputes of an order until it is answered.
func (m *merchant) disputesDropped(o shop.Order, reason string) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), timeout, "the answer to a drop", func() (bool, error) {
		err := m.dropDisputes(o, reason)
		return err == nil, err
	})
	if err != nil {
		m.t.Error(err)
	}
}

// releases are the reasons for which the history of an order says that it was released.
func (m *merchant) releases(o shop.Order) []string {
	m.t.Helper()
	var found struct {
		Items []struct {
			Timeline []struct{ What, Code string }
		}
	}
	if err := world.shop.Ask(m.t.Context(), m.token, http.MethodGet, "/v1/orders/"+o.ID, nil, &found); err != nil {
		m.t.Fatal(err)
	}
	var why []string
	for _, order := range found.Items {
		for _, event := range order.Timeline {
			if event.What == "released" {
				why = append(why, event.Code)
			}
		}
	}
	slices.Sort(why)
	return why
}

// line returns the order's only line.
func (m *merchant) line(o shop.Order) shop.OrderLine {
	m.t.Helper()
	lines, err := world.shop.OrderLines(m.t.Context(), m.token, o.ID)
	if err != nil || len(lines) != 1 {
		m.t.Fatalf("the order has %d lines: %v", len(lines), err)
	}
	return lines[0]
}

// fulfilled reports the order until it is fulfilled.
func (m *merchant) fulfilled(o shop.Order) {
	m.t.Helper()
	var last string
	err := shop.Await(m.t.Context(), timeout, "the order's last key", func() (bool, error) {
		last = m.report(o)
		return last == "fulfilled", nil
	})
	if err != nil {
		m.t.Fatalf("%v (the order is %q)", err, last)
	}
}

// mailed waits for the mails of the order. Each must hold that many keys, each key
// once.
func (m *merchant) mailed(o shop.Order, mails, keys int) {
	m.t.Helper()
	find := func() []shop.Mail {
		all, err := world.shop.Mails(m.t.Context())
		if err != nil {
			m.t.Fatal(err)
		}
		return shop.To(all, o.Email)
	}
	if err := shop.Await(m.t.Context(), timeout, "the customer's mail", func() (bool, error) { return len(find()) >= mails, nil }); err != nil {
		m.t.Fatal(err)
	}
	found := find()
	if len(found) != mails {
		m.t.Errorf("order of %d: %d mails, want %d", keys, len(found), mails)
	}
	for _, mail := range found {
		var listed []string
		for word := range strings.FieldsSeq(mail.Text) {
			if strings.HasPrefix(word, "KEY-"+m.name) {
				listed = append(listed, word)
			}
		}
		slices.Sort(listed)
		if n := len(slices.Compact(listed)); n != keys {
			m.t.Errorf("a mail of %d keys has %d", keys, n)
		}
	}
}

// mailSent waits until the order's mail is sent or delivered.
func (m *merchant) mailSent(o shop.Order) {
	m.t.Helper()
	m.mailIs(o, "sent", "delivered")
}

// mailDelivered waits until the order's mail is delivered: nothing more is written of it then.
func (m *merchant) mailDelivered(o shop.Order) {
	m.t.Helper()
	m.mailIs(o, "delivered")
}

func (m *merchant) mailIs(o shop.Order, states ...string) {
	m.t.Helper()
	err := shop.Await(m.t.Context(), timeout, "the mail's end showing in the order", func() (bool, error) {
		lines, err := world.shop.OrderLines(m.t.Context(), m.token, o.ID)
		return err == nil && len(lines) == 1 && lines[0].Delivery != nil && slices.Contains(states, lines[0].Delivery.State), err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}
