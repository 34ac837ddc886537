// Package rights runs the tests that look for secrets where they must not be and
// for rights that nobody should have, and writes how much they searched and tried
// into infra/proof/RESULTS.md.
//
//	go run ./infra/proof rights         all of it, some ten minutes
//	go run ./infra/proof rights -e2e R  of the end-to-end tests only those whose names match R
package rights

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/results"
)

// Run runs the tests. It needs a DynamoDB at DYNAMODB_ENDPOINT.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("rights", flag.ExitOnError)
	e2e := flags.String("e2e", "", "of the end-to-end tests, only those that match")
	flags.Parse(args)
	return run(ctx, *e2e)
}

func run(ctx context.Context, e2e string) error {
	command := "make rights"
	if e2e != "" {
		command = "go run ./infra/proof rights -e2e '" + e2e + "'"
	}
	var said bytes.Buffer
	for _, tests := range []struct {
		pattern  string
		packages []string
	}{
		{"^TestReplay", []string{"./shared/..."}},
		{"^TestSecrets", []string{"./infra/proof/rights"}},
		{"^TestSecrecy$|^TestEveryOperation", []string{"./functions/..."}},
		{e2e, []string{"./infra/local/e2e"}},
	} {
		// One package at a time: they share the cores of this machine.
		test := exec.CommandContext(ctx, "go", append([]string{"test", "-tags=deployment", "-count=1", "-p=1", "-v", "-timeout=40m", "-run=" + tests.pattern}, tests.packages...)...)
		test.Stdout = io.MultiWriter(&said, progress{os.Stdout})
		test.Stderr = os.Stderr
		if err := test.Run(); err != nil {
			return fmt.Errorf("%s: %w; nothing was recorded", strings.Join(test.Args, " "), err)
		}
	}
	text, err := table(canary.Figures(said.String()))
	if err != nil {
		return err
	}
	return results.Write("rights", command, text)
}

// progress prints the tests that passed, and the failures.
type progress struct{ to io.Writer }

func (p progress) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("ok")) || bytes.Contains(line, []byte("FAIL")) || bytes.Contains(line, []byte("_test.go:")) {
			p.to.Write(line)
		}
	}
	return len(b), nil
}

// rows are the rows of the table: the figure's name, and its text.
var rows = []struct{ figure, says string }{
	{"canaries", "keys, customers, merchants' addresses, secrets, tokens and salts that were sent through everything"},
	{"functions' runs with a refused call", "runs of a function with one of its calls to AWS refused, in 7 ways that quote what was sent; answer, error and log searched"},
	{"functions' runs with a bad event", "runs of a function with an event that cannot be read or taken"},
	{"places searched", "texts that a whole deployment left behind and that were searched, of these:"},
	{"log lines searched", "– lines of all logs, the emulator's own too"},
	{"answers of the API searched", "– answers of the API"},
	{"errors of functions searched", "– errors of functions"},
	{"items of tables searched", "– items of tables, each table for what it is not for"},
	{"mails to customers searched", "– mails to customers, for secrets and tokens"},
	{"mails to merchants and the operator searched", "– mails to merchants and the operator, for keys and customers too"},
	{"messages in queues searched", "– messages in queues and dead letters"},
	{"reports searched", "– reports of uploads"},
	{"settings of functions searched", "– settings of functions"},
	{"outputs of stacks searched", "– outputs of stacks"},
	{"lists of metrics searched", "– lists of all metrics"},
	{"roles", "roles, each with a session of its own"},
	{"calls allowed", "calls that a role needs, and that succeeded"},
	{"rights exercised", "rights (an action on a thing, and a kind of item) that those calls used: every one that a call can use"},
	{"calls denied", "calls that no role needs, or not this one, and that were denied"},
	{"rights by way of a service", "rights to the KMS key that only DynamoDB, S3 and SQS can use on a function's behalf, see below"},
	{"API operations", "operations of the API, from its own document"},
	{"kinds of wrong callers", "kinds of wrong callers, from no token to one that was taken back"},
	{"API calls by the wrong caller", "calls by them, refused with the same bytes, nothing changed"},
	{"API calls with a token that lacks the scope", "calls with the merchant's own good token that lacks the operation's scope, refused, nothing changed"},
	{"API calls by people whose role does not allow them", "calls with a token of a person's whose role does not allow the operation, refused, nothing changed"},
	{"API calls with a foreign token", "calls with another merchant's good token, answered as if there were nothing, nothing changed"},
	{"replays and rotations", "webhooks at and around the edges of their five minutes, by the current, the previous and a foreign secret"},
}

// table is the table of figures. A missing figure is an error: its test did not run.
func table(figures map[string]int) (string, error) {
	var missing []error
	var b strings.Builder
	b.WriteString("| count | of what |\n|---:|---|\n")
	for _, row := range rows {
		n, ok := figures[row.figure]
		if !ok {
			missing = append(missing, fmt.Errorf("no test said how many %s there were", row.figure))
		}
		fmt.Fprintf(&b, "| %d | %s |\n", n, row.says)
	}
	b.WriteString(`
No secret was found where it does not belong, no call was allowed that the template does not grant, none was denied that it grants.

One condition of a role's policy counts as proved neither way, kms:ViaService as far as it allows something, since no service of
the emulator uses the key; the tests of the template hold it (` + "`infra/deployment/functions_test.go`" + `). The emulator lets the account's root
assume a role that trusts a service; who is trusted is held there too. How long a comparison takes is not measured:
` + "`infra/proof/rights/comparisons_test.go`" + ` holds that nothing a stranger sends is compared with a secret but by hmac.Equal, or looked up by its hash.
`)
	return b.String(), errors.Join(missing...)
}
