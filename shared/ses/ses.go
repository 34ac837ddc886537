// Package ses is the only package that speaks SES.
//
// A mail is sent as Simple content, whose MIME parts SES puts together. No request
// is repeated here: one without an answer may have been taken, and repeating it
// would mail a customer twice; one that SES was too busy for is the mailer's to
// offer again, at its own pace.
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

// Post sends mails by SES. It is safe for concurrent use.
type Post struct {
	client           *sesv2.Client
	configurationSet string
}

// Open returns SES behind cfg. Its configuration set publishes what becomes of
// the mails.
func Open(cfg aws.Config, configurationSet string, options ...func(*sesv2.Options)) *Post {
	careful := func(o *sesv2.Options) { o.Retryer = aws.NopRetryer{} }
	return &Post{
		client:           sesv2.NewFromConfig(cfg, append([]func(*sesv2.Options){careful}, options...)...),
		configurationSet: configurationSet,
	}
}

// Send implements delivery.Post.
func (p *Post) Send(ctx context.Context, m mail.Message) (string, error) {
	out, err := p.client.SendEmail(ctx, p.request(m))
	if err != nil {
		return "", sort(err)
	}
	return aws.ToString(out.MessageId), nil
}

func (p *Post) request(m mail.Message) *sesv2.SendEmailInput {
	utf8 := func(s string) *types.Content {
		return &types.Content{Data: aws.String(s), Charset: aws.String("UTF-8")}
	}
	message := &types.Message{
		Subject: utf8(m.Subject),
		Body:    &types.Body{Text: utf8(m.Text), Html: utf8(m.HTML)},
		// Nobody's holiday answer is wanted.
		Headers: []types.MessageHeader{{Name: aws.String("Auto-Submitted"), Value: aws.String("auto-generated")}},
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
		ConfigurationSetName: aws.String(p.configurationSet),
	}
	if m.ReplyTo != "" {
		request.ReplyToAddresses = []string{ascii(m.ReplyTo)}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		request.EmailTags = append(request.EmailTags, types.MessageTag{Name: aws.String(name), Value: aws.String(m.Tags[name])})
	}
	return request
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

// faults sorts SES's answers by their codes. What is not here is sorted by its
// HTTP status; see sort.
var faults = map[string]mail.Fault{
	// This message alone.
	"MessageRejected":       mail.Permanent,
	"BadRequestException":   mail.Permanent,
	"InvalidParameterValue": mail.Permanent,
	"ValidationException":   mail.Permanent,

	// The account, the sender, a setting, or our rights.
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

	// The moment. A day's quota passes too.
	"LimitExceededException":        mail.Temporary,
	"RequestExpired":                mail.Temporary,
	"InternalFailure":               mail.Temporary,
	"InternalServiceErrorException": mail.Temporary,
	"ServiceUnavailable":            mail.Temporary,
}

// sort makes a *delivery.SendError of what the SDK returned: SES's code, never
// its text.
func sort(err error) *mail.SendError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return &mail.SendError{Fault: unanswered(err), Code: "NoAnswer"}
	}
	code := api.ErrorCode()
	// The one code with two meanings: an unverified sender, or recipient while the
	// account is in the sandbox, is refused as if it were this message's fault.
	if code == "MessageRejected" && strings.Contains(strings.ToLower(api.ErrorMessage()), "not verified") {
		return &mail.SendError{Fault: mail.AccountFault, Code: "NotVerified"}
	}
	fault, known := faults[code]
	if !known {
		// What nobody foresaw stays due and is looked at by somebody, unless SES
		// itself is out of order.
		fault = mail.AccountFault
		var response *smithyhttp.ResponseError
		if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
			fault = mail.Temporary
		}
	}
	return &mail.SendError{Fault: fault, Code: code}
}

// unanswered tells a request that cannot have reached SES from one that may have.
func unanswered(err error) mail.Fault {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return mail.Temporary
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusBadRequest {
		return mail.Temporary // an answer, but not in SES's words: a proxy's
	}
	var sent *smithyhttp.RequestSendError
	if errors.As(err, &sent) || response != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return mail.Unknown
	}
	return mail.Temporary // it was never sent: no credentials, no endpoint
}
