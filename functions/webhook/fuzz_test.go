package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/intake"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/problem"
)

// How FuzzWebhook signs and sends.
const (
	signed       = 1 << iota // by the account's secret, whatever id, time and body are
	amongOthers              // the same, after the fuzzer's own signature
	encoded                  // in base64
	calledBase64             // as it is, and declared to be base64
)

// FuzzWebhook holds that any webhook is answered 200 or 4xx, that a webhook which the
// account did not sign stores nothing, that an order is stored whole or not at all, and
// that neither the response nor the log holds a secret, a key or the customer's data.
func FuzzWebhook(f *testing.F) {
	const at = "1767366245"
	for _, name := range []string{"good_order_paid", "good_order_paid_lines", "good_order_paid_test", "good_order_ignored", "bad_order_paid_quantity", "bad_order_paid_no_json", "bad_order_paid_twice", "bad_order_paid_surrogate", "good_order_paid_lenient", "good_order_left_out"} {
		event := fixture(f, name)
		f.Add([]byte(event.Body), byte(signed), "msg_1", at, "", "acme", "standard")
		f.Add([]byte(event.Body), byte(encoded|amongOthers), "msg_1", at, "v1,AAAA v2,x", "acme", "standard")
		f.Add([]byte(event.Body), byte(0), event.Headers["webhook-id"], at, event.Headers["webhook-signature"], "acme", "standard")
	}
	good := []byte(fixture(f, "good_order_paid").Body)
	f.Add(good, byte(signed), "", at, "", "acme", "standard")
	f.Add(good, byte(signed), "msg.1", "+"+at, "", "acme", "standard")
	f.Add(good, byte(signed), "msg_1", "1767366546", "", "acme", "standard")
	f.Add(good, byte(signed), "msg_1", "-9223372036854775808", "", "acme", "standard")
	f.Add(good, byte(signed|calledBase64), "msg_1", at, "", "acme", "standard")
	f.Add(good, byte(signed), "msg_1", at, "", "Acme", "standard")
	f.Add(good, byte(signed), "msg_1", at, "", "acme#", "paypal")
	f.Fuzz(func(t *testing.T, body []byte, how byte, id, timestamp, signature, merchant, account string) {
		r, content := webhookOf(t, body, how, id, timestamp, signature)
		r.PathParameters = map[string]string{"merchant": merchant, "account": account}
		if merchant != "acme" || account != "standard" || !isGenuine(t, r.Headers, content) {
			strangerIsRefused(t, r, content)
			return
		}
		s := open(t)
		response, logged := answered(t, s.serve, r)
		left := s.left(t)
		switch response.StatusCode {
		case http.StatusBadRequest:
			problemIs(t, response)
			left.is(t, 0, 1, 1)
		case http.StatusOK:
			var told struct {
				Lines   []struct{ Line, State string }
				Ignored bool
			}
			if err := json.Unmarshal([]byte(response.Body), &told); err != nil || told.Ignored != (len(told.Lines) == 0) {
				t.Errorf("answered %v\n%s", err, response.Body)
			}
			left.is(t, len(told.Lines), 0, left.notices)
			for _, line := range told.Lines {
				if want := left.states[line.Line]; order.State(line.State) != want {
					t.Errorf("line %q is answered %s and stands as %s", line.Line, line.State, want)
				}
			}
		default:
			t.Errorf("answered %d %s", response.StatusCode, response.Body)
		}
		discreet(t, content, response.Body+logged)

		again, _ := answered(t, s.serve, r)
		if again.StatusCode != response.StatusCode || again.Body != response.Body {
			t.Errorf("the repeat is answered %d %s, the first %d %s", again.StatusCode, again.Body, response.StatusCode, response.Body)
		}
		if diff := cmp.Diff(left, s.left(t), cmp.AllowUnexported(traces{})); diff != "" {
			t.Errorf("the repeat changed something (-first +again):\n%s", diff)
		}
	})
}

// strangers keeps that an account did not sign a webhook, and a notice of it. To claim or
// to store anything else is a panic, and answered 500.
type strangers struct{ intake.Records }

func (strangers) AddCalls(context.Context, string, string, catalog.Calls) error { return nil }

func (strangers) RaiseNotice(_ context.Context, n notice.Notice) error {
	if n.Kind != notice.NotSigned || n.Merchant != "acme" {
		panic("a stranger raised a notice")
	}
	return nil
}

