package deployment_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
	"keypool/shared/outbound"
)

// Every folder under functions/ is deployed.
func TestFunctions_areTheFolders(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, e.Name())
		}
	}
	for _, f := range deployment.Functions {
		got = append(got, f.Folder())
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the folders (-) and the table (+) differ:\n%s", diff)
	}
}

// The services that functions may use.
var services = []string{"dynamodb", "kms", "logs", "s3", "ses", "sqs"}

func TestRights_nameActionsOfListedServices(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			for _, action := range s.Actions {
				service, name, _ := strings.Cut(action, ":")
				if !slices.Contains(services, service) || name == "" || strings.ContainsAny(name, "*?") {
					t.Errorf("%s may %s", f.ID, action)
				}
			}
		}
	}
}

// Merchants and tokens are written by the operator's function alone: the ones that
// merchants reach cannot make themselves another merchant, nor give a token more scopes. They
// can take a token away, and change of a merchant what is its own to set.
func TestRights_merchantsAndTokensAreWrittenByTheOperator(t *testing.T) {
	reads := []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Resource != "${Catalog.Arn}" {
				continue
			}
			begins := s.Condition()["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
			if len(begins) == 0 {
				t.Errorf("%s may %v on every item of the catalog", f.ID, s.Actions)
				continue
			}
			for _, begin := range begins {
				may := reads
				if begin == "tokens#*" && (f.ID == "Api" || f.ID == "Portal") {
					may = append(slices.Clone(reads), "dynamodb:DeleteItem")
				}
				if named := s.Condition()["ForAllValues:StringEquals"]["dynamodb:Attributes"]; begin == "merchant#*" && named != nil {
					may = append(slices.Clone(reads), "dynamodb:UpdateItem")
					for _, operators := range []string{"salt", "linkKey", "kind", "v", "uploadFiles", "uploadBytes", "uploadKeys", "callsOfDay", "mailsOfDay"} {
						if slices.Contains(named, operators) {
							t.Errorf("%s may %v the %s of a merchant", f.ID, s.Actions, operators)
						}
					}
				}
				writes := slices.ContainsFunc(s.Actions, func(action string) bool { return !slices.Contains(may, action) })
				if writes && (begin == "merchant#*" || begin == "tokens#*") && f.ID != "Operator" {
					t.Errorf("%s may %v on %s", f.ID, s.Actions, begin)
				}
			}
		}
	}
}

// The writes of one transaction that are of one kind, such as a line and its place in a queue,
// are allowed by one statement: the emulator holds a statement against all of them together,
// so that two statements with some of them each allow nothing. AWS does not say whether it
// looks at each by itself.
// The audit trail is added to, by the functions that change settings, and never changed. What
// puts an entry names it anew, and on the condition that there is none of its name.
func TestRights_auditTrailIsOnlyAddedTo(t *testing.T) {
	const entry = "audit#acme"
	var writers []string
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Resource != "${Catalog.Arn}" {
				continue
			}
			reaches := true
			for _, c := range s.When {
				if c.Key == "dynamodb:LeadingKeys" && strings.HasSuffix(c.Operator, "StringLike") {
					reaches = slices.ContainsFunc(c.Values, func(v string) bool { return strings.HasPrefix(entry, strings.TrimSuffix(v, "*")) })
				}
			}
			for _, action := range s.Actions {
				switch {
				case !reaches:
				case action == "dynamodb:PutItem":
					writers = append(writers, f.ID)
				case action != "dynamodb:Query" || f.ID != "Api" && f.ID != "Portal":
					t.Errorf("%s may %s entries of the audit trail", f.ID, action)
				}
			}
		}
	}
	slices.Sort(writers)
	if diff := cmp.Diff([]string{"Api", "Deliver", "Job", "Operator", "Portal"}, writers); diff != "" {
		t.Errorf("other functions add entries:\n%s", diff)
	}
}

func TestRights_ofWritesStandInOneStatement(t *testing.T) {
	for _, f := range deployment.Functions {
		seen := map[string]bool{}
		for _, r := range f.Rights {
			for action := range strings.FieldsSeq(r.Actions) {
				if r.Target.Service != "dynamodb" || !strings.HasSuffix(action, "Item") || strings.HasSuffix(action, "GetItem") {
					continue
				}
				if r.Attributes != nil { // such a write is the only one of its kind in its transaction
					continue
				}
				if right := action + " of " + r.Target.Resource; seen[right] {
					t.Errorf("%s has its right to %s in two parts", f.ID, right)
				} else {
					seen[right] = true
				}
			}
		}
	}
}

