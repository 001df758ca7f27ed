package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// startRedis starts a redis-server with a client of it; both end with the lab.
func (l *lab) startRedis(ctx context.Context) (*redis.Client, error) {
	s, err := l.startServer(ctx)
	if err != nil {
		return nil, err
	}
	return s.client, nil
}

// echo measures Redis itself: from publishing a message to receiving it, both here.
type echo struct {
	client *redis.Client
	sub    *redis.PubSub
	took   []time.Duration
}

const echoChannel = "bench:echo"

func (l *lab) newEcho(ctx context.Context, client *redis.Client) (*echo, error) {
	e := &echo{client: client, sub: client.Subscribe(ctx, echoChannel)}
	l.atEnd(func() error {
		if err := e.sub.Close(); !errors.Is(err, redis.ErrClosed) {
			return err
		}
		return nil
	})
	_, err := e.sub.Receive(ctx) // that the subscription stands
	return e, err
}

// measure takes the time of one message.
func (e *echo) measure(ctx context.Context) error {
	received := make(chan error, 1)
	var at time.Time
	go func() {
		_, err := e.sub.ReceiveMessage(ctx)
		at = time.Now()
		received <- err
	}()
	sent := time.Now()
	err := e.client.Publish(ctx, echoChannel, "hello").Err()
	if err := errors.Join(err, <-received); err != nil {
		return fmt.Errorf("publish and receive: %w", err)
	}
	e.took = append(e.took, at.Sub(sent))
	return nil
}
