package redis

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// SetQuiet makes a subscription that begins from now on be asked whether it lives after d of silence.
func SetQuiet(s *Store, d time.Duration) { s.quiet = d }

// SetForgetAfter makes members that have been silent for d be forgotten as claimants.
func SetForgetAfter(s *Store, d time.Duration) { s.forgetAfter = d }

// Refuses reports whether a server that replies so has written nothing.
func Refuses(reply string) bool { return refuses(replyError(reply)) }

// replyError is an error that a server replies.
type replyError string

var _ redis.Error = replyError("")

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

// Inspect starts an inspection of the server, as after a Pulse.
func Inspect(s *Store) { s.inspectIfDue() }

// AwaitInspection waits for the inspection that is under way.
func AwaitInspection(s *Store) { s.inspector.running.Wait() }
