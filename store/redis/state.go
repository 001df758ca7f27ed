package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

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
