package generic_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
	"keypool/shared/platform/generic"
)

// whole has every member that settings can have.
const whole = `{"signature":{"header":"X-Signature","algorithm":"sha256","encoding":"hex","prefix":"sha256=","separator":",","key":"text","signed":"{body}"},
 "time":{"header":"X-Timestamp","part":"","unit":"s","tolerance_seconds":300},"id_header":"X-Event-Id","body":"json",
 "event":{"header":"","pointer":"/event","paid":["order.paid"],"returned":["order.refunded"],"ignored":["ping"]},
 "when":[{"pointer":"/order/status","in":["paid","complete"]}],
 "order":"/order/id","test":{"pointer":"/order/sandbox","in":[true,"1"]},"paid_at":"/order/paid_at","currency":"/order/currency","language":"/order/lang",
 "customer":{"email":"/order/email","name":"/order/name","first_name":"","last_name":"","phone":"","company":"","country":"/order/country"},
 "lines":{"pointer":"/order/items","line":"/id","product":"/sku","title":"/name","quantity":"/qty","unit_price":"/price"},
 "return":{"id":"/refund/id","order":"/refund/order_id","lines":"/refund/items","line":"/item_id","quantity":"/qty","full_when":{"pointer":"/refund/full","in":[true]}},
 "answer":"OK"}`

