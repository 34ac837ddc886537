// Package mail makes mails: the mail of a paid line to its customer, and the mail of
// a notice to a merchant or the operator.
//
// A mail is a letter of fixed form (head, greeting, words, details, signature) as
// text and as HTML. The words are the merchant's own, with tags for the customer's
// and the order's values, or Keypool's. Values are escaped for their place, and
// tags in a value are not expanded. Golden files in testdata hold the letters.
//
// The package does no I/O: package delivery reads the settings, and package ses
// sends.
package mail

import (
	"fmt"
	"io"
	"log/slog"
	"net/mail"
)

// Message is one mail, ready to be sent. It holds license keys and addresses, so it
// prints as a placeholder.
type Message struct {
	From    mail.Address
	To      mail.Address
	ReplyTo string // address; empty: none

	// Merchant is whose own address From is; empty: it is the operator's.
	Merchant string

	Subject  string
	Text     string
	HTML     string
	Attached []Attachment

	// Tags come back with every event about the mail: letters, digits, _ and -.
	Tags map[string]string
}

// Attachment is a file that goes with a mail.
type Attachment struct {
	Name    string
	Type    string // MIME type
	Content []byte
}

// Format prints a placeholder, whatever the verb.
func (Message) Format(f fmt.State, _ rune) { io.WriteString(f, "[mail]") }

// LogValue logs a placeholder.
func (Message) LogValue() slog.Value { return slog.StringValue("[mail]") }
