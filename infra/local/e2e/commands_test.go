//go:build deployment

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"keypool/infra/local/shop"
)

// The commands that make merchant and make order print are run as they stand.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	dir := t.TempDir()
	keys := newKeys(3)
	if err := os.WriteFile(filepath.Join(dir, "keys.txt"), []byte(strings.Join(keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	bash := func(command string) string {
		t.Helper()
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "KEYPOOL_SECRET="+m.Secret, "CURL_CA_BUNDLE="+world.machine.CABundle())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, strings.ReplaceAll(string(out), m.token, "[token]"))
		}
		return string(out)
	}

	bash(shop.UploadCurl("curl -sS -f", world.shop.URL, m.token, m.pool))
	if u := m.loaded("keys.txt"); u.Accepted != len(keys) {
		t.Errorf("%d of %d keys were accepted", u.Accepted, len(keys))
	}
	o := m.order(1)
	if said := bash(m.Curl(world.shop.URL, o.Body(), "KEYPOOL_SECRET")); !strings.Contains(said, `"state":"fulfilled"`) {
		t.Errorf("the order was answered %s", said)
	}
	if got := m.keysOf(o); len(got) != 1 {
		t.Errorf("the customer was mailed %d keys, not 1", len(got))
	}
}

// The API is reached at the machine's domain, which its stack names as on AWS.
func TestDomain(t *testing.T) {
	t.Parallel()
	want := fmt.Sprintf("https://keypool.localhost:%d", world.machine.Port())
	record, _, _ := strings.Cut(world.outputs["ApiDomainRecord"], " CNAME ")
	if world.shop.URL != want || record != "keypool.localhost" {
		t.Errorf("it is %s, by a record of %q; want %s", world.shop.URL, record, want)
	}
}

// An upload address takes one file, of the size that was said.
func TestUploadAddress(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	key := newKeys(1)[0]
	answer := do(t, shop.Request{
		Method: "POST", Path: "/v1/pools/" + m.pool + "/uploads",
		Header: http.Header{"Authorization": {"Bearer " + m.token}, "Content-Type": {"application/json"}},
		Body:   fmt.Appendf(nil, `{"name":"address.txt","size":%d}`, len(key)),
	})
	var ticket struct {
		URL     string
		Headers map[string]string
	}
	if err := json.Unmarshal(answer.Body, &ticket); err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("%d, %v", answer.Status, err)
	}
	put := func(body string, headers map[string]string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "PUT", ticket.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			if name != "Content-Length" { // which the client sends by itself
				r.Header.Set(name, value)
			}
		}
		answer, err := world.shop.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for name, c := range map[string]int{
		"another size":    put(key+"\n", ticket.Headers),
		"a header misses": put(key, nil),
	} {
		if c != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, c)
		}
	}
	if got := put(key, ticket.Headers); got != http.StatusOK {
		t.Fatalf("the file: %d, want 200", got)
	}
	if u := m.loaded("address.txt"); u.Accepted != 1 {
		t.Errorf("%d keys were accepted, want 1", u.Accepted)
	}
	if got := put(key, ticket.Headers); got != http.StatusPreconditionFailed {
		t.Errorf("a second file: %d, want 412", got)
	}
}
