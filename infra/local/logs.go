package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"keypool/infra/local/machine"
)

// now returns the current time.
func now() time.Time { return time.Now() }

// logs prints the functions' log lines of the last hour, oldest first. With FOLLOW=1 it
// goes on with new lines.
func logs(ctx context.Context, c *call) error {
	if _, _, err := running(ctx, c); err != nil {
		return err
	}
	cfg, err := c.machine.Config()
	if err != nil {
		return err
	}
	outputs, err := c.machine.Outputs(ctx)
	if err != nil {
		return err
	}
	groups, err := logGroups(ctx, cfg, outputs)
	if err != nil {
		return err
	}
	if only := c.setting("FUNCTION", ""); only != "" {
		group, ok := groups[strings.ToLower(only)]
		if !ok {
			return &machine.Fault{Says: "There is no function " + only + ".", Try: "ls functions"}
		}
		groups = map[string]string{strings.ToLower(only): group}
	}
	since := now().Add(-time.Hour)
	for {
		lines, err := logLines(ctx, cfg, groups, since)
		if err != nil {
			return err
		}
		for _, l := range lines {
			fmt.Printf("%s  %-9s %s\n", l.at.Local().Format("15:04:05.000"), l.function, l.text)
			since = l.at.Add(time.Millisecond)
		}
		if c.setting("FOLLOW", "") == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// logGroups returns the log group of each function, by the function's name.
func logGroups(ctx context.Context, cfg aws.Config, outputs map[string]string) (map[string]string, error) {
	client := lambda.NewFromConfig(cfg)
	groups := map[string]string{}
	for output, function := range outputs {
		id, ok := strings.CutSuffix(output, "Function")
		if !ok {
			continue
		}
		f, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
		if err != nil {
			return nil, fmt.Errorf("look up the function %s: %w", id, err)
		}
		groups[strings.ToLower(id)] = aws.ToString(f.LoggingConfig.LogGroup)
	}
	return groups, nil
}

// line is one line that a function logged.
type line struct {
	at       time.Time
	function string
	text     string
}

// logLines returns the lines that the functions logged since a time, without Lambda's
// own START, END and REPORT.
func logLines(ctx context.Context, cfg aws.Config, groups map[string]string, since time.Time) ([]line, error) {
	client := cloudwatchlogs.NewFromConfig(cfg)
	var lines []line
	for function, group := range groups {
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: &group, StartTime: aws.Int64(since.UnixMilli()),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("read the log of %s: %w", function, err)
			}
			for _, event := range page.Events {
				if !isPlatforms(event) {
					lines = append(lines, line{time.UnixMilli(aws.ToInt64(event.Timestamp)), function, aws.ToString(event.Message)})
				}
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	return lines, nil
}

func isPlatforms(event types.FilteredLogEvent) bool {
	for _, word := range []string{"START RequestId:", "END RequestId:", "REPORT RequestId:"} {
		if strings.HasPrefix(aws.ToString(event.Message), word) {
			return true
		}
	}
	return false
}
