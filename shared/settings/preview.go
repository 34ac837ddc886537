package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	netmail "net/mail"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
)

// Previews shows a merchant the mails that customers would get.
type Previews struct {
	Store   PreviewStore
	Notices PreviewNotices
	Public  string // the deployment's address, with which the link to an order's page begins
	Now     func() time.Time
}

// PreviewNotices keeps the notices that samples are sent as.
type PreviewNotices interface {
	// RaiseNewNotice is false if the same notice was raised before.
	RaiseNewNotice(ctx context.Context, n notice.Notice) (raised bool, err error)
}

// ErrSampleSent means that a sample was sent in this minute.
var ErrSampleSent = errors.New("a sample was sent in this minute")

// PreviewStore reads what a mail is made with.
type PreviewStore interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	catalog.ProductReader
	catalog.TextReader
	catalog.OrderPageReader
}

// Preview is a mail to show.
type Preview struct {
	Product  string        // whose texts, titles and links it has; empty: a made-up one
	Text     *catalog.Text // in place of the product's, and stored nowhere; nil: the product's
	Language string        // of the customer; empty: unknown
	Keys     int           // 0: an order that waits for them
	Test     bool
	Values   map[string]string // by the name of their tag
}

// The limits of a preview.
const (
	MaxPreviewKeys  = 200
	maxPreviewValue = 500 // characters
)

// CheckPreview returns the mistakes in a preview.
func CheckPreview(v Preview) []Problem {
	var p problems
	if v.Text != nil {
		p.text("text", *v.Text)
	}
	p.between("keys", v.Keys, 0, MaxPreviewKeys)
	if v.Language != "" {
		p.language("language", v.Language)
	}
	for _, name := range slices.Sorted(maps.Keys(v.Values)) {
		path, value := "values."+name, v.Values[name]
		switch tag := text.Tag(name); {
		case !tag.Known():
			p.add("values", "there is no tag %s; list-tags has them all", quoted(name))
		case !mail.Given(tag):
			p.add(path, "its value is made of others, or made up, and cannot be given")
		case !utf8.ValidString(value) || utf8.RuneCountInString(value) > maxPreviewValue:
			p.add(path, "it has more than %d characters", maxPreviewValue)
		case tag == text.URL || tag == text.URLFull:
			p.link(path, value)
		case tag == text.Quantity:
			if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 10_000 {
				p.add(path, "use a whole number from 1 to 10000")
			}
		}
	}
	return p
}

// Show returns the mail. Its error is ErrNotFound if the product is none.
func (s *Previews) Show(ctx context.Context, merchant string, v Preview) (mail.Message, error) {
	if err := invalid(CheckPreview(v)...); err != nil {
		return mail.Message{}, err
	}
	var (
		m       catalog.Merchant
		known   bool
		sample  mail.Sample
		common  catalog.Texts
		pages   catalog.OrderPages
		reading errgroup.Group
	)
	reading.Go(func() (err error) { m, known, err = s.Store.Merchant(ctx, merchant); return err })
	reading.Go(func() (err error) { sample, err = s.sample(ctx, merchant, v); return err })
	reading.Go(func() (err error) { common, err = s.Store.Texts(ctx, merchant); return err })
	reading.Go(func() (err error) { pages, err = s.Store.OrderPages(ctx, merchant); return err })
	err := reading.Wait()
	if err == nil && !known {
		err = fmt.Errorf("the merchant %s does not exist", merchant)
	}
	if err != nil {
		return mail.Message{}, err
	}
	sample.Common, sample.Page = common.Texts, mail.SamplePage(sample.Product, pages, s.Public)
	return mail.ForSample(sample, m, netmail.Address{}, s.Now())
}

// CheckSample returns the mistakes in a preview that is to be sent.
func CheckSample(v Preview) []Problem {
	p := problems(CheckPreview(v))
	if len(v.Values) > 0 {
		p.add("values", "a mail that is sent has the sample's values: leave them out")
	}
	return p
}

// Send mails a preview to the merchant's notice address, marked as a sample, and returns what
// it shows but for the mark. Its error is ErrNotFound, or ErrSampleSent: one is sent a minute.
func (s *Previews) Send(ctx context.Context, merchant string, v Preview) (mail.Message, error) {
	if err := invalid(CheckSample(v)...); err != nil {
		return mail.Message{}, err
	}
	shown, err := s.Show(ctx, merchant, v)
	if err != nil {
		return mail.Message{}, err
	}
	now := s.Now()
	facts := notice.Facts{Sample: &notice.Sample{Product: v.Product, Text: v.Text, Language: v.Language, Keys: v.Keys, Test: v.Test}}
	raised, err := s.Notices.RaiseNewNotice(ctx, notice.New(merchant, notice.SampleMail, now.UTC().Format("2006-01-02T15:04"), facts, now))
	if err == nil && !raised {
		err = ErrSampleSent
	}
	return shown, err
}

// sample returns the sample of a preview: with the product's settings as they are now.
func (s *Previews) sample(ctx context.Context, merchant string, v Preview) (mail.Sample, error) {
	sample := mail.Sample{Product: mail.SampleProduct, Language: v.Language, Keys: v.Keys, Test: v.Test, Values: map[text.Tag]string{}}
	if v.Product != "" {
		product, ok, err := catalog.ReadProduct(ctx, s.Store, merchant, v.Product)
		if err == nil && !ok {
			err = ErrNotFound
		}
		if err != nil {
			return mail.Sample{}, err
		}
		sample.Product = product
	}
	sample.Use(v.Text)
	for name, value := range v.Values {
		sample.Values[text.Tag(name)] = value
	}
	return sample, nil
}
