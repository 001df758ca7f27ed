package redis

import (
	"context"
	"errors"
	"fmt"
	"net"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/store"
)

// unavailable wraps everything that is not an answer: Redis is down or hung, is full, a read-only replica or still
// loading, or denies access. The server's own words stay in the text.
func (s *Store) unavailable(err error) error {
	var reply goredis.Error
	if errors.As(err, &reply) {
		return store.Unavailable(fmt.Errorf("%s: %w: %w", s.address, store.ErrNotWritten, err))
	}
	return store.Unavailable(fmt.Errorf("%s%s: %w", s.address, hint(err), err))
}

// hint says in a word what a timeout means, which its own text does not.
func hint(err error) string {
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout() {
		return " does not answer"
	}
	return ""
}

// corrupt says which key holds something unreadable.
func corrupt(key string, err error) error {
	return fmt.Errorf("%w: key %s: %w", store.ErrCorrupt, key, err)
}
