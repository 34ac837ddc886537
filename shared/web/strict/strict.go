// Package strict reads documents that people write, in JSON or YAML, and knows the line of
// each value, so that a mistake is told with the line that it stands in.
//
// YAML is read as another way to write JSON: it has no more than mappings with names,
// lists, texts, numbers, booleans and null. Anchors, tags and several documents are refused.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"keypool/shared/lazy"
)

// The media types of documents.
const (
	JSON = "application/json"
	YAML = "application/yaml" // RFC 9512
)

// Type returns the media type that a Content-Type header means, JSON if it is empty. It is
// false for one that is neither JSON nor YAML.
func Type(header string) (string, bool) {
	if header == "" {
		return JSON, true
	}
	media, _, err := mime.ParseMediaType(header)
	switch media {
	case JSON:
		return JSON, err == nil
	case YAML, "application/x-yaml", "text/yaml": // those that RFC 9512 names as older ones
		return YAML, err == nil
	}
	return "", false
}

// Mistake is what is wrong in the form of a document.
type Mistake struct {
	Path    string // "pools.elden.title"; empty: the document
	Line    int
	Message string
}

// Document is a document that was read.
type Document struct {
	JSON  []byte // what it says; of an object that has a member twice, either
	lines map[string]int
}

// Line returns the line of the value at a path, or of what it would be part of.
func (d *Document) Line(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.lines[""]
		}
		path = path[:cut]
	}
}

// deepest is how many values may stand in each other: more than any document needs.
const deepest = 100

// Read reads a document of a media type. Mistakes are those that leave it readable, such as
// a member that is there twice; its error is a *SyntaxError.
func Read(media string, body []byte) (d *Document, mistakes []Mistake, err error) {
	r := reader{document: &Document{lines: map[string]int{}}}
	if media == YAML {
		err = r.yaml(body)
	} else {
		err = r.json(body)
	}
	return r.document, r.mistakes, err
}

// SyntaxError means that a document cannot be read.
type SyntaxError struct {
	Line    int // 0: not known
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (line %d)", e.Message, e.Line)
}

type reader struct {
	document *Document
	mistakes []Mistake
}

// member notes a member of an object, and returns its path.
func (r *reader) member(of, name string, line int, seen map[string]bool) string {
	path := join(of, name)
	if seen[name] {
		r.mistakes = append(r.mistakes, Mistake{path, line, "is there twice: which one counts is not known, so give it once"})
	} else {
		r.document.lines[path] = line
	}
	seen[name] = true
	return path
}

func (r *reader) json(body []byte) error {
	lines := lineCounter{text: body}
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	err := r.jsonValue(d, &lines, "", 0)
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			r.document.JSON = body
			return nil
		} else if err == nil {
			err = &SyntaxError{lines.at(d.InputOffset()), "is more than one JSON value"}
		}
	}
	var syntax *SyntaxError
	var wrong *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return syntax
	case errors.As(err, &wrong):
		return &SyntaxError{lines.at(wrong.ByteOffset), "is not JSON from here on"}
	}
	return &SyntaxError{lines.at(int64(len(body))), "is not JSON: it ends too early"}
}

func (r *reader) jsonValue(d *jsontext.Decoder, lines *lineCounter, path string, depth int) error {
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	line := lines.at(d.InputOffset())
	if _, noted := r.document.lines[path]; !noted {
		r.document.lines[path] = line
	}
	if depth > deepest {
		return tooDeep(line)
	}
	switch kind := token.Kind(); {
	case kind == '{':
		seen := map[string]bool{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return err
			}
			at := r.member(path, name.String(), lines.at(d.InputOffset()), seen)
			if err := r.jsonValue(d, lines, at, depth+1); err != nil {
				return err
			}
		}
		_, err = d.ReadToken()
	case kind == '[':
		for i := 0; d.PeekKind() != ']'; i++ {
			if err := r.jsonValue(d, lines, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		_, err = d.ReadToken()
	}
	return err
}

func tooDeep(line int) error {
	return &SyntaxError{line, fmt.Sprintf("holds more than %d values in each other", deepest)}
}

// lineCounter finds the lines of offsets, which only grow.
type lineCounter struct {
	text  []byte
	upTo  int
	lines int // breaks before upTo
}

func (c *lineCounter) at(offset int64) int {
	if end := min(int(offset), len(c.text)); end > c.upTo {
		c.lines += bytes.Count(c.text[c.upTo:end], []byte("\n"))
		c.upTo = end
	}
	return c.lines + 1
}

func (r *reader) yaml(body []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(body))
	var root, second yaml.Node
	if err := d.Decode(&root); errors.Is(err, io.EOF) {
		return &SyntaxError{0, "is empty"}
	} else if err != nil {
		return yamlError(err)
	}
	if err := d.Decode(&second); err == nil {
		return &SyntaxError{second.Line, "is more than one YAML document"}
	} else if !errors.Is(err, io.EOF) {
		return yamlError(err)
	}
	var out bytes.Buffer
	encoder := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true))
	err := r.yamlValue(encoder, root.Content[0], "", 0)
	r.document.JSON = out.Bytes()
	return err
}

var yamlLine = lazy.Regexp(`line (\d+): `)

