package redis_test

import (
	"fmt"

	"github.com/switchback-proxy/switchback/store/redis"
)

// Opening connects to nothing, so that a configuration can be checked without its Redis.
func Example() {
	s, err := redis.Open(redis.Config{URL: "rediss://switchback:secret@redis.example/2", Fleet: "production"}, nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Describe().Address)
	_, err = redis.Open(redis.Config{Addresses: []string{"redis-1:6379", "redis-2:6379"}}, nil)
	fmt.Println(err)
	// Output:
	// rediss://redis.example:6379 db 2
	// redis: addresses ["redis-1:6379" "redis-2:6379"]: more than one needs master_name (Sentinel) or cluster
}
