// Package price turns what was measured into dollars, by the list prices of AWS.
package price

import (
	"fmt"
	"strings"
)

// Price is what AWS charges for a unit, in us-east-1, in the first tier and
// without what is free each month.
type Price struct {
	Unit    string
	Dollars float64 // for Per units
	Per     float64
	Source  string
}

// AsOf is when the prices were last held against their sources.
const AsOf = "2025"

// The prices. A write unit is one of 1 KB, twice as many in a transaction; a read
// unit is a consistent read of 4 KB, half of one where it may lag.
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
	Event      = Price{"event of an AWS service", 0, 1, "aws.amazon.com/eventbridge/pricing"}
	Tick       = Price{"tick of EventBridge Scheduler", 1.00, 1e6, "aws.amazon.com/eventbridge/pricing"}
	QueueCall  = Price{"call of SQS", 0.40, 1e6, "aws.amazon.com/sqs/pricing"}
	Get        = Price{"GET of S3", 0.0004, 1e3, "aws.amazon.com/s3/pricing"}
	KMSKey     = Price{"KMS key, for a month", 1.00, 1, "aws.amazon.com/kms/pricing"}
	KMSCall    = Price{"call of KMS", 0.03, 1e4, "aws.amazon.com/kms/pricing"}
	Mail       = Price{"mail", 0.10, 1e3, "aws.amazon.com/ses/pricing"}
)

// Item is one line of a bill: how much of what is used for one of what is counted.
type Item struct {
	For    string
	Amount float64
	Of     Price
}

func (i Item) dollars() float64 { return i.Amount * i.Of.Dollars / i.Of.Per }

// Bill is what one of something costs: an order, a key, a month.
type Bill []Item

// Dollars adds up the bill of so many.
func (b Bill) Dollars(times float64) float64 {
	sum := 0.0
	for _, i := range b {
		sum += i.dollars()
	}
	return sum * times
}

// Table writes the bill of so many as Markdown, with its sum.
func (b Bill) Table(times float64) string {
	var t strings.Builder
	t.WriteString("| for | amount | of | at $ | $ |\n|---|---:|---|---:|---:|\n")
	for _, i := range b {
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %.2f |\n", i.For, amount(i.Amount*times), i.Of.Unit, i.Of.rate(), i.dollars()*times)
	}
	fmt.Fprintf(&t, "| **together** | | | | **%.2f** |\n", b.Dollars(times))
	return t.String()
}

// rate writes a price as its source does.
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

// amount writes a number short: 6.5 M, 120 k, 1.4 G.
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
