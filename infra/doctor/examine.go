package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"keypool/infra/deployment"
)

// finding is the result of one check.
type finding struct {
	state state
	of    string
	says  string
	mend  string // command, where there is something to mend
}

type state int

const (
	good    state = iota
	warning       // a deployment works, but not all that one would expect of it
	failure
)

func examineRegion(cfg aws.Config) finding {
	if cfg.Region == "" {
		return finding{failure, "region", "no region is chosen", "export AWS_REGION=eu-central-1   (or make deploy REGION=eu-central-1)"}
	}
	return finding{good, "region", cfg.Region, ""}
}

func examineCredentials(ctx context.Context, cfg aws.Config) (account string, f finding) {
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", finding{failure, "credentials", "AWS does not know who you are: " + cause(err), "aws configure sso && aws sso login   (or export AWS_PROFILE=…)"}
	}
	return aws.ToString(identity.Account), finding{good, "credentials", aws.ToString(identity.Arn), ""}
}

func examineBootstrap(ctx context.Context, cfg aws.Config, account string) finding {
	mend := fmt.Sprintf("cd infra && npx cdk bootstrap aws://%s/%s", account, cfg.Region)
	described, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("CDKToolkit")})
	if err != nil || len(described.Stacks) == 0 {
		return finding{failure, "bootstrap", "the CDK has not been set up in this account and region", mend}
	}
	status := string(described.Stacks[0].StackStatus)
	if !strings.HasSuffix(status, "_COMPLETE") || strings.Contains(status, "ROLLBACK") || strings.HasPrefix(status, "DELETE") {
		return finding{failure, "bootstrap", "the CDK's own stack is in " + status, mend}
	}
	return finding{good, "bootstrap", "CDKToolkit is there", ""}
}

// examineSender looks for the sender's address, or its domain, among the identities that
// the account has verified in SES.
func examineSender(ctx context.Context, cfg aws.Config, s deployment.Settings) finding {
	client := sesv2.NewFromConfig(cfg)
	_, domain, _ := strings.Cut(s.Sender.Address, "@")
	pending := ""
	for _, identity := range []string{s.Sender.Address, domain} {
		found, err := client.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: aws.String(identity)})
		var missing *types.NotFoundException
		switch {
		case errors.As(err, &missing):
		case err != nil:
			return finding{failure, "sender", "SES does not answer: " + cause(err), "aws sesv2 get-email-identity --email-identity " + identity}
		case found.VerifiedForSendingStatus:
			return finding{good, "sender", "mail may be sent as " + identity, ""}
		default:
			pending = identity
		}
	}
	switch {
	case s.Domain != "":
		return finding{warning, "sender", "the domain " + s.Domain + " sends nothing until its DNS has the records that the deployment prints", ""}
	case pending != "":
		return finding{failure, "sender", pending + " is not verified yet", "follow the link that SES mailed to it, or for a domain set its DNS records: aws sesv2 get-email-identity --email-identity " + pending}
	}
	return finding{failure, "sender", "SES does not know " + s.Sender.Address, "aws sesv2 create-email-identity --email-identity " + s.Sender.Address + "   (then follow the link that SES mails to it)"}
}

func examineSending(ctx context.Context, cfg aws.Config) finding {
	account, err := sesv2.NewFromConfig(cfg).GetAccount(ctx, &sesv2.GetAccountInput{})
	switch {
	case err != nil:
		return finding{failure, "SES account", "SES does not answer: " + cause(err), "aws sesv2 get-account"}
	case !account.SendingEnabled:
		return finding{failure, "SES account", "sending is paused", "aws sesv2 put-account-sending-attributes --sending-enabled"}
	case !account.ProductionAccessEnabled:
		return finding{
			warning, "SES account", "is in the sandbox: only addresses that you verified get mails, those for signing in too, 200 a day",
			"aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url https://your.shop",
		}
	}
	return finding{good, "SES account", "may mail anybody", ""}
}

// examineConcurrency checks that the executions to be reserved leave the account the 100
// unreserved ones that Lambda demands.
func examineConcurrency(ctx context.Context, cfg aws.Config, s deployment.Settings) finding {
	reserved := 0
	for _, n := range s.Concurrency {
		reserved += n
	}
	if reserved == 0 {
		return finding{good, "concurrency", "nothing is reserved", ""}
	}
	account, err := lambda.NewFromConfig(cfg).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return finding{failure, "concurrency", "Lambda does not answer: " + cause(err), "aws lambda get-account-settings"}
	}
	limit := int(account.AccountLimit.ConcurrentExecutions)
	if limit-reserved < 100 {
		return finding{
			failure, "concurrency", fmt.Sprintf("%d executions are to be reserved of the account's %d, and 100 must stay free", reserved, limit),
			"reserve less (CONCURRENCY=…), or: aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000",
		}
	}
	return finding{good, "concurrency", fmt.Sprintf("%d of the account's %d are reserved", reserved, limit), ""}
}

// cause returns the message of AWS's error, or the error itself if it is not from AWS.
func cause(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ", " + api.ErrorMessage()
	}
	return err.Error()
}
