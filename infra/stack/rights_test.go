package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
)

// rightsOf returns the statements of a role's one policy.
func rightsOf(t *testing.T, role resource) []string {
	t.Helper()
	policies, _ := role.Properties["Policies"].([]any)
	if len(policies) != 1 {
		t.Fatalf("a role has %d policies", len(policies))
	}
	var lines []string
	for _, line := range statements(policies[0].(map[string]any)["PolicyDocument"]) {
		line = strings.TrimPrefix(line, "Allow ")
		lines = append(lines, strings.Replace(line, " if dynamodb:LeadingKeys ForAllValues:StringLike ", " for ", 1))
	}
	return lines
}

// Roles have no other policies than those of the table of rights.
func TestRights_nowhereElse(t *testing.T) {
	p := templates().pipeline
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"} {
		if found := p.ofType(kind); len(found) > 0 {
			t.Errorf("%s: %v", kind, slices.Sorted(maps.Keys(found)))
		}
	}
	var roles []string
	for id, r := range p.ofType("AWS::IAM::Role") {
		roles = append(roles, id)
		if r.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s has policies of somebody else's", id)
		}
	}
	var want []string
	for _, f := range deployment.Functions {
		want = append(want, f.ID+"Role")
		if f.Schedule == "" {
			continue
		}
		want = append(want, f.ID+"ClockRole")
		if diff := cmp.Diff([]string{"lambda:InvokeFunction on " + f.ID + ".Arn"}, rightsOf(t, p.resources[f.ID+"ClockRole"])); diff != "" {
			t.Error(diff)
		}
	}
	slices.Sort(roles)
	slices.Sort(want)
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Error(diff)
	}
}

func TestRights_rolesBelongToTheirService(t *testing.T) {
	for id, r := range templates().pipeline.ofType("AWS::IAM::Role") {
		trust := at(r, "AssumeRolePolicyDocument", "Statement").([]any)
		service := "lambda.amazonaws.com"
		if strings.HasSuffix(id, "ClockRole") {
			service = "scheduler.amazonaws.com"
		}
		if len(trust) != 1 {
			t.Errorf("%s can be assumed in %d ways", id, len(trust))
		}
		if diff := cmp.Diff(map[string]any{"Service": service}, trust[0].(map[string]any)["Principal"]); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

// No policy of either stack allows an action by a pattern. Denials are for requests
// without TLS only.
func TestPolicies_noWildcardAction(t *testing.T) {
	a := templates()
	documents := 0
	for _, stack := range []template{a.data, a.pipeline} {
		for id, r := range stack.resources {
			each(r.Properties, func(s map[string]any) {
				documents++
				if s["NotAction"] != nil || s["NotResource"] != nil || s["NotPrincipal"] != nil {
					t.Errorf("%s says what it does not mean", id)
				}
				if s["Effect"] == "Deny" {
					if line := statement(s); !strings.HasSuffix(line, " if aws:SecureTransport Bool false") {
						t.Errorf("%s: %s", id, line)
					}
					return
				}
				for _, action := range texts(s["Action"]) {
					if strings.Contains(action, "*") {
						t.Errorf("%s allows %s", id, action)
					}
				}
				if principal, ok := s["Principal"].(map[string]any); ok && slices.Contains(texts(principal["AWS"]), "*") {
					t.Errorf("%s allows everybody", id)
				}
			})
		}
	}
	if documents == 0 {
		t.Error("no policy was found")
	}
}

// testReports are the reports of all merchants' test uploads. No name of a live one has a further part.
const testReports = "Reports.Arn/reports/*/test/*"

// Resources are named by pattern only where one thing has many parts.
func TestRights_patternsAreFew(t *testing.T) {
	want := []string{
		"Orders.Arn/stream/*",   // a table's streams, for their list
		"Reports.Arn/exports/*", // a bucket's objects of a kind
		"Reports.Arn/rejected/*",
		"Reports.Arn/reports/*",
		testReports,
		"arn:aws:s3:::keypool-uploads-123456789012-eu-central-1/*",
		"arn:aws:ses:eu-central-1:123456789012:identity/*", // limited by ses:FromAddress: SES asks for the recipient's too while in its sandbox
	}
	var got []string
	for _, r := range templates().pipeline.ofType("AWS::IAM::Role") {
		each(r.Properties, func(s map[string]any) {
			for _, on := range texts(s["Resource"]) {
				if strings.ContainsAny(on, "*?") {
					got = append(got, on)
					if on == testReports {
						continue
					}
					if !strings.HasSuffix(on, "/*") || strings.ContainsAny(strings.TrimSuffix(on, "*"), "*?") {
						t.Errorf("%s is a pattern of another shape", on)
					}
				}
			}
		})
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
}

// each calls see with each statement of each policy in a value.
func each(value any, see func(statement map[string]any)) {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			each(inner, see)
		}
	case map[string]any:
		if v["Effect"] != nil {
			see(v)
			return
		}
		for _, inner := range v {
			each(inner, see)
		}
	}
}
