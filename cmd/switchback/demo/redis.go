package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisLimit bounds each of the demo's own dealings with Redis.
const redisLimit = 5 * time.Second

// newFleet returns a fleet's name that nobody else has.
func newFleet() string {
	var id [4]byte
	rand.Read(id[:]) // never fails: it would rather end the process
	return "demo-" + hex.EncodeToString(id[:])
}

// openRedis connects to a Redis and makes sure that it answers, so that a wrong URL is said at once and plainly.
func openRedis(ctx context.Context, url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil { // it quotes the URL, and that may hold a password
		return nil, errors.New("--redis: cannot be read; it must be a URL such as redis://localhost:6379")
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries, options.MaxRetries = 1, -1 // whoever types the URL waits for the answer
	client := redis.NewClient(options)
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		err = fmt.Errorf("--redis: %s does not answer: %w", options.Addr, err)
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// removeFleet deletes all that a fleet has in Redis. Its proxies must have ended.
func removeFleet(ctx context.Context, client *redis.Client, fleet string) error {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	// The tag of the fleet's own keys is {fleet}, that of a split's evidence {fleet/split}.
	for _, pattern := range []string{"switchback:{" + fleet + "}:*", "switchback:{" + fleet + "/*"} {
		keys := client.Scan(ctx, 0, pattern, 1000).Iterator()
		for keys.Next(ctx) {
			if err := client.Unlink(ctx, keys.Val()).Err(); err != nil {
				return fmt.Errorf("remove the demo's key %q from Redis: %w", keys.Val(), err)
			}
		}
		if err := keys.Err(); err != nil {
			return fmt.Errorf("look for the demo's keys in Redis: %w", err)
		}
	}
	return nil
}
