package text

import (
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	gm "github.com/yuin/goldmark/text"

	"keypool/shared/lazy"
)

// maxDepth is how deep lists and quotes of a Markdown text may be nested.
const maxDepth = 6

var (
	// htmlTags finds HTML, and no address in angle brackets.
	htmlTags = lazy.Regexp(`</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>|<!--`)

	// htmlSigns finds signs that are written as HTML names them. R&D; is none.
	htmlSigns = lazy.Regexp(`&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8}[0-9]{0,2});`)

	// opening and closing find marks that set what follows, or what stands before. In
	// "5 * 3" and "snake_case" there is none.
	opening = lazy.Regexp(`(?:^|[\s(])(\*{1,3}|_{1,3})[\pL\pN{]`)
	closing = lazy.Regexp(`[\pL\pN}.!?](\*{1,3})(?:$|[\s).,;:!?])`)

	backticks = lazy.Regexp("`+")
	halfLink  = lazy.Regexp(`\]\([^)\s]*`)
	fences    = lazy.Regexp("(?m)^ {0,3}(```+|~~~+)[^`\r\n]*$")
)

// markdown checks what must hold for Markdown: it would be mailed otherwise than it was meant.
func (c *checker) markdown(body string) {
	// The parser's places are those of the text with one kind of line end: so are c's.
	body = newlines(body)
	m := markdownChecker{checker: c, body: body, literal: make([]bool, len(body))}
	m.walk(markdownParser().Parse(gm.NewReader([]byte(body))), 0)
	if strings.Contains(body, Key.String()) && !showsKey(body) {
		m.add("body", "{KEY} stands where nothing is shown, such as beside the marks of code; put it into the text.")
	}
	if marks := fences().FindAllStringSubmatchIndex(body, -1); len(marks)%2 == 1 {
		at := marks[len(marks)-1][2]
		m.at("body", body, at, "the lines of code that begin here do not end; end them by a line of %s.", body[at:at+3])
	}
	m.find(htmlTags(), 0, "%s is HTML, which would stay in the mail as it is; use Markdown, such as **bold** and [text](https://…).")
	m.find(htmlSigns(), 0, "%s is HTML, which would stay in the mail as it is; write the sign itself.")
	m.find(opening(), 1, `%s begins something that does not end; end it, or write \* or \_ for the sign itself.`)
	m.find(closing(), 1, `%s ends something that does not begin; begin it, or write \* for the sign itself.`)
	m.find(backticks(), 0, "%s begins code that does not end; end it, or write \\` for the sign itself.")
	m.find(halfLink(), 0, "%s is no link; write [text](https://…), without spaces in the address.")
}

// showsKey reports whether a customer finds a key in a Markdown text.
func showsKey(body string) bool {
	for _, block := range Body(Markdown, body, Values{Key: {"K"}}) {
		for _, line := range append(block.Lines, block.Keys) {
			if slices.ContainsFunc(line, func(r Run) bool { return r.Key }) {
				return true
			}
		}
	}
	return false
}

type markdownChecker struct {
	*checker
	body    string
	literal []bool // the byte is text, and no markup, code or address
}

// find adds an error for the first places, up to maxUnknown, where the pattern's group is text.
func (m markdownChecker) find(pattern *regexp.Regexp, group int, message string) {
	count := 0
	for _, at := range pattern.FindAllStringSubmatchIndex(m.body, -1) {
		from, to := at[2*group], at[2*group+1]
		if !m.literal[from] || from > 0 && m.body[from-1] == '\\' || count == maxUnknown {
			continue
		}
		count++
		m.at("body", m.body, from, message, listed(m.body, [][]int{{from, to}})[0].shown)
	}
}

// walk looks at the nodes below a node, so many lists and quotes deep.
func (m markdownChecker) walk(parent ast.Node, depth int) {
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.Text:
			for i := n.Segment.Start; i < n.Segment.Stop; i++ {
				m.literal[i] = parent.Kind() != ast.KindCodeSpan
			}
			continue
		case *ast.List, *ast.Blockquote:
			if depth == maxDepth {
				m.at("body", m.body, start(n), "lists and quotes are nested deeper than %d here.", maxDepth)
				return
			}
			m.walk(n, depth+1)
			continue
		case *ast.Link:
			m.link(n)
		case *ast.Image:
			m.at("body", m.body, start(n), "a mail shows no pictures but the logo, which is a setting of yours; leave it out, or write a link.")
		}
		m.walk(node, depth)
	}
}

// link checks a link that has a text of its own.
func (m markdownChecker) link(n *ast.Link) {
	at, address := start(n), string(n.Destination)
	first := Tag("")
	for i, p := range parse(address) {
		if p.tag == Key || p.tag == ParentKey {
			m.at("body", m.body, at, "%s must not stand in the address of a link with a text; write the address by itself, so that each key has its link.", p.tag)
			return
		}
		if i == 0 {
			first = p.tag
		}
	}
	if first != URL && first != URLFull && !safe(braces().ReplaceAllString(address, "x")) {
		shown := listed(address, [][]int{{0, len(address)}})[0].shown
		m.at("body", m.body, at, "the link leads to %q; use an address that begins with https://, http:// or mailto:.", shown)
	}
	label := ""
	for child := range children(n) {
		if text, ok := child.(*ast.Text); ok {
			label += string(text.Segment.Value([]byte(m.body)))
		}
	}
	for _, tag := range []Tag{Key, ParentKey} {
		if strings.Contains(label, tag.String()) {
			m.at("body", m.body, at, "%s must not stand in the text of a link: the customer copies it. Write it beside the link.", tag)
		}
	}
}

// children returns all nodes below a node.
func children(parent ast.Node) func(func(ast.Node) bool) {
	return func(yield func(ast.Node) bool) {
		_ = ast.Walk(parent, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if entering && n != parent && !yield(n) {
				return ast.WalkStop, nil
			}
			return ast.WalkContinue, nil
		})
	}
}

// start returns the byte at which the text of a node begins.
func start(n ast.Node) int {
	for child := range children(n) {
		if text, ok := child.(*ast.Text); ok {
			return text.Segment.Start
		}
	}
	return 0
}
