package deployment

import (
	"strings"

	"keypool/shared/job"
	"keypool/shared/ses"
)

// Right lets a function do some actions on one target. A function has no other
// rights than those in its table, and the right to write its own log.
type Right struct {
	Target  Target
	Actions string   // actions of the target's service, separated by blanks
	Items   []string // of a table: only items whose partition key begins with one of these

	// Attributes are all that calls may name of an item; nil: any.
	Attributes []string

	// CountOnly lets queries count items, and read nothing of them.
	CountOnly bool
}

// Target is what a right is about.
type Target struct {
	Service, Resource string
	When              *Condition
}

// Condition limits a statement of a policy.
type Condition struct {
	Operator, Key string
	Values        []string
}

// The targets. Patterns are few: the files of a bucket, or those of a kind, the streams of a table, and
// the identities of an account.
var (
	catalogTable    = Target{"dynamodb", "${Catalog.Arn}", nil}
	catalogDue      = Target{"dynamodb", "${Catalog.Arn}/index/due", nil}
	catalogKind     = Target{"dynamodb", "${Catalog.Arn}/index/kind", nil}
	keysTable       = Target{"dynamodb", "${Keys.Arn}", nil}
	keysAvailable   = Target{"dynamodb", "${Keys.Arn}/index/available", nil}
	keysTest        = Target{"dynamodb", "${Keys.Arn}/index/test", nil}
	ordersTable     = Target{"dynamodb", "${Orders.Arn}", nil}
	ordersDue       = Target{"dynamodb", "${Orders.Arn}/index/due", nil}
	ordersListed    = Target{"dynamodb", "${Orders.Arn}/index/listed", nil}
	ordersWho       = Target{"dynamodb", "${Orders.Arn}/index/who", nil}
	ordersAttention = Target{"dynamodb", "${Orders.Arn}/index/attention", nil}
	ordersTest      = Target{"dynamodb", "${Orders.Arn}/index/test", nil}
	sessionsTable   = Target{"dynamodb", "${Sessions.Arn}", nil}
	ordersStream    = Target{"dynamodb", "${Orders.StreamArn}", nil}
	ordersStreams   = Target{"dynamodb", "${Orders.Arn}/stream/*", nil} // all that the table ever had

	uploadsBucket = Target{"s3", "arn:${AWS::Partition}:s3:::${UploadsName}", nil}
	uploadedFiles = Target{"s3", "arn:${AWS::Partition}:s3:::${UploadsName}/*", nil}
	reportFiles   = Target{"s3", "${Reports.Arn}/reports/*", nil}
	rejectedFiles = Target{"s3", "${Reports.Arn}/rejected/*", nil}
	exportFiles   = Target{"s3", "${Reports.Arn}/" + job.FilesPrefix + "*", nil}

	testReports = Target{"s3", "${Reports.Arn}/reports/*/test/*", nil} // no name of a live one has a further part

	rangesQueue  = Target{"sqs", "${Ranges.Arn}", nil}
	fillQueue    = Target{"sqs", "${Fills.Arn}", nil}
	catchupQueue = Target{"sqs", "${Catchups.Arn}", nil}
	jobsQueue    = Target{"sqs", "${Jobs.Arn}", nil}
	deadUploads  = Target{"sqs", "${DeadUploads.Arn}", nil}
	deadMails    = Target{"sqs", "${DeadMails.Arn}", nil}
	deadEvents   = Target{"sqs", "${DeadEvents.Arn}", nil}
	deadTicks    = Target{"sqs", "${DeadTicks.Arn}", nil}

	// Merchants' senders are known at run time alone, and SES tells no tag of an identity that
	// a mail is sent from: the right to send cannot be narrower.
	identities = Target{"ses", anyIdentity, nil}
	// The identities of merchants' senders carry the deployment's tag: those of others in the
	// AWS account, and the operator's own, are neither read nor changed.
	newSenders       = Target{"ses", anyIdentity, &Condition{"StringEquals", "aws:RequestTag/" + ses.TagKey, []string{"${Mail}"}}}
	merchantSenders  = Target{"ses", anyIdentity, &Condition{"StringEquals", "aws:ResourceTag/" + ses.TagKey, []string{"${Mail}"}}}
	configurationSet = Target{"ses", "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/${Mail}", nil}

	// The key, as a service uses it on the function's behalf.
	tableKey  = Target{"kms", "${Key.Arn}", by("dynamodb")}
	bucketKey = Target{"kms", "${Key.Arn}", by("s3")}
	queueKey  = Target{"kms", "${Key.Arn}", by("sqs")}
	// The key, for the secrets of merchants' accounts with payment platforms.
	accountSecrets = Target{"kms", "${Key.Arn}", &Condition{forAllValues + "StringEquals", "kms:EncryptionContextKeys", []string{"merchant", "account"}}}
	// The key, for their credentials of the platforms' APIs: a signing secret's context has
	// no such key.
	accountCredentials = Target{"kms", "${Key.Arn}", &Condition{"StringLike", "kms:EncryptionContext:credential", []string{"?*"}}}
)

const anyIdentity = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*"

func by(service string) *Condition {
	return &Condition{"StringEquals", "kms:ViaService", []string{service + ".${AWS::Region}.amazonaws.com"}}
}

const (
	// readAndWrite is what DynamoDB asks of a caller who writes to a table that is
	// encrypted with a key of the account's.
	readAndWrite = "Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
	// receive is what Lambda asks of a function that a queue calls.
	receive = "ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueAttributes"
)

// Statement is one statement of a role's policy.
type Statement struct {
	Actions  []string
	Resource string
	When     []Condition // all of them
}

// forAllValues makes an operator hold if every value of the request's key fits. It
// holds too where the request has no such key, so that Statements says beside it that
// the key must be there.
const forAllValues = "ForAllValues:"

// Condition returns the statement's conditions as a policy holds them: the values by
// operator and key.
func (s Statement) Condition() map[string]map[string][]string {
	all := map[string]map[string][]string{}
	for _, c := range s.When {
		if all[c.Operator] == nil {
			all[c.Operator] = map[string][]string{}
		}
		all[c.Operator][c.Key] = c.Values
	}
	return all
}

// Statements returns the policy of the function's role.
func (f Function) Statements() []Statement {
	log := Right{Target: Target{"logs", "${" + f.ID + "Logs.Arn}", nil}, Actions: "CreateLogStream PutLogEvents"}
	var all []Statement
	for _, r := range append(f.Rights[:len(f.Rights):len(f.Rights)], log) {
		s := Statement{Resource: r.Target.Resource}
		if r.Target.When != nil {
			s.When = append(s.When, *r.Target.When)
		}
		for action := range strings.FieldsSeq(r.Actions) {
			s.Actions = append(s.Actions, r.Target.Service+":"+action)
		}
		if r.Items != nil {
			begins := make([]string, len(r.Items))
			for i, prefix := range r.Items {
				begins[i] = prefix + "*"
			}
			s.When = append(s.When, Condition{forAllValues + "StringLike", "dynamodb:LeadingKeys", begins})
		}
		if r.Attributes != nil {
			s.When = append(s.When, Condition{forAllValues + "StringEquals", "dynamodb:Attributes", r.Attributes})
		}
		if r.CountOnly {
			s.When = append(s.When, Condition{"StringEquals", "dynamodb:Select", []string{"COUNT"}})
		}
		for _, c := range s.When {
			if strings.HasPrefix(c.Operator, forAllValues) {
				s.When = append(s.When, Condition{"Null", c.Key, []string{"false"}})
			}
		}
		all = append(all, s)
	}
	return all
}
