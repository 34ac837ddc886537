// Package results writes infra/proof/RESULTS.md. Each command that measures or proves
// something replaces its own part of the page. The text between the parts is written
// by hand.
package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Stamp is the day, the command and the machine of a result.
type Stamp struct{ Day, Command, Machine string }

// Now is the stamp of a result of this moment.
func Now(command string) Stamp {
	return Stamp{Day: time.Now().UTC().Format(time.DateOnly), Command: command, Machine: machine()}
}

func (s Stamp) String() string {
	if s == (Stamp{}) {
		return "on a day that was not kept"
	}
	return fmt.Sprintf("%s, by `%s` on %s", s.Day, s.Command, s.Machine)
}

// Stamped is the name of a result, and its stamp.
type Stamped struct {
	What string
	Stamp
}

// Stamps lists the stamps of several results in one line. Results with the same stamp
// share it; if all do, the line does not name them.
func Stamps(all ...Stamped) string {
	var order []Stamp
	names := map[Stamp][]string{}
	for _, s := range all {
		if names[s.Stamp] == nil {
			order = append(order, s.Stamp)
		}
		names[s.Stamp] = append(names[s.Stamp], s.What)
	}
	if len(order) == 1 {
		return "*" + order[0].String() + ".*"
	}
	var lines []string
	for _, s := range order {
		lines = append(lines, strings.Join(names[s], ", ")+": "+s.String())
	}
	return "*" + strings.Join(lines, "; ") + ".*"
}

// Write replaces a part of the page: the lines between "<!-- part -->" and "<!--
// /part -->". The text is Markdown; a line below it says when, where and by which
// command it was written.
func Write(part, command, text string) error {
	return WriteStamped(part, text, Stamped{part, Now(command)})
}

// WriteStamped does the same with a text whose pieces are from different runs.
func WriteStamped(part, text string, pieces ...Stamped) error {
	return Replace("infra/proof/RESULTS.md", part, strings.TrimSpace(text)+"\n\n"+Stamps(pieces...))
}

// Replace replaces a part of any page of the checkout, without a stamp.
func Replace(page, part, text string) error {
	checkout, err := Checkout()
	if err != nil {
		return err
	}
	path := filepath.Join(checkout, page)
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := replaced(string(before), part, strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(path, []byte(after), 0o644)
}

// replaced returns the page with a new text in one of its parts.
func replaced(page, part, text string) (string, error) {
	opens, closes := "<!-- "+part+" -->\n", "<!-- /"+part+" -->"
	before, rest, ok := strings.Cut(page, opens)
	_, after, closed := strings.Cut(rest, closes)
	if !ok || !closed {
		return "", fmt.Errorf("no part %q: put the lines %q and %q where it belongs", part, strings.TrimSpace(opens), closes)
	}
	return before + opens + text + "\n" + closes + after, nil
}

// Recall reads a file of .local that a command kept for its next run. It leaves kept
// unchanged if there is no such file.
func Recall(name string, kept any) error {
	path, err := local(name)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, kept); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Keep writes a file for Recall.
func Keep(name string, kept any) error {
	path, err := local(name)
	if err != nil {
		return err
	}
	content, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644))
}

func local(name string) (string, error) {
	checkout, err := Checkout()
	return filepath.Join(checkout, ".local", name), err
}

// Checkout returns the checkout's folder.
func Checkout() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// machine describes this machine in a few words: "amd64, 2 cores, 24 GiB, go1.26.8".
func machine() string {
	var kb int
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		fmt.Sscanf(string(info), "MemTotal: %d kB", &kb)
	}
	return fmt.Sprintf("%s, %d cores, %d GiB, %s", runtime.GOARCH, runtime.NumCPU(), (kb+1<<19)>>20, runtime.Version())
}

// Grouped formats a number with its thousands apart: 1,234,567.
func Grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
