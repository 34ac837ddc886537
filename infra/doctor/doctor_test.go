package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// account is a server that answers as AWS does for an account in some state.
type account struct {
	unknown    bool // credentials
	bootstrap  string
	identities map[string]bool // verified?
	sandbox    bool
	paused     bool
	executions int
}

func (a account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	switch action := r.Form.Get("Action"); {
	case action == "GetCallerIdentity" && a.unknown:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token is expired</Message></Error></ErrorResponse>`)
	case action == "GetCallerIdentity":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/dev</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case action == "DescribeStacks" && a.bootstrap != "":
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>CDKToolkit</StackName><StackStatus>%s</StackStatus></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, a.bootstrap)
	case action == "DescribeStacks":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></ErrorResponse>`)
	case strings.HasPrefix(r.URL.Path, "/v2/email/identities/"):
		verified, known := a.identities[strings.TrimPrefix(r.URL.Path, "/v2/email/identities/")]
		if !known {
			w.Header().Set("X-Amzn-ErrorType", "NotFoundException")
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, `{"VerifiedForSendingStatus": %t}`, verified)
	case r.URL.Path == "/v2/email/account":
		fmt.Fprintf(w, `{"SendingEnabled": %t, "ProductionAccessEnabled": %t}`, !a.paused, !a.sandbox)
	case strings.HasSuffix(r.URL.Path, "/account-settings/") || strings.HasSuffix(r.URL.Path, "/account-settings"):
		fmt.Fprintf(w, `{"AccountLimit": {"ConcurrentExecutions": %d}}`, a.executions)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

func TestExamine(t *testing.T) {
	ready := account{bootstrap: "CREATE_COMPLETE", identities: map[string]bool{"keys@example.com": true}}
	given := map[string]any{"sender": "Keys <keys@example.com>", "operator": "operator@example.com"}
	tests := map[string]struct {
		account    account
		region     string
		parameters map[string]any
		ready      bool
		want       []string // lines that are not ok, and how to mend them
	}{
		"ready":            {account: ready, ready: true},
		"no region":        {account: ready, region: "none", want: []string{"BAD region", "export AWS_REGION="}},
		"no credentials":   {account: account{unknown: true}, want: []string{"BAD credentials", "aws configure sso"}},
		"wrong parameters": {account: ready, parameters: map[string]any{"sender": "keys"}, want: []string{"BAD parameters", "make deploy SENDER="}},
		"no bootstrap": {
			account: account{identities: ready.identities},
			want:    []string{"BAD bootstrap", "npx cdk bootstrap aws://123456789012/eu-central-1"},
		},
		"failed bootstrap": {
			account: account{bootstrap: "ROLLBACK_COMPLETE", identities: ready.identities},
			want:    []string{"BAD bootstrap", "npx cdk bootstrap aws://123456789012/eu-central-1"},
		},
		"sender unknown": {
			account: account{bootstrap: "UPDATE_COMPLETE"},
			want:    []string{"BAD sender", "aws sesv2 create-email-identity --email-identity keys@example.com"},
		},
		"sender not verified": {
			account: account{bootstrap: "UPDATE_COMPLETE", identities: map[string]bool{"keys@example.com": false}},
			want:    []string{"BAD sender", "follow the link that SES mailed to it"},
		},
		"domain verified": {
			account: account{bootstrap: "UPDATE_COMPLETE", identities: map[string]bool{"example.com": true}}, ready: true,
		},
		"domain to be set up": {
			account: account{bootstrap: "UPDATE_COMPLETE"}, parameters: map[string]any{"domain": "example.com"}, ready: true,
			want: []string{"note sender", ""},
		},
		"sandbox": {
			account: account{bootstrap: "CREATE_COMPLETE", identities: ready.identities, sandbox: true}, ready: true,
			want: []string{"note SES account", "aws sesv2 put-account-details --production-access-enabled"},
		},
		"paused": {
			account: account{bootstrap: "CREATE_COMPLETE", identities: ready.identities, paused: true},
			want:    []string{"BAD SES account", "aws sesv2 put-account-sending-attributes --sending-enabled"},
		},
		"too much reserved": {
			account:    account{bootstrap: "CREATE_COMPLETE", identities: ready.identities, executions: 110},
			parameters: map[string]any{"concurrency": "Deliver=20"},
			want:       []string{"BAD concurrency", "aws service-quotas request-service-quota-increase"},
		},
		"enough left": {
			account:    account{bootstrap: "CREATE_COMPLETE", identities: ready.identities, executions: 1000},
			parameters: map[string]any{"concurrency": "Deliver=20"}, ready: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.account)
			defer server.Close()
			region := "eu-central-1"
			if test.region == "none" {
				region = ""
			}
			parameters := map[string]any{}
			for _, from := range []map[string]any{given, test.parameters} {
				for name, value := range from {
					parameters[name] = value
				}
			}
			findings := examine(t.Context(), aws.Config{
				Region:           region,
				BaseEndpoint:     aws.String(server.URL),
				Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
				RetryMaxAttempts: 1,
			}, parameters)

			var got []string
			for _, f := range findings {
				if f.state != good {
					got = append(got, map[state]string{warning: "note ", failure: "BAD "}[f.state]+f.of, f.mend)
				}
			}
			for i := range min(len(got), len(test.want)) {
				if test.want[i] != "" && strings.Contains(got[i], test.want[i]) {
					got[i] = test.want[i]
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var page strings.Builder
			if report(&page, findings) != test.ready {
				t.Errorf("ready: %t\n%s", !test.ready, page.String())
			}
		})
	}
}