// strangerIsRefused sends a webhook that the account did not sign.
func strangerIsRefused(t *testing.T, r events.APIGatewayV2HTTPRequest, content []byte) {
	t.Helper()
	key, err := platform.ParseSecret(signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	h := &handler{intake: &intake.Intake{Records: strangers{}, By: "webhook", Now: clock}, accounts: platform.NewAccounts(
		all.Adapters,
		func(_ context.Context, merchant, account string) (catalog.Account, bool, error) {
			return catalog.Account{Merchant: merchant, Name: account, Platform: "standard", Secrets: []catalog.SealedSecret{{CreatedAt: now}}}, merchant == "acme" && account == "standard", nil
		},
		opens(key), clock,
	)}
	response, logged := answered(t, serve(h), r)
	problemIs(t, response)
	want := http.StatusUnauthorized
	if content == nil { // not the base64 that it is called
		want = http.StatusBadRequest
	}
	if response.StatusCode != want {
		t.Errorf("answered %d, want %d", response.StatusCode, want)
	}
	discreet(t, []byte(r.Body), response.Body+logged)
}

// opens opens every secret as this one.
type opens []byte

func (key opens) Unseal(context.Context, string, string, []byte) ([]byte, error) { return key, nil }

func (key opens) UnsealCredential(context.Context, string, string, string, []byte) ([]byte, error) {
	return key, nil
}

// webhookOf makes a webhook, and returns its body as decoded from base64; nil if it is
// declared to be base64 and is not.
func webhookOf(t *testing.T, body []byte, how byte, id, timestamp, signature string) (events.APIGatewayV2HTTPRequest, []byte) {
	t.Helper()
	r := fixture(t, "good_order_paid")
	r.Body, r.IsBase64Encoded = string(body), how&(encoded|calledBase64) != 0
	content := append([]byte{}, body...)
	switch {
	case how&encoded != 0:
		r.Body = base64.StdEncoding.EncodeToString(body)
	case how&calledBase64 != 0:
		var err error
		if content, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			content = nil
		}
	}
	switch good := "v1," + base64.StdEncoding.EncodeToString(mac(t, id, timestamp, content)); {
	case how&amongOthers != 0:
		signature += " " + good
	case how&signed != 0:
		signature = good
	}
	maps.Copy(r.Headers, map[string]string{"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature})
	return r, content
}

// printable are the characters of a webhook's id.
const printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// isGenuine says whether the account's secret signed a body within the last minutes.
func isGenuine(t *testing.T, headers map[string]string, content []byte) bool {
	t.Helper()
	id, timestamp := headers["webhook-id"], headers["webhook-timestamp"]
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strings.Trim(timestamp, "0123456789") != "" || id == "" || len(id) > 256 || strings.Trim(id, printable) != "" || content == nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	return slices.ContainsFunc(strings.Fields(headers["webhook-signature"]), func(signature string) bool {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		return err == nil && strings.HasPrefix(signature, "v1,") && bytes.Equal(given, mac(t, id, timestamp, content))
	})
}

// mac returns the bytes that a signature holds.
func mac(t *testing.T, id, timestamp string, content []byte) []byte {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signingSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(id + "." + timestamp + "."))
	m.Write(content)
	return m.Sum(nil)
}

// answered returns the response to a webhook, and the log of the invocation.
func answered(t *testing.T, serve server, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	defer slog.SetDefault(before)
	response, err := serve(t.Context(), r)
	if err != nil {
		t.Fatalf("the handler did not answer for itself: %v", err)
	}
	return response, log.String()
}

// traces are the items that a webhook left behind.
type traces struct {
	states           map[string]order.State // by the line's name
	claimed          int
	refused, notices int
}

func (s *shop) left(t *testing.T) traces {
	t.Helper()
	books := dynamotest.Audit(t, s.tables)
	left := traces{states: map[string]order.State{}, claimed: books.Claimed}
	for _, item := range dynamotest.Items(t, s.tables.Orders, "") {
		switch pk := item["pk"].(string); {
		case strings.HasPrefix(pk, "refused#"):
			left.refused++
		case strings.HasPrefix(pk, "notice#"):
			left.notices++
		case strings.HasPrefix(item["sk"].(string), "line#"):
			line := books.Lines[strings.TrimPrefix(pk, "order#")+strings.TrimPrefix(item["sk"].(string), "line#")]
			state := order.Waiting
			switch {
			case item["pool"] == nil:
				state = order.Unconnected
			case line.Allocated == line.Wanted:
				state = order.Fulfilled
			}
			left.states[item["line"].(string)] = state
		}
	}
	return left
}

func (l traces) is(t *testing.T, lines, refused, notices int) {
	t.Helper()
	if len(l.states) != lines || l.refused != refused || l.notices != notices || lines == 0 && l.claimed > 0 {
		t.Errorf("there are left %+v; want %d lines, %d refused, %d notices", l, lines, refused, notices)
	}
}

// problemIs holds that a response is a problem (RFC 9457).
func problemIs(t *testing.T, r events.APIGatewayV2HTTPResponse) {
	t.Helper()
	var p problem.Problem
	d := json.NewDecoder(strings.NewReader(r.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || r.Headers["Content-Type"] != "application/problem+json" {
		t.Errorf("a problem of type %q: %v\n%s", r.Headers["Content-Type"], err, r.Body)
	}
	if p.Status != r.StatusCode || p.Title != http.StatusText(p.Status) || p.Detail == "" {
		t.Errorf("answered %d with %+v", r.StatusCode, p)
	}
}

// discreet holds that a text has no secret in it, no key and no data of the customer,
// unless the same text is an order's or a product's name, which is answered.
func discreet(t *testing.T, content []byte, said string) {
	t.Helper()
	for _, secret := range []string{strings.TrimPrefix(signingSecret, "whsec_"), "KEY-00000"} {
		if strings.Contains(said, secret) && !bytes.Contains(content, []byte(secret)) {
			t.Errorf("%q is in: %s", secret, said)
		}
	}
	var b struct {
		Type string
		Data struct {
			Order    string
			Customer map[string]any
			Lines    []struct{ Line, Product string }
		}
	}
	if json.Unmarshal(content, &b) != nil {
		return
	}
	names := []string{b.Type, b.Data.Order}
	for _, line := range b.Data.Lines {
		names = append(names, line.Line, line.Product)
	}
	for field, value := range b.Data.Customer {
		text, ok := value.(string)
		named := slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, text) })
		if ok && len(text) >= 8 && !named && strings.Contains(said, text) {
			t.Errorf("the customer's %s is in: %s", field, said)
		}
	}
}
