// Local runs Keypool on one machine. Its commands are those of the Makefile: up, down,
// reset, demo, order, event, trace, inbox, portal, logs, merchant, token, sign-in, bridge, and sign for sam-invoke.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"keypool/infra/local/machine"
)

// command is one word after `go run ./infra/local`.
type command struct {
	name     string
	settings []string // NAME=value that it takes
	run      func(ctx context.Context, c *call) error
}

var commands = []command{
	{"up", []string{"PORT"}, up},
	{"down", nil, down},
	{"reset", nil, reset},
	{"demo", []string{"PORT"}, demo},
	{"order", []string{"QTY", "EMAIL", "PRODUCT", "CURRENCY", "LANGUAGE", "TEST"}, sendOrder},
	{"inbox", []string{"PORT"}, inbox},
	{"portal", nil, portal},
	{"logs", []string{"FUNCTION", "FOLLOW"}, logs},
	{"event", []string{"PLATFORM", "EVENT", "ORDER", "PAID_AT", "PRODUCT", "QUANTITY", "EMAIL", "TEST"}, sendEvent},
	{"trace", []string{"ORDER", "MERCHANT", "STACK"}, trace},
	{"sign", []string{"FILE"}, sign},
	{"bridge", nil, bridge},
	{"merchant", []string{"NAME", "EMAIL", "OWNER", "POOL", "PRODUCT", "TITLE", "STACK"}, merchant},
	{"token", []string{"NAME", "SCOPES", "PERSON", "FOR", "DAYS", "RATE", "STACK"}, token},
	{"sign-in", []string{"MERCHANT", "WHY", "STACK"}, signIn},
}

// call is a command with its settings.
type call struct {
	checkout string
	machine  *machine.Machine
	settings map[string]string
}

// setting returns a setting's value, or a default if it is empty.
func (c *call) setting(name, otherwise string) string {
	if value := c.settings[name]; value != "" {
		return value
	}
	return otherwise
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		explain(err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.name
	}
	if len(args) == 0 {
		return &machine.Fault{Says: "Say what to do: " + strings.Join(names, ", ") + ".", Try: "make help"}
	}
	i := slices.Index(names, args[0])
	if i < 0 {
		return &machine.Fault{Says: fmt.Sprintf("There is no %q.", args[0]), Try: "make help"}
	}
	c := &call{settings: map[string]string{}}
	for _, arg := range args[1:] {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || !slices.Contains(commands[i].settings, name) {
			return &machine.Fault{
				Says: fmt.Sprintf("%s takes no %q.", args[0], arg),
				Try:  strings.Join(append([]string{"make", args[0]}, commands[i].settings...), " ") + "   (each as NAME=value)",
			}
		}
		c.settings[name] = value
	}
	var err error
	if c.checkout, err = checkout(); err != nil {
		return err
	}
	if c.machine, err = machine.Open(c.checkout, filepath.Join(c.checkout, ".local", "machine")); err != nil {
		return err
	}
	return commands[i].run(ctx, c)
}

// checkout returns the nearest folder with go.mod, from the current one upwards.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", &machine.Fault{Says: "This is not a checkout of Keypool.", Try: "cd into the folder with go.mod"}
		}
		dir = filepath.Dir(dir)
	}
}

// explain prints an error as a sentence and a command that helps.
func explain(err error) {
	var fault *machine.Fault
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "\nInterrupted.")
	case errors.As(err, &fault):
		if fault.Cause != nil {
			fmt.Fprintf(os.Stderr, "\n%s\n", indent(fault.Cause.Error(), "  | "))
		}
		fmt.Fprintf(os.Stderr, "\n%s\n  %s\n", fault.Says, fault.Try)
	default:
		fmt.Fprintf(os.Stderr, "\nThis did not work: %v.\n  make logs\n", err)
	}
}

func indent(text, with string) string {
	return with + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+with)
}
