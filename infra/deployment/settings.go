package deployment

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"keypool/shared/mailaddress"
)

// Settings are the choices of one deployment.
type Settings struct {
	Name    string // of the stacks; two names make two deployments in one account
	Account string
	Region  string

	Sender   *mail.Address // customers' mails come from it
	Operator *mail.Address // gets alarms, and reports of files that belong to no merchant

	Retention      int            // days that logs are kept
	Memory         map[string]int // MiB by function ID, where it is not the function's own
	Concurrency    map[string]int // reserved executions by function ID, where there are any
	Schedule       string         // of the stock check
	DelayMailAfter time.Duration  // a customer who waits longer gets the delay mail; 0: never
	MaxQuantity    int            // units in one line
	Rate, Burst    int            // webhooks a second, and at once, that the API lets through
	Tags           map[string]string

	Domain      string // of the sender, to be set up in SES; empty: the address was verified by hand
	APIDomain   string // the API's own domain; empty: the one AWS gives it
	Certificate string // ARN, for APIDomain
	PublicURL   string // where people and platforms reach the API, such as https://keys.example.com; empty: AWS's own address of it

	Architecture string // arm64 or x86_64, as the zips were built
	Zips         string // folder of the zips
	DeleteData   bool   // the data is deleted with the stacks
}

// UploadsName is the name of the upload bucket. It is computed rather than taken from
// the bucket: the functions' settings and rights contain it, and the bucket can only
// be made after the function that it calls.
func (s Settings) UploadsName() string {
	return strings.ToLower(s.Name) + "-uploads-" + s.Account + "-" + s.Region
}

// FunctionName returns the name of the function that the upload bucket calls, and ""
// for all others, which AWS names. The bucket outlives the stack, and calls the
// function by its name: a later stack that takes the bucket over is called as well.
func (s Settings) FunctionName(f Function) string {
	if f.UploadEvents {
		return s.Name + "-" + f.ID
	}
	return ""
}

// dataSuffix ends the name of the stack of the data.
const dataSuffix = "-Data"

// DataStack is the name of the stack of the data. The other stack is called Name.
func (s Settings) DataStack() string { return s.Name + dataSuffix }

// Parameters returns the settings that texts refer to, such as ${MaxQuantity}.
func (s Settings) Parameters() []Variable {
	return []Variable{
		{"Sender", s.Sender.String()},
		{"SenderAddress", s.Sender.Address},
		{"OperatorAddress", s.Operator.Address},
		{"MaxQuantity", strconv.Itoa(s.MaxQuantity)},
		{"DelayMailAfter", s.DelayMailAfter.String()},
		{"Schedule", s.Schedule},
	}
}

// Zip returns the path of a function's zip.
func (s Settings) Zip(f Function) string {
	return path.Join(s.Zips, s.Architecture, f.Folder()+".zip")
}

// parameter is one value of the CDK's context: -c name=value, or a line in cdk.json.
type parameter struct {
	name, value, says string // value is the default
	read              func(s *Settings, value string) error
}

