// Package results keeps infra/bench/RESULTS.md. Each command that measures or
// proves something writes its own part of the page and leaves the others alone;
// the words between the parts are written by hand.
package results

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Write replaces a part of the page: what stands between the lines
// "<!-- part -->" and "<!-- /part -->". The text ends up as it is, Markdown, with
// a line below it that says when, where and by which command it was written.
func Write(part, command, text string) error {
	page, err := Path()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	after, err := replaced(string(before), part, fmt.Sprintf("%s\n\n*%s, by `%s` on %s.*",
		strings.TrimSpace(text), time.Now().UTC().Format(time.DateOnly), command, Machine()))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, []byte(after), 0o644)
}

// replaced returns the page with another text in one of its parts.
func replaced(page, part, text string) (string, error) {
	opens, closes := "<!-- "+part+" -->\n", "<!-- /"+part+" -->"
	before, rest, ok := strings.Cut(page, opens)
	_, after, closed := strings.Cut(rest, closes)
	if !ok || !closed {
		return "", fmt.Errorf("no part %q: put the lines %q and %q where it belongs", part, strings.TrimSpace(opens), closes)
	}
	return before + opens + text + "\n" + closes + after, nil
}

// Path returns where the page stands in this checkout.
func Path() (string, error) {
	checkout, err := Checkout()
	return filepath.Join(checkout, "infra/bench/RESULTS.md"), err
}

// Checkout returns the checkout's folder.
func Checkout() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// Machine says in a few words what a figure was measured on.
func Machine() string {
	var kb int
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		fmt.Sscanf(string(info), "MemTotal: %d kB", &kb)
	}
	return fmt.Sprintf("%s, %d cores, %d GiB, %s", runtime.GOARCH, runtime.NumCPU(), (kb+1<<19)>>20, runtime.Version())
}
