// Package ses is the only package that speaks SES.
//
// A mail is sent as Simple content: SES makes its MIME parts. No request is repeated
// here. A request without an answer may have been taken, and to repeat it would mail a
// customer twice. A request that SES throttles is repeated by package delivery, which
// limits its rate.
package ses

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode"

	"keypool/shared/mail"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/net/idna"
)

// Client sends mails by SES. It is safe for concurrent use.
type Client struct {
	sendEmail        operation[sesv2.SendEmailInput, sesv2.SendEmailOutput]
	configurationSet string
}

// Open returns SES behind cfg. The configuration set publishes the events of the
// mails.
func Open(cfg aws.Config, configurationSet string, options ...func(*sesv2.Options)) *Client {
	noRetries := func(o *sesv2.Options) { o.Retryer = aws.NopRetryer{} }
	return &Client{
		sendEmail:        sesv2.NewFromConfig(cfg, append([]func(*sesv2.Options){noRetries}, options...)...).SendEmail,
		configurationSet: configurationSet,
	}
}

// operation is one of SES's operations: see package boot.
type operation[In, Out any] func(context.Context, *In, ...func(*sesv2.Options)) (*Out, error)

// Send implements delivery.MailSender.
func (c *Client) Send(ctx context.Context, m mail.Message) (string, error) {
	out, err := c.sendEmail(ctx, c.request(m))
	if err != nil {
		return "", classify(err)
	}
	return aws.ToString(out.MessageId), nil
}

func (c *Client) request(m mail.Message) *sesv2.SendEmailInput {
	utf8 := func(s string) *types.Content {
		return &types.Content{Data: aws.String(s), Charset: aws.String("UTF-8")}
	}
	message := &types.Message{
		Subject: utf8(m.Subject),
		Body:    &types.Body{Text: utf8(m.Text), Html: utf8(m.HTML)},
		// They keep mail programs from answering that their user is away: by RFC 3834, and
		// Exchange in its own way. SES adds Message-ID and Date itself.
		Headers: []types.MessageHeader{header("Auto-Submitted", "auto-generated"), header("X-Auto-Response-Suppress", "OOF, AutoReply")},
	}
	for _, file := range m.Attached {
		message.Attachments = append(message.Attachments, types.Attachment{
			FileName:                aws.String(file.Name),
			ContentType:             aws.String(file.Type),
			ContentDisposition:      types.AttachmentContentDispositionAttachment,
			ContentTransferEncoding: types.AttachmentContentTransferEncodingBase64,
			RawContent:              file.Content,
		})
	}
	request := &sesv2.SendEmailInput{
		FromEmailAddress:     aws.String(m.From.String()),
		Destination:          &types.Destination{ToAddresses: []string{recipient(m.To)}},
		Content:              &types.EmailContent{Simple: message},
		ConfigurationSetName: aws.String(c.configurationSet),
	}
	if m.ReplyTo != "" {
		request.ReplyToAddresses = []string{ascii(m.ReplyTo)}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		request.EmailTags = append(request.EmailTags, types.MessageTag{Name: aws.String(name), Value: aws.String(m.Tags[name])})
	}
	return request
}

func header(name, value string) types.MessageHeader {
	return types.MessageHeader{Name: aws.String(name), Value: aws.String(value)}
}

// recipient is an address as SES takes it in a list of recipients.
func recipient(to netmail.Address) string {
	to.Address = ascii(to.Address)
	return to.String()
}

// ascii returns an address with its domain's name in ASCII (RFC 5891), as SES takes
// it. A name that has no such form is left for SES to refuse.
func ascii(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	domain := address[at:]
	if strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) {
		if converted, err := idna.Lookup.ToASCII(domain); err == nil {
			return address[:at] + converted
		}
	}
	return address
}

// faults classifies SES's answers by their codes. A code that is not listed is
// classified by its HTTP status; see classify.
var faults = map[string]mail.Fault{
	// Of this mail alone.
	"MessageRejected":       mail.Permanent,
	"BadRequestException":   mail.Permanent,
	"InvalidParameterValue": mail.Permanent,
	"ValidationException":   mail.Permanent,

	// Of the account, the sender, a setting or the function's rights.
	"AccountSuspendedException":          mail.AccountFault,
	"SendingPausedException":             mail.AccountFault,
	"MailFromDomainNotVerifiedException": mail.AccountFault,
	"NotFoundException":                  mail.AccountFault, // the configuration set, or the identity
	"AccessDeniedException":              mail.AccountFault,
	"UnrecognizedClientException":        mail.AccountFault,
	"InvalidClientTokenId":               mail.AccountFault,
	"SignatureDoesNotMatch":              mail.AccountFault,
	"ExpiredTokenException":              mail.AccountFault,

	// More at once than the account's quota.
	"TooManyRequestsException": mail.Throttled,
	"Throttling":               mail.Throttled,
	"ThrottlingException":      mail.Throttled,

	// Temporary. The quota of a day is renewed too.
	"LimitExceededException":        mail.Temporary,
	"RequestExpired":                mail.Temporary,
	"InternalFailure":               mail.Temporary,
	"InternalServiceErrorException": mail.Temporary,
	"ServiceUnavailable":            mail.Temporary,
}

// classify makes a *mail.SendError of the SDK's error. It holds SES's code, never its text.
func classify(err error) *mail.SendError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &mail.SendError{Fault: unanswered(err), Code: "NoAnswer"}
	}
	code := api.ErrorCode()
	// This code has two meanings: SES returns it too for an unverified sender, and for
	// an unverified recipient while the account is in the sandbox.
	if code == "MessageRejected" && strings.Contains(strings.ToLower(api.ErrorMessage()), "not verified") {
		return &mail.SendError{Fault: mail.AccountFault, Code: "NotVerified"}
	}
	fault, known := faults[code]
	if !known {
		// An unforeseen answer is for the operator to look at, unless SES itself is out
		// of order. The mail stays due.
		fault = mail.AccountFault
		var response *smithyhttp.ResponseError
		if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
			fault = mail.Temporary
		}
	}
	return &mail.SendError{Fault: fault, Code: code}
}

// unanswered returns mail.Unknown for a request that may have reached SES, and
// mail.Temporary for one that cannot have.
func unanswered(err error) mail.Fault {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return mail.Temporary
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusBadRequest {
		return mail.Temporary // the answer of a proxy, not of SES
	}
	var sent *smithyhttp.RequestSendError
	if errors.As(err, &sent) || response != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return mail.Unknown
	}
	return mail.Temporary // it was never sent: no credentials, no endpoint
}
