package delivery

import (
	"fmt"
	"io"
	"log/slog"
	"net/mail"
)

// Mail is one mail, ready to be sent. It holds license keys and addresses, so it
// prints as a placeholder.
type Mail struct {
	From    mail.Address
	To      mail.Address
	ReplyTo string // address; empty: none

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
func (Mail) Format(f fmt.State, _ rune) { io.WriteString(f, "[mail]") }

// LogValue logs a placeholder.
func (Mail) LogValue() slog.Value { return slog.StringValue("[mail]") }
