package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// quiet is how long a subscription may be silent before it is asked whether it lives. It is long, as asking is a
	// round trip: a path that swallows packets is found by TCP's keep-alive within 45 s, without the server, and a
	// subscription that misses a change by the pulse that brings the change.
	quiet = 5 * time.Minute
	// pingPatience is how long it then has to answer.
	pingPatience = 2 * time.Second
)

// subscribe passes on what one subscription brings until it breaks, and reports whether it ever stood. It does not use
// the client's own channels: those never notice that nobody answers.
func (s *Store) subscribe(ctx context.Context, notify func(store.Notice)) (stood bool, err error) {
	sub := s.client.Subscribe(ctx)
	defer s.release(sub)
	if err := sub.Subscribe(ctx, s.keys.changes()); err != nil {
		return false, err
	}
	heard := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(ctx)
	var guard sync.WaitGroup
	defer guard.Wait()
	defer stop()
	guard.Go(func() { s.guardSilence(ctx, sub, heard) })
	for {
		message, err := sub.Receive(ctx)
		if err != nil {
			return stood, err
		}
		select {
		case heard <- struct{}{}:
		default:
		}
		if n, ok := s.read(message); ok {
			stood = true
			notify(n)
		}
	}
}

// guardSilence closes a subscription when ctx is done, or when it does not answer a ping. It is asked when it has been
// silent for long, and sooner when it is doubted. Closing is what ends a read: a deadline could strike in the middle of a
// message and leave the rest of it to be misread.
func (s *Store) guardSilence(ctx context.Context, sub *goredis.PubSub, heard <-chan struct{}) {
	defer s.release(sub)
	timer := time.NewTimer(s.quiet)
	defer timer.Stop()
	for asked := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			asked = false
			timer.Reset(s.quiet)
			continue
		case <-s.doubts:
			if asked {
				continue
			}
		case <-timer.C:
		}
		if asked || sub.Ping(ctx) != nil {
			return
		}
		asked = true
		timer.Reset(pingPatience)
	}
}

// doubt has the subscription be asked whether it lives if a pulse brings a version that the member has not applied: it
// may not have been told of it. Of several subscriptions one is asked.
func (s *Store) doubt(applied, versions map[string]splitter.Version) {
	for split, version := range versions {
		if version == applied[split] {
			continue
		}
		select {
		case s.doubts <- struct{}{}:
		default:
		}
		return
	}
}

// release closes a subscription, which may be closed already.
func (s *Store) release(sub *goredis.PubSub) {
	if err := sub.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		s.logger.Debug("closing a subscription", "error", err)
	}
}

// read turns what a subscription brings into a notice. What cannot be read asks for everything, as it told of
// something.
func (s *Store) read(message any) (store.Notice, bool) {
	switch m := message.(type) {
	case *goredis.Subscription:
		s.logger.Info("watching for announcements of the fleet")
		return store.Notice{Resync: true}, true
	case *goredis.Message:
		n, err := decodeNotice(m.Payload)
		if err != nil {
			s.logger.Warn("an announcement cannot be read", "error", fmt.Errorf("channel %s: %w", m.Channel, err))
			return store.Notice{Resync: true}, true
		}
		return n, true
	default:
		return store.Notice{}, false
	}
}
