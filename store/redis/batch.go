package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// call is one script of a batch.
type call struct {
	script *goredis.Script
	keys   []string
	args   []any
}

// batch runs a script for each item in one round trip, or in two if a server does not know a script yet, and reads each
// reply. An item that must not be sent, or whose script fails, has an error and keeps no other back. The scripts may run
// twice.
func batch[T, R any](ctx context.Context, s *Store, items []T, build func(T) (call, error), read func(T, any) (R, error)) ([]R, []error) {
	answers, errs := make([]R, len(items)), make([]error, len(items))
	var calls []call
	var places []int // of the items that are sent
	for i, item := range items {
		c, err := build(item)
		if errs[i] = err; err == nil {
			calls, places = append(calls, c), append(places, i)
		}
	}
	replies, err := s.runAll(ctx, calls)
	for j, i := range places {
		switch {
		case err != nil:
			errs[i] = err
		case replies[j].Err() != nil:
			errs[i] = s.unavailable(replies[j].Err())
		default:
			answers[i], errs[i] = read(items[i], replies[j].Val())
		}
	}
	return answers, errs
}

// runAll runs scripts that may run twice, all of them again if one had no answer: its connection may have died while it
// lay idle.
func (s *Store) runAll(ctx context.Context, calls []call) ([]*goredis.Cmd, error) {
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	replies := s.pipeline(ctx, calls)
	if slices.ContainsFunc(replies, unanswered) && ctx.Err() == nil {
		replies = s.pipeline(ctx, calls)
	}
	return replies, nil
}

// pipeline sends scripts together, and then those again, with their text, that a server does not know. What became of each
// is in its command.
func (s *Store) pipeline(ctx context.Context, calls []call) []*goredis.Cmd {
	replies := make([]*goredis.Cmd, len(calls))
	pipe := s.client.Pipeline()
	for i, c := range calls {
		replies[i] = c.script.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	exec(ctx, pipe)
	for i, c := range calls {
		if goredis.HasErrorPrefix(replies[i].Err(), "NOSCRIPT") {
			replies[i] = c.script.Eval(ctx, pipe, c.keys, c.args...)
		}
	}
	exec(ctx, pipe)
	return replies
}

// exec sends what is in a pipeline, if anything is. An error that left its commands without one befalls them all.
func exec(ctx context.Context, pipe goredis.Pipeliner) {
	commands, err := pipe.Exec(ctx)
	if err == nil || slices.ContainsFunc(commands, func(c goredis.Cmder) bool { return c.Err() != nil }) {
		return
	}
	for _, c := range commands {
		c.SetErr(err)
	}
}

// unanswered reports whether no server replied to a command.
func unanswered(cmd *goredis.Cmd) bool {
	var reply goredis.Error
	return cmd.Err() != nil && !errors.As(cmd.Err(), &reply)
}

// joined makes one error of those of a batch, each said once, with the first split that it befell.
func joined(errs []error, splitOf func(i int) string) error {
	said := map[string]bool{}
	var all []error
	for i, err := range errs {
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			all = append(all, fmt.Errorf("split %q: %w", splitOf(i), err))
		}
	}
	return errors.Join(all...)
}
