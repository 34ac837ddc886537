package ingest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"keypool/shared/lazy"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// maxRow is the number of bytes of a row, as UTF-8, beyond which the file is read no
// further: a quote before was not closed. It bounds the memory that a table takes.
const maxRow = 256 << 10

// tableReader reads the keys of a table, row by row. It has no beginning but that of the
// file, since a quote anywhere before changes what a row is: a worker that resumes parses
// what was loaded again, and passes over it.
//
// The offset of a row is where the row before it ends, in bytes of the file. It begins
// there, unless blank lines are in between. In UTF-16 it is the offset in the same text as
// UTF-8.
type tableReader struct {
	rows      *csv.Reader
	budget    *budget
	table     upload.Table
	interpret func(offset int64, text string) (string, upload.Outcome)

	base  int64 // offset in the file of the first byte of rows
	lines int   // rows begun, the heading too
	last  int   // number of the last line of the last row
	ended bool
}

// newTableReader returns a reader of a whole file, which src gives from its first byte.
func newTableReader(src io.Reader, enc upload.Encoding, table upload.Table) (*tableReader, error) {
	if encoding(enc).unit() == 2 {
		src = &utf8Reader{src: bufio.NewReader(src), enc: encoding(enc)}
	}
	r := &tableReader{table: table}
	text := bufio.NewReaderSize(src, 32<<10)
	const mark = "\uFEFF"
	start, err := text.Peek(len(mark))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(start) == mark {
		r.base = int64(len(mark))
		text.Discard(len(mark))
	}
	r.budget = &budget{src: &newlines{text}}
	r.rows = csv.NewReader(r.budget)
	r.rows.Comma, _ = utf8.DecodeRuneInString(table.Separator)
	r.rows.FieldsPerRecord = -1
	r.rows.TrimLeadingSpace = table.Separator != "\t"
	r.rows.ReuseRecord = true
	return r, nil
}

// At returns the offset of the next row.
func (r *tableReader) At() int64 { return r.base + r.rows.InputOffset() }

// Lines returns the number of rows begun so far, the heading too. Of lines that an open
// quote has swallowed, each is a row.
func (r *tableReader) Lines() int { return r.lines }

