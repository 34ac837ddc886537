package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

const notices = "notices@shop.example"

// waitingLine measures, on a one-machine deployment of its own, the time from the
// drop of a key file to the mail of the order that waited for its key.
func waitingLine(ctx context.Context, b *bench) (err error) {
	const rounds, bar = 3, time.Minute
	m, err := machine.OpenNew(b.checkout, "bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx))) }()
	s, outputs, err := shop.Open(ctx, m, os.Stderr)
	if err != nil {
		return err
	}
	made, err := s.SetUp(ctx, shop.Setup{
		Merchant: "acme", Title: "Acme", Notices: notices, Pool: "elden", Product: "game", ProductTitle: "Elden, the game",
		Token: shop.NewToken{Name: "bench", Scopes: []string{"settings", "secrets"}, PerMinute: 6000},
	})
	if err != nil {
		return err
	}
	var waited []time.Duration
	for round := range rounds {
		customer := fmt.Sprintf("customer-%d@mail.example", round)
		reply, _, err := s.Pay(ctx, made.Account, shop.Order{
			ID: fmt.Sprintf("bench-%d", round), Email: customer, Name: "Ada Byron", Currency: "EUR", Language: "en",
			Lines: []shop.Line{{ID: "1", Product: "game", Quantity: 1}},
		})
		if err != nil {
			return err
		}
		if state := reply.Lines[0].State; state != "waiting" {
			return fmt.Errorf("an order is %s where there is no key", state)
		}
		// Until fill has handled the request that the order itself sent.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Second):
		}
		file := fmt.Sprintf("keys-%d.txt", round)
		dropped := time.Now()
		if err := s.Drop(ctx, "uploads/acme/elden/"+file, []byte(strings.ToUpper(file)+"\n")); err != nil {
			return err
		}
		mail, err := s.AwaitMail(ctx, 2*time.Minute, customer)
		if err != nil {
			return err
		}
		waited = append(waited, mail.SentAt.Sub(dropped))
	}
	b.add(figure{
		Name: "key file dropped to the mail of a waiting line", Bar: "< 60 s",
		Got: fmt.Sprintf("%.1f s", median(waited).Seconds()), Met: median(waited) < bar,
	})
	b.note("A waiting line", fmt.Sprintf("On a one-machine deployment: from the drop of a file of one key to the mail of the order that waits for it, the median of %d. Two seconds of it are the delay of the message to fill, which lets the index catch up.", rounds))
	if err := alarmsOf(ctx, b, s); err != nil {
		return err
	}
	return orderLogs(ctx, b, s, made, outputs)
}

// alarmsOf counts the deployment's alarms.
func alarmsOf(ctx context.Context, b *bench, s *shop.Shop) error {
	alarms := 0
	deployed, err := cloudformation.NewFromConfig(s.AWS).DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: aws.String("Keypool")})
	if err != nil {
		return err
	}
	for _, r := range deployed.StackResources {
		if aws.ToString(r.ResourceType) == "AWS::CloudWatch::Alarm" {
			alarms++
		}
	}
	if alarms == 0 {
		return errors.New("the deployment has no alarms")
	}
	b.fact("alarms", float64(alarms))
	return nil
}

// orderLogs measures how many bytes the functions log of an order that is served at
// once.
func orderLogs(ctx context.Context, b *bench, s *shop.Shop, made shop.Made, outputs map[string]string) error {
	const orders = 20
	var keys strings.Builder
	for i := range orders {
		fmt.Fprintf(&keys, "LOGGED-%d\n", i)
	}
	if err := s.Drop(ctx, "uploads/acme/elden/logged.txt", []byte(keys.String())); err != nil {
		return err
	}
	// Its mail comes with those of the files before, five minutes later.
	if _, err := s.AwaitUpload(ctx, time.Minute, made.Token.Text, "logged.txt", "finished"); err != nil {
		return err
	}
	since := time.Now()
	for i := range orders {
		customer := fmt.Sprintf("logged-%d@mail.example", i)
		reply, _, err := s.Pay(ctx, made.Account, shop.Order{
			ID: fmt.Sprintf("logged-%d", i), Email: customer, Name: "Ada Byron", Currency: "EUR", Language: "en",
			Lines: []shop.Line{{ID: "1", Product: "game", Quantity: 1}},
		})
		if err != nil {
			return err
		}
		if state := reply.Lines[0].State; state != "fulfilled" {
			return fmt.Errorf("an order is %s where there are keys", state)
		}
		if _, err := s.AwaitMail(ctx, time.Minute, customer); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Second): // the last event of SES
	}
	size := 0
	for _, function := range []string{outputs["WebhookFunction"], outputs["DeliverFunction"]} {
		n, err := logged(ctx, s.AWS, function, since)
		if err != nil {
			return err
		}
		size += n
	}
	b.fact("log bytes of an order", float64(size)/orders)
	return nil
}

// logged returns how many bytes a function has logged since then, without START, END
// and REPORT, which Lambda writes.
func logged(ctx context.Context, cfg aws.Config, function string, since time.Time) (size int, err error) {
	f, err := lambda.NewFromConfig(cfg).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return 0, err
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(cloudwatchlogs.NewFromConfig(cfg), &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: f.LoggingConfig.LogGroup, StartTime: aws.Int64(since.UnixMilli()),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		for _, event := range page.Events {
			if message := aws.ToString(event.Message); strings.HasPrefix(message, "{") { // ours are JSON
				size += len(message) + 1
			}
		}
	}
	return size, nil
}