// yamlError says where a text stops being YAML. The library's words may quote the text.
func yamlError(err error) error {
	wrong := &SyntaxError{Message: "is not YAML"}
	if found := yamlLine().FindStringSubmatch(err.Error()); found != nil {
		wrong.Line, _ = strconv.Atoi(found[1])
		wrong.Message = "is not YAML from here on"
	}
	return wrong
}

// number is how JSON writes one.
var number = lazy.Regexp(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (r *reader) yamlValue(to *jsontext.Encoder, node *yaml.Node, path string, depth int) error {
	if _, noted := r.document.lines[path]; !noted {
		r.document.lines[path] = node.Line
	}
	switch {
	case depth > deepest:
		return tooDeep(node.Line)
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return &SyntaxError{node.Line, "has an anchor: write the value out where it is meant"}
	}
	switch kind := node.Kind; {
	case kind == yaml.MappingNode:
		return r.yamlMapping(to, node, path, depth)
	case kind == yaml.SequenceNode:
		if err := plain(node, "!!seq"); err != nil {
			return err
		}
		if err := to.WriteToken(jsontext.BeginArray); err != nil {
			return err
		}
		for i, item := range node.Content {
			if err := r.yamlValue(to, item, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		return to.WriteToken(jsontext.EndArray)
	}
	return yamlScalar(to, node)
}

func (r *reader) yamlMapping(to *jsontext.Encoder, node *yaml.Node, path string, depth int) error {
	if err := plain(node, "!!map"); err != nil {
		return err
	}
	if err := to.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.Anchor != "" || name.ShortTag() == "!!merge" {
			return &SyntaxError{name.Line, "has a name that is no plain text"}
		}
		if err := to.WriteToken(jsontext.String(name.Value)); err != nil {
			return &SyntaxError{name.Line, "is not valid UTF-8"}
		}
		if err := r.yamlValue(to, value, r.member(path, name.Value, name.Line, seen), depth+1); err != nil {
			return err
		}
	}
	return to.WriteToken(jsontext.EndObject)
}

// plain returns an error if a node has a tag of its own.
func plain(node *yaml.Node, tag string) error {
	if node.ShortTag() != tag {
		return &SyntaxError{node.Line, "has a tag, which is not read: leave it out"}
	}
	return nil
}

// yamlScalar writes a single value. A time is a text, as in JSON.
func yamlScalar(to *jsontext.Encoder, node *yaml.Node) error {
	token := jsontext.String(node.Value)
	switch tag := node.ShortTag(); tag {
	case "!!str", "!!timestamp":
	case "!!null":
		token = jsontext.Null
	case "!!bool":
		var is bool
		if node.Decode(&is) != nil {
			return plain(node, "!!str")
		}
		token = jsontext.Bool(is)
	case "!!int", "!!float":
		if !number().MatchString(node.Value) {
			return &SyntaxError{node.Line, "has a number that JSON does not write so: use digits, or quotes if it is a text"}
		}
		return to.WriteValue(jsontext.Value(node.Value))
	default:
		return plain(node, "!!str")
	}
	if to.WriteToken(token) != nil {
		return &SyntaxError{node.Line, "is not valid UTF-8"}
	}
	return nil
}

// Write returns JSON as a document of a media type, in the same order.
func Write(media string, body []byte) ([]byte, error) {
	if media != YAML {
		return body, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	node, err := yamlNode(d)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(node); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

func yamlNode(d *jsontext.Decoder) (*yaml.Node, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch kind := token.Kind(); {
	case kind == '{':
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for d.PeekKind() != '}' {
			for range 2 { // the name and the value
				part, err := yamlNode(d)
				if err != nil {
					return nil, err
				}
				node.Content = append(node.Content, part)
			}
		}
		_, err = d.ReadToken()
		return node, err
	case kind == '[':
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for d.PeekKind() != ']' {
			item, err := yamlNode(d)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, item)
		}
		_, err = d.ReadToken()
		return node, err
	case kind == '"':
		return textNode(token.String()), nil
	case kind == '0':
		tag := "!!int"
		if strings.ContainsAny(token.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: token.String()}, nil
	case kind == 'n':
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: token.String()}, nil
}

// textNode writes a text of several lines as people do, if nothing of it would be lost so.
func textNode(s string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case !strings.Contains(s, "\n"):
		node.Style = yaml.DoubleQuotedStyle
		if simple().MatchString(s) && !olderBoolean().MatchString(s) {
			node.Style = 0
		}
	case strings.TrimSpace(s[:1]) == "" || unusual().MatchString(s):
		node.Style = yaml.DoubleQuotedStyle
	default:
		node.Style = yaml.LiteralStyle
	}
	return node
}

var (
	simple = lazy.Regexp(`^[\pL\pN_]([\pL\pN _./@+-]*[\pL\pN_./@+-])?$`)
	// olderBoolean finds what readers of YAML 1.1, such as Python's and Ruby's, take for true or
	// false: the setting "off", and "no" for Norwegian.
	olderBoolean = lazy.Regexp(`^(?i:y|n|yes|no|on|off)$`)
	unusual      = lazy.Regexp(`[^\pL\pN\pP\pS \n]|[ ]\n|\n\n$|[ ]$`)
)
