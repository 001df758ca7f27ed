//go:build unix

package redis_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// fleets numbers the fleets of tests that share a server.
var fleets atomic.Int64

// open opens a store and closes it when the test ends.
func open(t testing.TB, cfg redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(cfg, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// at is the configuration of a test's server.
func at(r *storetest.Redis) redis.Config { return redis.Config{URL: "redis://" + r.Addr()} }

func TestConformance(t *testing.T) {
	server := storetest.StartRedis(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		cfg := at(server)
		cfg.Fleet = fmt.Sprintf("fleet-%d", fleets.Add(1))
		return open(t, cfg)
	})
}