// mistakes returns the places that CheckSettings names.
func mistakes(t *testing.T, settings string) []string {
	t.Helper()
	err := generic.Adapter{}.CheckSettings(json.RawMessage(settings))
	var several platform.FieldErrors
	var one *platform.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = platform.FieldErrors{one}
	default:
		t.Fatalf("%s: %v names no place", settings, err)
	}
	var places []string
	for _, mistake := range several {
		if mistake.Problem == "" {
			t.Errorf("%s: nothing is said of %s", settings, mistake.Field)
		}
		places = append(places, mistake.Field)
	}
	return places
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	if places := mistakes(t, whole); places != nil {
		t.Errorf("the whole mapping: %v", places)
	}
	long := strings.Repeat("a", 201)
	tests := make([]string, 11)
	for i := range tests {
		tests[i] = `{"pointer":"/a","in":["b"]}`
	}
	for _, test := range []struct{ old, new, places string }{
		{`"signature":{"header":"X-Signature"`, `"signature":{"header":""`, "signature.header"},
		{`"X-Signature"`, `"X-Signature:"`, "signature.header"},
		{`"X-Timestamp"`, `"X Timestamp"`, "time.header"},
		{`"X-Event-Id"`, `"X-Ä"`, "id_header"},
		{`"sha256"`, `"sha1"`, "signature.algorithm"},
		{`"sha256"`, `"md5"`, "signature.algorithm"},
		{`"hex"`, `"HEX"`, "signature.encoding"},
		{`"key":"text"`, `"key":"utf8"`, "signature.key"},
		{`"unit":"s"`, `"unit":"us"`, "time.unit"},
		{`"body":"json"`, `"body":"xml"`, "body"},
		{`"sha256="`, `"sha256=,"`, "signature.prefix"},
		{`"sha256="`, `"` + long + `"`, "signature.prefix"},
		{`"separator":","`, `"separator":"\n"`, "signature.separator"},
		{`"{body}"`, `"{time}"`, "signature.signed"},
		{`"{body}"`, `"{body}{body}"`, "signature.signed"},
		{`"{body}"`, `"{time}{time}{body}"`, "signature.signed"},
		{`"{body}"`, `"{id}{id}{body}"`, "signature.signed"},
		{`"{body}"`, `"{body}.{secret}"`, "signature.signed"},
		{`"{body}"`, `"{{body}}"`, "signature.signed"},
		{`"{body}"`, `"{body}\u0000"`, "signature.signed"},
		{`"part":""`, `"part":"t"`, "time.part"},
		{`"separator":",","key":"text","signed":"{body}"},
 "time":{"header":"X-Timestamp","part":""`, `"signed":"{time}.{body}"},"time":{"part":"t"`, "signature.separator"},
		{`"signed":"{body}"},
 "time":{"header":"X-Timestamp","part":""`, `"signed":"{time}.{body}"},"time":{"part":""`, "time.header"},
		{`"signed":"{body}"},
 "time":{"header":"X-Timestamp","part":"","unit":"s","tolerance_seconds":300},"id_header":"X-Event-Id"`, `"signed":"{id}.{body}"}`, "id_header"},
		{`"tolerance_seconds":300`, `"tolerance_seconds":-1`, "time.tolerance_seconds"},
		{`"tolerance_seconds":300`, `"tolerance_seconds":604801`, "time.tolerance_seconds"},
		{`"tolerance_seconds":300`, `"tolerance_seconds":"300"`, "time.tolerance_seconds"},
		{`"tolerance_seconds":300`, `"tolerance_seconds":3.5`, "time.tolerance_seconds"},
		{`"event":{"header":""`, `"event":{"header":"X-Event"`, "event.pointer"},
		{`"paid":["order.paid"]`, `"paid":[]`, "event.paid"},
		{`"pointer":"/event",`, ``, "event.paid event.returned event.ignored"},
		{`["order.refunded"]`, `["order.paid"]`, "event.returned"},
		{`["ping"]`, `["order.refunded"]`, "event.ignored"},
		{`["order.paid"]`, `["order.paid","` + long + `"]`, "event.paid"},
		{`["order.paid"]`, `[` + strings.Repeat(`"a",`, 50) + `"b"]`, "event.paid"},
		{`["order.paid"]`, `"order.paid"`, "event.paid"},
		{`["order.paid"]`, `[null]`, "event.paid[0]"},
		{`["order.paid"]`, `[["order.paid"]]`, "event.paid[0]"},
		{`["order.paid"]`, `[{"a":1}]`, "event.paid[0]"},
		{`[{"pointer":"/order/status","in":["paid","complete"]}]`, `[{}]`, "when[0]"},
		{`[{"pointer":"/order/status","in":["paid","complete"]}]`, `[{"pointer":"/a"}]`, "when[0].in"},
		{`[{"pointer":"/order/status","in":["paid","complete"]}]`, `[{"in":[1]}]`, "when[0].pointer"},
		{`[{"pointer":"/order/status","in":["paid","complete"]}]`, `[` + strings.Join(tests, ",") + `]`, "when "},
		{`"order":"/order/id"`, `"order":""`, "order"},
		{`"order":"/order/id"`, `"order":null`, "order"},
		{`"order":"/order/id"`, `"order":7`, "order"},
		{`"order":"/order/id"`, `"order":"order.id"`, "order"},
		{`"order":"/order/id"`, `"order":"/order~2id"`, "order"},
		{`"order":"/order/id"`, `"order":"/order~"`, "order"},
		{`"order":"/order/id"`, `"order":"/` + long + `"`, "order"},
		{`"order":"/order/id"`, `"order":"` + strings.Repeat("/a", 17) + `"`, "order"},
		{`"order":"/order/id"`, `"order":"/a\u0000"`, "order"},
		{`"email":"/order/email"`, `"email":""`, "customer.email"},
		{`"product":"/sku"`, `"product":""`, "lines.product"},
		{`"title":"/name"`, `"title":"name"`, "lines.title"},
		{`"body":"json"`, `"body":"form"`, "lines.pointer return.lines order"},
		{`"order":"/refund/order_id"`, `"order":""`, "return.order"},
		{`"returned":["order.refunded"],`, ``, "event.returned"},
		{`"id":"/refund/id",`, ``, "return.id"},
		{`"line":"/item_id",`, ``, "return.line"},
		{`"quantity":"/qty","full_when"`, `"full_when"`, "return.quantity"},
		{`"lines":"/refund/items",`, ``, "return.lines"},
		{`"lines":"/refund/items",`, `"lines":"/refund/items","amount":"/refund/amount",`, "return.amount"},
		{`"lines":"/refund/items","line":"/item_id","quantity":"/qty",`, ``, "return.full_when"},
		{`"return":{`, `"return":{"when":[{}],`, "return.when[0]"},
		{`"return":{`, `"return":{"when":[{"pointer":"refund","in":[1]}],`, "return.when[0].pointer"},
		{`"return":{`, `"return":{"when":[` + strings.Join(tests, ",") + `],`, "return.when "},
		{`"lines":"/refund/items","line":"/item_id","quantity":"/qty",`, `"amount":"/refund/amount",`, ""},
		{`"lines":"/refund/items",`, `"lines":"/refund/items","currency":"/refund/currency",`, "return.amount"},
		{`"answer":"OK"`, `"answer":"` + long + `"`, "answer"},
		{`"answer":"OK"`, `"answer":"OK\n"`, "answer"},
		{`"answer"`, `"Answer"`, "Answer"},
		{`"answer"`, `"secret"`, "secret"},
		{`"in":["paid"`, `"regex":"paid","in":["paid"`, "when[0].regex"},
		{`"answer":"OK"`, `"answer":"OK","answer":"OK"`, "answer"},
		{`"lines":{`, `"lines":[],"x":{`, "lines"},
		{whole, `[]`, ""},
		{whole, `null`, ""},
		{whole, `{`, ""},
		{whole, ``, ""},
		{whole, `{}`, "signature.header order customer.email lines.product"},
		{whole, whole + "{}", ""},
	} {
		altered := strings.Replace(whole, test.old, test.new, 1)
		if altered == whole && test.new != whole {
			t.Fatalf("%s is not in the settings", test.old)
		}
		places := mistakes(t, altered)
		got := strings.Join(places, " ")
		if want := strings.TrimSpace(test.places); !strings.HasPrefix(got, want) || want == "" && test.old == whole && len(places) == 0 {
			t.Errorf("%s: names %q, want %q", test.new, got, want)
		}
		if test.places == "" && test.old != whole && got != "" {
			t.Errorf("%s: names %q", test.new, got)
		}
	}
}

