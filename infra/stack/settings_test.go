package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/stack"
)

func TestRead_everyProblemInOneMessage(t *testing.T) {
	_, err := stack.Read(map[string]any{
		"name":         "9 lives",
		"account":      "12",
		"region":       "Frankfurt",
		"sender":       "keys",
		"retention":    31.0,
		"memory":       "Ingest=64",
		"concurrency":  "Digest=5",
		"schedule":     "every 5 minutes",
		"patience":     "-1m",
		"maxQuantity":  "none",
		"rate":         0.0,
		"burst":        "1e9",
		"tags":         "aws:team=shop",
		"domain":       "https://example.com",
		"apiDomain":    "api.example.com",
		"architecture": "amd64",
		"data":         "forget",
		"retenton":     "7",
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`wrong parameters (-c name=value, or "context" in cdk.json):`,
		"name is not 1 to 24 letters, digits and hyphens that begin with a letter",
		"account is not an account of 12 digits: sign in first, so that the CDK finds it (aws sts get-caller-identity)",
		"region is not a region such as eu-central-1",
		"sender is not a mail address",
		"operator is missing: give a mail address",
		"retention is not a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653",
		"memory is not a whole number from 128 to 10240",
		"concurrency names a function that does not exist; there are Ingest, Webhook, Fill, Deliver, Stock, Sweep, Api, Operator",
		`schedule is not a schedule such as "rate(5 minutes)" or "cron(0 8 * * ? *)"`,
		`patience is not a duration such as "5m", or 0`,
		"maxQuantity is not a whole number from 1 to 10000",
		"rate is not a whole number from 1 to 10000",
		"burst is not a whole number from 1 to 10000",
		"tags is not a list such as team=shop,cost=42 (no name begins with aws:)",
		"domain is not a domain in lower case, such as keys.example.com",
		"architecture is neither arm64 nor x86_64",
		"data is neither keep nor delete",
		"retenton is not a parameter; there are name, account, region, sender, operator, retention, memory, concurrency, schedule, patience, maxQuantity, rate, burst, tags, domain, apiDomain, certificate, architecture, zips, data",
		"apiDomain and certificate go together: give both or neither",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestRead_senderBelongsToDomain(t *testing.T) {
	_, err := stack.Read(given(map[string]any{"domain": "other.example"}))
	if err == nil || !strings.Contains(err.Error(), "sender is not an address at the domain other.example") {
		t.Errorf("got %v", err)
	}
}

func TestRead_goodSchedules(t *testing.T) {
	for _, schedule := range []string{"rate(1 minute)", "rate(15 minutes)", "rate(1 hour)", "rate(2 days)", "cron(0 8 * * ? *)", "cron(0/10 8-20 ? * MON-FRI *)"} {
		if _, err := stack.Read(given(map[string]any{"schedule": schedule})); err != nil {
			t.Errorf("%s: %v", schedule, err)
		}
	}
	for _, schedule := range []string{"rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)", "cron(0 8 * *)"} {
		if _, err := stack.Read(given(map[string]any{"schedule": schedule})); err == nil {
			t.Errorf("%s was accepted", schedule)
		}
	}
}

// The CDK keeps entries of its own among the parameters.
func TestRead_leavesOtherContextAlone(t *testing.T) {
	_, err := stack.Read(given(map[string]any{
		"@aws-cdk/core:x": true, "aws:cdk:version": "1", "availability-zones:account=1:region=x": []any{}, "cli-telemetry": true,
	}))
	if err != nil {
		t.Error(err)
	}
}

func TestSettings_reachTheTemplate(t *testing.T) {
	a := must(synthesize(given(map[string]any{
		"name":         "Copy",
		"retention":    7.0,
		"memory":       "512,Ingest=2048",
		"concurrency":  "Deliver=10,Ingest=4",
		"schedule":     "rate(1 hour)",
		"patience":     "10m",
		"maxQuantity":  5.0,
		"rate":         50.0,
		"burst":        "100",
		"tags":         "team=shop,cost=42",
		"domain":       "example.com",
		"apiDomain":    "keys.example.com",
		"certificate":  "arn:aws:acm:eu-central-1:123456789012:certificate/c",
		"architecture": "x86_64",
		"data":         "delete",
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
		"MAX_QUANTITY": at(functions["Webhook"], "Environment", "Variables", "KEYPOOL_MAX_QUANTITY"),
		"PATIENCE":     at(functions["Sweep"], "Environment", "Variables", "KEYPOOL_PATIENCE"),
		"SENDER":       at(functions["Deliver"], "Environment", "Variables", "KEYPOOL_SENDER"),
		"OPERATOR":     at(functions["Deliver"], "Environment", "Variables", "KEYPOOL_OPERATOR"),
		"logs":         p.resources["ApiLogs"].Properties["RetentionInDays"],
		"clock":        p.resources["StockClock"].Properties["ScheduleExpression"],
		"sweep":        p.resources["SweepClock"].Properties["ScheduleExpression"],
		"throttle":     p.resources["Stage"].Properties["DefaultRouteSettings"],
		"identity":     p.resources["Domain"].Properties["EmailIdentity"],
		"api":          p.outputs["ApiUrl"],
		"bucket":       p.outputs["UploadsBucket"],
	}
	want := map[string]any{
		"MAX_QUANTITY": "5", "PATIENCE": "10m0s", "SENDER": `"Example Keys" <keys@example.com>`, "OPERATOR": "operator@example.com",
		"logs": 7.0, "clock": "rate(1 hour)", "sweep": "rate(1 minute)",
		"throttle": map[string]any{"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 100.0},
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
	settings := must(stack.Read(given(nil)))
	settings.Zips = t.TempDir()
	err := stack.New(nil, settings)
	if err == nil || !strings.Contains(err.Error(), "ingest.zip") || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