var parameters = []parameter{
	{"name", "Keypool", "of the stacks, letters, digits and hyphens", func(s *Settings, v string) error {
		if !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,23}$`).MatchString(v) || strings.HasSuffix(v, "-") {
			return errors.New("is not 1 to 24 letters, digits and hyphens that begin with a letter")
		}
		if strings.HasSuffix(strings.ToLower(v), strings.ToLower(dataSuffix)) {
			return fmt.Errorf("ends in %s, as the stack of another deployment's data does: choose another name", dataSuffix)
		}
		s.Name = v
		return nil
	}},
	{"account", "", "AWS account; that of the credentials where empty", func(s *Settings, v string) error {
		if !regexp.MustCompile(`^\d{12}$`).MatchString(v) {
			return errors.New("is not an account of 12 digits: sign in first, so that the CDK finds it (aws sts get-caller-identity)")
		}
		s.Account = v
		return nil
	}},
	{"region", "", "AWS region; that of the credentials where empty", func(s *Settings, v string) error {
		if !regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`).MatchString(v) {
			return errors.New("is not a region such as eu-central-1")
		}
		s.Region = v
		return nil
	}},
	{"sender", "", "whom customers' mails come from", func(s *Settings, v string) (err error) {
		s.Sender, err = address(v)
		return err
	}},
	{"operator", "", "told of alarms and of files that belong to nobody", func(s *Settings, v string) (err error) {
		s.Operator, err = address(v)
		return err
	}},
	{"retention", "30", "days that logs are kept", func(s *Settings, v string) (err error) {
		s.Retention, err = strconv.Atoi(v)
		if err != nil || !slices.Contains(retentions, s.Retention) {
			return fmt.Errorf("is not a number of days that CloudWatch knows: %s", list(retentions))
		}
		return nil
	}},
	{"memory", "", "MiB, for all functions (512) or for some (Ingest=1769,Api=1024)", func(s *Settings, v string) (err error) {
		s.Memory, err = perFunction(v, 128, 10240)
		return err
	}},
	{"concurrency", "", "executions reserved, for all functions (20) or for some (Deliver=10)", func(s *Settings, v string) (err error) {
		s.Concurrency, err = perFunction(v, 1, 10000)
		return err
	}},
	{"schedule", "rate(5 minutes)", "of the stock check", func(s *Settings, v string) error {
		if !regexp.MustCompile(`^(rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)|cron\(\S+( \S+){5}\))$`).MatchString(v) {
			return errors.New(`is not a schedule such as "rate(5 minutes)" or "cron(0 8 * * ? *)"`)
		}
		s.Schedule = v
		return nil
	}},
	{"delayMailAfter", "5m", "a customer who waits longer gets the delay mail, 0 for never", func(s *Settings, v string) (err error) {
		s.DelayMailAfter, err = time.ParseDuration(v)
		if err != nil || s.DelayMailAfter < 0 {
			return errors.New(`is not a duration such as "5m", or 0`)
		}
		return nil
	}},
	{"maxQuantity", "1000", "units that one line may ask for", func(s *Settings, v string) (err error) {
		s.MaxQuantity, err = whole(v, 1, 10_000)
		return err
	}},
	{"rate", "500", "webhooks a second that the API lets through; other routes have limits of their own", func(s *Settings, v string) (err error) {
		s.Rate, err = whole(v, 1, 10_000)
		return err
	}},
	{"burst", "1000", "webhooks at once that the API lets through", func(s *Settings, v string) (err error) {
		s.Burst, err = whole(v, 1, 10_000)
		return err
	}},
	{"tags", "", "on everything, team=shop,cost=42", func(s *Settings, v string) error {
		s.Tags = map[string]string{}
		for _, pair := range split(v) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" || strings.HasPrefix(strings.ToLower(name), "aws:") || len(name) > 128 || len(value) > 256 {
				return errors.New("is not a list such as team=shop,cost=42 (no name begins with aws:)")
			}
			s.Tags[name] = value
		}
		return nil
	}},
	{"domain", "", "of the sender, to be set up in SES", func(s *Settings, v string) error {
		s.Domain = v
		return domain(v)
	}},
	{"apiDomain", "", "the API's own address, with a certificate", func(s *Settings, v string) error {
		s.APIDomain = v
		return domain(v)
	}},
	{"certificate", "", "ARN of the certificate for apiDomain", func(s *Settings, v string) error {
		if v != "" && !regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+$`).MatchString(v) {
			return errors.New("is not the ARN of a certificate")
		}
		s.Certificate = v
		return nil
	}},
	{"publicUrl", "", "address of the API in links, where something stands before it; that of apiDomain, or AWS's own, where empty", func(s *Settings, v string) error {
		u, err := url.Parse(v)
		if v != "" && (err != nil || u.Scheme != "https" || u.Host == "" || v != "https://"+u.Host) {
			return errors.New("is not an address without a path, such as https://keys.example.com")
		}
		s.PublicURL = v
		return nil
	}},
	{"architecture", "arm64", "that the zips were built for: arm64 or x86_64", func(s *Settings, v string) error {
		if v != "arm64" && v != "x86_64" {
			return errors.New("is neither arm64 nor x86_64")
		}
		s.Architecture = v
		return nil
	}},
	{"zips", "../.build", "folder of the zips that make build made", func(s *Settings, v string) error {
		s.Zips = v
		return nil
	}},
	{"data", "keep", "keep, or delete to let the data go with the stacks", func(s *Settings, v string) error {
		if v != "keep" && v != "delete" {
			return errors.New("is neither keep nor delete")
		}
		s.DeleteData = v == "delete"
		return nil
	}},
}

// Read reads the settings from the CDK's context. One error names every wrong value,
// and every name that is not a parameter.
func Read(context map[string]any) (Settings, error) {
	var s Settings
	var problems []error
	known := make([]string, len(parameters))
	for i, p := range parameters {
		known[i] = p.name
		value := p.value
		if given, ok := context[p.name]; ok {
			value = typed(given)
		}
		if err := p.read(&s, value); err != nil {
			problems = append(problems, fmt.Errorf("%s %w", p.name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(context)) {
		// The CDK's own entries have a colon, an at sign or a hyphen in their names.
		if !slices.Contains(known, name) && !strings.ContainsAny(name, ":@-") {
			problems = append(problems, fmt.Errorf("%s is not a parameter; there are %s", name, list(known)))
		}
	}
	if s.Domain != "" && s.Sender != nil && !strings.HasSuffix(s.Sender.Address, "@"+s.Domain) {
		problems = append(problems, fmt.Errorf("sender is not an address at the domain %s", s.Domain))
	}
	if (s.APIDomain == "") != (s.Certificate == "") {
		problems = append(problems, errors.New("apiDomain and certificate go together: give both or neither"))
	}
	if s.PublicURL == "" && s.APIDomain != "" {
		s.PublicURL = "https://" + s.APIDomain
	}
	if len(problems) > 0 {
		return Settings{}, fmt.Errorf("wrong parameters (-c name=value, or \"context\" in cdk.json):\n%w", errors.Join(problems...))
	}
	return s, nil
}

// retentions are the numbers of days that CloudWatch Logs accepts.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func address(value string) (*mail.Address, error) {
	if value == "" {
		return nil, errors.New("is missing: give a mail address")
	}
	a, err := mail.ParseAddress(value)
	if err != nil || !mailaddress.Valid(a.Address) {
		return nil, errors.New("is not a mail address")
	}
	return a, nil
}

func domain(value string) error {
	if value != "" && !regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`).MatchString(value) {
		return errors.New("is not a domain in lower case, such as keys.example.com")
	}
	return nil
}

