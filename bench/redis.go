package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startRedis starts a redis-server with a client of it; both end with the lab.
func (l *lab) startRedis(ctx context.Context) (*redis.Client, error) {
	dir, err := l.folder("redis")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	number, err := port(address)
	if err != nil {
		return nil, err
	}
	server, err := startChild(ctx, dir, nil, "redis-server", "--port", strconv.Itoa(number), "--bind", "127.0.0.1",
		"--dir", dir, "--save", "")
	if err != nil {
		return nil, err
	}
	l.atEnd(server.close)
	if err := server.await(ctx, startLimit, func() (bool, error) { return accepts(ctx, address), nil }); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	client := redis.NewClient(&redis.Options{
		Addr:                     address,
		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l.atEnd(client.Close)
	return client, client.Ping(ctx).Err()
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
