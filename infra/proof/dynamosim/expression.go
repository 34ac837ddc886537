package dynamosim

import (
	"slices"
	"strings"
)

// The supported expressions are those of Keypool's store and its tests: comparisons,
// BETWEEN, AND, OR, NOT, attribute_exists, attribute_not_exists, begins_with; SET
// with if_not_exists, + and -, REMOVE, ADD, DELETE; paths of names. Any other
// function, and an index into a list, is an error.

// expression is a parsed expression, whose placeholders are not bound yet.
type expression struct {
	condition *condition // of a condition, a filter or a key condition
	update    []action
	paths     []path // of a projection

	names, values []string // the placeholders that it uses
}

// path leads to an attribute: names and placeholders of names.
type path []string

// condition is a node of a condition.
type condition struct {
	operator    string // AND, OR, NOT, a comparison, BETWEEN, or a function's name
	left, right *condition
	operands    []operand
}

// operand is a path, or the placeholder of a value.
type operand struct {
	path  path
	value string
}

// action is the action of an update on one path.
type action struct {
	verb string // SET, REMOVE, ADD, DELETE
	path path
	term *term
}

// term is the right-hand side of SET, or the operand of ADD and DELETE.
type term struct {
	operand
	fallback *term // if_not_exists(operand.path, fallback)

	operator    string // +, -, or none
	left, right *term
}

// scope is the context in which an expression is evaluated.
type scope struct {
	names  map[string]string
	values item // by placeholder
}

// resolve returns a path's names.
func (s scope) resolve(p path) []string {
	names := make([]string, len(p))
	for i, step := range p {
		names[i] = s.name(step)
	}
	return names
}

func (s scope) name(step string) string {
	if step[0] == '#' {
		return s.names[step]
	}
	return step
}

// at returns the value at a path.
func (s scope) at(it item, p path) (value, bool) {
	v, ok := it.get(s.name(p[0]))
	for _, step := range p[1:] {
		if !ok {
			break
		}
		v, ok = v.item.get(s.name(step)) // of what is no map, nothing
	}
	return v, ok
}

func (s scope) operand(it item, o operand) (value, bool) {
	if o.path != nil {
		return s.at(it, o.path)
	}
	return s.values.get(o.value)
}

// holds reports whether a condition is true of an item. No condition is always true.
func (s scope) holds(c *condition, it item) bool {
	switch c.operator {
	case "AND":
		return s.holds(c.left, it) && s.holds(c.right, it)
	case "OR":
		return s.holds(c.left, it) || s.holds(c.right, it)
	case "NOT":
		return !s.holds(c.left, it)
	}
	a, there := s.operand(it, c.operands[0])
	switch c.operator {
	case "attribute_exists":
		return there
	case "attribute_not_exists":
		return !there
	}
	b, also := s.operand(it, c.operands[1])
	switch c.operator {
	case "begins_with":
		return there && also && a.kind == b.kind && a.kind != numberKind && a.kind.ordered() && strings.HasPrefix(a.text, b.text)
	case "=":
		return there && also && a.equal(b)
	case "<>":
		return !there || !also || !a.equal(b)
	case "BETWEEN":
		c, too := s.operand(it, c.operands[2])
		return there && also && too && compares(">=", a, b) && compares("<=", a, c)
	default:
		return there && also && compares(c.operator, a, b)
	}
}

