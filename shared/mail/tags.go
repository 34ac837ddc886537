package mail

import (
	"encoding/base64"
	"strconv"

	"keypool/shared/order"
	"keypool/shared/outbox"
)

// The tags of a mail. SES sends them back with each event about the mail.
const (
	tagLine   = "line"   // the LineID
	tagNotice = "notice" // the notice's ID, in base64url
	tagNumber = "mail"   // counts the mails of the item
)

func lineTags(id order.LineID, number int) map[string]string {
	return map[string]string{tagLine: string(id), tagNumber: strconv.Itoa(number)}
}

func noticeTags(id string, number int) map[string]string {
	return map[string]string{
		tagNotice: base64.RawURLEncoding.EncodeToString([]byte(id)),
		tagNumber: strconv.Itoa(number),
	}
}

// ItemOf returns the item of a mail and the mail's number by its tags. It is false
// for a mail that Keypool did not send.
func ItemOf(tags map[string][]string) (item outbox.Item, number int, ok bool) {
	one := func(name string) string {
		if values := tags[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	number, err := strconv.Atoi(one(tagNumber))
	if err != nil || number < 1 {
		return outbox.Item{}, 0, false
	}
	if id := order.LineID(one(tagLine)); id.Valid() {
		return outbox.LineItem(string(id)), number, true
	}
	id, err := base64.RawURLEncoding.DecodeString(one(tagNotice))
	if err != nil || len(id) == 0 {
		return outbox.Item{}, 0, false
	}
	return outbox.NoticeItem(string(id)), number, true
}
