// Package due describes the items that the sweep finds: lines, orders, notices, uploads,
// jobs and senders with work left. Each stands in a due index with the time at which the sweep looks
// at it.
package due

import (
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/upload"
)

// Partitions is how many partitions a due index has. The sweep looks at each of them.
const Partitions = 32

// Item is one thing that is due, as it stands now: exactly one field is set.
type Item struct {
	Line   *order.Fulfillment
	Notice *notice.Notice
	Upload *upload.Upload
	Job    *job.Job
	Sender *catalog.Sender
	Order  *order.Whole // what is known of an order, to be applied to its lines
}