// The key is used through a service that stores our data, or for the secrets and the
// credentials of accounts.
func TestRights_useTheKeyForNothingElse(t *testing.T) {
	accounts := map[string]map[string][]string{
		"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": {"merchant", "account"}},
		"Null":                      {"kms:EncryptionContextKeys": {"false"}},
	}
	credentials := map[string]map[string][]string{"StringLike": {"kms:EncryptionContext:credential": {"?*"}}}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			through := s.Condition()["StringEquals"]["kms:ViaService"]
			if s.Resource == "${Key.Arn}" && len(through) == 0 && !cmp.Equal(s.Condition(), accounts) && !cmp.Equal(s.Condition(), credentials) {
				t.Errorf("%s may %v, limited by %v", f.ID, s.Actions, s.When)
			}
		}
	}
}

// Who opens credentials of platforms' APIs calls those APIs, and nobody reads back what
// the API sealed.
func TestRights_credentials(t *testing.T) {
	var may []string
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Condition()["StringLike"]["kms:EncryptionContext:credential"] != nil {
				may = append(may, fmt.Sprint(f.ID, s.Actions))
			}
		}
	}
	if diff := cmp.Diff([]string{"Webhook[kms:Decrypt]", "Catchup[kms:Decrypt]", "Api[kms:Encrypt]", "Portal[kms:Encrypt]"}, may); diff != "" {
		t.Error(diff)
	}
}

// Signing secrets are opened by the function that verifies webhooks, and by the API for
// dry runs. Nobody else may, and no operation shows one.
func TestRights_signingSecrets(t *testing.T) {
	var may []string
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if len(s.Condition()["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"]) > 0 {
				may = append(may, fmt.Sprint(f.ID, s.Actions))
			}
		}
	}
	if diff := cmp.Diff([]string{"Webhook[kms:Decrypt]", "Api[kms:Decrypt kms:Encrypt]", "Portal[kms:Decrypt kms:Encrypt]"}, may); diff != "" {
		t.Error(diff)
	}
}

// ForAllValues holds where a request has no such key at all, so a statement says
// that the key is there.
func TestRights_anAbsentKeyDoesNotMatch(t *testing.T) {
	found := 0
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			for operator, keys := range s.Condition() {
				for key := range keys {
					if !strings.HasPrefix(operator, "ForAllValues:") {
						continue
					}
					found++
					if got := s.Condition()["Null"][key]; !cmp.Equal(got, []string{"false"}) {
						t.Errorf("%s may %v on %s for requests without %s", f.ID, s.Actions, s.Resource, key)
					}
				}
			}
		}
	}
	if found == 0 {
		t.Error("no condition was found")
	}
}

// The keys that are for sale are read by what gives them to lines: Api does so when a key
// is replaced. Job reads whose they are, and writes them to files. Other functions count them, and learn no key.
func TestRights_unsoldKeysAreReadByWhatSellsThem(t *testing.T) {
	got := map[string]string{}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Resource == "${Keys.Arn}/index/available" {
				got[f.ID] = strings.Join(append(s.Actions, s.Condition()["StringEquals"]["dynamodb:Select"]...), " ")
			}
		}
	}
	want := map[string]string{
		"Webhook": "dynamodb:Query", "Catchup": "dynamodb:Query", "Fill": "dynamodb:Query",
		"Stock": "dynamodb:Query COUNT", "Portal": "dynamodb:Query", "Api": "dynamodb:Query", "Job": "dynamodb:Query",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Files of keys are written by Job, and given away by Api and Portal: nobody else has a right to
// them. Of their bucket, Job reads nothing else.
func TestRights_filesOfKeys(t *testing.T) {
	got := map[string]string{}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			kind, inReports := strings.CutPrefix(s.Resource, "${Reports.Arn}/")
			if inReports && (f.ID == "Job" || strings.HasPrefix(kind, "exports/") || strings.HasPrefix("exports/", strings.TrimSuffix(kind, "*"))) {
				got[f.ID+" "+kind] = strings.Join(s.Actions, " ")
			}
		}
	}
	want := map[string]string{"Api exports/*": "s3:GetObject", "Portal exports/*": "s3:GetObject", "Job exports/*": "s3:GetObject s3:PutObject s3:AbortMultipartUpload", "Job reports/*/test/*": "s3:DeleteObject"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Without these rights S3 answers 403 for a file, or a version of it, that is gone.
func TestRights_ingestIsToldThatAFileIsGone(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if f.ID == "Ingest" && strings.HasSuffix(s.Resource, ":${UploadsName}") {
				if diff := cmp.Diff([]string{"s3:ListBucket", "s3:ListBucketVersions"}, s.Actions); diff != "" {
					t.Error(diff)
				}
				return
			}
		}
	}
	t.Error("ingest has no right to the bucket")
}

