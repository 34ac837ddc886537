package deployment_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
)

// given returns the parameters that have no default, and more.
func given(more map[string]any) map[string]any {
	context := map[string]any{
		"account":  "123456789012",
		"region":   "eu-central-1",
		"sender":   "Example Keys <keys@example.com>",
		"operator": "operator@example.com",
	}
	maps.Copy(context, more)
	return context
}

func TestRead_everyProblemInOneMessage(t *testing.T) {
	_, err := deployment.Read(map[string]any{
		"name":           "9 lives",
		"account":        "12",
		"region":         "Frankfurt",
		"sender":         "keys",
		"retention":      31.0,
		"memory":         "Ingest=64",
		"concurrency":    "Digest=5",
		"schedule":       "every 5 minutes",
		"delayMailAfter": "-1m",
		"maxQuantity":    "none",
		"rate":           0.0,
		"burst":          "1e9",
		"tags":           "aws:team=shop",
		"domain":         "https://example.com",
		"apiDomain":      "api.example.com",
		"publicUrl":      "https://api.example.com/v1",
		"architecture":   "amd64",
		"data":           "forget",
		"retenton":       "7",
	})
	if err == nil {
		t.Fatal("no error")
	}
	var ids []string
	for _, f := range deployment.Functions {
		ids = append(ids, f.ID)
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
		"concurrency names a function that does not exist; there are " + strings.Join(ids, ", "),
		`schedule is not a schedule such as "rate(5 minutes)" or "cron(0 8 * * ? *)"`,
		`delayMailAfter is not a duration such as "5m", or 0`,
		"maxQuantity is not a whole number from 1 to 10000",
		"rate is not a whole number from 1 to 10000",
		"burst is not a whole number from 1 to 10000",
		"tags is not a list such as team=shop,cost=42 (no name begins with aws:)",
		"domain is not a domain in lower case, such as keys.example.com",
		"publicUrl is not an address without a path, such as https://keys.example.com",
		"architecture is neither arm64 nor x86_64",
		"data is neither keep nor delete",
		"retenton is not a parameter; there are name, account, region, sender, operator, retention, memory, concurrency, schedule, delayMailAfter, maxQuantity, rate, burst, tags, domain, apiDomain, certificate, publicUrl, architecture, zips, data",
		"apiDomain and certificate go together: give both or neither",
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// Keypool-Data is the stack of the data of the deployment Keypool.
func TestRead_noNameOfAnotherDeploymentsData(t *testing.T) {
	for _, name := range []string{"Keypool-Data", "shop-data", "x-DATA"} {
		_, err := deployment.Read(given(map[string]any{"name": name}))
		if err == nil || !strings.Contains(err.Error(), "name ends in -Data, as the stack of another deployment's data does: choose another name") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"Data", "Data-2", "KeypoolData"} {
		if _, err := deployment.Read(given(map[string]any{"name": name})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRead_senderBelongsToDomain(t *testing.T) {
	_, err := deployment.Read(given(map[string]any{"domain": "other.example"}))
	if err == nil || !strings.Contains(err.Error(), "sender is not an address at the domain other.example") {
		t.Errorf("got %v", err)
	}
}

func TestRead_goodSchedules(t *testing.T) {
	for _, schedule := range []string{"rate(1 minute)", "rate(15 minutes)", "rate(1 hour)", "rate(2 days)", "cron(0 8 * * ? *)", "cron(0/10 8-20 ? * MON-FRI *)"} {
		if _, err := deployment.Read(given(map[string]any{"schedule": schedule})); err != nil {
			t.Errorf("%s: %v", schedule, err)
		}
	}
	for _, schedule := range []string{"rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)", "cron(0 8 * *)"} {
		if _, err := deployment.Read(given(map[string]any{"schedule": schedule})); err == nil {
			t.Errorf("%s was accepted", schedule)
		}
	}
}

// The CDK keeps entries of its own among the parameters.
func TestRead_leavesOtherContextAlone(t *testing.T) {
	_, err := deployment.Read(given(map[string]any{
		"@aws-cdk/core:x": true, "aws:cdk:version": "1", "availability-zones:account=1:region=x": []any{}, "cli-telemetry": true,
	}))
	if err != nil {
		t.Error(err)
	}
}

// Links begin with the address of the API's own domain, or with that of what stands before it.
func TestRead_publicURL(t *testing.T) {
	own := map[string]any{"apiDomain": "keys.example.com", "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/c"}
	for want, more := range map[string]map[string]any{
		"":                         {},
		"https://keys.example.com": own,
		"https://shop.example.com": {"apiDomain": own["apiDomain"], "certificate": own["certificate"], "publicUrl": "https://shop.example.com"},
		"https://one.localhost:81": {"publicUrl": "https://one.localhost:81"},
	} {
		s, err := deployment.Read(given(more))
		if err != nil || s.PublicURL != want {
			t.Errorf("%v: %q, %v", more, s.PublicURL, err)
		}
	}
}
