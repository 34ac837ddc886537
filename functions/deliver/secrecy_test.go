package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// Whatever goes wrong with a mail, neither whom it is for nor a key in it stands
// in what the function answers, returns or logs.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	lines := 0
	due := func() order.Fulfillment {
		lines++
		name := fmt.Sprintf("A-%d", lines)
		f := order.Fulfillment{
			ID: order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "standard", Order: name, Line: "1"}.ID(), Version: 1,
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "standard", Origin: "standard", Order: name, Line: "1", Product: lambdatest.Product, Pool: lambdatest.Pool,
			Quantity: 1, Wanted: 1, Allocated: 1, Takes: []pool.Take{{Keys: 1, At: time.Now()}}, ReceivedAt: time.Now(),
			Keys:     []pool.Key{{ID: pool.KeyID(name), Text: pool.Conceal(s.Canaries.New(canary.Key))}},
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)},
			Mail:     outbox.Entry{}.Next(outbox.Keys, time.Now()),
		}
		if err := s.Store.Commit(t.Context(), order.Change{After: f}); err != nil {
			t.Fatal(err)
		}
		return f
	}
	record := func(item outbox.Item) []byte {
		pk, sk := "notice#"+item.ID, "notice"
		if line := order.LineID(item.ID); item.Kind == outbox.Lines {
			pk, sk = "order#"+line.OrderHalf(), "line#"+line.LineHalf()
		}
		change := fmt.Appendf(nil, `{"SequenceNumber":"1","Keys":{"pk":{"S":%q},"sk":{"S":%q}},"NewImage":{"mail":{"S":"due"}}}`, pk, sk)
		var decoded events.DynamoDBStreamRecord
		if err := json.Unmarshal(change, &decoded); err != nil {
			t.Fatal(err)
		}
		if got, ok := dynamo.DueMail(decoded, time.Now()); !ok || got != item {
			t.Fatalf("%s %s is the mail of %+v", pk, sk, got)
		}
		return fmt.Appendf(nil, `{"Records":[{"eventSource":"aws:dynamodb","dynamodb":%s}]}`, change)
	}

	s.RefuseEachCall("a mail to a customer", func() []byte { return record(outbox.LineItem(string(due().ID))) })
	s.RefuseEachCall("a mail from the merchant's own address", func() []byte {
		s.PlantSender(catalog.SenderVerified)
		return record(outbox.LineItem(string(due().ID)))
	})
	notices := 0
	s.RefuseEachCall("a notice to the merchant", func() []byte {
		notices++
		n := notice.New(lambdatest.Merchant, notice.MailFailed, fmt.Sprint(notices), notice.Facts{Orders: []string{"A-1"}, Count: 1}, time.Now())
		if err := s.Store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		return record(outbox.NoticeItem(n.ID))
	})
	token := access.Token{Hash: access.HashToken("a token"), Merchant: lambdatest.Merchant}
	if err := s.Store.PutToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("a notice of a token that expires", func() []byte {
		notices++
		n := notice.New(lambdatest.Merchant, notice.ExpiringToken, fmt.Sprint(notices), notice.Facts{Changed: []notice.Changed{{ID: token.ID()}}}, time.Now())
		if err := s.Store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		return record(outbox.NoticeItem(n.ID))
	})
	if err := s.Store.PutPerson(t.Context(), 0, access.Person{Merchant: lambdatest.Merchant, ID: "ada", Address: s.Canaries.Address(canary.Merchant), Role: access.Owner}, ""); err != nil {
		t.Fatal(err)
	}
	people, _, err := s.Store.People(t.Context(), lambdatest.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	s.RefuseEachCall("a mail to sign in by", func() []byte {
		notices++
		hours := time.Duration(notices) * time.Hour // each within the limits of its hour
		asks := &access.SignIns{Store: s.Store, Counts: s.Store, Now: func() time.Time { return time.Now().Add(hours) }}
		name, err := asks.Ask(t.Context(), people[0].Address, "Firefox on Linux", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		s.Canaries.Add(canary.Token, name)
		return record(outbox.NoticeItem(notice.New("", notice.SignIn, access.HashName(name), notice.Facts{}, time.Now()).ID))
	})
	feedback := func(line order.LineID, kind string, more string) []byte {
		address := s.Canaries.Address(canary.Customer)
		return fmt.Appendf(nil, `{"detail-type":"x","source":"aws.ses","time":%q,"detail":{"eventType":%q,"mail":{"messageId":"0100","destination":[%q],"tags":{"line":[%q],"mail":["1"]}},%s}}`,
			time.Now().UTC().Format(time.RFC3339), kind, address, line, fmt.Sprintf(more, address))
	}
	s.RefuseEachCall("a mail that came back", func() []byte {
		f := due()
		s.Invoke("its sending", record(outbox.LineItem(string(f.ID))))
		return feedback(f.ID, "Bounce", `"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":%q}]}`)
	})
	s.RefuseEachCall("a mail called spam", func() []byte {
		f := due()
		s.Invoke("its sending", record(outbox.LineItem(string(f.ID))))
		return feedback(f.ID, "Complaint", `"complaint":{"complaintFeedbackType":"abuse","complainedRecipients":[{"emailAddress":%q}]}`)
	})
	invitation := func() (notice.Notice, string) {
		notices++
		address := s.Canaries.Address(canary.Merchant)
		n := notice.New(lambdatest.Merchant, notice.Invitation, fmt.Sprint(notices), notice.Facts{Count: 1, Changed: []notice.Changed{{Name: "Grace", ID: "grace", By: "Ada"}}}, time.Now())
		n.To = address
		if err := s.Store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		return n, address
	}
	s.RefuseEachCall("an invitation", func() []byte {
		n, _ := invitation()
		return record(outbox.NoticeItem(n.ID))
	})
	lost := func() (notice.Notice, []byte) {
		n, address := invitation()
		s.Invoke("its sending", record(outbox.NoticeItem(n.ID)))
		return n, fmt.Appendf(nil, `{"detail-type":"x","source":"aws.ses","time":%q,"detail":{"eventType":"Bounce","mail":{"messageId":"0100","destination":[%q],"tags":{"notice":[%q],"mail":["1"]}},"bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":%[2]q}]}}}`,
			time.Now().UTC().Format(time.RFC3339), address, base64.RawURLEncoding.EncodeToString([]byte(n.ID)))
	}
	s.RefuseEachCall("an invitation that came back", func() []byte {
		_, event := lost()
		return event
	})
	s.RefuseEachCall("a notice of an invitation that came back", func() []byte {
		n, event := lost()
		s.Invoke("its news", event)
		told := notice.New(lambdatest.Merchant, notice.LostInvitation, n.ID, notice.Facts{}, time.Now())
		if there, ok, err := s.Store.Notice(t.Context(), told.ID); err != nil || !ok || there.Facts.Address != n.To {
			t.Fatalf("nobody is told: %v, %v", ok, err)
		}
		return record(outbox.NoticeItem(told.ID))
	})

	key, customer := s.Canaries.New(canary.Key), s.Canaries.Address(canary.Customer)
	for _, image := range []string{
		`"` + key + `"`, `{"mail":{"` + key + `":"due"}}`, `{"mail":{"S":"due"},"keys":{"Z":"` + key + `"}}`, `{"mail":{"S":"due"},"tryAt":{"N":"` + key + `"}}`,
		`{"mail":{"S":"due"},"keys":{"B":"` + key + `?"}}`, `{"mail":{"S":"due"},"keys":{"SS":"` + key + `"}}`, `{"mail":{"S":{"S":"` + customer + `"}}}`,
	} {
		s.Invoke("a record that cannot be read", []byte(`{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"Keys":{"pk":{"S":"`+key+`"},"sk":{"S":"x"}},"NewImage":`+image+`}}]}`))
	}
	for _, event := range []string{
		`"` + key + `"`, `{"Records":"` + key + `"}`, `{"time":"` + key + `","detail":{"eventType":"Bounce"}}`, `{"detail":{"eventType":"Bounce","mail":{"destination":"` + customer + `","tags":"` + customer + `"}}}`,
		`{"detail":{"eventType":"Bounce","mail":{"destination":["` + customer + `"],"tags":{"line":["` + customer + `"],"mail":["` + key + `"]}}}}`,
		`{"detail":{"eventType":"Bounce","mail":{"tags":{"line":["` + base64.StdEncoding.EncodeToString([]byte(customer)) + `"],"mail":["1"]}}}}`,
	} {
		s.Invoke("an event that cannot be read", []byte(event))
	}
}
