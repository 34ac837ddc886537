package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// Mail is a mail that Keypool sent.
type Mail struct {
	ID      string
	From    string
	To      []string // bare addresses
	Subject string
	Text    string
	HTML    string
	SentAt  time.Time
}

// Mails returns every mail that the one-machine run holds, oldest first.
func (s *Shop) Mails(ctx context.Context) ([]Mail, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Inbox, nil)
	if err != nil {
		return nil, err
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("open the inbox: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	var inbox struct {
		Messages map[string][]struct {
			MessageId string
			Source    string
			To        []string
			Subject   string
			BodyText  string
			BodyHtml  string
			Timestamp float64
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &inbox); err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	var mails []Mail
	for _, account := range inbox.Messages {
		for _, m := range account {
			mails = append(mails, Mail{
				ID: m.MessageId, From: m.Source, To: bare(m.To), Subject: m.Subject, Text: m.BodyText, HTML: m.BodyHtml,
				SentAt: time.UnixMicro(int64(m.Timestamp * 1e6)),
			})
		}
	}
	slices.SortStableFunc(mails, func(a, b Mail) int { return a.SentAt.Compare(b.SentAt) })
	return mails, nil
}

// bare returns the addresses without their names.
func bare(addresses []string) []string {
	found := make([]string, len(addresses))
	for i, address := range addresses {
		found[i] = address
		if parsed, err := mail.ParseAddress(address); err == nil {
			found[i] = parsed.Address
		}
	}
	return found
}

// To returns the mails to the address whose subject or text contain all the words, in
// upper or lower case.
func To(mails []Mail, address string, words ...string) []Mail {
	var found []Mail
	for _, m := range mails {
		if !slices.Contains(m.To, address) {
			continue
		}
		content := strings.ToLower(m.Subject + "\n" + m.Text)
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(content, strings.ToLower(word)) }) {
			found = append(found, m)
		}
	}
	return found
}

// AwaitMail waits for a mail to the address that contains the words.
func (s *Shop) AwaitMail(ctx context.Context, timeout time.Duration, address string, words ...string) (Mail, error) {
	var came Mail
	err := Await(ctx, timeout, fmt.Sprintf("a mail to %s with %q", address, words), func() (bool, error) {
		mails, err := s.Mails(ctx)
		if err != nil {
			return false, err
		}
		found := To(mails, address, words...)
		if len(found) == 0 {
			return false, nil
		}
		came = found[0]
		return true, nil
	})
	return came, err
}

// Await calls ask until it returns true, and fails after timeout.
func Await(ctx context.Context, timeout time.Duration, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		yes, err := ask()
		if err == nil && yes {
			return nil
		}
		select {
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("%s did not come within %s: %w", what, timeout, err)
			}
			return fmt.Errorf("%s did not come within %s", what, timeout)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
