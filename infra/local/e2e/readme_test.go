//go:build deployment

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The lines of README's part "Using it" are run as they stand, each language with the
// library that the text names. They are what a shop's programmer copies first.
func TestReadme(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	dir := clients(t)
	environment := os.Environ()
	// The deployment's own credentials, as .local/env has them.
	for name, value := range world.shop.Environment(world.machine, m.Account, m.token, m.pool, m.product) {
		environment = append(environment, name+"="+value)
	}
	environment = append(environment, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	run := map[string][]string{
		"sh":     {"bash", "-euo", "pipefail", "example.sh"},
		"python": {filepath.Join(dir, "bin", "python"), "example.python"},
		"js":     {"node", "example.mjs"},
	}
	orders := 0
	for _, block := range readmeBlocks(t) {
		if block.language == "json" {
			continue // what the line before prints
		}
		command := run[block.language]
		if command == nil {
			t.Fatalf("README shows lines in %q, which nothing runs", block.language)
		}
		if err := os.WriteFile(filepath.Join(dir, command[len(command)-1]), []byte(block.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Dir, cmd.Env = dir, environment
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s\n%s", err, block.text, strings.ReplaceAll(string(out), m.token, "[token]"))
		}
		switch {
		case strings.Contains(block.text, "s3 cp"):
			if u := m.loaded("keys.txt"); u.Accepted != 3 {
				t.Fatalf("%d keys of README's file were accepted", u.Accepted)
			}
		case strings.Contains(block.text, "/dry-run"):
			if !strings.Contains(string(out), `{"step":"signature","ok":false,`) || !strings.Contains(string(out), `{"event":"paid","order":"10004",`) {
				t.Errorf("the dry run says %s", out)
			}
		case strings.Contains(block.text, "/fulfil"):
			if !strings.Contains(string(out), `"order":"press-17","account":"by-hand"`) {
				t.Errorf("the order by hand is %s", out)
			}
		case strings.Contains(block.text, "order.paid"):
			orders++
			if !strings.Contains(string(out), `"state":"fulfilled"`) {
				t.Errorf("an order in %s was answered %s", block.language, out)
			}
		case strings.Contains(block.text, "/v1/pools"):
			if !strings.Contains(string(out), `"name":"`+m.pool+`"`) {
				t.Errorf("the pools are %s", out)
			}
		}
	}
	if orders != 3 {
		t.Errorf("README sends an order in %d languages, not 3", orders)
	}
}

type readmeBlock struct{ language, text string }

// readmeBlocks returns the lines to run of README's part "Using it".
func readmeBlocks(t *testing.T) []readmeBlock {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(world.machine.Checkout, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, using, _ := strings.Cut(string(readme), "\n## Using it\n")
	using, _, _ = strings.Cut(using, "\n## ")
	var blocks []readmeBlock
	for _, match := range regexp.MustCompile("(?s)\n```(\\w*)\n(.*?)\n```").FindAllStringSubmatch(using, -1) {
		blocks = append(blocks, readmeBlock{match[1], match[2]})
	}
	return blocks
}

// clients returns a folder with what README's lines need: AWS's command line, and the
// libraries of Standard Webhooks of PyPI and npm.
func clients(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(world.machine.Checkout, ".local", "clients")
	for _, command := range [][]string{
		{"python3", "-m", "venv", dir},
		{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "awscli==1.46.3", "standardwebhooks==1.1.0"},
		{"npm", "install", "--prefix", dir, "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "standardwebhooks@1.1.1"},
	} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	return dir
}
