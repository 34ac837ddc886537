package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
)

// Each tag is listed, with the value that it has in a preview, and stands in the document.
func TestListTags(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	var list TagList
	w.shop(token, "GET", "/v1/tags", nil).Want(200).Into(&list)
	if len(list.Items) != 24 {
		t.Errorf("%d tags", len(list.Items))
	}
	var body strings.Builder
	body.WriteString("{KEY}")
	for _, tag := range list.Items {
		body.WriteString("\n\n" + tag.Tag + " is <" + tag.Tag + ">")
		if tag.Means == "" || tag.Sample == "" {
			t.Errorf("%s lacks a meaning or a sample", tag.Tag)
		}
		if !strings.Contains(string(described), "`"+tag.Tag+"`: "+tag.Means) {
			t.Errorf("%s is not explained in the API's document", tag.Tag)
		}
	}
	var shown Mail
	w.shop(token, "POST", "/v1/preview", Preview{Text: &Text{Body: body.String()}}).Want(200).Into(&shown)
	for _, tag := range list.Items {
		if !strings.Contains(strings.ReplaceAll(shown.Text, "\n", " "), "<"+tag.Sample+">") {
			t.Errorf("the sample of %s, %q, is not what a preview shows:\n%s", tag.Tag, tag.Sample, shown.Text)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Elden", Texts: map[string]Text{
		"en": {Subject: "{PROGRAM_NAME} for {FULLNAME}", Body: "Stored text\n\n{KEY}"}, "de": {Body: "Deutscher Text\n\n{KEY}"},
	}}).Want(201)
	for name, c := range map[string]struct {
		preview Preview
		subject string
		holds   []string
		lacks   string
	}{
		"a product's": {
			Preview{Product: "4711", Values: map[string]string{"FULLNAME": "Grace {KEY} <b>"}},
			"Elden for Grace {KEY} <b>",
			[]string{"Stored text", "SAMPLE-0001-NO-REAL-KEY", "Hello Grace {KEY} <b>,"},
			"SAMPLE-0002",
		},
		"in German":    {Preview{Product: "4711", Language: "de"}, "Ihr Lizenzschlüssel für Elden", []string{"Deutscher Text", "Guten Tag Ada Byron,"}, "Stored"},
		"several keys": {Preview{Product: "4711", Keys: new(25)}, "Elden for Ada Byron", []string{"SAMPLE-0025-NO-REAL-KEY", "All 25 keys are attached"}, ""},
		"waiting":      {Preview{Product: "4711", Waiting: true}, "Your order 10001 is safe, the license key follows", []string{"We are sorry"}, "SAMPLE"},
		"a test":       {Preview{Product: "4711", Test: true}, "Elden for Ada Byron", []string{"[Test order]"}, ""},
		"a text that is not stored": {
			Preview{Product: "4711", Language: "de", Text: &Text{Body: "**New** {KEY}", Format: text.Markdown}}, "Ihr Lizenzschlüssel für Elden", []string{"New SAMPLE-0001"}, "Deutscher",
		},
		"no product": {Preview{Values: map[string]string{"QUANTITY": "7", "URL": "https://a.example/x"}}, "Your license key for Elden: The Long Night", []string{"7 × 19.90 EUR = 139.30 EUR", "https://a.example/x"}, ""},
		"in Arabic":  {Preview{Language: "ar"}, "مفتاح ترخيص Elden: The Long Night", []string{"مرحبًا Ada Byron،"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var shown Mail
			w.shop(token, "POST", "/v1/preview", c.preview).Want(200).Into(&shown)
			if shown.Subject != c.subject || !strings.HasPrefix(shown.HTML, "<!DOCTYPE html>") {
				t.Errorf("subject %q, want %q", shown.Subject, c.subject)
			}
			for _, want := range c.holds {
				if !strings.Contains(shown.Text, want) {
					t.Errorf("no %q in\n%s", want, shown.Text)
				}
			}
			if c.lacks != "" && strings.Contains(shown.Text, c.lacks) {
				t.Errorf("%q in\n%s", c.lacks, shown.Text)
			}
		})
	}
	event := resttest.Event(t, "good_api_preview")
	event.Headers["authorization"] = "Bearer " + token
	w.send(event).Want(200)
	var stored Product
	w.shop(token, "GET", "/v1/products/4711", nil).Want(200).Into(&stored)
	if len(stored.Texts) != 2 || stored.Texts["de"].Body != "Deutscher Text\n\n{KEY}" {
		t.Errorf("a preview changed the texts: %v", stored.Texts)
	}
}

// A sample is mailed by a notice, which holds no value of a customer's, one a minute.
func TestSendSample(t *testing.T) {
	t.Parallel()
	w := open(t)
	token, other := w.merchant("acme"), w.merchant("mallory")
	w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Elden"}).Want(201)
	var shown Mail
	asked := Preview{Product: "4711", Language: "de", Keys: new(2), Test: true, Text: &Text{Body: "**Neu** {KEY}", Format: text.Markdown}}
	w.shop(token, "POST", "/v1/preview/send", asked).Want(202).Into(&shown)
	if !strings.Contains(shown.Text, "SAMPLE-0002-NO-REAL-KEY") {
		t.Errorf("shown:\n%s", shown.Text)
	}
	all := w.notices(notice.SampleMail)
	if len(all) != 1 {
		t.Fatalf("%d notices", len(all))
	}
	want := notice.Facts{Sample: &notice.Sample{
		Product: "4711", Language: "de", Keys: 2, Test: true, Text: &catalog.Text{Body: "**Neu** {KEY}", Format: text.Markdown},
	}}
	if diff := cmp.Diff(want, all[0].Facts); diff != "" || all[0].Merchant != "acme" || all[0].To != "" {
		t.Errorf("to %s %q: %s", all[0].Merchant, all[0].To, diff)
	}
	again := w.shop(token, "POST", "/v1/preview/send", Preview{}).Want(429)
	if again.Headers["retry-after"] != "60" && again.Headers["Retry-After"] != "60" {
		t.Errorf("headers %v", again.Headers)
	}
	w.shop(other, "POST", "/v1/preview/send", Preview{}).Want(202)
	w.shop(other, "POST", "/v1/preview/send", Preview{Values: map[string]string{"FULLNAME": "x"}}).Want(422)
	w.shop(token, "POST", "/v1/preview/send", Preview{Product: "nobody"}).Want(404)
	if all := w.notices(notice.SampleMail); len(all) != 2 {
		t.Errorf("%d notices", len(all))
	}
}

func TestPreview_refused(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "POST", "/v1/preview", Preview{Product: "nobody"}).Want(404)
	refused := w.shop(token, "POST", "/v1/preview", Preview{
		Text: &Text{Body: "One\n  **two {KEI}", Format: text.Markdown}, Language: "xx_YY",
		Values: map[string]string{"KEY": "A-REAL-KEY", "NONE": "x", "QUANTITY": "many", "URL": "javascript:x"},
	}).Want(422)
	for _, want := range []string{
		"body.text.body", "line 2, column 9: there is no tag {KEI}", "line 2, column 3: ** begins", "{KEY} is missing", "body.language",
		"body.values.KEY", "cannot be given", "list-tags has them all", "body.values.QUANTITY", "body.values.URL",
	} {
		if !strings.Contains(refused.Body, want) {
			t.Errorf("no %q in %s", want, refused.Body)
		}
	}
	if strings.Contains(refused.Body, "A-REAL-KEY") {
		t.Error("the answer holds the key that was given")
	}
}
