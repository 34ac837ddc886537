package text

import (
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	gm "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdownParser reads Markdown as CommonMark does, but for what a shop's mail has no use
// for: HTML, pictures, references, code by indentation, headings by underlining. A line end
// stays one. Bare addresses are links.
//
// The text is read before its tags have values, so that no value is read as markup. The
// parser's tables cost a function half a millisecond of its start; its HTML renderer is not
// used: package mail renders blocks, which hold no HTML at all.
func markdownParser() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(bareAddress{}, 400),
			util.Prioritized(parser.NewEmphasisParser(), 500),
		),
	)
}

// bareAddress finds web addresses that stand by themselves, so that the underscores in them
// are no markup.
type bareAddress struct{}

// beforeAddress are what may stand before an address. The parser asks at signs and at the first
// letter after what it has read, such as the begin of a line, for which a space stands.
const beforeAddress = " ([{\"'>:"

// Trigger returns the signs that an address may follow.
func (bareAddress) Trigger() []byte { return []byte(beforeAddress) }

// Parse returns the address that begins here, nil if none does.
func (bareAddress) Parse(parent ast.Node, block gm.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	before, sign := block.PrecendingCharacter(), 0
	if c := rune(line[0]); c == '\t' || strings.ContainsRune(beforeAddress, c) {
		before, sign = c, 1
	}
	lower := strings.ToLower(string(line[sign:min(len(line), sign+len("https://"))]))
	if pc.IsInLinkLabel() || !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		return nil
	}
	if before != '\n' && !strings.ContainsRune(beforeAddress+"\t*_“„‘«", before) {
		return nil
	}
	rest := string(line[sign:])
	end := strings.IndexAny(rest, " \t\r\n<>)]\"")
	if end < 0 {
		end = len(rest)
	}
	address := strings.TrimRight(rest[:end], "*_`.,;:!?'")
	if sign > 0 {
		ast.MergeOrAppendTextSegment(parent, segment.WithStop(segment.Start+sign))
	}
	block.Advance(sign + len(address))
	from := segment.Start + sign
	return ast.NewAutoLink(ast.AutoLinkURL, ast.NewTextSegment(gm.NewSegment(from, from+len(address))))
}

// markdown adds a text that is written so.
func (w *writer) markdown(body string) {
	source := []byte(body)
	reader := markdownReader{w, source}
	reader.walk(markdownParser().Parse(gm.NewReader(source)), Form{})
}

// markdownReader hands parsed Markdown to a writer.
type markdownReader struct {
	*writer
	source []byte
}

// walk adds the blocks within a block.
func (r markdownReader) walk(parent ast.Node, form Form) {
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		r.form = form
		switch n := node.(type) {
		case *ast.Heading:
			r.form.Heading = n.Level
			r.paragraphs(r.inline(n))
		case *ast.List:
			r.list(n, form)
		case *ast.Blockquote:
			within := form
			within.Quote = true
			r.walk(n, within)
		case *ast.FencedCodeBlock:
			r.form.Code = true
			r.code(n)
		case *ast.ThematicBreak:
			r.blocks = append(r.blocks, Block{Rule: true})
		default: // a paragraph
			r.paragraphs(r.inline(n))
		}
		form.Marker = "" // stands before the first block only
	}
}

func (r markdownReader) list(list *ast.List, form Form) {
	form.Depth++
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		form.Marker = "•"
		if list.IsOrdered() {
			form.Marker = strconv.Itoa(number) + "."
			number++
		}
		r.walk(item, form)
	}
}

// code adds lines as they are.
func (r markdownReader) code(block *ast.FencedCodeBlock) {
	for _, segment := range block.Lines().Sliced(0, block.Lines().Len()) {
		parts := parse(strings.TrimRight(string(segment.Value(r.source)), "\n"))
		if len(parts) == 0 {
			r.line = Line{{Text: ""}}
		}
		r.parts(parts, len(parts) == 1)
		r.endLine()
	}
	r.endParagraph()
}

// inline returns the parts of a block's text.
func (r markdownReader) inline(block ast.Node) []part {
	var pieces []piece
	r.pieces(block, style{}, &pieces)
	var parts []part
	for _, piece := range pieces {
		for _, p := range parse(piece.source) {
			if !piece.verbatim {
				p.literal = string(util.UnescapePunctuations([]byte(p.literal)))
			}
			p.style = piece.style
			parts = append(parts, p)
		}
	}
	return parts
}

// piece is text of one style, as it was written.
type piece struct {
	source   string
	verbatim bool // a backslash is one
	style    style
}

// pieces adds the text of a node. The parser cuts text at every mark that turns out to be
// none, such as the one in {ORDER_ID}: such pieces are joined again.
func (r markdownReader) pieces(parent ast.Node, in style, to *[]piece) {
	add := func(text string, verbatim bool) {
		if last := len(*to) - 1; last >= 0 && (*to)[last].style == in && (*to)[last].verbatim == verbatim {
			(*to)[last].source += text
			return
		}
		*to = append(*to, piece{text, verbatim, in})
	}
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		within := in
		switch n := node.(type) {
		case *ast.Text:
			add(string(n.Segment.Value(r.source)), in.code)
			if n.SoftLineBreak() || n.HardLineBreak() {
				add("\n", in.code)
			}
		case *ast.AutoLink:
			label := string(n.Label(r.source))
			if n.AutoLinkType == ast.AutoLinkEmail {
				within.link = "mailto:" + label
			}
			*to = append(*to, piece{label, true, within})
		case *ast.Emphasis:
			within.strong = in.strong || n.Level > 1
			within.emphasis = in.emphasis || n.Level == 1
			r.pieces(n, within, to)
		case *ast.CodeSpan:
			within.code = true
			r.pieces(n, within, to)
		case *ast.Link:
			within.link = r.destination(string(n.Destination))
			r.pieces(n, within, to)
		default: // a picture, which no text that was checked has: what it shows
			r.pieces(n, in, to)
		}
	}
}

// destination expands the address of a link. Its first tag may be the product's own
// address; all other values are escaped. It returns "" for one that a mail may not lead to.
func (r markdownReader) destination(address string) string {
	var b strings.Builder
	for i, p := range parse(address) {
		value := strings.Join(r.values[p.tag], ", ")
		switch {
		case p.tag == "":
			b.WriteString(p.literal)
		case i == 0 && (p.tag == URL || p.tag == URLFull):
			b.WriteString(value)
		default:
			b.WriteString(escape(value))
		}
	}
	if !safe(b.String()) {
		return ""
	}
	return b.String()
}

// safe reports whether a mail may lead to an address: a web page, or a mail.
func safe(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "https", "http":
		return strings.HasPrefix(rest, "//") && address(s)
	case "mailto":
		return strings.Contains(rest, "@") && !strings.ContainsAny(rest, " \t\r\n<>\"")
	}
	return false
}
