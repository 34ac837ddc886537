package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/pool"
	"keypool/shared/retry"
)

// KeyRecords returns what is known of those of the keys that are in the table, in any order:
// consistent reads, one call for each hundred. It reads no text.
func (s *Store) KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error) {
	items, err := s.keyItems(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make([]pool.Record, len(items))
	for i, item := range items {
		if records[i], err = keyRecord(item); err != nil {
			return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
		}
	}
	return records, nil
}

// keyItems reads the items of keys as keyRecord takes them, and other attributes besides.
func (s *Store) keyItems(ctx context.Context, ids []pool.KeyID, besides ...string) ([]attrs, error) {
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = licenseKey(id).attrs()
	}
	attributes := append(besides, "pk", "pool", "state", "upload", "offset", "row", "line", "soldAt", "shard", "blockedAt", "codeOf", "current", "history")
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Keys, keys, attributes...)
	return items, wrap(err, "look %d keys up", len(ids))
}

func keyRecord(item attrs) (pool.Record, error) {
	key := keyOf(item)
	r := pool.Record{
		ID: pool.KeyID(key.PK), Side: key.side(), Pool: stringOf(item["pool"]), State: pool.KeyState(stringOf(item["state"])),
		Upload: stringOf(item["upload"]), Offset: numberOf(item["offset"]), Row: int(numberOf(item["row"])),
		Line: stringOf(item["line"]), SoldAt: at(numberOf(item["soldAt"])),
		Shard: stringOf(item["shard"]), BlockedAt: at(numberOf(item["blockedAt"])),
		CodeOf: stringOf(item["codeOf"]), Current: item["current"] != nil,
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

// KeySources implements lifecycle.Uploads: two consistent reads, of keys and of uploads.
func (s *Store) KeySources(ctx context.Context, merchant string, ids []pool.KeyID) (map[pool.KeyID]pool.Source, error) {
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = licenseKey(id).attrs()
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Keys, keys, "pk", "upload", "blockedAt")
	if err != nil {
		return nil, fmt.Errorf("look for the uploads of %d keys: %w", len(ids), err)
	}
	uploads := map[string]bool{} // whether it is withdrawn
	for _, item := range items {
		uploads[stringOf(item["upload"])] = false
	}
	var records []attrs
	for _, id := range slices.Sorted(maps.Keys(uploads)) {
		records = append(records, uploadKey(merchant, id).attrs())
	}
	found, err := s.batchGet(ctx, retry.Throttling, s.tables.Catalog, records, "sk", "withdrawal")
	if err != nil {
		return nil, fmt.Errorf("look at the uploads of %d keys: %w", len(ids), err)
	}
	for _, item := range found {
		uploads[stringOf(item["sk"])] = stringOf(item["withdrawal"]) != ""
	}
	sources := make(map[pool.KeyID]pool.Source, len(items))
	for _, item := range items {
		id := stringOf(item["upload"])
		sources[pool.KeyID(stringOf(item["pk"]))] = pool.Source{Upload: id, Barred: uploads[id] || item["blockedAt"] != nil}
	}
	return sources, nil
}
