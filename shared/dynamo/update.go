package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/random"
)

// update builds an update of an item whose attributes are known only when it is
// written.
type update struct {
	condition            string
	sets, removes, added []string
	names                map[string]string
	values               map[string]types.AttributeValue
}

func newUpdate(condition string) *update {
	return &update{condition: condition, names: map[string]string{}, values: map[string]types.AttributeValue{}}
}

func (u *update) name(placeholder, name string) { u.names[placeholder] = name }

func (u *update) value(placeholder string, value types.AttributeValue) { u.values[placeholder] = value }

// set sets a top-level attribute.
func (u *update) set(name string, value types.AttributeValue) {
	u.name("#"+name, name)
	u.value(":"+name, value)
	u.sets = append(u.sets, "#"+name+" = :"+name)
}

// remove removes a top-level attribute.
func (u *update) remove(name string) {
	u.name("#"+name, name)
	u.removes = append(u.removes, "#"+name)
}

// add adds to a top-level attribute, which may not be there yet.
func (u *update) add(name string, n int) {
	u.name("#"+name, name)
	u.value(":"+name, number(n))
	u.added = append(u.added, "#"+name+" :"+name)
}

// increase adds to an entry of a map, which may not be there yet. The map must be.
func (u *update) increase(in, entry string, n int) {
	i := strconv.Itoa(len(u.sets))
	u.name("#"+in, in)
	u.name("#entry"+i, entry)
	u.value(":none", number(0))
	u.value(":entry"+i, number(n))
	path := "#" + in + ".#entry" + i
	u.sets = append(u.sets, path+" = if_not_exists("+path+", :none) + :entry"+i)
}

func (u *update) write(table string, key map[string]types.AttributeValue) types.TransactWriteItem {
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
		Key:                       key,
		UpdateExpression:          aws.String(strings.Join(clauses, " ")),
		ExpressionAttributeNames:  u.names,
		ExpressionAttributeValues: u.values,
	}
	if u.condition != "" {
		write.ConditionExpression = aws.String(u.condition)
	}
	return types.TransactWriteItem{Update: write}
}

// failedConditions says which writes of a transaction found their condition false.
type failedConditions struct{ writes []int }

func (f *failedConditions) Error() string {
	return fmt.Sprintf("the conditions of writes %v do not hold", f.writes)
}

// at reports whether the n-th write is among them.
func (f *failedConditions) at(n int) bool {
	for _, write := range f.writes {
		if write == n {
			return true
		}
	}
	return false
}

// transact writes all or nothing. *failedConditions is an answer; what only
// stands in the way for now, such as another transaction on an item, is tried again.
func (s *Store) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	const attempts = 10
	for tries := 1; ; tries++ {
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) {
			return err
		}
		var failed failedConditions
		for i, reason := range canceled.CancellationReasons {
			switch code := aws.ToString(reason.Code); code {
			case "", "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			case "ConditionalCheckFailed":
				failed.writes = append(failed.writes, i)
			default:
				return fmt.Errorf("write %d: %s", i, code)
			}
		}
		if len(failed.writes) > 0 {
			return &failed
		}
		if tries == attempts {
			return err
		}
		if err := backOff(ctx, tries); err != nil {
			return err
		}
	}
}

// backOff waits before the next try: 20 ms and doubling, to 2 s, with full jitter.
func backOff(ctx context.Context, tries int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(random.N(ctx, min(20*time.Millisecond<<min(tries, 7), 2*time.Second))):
		return nil
	}
}
