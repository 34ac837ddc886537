package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/mail/text"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Tag is a substitution tag of a text.
type Tag struct {
	Tag    string `json:"tag" doc:"As it stands in a text."`
	Means  string `json:"means" doc:"What stands in its place in a mail; nothing where the order has none."`
	Sample string `json:"sample" doc:"What stands in its place in a preview."`
	Given  bool   `json:"given" doc:"A preview can be given another value for it."`
}

// TagList holds all tags.
type TagList struct {
	Items []Tag `json:"items" nullable:"false"`
}

// tagList returns all tags, with the values of a sample of today.
func (a *api) tagList() TagList {
	samples, list := mail.SampleValues(a.previews.Now()), TagList{Items: []Tag{}}
	for _, known := range text.Tags {
		list.Items = append(list.Items, Tag{known.Tag.String(), known.Meaning, samples[known.Tag], mail.Given(known.Tag)})
	}
	return list
}

// tagsExplained says what each tag stands for, as a list in Markdown.
func tagsExplained() string {
	var b strings.Builder
	for _, known := range text.Tags {
		b.WriteString("\n- `" + known.Tag.String() + "`: " + known.Meaning)
	}
	return b.String()
}

// Preview says which mail to show.
type Preview struct {
	Product  string            `json:"product,omitempty" maxLength:"128" doc:"Id of a product, whose texts, titles and links the mail has; a made-up one where left out."`
	Text     *Text             `json:"text,omitempty" doc:"Is shown in place of the product's text, and stored nowhere."`
	Language string            `json:"language,omitempty" doc:"The customer's, as a BCP 47 tag; unknown where left out."`
	Keys     *int              `json:"keys,omitempty" minimum:"1" maximum:"200" doc:"How many keys the mail has; 1 where left out. They are made up."`
	Waiting  bool              `json:"waiting,omitempty" doc:"The mail that tells a customer who waits that the keys follow. It has words of its own."`
	Test     bool              `json:"test,omitempty" doc:"The mail of a test order."`
	Values   map[string]string `json:"values,omitempty" doc:"Values of tags, by their names without braces, in place of the samples: see list-tags."`
}

// Mail is a mail as its customer would get it.
type Mail struct {
	Subject string `json:"subject"`
	Text    string `json:"text" doc:"The plain part."`
	HTML    string `json:"html" doc:"The part that most mail programs show."`
}

var (
	samplePreview = Preview{
		Product: "4711", Language: "en", Keys: new(2), Values: map[string]string{"FULLNAME": "Grace Hopper"},
		Text: &Text{Subject: "Your keys for {PROGRAM_NAME}", Body: "**Thank you!** Here are your keys:\n\n{KEY}", Format: text.Markdown},
	}
	sampleSent = Preview{Product: "4711", Language: "de", Waiting: true}
	sampleMail = Mail{
		Subject: "Your keys for Elden: The Long Night",
		Text:    "Hello Grace Hopper,\n\nThank you! Here are your keys:\n\nSAMPLE-0001-NO-REAL-KEY\nSAMPLE-0002-NO-REAL-KEY\n\n…",
		HTML:    "<!DOCTYPE html>…",
	}
)

// preview returns the preview that a request describes.
func (b Preview) preview() settings.Preview {
	v := settings.Preview{Product: b.Product, Language: b.Language, Keys: or(b.Keys, 1), Test: b.Test, Values: b.Values}
	if b.Waiting {
		v.Keys = 0
	}
	if b.Text != nil {
		own := catalog.Text(*b.Text)
		v.Text = &own
	}
	return v
}

type previewMail struct{ Body Preview }

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *previewMail) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckPreview(in.Body.preview()), nil)
}

func (a *api) addTags(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-tags", Method: http.MethodGet, Path: "/v1/tags", Tags: []string{"Texts"},
		Summary:     "List the tags of texts, each with what it means and a sample",
		Description: "A tag stands in a text for a value of the order. A value is never read as a tag or as markup." + tagsExplained(),
		Responses: to.Responses(TagList{Items: []Tag{{
			Tag: text.Key.String(), Means: text.Tags[0].Meaning, Sample: "SAMPLE-0001-NO-REAL-KEY",
		}}}, 200),
	}, a.listTags)
}

func (a *api) addPreview(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "preview-mail", Method: http.MethodPost, Path: "/v1/preview", Tags: []string{"Texts"},
		Summary:     "Show a mail as its customer would get it",
		Description: "Of a product with its stored texts, or with a text that is given and not stored; of a made-up order, with made-up keys. Nothing is sent or stored, and no real key is read.",
		Errors:      []int{404},
		RequestBody: rest.Request(samplePreview), Responses: to.Responses(sampleMail, 200),
	}, a.previewMail)
	rest.Register(to, huma.Operation{
		OperationID: "send-sample", Method: http.MethodPost, Path: "/v1/preview/send", Tags: []string{"Texts"},
		Summary:     "Send a mail to your notice address, as its customer would get it",
		Description: "To see it in a mail program. Its subject and its head say that it is a sample, its keys are made up, and its values are those of list-tags. One a minute: another one is 429. The answer shows the mail without the marks.",
		Errors:      []int{404, 429}, DefaultStatus: http.StatusAccepted,
		RequestBody: rest.Request(sampleSent), Responses: to.Responses(sampleMail, 202),
	}, a.sendSample)
}

type sendSample struct{ Body Preview }

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *sendSample) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckSample(in.Body.preview()), nil)
}

func (a *api) sendSample(ctx context.Context, in *sendSample) (*rest.Body[Mail], error) {
	made, err := a.previews.Send(ctx, caller(ctx), in.Body.preview())
	return &rest.Body[Mail]{Body: Mail{made.Subject, made.Text, made.HTML}}, err
}

func (a *api) listTags(context.Context, *struct{}) (*rest.Body[TagList], error) {
	return &rest.Body[TagList]{Body: a.tagList()}, nil
}

func (a *api) previewMail(ctx context.Context, in *previewMail) (*rest.Body[Mail], error) {
	made, err := a.previews.Show(ctx, caller(ctx), in.Body.preview())
	return &rest.Body[Mail]{Body: Mail{made.Subject, made.Text, made.HTML}}, err
}
