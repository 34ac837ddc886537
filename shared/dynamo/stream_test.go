package dynamo_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// TestStreamFilter_passesTheItemsThatAreDue holds the filter against items as they
// are stored.
func TestStreamFilter_passesTheItemsThatAreDue(t *testing.T) {
	t.Parallel()
	var filter struct {
		DynamoDB struct {
			NewImage map[string]map[string][]string `json:"NewImage"`
		} `json:"dynamodb"`
	}
	if err := json.Unmarshal([]byte(dynamo.StreamFilter), &filter); err != nil || len(filter.DynamoDB.NewImage) != 1 {
		t.Fatalf("%v: %s", err, dynamo.StreamFilter)
	}
	passes := func(image map[string]types.AttributeValue) bool {
		for name, values := range filter.DynamoDB.NewImage {
			value, ok := image[name].(*types.AttributeValueMemberS)
			if !ok || !slices.Contains(values["S"], value.Value) {
				return false
			}
		}
		return true
	}
	for state, want := range map[outbox.State]bool{outbox.Due: true, outbox.Sending: false, outbox.Sent: false, outbox.None: false} {
		store, tables := dynamotest.Open(t)
		n := notice.New("nova", notice.LowStock, "x", notice.Facts{}, stockNoon)
		n.Mail.State = state
		if err := store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		out, err := dynamotest.Client(t).Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(tables.Orders)})
		if err != nil || len(out.Items) != 1 {
			t.Fatalf("%v, %d items", err, len(out.Items))
		}
		if got := passes(out.Items[0]); got != want {
			t.Errorf("a notice whose mail is %q: passed %v, want %v", state, got, want)
		}
	}
}

func TestDueMail_readsARecordOfTheStream(t *testing.T) {
	t.Parallel()
	line := order.Identity{Merchant: "nova", Side: pool.Live, Origin: "standard", Order: "1", Line: "1"}.ID()
	linePK, lineSK := "order#"+line.OrderHalf(), "line#"+line.LineHalf()
	due := map[string]events.DynamoDBAttributeValue{"mail": events.NewStringAttribute("due")}
	later := map[string]events.DynamoDBAttributeValue{
		"mail": events.NewStringAttribute("due"), "tryAt": events.NewNumberAttribute("1795435200001"),
	}
	sent := map[string]events.DynamoDBAttributeValue{"mail": events.NewStringAttribute("sent")}
	wrong := map[string]events.DynamoDBAttributeValue{"mail": events.NewNumberAttribute("1")}
	now := time.UnixMilli(1_795_435_200_000)
	for name, c := range map[string]struct {
		pk, sk string
		image  map[string]events.DynamoDBAttributeValue
		now    time.Time
		want   outbox.Item
	}{
		"a line":                   {linePK, lineSK, due, now, outbox.LineItem(string(line))},
		"a notice":                 {"notice#nova#x", "notice", due, now, outbox.NoticeItem("nova#x")},
		"a mail to be tried later": {linePK, lineSK, later, now, outbox.Item{}},
		"its time has come":        {linePK, lineSK, later, now.Add(time.Millisecond), outbox.LineItem(string(line))},
		"a mail that is sent":      {linePK, lineSK, sent, now, outbox.Item{}},
		"no mail at all":           {linePK, lineSK, nil, now, outbox.Item{}},
		"another type":             {linePK, lineSK, wrong, now, outbox.Item{}},
		"history":                  {linePK, "history#" + line.LineHalf() + "#1", due, now, outbox.Item{}},
		"no line's name":           {"order#x", "line#y", due, now, outbox.Item{}},
	} {
		record := events.DynamoDBStreamRecord{
			Keys:     map[string]events.DynamoDBAttributeValue{"pk": events.NewStringAttribute(c.pk), "sk": events.NewStringAttribute(c.sk)},
			NewImage: c.image,
		}
		if got, ok := dynamo.DueMail(record, c.now); got != c.want || ok != (c.want != outbox.Item{}) {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
}
