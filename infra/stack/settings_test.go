package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
	"keypool/infra/stack"
)

func TestSettings_reachTheTemplate(t *testing.T) {
	a := must(synthesize(given(map[string]any{
		"name":           "Copy",
		"retention":      7.0,
		"memory":         "512,Ingest=2048",
		"concurrency":    "Deliver=10,Ingest=4",
		"schedule":       "rate(1 hour)",
		"delayMailAfter": "10m",
		"maxQuantity":    5.0,
		"rate":           50.0,
		"burst":          "100",
		"tags":           "team=shop,cost=42",
		"domain":         "example.com",
		"apiDomain":      "keys.example.com",
		"certificate":    "arn:aws:acm:eu-central-1:123456789012:certificate/c",
		"architecture":   "x86_64",
		"data":           "delete",
	})))
	p := a.pipeline
	functions := p.ofType("AWS::Lambda::Function")
	for id, r := range functions {
		memory := 512.0
		if id == "Ingest" {
			memory = 2048
		}
		reserved := map[string]any{"Deliver": 10.0, "Ingest": 4.0}[id]
		got := []any{r.Properties["MemorySize"], r.Properties["ReservedConcurrentExecutions"], r.Properties["Architectures"]}
		if diff := cmp.Diff([]any{memory, reserved, []any{"x86_64"}}, got); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
		tags := []any{map[string]any{"Key": "cost", "Value": "42"}, map[string]any{"Key": "team", "Value": "shop"}}
		if diff := cmp.Diff(tags, r.Properties["Tags"]); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
	settings := map[string]any{
		"MAX_QUANTITY":             at(functions["Webhook"], "Environment", "Variables", "KEYPOOL_MAX_QUANTITY"),
		"DELAY_MAIL_AFTER":         at(functions["Sweep"], "Environment", "Variables", "KEYPOOL_DELAY_MAIL_AFTER"),
		"SENDER":                   at(functions["Deliver"], "Environment", "Variables", "KEYPOOL_SENDER"),
		"OPERATOR":                 at(functions["Deliver"], "Environment", "Variables", "KEYPOOL_OPERATOR"),
		"PUBLIC_URL":               at(functions["Deliver"], "Environment", "Variables", "KEYPOOL_PUBLIC_URL"),
		"logs":                     p.resources["ApiLogs"].Properties["RetentionInDays"],
		"clock":                    p.resources["StockClock"].Properties["ScheduleExpression"],
		"sweep":                    p.resources["SweepClock"].Properties["ScheduleExpression"],
		"throttle":                 at(p.resources["Stage"], "RouteSettings", "POST /webhooks/{merchant}/{account}"),
		"documents":                at(p.resources["Stage"], "RouteSettings", "GET /openapi.json"),
		"AWS's own address is off": p.resources["HttpApi"].Properties["DisableExecuteApiEndpoint"],
		"identity":                 p.resources["Domain"].Properties["EmailIdentity"],
		"api":                      p.outputs["ApiUrl"],
		"bucket":                   p.outputs["UploadsBucket"],
	}
	want := map[string]any{
		"MAX_QUANTITY": "5", "DELAY_MAIL_AFTER": "10m0s", "SENDER": `"Example Keys" <keys@example.com>`, "OPERATOR": "operator@example.com",
		"PUBLIC_URL": "https://keys.example.com",
		"logs":       7.0, "clock": "rate(1 hour)", "sweep": "rate(1 minute)",
		"throttle":  map[string]any{"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 100.0},
		"documents": map[string]any{"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 10.0}, "AWS's own address is off": true,
		"identity": "example.com", "api": "https://keys.example.com", "bucket": "copy-uploads-123456789012-eu-central-1",
	}
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Error(diff)
	}
	for id, r := range a.data.ofType("AWS::DynamoDB::Table") {
		if r.DeletionPolicy != "Delete" || r.Properties["DeletionProtectionEnabled"] != false {
			t.Errorf("%s stays although the data was to go", id)
		}
	}
	wantRecords := []string{"DomainRecord1", "DomainRecord2", "DomainRecord3"}
	records := slices.DeleteFunc(slices.Sorted(maps.Keys(p.outputs)), func(name string) bool { return !strings.HasPrefix(name, "DomainRecord") })
	if diff := cmp.Diff(wantRecords, records); diff != "" {
		t.Error(diff)
	}
}

func TestNew_saysWhatIsNotBuilt(t *testing.T) {
	settings := must(deployment.Read(given(nil)))
	settings.Zips = t.TempDir()
	err := stack.New(nil, settings)
	if err == nil || !strings.Contains(err.Error(), "ingest.zip") || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
