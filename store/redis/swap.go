package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Swap is one script, tried again if it got no answer, and in a Cluster by the client library too. That an earlier try
// was carried out shows in the State: it is next, or comes from it. Where that cannot be told, the error says neither that
// nothing was written nor that somebody else was first.
func (s *Store) Swap(ctx context.Context, prev splitter.Version, next *splitter.State, ev store.Event) error {
	if err := store.CheckSwap(prev, next, ev); err != nil {
		return err
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode the state of %q: %w", next.Split, err)
	}
	following, t := follow(ctx, doc)
	args, err := s.swapArgs(prev, next, ev, t)
	if err != nil {
		return err
	}
	verdict, err := s.trySwap(following, next.Split, t, args)
	if err != nil && !errors.Is(err, store.ErrNotWritten) && ctx.Err() == nil {
		verdict, err = s.trySwap(following, next.Split, t, args)
	}
	if err == nil {
		err = s.keys.swapped(prev, next.Split, verdict, ev)
	}
	if lost := t.lost(); lost != nil {
		err = s.doubted(ctx, next, lost, err)
	} else {
		err = answered(err)
	}
	if err == nil && !next.Forgotten.IsZero() {
		s.clearJudge(ctx, next.Split, next.Epoch)
	}
	return err
}

// doubted says what became of a swap of which one try was sent and had no answer, from what the last one met.
func (s *Store) doubted(ctx context.Context, next *splitter.State, lost, last error) error {
	switch {
	case last == nil:
		return nil
	case errors.Is(last, store.ErrUnavailable):
		return s.unavailable(lost)
	}
	state, err := s.Load(ctx, next.Split)
	switch {
	case err != nil:
		return s.unavailable(lost)
	case state.Descends(next.Version):
		return nil
	}
	return last
}

// answered says what became of a swap whose tries, as far as they were sent, were all answered: where the store is
// unavailable, nothing was written.
func answered(err error) error {
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotWritten) {
		return err
	}
	return fmt.Errorf("%w: %w", err, store.ErrNotWritten)
}

// trySwap runs the script once and returns its verdict: a name, the stored revision, id and schema, why nobody was
// told, and why its event is not in the outbox.
func (s *Store) trySwap(ctx context.Context, split string, t *tries, args []any) ([]string, error) {
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	names := []string{s.keys.state(split), s.keys.events(split), s.keys.inbox(split), s.keys.splits(),
		s.keys.outbox()}
	reply := swapScript.Run(ctx, s.client, names, args...)
	if err := reply.Err(); err != nil {
		return nil, s.unavailable(err)
	}
	verdict, err := reply.StringSlice()
	if err != nil || len(verdict) != 6 {
		err = fmt.Errorf("unexpected reply to swap: %v", reply.Val())
		t.doubt(err)
		return nil, s.unavailable(err)
	}
	if untold := verdict[4]; untold != "" {
		s.logger.Warn("a change was written and could not be announced; the fleet learns of it by polling", "error", untold)
	}
	if lost := verdict[5]; lost != "" {
		s.logger.Error("a change was written, and its event could not be put into the outbox: nobody is told of it", "split", split,
			"key", s.keys.outbox(), "error", lost)
	}
	return verdict, nil
}

// swapArgs encodes what the script takes; tries stands for the document.
func (s *Store) swapArgs(prev splitter.Version, next *splitter.State, ev store.Event, doc *tries) ([]any, error) {
	event, err := encodeEvent(ev)
	if err != nil {
		return nil, err
	}
	notice, err := json.Marshal(store.Notice{Split: next.Split, State: next})
	if err != nil {
		return nil, fmt.Errorf("encode the notice of %q: %w", next.Split, err)
	}
	schema := splitter.Schema
	if store.MayTouch(math.MaxInt32, ev) {
		schema = math.MaxInt32
	}
	forgotten := 0
	if !next.Forgotten.IsZero() {
		forgotten = 1
	}
	return []any{prev.Revision, prev.ID, next.Revision, next.ID, schema, next.Schema, doc, event, store.EventsKept,
		s.keys.changes(), notice, next.Split, ev.Order, store.MaxOrder, forgotten,
		store.EventsKeptFor.Milliseconds(), store.OutboxKept}, nil
}

// swapped translates the script's verdict.
func (k keys) swapped(prev splitter.Version, split string, verdict []string, ev store.Event) error {
	switch verdict[0] {
	case "written", "already":
		return nil
	case "gone":
		return fmt.Errorf("%w: of %q", store.ErrOrderGone, split)
	}
	revision, errRevision := strconv.ParseUint(verdict[1], 10, 64)
	schema, errSchema := strconv.Atoi(verdict[3])
	switch {
	case verdict[0] == "corrupt", errRevision != nil, errSchema != nil:
		return corrupt(k.state(split), fmt.Errorf("fields revision %.40q and schema %.40q: must be whole numbers", verdict[1],
			verdict[3]))
	case verdict[0] == "newer":
		return store.CheckSchema(split, schema, ev)
	}
	return store.Conflict(split, prev, splitter.Version{Revision: revision, ID: verdict[2]})
}
