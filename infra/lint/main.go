// Lint is the project's own set of checks for go vet, in one program that starts at
// once: which package may import which (imports.go), errors compared without
// errors.Is or errors.As (errorlint), switches that forget a value of their type
// (exhaustive), regular expressions that every start would compile (startup.go), clients
// that bring a whole service into a binary (clients.go), and log messages that are not a
// constant (sloglint).
//
//	go vet -vettool="$(go tool -n lint)" ./...
//
// # Decisions
//
// The analyzers are the ones that golangci-lint runs. Built into one vet tool they are
// compiled in seconds, go vet remembers what it has seen of each package, and go.mod
// grows by four modules. golangci-lint would be worth its few hundred as soon as the
// project wants a dozen more of its checks.
package main

import (
	"fmt"
	"os"

	"github.com/OpenPeeDeeP/depguard/v2"
	"github.com/nishanths/exhaustive/passes/exhaustive"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"go-simpler.org/sloglint"
	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	imports, err := depguard.NewAnalyzer(importRules())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// A default case says what happens to the values that a switch does not name.
	if err := exhaustive.Analyzer.Flags.Set("d", "true"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	unitchecker.Main(
		imports,
		errorlint.NewAnalyzer(),
		exhaustive.Analyzer,
		startup,
		clients,
		// The message of a log line is the stable name of an event: order.claimed.
		sloglint.New(&sloglint.Options{
			NoMixedArguments: true,
			StaticMessage:    true,
			MessageStyle:     "lowercased",
			KeyNamingCase:    "snake",
			ContextOnly:      "scope",
		}),
	)
}
