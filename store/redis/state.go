package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
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
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	key := s.keys.state(split)
	hash, err := s.client.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, s.unavailable(err)
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

// Swap is one script.
func (s *Store) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	if err := store.CheckSwap(prev, next, ev); err != nil {
		return err
	}
	args, err := s.swapArgs(prev, next, ev)
	if err != nil {
		return err
	}
	names := []string{s.keys.state(next.Split), s.keys.events(next.Split), s.keys.inbox(next.Split), s.keys.splits()}
	reply, err := s.run(ctx, swapScript, names, args...)
	if err != nil {
		return err
	}
	verdict, err := reply.StringSlice()
	if err != nil || len(verdict) != 5 {
		return s.unavailable(fmt.Errorf("unexpected reply to swap: %v", reply.Val()))
	}
	if untold := verdict[4]; untold != "" {
		s.logger.Warn("a change was written and could not be announced; the fleet learns of it by polling", "error", untold)
	}
	return swapped(prev, next.Split, verdict, ev)
}

// swapArgs encodes what the script takes.
func (s *Store) swapArgs(prev splitter.Version, next *splitter.State, ev store.Event) ([]any, error) {
	doc, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encoding the state of %q: %w", next.Split, err)
	}
	event, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", ev.ID, err)
	}
	notice, err := json.Marshal(store.Notice{Split: next.Split, State: next})
	if err != nil {
		return nil, fmt.Errorf("encoding the notice of %q: %w", next.Split, err)
	}
	schema := splitter.Schema
	if store.MayTouch(math.MaxInt32, ev) {
		schema = math.MaxInt32
	}
	forgotten := 0
	if !next.Forgotten.IsZero() {
		forgotten = 1
	}
	return []any{prev.Revision, prev.ID, next.Revision, next.ID, schema, next.Schema, doc, event, keptEvents,
		s.keys.changes(), notice, next.Split, ev.Order, store.MaxOrder, forgotten}, nil
}

// swapped translates the script's verdict: its name and the stored revision, id and schema.
func swapped(prev splitter.Version, split string, verdict []string, ev store.Event) error {
	switch verdict[0] {
	case "written", "already":
		return nil
	case "gone":
		return fmt.Errorf("%w: of %q", store.ErrOrderGone, split)
	case "newer":
		schema, err := strconv.Atoi(verdict[3])
		if err != nil {
			return fmt.Errorf("schema %q: %w", verdict[3], err)
		}
		return store.CheckSchema(split, schema, ev)
	}
	revision, err := strconv.ParseUint(verdict[1], 10, 64)
	if err != nil {
		return fmt.Errorf("revision %q: %w", verdict[1], err)
	}
	return store.Conflict(split, prev, splitter.Version{Revision: revision, ID: verdict[2]})
}

// List reads the set of splits.
func (s *Store) List(ctx context.Context) ([]string, error) {
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	names, err := s.client.SMembers(ctx, s.keys.splits()).Result()
	if err != nil {
		return nil, s.unavailable(err)
	}
	slices.Sort(names)
	return names, nil
}

// Events reads the newest entries of the stream.
func (s *Store) Events(ctx context.Context, split string, limit int) ([]store.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	key := s.keys.events(split)
	entries, err := s.client.XRevRangeN(ctx, key, "+", "-", int64(limit)).Result()
	if err != nil {
		return nil, s.unavailable(err)
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
