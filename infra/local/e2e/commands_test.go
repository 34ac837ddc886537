//go:build deployment

package e2e

import (
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
