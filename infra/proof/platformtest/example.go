package platformtest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/platform"
)

// Example returns the webhook of events/<name>.json, for a test of a package in
// shared/platform.
func Example(t testing.TB, name string) platform.Request {
	t.Helper()
	raw, err := os.ReadFile("../../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	r := platform.Request{Header: http.Header{}, Body: []byte(event.Body)}
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	return r
}

// ChangedExample returns an example with another body: old texts are replaced by new. Each
// old text must be there.
func ChangedExample(t testing.TB, name string, oldnew ...string) platform.Request {
	t.Helper()
	r := Example(t, name)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(r.Body), oldnew[i]) {
			t.Fatalf("%s holds no %s", name, oldnew[i])
		}
	}
	r.Body = []byte(strings.NewReplacer(oldnew...).Replace(string(r.Body)))
	return r
}

// Examples returns the names of a platform's examples, "stripe_paid" and so on: least so many.
func Examples(t testing.TB, platform string, least int) []string {
	t.Helper()
	names, err := filepath.Glob("../../../events/" + platform + "_*.json")
	if err != nil || len(names) < least {
		t.Fatalf("%d examples of %s, not %d or more: %v", len(names), platform, least, err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ".json")
	}
	return names
}