// Settings may point to 40 values.
func TestCheckSettings_pointers(t *testing.T) {
	t.Parallel()
	all := strings.NewReplacer(`"first_name":""`, `"first_name":"/f"`, `"last_name":""`, `"last_name":"/l"`, `"phone":""`, `"phone":"/p"`,
		`"company":""`, `"company":"/c","city":"/c","zip":"/z","address":"/a","license_for":"/l","add_info":"/i"`).Replace(whole)
	for n, want := range map[int]string{1: "", 10: ""} {
		more := make([]string, n)
		for i := range more {
			more[i] = `{"pointer":"/a","in":["b"]}`
		}
		settings := strings.Replace(all, `[{"pointer":"/order/status","in":["paid","complete"]}]`, "["+strings.Join(more, ",")+"]", 1)
		if got := strings.Join(mistakes(t, settings), " "); got != want {
			t.Errorf("%d tests: %q", n, got)
		}
	}
}

// What settings leave open is said in the answer to them.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string][]string{
		`{"signature":{"header":"S"}}`:                                                             {"no {time}"},
		`{"signature":{"header":"S"},"time":{"header":"T"}}`:                                       {"no {time}", "time is not read"},
		`{"signature":{"header":"S","signed":"{time}{body}"},"time":{"header":"T"}}`:               {},
		`{"signature":{"header":"S","signed":"{time}{body}"},"event":{"header":"E","paid":["p"]}}`: {"event.header"},
		`{"signature":{"header":"S","signed":"{time}{body}"},"id_header":"I"}`:                     {"id_header"},
		`{"signature":{"header":"S","signed":"{id}{time}{body}"},"id_header":"I"}`:                 {},
	} {
		got := generic.Adapter{}.Warnings(json.RawMessage(settings))
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: warns of %q, want %q", settings, got, want)
				break
			}
		}
	}
}

// A problem says what to do, and does not quote what was set.
func TestCheckSettings_problemsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"order":"id"}`:              "such as /order/id",
		`{"secret":"hush"}`:           "compare its spelling",
		`{"when":[{"in":[null]}]}`:    "leave it out",
		`{"when":[{"in":[[1]]}]}`:     "neither a text nor a number",
		`{"order":"/a","order":"/b"}`: "is there twice",
		`{"order":{"a":"hush"}}`:      "not of the kind",
	} {
		err := generic.Adapter{}.CheckSettings(json.RawMessage(settings))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: %v", settings, err)
		}
	}
	if diff := cmp.Diff([]string{"signature.header", "order", "customer.email", "lines.product"}, mistakes(t, "{}")); diff != "" {
		t.Errorf("all is said at once:\n%s", diff)
	}
}

// A secret that the settings cannot read is refused when it is set.
func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for text, forms := range map[string]string{
		"keypool-generic-secret":               "text",
		"6b6579706f6f6c2d6f662d6279746573":     "text hex base64 whsec",
		"6b6579706f6f6c2d6f662d6279746573\n":   "text hex base64 whsec",
		"6b6579706f6f6c6b":                     "text",
		"a2V5cG9vbC1nZW5lcmljLXNlY3JldA==":     "text base64 whsec",
		"whsec_a2V5cG9vbC1nZW5lcmljLXNlY3JldA": "text whsec",
		"_-_-_-_-_-_-_-_-_-_-_-_-":             "text base64",
		"whsec_":                               "text",
	} {
		for _, form := range []string{"text", "hex", "base64", "whsec"} {
			err := generic.Adapter{}.CheckSecret(json.RawMessage(`{"signature":{"key":"`+form+`"}}`), text)
			if want := slices.Contains(strings.Fields(forms), form); (err == nil) != want || err != nil && strings.Contains(err.Error(), text) {
				t.Errorf("%q as %s: %v", text, form, err)
			}
		}
	}
	for _, settings := range []string{``, `{"signature":{"key":"utf8"}}`, `{"a":1}`} {
		if err := (generic.Adapter{}).CheckSecret(json.RawMessage(settings), "secret text"); err != nil {
			t.Errorf("%s: %v", settings, err)
		}
	}
}

// The form that the API's document shows has the members of the settings.
func TestSettingsForm_hasAllMembers(t *testing.T) {
	t.Parallel()
	names := func(of any) (names []string) {
		for i := range reflect.TypeOf(of).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(of).Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
		return names
	}
	if diff := cmp.Diff(names(generic.Settings{}), names(generic.Adapter{}.SettingsForm())); diff != "" {
		t.Errorf("(-settings +form):\n%s", diff)
	}
}

// The example of the package's page can be set.
func TestCheckSettings_page(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "//\t{\"platform\"")
	example, _, _ = strings.Cut(example, "\n//\n")
	var account struct {
		Platform string
		Secrets  []struct{ Name, Secret string }
		Settings json.RawMessage
	}
	if err := json.Unmarshal([]byte("{\"platform\""+strings.ReplaceAll(example, "\n//", "\n")), &account); err != nil {
		t.Fatal(err)
	}
	if places := mistakes(t, string(account.Settings)); places != nil || account.Platform != "generic" {
		t.Errorf("mistakes at %v", places)
	}
	if _, err := (generic.Adapter{}).ParseSecret(account.Secrets[0].Secret); err != nil {
		t.Error(err)
	}
}
