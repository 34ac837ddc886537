package dynamo

import (
	"maps"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// update builds the update of an item, attribute by attribute.
type update struct {
	condition            string
	sets, removes, added []string
	names                map[string]string
	values               attrs
}

func newUpdate(c condition) *update {
	const usual = 16 // attributes of the larger updates: maps that grow cost more
	u := &update{condition: c.expression, names: make(map[string]string, usual), values: make(attrs, usual)}
	maps.Copy(u.values, c.values)
	return u
}

// name gives a name in the condition its placeholder: names may be reserved words.
func (u *update) name(placeholder, name string) { u.names[placeholder] = name }

// set sets a top-level attribute.
func (u *update) set(name string, value types.AttributeValue) {
	placeholder, of := "#"+name, ":"+name
	u.name(placeholder, name)
	u.values[of] = value
	u.sets = append(u.sets, placeholder+" = "+of)
}

// setNew sets a top-level attribute unless it is there.
func (u *update) setNew(name string, value types.AttributeValue) {
	placeholder, of := "#"+name, ":"+name
	u.name(placeholder, name)
	u.values[of] = value
	u.sets = append(u.sets, placeholder+" = if_not_exists("+placeholder+", "+of+")")
}

// remove removes a top-level attribute.
func (u *update) remove(name string) {
	placeholder := "#" + name
	u.name(placeholder, name)
	u.removes = append(u.removes, placeholder)
}

// add adds to a top-level attribute, which may not be there yet.
func (u *update) add(name string, n int) {
	placeholder, of := "#"+name, ":"+name
	u.name(placeholder, name)
	u.values[of] = number(n)
	u.added = append(u.added, placeholder+" "+of)
}

// insert adds texts to a top-level attribute that is a set, which may not be there yet.
func (u *update) insert(name string, texts ...string) {
	placeholder, of := "#"+name, ":"+name
	u.name(placeholder, name)
	u.values[of] = &types.AttributeValueMemberSS{Value: texts}
	u.added = append(u.added, placeholder+" "+of)
}

// increase adds to an entry of a map, which may not be there yet. The map must be.
func (u *update) increase(in, entry string, n int) {
	i := strconv.Itoa(len(u.sets))
	u.name("#"+in, in)
	u.name("#entry"+i, entry)
	u.values[":none"] = number(0)
	u.values[":entry"+i] = number(n)
	path := "#" + in + ".#entry" + i
	u.sets = append(u.sets, path+" = if_not_exists("+path+", :none) + :entry"+i)
}

// write returns the update of the item with that key.
func (u *update) write(table string, key primaryKey) types.TransactWriteItem {
	var clauses []string
	for _, clause := range []struct {
		verb  string
		parts []string
	}{{"SET", u.sets}, {"REMOVE", u.removes}, {"ADD", u.added}} {
		if len(clause.parts) > 0 {
			clauses = append(clauses, clause.verb+" "+strings.Join(clause.parts, ", "))
		}
	}
	write := &types.Update{
		TableName:                 aws.String(table),
		Key:                       key.attrs(),
		UpdateExpression:          aws.String(strings.Join(clauses, " ")),
		ExpressionAttributeNames:  u.names,
		ExpressionAttributeValues: u.values,
	}
	if u.condition != "" {
		write.ConditionExpression = aws.String(u.condition)
		write.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	return types.TransactWriteItem{Update: write}
}
