// Package price computes costs in dollars from measurements and AWS's list prices.
package price

import (
	"fmt"
	"strings"
)

// Price is AWS's price of a unit in us-east-1, in the first tier, without the free
// tier.
type Price struct {
	Unit    string
	Dollars float64 // for Per units
	Per     float64
	Source  string
}

// AsOf is when the prices were last compared with their sources.
const AsOf = "2025"

// The prices. A write unit is a write of 1 KB; a transaction takes two. A read unit
// is a consistent read of 4 KB; an eventually consistent read takes half of one.
var (
	WriteUnit  = Price{"write request unit", 0.625, 1e6, "aws.amazon.com/dynamodb/pricing/on-demand"}
	ReadUnit   = Price{"read request unit", 0.125, 1e6, "aws.amazon.com/dynamodb/pricing/on-demand"}
	Storage    = Price{"byte stored, for a month", 0.25, 1e9, "aws.amazon.com/dynamodb/pricing/on-demand"}
	Recovery   = Price{"byte that can be recovered, for a month", 0.20, 1e9, "aws.amazon.com/dynamodb/pricing/on-demand"}
	StreamRead = Price{"read of a stream by Lambda", 0, 1, "aws.amazon.com/dynamodb/pricing/on-demand"}
	HTTPCall   = Price{"call of an HTTP API, of 512 KB at most", 1.00, 1e6, "aws.amazon.com/api-gateway/pricing"}
	Invocation = Price{"invocation of a function", 0.20, 1e6, "aws.amazon.com/lambda/pricing"}
	GBSecond   = Price{"second of a function of 1 GB, arm64", 0.0000133334, 1, "aws.amazon.com/lambda/pricing"}
	LogByte    = Price{"byte of log taken in", 0.50, 1e9, "aws.amazon.com/cloudwatch/pricing"}
	Alarm      = Price{"alarm, for a month", 0.10, 1, "aws.amazon.com/cloudwatch/pricing"}
	OptInEvent = Price{"event that an AWS service sends on demand, of 64 KB at most", 1.00, 1e6, "aws.amazon.com/eventbridge/pricing"}
	Tick       = Price{"tick of EventBridge Scheduler", 1.00, 1e6, "aws.amazon.com/eventbridge/pricing"}
	QueueCall  = Price{"call of SQS", 0.40, 1e6, "aws.amazon.com/sqs/pricing"}
	Get        = Price{"GET of S3", 0.0004, 1e3, "aws.amazon.com/s3/pricing"}
	KMSKey     = Price{"KMS key, for a month", 1.00, 1, "aws.amazon.com/kms/pricing"}
	KMSCall    = Price{"call of KMS", 0.03, 1e4, "aws.amazon.com/kms/pricing"}
	Mail       = Price{"mail", 0.10, 1e3, "aws.amazon.com/ses/pricing"}
)

// Item is one row of a bill: the amount of something that one order, key or month
// uses.
type Item struct {
	For    string
	Amount float64
	Of     Price
}

func (i Item) dollars() float64 { return i.Amount * i.Of.Dollars / i.Of.Per }

// Bill is the cost of one order, one key or one month.
type Bill []Item

// Dollars is the cost of so many of them.
func (b Bill) Dollars(times float64) float64 {
	sum := 0.0
	for _, i := range b {
		sum += i.dollars()
	}
	return sum * times
}

// Table is the cost of so many of them as Markdown, with the sum.
func (b Bill) Table(times float64) string {
	var t strings.Builder
	t.WriteString("| for | amount | of | at $ | $ |\n|---|---:|---|---:|---:|\n")
	for _, i := range b {
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %.2f |\n", i.For, amount(i.Amount*times), i.Of.Unit, i.Of.rate(), i.dollars()*times)
	}
	fmt.Fprintf(&t, "| **together** | | | | **%.2f** |\n", b.Dollars(times))
	return t.String()
}

// rate formats a price as its source does.
func (p Price) rate() string {
	if p.Dollars == 0 {
		return "free"
	}
	dollars := strings.TrimRight(fmt.Sprintf("%.10f", p.Dollars), "0")
	if whole, cents, _ := strings.Cut(dollars, "."); len(cents) < 2 {
		dollars = whole + "." + (cents + "00")[:2]
	}
	switch p.Per {
	case 1:
		return dollars
	case 1e9:
		return dollars + " / GB"
	case 1e6:
		return dollars + " / M"
	default:
		return fmt.Sprintf("%s / %.0f", dollars, p.Per)
	}
}

// amount formats a number in short: 6.5 M, 120 k, 1.4 G.
func amount(n float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if n >= unit.of {
			return fmt.Sprintf("%.3g%s", n/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", n)
}
