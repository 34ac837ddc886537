package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// MiniStack is the package and version of the emulator that emulator.py patches.
const MiniStack = "ministack==1.5.33"

// CheckTools returns a Fault for the first prerequisite that is missing or too old.
func CheckTools(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return &Fault{
			Says: "The one-machine run needs Linux, and this is " + runtime.GOOS + ".",
			Try:  "run it in a Linux virtual machine or container; everything else works here",
		}
	}
	for _, tool := range []struct {
		name, version, install string
		major, minor           int
	}{
		{"python3", "--version", "Python 3.11 or later: apt install python3 python3-venv", 3, 11},
		{"node", "--version", "Node.js 20 or later: https://nodejs.org", 20, 0},
		{"npm", "--version", "npm 9 or later: it comes with Node.js", 9, 0},
	} {
		out, err := exec.CommandContext(ctx, tool.name, tool.version).CombinedOutput()
		if err != nil {
			return &Fault{Says: tool.name + " is missing.", Try: "install " + tool.install}
		}
		major, minor := version(string(out))
		if major < tool.major || major == tool.major && minor < tool.minor {
			return &Fault{
				Says: fmt.Sprintf("%s %d.%d is too old.", tool.name, major, minor),
				Try:  "install " + tool.install,
			}
		}
	}
	return nil
}

var versionPattern = regexp.MustCompile(`(\d+)\.(\d+)`)

func version(text string) (major, minor int) {
	match := versionPattern.FindStringSubmatch(text)
	if match == nil {
		return 0, 0
	}
	major, _ = strconv.Atoi(match[1])
	minor, _ = strconv.Atoi(match[2])
	return major, minor
}

// FetchMiniStack installs the emulator in the checkout's own virtual environment, once.
// Machines of one checkout share it.
func (m *Machine) FetchMiniStack(ctx context.Context) error {
	mark := filepath.Join(m.venv(), ".keypool")
	if have, err := os.ReadFile(mark); err == nil && string(have) == MiniStack {
		return nil
	}
	if _, err := os.Stat(m.python()); err != nil {
		if err := m.run(ctx, nil, "", "python3", "-m", "venv", m.venv()); err != nil {
			return &Fault{Says: "Python cannot make a virtual environment.", Try: "apt install python3-venv", Cause: err}
		}
	}
	if err := m.run(ctx, nil, "", m.python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MiniStack); err != nil {
		return &Fault{Says: "MiniStack could not be fetched from PyPI.", Try: m.python() + " -m pip install " + MiniStack, Cause: err}
	}
	return os.WriteFile(mark, []byte(MiniStack), 0o644)
}

// FetchCDK installs the CDK command line of infra/package-lock.json in the checkout, once.
func (m *Machine) FetchCDK(ctx context.Context) error {
	infra := filepath.Join(m.Checkout, "infra")
	lock, err := os.ReadFile(filepath.Join(infra, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(infra, "node_modules", ".keypool")
	if have, err := os.ReadFile(mark); err == nil && bytes.Equal(have, lock) {
		return nil
	}
	if err := m.run(ctx, nil, infra, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
		return &Fault{Says: "The CDK CLI could not be fetched from npm.", Try: "cd infra && npm ci", Cause: err}
	}
	return os.WriteFile(mark, lock, 0o644)
}

func (m *Machine) venv() string   { return filepath.Join(m.Checkout, ".local", "venv") }
func (m *Machine) python() string { return filepath.Join(m.venv(), "bin", "python") }

// run runs a tool to its end. Its output goes to tools.log; the error of a tool that
// fails has the end of the output.
func (m *Machine) run(ctx context.Context, extra map[string]string, dir, name string, args ...string) error {
	if err := os.MkdirAll(m.Home, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(m.ToolsLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "\n$ %s %s\n", name, strings.Join(args, " "))

	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	for name, value := range extra {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout = io.MultiWriter(log, &said)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.Join(lines[max(0, len(lines)-12):], "\n"))
	}
	return nil
}

// ToolsLog is the file with the output of pip, npm, Go and the CDK.
func (m *Machine) ToolsLog() string { return m.path("tools.log") }
