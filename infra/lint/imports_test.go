package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/OpenPeeDeeP/depguard/v2"
	"golang.org/x/tools/go/analysis"
)

func TestImportRules(t *testing.T) {
	check, err := depguard.NewAnalyzer(importRules())
	if err != nil {
		t.Fatal(err)
	}
	const dynamodb = "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	for _, c := range []struct {
		file, imports string
		allowed       bool
	}{
		{"shared/pool/pool.go", "keypool/shared/order", true},
		{"shared/pool/pool.go", "keypool/shared/claim", false},
		{"shared/pool/pool.go", "keypool/functions/api", false},
		{"shared/pool/pool.go", "keypool/infra/stack", false},
		{"shared/pool/pool_test.go", "keypool/infra/proof/dynamotest", true},
		{"shared/new/new.go", "keypool/shared/dynamo", false},
		{"shared/new/new.go", "github.com/aws/aws-lambda-go/events", false},
		{"shared/claim/claim.go", "keypool/shared/order", true},
		{"shared/claim/claim.go", "keypool/shared/delivery", false},
		{"shared/claim/claim.go", "keypool/shared/intake", false},
		{"shared/claim/claim.go", "keypool/shared/dynamo", false},
		{"shared/claim/claim.go", dynamodb, false},
		{"shared/intake/intake.go", "keypool/shared/claim", true},
		{"shared/intake/intake.go", "keypool/shared/stock", false},
		{"shared/dynamo/claim.go", dynamodb + "/types", true},
		{"shared/dynamo/claim.go", "keypool/shared/order", true},
		{"shared/dynamo/claim.go", "keypool/shared/claim", false},
		{"shared/ses/ses.go", "keypool/shared/mail", true},
		{"shared/ses/ses.go", "keypool/shared/delivery", false},
		{"shared/ses/ses.go", "keypool/shared/claim", false},
		{"shared/dynamo/claim.go", "keypool/shared/ses", false},
		{"shared/dynamo/claim.go", "github.com/aws/aws-sdk-go-v2/service/sqs", false},
		{"shared/boot/boot.go", "keypool/shared/config", true},
		{"shared/platform/platform.go", "keypool/shared/platform/all", false},
		{"shared/platform/all/all.go", "keypool/shared/platform/standard", true},
		{"functions/webhook/main.go", dynamodb, true},
		{"functions/webhook/handler.go", dynamodb, false},
		{"functions/webhook/handler.go", "keypool/shared/intake", true},
		{"functions/webhook/handler.go", "keypool/functions/api", false},
		{"functions/webhook/handler.go", "github.com/aws/aws-cdk-go/awscdk/v2", false},
		{"infra/stack/stack.go", "github.com/aws/aws-cdk-go/awscdk/v2", true},
		{"infra/stack/stack.go", "keypool/functions/api", false},
		{"infra/proof/bench/bench.go", dynamodb, true},
	} {
		pass := &analysis.Pass{Fset: token.NewFileSet()}
		file, err := parser.ParseFile(pass.Fset, filepath.Join(root, c.file), fmt.Sprintf("package p\nimport _ %q\n", c.imports), 0)
		if err != nil {
			t.Fatal(err)
		}
		pass.Files = []*ast.File{file}
		allowed := true
		pass.Report = func(analysis.Diagnostic) { allowed = false }
		if _, err := check.Run(pass); err != nil {
			t.Fatal(err)
		}
		if allowed != c.allowed {
			t.Errorf("%s imports %s: allowed is %t", c.file, c.imports, allowed)
		}
	}
}
