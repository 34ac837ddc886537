package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/OpenPeeDeeP/depguard/v2"
)

// The packages of shared/ that know a technology. All others are the domain.
var adapters = []string{"boot", "config", "dynamo", "frontdoor", "kms", "s3", "ses", "sqs", "web"}

// The packages of the domain that each do one job for the functions. They import
// nouns (pool, order, catalog, …), and not each other.
var useCases = []string{"catchup", "claim", "delivery", "ingest", "intake", "inventory", "orderpage", "review", "search", "settings", "stock", "sweep"}

// The use cases that another use case, or an adapter, may import: intake turns a
// webhook into claims, web answers the problems that settings finds, frontdoor says that a test
// order of settings was not answered.
var mayImport = map[string][]string{
	"intake": {"claim"},
	"web":    {"settings"},

	"frontdoor": {"settings"},
}

// The technologies that one package each speaks, by the path of their library. A
// function's main opens their clients, and does no more with them.
var technologies = map[string]string{
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb": "dynamo",
	"github.com/aws/aws-sdk-go-v2/service/dynamodb": "dynamo",
	"github.com/aws/aws-sdk-go-v2/service/kms":      "kms",
	"github.com/aws/aws-sdk-go-v2/service/s3":       "s3",
	"github.com/aws/aws-sdk-go-v2/service/sesv2":    "ses",
	"github.com/aws/aws-sdk-go-v2/service/sqs":      "sqs",
}

// The libraries of the CDK.
var cdk = []string{"github.com/aws/aws-cdk-go", "github.com/aws/constructs-go", "github.com/aws/jsii-runtime-go"}

// The libraries of payment platforms. Tests have them as senders and as judges.
var vendors = []string{"github.com/stripe", "github.com/PaddleHQ"}

// importRules says which package may import which. Tests may import anything.
//
//	functions/*   wire and transport
//	use cases     import nouns
//	nouns         import nouns
//	adapters      import nouns, never another adapter
//	infra/        deploys and proves; imports everything but functions
func importRules() *depguard.LinterSettings {
	rules := depguard.LinterSettings{
		"shared is at the bottom":              in("shared/**").deny("functions and infra build on shared", "keypool/functions", "keypool/infra"),
		"a function stands for itself":         in("functions/**").deny("functions share by way of shared/", "keypool/functions", "keypool/infra"),
		"infra deploys functions":              in("infra/**").deny("infra does not call functions", "keypool/functions"),
		"no function has a platform's library": in("functions/**", "shared/**").deny("forty lines do, and a function starts sooner: the library is for tests", vendors...),
		"only infra knows the CDK":             in("functions/**", "shared/**").deny("move it to infra/", cdk...),
		"platform does not know its adapter":   in("shared/platform/*.go").deny("functions import the registry, platform never does", "keypool/shared/platform/all"),
	}

	domain := in("shared/**").but(below(adapters)...)
	rules["the domain knows no technology"] = domain.deny(
		"the domain declares the interface that it needs, an adapter implements it", append(shared(adapters), "github.com/aws")...)

	for library, home := range technologies {
		rules["shared/"+home+" alone speaks "+filepath.Base(library)+" of "+library] = in("functions/**", "shared/**").
			but("functions/*/main.go", "shared/"+home+"/**").
			deny("only shared/"+home+" speaks it", library)
	}

	for _, adapter := range adapters {
		others := slices.DeleteFunc(slices.Clone(adapters), func(other string) bool {
			return other == adapter || adapter == "boot" && other == "config" // boot reads the configuration
		})
		above := slices.DeleteFunc(slices.Clone(useCases), func(useCase string) bool { return slices.Contains(mayImport[adapter], useCase) })
		rules["adapter "+adapter] = in("shared/"+adapter+"/**").deny("adapters know nouns: main brings them together with use cases and each other", shared(append(others, above...))...)
	}

	for _, useCase := range useCases {
		others := slices.DeleteFunc(slices.Clone(useCases), func(other string) bool {
			return other == useCase || slices.Contains(mayImport[useCase], other)
		})
		rules["use case "+useCase] = in("shared/"+useCase+"/**").deny("use cases do not import each other: main or a noun brings them together", shared(others)...)
	}
	rules["nouns"] = domain.but(below(useCases)...).deny("nouns are below the use cases", shared(useCases)...)
	return &rules
}

// scope is some of the module's files, by patterns. ** stands for folders too.
type scope []string

// in returns the files that match, without tests.
func in(patterns ...string) scope {
	s := scope{"!$test"}
	for _, pattern := range patterns {
		s = append(s, filepath.ToSlash(filepath.Join(root, pattern)))
	}
	return s
}

// but returns the scope without the files that match.
func (s scope) but(patterns ...string) scope {
	s = slices.Clone(s)
	for _, pattern := range patterns {
		s = append(s, "!"+filepath.ToSlash(filepath.Join(root, pattern)))
	}
	return s
}

// deny forbids the scope's files to import the packages, and those below them.
func (s scope) deny(why string, packages ...string) *depguard.List {
	denied := map[string]string{}
	for _, name := range packages {
		denied[name+"$"], denied[name+"/"] = why, why
	}
	return &depguard.List{ListMode: "lax", Files: s, Deny: denied}
}

func shared(names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = "keypool/shared/" + name
	}
	return paths
}

func below(names []string) []string {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = "shared/" + name + "/**"
	}
	return patterns
}

// root is the module's folder. go vet starts its tool in the folder of the package, also
// of one that we depend on: an old one may be in no module, and no rule is about it.
var root = func() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			return "/in/no/module"
		}
		folder = filepath.Dir(folder)
	}
}()
