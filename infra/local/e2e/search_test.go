//go:build deployment

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"keypool/infra/proof/canary"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/upload"
)

// searched gathers what was found where it must not be.
type searched struct {
	mu     sync.Mutex
	places map[string]int // how many of each kind of place were looked at
	faults []error
}

// look searches a text for canaries, but for kinds that may be there.
func (s *searched) look(place, which, text string, may ...string) {
	found := world.canaries.Find(text, may...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == nil {
		s.places = map[string]int{}
	}
	s.places[place]++
	if found != nil {
		s.faults = append(s.faults, fmt.Errorf("%s in one of the %s (%s): %.300s", strings.Join(found, ", "), place, which, text))
	}
}

func (s *searched) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Errorf(format, args...))
}

// told is what the API and the functions answered.
var told searched

// witness looks at every answer of the API as it comes. Nothing that it answers
// holds a key, but the page of an order by its button; a customer stands where an order is
// read, a merchant's address where the operator and its people read it. A token or a secret is a canary from the
// moment when it was told, that is, after the one answer that may tell it.
type witness struct{ next http.RoundTripper }

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.String(), world.shop.URL+"/") {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var may []string
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/orders"):
		may = append(may, canary.Customer)
	case strings.HasPrefix(r.URL.Path, "/v1/merchants"), r.URL.Path == "/v1/catalog":
		may = append(may, canary.Merchant)
	case strings.HasPrefix(r.URL.Path, "/portal"): // the link of a mail stands in the form behind it
		may = append(may, canary.Customer, canary.Merchant, canary.Link)
	case strings.HasPrefix(r.URL.Path, "/o/"):
		may = append(may, canary.Customer, canary.Link)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/keys") {
			may = append(may, canary.Key)
		}
	}
	told.look("answers of the API", r.Method+" "+answer.Status, fmt.Sprint(answer.Header)+string(body), may...)
	return answer, nil
}

// search looks at all that the run left behind and fails on whatever must not be
// where it is.
func search(ctx context.Context) error {
	s := &told
	for _, step := range []struct {
		says string
		do   func(context.Context, *searched) error
	}{
		{"the tables", searchTables}, // first: the merchants' salts are canaries too
		{"the logs", searchLogs},
		{"the mails", searchMails},
		{"the queues", searchQueues},
		{"the reports", searchReports},
		{"the settings", searchSettings},
		{"the metrics", searchMetrics},
	} {
		if err := step.do(ctx, s); err != nil {
			return fmt.Errorf("search %s: %w", step.says, err)
		}
	}
	kinds := slices.Sorted(maps.Keys(s.places))
	for _, place := range kinds {
		fmt.Fprintf(os.Stderr, "searched %d %s\n", s.places[place], place)
		canary.Figure("places searched", s.places[place])
		canary.Figure(place+" searched", s.places[place])
	}
	canary.Figure("canaries", world.canaries.Len())
	if len(s.faults) > 20 {
		s.faults = append(s.faults[:20], fmt.Errorf("and %d more", len(s.faults)-20))
	}
	return errors.Join(s.faults...)
}

// searchTables holds that each table has only what it is for.
func searchTables(ctx context.Context, s *searched) error {
	client := dynamodb.NewFromConfig(world.shop.AWS)
	for table, may := range map[string][]string{
		"CatalogTable": {canary.Merchant, canary.Salt},
		"KeysTable":    {canary.Key},
		"OrdersTable":  {canary.Key, canary.Customer, canary.Merchant}, // the last: whom a notice goes to
	} {
		pages := dynamodb.NewScanPaginator(client, &dynamodb.ScanInput{TableName: aws.String(world.outputs[table])})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, item := range page.Items {
				if salt, ok := item["salt"].(*types.AttributeValueMemberB); ok {
					world.canaries.Add(canary.Salt, string(salt.Value))
				}
				raw, err := json.Marshal(item)
				if err != nil {
					return err
				}
				s.look("items of tables", table, string(raw), may...)
			}
		}
	}
	return nil
}

// searchLogs reads every line that was logged in the run, by the functions, the
// API's access log and the emulator.
func searchLogs(ctx context.Context, s *searched) error {
	look := func(where, line string) {
		s.look("log lines", where, line)
		if address.MatchString(line) {
			s.fault("an address in the log of %s: %.300s", where, line)
		}
		if strings.Contains(line, "AccessDenied") || strings.Contains(line, "is not authorized to perform") {
			s.fault("a missing right in the log of %s: %.300s", where, line)
		}
	}
	client := cloudwatchlogs.NewFromConfig(world.shop.AWS)
	groups := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{})
	for groups.HasMorePages() {
		page, err := groups.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the log groups: %w", err)
		}
		for _, group := range page.LogGroups {
			events := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group.LogGroupName})
			for events.HasMorePages() {
				page, err := events.NextPage(ctx)
				if err != nil {
					return fmt.Errorf("read the log group %s: %w", aws.ToString(group.LogGroupName), err)
				}
				for _, event := range page.Events {
					look(aws.ToString(group.LogGroupName), aws.ToString(event.Message))
				}
			}
		}
	}
	own, err := os.Open(world.machine.Log())
	if err != nil {
		return err
	}
	defer own.Close()
	scanner := bufio.NewScanner(own)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		look("the emulator", scanner.Text())
	}
	if n := s.places["log lines"]; n < 100 && allRan() {
		s.fault("only %d log lines were found: this is not the log of the run", n)
	}
	return scanner.Err()
}

