package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a service asks of whoever reaches something of ours that is encrypted.
const (
	tableKey = "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:ReEncryptFrom kms:ReEncryptTo" +
		" on Key.Arn if kms:ViaService StringEquals dynamodb.eu-central-1.amazonaws.com"
	bucketKey = "kms:Decrypt kms:GenerateDataKey on Key.Arn if kms:ViaService StringEquals s3.eu-central-1.amazonaws.com"
	queueKey  = "kms:Decrypt kms:GenerateDataKey on Key.Arn if kms:ViaService StringEquals sqs.eu-central-1.amazonaws.com"
)

// rights is what each function may do, and all that it may do.
var rights = map[string][]string{
	"Ingest": {
		"dynamodb:GetItem on Catalog.Arn for merchant#* uploads#*",
		"dynamodb:PutItem on Catalog.Arn for uploads#* parked#*",
		"dynamodb:UpdateItem on Catalog.Arn for merchant#* uploads#* ranges#*",
		"dynamodb:DeleteItem on Catalog.Arn for parked#*",
		"dynamodb:Query on Catalog.Arn for ranges#*",
		"dynamodb:PartiQLInsert dynamodb:BatchGetItem on Keys.Arn",
		"dynamodb:PutItem on Orders.Arn for notice#*",
		tableKey,
		"s3:GetObject s3:GetObjectVersion s3:PutObjectTagging s3:PutObjectVersionTagging on arn:aws:s3:::keypool-uploads-123456789012-eu-central-1/*",
		"s3:ListBucket on arn:aws:s3:::keypool-uploads-123456789012-eu-central-1",
		"s3:GetObject s3:PutObject s3:AbortMultipartUpload on Reports.Arn/*",
		bucketKey,
		"sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes sqs:SendMessage on Ranges.Arn",
		"sqs:SendMessage on Fills.Arn",
		"sqs:SendMessage on DeadUploads.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on IngestLogs.Arn",
	},
	"Webhook": {
		"dynamodb:GetItem on Catalog.Arn for merchant#*",
		"dynamodb:BatchGetItem dynamodb:UpdateItem on Keys.Arn",
		"dynamodb:Query on Keys.Arn/index/available",
		"dynamodb:GetItem on Orders.Arn for order#*",
		"dynamodb:Query on Orders.Arn for queue#*",
		"dynamodb:PutItem on Orders.Arn for order#* queue#* unconnected#* notice#* refused#*",
		tableKey,
		"kms:Decrypt on Key.Arn if kms:EncryptionContextKeys ForAllValues:StringEquals merchant account",
		"sqs:SendMessage on Fills.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on WebhookLogs.Arn",
	},
	"Fill": {
		"dynamodb:GetItem on Catalog.Arn for merchant#*",
		"dynamodb:BatchGetItem dynamodb:UpdateItem on Keys.Arn",
		"dynamodb:Query on Keys.Arn/index/available",
		"dynamodb:GetItem on Orders.Arn for alert#*",
		"dynamodb:BatchGetItem on Orders.Arn for order#*",
		"dynamodb:Query dynamodb:DeleteItem on Orders.Arn for queue#* unconnected#*",
		"dynamodb:PutItem on Orders.Arn for order#* queue#* alert#* notice#*",
		tableKey,
		"sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes sqs:SendMessage on Fills.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on FillLogs.Arn",
	},
	"Deliver": {
		"dynamodb:GetItem on Catalog.Arn for merchant#* uploads#*",
		"dynamodb:UpdateItem on Catalog.Arn for merchant#*",
		"dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem on Orders.Arn for order#* notice#*",
		"dynamodb:Query on Orders.Arn for order#*",
		"dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator on Orders.StreamArn",
		"dynamodb:ListStreams on Orders.Arn/stream/*",
		tableKey,
		"ses:SendEmail ses:SendRawEmail on arn:aws:ses:eu-central-1:123456789012:identity/* if ses:FromAddress StringEquals keys@example.com",
		"ses:SendEmail ses:SendRawEmail on arn:aws:ses:eu-central-1:123456789012:configuration-set/Mail",
		"sqs:SendMessage on DeadMails.Arn",
		"sqs:SendMessage on DeadEvents.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on DeliverLogs.Arn",
	},
	"Stock": {
		"dynamodb:GetItem dynamodb:UpdateItem on Catalog.Arn for merchant#*",
		"dynamodb:Query on Catalog.Arn/index/kind",
		"dynamodb:Query on Keys.Arn/index/available",
		"dynamodb:GetItem dynamodb:PutItem on Orders.Arn for alert#* notice#*",
		"dynamodb:Query on Orders.Arn for queue#*",
		tableKey,
		"sqs:SendMessage on DeadTicks.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on StockLogs.Arn",
	},
	"Sweep": {
		"dynamodb:GetItem on Catalog.Arn for merchant#*",
		"dynamodb:BatchGetItem dynamodb:UpdateItem on Catalog.Arn for uploads#*",
		"dynamodb:Query on Catalog.Arn/index/due",
		"dynamodb:BatchGetItem dynamodb:UpdateItem on Orders.Arn for order#* notice#*",
		"dynamodb:PutItem on Orders.Arn for notice#*",
		"dynamodb:Query on Orders.Arn/index/due",
		tableKey,
		"sqs:SendMessage on Ranges.Arn",
		"sqs:SendMessage on Fills.Arn",
		"sqs:SendMessage on DeadTicks.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on SweepLogs.Arn",
	},
	"Api": {
		"dynamodb:GetItem on Catalog.Arn for merchant#* token#* uploads#*",
		"dynamodb:Query on Catalog.Arn for merchant#* uploads#* parked#*",
		"dynamodb:PutItem on Catalog.Arn for merchant#*",
		"dynamodb:DeleteItem on Catalog.Arn for merchant#*",
		"dynamodb:Query on Keys.Arn/index/available",
		"dynamodb:Query on Orders.Arn for order#* queue#* unconnected#*",
		tableKey,
		"s3:PutObject on arn:aws:s3:::keypool-uploads-123456789012-eu-central-1/*",
		"s3:GetObject on Reports.Arn/*",
		bucketKey,
		"kms:Encrypt on Key.Arn if kms:EncryptionContextKeys ForAllValues:StringEquals merchant account",
		"sqs:SendMessage on Ranges.Arn",
		"sqs:SendMessage on Fills.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on ApiLogs.Arn",
	},
	"Operator": {
		"dynamodb:GetItem dynamodb:Query on Catalog.Arn for merchant#*",
		"dynamodb:PutItem on Catalog.Arn for merchant#* token#*",
		tableKey,
		"sqs:SendMessage on Fills.Arn",
		queueKey,
		"logs:CreateLogStream logs:PutLogEvents on OperatorLogs.Arn",
	},
}

