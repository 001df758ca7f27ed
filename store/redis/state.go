package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// keptEvents is how many events a split's log keeps, roughly: Redis trims whole blocks.
const keptEvents = 1000

// Load reads the State's hash. One whose document cannot be read, or does not agree with its revision and id, is
// ErrCorrupt.
func (s *Store) Load(ctx context.Context, split string) (*splitter.State, error) {
	key := s.keys.state(split)
	hash, err := ask(ctx, s, func(ctx context.Context) (map[string]string, error) { return s.client.HGetAll(ctx, key).Result() })
	if err != nil {
		return nil, err
	}
	if len(hash) == 0 {
		return nil, fmt.Errorf("%w: %q", store.ErrNotFound, split)
	}
	state, err := decode(split, hash)
	if err != nil {
		return nil, corrupt(key, err)
	}
	return state, nil
}

// decode reads a State's hash.
func decode(split string, hash map[string]string) (*splitter.State, error) {
	doc, ok := hash["doc"]
	if !ok {
		return nil, errors.New("field doc is missing")
	}
	state, err := splitter.Decode([]byte(doc))
	if err != nil {
		return nil, fmt.Errorf("field doc: %w", err)
	}
	if state.Split != split {
		return nil, fmt.Errorf("field doc: holds the state of %q", state.Split)
	}
	if strconv.FormatUint(state.Revision, 10) != hash["revision"] || state.ID != hash["id"] {
		return nil, fmt.Errorf("field doc: is revision %d (%s), the fields revision and id say %s (%s)", state.Revision,
			state.ID, hash["revision"], hash["id"])
	}
	return state, nil
}

// List reads the set of splits.
func (s *Store) List(ctx context.Context) ([]string, error) {
	names, err := ask(ctx, s, func(ctx context.Context) ([]string, error) { return s.client.SMembers(ctx, s.keys.splits()).Result() })
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// Events reads the newest entries of the stream.
func (s *Store) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	key := s.keys.events(split)
	entries, err := ask(ctx, s, func(ctx context.Context) ([]goredis.XMessage, error) {
		return s.client.XRevRangeN(ctx, key, "+", "-", int64(limit)).Result()
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

// decodeEvent reads one entry of the stream.
func decodeEvent(entry goredis.XMessage) (store.Event, error) {
	var ev store.Event
	text, ok := entry.Values["event"].(string)
	if !ok {
		return ev, errors.New("field event is missing")
	}
	err := json.Unmarshal([]byte(text), &ev)
	return ev, err
}
