package text

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Values holds the values of the tags in one mail. A tag without a value is left out.
// Only Key and ParentKey can have several values.
type Values map[Tag][]string

// Block is one part of an expanded text: a paragraph, keys one below the other, or a rule.
type Block struct {
	Lines []Line
	Keys  []Run
	Rule  bool // a line across the mail
	Form
}

// Form is how a paragraph is set. A plain text has none.
type Form struct {
	Heading int    // 1 to 6; 0: it is no heading
	Depth   int    // of the list that it stands in; 0: none
	Marker  string // before the first paragraph of a list's item: "•" or "1."
	Quote   bool
	Code    bool // spaces and line ends are kept
}

// Line is one line of a paragraph.
type Line []Run

// Run is a piece of a line.
type Run struct {
	Text string
	Link string // web or mail address; empty if it is no link
	Key  bool   // it is a license key, or a link made with one

	Strong, Emphasis, Code bool
}

// Subject expands a subject: always one line, without control characters.
func Subject(subject string, values Values) string {
	var b strings.Builder
	for _, p := range parse(subject) {
		if p.tag == "" {
			b.WriteString(p.literal)
		} else {
			b.WriteString(strings.Join(values[p.tag], ", "))
		}
	}
	return OneLine(b.String())
}

// OneLine makes one line of s, fit for a mail's header: cleaned, and cut if it is
// too long.
func OneLine(s string) string {
	s = clean(s)
	const limit = 200 // runes
	if runes := []rune(s); len(runes) > limit {
		s = strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return s
}

// clean replaces characters that would break a line or change its direction (line
// ends, control characters, direction marks) by spaces, and joins repeated spaces.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// Body expands a body of that format. A key alone in its line, several keys anywhere, and one
// with doubled spaces become a block of their own; another key within a line stays there. The
// value of a tag within a web address is escaped for it. An address with {KEY} becomes one
// link for each key. Values are no markup, whatever the format.
func Body(format, body string, values Values) []Block {
	w := writer{values: values}
	body = newlines(body)
	if format == Markdown {
		w.markdown(body)
	} else {
		w.paragraphs(parse(body))
	}
	return w.blocks
}

// newlines makes line ends of any system those of this one.
func newlines(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// paragraphs adds parsed text whose paragraphs are parted by blank lines.
func (w *writer) paragraphs(parts []part) {
	for _, line := range lines(parts) {
		words := split(line)
		if len(words) == 0 {
			w.endParagraph()
			continue
		}
		for _, word := range words {
			w.word(word, len(words) == 1)
		}
		w.endLine()
	}
	w.endParagraph()
}

// rightToLeft is a mark that nobody sees. A line that begins with it is set from right to
// left, even if its first letter is of a Latin name.
const rightToLeft = "\u200f"

// Plain returns blocks as plain text. A key stands alone in its line with nothing
// before it, so that it is copied as it is.
func Plain(blocks []Block) string { return plain(blocks, "") }

// PlainRightToLeft is Plain in a language that is written so. There a key within a sentence
// gets a line of its own too: the numbers of "1234 5678" would change their places.
func PlainRightToLeft(blocks []Block) string { return plain(blocks, rightToLeft) }

// LinesRightToLeft marks each line of plain text as one that is set from right to left.
func LinesRightToLeft(s string) string {
	return rightToLeft + strings.ReplaceAll(s, "\n", "\n"+rightToLeft)
}

// plain returns blocks as plain text, each line but those of keys with a mark before it.
func plain(blocks []Block, mark string) string {
	var b strings.Builder
	for i, block := range blocks {
		if i > 0 && block.Depth > 0 && block.Marker != "" && blocks[i-1].Depth > 0 {
			b.WriteString("\n") // the items of a list stand close
		} else if i > 0 {
			b.WriteString("\n\n")
		}
		lines := make([]string, 0, len(block.Lines)+len(block.Keys))
		for n, line := range block.Lines {
			lines = append(lines, plainLine(line, mark+block.margin(n == 0)))
		}
		for _, key := range block.Keys {
			lines = append(lines, key.Text)
		}
		if block.Rule {
			lines = append(lines, mark+"---")
		}
		b.WriteString(strings.Join(lines, "\n"))
	}
	return b.String()
}

// margin is what stands before a line of the paragraph in plain text.
func (f Form) margin(first bool) string {
	margin := strings.Repeat("   ", max(f.Depth-1, 0))
	switch marker := strings.Replace(f.Marker, "•", "-", 1); {
	case f.Depth == 0:
	case first && marker != "":
		margin += marker + " "
	default:
		margin += "  "
	}
	if f.Quote {
		margin += "> "
	}
	return margin
}

func plainLine(line Line, mark string) string {
	b, label := mark, ""
	open := false // a key came just before, on a line of its own
	for i, run := range line {
		if run.Key && strings.HasPrefix(mark, rightToLeft) {
			b, open = strings.TrimRight(strings.TrimSuffix(b, mark), " ")+"\n"+run.Text, true
			continue
		}
		if open {
			if strings.Trim(run.Text, sentenceEnd) == "" {
				continue // the end of a sentence whose key got a line of its own
			}
			b, open = b+"\n"+mark, false
			run.Text = strings.TrimLeft(run.Text, " ")
		}
		b += run.Text
		if label += run.Text; i < len(line)-1 && line[i+1].Link == run.Link {
			continue
		}
		address, isMail := strings.CutPrefix(run.Link, "mailto:")
		if isMail {
			address, _, _ = strings.Cut(address, "?")
		}
		switch {
		case run.Link == "" || run.Key || label == address:
		case label == run.Text && len(line) == 1:
			b += ": " + address
		default:
			b += " (" + address + ")"
		}
		label = ""
	}
	return strings.TrimPrefix(b, "\n")
}

// Link reports whether s is a web address that a mail may lead to: https, with a host.
func Link(s string) bool {
	return strings.HasPrefix(strings.ToLower(s), "https://") && address(s)
}

// address reports whether s is a whole web address.
func address(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != ""
}

// part is a piece of a parsed text: a tag, or literal text.
type part struct {
	literal string
	tag     Tag
	style   style
}

// style is how a piece of a line is set. A plain text has none.
type style struct {
	strong, emphasis, code bool
	link                   string // it leads there
}

// run returns a run of the style.
func (s style) run(text string) Run {
	return Run{Text: text, Link: s.link, Strong: s.strong, Emphasis: s.emphasis, Code: s.code}
}

// continues reports whether text of the style can be added to the run.
func (s style) continues(r Run) bool { return !r.Key && s.run(r.Text) == r }

// parse splits a text into tags and the literal text between them.
func parse(s string) []part {
	var parts []part
	from := 0
	for _, at := range braces().FindAllStringIndex(s, -1) {
		tag := Tag(s[at[0]+1 : at[1]-1])
		if !tag.Known() {
			continue
		}
		if from < at[0] {
			parts = append(parts, part{literal: s[from:at[0]]})
		}
		parts = append(parts, part{tag: tag})
		from = at[1]
	}
	if from < len(s) {
		parts = append(parts, part{literal: s[from:]})
	}
	return parts
}

// lines splits parsed text at the line ends of its literals.
func lines(parts []part) [][]part {
	all := [][]part{nil}
	for _, p := range parts {
		if p.tag != "" {
			all[len(all)-1] = append(all[len(all)-1], p)
			continue
		}
		for i, literal := range strings.Split(p.literal, "\n") {
			if i > 0 {
				all = append(all, nil)
			}
			if literal != "" {
				all[len(all)-1] = append(all[len(all)-1], part{literal: literal, style: p.style})
			}
		}
	}
	return all
}

// split splits a line into words at the white space of its literals. Spaces in a value
// do not split.
func split(line []part) [][]part {
	var words [][]part
	var word []part
	end := func() {
		if word != nil {
			words, word = append(words, word), nil
		}
	}
	for _, p := range line {
		if p.tag != "" {
			word = append(word, p)
			continue
		}
		rest := p.literal
		for rest != "" {
			if i := strings.IndexFunc(rest, unicode.IsSpace); i != 0 {
				if i < 0 {
					i = len(rest)
				}
				word = append(word, part{literal: rest[:i], style: p.style})
				rest = rest[i:]
				continue
			}
			end()
			rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		}
	}
	end()
	return words
}

// writer builds the blocks of one text.
type writer struct {
	values Values
	form   Form // of the paragraphs that come
	blocks []Block
	lines  []Line
	line   Line
}

// word adds a word to the line. Alone says that it is the only word of the line.
func (w *writer) word(word []part, alone bool) {
	w.space(word[0].style)
	before, link, after, ok := w.address(word)
	if ok {
		w.text(before, word[0].style)
		w.links(link, alone && before == "" && after == "")
		w.text(after, word[0].style)
		return
	}
	w.parts(word, alone && len(word) == 1)
}

// parts adds the parts of a word. Alone says that the part is the only one of the line.
func (w *writer) parts(parts []part, alone bool) {
	for _, p := range parts {
		values := w.values[p.tag]
		switch {
		case p.tag == "":
			w.text(p.literal, p.style)
		case p.tag != Key && p.tag != ParentKey:
			w.value(strings.Join(values, ", "), p.style)
		default:
			keys := make([]Run, len(values))
			for i, value := range values {
				keys[i] = Run{Text: value, Key: true}
				if Link(value) {
					keys[i].Link = value
				}
			}
			w.keys(keys, alone)
		}
	}
}

// address splits a word that is a web address: it starts as one, or with a tag whose
// value is one.
func (w *writer) address(word []part) (before string, address []part, after string, ok bool) {
	differs := func(p part) bool { return p.style != word[0].style }
	if word[0].style.link != "" || slices.ContainsFunc(word, differs) {
		return "", nil, "", false
	}
	address = append(address, word...)
	if first := &address[0]; first.tag == "" {
		trimmed := strings.TrimLeft(first.literal, `("'<[„“‘«`)
		before = first.literal[:len(first.literal)-len(trimmed)]
		first.literal = trimmed
		if trimmed == "" {
			address = address[1:]
		}
	}
	if len(address) == 0 {
		return "", nil, "", false
	}
	if last := &address[len(address)-1]; last.tag == "" {
		trimmed := strings.TrimRight(last.literal, `.,;:!?)"'>]”’»`)
		after = last.literal[len(trimmed):]
		last.literal = trimmed
	}
	first := address[0]
	switch {
	case first.tag == URL || first.tag == URLFull:
		ok = len(w.values[first.tag]) == 1 && Link(w.values[first.tag][0])
	case first.tag == "":
		lower := strings.ToLower(first.literal)
		ok = strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")
	}
	return before, address, after, ok
}

// links adds a link or, if the address holds keys, one link for each key.
func (w *writer) links(parts []part, alone bool) {
	count, withKey := 1, false
	for _, p := range parts {
		if p.tag == Key || p.tag == ParentKey {
			count, withKey = max(count, len(w.values[p.tag])), true
		}
	}
	runs := make([]Run, count)
	for i := range runs {
		var b strings.Builder
		for first, p := range parts {
			values := w.values[p.tag]
			switch {
			case p.tag == "":
				b.WriteString(p.literal)
			case len(values) == 0:
			case first == 0:
				b.WriteString(values[0])
			default:
				b.WriteString(escape(values[min(i, len(values)-1)]))
			}
		}
		runs[i] = parts[0].style.run(b.String())
		runs[i].Key = withKey
		if address(b.String()) {
			runs[i].Link = b.String()
		}
	}
	switch {
	case withKey:
		w.keys(runs, alone)
	case runs[0].Link == "":
		w.text(runs[0].Text, parts[0].style)
	default:
		w.line = append(w.line, runs...)
	}
}

// escape escapes a value for any place in a web address.
func escape(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// Spaced reports whether the run is a key with white space that HTML would make one space
// of. Only a block of its own keeps it in every mail program.
func (r Run) Spaced() bool { return r.Key && strings.Contains(r.Text, "  ") }

// keys adds keys: one within a line, otherwise as a block.
func (w *writer) keys(keys []Run, alone bool) {
	if len(keys) == 0 || len(keys) == 1 && !alone && !keys[0].Spaced() {
		w.line = append(w.line, keys...)
		return
	}
	w.endParagraph()
	w.blocks = append(w.blocks, Block{Keys: keys})
}

// sentenceEnd are the characters that end a sentence.
const sentenceEnd = `.,;:!?)。、！؟،`

// value adds the value of a tag. It may have several lines.
func (w *writer) value(value string, in style) {
	for i, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if i > 0 {
			w.endLine()
		}
		w.text(clean(line), in)
	}
}

// text adds literal text. The end of a sentence whose keys became a block is dropped.
func (w *writer) text(s string, in style) {
	afterKeys := len(w.line) == 0 && len(w.lines) == 0 && len(w.blocks) > 0 && w.blocks[len(w.blocks)-1].Keys != nil
	if afterKeys && strings.Trim(s, sentenceEnd) == "" {
		return
	}
	if s == "" {
		return
	}
	if last := len(w.line) - 1; last >= 0 && in.continues(w.line[last]) {
		w.line[last].Text += s
		return
	}
	w.line = append(w.line, in.run(s))
}

// space adds the space before a word of the style.
func (w *writer) space(next style) {
	last := len(w.line) - 1
	switch {
	case last < 0:
	case next.continues(w.line[last]) || style{}.continues(w.line[last]) || next.link != "" && next.link == w.line[last].Link:
		w.line[last].Text += " "
	default:
		w.line = append(w.line, Run{Text: " "})
	}
}

func (w *writer) endLine() {
	if last := len(w.line) - 1; last >= 0 {
		if w.line[last].Text = strings.TrimRight(w.line[last].Text, " "); w.line[last].Text == "" && last > 0 {
			w.line = w.line[:last]
		}
		w.lines, w.line = append(w.lines, w.line), nil
	}
}

func (w *writer) endParagraph() {
	w.endLine()
	if len(w.lines) > 0 {
		w.blocks, w.lines = append(w.blocks, Block{Lines: w.lines, Form: w.form}), nil
		w.form.Marker = "" // stands before the first one only
	}
}