func TestRights_exactlyThese(t *testing.T) {
	for id, want := range rights {
		if diff := cmp.Diff(want, rightsOf(t, templates().pipeline.resources[id+"Role"])); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
}

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

// Nothing reaches a role by another way than the table of rights.
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
	slices.Sort(roles)
	want := []string{"ApiRole", "ClockRole", "DeliverRole", "FillRole", "IngestRole", "OperatorRole", "StockRole", "SweepRole", "WebhookRole"}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"lambda:InvokeFunction on Stock.Arn Sweep.Arn"}, rightsOf(t, p.resources["ClockRole"])); diff != "" {
		t.Error(diff)
	}
}

func TestRights_rolesBelongToTheirService(t *testing.T) {
	for id, r := range templates().pipeline.ofType("AWS::IAM::Role") {
		trust := at(r, "AssumeRolePolicyDocument", "Statement").([]any)
		service := "lambda.amazonaws.com"
		if id == "ClockRole" {
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

// No policy of either stack allows an action by a pattern, and none refuses but
// what comes without TLS.
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

// Resources are named by pattern only where one thing has many parts.
func TestRights_patternsAreFew(t *testing.T) {
	want := []string{
		"Orders.Arn/stream/*", // a table's streams, for their list
		"Reports.Arn/*",       // a bucket's objects
		"arn:aws:s3:::keypool-uploads-123456789012-eu-central-1/*",
		"arn:aws:ses:eu-central-1:123456789012:identity/*", // limited by ses:FromAddress: SES asks for the recipient's too while in its sandbox
	}
	var got []string
	for _, r := range templates().pipeline.ofType("AWS::IAM::Role") {
		each(r.Properties, func(s map[string]any) {
			for _, on := range texts(s["Resource"]) {
				if strings.ContainsAny(on, "*?") {
					got = append(got, on)
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

// each calls see with every statement of every policy in a value.
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
