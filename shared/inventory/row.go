package inventory

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"keypool/shared/job"
	"keypool/shared/sheet"
)

// Columns are the names of what a file tells of a key, in their order.
var Columns = []string{"key", "state", "order", "account", "line", "product", "paid_at", "sold_at", "blocked_at", "upload", "file", "file_line"}

// row is what a file tells of a key. It has nothing of a customer.
type row struct {
	Key       string    `json:"key"`
	State     string    `json:"state"`
	Order     string    `json:"order,omitempty"`
	Account   string    `json:"account,omitempty"`
	Line      string    `json:"line,omitempty"`
	Product   string    `json:"product,omitempty"`
	PaidAt    time.Time `json:"paid_at,omitzero"`
	SoldAt    time.Time `json:"sold_at,omitzero"`
	BlockedAt time.Time `json:"blocked_at,omitzero"`
	Upload    string    `json:"upload,omitempty"`
	File      string    `json:"file,omitempty"`
	FileLine  int       `json:"file_line,omitempty"`
}

func newRow(key soldKey, fileName string, fileLine int) row {
	r := row{
		Key: key.Text.Reveal(), State: string(key.State), BlockedAt: key.BlockedAt, Upload: key.Upload, File: fileName, FileLine: fileLine,
	}
	if line := key.line; line != nil {
		r.Order, r.Account, r.Line, r.Product = line.Order, line.Account, line.Line, line.Product
		r.PaidAt, r.SoldAt = line.PaidAt, line.ReceivedAt
	}
	return r
}

// heading is what a file of that format begins with.
func heading(f job.Format) string {
	if f == job.CSV {
		return strings.Join(Columns, ",") + "\n"
	}
	return ""
}

// writeRow writes a row. The text of a key stands there as it is: in a table too, where a
// spreadsheet may take it for a number or a formula. A key with a sign before it would be another
// key. The names beside it are anybody's choice, and are no keys.
func writeRow(to io.Writer, f job.Format, r row) error {
	if f != job.CSV {
		lines := json.NewEncoder(to)
		lines.SetEscapeHTML(false)
		return lines.Encode(r)
	}
	cells := []string{
		r.State, r.Order, r.Account, r.Line, r.Product, moment(r.PaidAt), moment(r.SoldAt), moment(r.BlockedAt), r.Upload, r.File, "",
	}
	if r.FileLine > 0 {
		cells[len(cells)-1] = strconv.Itoa(r.FileLine)
	}
	for i, cell := range cells {
		cells[i] = sheet.Harmless(cell)
	}
	table := csv.NewWriter(to)
	if err := table.Write(append([]string{r.Key}, cells...)); err != nil {
		return err
	}
	table.Flush()
	return table.Error()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