// A new account has ten executions at a time. What queues call leaves some of them to
// webhooks and mails.
func TestQueues_leaveExecutionsToOrders(t *testing.T) {
	const newAccount, forOrders = 10, 2
	taken := 0
	for _, f := range deployment.Functions {
		if f.Queue == nil {
			continue
		}
		if f.Queue.Concurrency < 2 { // 0 is no limit, and Lambda takes no 1
			t.Errorf("%s may take %d executions", f.ID, f.Queue.Concurrency)
		}
		taken += f.Queue.Concurrency
	}
	if taken > newAccount-forOrders {
		t.Errorf("the queues take %d of %d executions", taken, newAccount)
	}
}

func TestFunctionName_isFixedForWhatTheBucketCalls(t *testing.T) {
	s := deployment.Settings{Name: "Copy"}
	for _, f := range deployment.Functions {
		want := ""
		if f.ID == "Ingest" {
			want = "Copy-Ingest"
		}
		if got := s.FunctionName(f); got != want {
			t.Errorf("%s is called %q, want %q", f.ID, got, want)
		}
	}
}

// The operator's routes are checked by AWS, but for the document that describes them.
func TestRoutes_ofTheOperatorAreCheckedByIAM(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, r := range f.Routes {
			if want := f.ID == "Operator" && r.Path != "/operator/openapi.json"; r.IAM != want {
				t.Errorf("%s of %s: IAM is %t", r.Key(), f.ID, r.IAM)
			}
		}
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		route            deployment.Route
		key, id, pattern string
	}{
		{deployment.Route{Method: "POST", Path: "/v1/merchants/{merchant}/tokens"}, "POST /v1/merchants/{merchant}/tokens", "PostV1MerchantsMerchantTokens", "POST/v1/merchants/*/tokens"},
		{deployment.Route{Method: "ANY", Path: "/v1/{proxy+}"}, "ANY /v1/{proxy+}", "AnyV1Proxy", "*/v1/*"},
		{deployment.Route{Method: "GET", Path: "/openapi.json"}, "GET /openapi.json", "GetOpenapiJson", "GET/openapi.json"},
	} {
		got := []string{c.route.Key(), c.route.ID(), c.route.Pattern()}
		if diff := cmp.Diff([]string{c.key, c.id, c.pattern}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Callers that do not wait lose no event: the function has a queue for those that it
// could not handle.
func TestFunctions_withoutAWaitingCallerHaveAQueueForFailures(t *testing.T) {
	for _, f := range deployment.Functions {
		if alone := f.UploadEvents || f.MailEvents || f.Schedule != ""; alone != (f.OnFailure != nil) {
			t.Errorf("%s: called without waiting is %t, its queue for failures %v", f.ID, alone, f.OnFailure)
		}
		if f.OnFailure != nil && !slices.Contains(deployment.DeadLetterQueues, f.OnFailure.Queue) {
			t.Errorf("%s: there is no queue %s", f.ID, f.OnFailure.Queue)
		}
	}
}

// A message stays hidden for longer than the function that received it may run.
func TestQueues_hideMessagesLongEnough(t *testing.T) {
	for _, q := range deployment.Queues {
		for _, f := range deployment.Functions {
			if f.Queue != nil && f.Queue.Queue == q.ID && q.VisibilityTimeout <= f.Timeout {
				t.Errorf("%s shows a message again after %s, while %s may work on it for %s", q.ID, q.VisibilityTimeout, f.ID, f.Timeout)
			}
		}
		if !slices.Contains(deployment.DeadLetterQueues, q.DeadLetters()) {
			t.Errorf("%s has no dead-letter queue", q.ID)
		}
	}
}

// A function's environment has the variables that its main reads, and no other.
func TestEnvironment_isWhatTheFunctionsRead(t *testing.T) {
	for _, f := range deployment.Functions {
		want := variablesRead(t, filepath.Join("../../functions", f.Folder()))
		var got []string
		for _, v := range f.Variables() {
			got = append(got, v.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: what its main reads (-) and what the table gives it (+) differ:\n%s", f.ID, diff)
		}
	}
}

// No deployment has shops' domains called by way of a proxy, which would call any address.
func TestFunctions_callShopsThemselves(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, v := range f.Variables() {
			if v.Name == outbound.ShopsProxy || strings.HasSuffix(strings.ToUpper(v.Name), "_PROXY") {
				t.Errorf("%s is deployed with %s", f.ID, v.Name)
			}
		}
	}
}

// variablesRead finds the names of variables in a function's source.
func variablesRead(t *testing.T, folder string) []string {
	t.Helper()
	names := map[string]bool{}
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no source in %s", folder)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text := unquoted(t, literal.Value); strings.HasPrefix(text, "KEYPOOL_") {
					names[text] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}

func unquoted(t *testing.T, literal string) string {
	t.Helper()
	text, err := strconv.Unquote(literal)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
