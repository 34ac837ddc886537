package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"keypool/infra/deployment"
)

// renewedBy is how long before its end ACM has renewed a certificate, unless something is in the way.
const renewedBy = 30 * 24 * time.Hour

// examineCertificate checks whether the certificate can stand before the API's own domain.
func examineCertificate(ctx context.Context, cfg aws.Config, s deployment.Settings, now time.Time) finding {
	const of = "certificate"
	anew := fmt.Sprintf("aws acm request-certificate --region %s --validation-method DNS --domain-name %s", cfg.Region, s.APIDomain)
	if name, err := arn.Parse(s.Certificate); err != nil || name.Region != cfg.Region {
		return finding{failure, of, "is one of another region, and the API needs one of " + cfg.Region, anew}
	}
	found, err := acm.NewFromConfig(cfg).DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &s.Certificate})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return finding{failure, of, "there is none of that ARN", anew}
	}
	if err != nil || found.Certificate == nil {
		return finding{failure, of, "ACM does not answer: " + cause(err), "aws acm describe-certificate --certificate-arn " + s.Certificate}
	}
	c := found.Certificate
	names := append(c.SubjectAlternativeNames, aws.ToString(c.DomainName))
	_, parent, _ := strings.Cut(s.APIDomain, ".")
	switch {
	case !slices.Contains(names, s.APIDomain) && !slices.Contains(names, "*."+parent):
		return finding{failure, of, fmt.Sprintf("is for %s, and not for %s", aws.ToString(c.DomainName), s.APIDomain), anew}
	case c.Status == types.CertificateStatusPendingValidation:
		return finding{failure, of, "waits for the DNS record that proves whose the domain is", record(c)}
	case c.Status != types.CertificateStatusIssued:
		return finding{failure, of, "is of no use: " + strings.ToLower(strings.ReplaceAll(string(c.Status), "_", " ")), anew}
	case c.NotAfter != nil && c.NotAfter.Sub(now) < renewedBy:
		return finding{warning, of, "ends on " + c.NotAfter.UTC().Format(time.DateOnly) + " and has not been renewed", record(c)}
	}
	return finding{good, of, "is there for " + s.APIDomain, ""}
}

// record says which DNS records a certificate waits for, and is renewed by.
func record(c *types.CertificateDetail) string {
	var all []string
	for _, v := range c.DomainValidationOptions {
		if r := v.ResourceRecord; r != nil {
			all = append(all, fmt.Sprintf("%s %s %s", aws.ToString(r.Name), r.Type, aws.ToString(r.Value)))
		}
	}
	if len(all) == 0 {
		return "aws acm describe-certificate --certificate-arn " + aws.ToString(c.CertificateArn) + "   (its records are not known yet: try again in a minute)"
	}
	return "set in the domain's DNS: " + strings.Join(all, ", and ")
}

// examineDomain checks whether the API's own domain leads to what is deployed.
func examineDomain(ctx context.Context, from outside, s deployment.Settings, there deployed) finding {
	const of = "domain"
	if !there.ok {
		return finding{warning, of, s.APIDomain + " leads nowhere before the first deployment", "make deploy, and set the DNS record that it prints as ApiDomainRecord"}
	}
	host, target, known := strings.Cut(there.outputs["ApiDomainRecord"], " CNAME ")
	if !known || host != s.APIDomain {
		return finding{warning, of, "what is deployed does not know " + s.APIDomain + " yet", "make deploy, and set the DNS record that it prints as ApiDomainRecord"}
	}
	if !from.leadsTo(ctx, host, target) {
		return finding{warning, of, host + " does not lead to the deployment yet: no link in a mail works until it does", "set in the domain's DNS: " + host + " CNAME " + target}
	}
	return finding{good, of, host + " leads to the deployment", ""}
}
