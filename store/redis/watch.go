package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// firstRetry and lastRetry bound the pause between attempts to subscribe.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
)

// Announce publishes a notice. Publishing writes nothing, so that a server which is full or read-only does it too.
func (s *Store) Announce(ctx context.Context, n store.Notice) error {
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode the notice of %q: %w", n.Split, err)
	}
	_, err = ask(ctx, s, func(ctx context.Context) (int64, error) {
		return s.client.Publish(ctx, s.keys.changes(), payload).Result()
	})
	return err
}

// Watch subscribes, and again whenever the subscription breaks, until ctx is done or the store is closed.
func (s *Store) Watch(ctx context.Context, notify func(store.Notice)) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.life, stop)()
	pause := firstRetry
	for {
		stood, err := s.subscribe(watching, notify)
		if stood {
			pause = firstRetry
			s.inspector.soon()
			s.logger.Warn("announcements of the fleet are interrupted; polling goes on", "error", err)
		}
		select {
		case <-watching.Done():
			return s.ended(ctx)
		case <-time.After(pause):
			pause = min(2*pause, lastRetry)
		}
	}
}

// ended says why a watch ended.
func (s *Store) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.Closed()
}

// decodeNotice reads an announcement. A State that this release cannot read is an error.
func decodeNotice(payload string) (store.Notice, error) {
	var n store.Notice
	var wire struct {
		Split string          `json:"split"`
		State json.RawMessage `json:"state"`
		Kill  *splitter.Kill  `json:"kill"`
		Event bool            `json:"event"`
	}
	if err := json.Unmarshal([]byte(payload), &wire); err != nil {
		return n, err
	}
	if !splitter.ValidName(wire.Split) {
		return n, fmt.Errorf("split %q is no name", wire.Split)
	}
	n.Split, n.Kill, n.Event = wire.Split, wire.Kill, wire.Event
	if len(wire.State) == 0 {
		return n, nil
	}
	state, err := splitter.Decode(wire.State)
	if err != nil {
		return store.Notice{}, err
	}
	if state.Split != n.Split {
		return store.Notice{}, fmt.Errorf("notice of %q holds the state of %q", n.Split, state.Split)
	}
	n.State = state
	return n, nil
}
