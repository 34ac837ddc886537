// Doctor checks, before a deployment, whether the AWS account is ready for it, what a domain of
// the API's own still needs, and whether an earlier deployment answers people as it should. For
// each problem it prints what solves it. It changes nothing, and signs nobody in.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"keypool/infra/deployment"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	parameters, err := deployment.Context("infra/cdk.json", os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the AWS configuration cannot be read:", err)
		os.Exit(1)
	}
	if !report(os.Stdout, examine(ctx, cfg, everybody, parameters)) {
		os.Exit(1)
	}
}

// report prints the findings and reports whether a deployment can begin.
func report(out io.Writer, findings []finding) bool {
	ready := true
	for _, f := range findings {
		var mark string
		switch f.state {
		case good:
			mark = "ok  "
		case warning:
			mark = "note"
		case failure:
			mark = "BAD "
			ready = false
		}
		fmt.Fprintf(out, "  %s  %-13s %s\n", mark, f.of, f.says)
		if f.mend != "" {
			fmt.Fprintf(out, "        %-13s -> %s\n", "", f.mend)
		}
	}
	return ready
}

// examine checks everything that a deployment needs. It leaves out the checks that need
// something that is missing.
func examine(ctx context.Context, cfg aws.Config, from outside, parameters map[string]any) []finding {
	if region, ok := parameters["region"].(string); ok {
		cfg.Region = region
	}
	findings := []finding{examineRegion(cfg)}
	account, f := examineCredentials(ctx, cfg)
	findings = append(findings, f)
	if f.state == failure || findings[0].state == failure {
		return findings
	}
	parameters["region"] = cfg.Region
	if parameters["account"] == nil {
		parameters["account"] = account
	}
	settings, err := deployment.Read(parameters)
	if err != nil {
		findings = append(findings, finding{failure, "parameters", err.Error(), "make deploy SENDER=keys@your.domain OPERATOR=you@your.domain"})
	} else {
		findings = append(findings, finding{good, "parameters", "name " + settings.Name + ", sender " + settings.Sender.Address, ""})
	}
	findings = append(findings, examineBootstrap(ctx, cfg, account))
	if err == nil {
		findings = append(findings, examineSender(ctx, cfg, settings), examineConcurrency(ctx, cfg, settings))
	}
	findings = append(findings, examineSending(ctx, cfg))
	if err == nil {
		findings = append(findings, examineAddress(ctx, cfg, from, settings)...)
	}
	return findings
}

// examineAddress checks what the API's own domain still needs, and what is deployed already: what
// people see of it.
func examineAddress(ctx context.Context, cfg aws.Config, from outside, s deployment.Settings) []finding {
	var findings []finding
	there := findDeployed(ctx, cfg, s)
	if s.APIDomain != "" {
		certificate, domain := examineCertificate(ctx, cfg, s, time.Now()), examineDomain(ctx, from, s, there)
		findings = append(findings, certificate, domain)
		if certificate.state == failure || domain.state != good {
			return findings // nothing answers there yet
		}
	}
	if !there.ok {
		return findings
	}
	return append(append(findings, examineSessions(ctx, cfg, there), examineUploads(ctx, cfg, there)), examineDoors(ctx, from, there)...)
}
