package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/store"
)

// EventsAfter reads entries of the stream in their order.
func (s *Store) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error) {
	from := "-"
	if cursor != "" {
		at, err := store.ParseCursor(cursor)
		if err != nil {
			return nil, err
		}
		from = "(" + at.String()
	}
	return s.events(ctx, split, limit, func(ctx context.Context, key string, limit int64) *goredis.XMessageSliceCmd {
		return s.client.XRangeN(ctx, key, from, "+", limit)
	})
}

// Events reads the newest entries of the stream.
func (s *Store) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	return s.events(ctx, split, limit, func(ctx context.Context, key string, limit int64) *goredis.XMessageSliceCmd {
		return s.client.XRevRangeN(ctx, key, "+", "-", limit)
	})
}

// reading is a command that reads at most limit entries of a stream.
type reading func(ctx context.Context, key string, limit int64) *goredis.XMessageSliceCmd

// events reads a part of a split's stream.
func (s *Store) events(ctx context.Context, split string, limit int, read reading) ([]store.Event, error) {
	limit = store.Page(limit)
	if limit == 0 {
		return nil, nil
	}
	key := s.keys.events(split)
	entries, err := ask(ctx, s, func(ctx context.Context) ([]goredis.XMessage, error) {
		return read(ctx, key, int64(limit)).Result()
	})
	if err != nil {
		return nil, err
	}
	events := make([]store.Event, len(entries))
	for i, entry := range entries {
		if events[i], err = decodeEvent(entry); err != nil {
			return nil, corrupt(key, fmt.Errorf("entry %s: %w", entry.ID, err))
		}
	}
	return events, nil
}

// encodeEvent encodes an event as streams hold it: its place is the entry's id.
func encodeEvent(ev store.Event) ([]byte, error) {
	ev.Cursor = ""
	text, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", ev.ID, err)
	}
	return text, nil
}

// decodeEvent reads one entry of a split's stream.
func decodeEvent(entry goredis.XMessage) (store.Event, error) {
	var ev store.Event
	text, ok := entry.Values["event"].(string)
	if !ok {
		return ev, errors.New("field event is missing")
	}
	err := json.Unmarshal([]byte(text), &ev)
	ev.Cursor = entry.ID
	return ev, err
}
