package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/store"
)

// refusals begin the replies of a server that was reached and did not do what it was told: it is full, is a replica,
// cannot write to its disk, has too few replicas, denies access, or holds something else under a key. A script meets the
// first ones only after it has looked whether an earlier try succeeded, so that nothing was written. Other replies
// (LOADING, BUSY, CLUSTERDOWN …) leave open what became of an earlier try.
var refusals = []string{"OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM", "NOAUTH", "WRONGPASS", "WRONGTYPE"}

// unbegun begin the replies of a server that has not begun with what it was told: it sends the caller elsewhere, does not
// know the script, starts, or is occupied. They say that of the try that they answer, not of an earlier one.
var unbegun = []string{"MOVED", "ASK", "NOSCRIPT", "LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"}

// unavailable wraps everything that is not an answer: Redis is down or hung, is full, a read-only replica or still
// loading, or denies access. The server's own words stay in the text.
func (s *Store) unavailable(err error) error {
	if refuses(err) {
		return store.Unavailable(fmt.Errorf("%s: %w: %w", s.address, store.ErrNotWritten, err))
	}
	return store.Unavailable(fmt.Errorf("%s%s: %w", s.address, hint(err), err))
}

// refuses reports whether err is the reply of a server that has written nothing.
func refuses(err error) bool { return replies(err, refusals) }

// replies reports whether err is a server's reply with one of these codes.
func replies(err error, codes []string) bool {
	var reply goredis.Error
	if !errors.As(err, &reply) {
		return false
	}
	return slices.ContainsFunc(codes, func(code string) bool {
		return strings.HasPrefix(reply.Error(), code+" ") ||
			strings.Contains(reply.Error(), "-"+code+" ") // as scripts of Redis 6 report it
	})
}

// hint says in a word what a timeout means, which its own text does not. One of the pool of connections means that other
// calls wait for their answers on all of them.
func hint(err error) string {
	var netErr net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, goredis.ErrPoolTimeout) || errors.As(err, &netErr) && netErr.Timeout() {
		return " does not answer"
	}
	return ""
}

// corrupt says which key holds something unreadable.
func corrupt(key string, err error) error {
	return fmt.Errorf("%w: key %s: %w", store.ErrCorrupt, key, err)
}
