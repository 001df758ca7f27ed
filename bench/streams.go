package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// maxPerStream is how much more memory an open stream may take than with a plain reverse_proxy, in KiB.
const maxPerStream = 2.0

// streams compares the memory that an open stream takes in a proxy with a split and in a plain one: heap and stacks in
// use after a collection, all streams open less none open. Each figure is from a process of its own that does nothing
// else; the median of a few is taken.
func streams(ctx context.Context, l *lab, s scale) ([]row, error) {
	var found [2][]float64
	for range s.rounds {
		for i, settings := range []func(*agent) settings{plainSettings, splitSettings} {
			each, err := memoryOfStreams(ctx, l, settings, s.streams)
			if err := errors.Join(err, l.close()); err != nil {
				return nil, err
			}
			found[i] = append(found[i], each)
		}
	}
	plain, ours := median(found[0]), median(found[1])
	return []row{{
		What:     fmt.Sprintf("memory per open SSE stream, %d open", s.streams),
		Measured: fmt.Sprintf("%+.2f KiB", ours-plain),
		Baseline: fmt.Sprintf("plain %.2f KiB", plain),
		Bar:      fmt.Sprintf("<= %+.0f KiB", maxPerStream),
		OK:       ours-plain <= maxPerStream,
		Figures:  map[string]float64{"split_kib": ours, "plain_kib": plain},
	}}, nil
}

// memoryOfStreams opens n streams through a new proxy and returns what each takes there, in KiB.
func memoryOfStreams(ctx context.Context, l *lab, settings func(*agent) settings, n int) (float64, error) {
	a, err := l.startAgent()
	if err != nil {
		return 0, err
	}
	p, err := l.startProxy(ctx, settings(a))
	if err != nil {
		return 0, err
	}
	const first = 20 // streams that make what is made once
	if _, err := l.openStreams(ctx, p, first); err != nil {
		return 0, err
	}
	before, err := p.memory(ctx, true)
	if err != nil {
		return 0, err
	}
	if _, err := l.openStreams(ctx, p, n); err != nil {
		return 0, err
	}
	after, err := p.memory(ctx, true)
	if err != nil {
		return 0, err
	}
	grown := float64(after.HeapInuse+after.StackInuse) - float64(before.HeapInuse+before.StackInuse)
	return grown / float64(n) / 1024, nil
}

// openStreams opens n streams, each of which has brought its first event. They are closed with the lab.
func (l *lab) openStreams(ctx context.Context, p *proxy, n int) (crowd, error) {
	c, err := l.gather(ctx, n, p.address, streamPath)
	if err != nil {
		return nil, err
	}
	const atOnce = 50 // more would only find the listener's queue full
	for some := range slices.Chunk(c, atOnce) {
		if err := some.each((*visitor).open); err != nil {
			return nil, fmt.Errorf("open %d streams: %w", n, err)
		}
	}
	return c, nil
}
