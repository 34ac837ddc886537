package stack

import (
	"strconv"
	"time"
)

// function is one Lambda: its folder under functions/, its size and its settings.
type function struct {
	id          string // in the CDK app and in template.yaml
	folder      string // and binary, and log field
	says        string
	memory      int // MiB
	timeout     time.Duration
	environment []string // without KEYPOOL_
}

// functions are the eight.
var functions = []function{
	{
		"Ingest", "ingest", "Loads a key file, range by range, and writes its report",
		1024, ingestTimeout,
		[]string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL"},
	},
	{
		"Webhook", "webhook", "Claims keys for the lines of a paid order",
		1024, 20 * time.Second,
		[]string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL", "MAX_QUANTITY"},
	},
	{
		"Fill", "fill", "Gives waiting lines their keys, oldest first",
		512, fillTimeout,
		[]string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "FILL_QUEUE_URL"},
	},
	{
		"Deliver", "deliver", "Mails what is due and follows what became of it",
		256, 2 * time.Minute, // it waits for SES, most of the time
		[]string{"CATALOG_TABLE", "ORDERS_TABLE", "SENDER", "OPERATOR", "CONFIGURATION_SET"},
	},
	{
		"Stock", "stock", "Tells merchants of pools that run low",
		256, 5 * time.Minute, // once a night it counts every key: 10 million take a minute or more
		[]string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE"},
	},
	{
		"Sweep", "sweep", "Drives on whatever stopped halfway",
		256, 50 * time.Second, // it runs every minute
		[]string{"CATALOG_TABLE", "ORDERS_TABLE", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "PATIENCE"},
	},
	{
		"Api", "api", "What merchants set up and look at",
		512, 28 * time.Second, // the HTTP API waits 30 seconds at most
		[]string{"CATALOG_TABLE", "KEYS_TABLE", "ORDERS_TABLE", "UPLOADS_BUCKET", "REPORTS_BUCKET", "RANGES_QUEUE_URL", "FILL_QUEUE_URL", "KMS_KEY"},
	},
	{
		"Operator", "operator", "What the operator sets up: merchants and their tokens",
		256, 28 * time.Second,
		[]string{"CATALOG_TABLE", "FILL_QUEUE_URL"},
	},
}

// What functions and the queues before them have to agree on: a message must stay
// hidden for as long as a worker may hold it.
const (
	ingestTimeout = 2 * time.Minute
	fillTimeout   = time.Minute
	margin        = 10 * time.Second
)

// value returns the setting that a function finds in its environment as KEYPOOL_<name>.
func (p *pipeline) value(name string) string {
	switch name {
	case "CATALOG_TABLE":
		return *p.data.catalog.TableName()
	case "KEYS_TABLE":
		return *p.data.keys.TableName()
	case "ORDERS_TABLE":
		return *p.data.orders.TableName()
	case "REPORTS_BUCKET":
		return *p.data.reports.BucketName()
	case "UPLOADS_BUCKET":
		return p.uploadsName()
	case "RANGES_QUEUE_URL":
		return *p.ranges.QueueUrl()
	case "FILL_QUEUE_URL":
		return *p.fills.QueueUrl()
	case "CONFIGURATION_SET":
		return *p.configurationSet.Ref()
	case "KMS_KEY":
		return *p.data.key.KeyArn()
	case "SENDER":
		return p.settings.Sender.String()
	case "OPERATOR":
		return p.settings.Operator.Address
	case "MAX_QUANTITY":
		return strconv.Itoa(p.settings.MaxQuantity)
	case "PATIENCE":
		return p.settings.Patience.String()
	}
	panic("no value is known for the setting " + name)
}
