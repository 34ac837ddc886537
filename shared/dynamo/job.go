package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/job"
)

// jobPartItem holds the attributes that every part of a job has.
type jobPartItem struct {
	FencingToken int   `dynamodbav:"fencingToken"`
	Done         bool  `dynamodbav:"done,omitempty"`
	SavedAt      int64 `dynamodbav:"savedAt"`
}

func (i jobPartItem) part(n int) job.Part {
	return job.Part{Number: n, Token: job.Token(i.FencingToken), Done: i.Done, SavedAt: at(i.SavedAt)}
}

// takeJobPart gives a part to a worker under a new fencing token, and returns the item
// with it. The item is made if it is not there. A part that is done is returned as
// it is.
func (s *Store) takeJobPart(ctx context.Context, table string, key primaryKey, now time.Time) (attrs, error) {
	update := newUpdate(condition{expression: "attribute_not_exists(#done)"})
	update.name("#done", "done")
	update.set("v", number(schema))
	update.set("savedAt", number(millis(now)))
	update.add("fencingToken", 1)
	item, err := s.writeAndRead(ctx, update.write(table, key))
	if there, done := failedCondition(err, 0); done {
		return there, nil
	}
	return item, err
}

// saveJobPart begins the update that saves a part. Its condition fails if another worker
// has taken the part meanwhile, or if the part is done.
func saveJobPart(p job.Part) *update {
	update := newUpdate(condition{"fencingToken = :token AND attribute_not_exists(#done)", attrs{":token": number(int(p.Token))}})
	update.name("#done", "done")
	update.set("savedAt", number(millis(p.SavedAt)))
	if p.Done {
		update.set("done", &types.AttributeValueMemberBOOL{Value: true})
	}
	return update
}
