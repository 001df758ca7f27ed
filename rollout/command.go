package rollout

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// change makes one change; see command. Weights that are so already change nothing.
func (c *Controller) change(ctx context.Context, split string, by By,
	f func(*splitter.State, Definition, Seed) (Changed, error),
) (Result, error) {
	return c.command(ctx, split, by, "the weights are so already", func(prev *splitter.State, def Definition, seed Seed) (Changed, bool, error) {
		ch, err := f(prev, def, seed)
		return ch, err == nil && !changesNothing(prev, ch.State), err
	})
}

// command tries one change until nobody else is faster. If the caller said what they saw, somebody else's change in
// between refuses theirs. f returns false if there is nothing to change, which note says.
func (c *Controller) command(ctx context.Context, split string, by By, note string,
	f func(*splitter.State, Definition, Seed) (Changed, bool, error),
) (Result, error) {
	s, err := c.find(split)
	if err != nil {
		return Result{}, err
	}
	if err := c.reach(ctx); err != nil {
		return Result{}, unavailable(err)
	}
	var done Changed
	made := false
	start := time.Now()
	err = c.untilSwapped(ctx, s, func(prev *splitter.State) (Changed, bool, error) {
		if err := s.stillAt(by.If); err != nil {
			return Changed{}, false, err
		}
		done, made, err = f(prev, c.settled(ctx, s, prev), c.seed())
		return done, made, err
	})
	if err != nil {
		return Result{}, unavailable(err)
	}
	if !made {
		return Result{State: s.State(), Note: note}, nil
	}
	return Result{State: s.State(), Event: done.Event, Took: time.Since(start)}, nil
}

// changesNothing reports whether a change of weights leaves everybody where they are.
func changesNothing(prev, n *splitter.State) bool {
	return n.Changed.Kind == KindWeights && n.Epoch == prev.Epoch && slices.Equal(n.Ranges, prev.Ranges) &&
		reflect.DeepEqual(n.Trickle, prev.Trickle) && reflect.DeepEqual(n.Probe, prev.Probe)
}
