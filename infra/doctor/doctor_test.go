package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	gocmp "github.com/google/go-cmp/cmp"
)

// account is a server that answers as AWS does for an account in some state.
type account struct {
	unknown    bool // credentials
	bootstrap  string
	identities map[string]bool // verified?
	sandbox    bool
	paused     bool
	executions int

	certificate string // as ACM describes it; empty: there is none
	deployed    bool
	record      string // that the deployment prints
	noTTL       bool
	cors        string            // the origin that may send key files
	door        int               // the status of the portal's first page
	headers     map[string]string // of its pages, where they are others than ours
}

// deployedName and deployedTarget are the API's own domain, and where its record must lead.
const deployedName, deployedTarget = "keys.example.com", "d-1.execute-api.eu-central-1.amazonaws.com"

// names are a DNS: the CNAME or the addresses of names.
type names map[string]string

func (n names) LookupCNAME(_ context.Context, host string) (string, error) {
	if to, ok := n[host]; ok && !strings.Contains(to, "192.0.2.") {
		return to + ".", nil
	}
	return "", &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (n names) LookupHost(_ context.Context, host string) ([]string, error) {
	if to, ok := n[host]; ok {
		return []string{to}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (a account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	page := func(status int, referrer string) {
		h := w.Header()
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", referrer)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		for name, value := range a.headers {
			h.Set(name, value)
		}
		w.WriteHeader(status)
	}
	target := r.Header.Get("X-Amz-Target")
	switch action := r.Form.Get("Action"); {
	case r.URL.Path == "/portal/sign-in":
		page(cmp.Or(a.door, http.StatusOK), "same-origin")
	case strings.HasPrefix(r.URL.Path, "/o/"):
		page(http.StatusNotFound, "no-referrer")
	case strings.HasSuffix(target, "DescribeCertificate") && a.certificate == "":
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
		w.WriteHeader(http.StatusBadRequest)
	case strings.HasSuffix(target, "DescribeCertificate"):
		fmt.Fprintf(w, `{"Certificate": {"CertificateArn": "arn:of", "DomainName": "keys.example.com", %s}}`, a.certificate)
	case strings.HasSuffix(target, "DescribeTimeToLive") && a.noTTL:
		fmt.Fprint(w, `{"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}`)
	case strings.HasSuffix(target, "DescribeTimeToLive"):
		fmt.Fprint(w, `{"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}}`)
	case r.URL.Query().Has("cors"):
		fmt.Fprintf(w, `<CORSConfiguration><CORSRule><AllowedMethod>POST</AllowedMethod><AllowedOrigin>%s</AllowedOrigin></CORSRule></CORSConfiguration>`, cmp.Or(a.cors, "http://"+r.Host))
	case action == "DescribeStacks" && r.Form.Get("StackName") != "CDKToolkit" && a.deployed:
		fmt.Fprintf(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>x</StackName><Outputs>`+
			`<member><OutputKey>ApiUrl</OutputKey><OutputValue>http://%s</OutputValue></member>`+
			`<member><OutputKey>ApiDomainRecord</OutputKey><OutputValue>%s</OutputValue></member>`+
			`<member><OutputKey>SessionsTable</OutputKey><OutputValue>sessions</OutputValue></member>`+
			`<member><OutputKey>UploadsBucket</OutputKey><OutputValue>uploads</OutputValue></member>`+
			`</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`, r.Host, a.record)
	case action == "GetCallerIdentity" && a.unknown:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token is expired</Message></Error></ErrorResponse>`)
	case action == "GetCallerIdentity":
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/dev</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case action == "DescribeStacks" && a.bootstrap != "" && r.Form.Get("StackName") == "CDKToolkit":
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
	// with returns an account that is ready, but for something.
	with := func(change func(a *account)) account {
		a := ready
		a.deployed, a.record, a.certificate = true, deployedName+" CNAME "+deployedTarget, `"Status": "ISSUED", "NotAfter": 4102444800`
		change(&a)
		return a
	}
	asIs := func(*account) {}
	own := map[string]any{"apiDomain": deployedName, "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/c"}
	const proof = `"DomainValidationOptions": [{"DomainName": "keys.example.com", "ResourceRecord": {"Name": "_a.keys.example.com", "Type": "CNAME", "Value": "_b.acm-validations.aws"}}]`
	tests := map[string]struct {
		account    account
		region     string
		parameters map[string]any
		leads      string // where the API's own domain leads
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
		"deployed":                        {account: with(asIs), ready: true},
		"deployed at a domain of its own": {account: with(asIs), parameters: own, leads: deployedTarget, ready: true},
		"the domain is an alias":          {account: with(asIs), parameters: own, leads: "192.0.2.1", ready: true},
		"certificate of a wildcard": {
			account:    with(func(a *account) { a.certificate = `"Status": "ISSUED", "SubjectAlternativeNames": ["*.keys.example"]` }),
			parameters: map[string]any{"apiDomain": "a.keys.example", "certificate": own["certificate"]}, ready: true,
			want: []string{"note domain", "make deploy, and set the DNS record"},
		},
		"certificate of another region": {
			account: with(asIs), parameters: map[string]any{"apiDomain": deployedName, "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/c"}, leads: deployedTarget,
			want: []string{"BAD certificate", "aws acm request-certificate --region eu-central-1 --validation-method DNS --domain-name keys.example.com"},
		},
		"no such certificate": {
			account: with(func(a *account) { a.certificate = "" }), parameters: own, leads: deployedTarget,
			want: []string{"BAD certificate", "aws acm request-certificate"},
		},
		"certificate of another name": {
			account: with(asIs), parameters: map[string]any{"apiDomain": "api.example.com", "certificate": own["certificate"]},
			want: []string{"BAD certificate", "aws acm request-certificate", "note domain", "make deploy, and set the DNS record"},
		},
		"certificate to be proved": {
			account: with(func(a *account) { a.certificate = `"Status": "PENDING_VALIDATION", ` + proof }), parameters: own, leads: deployedTarget,
			want: []string{"BAD certificate", "set in the domain's DNS: _a.keys.example.com CNAME _b.acm-validations.aws"},
		},
		"certificate that failed": {
			account: with(func(a *account) { a.certificate = `"Status": "VALIDATION_TIMED_OUT"` }), parameters: own, leads: deployedTarget,
			want: []string{"BAD certificate", "aws acm request-certificate"},
		},
		"certificate that ends": {
			account: with(func(a *account) { a.certificate = `"Status": "ISSUED", "NotAfter": 1000000000, ` + proof }), parameters: own, leads: deployedTarget, ready: true,
			want: []string{"note certificate", "_a.keys.example.com CNAME _b.acm-validations.aws"},
		},
		"domain before the first deployment": {
			account: with(func(a *account) { a.deployed = false }), parameters: own, ready: true,
			want: []string{"note domain", "set the DNS record that it prints as ApiDomainRecord"},
		},
		"domain that leads elsewhere": {
			account: with(asIs), parameters: own, leads: "192.0.2.9", ready: true,
			want: []string{"note domain", "set in the domain's DNS: keys.example.com CNAME " + deployedTarget},
		},
		"sessions that stay": {
			account: with(func(a *account) { a.noTTL = true }), ready: true,
			want: []string{"note sessions", "aws dynamodb update-time-to-live --table-name sessions"},
		},
		"key files from elsewhere": {
			account: with(func(a *account) { a.cors = "https://old.example.com" }), ready: true,
			want: []string{"note key files", "make deploy"},
		},
		"a portal that is not there": {
			account: with(func(a *account) { a.door = http.StatusNotFound }), ready: true,
			want: []string{"note portal", "make deploy"},
		},
		"pages that something stores": {
			account: with(func(a *account) { a.headers = map[string]string{"Cache-Control": "public"} }), ready: true,
			want: []string{"note portal", "make deploy", "note order page", "make deploy"},
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
			from := everybody
			from.resolver = names{deployedName: test.leads, deployedTarget: "192.0.2.1"}
			findings := examine(t.Context(), aws.Config{
				Region:           region,
				BaseEndpoint:     aws.String(server.URL),
				Credentials:      credentials.NewStaticCredentialsProvider("a", "b", ""),
				RetryMaxAttempts: 1,
			}, from, parameters)

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
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var page strings.Builder
			if report(&page, findings) != test.ready {
				t.Errorf("ready: %t\n%s", !test.ready, page.String())
			}
		})
	}
}
