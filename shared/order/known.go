package order

// LineRefund names a refund of a line, by the platform's id of the refund.
type LineRefund struct {
	Line   LineID
	Refund string
}

// Known is what is stored of orders. Of what was asked for and is not there, it holds
// nothing.
type Known struct {
	Lines   map[LineID]Fulfillment // each with the keys of its own item
	Wholes  map[string]Whole       // by Whole.ID
	Refunds map[LineRefund]bool
}