// compares reports whether two values are in an order. Values of different types are
// in none.
func compares(operator string, a, b value) bool {
	if a.kind != b.kind || !a.kind.ordered() {
		return false
	}
	c := compare(a, b)
	switch operator {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// reads reports whether a condition reads one of the attributes.
func (s scope) reads(c *condition, names ...string) bool {
	if c == nil {
		return false
	}
	return s.reads(c.left, names...) || s.reads(c.right, names...) || slices.ContainsFunc(c.operands, func(o operand) bool {
		return o.path != nil && slices.Contains(names, s.name(o.path[0]))
	})
}

// check finds the errors of an expression that do not depend on the item: operands of
// a wrong type, and overlapping paths.
func (s scope) check(e *expression) error {
	if e.condition != nil {
		if err := s.checkCondition(e.condition); err != nil {
			return err
		}
	}
	paths := slices.Clip(e.paths)
	for _, a := range e.update {
		paths = append(paths, a.path)
		if err := s.checkAction(a); err != nil {
			return err
		}
	}
	for i, p := range paths {
		for _, q := range paths[:i] {
			a, b := s.resolve(p), s.resolve(q)
			if n := min(len(a), len(b)); slices.Equal(a[:n], b[:n]) {
				return invalid("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %v, path two: %v", b, a)
			}
		}
	}
	return nil
}

func (s scope) checkCondition(c *condition) error {
	for _, side := range []*condition{c.left, c.right} {
		if side != nil {
			if err := s.checkCondition(side); err != nil {
				return err
			}
		}
	}
	if len(c.operands) > 1 {
		first := c.operands[0]
		for _, other := range c.operands[1:] {
			if first.path != nil && other.path != nil && slices.Equal(s.resolve(first.path), s.resolve(other.path)) ||
				first.path == nil && other.path == nil && first.value == other.value {
				return invalid("The first operand must be distinct from the remaining operands for this operator or function; operator: %s", c.operator)
			}
		}
	}
	switch c.operator {
	case "<", "<=", ">", ">=", "BETWEEN", "begins_with":
		for _, o := range c.operands {
			if v, ok := s.values.get(o.value); ok && (!v.kind.ordered() || c.operator == "begins_with" && v.kind == numberKind) {
				return wrongOperand(c.operator, v.kind)
			}
		}
	}
	if c.operator == "BETWEEN" {
		low, isLow := s.values.get(c.operands[1].value)
		high, isHigh := s.values.get(c.operands[2].value)
		if isLow && isHigh && (low.kind != high.kind || compare(low, high) > 0) {
			return invalid("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
		}
	}
	return nil
}

func (s scope) checkAction(a action) error {
	switch a.verb {
	case "SET":
		return s.checkTerm(a.term, "")
	case "ADD":
		if v, _ := s.values.get(a.term.value); v.kind != numberKind && v.kind.element() == "" {
			return wrongOperand(a.verb, v.kind)
		}
	case "DELETE":
		if v, _ := s.values.get(a.term.value); v.kind.element() == "" {
			return wrongOperand(a.verb, v.kind)
		}
	}
	return nil
}

func (s scope) checkTerm(t *term, operator string) error {
	switch {
	case t.operator != "":
		if err := s.checkTerm(t.left, t.operator); err != nil {
			return err
		}
		return s.checkTerm(t.right, t.operator)
	case t.fallback != nil:
		return s.checkTerm(t.fallback, operator)
	case operator != "" && t.path == nil:
		if v, _ := s.values.get(t.value); v.kind != numberKind {
			return wrongOperand(operator, v.kind)
		}
	}
	return nil
}

func wrongOperand(operator string, k kind) error {
	return invalid("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, k)
}

// updated returns the item after an update. Right-hand sides read the item before it.
func (s scope) updated(e *expression, before item) (item, error) {
	values := make([]value, len(e.update))
	for i, a := range e.update {
		if a.verb == "SET" {
			v, err := s.evaluate(a.term, before)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
	}
	after := before
	for i, a := range e.update {
		names := s.resolve(a.path)
		change := func(value, bool) (value, bool, error) { return values[i], true, nil }
		switch a.verb {
		case "REMOVE":
			change = func(value, bool) (value, bool, error) { return value{}, false, nil }
		case "ADD":
			operand, _ := s.values.get(a.term.value)
			change = func(v value, ok bool) (value, bool, error) { return addTo(v, ok, operand) }
		case "DELETE":
			operand, _ := s.values.get(a.term.value)
			change = func(v value, ok bool) (value, bool, error) { return deleteFrom(v, ok, operand) }
		}
		var err error
		if after, err = changeAt(after, names, change); err != nil {
			return nil, err
		}
	}
	return after, nil
}

// changeAt returns the item with the value at the end of a path replaced by the
// result of change, or removed.
func changeAt(it item, names []string, change func(value, bool) (value, bool, error)) (item, error) {
	v, ok := it.get(names[0])
	if len(names) > 1 {
		if !ok || v.kind != mapKind {
			return nil, invalid("The document path provided in the update expression is invalid for update")
		}
		inner, err := changeAt(v.item, names[1:], change)
		if err != nil {
			return nil, err
		}
		return it.with(names[0], value{kind: mapKind, item: inner}), nil
	}
	next, keep, err := change(v, ok)
	if err != nil {
		return nil, err
	}
	if !keep {
		return it.without(names[0]), nil
	}
	return it.with(names[0], next), nil
}

func (s scope) evaluate(t *term, it item) (value, error) {
	switch {
	case t.operator != "":
		left, err := s.evaluate(t.left, it)
		if err != nil {
			return value{}, err
		}
		right, err := s.evaluate(t.right, it)
		if err != nil {
			return value{}, err
		}
		if left.kind != numberKind || right.kind != numberKind {
			return value{}, errWrongType
		}
		sum, err := add(left.text, right.text, t.operator == "-")
		return value{kind: numberKind, text: sum}, err
	case t.fallback != nil:
		if v, ok := s.at(it, t.path); ok {
			return v, nil
		}
		return s.evaluate(t.fallback, it)
	}
	v, ok := s.operand(it, t.operand)
	if !ok {
		return value{}, invalid("The provided expression refers to an attribute that does not exist in the item")
	}
	return v, nil
}

var errWrongType = invalid("An operand in the update expression has an incorrect data type")

func addTo(v value, there bool, operand value) (value, bool, error) {
	switch {
	case !there:
		return operand, true, nil
	case v.kind != operand.kind:
		return v, true, errWrongType
	case v.kind == numberKind:
		sum, err := add(v.text, operand.text, false)
		return value{kind: numberKind, text: sum}, true, err
	}
	elements := slices.Clone(v.list)
	for _, element := range operand.list {
		if !slices.ContainsFunc(v.list, element.equal) {
			elements = append(elements, element)
		}
	}
	union, err := set(v.kind, elements)
	return union, true, err
}

func deleteFrom(v value, there bool, operand value) (value, bool, error) {
	if !there {
		return v, false, nil
	}
	if v.kind != operand.kind {
		return v, true, errWrongType
	}
	rest := slices.DeleteFunc(slices.Clone(v.list), func(element value) bool {
		return slices.ContainsFunc(operand.list, element.equal)
	})
	return value{kind: v.kind, list: rest}, len(rest) > 0, nil // an empty set is no attribute
}

// projected returns the parts of an item at some paths.
func (s scope) projected(paths []path, it item) item {
	kept := item{}
	for _, p := range paths {
		if v, ok := s.at(it, p); ok {
			kept = graft(kept, s.resolve(p), v)
		}
	}
	return kept
}

func graft(it item, names []string, v value) item {
	if len(names) > 1 {
		under, _ := it.get(names[0])
		v = value{kind: mapKind, item: graft(under.item, names[1:], v)}
	}
	return it.with(names[0], v)
}

// The parser. It reads one token ahead.

type parser struct {
	text  string
	token string // "" at the end
	rest  string

	made expression
	err  error
}

// grammar is the kind of an expression.
type grammar int

const (
	conditionGrammar grammar = iota
	updateGrammar
	projectionGrammar
)

func parse(g grammar, text string) (*expression, error) {
	p := &parser{text: text, rest: text}
	p.advance()
	switch g {
	case conditionGrammar:
		p.made.condition = p.or()
	case updateGrammar:
		p.update()
	case projectionGrammar:
		for more := true; more; more = p.take(",") {
			p.made.paths = append(p.made.paths, p.path())
		}
	}
	if p.token != "" {
		p.fail()
	}
	return &p.made, p.err
}

func (p *parser) fail() {
	if p.err == nil {
		p.err = invalid("Invalid expression: Syntax error, or not spoken here; token: %q, in: %q", p.token, p.text)
	}
	p.token, p.rest = "", ""
}

func (p *parser) advance() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	n := 0
	for n < len(p.rest) && (isWord(p.rest[n]) || n == 0 && (p.rest[0] == '#' || p.rest[0] == ':')) {
		n++
	}
	if n == 0 && p.rest != "" {
		n = 1
		if len(p.rest) > 1 && slices.Contains([]string{"<>", "<=", ">="}, p.rest[:2]) {
			n = 2
		}
	}
	p.token, p.rest = p.rest[:n], p.rest[n:]
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// take consumes a symbol or a keyword if it is next.
func (p *parser) take(token string) bool {
	if !strings.EqualFold(p.token, token) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(token string) {
	if !p.take(token) {
		p.fail()
	}
}

func (p *parser) or() *condition {
	c := p.and()
	for p.take("OR") {
		c = &condition{operator: "OR", left: c, right: p.and()}
	}
	return c
}

func (p *parser) and() *condition {
	c := p.not()
	for p.take("AND") {
		c = &condition{operator: "AND", left: c, right: p.not()}
	}
	return c
}

func (p *parser) not() *condition {
	if p.take("NOT") {
		return &condition{operator: "NOT", left: p.not()}
	}
	if p.take("(") {
		if p.token == "(" && p.redundant() {
			p.err = invalid("Invalid expression: The expression has redundant parentheses; in: %q", p.text)
		}
		c := p.or()
		p.expect(")")
		return c
	}
	return p.comparison()
}

// redundant reports whether the parenthesis that is next closes directly before
// another that closes.
func (p *parser) redundant() bool {
	depth := 1
	for i := range len(p.rest) {
		switch p.rest[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return strings.HasPrefix(strings.TrimLeft(p.rest[i+1:], " \t\r\n"), ")")
		}
	}
	return false
}

func (p *parser) comparison() *condition {
	switch name := p.token; name {
	case "attribute_exists", "attribute_not_exists", "begins_with":
		p.advance()
		p.expect("(")
		c := &condition{operator: name}
		if name == "begins_with" {
			c.operands = append(c.operands, p.operand())
			p.expect(",")
			c.operands = append(c.operands, p.operand())
		} else {
			c.operands = append(c.operands, operand{path: p.path()})
		}
		p.expect(")")
		return c
	}
	c := &condition{operands: []operand{p.operand()}}
	switch {
	case p.take("BETWEEN"):
		c.operator = "BETWEEN"
		c.operands = append(c.operands, p.operand())
		p.expect("AND")
	case slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, p.token):
		c.operator = p.token
		p.advance()
	default:
		p.fail()
	}
	c.operands = append(c.operands, p.operand())
	return c
}

func (p *parser) operand() operand {
	if strings.HasPrefix(p.token, ":") {
		return operand{value: p.value()}
	}
	return operand{path: p.path()}
}

func (p *parser) value() string {
	name := p.token
	if len(name) < 2 || name[0] != ':' {
		p.fail()
		return ""
	}
	if !slices.Contains(p.made.values, name) {
		p.made.values = append(p.made.values, name)
	}
	p.advance()
	return name
}

func (p *parser) path() path {
	steps := path{p.step()}
	for p.take(".") {
		steps = append(steps, p.step())
	}
	if p.token == "(" || p.token == "[" { // a function, or an index into a list
		p.fail()
	}
	return steps
}

func (p *parser) step() string {
	name := p.token
	switch {
	case len(name) > 1 && name[0] == '#':
		if !slices.Contains(p.made.names, name) {
			p.made.names = append(p.made.names, name)
		}
	case strings.EqualFold(name, "REMOVE"): // not reserved, and yet no name: it is a verb
		p.fail()
		return "?"
	case name == "" || !isWord(name[0]) || '0' <= name[0] && name[0] <= '9':
		p.fail()
		return "?"
	case reserved(name):
		p.err = invalid("Invalid expression: Attribute name is a reserved keyword; reserved keyword: %s", name)
	}
	p.advance()
	return name
}

func (p *parser) update() {
	seen := map[string]bool{}
	for p.token != "" {
		verb := strings.ToUpper(p.token)
		if !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, verb) {
			p.fail()
			return
		}
		if seen[verb] {
			p.err = invalid("Invalid UpdateExpression: The %q section can only be used once in an update expression", verb)
		}
		seen[verb] = true
		p.advance()
		for more := true; more; more = p.take(",") {
			a := action{verb: verb, path: p.path()}
			switch verb {
			case "SET":
				p.expect("=")
				a.term = p.sum()
			case "ADD", "DELETE":
				a.term = &term{operand: operand{value: p.value()}}
			}
			p.made.update = append(p.made.update, a)
		}
	}
	if len(seen) == 0 {
		p.fail()
	}
}

func (p *parser) sum() *term {
	t := p.term()
	if p.token == "+" || p.token == "-" {
		operator := p.token
		p.advance()
		return &term{operator: operator, left: t, right: p.term()}
	}
	return t
}

func (p *parser) term() *term {
	if p.token != "if_not_exists" {
		return &term{operand: p.operand()}
	}
	p.advance()
	p.expect("(")
	t := &term{operand: operand{path: p.path()}}
	p.expect(",")
	t.fallback = p.sum()
	p.expect(")")
	return t
}
