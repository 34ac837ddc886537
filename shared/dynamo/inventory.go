package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/pool"
	"keypool/shared/retry"
)

// KeyRecords returns what is known of those of the keys that are in the table, in any order:
// consistent reads, one call for each hundred. It reads no text.
func (s *Store) KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error) {
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = licenseKey(id).attrs()
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Keys, keys, "pk", "pool", "state", "upload", "offset", "row", "line", "soldAt", "history")
	if err != nil {
		return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
	}
	records := make([]pool.Record, len(items))
	for i, item := range items {
		if records[i], err = keyRecord(item); err != nil {
			return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
		}
	}
	return records, nil
}

func keyRecord(item attrs) (pool.Record, error) {
	key := keyOf(item)
	r := pool.Record{
		ID: pool.KeyID(key.PK), Side: key.side(), Pool: stringOf(item["pool"]), State: pool.KeyState(stringOf(item["state"])),
		Upload: stringOf(item["upload"]), Offset: numberOf(item["offset"]), Row: int(numberOf(item["row"])),
		Line: stringOf(item["line"]), SoldAt: at(numberOf(item["soldAt"])),
	}
	if history, ok := item["history"].(*types.AttributeValueMemberSS); ok {
		for _, entry := range history.Value {
			event, err := pool.ParseKeyEvent(entry)
			if err != nil {
				return r, err
			}
			r.History = append(r.History, event)
		}
	}
	pool.SortEvents(r.History)
	return r, nil
}