// skipTo passes over the rows before an offset.
func (r *tableReader) skipTo(offset int64) error {
	for r.At() < offset {
		if _, _, err := r.row(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Next returns the key of the next row that has one, or why it has none, and io.EOF after
// the last one. Rows without any text are passed over.
func (r *tableReader) Next() (Line, error) {
	for {
		cells, line, err := r.row()
		if err != nil || line.Reason != "" {
			return line, err
		}
		width := widthOf(cells)
		switch {
		case width == 0:
			continue
		case line.Offset < r.table.DataAt:
			line.Reason = upload.SkippedHeading
		case width > r.table.Columns || len(cells) < r.table.Columns:
			line.Reason = upload.OtherColumns // which of them is the key's, nobody knows
		default:
			var key string
			if key, line.Reason = r.key(line.Offset, cells[r.table.Column-1]); line.Reason == "" {
				line.Text = pool.Conceal(key)
			}
		}
		return line, nil
	}
}

// key returns the key in a cell, or why there is none.
func (r *tableReader) key(offset int64, cell string) (key string, reason upload.Outcome) {
	switch {
	case len(cell) > MaxLine:
		return "", upload.TooLong
	case !utf8.ValidString(cell):
		return "", upload.InvalidText
	}
	key = pool.TrimKey(cell)
	if key != "" && r.interpret != nil {
		if key, reason = r.interpret(offset, key); reason != "" {
			return "", reason
		}
	}
	if key == "" {
		return "", upload.NoKey
	}
	return key, unfit(key)
}

// row returns the cells of the next row, which are valid until the next call, and where it
// begins; io.EOF after the last one. Of a row that cannot be read, the Line says why.
func (r *tableReader) row() ([]string, Line, error) {
	if r.ended {
		return nil, Line{}, io.EOF
	}
	line := Line{Offset: r.At()}
	r.budget.left = maxRow
	cells, err := r.rows.Read()
	var wrong *csv.ParseError
	switch {
	case errors.Is(err, errEndless):
		line.Number, line.Reason = r.last+1, upload.EndlessRow
		r.ended = true
	case errors.As(err, &wrong):
		line.Number, line.Reason, line.More = wrong.StartLine, upload.UnpairedQuotes, wrong.Line-wrong.StartLine
	case err != nil:
		return nil, Line{}, err
	default:
		line.Number, _ = r.rows.FieldPos(0)
	}
	r.lines += 1 + line.More
	r.last = line.Number + line.More
	for _, cell := range cells {
		r.last += strings.Count(cell, "\n")
	}
	return cells, line, nil
}

// widthOf returns the number of cells up to the last one with text in it.
func widthOf(cells []string) int {
	width := 0
	for i, cell := range cells {
		if pool.TrimKey(cell) != "" {
			width = i + 1
		}
	}
	return width
}

// errEndless means that a row is longer than maxRow.
var errEndless = errors.New("a row without an end")

// budget gives no more bytes than are left.
type budget struct {
	src  io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.src.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// newlines gives a text with LF for CR, where that ends a line by itself.
type newlines struct{ src *bufio.Reader }

func (r *newlines) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	for i, c := range p[:n] {
		if c != '\r' {
			continue
		}
		next := p[min(i+1, n-1):n]
		if i+1 == n {
			next, _ = r.src.Peek(1)
		}
		if len(next) == 0 || next[0] != '\n' {
			p[i] = '\n'
		}
	}
	return n, err
}

// utf8Reader gives UTF-16 as UTF-8. What is not valid comes out as bytes that are not
// valid UTF-8 either.
type utf8Reader struct {
	src  *bufio.Reader
	enc  encoding
	rest []byte
}

func (r *utf8Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		unit := make([]byte, 2, 4)
		switch _, err := io.ReadFull(r.src, unit); {
		case errors.Is(err, io.ErrUnexpectedEOF):
			unit = unit[:1] // half a unit at the end
		case err != nil:
			return 0, err
		default:
			if c := r.enc.char(unit); c >= 0xD800 && c < 0xDC00 {
				if low, err := r.src.Peek(2); err == nil && r.enc.char(low) >= 0xDC00 && r.enc.char(low) < 0xE000 {
					unit = append(unit, low...)
					r.src.Discard(2)
				}
			}
		}
		r.rest = []byte(r.enc.decode(unit))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// excel is what Excel writes in a first line to tell itself the separator.
var excel = lazy.Regexp(`(?i)^sep=([,;|\t])\s*[\r\n]`)

// sampleRow is a row at the beginning of a table.
type sampleRow struct {
	cells []string
	line  Line
	next  int64 // offset of the row after it
}

// sniff finds out how a table is read, by its first rows. Its Column is 0 if that cannot be
// told.
//
// The separator is the one by which the first row names a column of keys, or else by which
// nine rows of ten have as many cells as the first; else there is one column. The keys'
// column is the one that is called key, license, license key, code or serial; else the
// only one that is called something else of that kind, such as "Steam Key"; else the only
// one there is.
func sniff(head []byte, enc upload.Encoding, whole bool) (upload.Table, []sampleRow, error) {
	separators := []string{",", ";", "\t", "|"}
	told := excel().FindStringSubmatch(startOf(head, enc))
	if told != nil {
		separators = told[1:]
	}
	var best upload.Table
	var bestRows []sampleRow
	bestScore := -1
	for _, separator := range separators {
		rows, err := sampleRows(head, enc, whole, separator)
		if err != nil {
			return best, nil, err
		}
		var dataAt int64
		if told != nil && len(rows) > 0 {
			dataAt, rows = rows[0].next, rows[1:]
		}
		table, score := tableOf(separator, rows)
		if table.DataAt = max(table.DataAt, dataAt); score > bestScore || score == bestScore && table.Columns > best.Columns {
			best, bestRows, bestScore = table, rows, score
		}
	}
	return best, bestRows, nil
}

// sampleRows returns the rows at the beginning of a table that can be read.
func sampleRows(head []byte, enc upload.Encoding, whole bool, separator string) ([]sampleRow, error) {
	r, err := newTableReader(bytes.NewReader(head), enc, upload.Table{Separator: separator})
	if err != nil {
		return nil, err
	}
	var rows []sampleRow
	for {
		cells, line, err := r.row()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, sampleRow{slices.Clone(cells), line, r.At()})
	}
	if !whole && len(rows) > 1 {
		rows = rows[:len(rows)-1] // it may be cut off
	}
	return slices.DeleteFunc(rows, func(row sampleRow) bool { return row.line.Reason != "" || widthOf(row.cells) == 0 }), nil
}

// tableOf returns how the rows that a separator makes are read, and how sure that is.
func tableOf(separator string, rows []sampleRow) (t upload.Table, score int) {
	t = upload.Table{Separator: separator, Columns: 1, Column: 1}
	if len(rows) == 0 {
		return t, score
	}
	first, same, columns := rows[0].cells, 0, 0
	for _, row := range rows {
		if len(row.cells) == len(first) {
			same++
		}
		columns = max(columns, min(widthOf(row.cells), len(first))) // blank columns at the end are none
	}
	column, found := keyColumn(first)
	switch {
	case columns > 1 && found > 0:
		score = 2
	case columns > 1 && most(same, len(rows)):
		score = 1
	default:
		if found > 0 {
			t.DataAt = rows[0].next
		}
		return t, score
	}
	t.Columns, t.Column = columns, column
	if found > 0 {
		t.DataAt = rows[0].next
	}
	for _, cell := range first {
		if name := columnName(cell); columnNames[name] || names(cell) {
			t.Named = append(t.Named, name)
		}
	}
	return t, score
}

// keyColumn returns the number of the column of keys, from 1, by the names in the first row, and
// how many columns may be that. It is 0 if there is not exactly one.
func keyColumn(cells []string) (column, found int) {
	for _, fits := range []func(string) bool{func(cell string) bool { return keyNames[columnName(cell)] }, names} {
		for i, cell := range cells {
			if fits(cell) {
				column = i + 1
				found++
			}
		}
		if found > 0 {
			break
		}
	}
	if found != 1 {
		column = 0
	}
	return column, found
}

// columnName returns a name in lower case and with single blanks.
func columnName(cell string) string {
	words := strings.FieldsFunc(cell, func(c rune) bool { return pool.Around(c) || c == '_' || c == '-' || c == '.' })
	return strings.ToLower(strings.Join(words, " "))
}

// keyNames are the names of columns of keys, columnNames the names of others that a report may
// say: none of them can be a key.
var (
	keyNames = map[string]bool{
		"key": true, "license": true, "license key": true, "code": true, "serial": true,
		"keys": true, "licence": true, "licence key": true,
	}
	columnNames = map[string]bool{}
)

func init() {
	for name := range strings.SplitSeq(`name,first name,last name,full name,customer,user,username,login,password,email,e mail,mail,company,
address,country,region,language,phone,status,state,used,is used,sold,available,active,activated,redeemed,date,created,created at,updated,
updated at,expires,expires at,expiry,expiry date,expiration,expiration date,valid until,price,amount,currency,product,product name,product id,
sku,title,game,platform,edition,version,type,batch,quantity,qty,count,order,order id,order number,id,no,nr,number,index,url,link,note,notes,
comment,comments,description,vendor,publisher,source`, ",") {
		columnNames[strings.TrimSpace(name)] = true
	}
}

// keyCells returns the cells that hold keys, as lines.
func keyCells(t upload.Table, rows []sampleRow) (lines []sample) {
	for _, row := range rows {
		if row.line.Offset < t.DataAt || widthOf(row.cells) > t.Columns || len(row.cells) < t.Columns {
			continue
		}
		if text := pool.TrimKey(row.cells[t.Column-1]); text != "" {
			lines = append(lines, sample{row.line.Offset, row.line.Number, text})
		}
	}
	return lines
}
