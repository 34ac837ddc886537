package ses

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"keypool/shared/catalog"
)

// Identities are the domains that merchants' mails come from. Each carries a tag with the
// name of the deployment's configuration set: the rights of the functions, and this package,
// leave every other domain of the AWS account alone.
type Identities struct {
	client     operations
	deployment string
}

// operations are the operations of SES that Identities calls: see package boot.
type operations struct {
	CreateEmailIdentity                operation[sesv2.CreateEmailIdentityInput, sesv2.CreateEmailIdentityOutput]
	PutEmailIdentityMailFromAttributes operation[sesv2.PutEmailIdentityMailFromAttributesInput, sesv2.PutEmailIdentityMailFromAttributesOutput]
	GetEmailIdentity                   operation[sesv2.GetEmailIdentityInput, sesv2.GetEmailIdentityOutput]
	DeleteEmailIdentity                operation[sesv2.DeleteEmailIdentityInput, sesv2.DeleteEmailIdentityOutput]
}

// TagKey is the key of the tag of the deployment's identities.
const TagKey = "keypool"

// OpenIdentities returns the identities behind cfg, of the deployment with that configuration set.
func OpenIdentities(cfg aws.Config, configurationSet string, options ...func(*sesv2.Options)) *Identities {
	client := sesv2.NewFromConfig(cfg, options...)
	return &Identities{deployment: configurationSet, client: operations{
		client.CreateEmailIdentity, client.PutEmailIdentityMailFromAttributes, client.GetEmailIdentity, client.DeleteEmailIdentity,
	}}
}

// Claim has SES look for the records of a domain, with a domain of the envelope's sender. A domain that is
// there already, of this deployment, is given that domain of the envelope's sender alone. The
// error is catalog.ErrTaken if it is not of this deployment.
func (i *Identities) Claim(ctx context.Context, domain, mailFrom string) error {
	_, err := i.client.CreateEmailIdentity(ctx, &sesv2.CreateEmailIdentityInput{
		EmailIdentity: aws.String(domain),
		Tags:          []types.Tag{{Key: aws.String(TagKey), Value: aws.String(i.deployment)}},
	})
	if _, exists := errors.AsType[*types.AlreadyExistsException](err); exists {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("claim a domain: %w", classify(err))
	}
	// Where the record of MAIL FROM is not found, SES sends by a domain of its own: a mail goes
	// out even so, aligned by DKIM.
	_, err = i.client.PutEmailIdentityMailFromAttributes(ctx, &sesv2.PutEmailIdentityMailFromAttributesInput{
		EmailIdentity: aws.String(domain), MailFromDomain: aws.String(mailFrom), BehaviorOnMxFailure: types.BehaviorOnMxFailureUseDefaultValue,
	})
	return i.fault("set where bounces of a domain go", err)
}

// Look returns a domain as SES knows it now, false if it does not.
func (i *Identities) Look(ctx context.Context, domain string) (catalog.Identity, bool, error) {
	out, err := i.client.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: aws.String(domain)})
	if _, missing := errors.AsType[*types.NotFoundException](err); missing {
		return catalog.Identity{}, false, nil
	}
	if err != nil {
		if err = i.fault("look at a domain", err); errors.Is(err, catalog.ErrTaken) {
			return catalog.Identity{}, false, nil // by somebody else of the AWS account, since it was claimed
		}
		return catalog.Identity{}, false, err
	}
	found := catalog.Identity{}
	if dkim := out.DkimAttributes; dkim != nil {
		found.Tokens, found.Zone = dkim.Tokens, aws.ToString(dkim.SigningHostedZone)
		found.Sends = out.VerifiedForSendingStatus && dkim.Status == types.DkimStatusSuccess
		found.Lost = dkim.Status == types.DkimStatusFailed
	}
	if found.Zone == "" {
		found.Zone = "dkim.amazonses.com"
	}
	if from := out.MailFromAttributes; from != nil {
		found.MailFrom, found.Found = aws.ToString(from.MailFromDomain), from.MailFromDomainStatus == types.MailFromDomainStatusSuccess
	}
	return found, true, nil
}

// Free removes a domain. It is no error that there is none.
func (i *Identities) Free(ctx context.Context, domain string) error {
	_, err := i.client.DeleteEmailIdentity(ctx, &sesv2.DeleteEmailIdentityInput{EmailIdentity: aws.String(domain)})
	if _, missing := errors.AsType[*types.NotFoundException](err); missing {
		return nil
	}
	return i.fault("free a domain", err)
}

// fault returns what an answer means. SES refuses what is about a domain without the
// deployment's tag, as the policy has it. Its text is left out.
func (i *Identities) fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	answer := classify(err)
	if answer.Code == "AccessDeniedException" {
		return fmt.Errorf("%s: %w", doing, catalog.ErrTaken)
	}
	return fmt.Errorf("%s: %w", doing, answer)
}
