package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keypool/infra/deployment"
	"keypool/shared/dynamo"
	"keypool/shared/link"
)

// deployed is what an earlier deployment of the same name says of itself.
type deployed struct {
	ok      bool
	outputs map[string]string // of both stacks
}

func findDeployed(ctx context.Context, cfg aws.Config, s deployment.Settings) deployed {
	found := deployed{outputs: map[string]string{}}
	client := cloudformation.NewFromConfig(cfg)
	for _, name := range []string{s.DataStack(), s.Name} {
		described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil || len(described.Stacks) == 0 {
			return deployed{}
		}
		for _, o := range described.Stacks[0].Outputs {
			found.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	found.ok = found.outputs["ApiUrl"] != ""
	return found
}

// examineSessions checks that people's sessions are deleted once they have ended.
func examineSessions(ctx context.Context, cfg aws.Config, there deployed) finding {
	const of = "sessions"
	table := there.outputs["SessionsTable"]
	found, err := dynamodb.NewFromConfig(cfg).DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return finding{failure, of, "DynamoDB does not answer: " + cause(err), "aws dynamodb describe-time-to-live --table-name " + table}
	}
	if ttl := found.TimeToLiveDescription; ttl == nil || aws.ToString(ttl.AttributeName) != dynamo.ExpiresAttribute ||
		ttl.TimeToLiveStatus != dynamotypes.TimeToLiveStatusEnabled && ttl.TimeToLiveStatus != dynamotypes.TimeToLiveStatusEnabling {
		return finding{
			warning, of, "sessions that have ended are never deleted: nobody can use one, and the table grows",
			fmt.Sprintf("aws dynamodb update-time-to-live --table-name %s --time-to-live-specification Enabled=true,AttributeName=%s", table, dynamo.ExpiresAttribute),
		}
	}
	return finding{good, of, "are deleted once they have ended", ""}
}

// examineUploads checks that the portal's pages may send key files to the bucket.
func examineUploads(ctx context.Context, cfg aws.Config, there deployed) finding {
	const of = "key files"
	bucket, origin := there.outputs["UploadsBucket"], there.outputs["ApiUrl"]
	found, err := s3.NewFromConfig(cfg).GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
	if err == nil {
		for _, rule := range found.CORSRules {
			if slices.Contains(rule.AllowedMethods, http.MethodPost) && slices.Contains(rule.AllowedOrigins, origin) {
				return finding{good, of, "may be sent from " + origin, ""}
			}
		}
	}
	return finding{warning, of, "the bucket takes none from pages of " + origin + ": the portal shows no progress, and the files that it sends without script still arrive", "make deploy"}
}

// outside looks at a deployment as everybody can.
type outside struct {
	client   *http.Client
	resolver interface {
		LookupCNAME(ctx context.Context, host string) (string, error)
		LookupHost(ctx context.Context, host string) ([]string, error)
	}
}

// everybody is how the world sees a deployment. It follows no redirection.
var everybody = outside{
	client:   &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	resolver: net.DefaultResolver,
}

// leadsTo reports whether a name leads where another does: by a CNAME, or by an ALIAS to the same
// addresses.
func (o outside) leadsTo(ctx context.Context, name, target string) bool {
	if cname, err := o.resolver.LookupCNAME(ctx, name); err == nil && strings.EqualFold(strings.TrimSuffix(cname, "."), strings.TrimSuffix(target, ".")) {
		return true
	}
	here, err1 := o.resolver.LookupHost(ctx, name)
	there, err2 := o.resolver.LookupHost(ctx, target)
	return err1 == nil && err2 == nil && slices.ContainsFunc(here, func(address string) bool { return slices.Contains(there, address) })
}

// doors are addresses that answer everybody, with what the answer must be.
var doors = []struct {
	of, path string
	status   int
	referrer string
}{
	{"portal", "/portal/sign-in", http.StatusOK, "same-origin"},
	{"order page", link.PagePath + "of-no-order", http.StatusNotFound, "no-referrer"},
}

// examineDoors checks that the portal and the order page answer, with the headers that keep their
// pages to themselves.
func examineDoors(ctx context.Context, from outside, there deployed) []finding {
	var all []finding
	for _, d := range doors {
		address := there.outputs["ApiUrl"] + d.path
		f := finding{good, d.of, address + " answers as it should", ""}
		if says := from.look(ctx, address, d.status, d.referrer); says != "" {
			f = finding{warning, d.of, address + " " + says, "make deploy; if it stays so, look at what stands before the API"}
		}
		all = append(all, f)
	}
	return all
}

// look returns what is wrong with an answer, empty if nothing is.
func (o outside) look(ctx context.Context, address string, status int, referrer string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "is no address"
	}
	answer, err := o.client.Do(request)
	if err != nil {
		return "does not answer: " + cause(err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode != status {
		return fmt.Sprintf("answers %d and not %d", answer.StatusCode, status)
	}
	var missing []string
	for name, value := range map[string]string{
		"Strict-Transport-Security": "max-age=", "Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": referrer, "Cache-Control": "no-store", "X-Robots-Tag": "noindex",
	} {
		if !strings.Contains(answer.Header.Get(name), value) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		slices.Sort(missing)
		return "lacks headers that protect its pages: " + strings.Join(missing, ", ")
	}
	return ""
}
