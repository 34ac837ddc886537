package ses

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync/atomic"
	"testing"

	"keypool/shared/mail"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

var letter = mail.Message{
	From:    netmail.Address{Name: "Nova Söftware", Address: "keys@keypool.example"},
	To:      netmail.Address{Name: "Anna Berg", Address: "anna@example.com"},
	ReplyTo: "help@bücher.example",
	Subject: "Dein Schlüssel",
	Text:    "KEY-1\n",
	HTML:    "<p>KEY-1</p>",
	Attached: []mail.Attachment{
		{Name: "license-keys-55.txt", Type: "text/plain; charset=utf-8", Content: []byte("KEY-1\n")},
	},
	Tags: map[string]string{"mail": "2", "line": "axOovseYHr79uPME1b0Sg94WIEyY_4RnlKMGI6sRGSJ5"},
}

// open returns a Client whose SES is a handler of the test.
func open(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return at(server.URL)
}

func at(endpoint string) *Client {
	return Open(aws.Config{
		Region:       "eu-central-1",
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint: aws.String(endpoint),
	}, "keypool-mail")
}

func TestSend_request(t *testing.T) {
	var got map[string]any
	client := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/email/outbound-emails" {
			t.Errorf("path %s", r.URL.Path)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		io.WriteString(w, `{"MessageId":"0100018c"}`)
	})
	id, err := client.Send(t.Context(), letter)
	if id != "0100018c" || err != nil {
		t.Fatalf("got %q, %v", id, err)
	}
	text := func(s string) map[string]any { return map[string]any{"Data": s, "Charset": "UTF-8"} }
	want := map[string]any{
		"FromEmailAddress":     "=?utf-8?q?Nova_S=C3=B6ftware?= <keys@keypool.example>",
		"Destination":          map[string]any{"ToAddresses": []any{`"Anna Berg" <anna@example.com>`}},
		"ReplyToAddresses":     []any{"help@xn--bcher-kva.example"},
		"ConfigurationSetName": "keypool-mail",
		"EmailTags": []any{
			map[string]any{"Name": "line", "Value": "axOovseYHr79uPME1b0Sg94WIEyY_4RnlKMGI6sRGSJ5"},
			map[string]any{"Name": "mail", "Value": "2"},
		},
		"Content": map[string]any{"Simple": map[string]any{
			"Subject": text("Dein Schlüssel"),
			"Body":    map[string]any{"Text": text("KEY-1\n"), "Html": text("<p>KEY-1</p>")},
			"Headers": []any{
				map[string]any{"Name": "Auto-Submitted", "Value": "auto-generated"},
				map[string]any{"Name": "X-Auto-Response-Suppress", "Value": "OOF, AutoReply"},
			},
			"Attachments": []any{map[string]any{
				"FileName": "license-keys-55.txt", "ContentType": "text/plain; charset=utf-8",
				"ContentDisposition": "ATTACHMENT", "ContentTransferEncoding": "BASE64", "RawContent": "S0VZLTEK",
			}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
}

// Every mail says that a program wrote it. It names nothing that SES would sign for another
// domain than that of its sender, and none of the headers that SES makes itself.
func TestSend_headersOfEveryMail(t *testing.T) {
	t.Parallel()
	client := at("http://127.0.0.1")
	own := letter
	own.From.Address, own.ReplyTo, own.Merchant = "keys@nova.example", "", "nova"
	for _, m := range []mail.Message{letter, own} {
		request := client.request(m)
		if got := aws.ToString(request.FromEmailAddress); !strings.HasSuffix(got, "<"+m.From.Address+">") {
			t.Errorf("from %s", got)
		}
		if request.FromEmailAddressIdentityArn != nil || request.FeedbackForwardingEmailAddress != nil {
			t.Errorf("another identity than the sender's domain: %+v", request)
		}
		if (len(request.ReplyToAddresses) > 0) != (m.ReplyTo != "") {
			t.Errorf("answers go to %q", request.ReplyToAddresses)
		}
		headers := map[string]string{}
		for _, h := range request.Content.Simple.Headers {
			headers[aws.ToString(h.Name)] = aws.ToString(h.Value)
		}
		if diff := cmp.Diff(map[string]string{"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply"}, headers); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRecipient(t *testing.T) {
	for address, want := range map[string]string{
		"anna@example.com":     "<anna@example.com>",
		"anna@Example.COM":     "<anna@Example.COM>",
		"anna@bücher.example":  "<anna@xn--bcher-kva.example>",
		"anna@Bücher.Example":  "<anna@xn--bcher-kva.example>",
		"anna@[127.0.0.1]":     "<anna@[127.0.0.1]>",
		`"a@b"@bücher.example`: `<"a@b"@xn--bcher-kva.example>`,
		"anna@xn--ü.example":   "<anna@xn--ü.example>",
	} {
		parsed, err := netmail.ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := recipient(*parsed); got != want {
			t.Errorf("%s became %s, want %s", address, got, want)
		}
	}
}

// TestSend_answers classifies each of SES's answers, and repeats no request.
func TestSend_answers(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
		want          mail.SendError
	}{
		{400, "MessageRejected", "Address anna@example.com is bad", mail.SendError{Fault: mail.Permanent, Code: "MessageRejected"}},
		{400, "BadRequestException", "Missing final '@domain'", mail.SendError{Fault: mail.Permanent, Code: "BadRequestException"}},
		{400, "InvalidParameterValue", "Domain contains illegal character", mail.SendError{Fault: mail.Permanent, Code: "InvalidParameterValue"}},
		{400, "MessageRejected", "Email address is not verified. The following identities failed the check: keys@keypool.example", mail.SendError{Fault: mail.AccountFault, Code: "NotVerified"}},
		{400, "MailFromDomainNotVerifiedException", "", mail.SendError{Fault: mail.AccountFault, Code: "MailFromDomainNotVerifiedException"}},
		{400, "SendingPausedException", "", mail.SendError{Fault: mail.AccountFault, Code: "SendingPausedException"}},
		{400, "AccountSuspendedException", "", mail.SendError{Fault: mail.AccountFault, Code: "AccountSuspendedException"}},
		{404, "NotFoundException", "Configuration set <keypool-mail> does not exist", mail.SendError{Fault: mail.AccountFault, Code: "NotFoundException"}},
		{403, "AccessDeniedException", "not authorized to perform ses:SendEmail", mail.SendError{Fault: mail.AccountFault, Code: "AccessDeniedException"}},
		{400, "NeverHeardOf", "", mail.SendError{Fault: mail.AccountFault, Code: "NeverHeardOf"}},
		{429, "TooManyRequestsException", "", mail.SendError{Fault: mail.Throttled, Code: "TooManyRequestsException"}},
		{400, "ThrottlingException", "Maximum sending rate exceeded", mail.SendError{Fault: mail.Throttled, Code: "ThrottlingException"}},
		{400, "LimitExceededException", "Daily message quota exceeded", mail.SendError{Fault: mail.Temporary, Code: "LimitExceededException"}},
		{500, "InternalServiceErrorException", "", mail.SendError{Fault: mail.Temporary, Code: "InternalServiceErrorException"}},
		{503, "NeverHeardOf", "", mail.SendError{Fault: mail.Temporary, Code: "NeverHeardOf"}},
	} {
		t.Run(c.code+" "+c.message, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			client := open(t, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("X-Amzn-ErrorType", c.code)
				w.WriteHeader(c.status)
				json.NewEncoder(w).Encode(map[string]string{"message": c.message})
			})
			_, err := client.Send(t.Context(), letter)
			var got *mail.SendError
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.message != "" && strings.Contains(err.Error(), c.message) {
				t.Errorf("the error quotes SES: %v", err)
			}
			if requests.Load() != 1 {
				t.Errorf("%d requests, want 1", requests.Load())
			}
		})
	}
}

// TestSend_answerLost has SES take the mail and the answer get lost: it is not
// sent a second time by the SDK.
func TestSend_answerLost(t *testing.T) {
	var requests atomic.Int32
	client := open(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, r.Body)
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		connection.Close()
	})
	_, err := client.Send(t.Context(), letter)
	var got *mail.SendError
	if !errors.As(err, &got) || got.Fault != mail.Unknown {
		t.Errorf("got %v, want an unknown end", err)
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests, want 1", requests.Load())
	}
}

// TestSend_halfAnAnswer has the connection break within the answer.
func TestSend_halfAnAnswer(t *testing.T) {
	client := open(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"Mess`)
	})
	_, err := client.Send(t.Context(), letter)
	var got *mail.SendError
	if !errors.As(err, &got) || got.Fault != mail.Unknown {
		t.Errorf("got %v, want an unknown end", err)
	}
}

// TestSend_neverLeft has nobody listen: the mail cannot have been taken.
func TestSend_neverLeft(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = at("http://"+address).Send(t.Context(), letter)
	var got *mail.SendError
	if !errors.As(err, &got) || got.Fault != mail.Temporary {
		t.Errorf("got %v, want a passing fault", err)
	}
}
