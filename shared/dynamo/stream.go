package dynamo

import (
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/outbox"
)

// StreamFilter is the pattern of an event source mapping that passes only the
// records of items with a due mail on to the function deliver.
const StreamFilter = `{"dynamodb":{"NewImage":{"` + mailAttribute + `":{"S":["` + string(outbox.Due) + `"]}}}}`

const mailAttribute = "mail" // as the tag in outboxItem

// DueMail returns the item whose mail is due now, as a record of the stream of
// orders shows it. It is false for every other record: one of a mail to be tried
// later, for example.
func DueMail(record events.DynamoDBStreamRecord, now time.Time) (outbox.Item, bool) {
	image := record.NewImage
	if streamText(image[mailAttribute]) != string(outbox.Due) || streamNumber(image["tryAt"]) > millis(now) {
		return outbox.Item{}, false
	}
	key := primaryKey{streamText(record.Keys["pk"]), streamText(record.Keys["sk"])}
	if line, ok := key.line(); ok {
		return outbox.LineItem(string(line)), true
	}
	if notice, ok := key.notice(); ok {
		return outbox.NoticeItem(notice), true
	}
	return outbox.Item{}, false
}

// streamText returns "" for an attribute that is absent or no string.
func streamText(v events.DynamoDBAttributeValue) string {
	if v.DataType() != events.DataTypeString {
		return ""
	}
	return v.String()
}

// streamNumber returns 0 for an attribute that is absent or no whole number.
func streamNumber(v events.DynamoDBAttributeValue) int64 {
	if v.DataType() != events.DataTypeNumber {
		return 0
	}
	n, err := v.Integer()
	if err != nil {
		return 0
	}
	return n
}