func whole(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("is not a whole number from %d to %d", low, high)
	}
	return n, nil
}

// perFunction reads "512" (for all) and "Ingest=1024,Api=512" (for some), also mixed.
func perFunction(value string, low, high int) (map[string]int, error) {
	out := map[string]int{}
	all, ids := 0, make([]string, len(Functions))
	for i, f := range Functions {
		ids[i] = f.ID
	}
	for _, entry := range split(value) {
		id, number, some := strings.Cut(entry, "=")
		if !some {
			number = id
		} else if !slices.Contains(ids, id) {
			return nil, fmt.Errorf("names a function that does not exist; there are %s", list(ids))
		}
		n, err := whole(number, low, high)
		if err != nil {
			return nil, err
		}
		if some {
			out[id] = n
		} else {
			all = n
		}
	}
	for _, id := range ids {
		if _, ok := out[id]; !ok && all > 0 {
			out[id] = all
		}
	}
	return out, nil
}

// split splits a list at its commas; an empty list has no entries.
func split(value string) []string {
	var out []string
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			out = append(out, entry)
		}
	}
	return out
}

// typed returns a context value as it would be typed: numbers in cdk.json arrive as floats.
func typed(value any) string {
	if n, ok := value.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

func list[T any](values []T) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ", "), "[]")
}