// allRan reports whether all tests ran: what -run or -skip selects may leave nothing behind.
func allRan() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

// searchMails holds that keys and names go to the customer who bought them, and
// that nobody is mailed a secret.
func searchMails(ctx context.Context, s *searched) error {
	mails, err := world.shop.Mails(ctx)
	if err != nil {
		return err
	}
	for _, m := range mails {
		content := m.Subject + "\n" + m.Text + "\n" + m.HTML
		ours := slices.ContainsFunc(m.To, func(to string) bool {
			return strings.HasSuffix(to, "@"+world.domain) || strings.HasSuffix(to, "@simulator.amazonses.com")
		})
		if ours {
			s.look("mails to customers", m.Subject, content, canary.Key, canary.Customer, canary.Link)
		} else {
			s.look("mails to merchants and the operator", m.Subject, content, canary.Link)
		}
	}
	return nil
}

// searchQueues reads what lies in every queue. Messages of work name things, and
// so do those that were given up; what Lambda gives up tells which function failed
// and with what words.
func searchQueues(ctx context.Context, s *searched) error {
	client := sqs.NewFromConfig(world.shop.AWS)
	list, err := client.ListQueues(ctx, &sqs.ListQueuesInput{})
	if err != nil {
		return err
	}
	for _, address := range list.QueueUrls {
		name := address[strings.LastIndexByte(address, '/')+1:]
		bodies, err := messagesIn(ctx, client, address)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		for _, body := range bodies {
			s.look("messages in queues", name, body)
			var shape any
			switch {
			case strings.Contains(name, "Ranges"):
				shape = &upload.Message{}
			case strings.Contains(name, "Fills"):
				shape = &order.FillRequest{}
			default:
				shape = &givenUp{}
			}
			d := json.NewDecoder(strings.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(shape); err != nil {
				s.fault("a message in %s holds more than it is meant to: %v", name, err)
			}
		}
	}
	if s.places["messages in queues"] == 0 && allRan() {
		s.fault("no queue held a message, not even the dead letter that a test had made")
	}
	return nil
}

// messagesIn returns the bodies of the messages that lie in a queue, and waits for those
// that somebody has received and may return.
func messagesIn(ctx context.Context, client *sqs.Client, address string) (bodies []string, err error) {
	seen := map[string]bool{}
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &address, MaxNumberOfMessages: 10, VisibilityTimeout: 20,
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
		})
		if err != nil {
			return nil, err
		}
		for _, m := range got.Messages {
			if id := aws.ToString(m.MessageId); !seen[id] {
				seen[id] = true
				bodies = append(bodies, aws.ToString(m.Body))
			}
		}
		there, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &address, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
		})
		if err != nil {
			return nil, err
		}
		count := 0
		for _, name := range []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		} {
			n, err := strconv.Atoi(there.Attributes[string(name)])
			if err != nil {
				return nil, err
			}
			count += n
		}
		switch {
		case len(seen) >= count:
			return bodies, nil
		case time.Now().After(end):
			return nil, fmt.Errorf("%d messages lie there, and only %d can be read", count, len(seen))
		}
	}
}

// givenUp is what Lambda writes of an event that a function could not handle.
type givenUp struct {
	Version         string          `json:"version"`
	Timestamp       string          `json:"timestamp"`
	RequestContext  json.RawMessage `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponseContext json.RawMessage `json:"responseContext"`
	ResponsePayload json.RawMessage `json:"responsePayload"`
	StreamBatch     json.RawMessage `json:"DDBStreamBatchInfo"`
}

// searchReports reads every object in the bucket of reports.
func searchReports(ctx context.Context, s *searched) error {
	client := s3.NewFromConfig(world.shop.AWS)
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(world.outputs["ReportsBucket"])})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(world.outputs["ReportsBucket"]), Key: o.Key})
			if err != nil {
				return err
			}
			content, err := io.ReadAll(got.Body)
			got.Body.Close()
			if err != nil {
				return err
			}
			var may []string
			if strings.HasPrefix(*o.Key, job.FilesPrefix) {
				may = []string{canary.Key} // exported, and nothing else of anybody
			}
			s.look("reports", *o.Key, *o.Key+string(content), may...)
		}
	}
	return nil
}

// searchSettings reads what whoever may look at the deployment sees.
func searchSettings(ctx context.Context, s *searched) error {
	client := lambda.NewFromConfig(world.shop.AWS)
	for name, value := range world.outputs {
		s.look("outputs of stacks", name, value)
		if !strings.HasSuffix(name, "Function") {
			continue
		}
		configured, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &value})
		if err != nil {
			return err
		}
		for setting, value := range configured.Environment.Variables {
			s.look("settings of functions", name+" "+setting, value)
		}
	}
	return nil
}

// searchMetrics reads the names and dimensions of all metrics.
func searchMetrics(ctx context.Context, s *searched) error {
	root, err := world.shop.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	list := formCall("cloudwatch:ListMetrics", "2010-08-01", "*", url.Values{})
	list.service = "monitoring"
	answer, err := list.send(ctx, root)
	if err != nil || answer.status != http.StatusOK {
		return fmt.Errorf("%v: %w", answer, err)
	}
	s.look("lists of metrics", "all", answer.body)
	return nil
}

// address finds the addresses of the tests, of the deployment and of SES's simulator.
var address = regexp.MustCompile(`[A-Za-z0-9._%+-]+@([a-z0-9.-]+\.example|simulator\.amazonses\.com)`)
