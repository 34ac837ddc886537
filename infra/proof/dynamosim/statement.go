package dynamosim

import (
	"regexp"
	"strings"
)

// insert is a statement that inserts an item: INSERT INTO "table" VALUE {'name':?,…}.
type insert struct {
	table string
	names []string // of the parameters, by position
}

var insertPattern = regexp.MustCompile(`^\s*(?i:INSERT\s+INTO)\s+"([^"]+)"\s+(?i:VALUE)\s+\{\s*('[^']+'\s*:\s*\?(?:\s*,\s*'[^']+'\s*:\s*\?)*)\s*\}\s*$`)

func (db *DB) insert(statement string) (*insert, error) {
	if in, ok := db.inserts[statement]; ok {
		return in, nil
	}
	found := insertPattern.FindStringSubmatch(statement)
	if found == nil {
		return nil, invalid("dynamosim does not speak this statement: %s", statement)
	}
	in := &insert{table: found[1]}
	for part := range strings.SplitSeq(found[2], "?") {
		if _, name, ok := strings.Cut(part, "'"); ok {
			in.names = append(in.names, name[:strings.IndexByte(name, '\'')])
		}
	}
	db.inserts[statement] = in
	return in, nil
}

type statement struct {
	Statement  string
	Parameters []value
}

type batchExecuteStatement struct {
	Statements             []statement
	ReturnConsumedCapacity string
}

func (in *batchExecuteStatement) table() string {
	for _, s := range in.Statements {
		if found := insertPattern.FindStringSubmatch(s.Statement); found != nil {
			return found[1]
		}
	}
	return ""
}

type statementError struct{ Code, Message string }

type statementResponse struct {
	TableName string          `json:",omitempty"`
	Error     *statementError `json:",omitempty"`
}

// batchExecuteStatement answers each statement on its own.
func (db *DB) batchExecuteStatement(c *call, in *batchExecuteStatement) (any, error) {
	if n := len(in.Statements); n == 0 || n > maxStatements {
		return nil, invalid("1 validation error detected: Value at 'statements' failed to satisfy constraint: a batch has 1 to %d statements", maxStatements)
	}
	writes := make([]*write, len(in.Statements))
	errs := make([]error, len(in.Statements))
	seen := map[string]bool{}
	for i, s := range in.Statements {
		insert, err := db.insert(s.Statement)
		if err != nil {
			return nil, err
		}
		w, err := insert.write(db, s.Parameters)
		if err == nil {
			if seen[w.name()] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[w.name()] = true
		}
		writes[i], errs[i] = w, err
	}
	var out struct {
		Responses        []statementResponse
		ConsumedCapacity []*consumedCapacity `json:",omitempty"`
	}
	left, met := c.leaves(len(writes)), -1
	if c.fate == Conflict {
		met = int(derive(c.chance, chanceOfPart) % uint64(len(writes)))
	}
	used := map[*table]capacity{}
	var tables []*table
	for i, w := range writes {
		err := errs[i]
		var o *outcome
		switch {
		case err != nil:
		case left[i]:
			err = errThrottled
		case i == met || db.held[w.name()]:
			err = errConflict
		default:
			o, err = db.plan(c.now, w, false)
		}
		response := statementResponse{}
		if err != nil {
			response.Error = refusal(err)
		} else {
			db.apply(c, i, o)
			if used[w.t] == nil {
				tables = append(tables, w.t)
			}
			used[w.t] = append(used[w.t], o.used...)
		}
		if w != nil {
			response.TableName = w.t.name
		}
		out.Responses = append(out.Responses, response)
	}
	for _, t := range tables {
		if consumed := used[t].of(t, in.ReturnConsumedCapacity); consumed != nil {
			out.ConsumedCapacity = append(out.ConsumedCapacity, consumed)
		}
	}
	return out, nil
}

// write is an insert of an item that must not exist.
func (in *insert) write(db *DB, parameters []value) (*write, error) {
	t, err := db.find(in.table)
	if err != nil {
		return nil, err
	}
	if len(parameters) != len(in.names) {
		return nil, invalid("Number of parameters in request and statement don't match.")
	}
	it := item{}
	for i, name := range in.names {
		it = it.with(name, parameters[i])
	}
	if err := t.checkKey(it); err != nil {
		return nil, err
	}
	return &write{
		t: t, put: it, key: t.base.entry(it),
		condition: &condition{operator: "attribute_not_exists", operands: []operand{{path: path{t.base.key.hash.name}}}},
	}, nil
}

// refusal is the error of a statement, in the format of a batch.
func refusal(err error) *statementError {
	r := because(err)
	switch r.Code {
	case "ConditionalCheckFailed":
		return &statementError{"DuplicateItem", "Duplicate primary key exists in table"}
	case "ResourceNotFoundException":
		return &statementError{"ResourceNotFound", r.Message}
	default:
		return &statementError{r.Code, r.Message}
	}
}
