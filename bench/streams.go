package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// How much more memory an open stream may take than with a plain reverse_proxy, in KiB.
const (
	maxPerStream = 4.0
	maxPerUnread = 2.0 // with classify off
)

// streams compares the memory that an open stream takes in a proxy with a split, one that looks into answers and one
// that does not, with what it takes in a plain one: heap and stacks in use after a collection, all streams open less
// none open. The streams are chats of which a token has come. Each figure is from a process of its own that does nothing
// else; the median of a few is taken.
func streams(ctx context.Context, l *lab, s scale) ([]row, error) {
	var found [3][]float64
	for range s.rounds {
		for i, settings := range []func(*agent) settings{plainSettings, unreadSettings, splitSettings} {
			each, err := memoryOfStreams(ctx, l, settings, s.streams)
			if err := errors.Join(err, l.close()); err != nil {
				return nil, err
			}
			found[i] = append(found[i], each)
		}
	}
	plain, off, auto := median(found[0]), median(found[1]), median(found[2])
	return []row{
		streamsRow(s, "classify off", plain, off, maxPerUnread),
		streamsRow(s, "classify auto", plain, auto, maxPerStream),
	}, nil
}

func streamsRow(s scale, option string, plain, ours, most float64) row {
	return row{
		What:     fmt.Sprintf("memory per open SSE stream, %s, %d open", option, s.streams),
		Measured: fmt.Sprintf("%+.2f KiB", ours-plain),
		Baseline: fmt.Sprintf("plain %.2f KiB", plain),
		Bar:      fmt.Sprintf("<= %+.0f KiB", most),
		OK:       ours-plain <= most,
		Figures:  map[string]float64{"split_kib": ours, "plain_kib": plain},
	}
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
	if _, err := l.openStreams(ctx, p, chatPath, first); err != nil {
		return 0, err
	}
	before, err := p.memory(ctx, true)
	if err != nil {
		return 0, err
	}
	if _, err := l.openStreams(ctx, p, chatPath, n); err != nil {
		return 0, err
	}
	after, err := p.memory(ctx, true)
	if err != nil {
		return 0, err
	}
	grown := float64(after.HeapInuse+after.StackInuse) - float64(before.HeapInuse+before.StackInuse)
	return grown / float64(n) / 1024, nil
}

// openStreams opens n streams of a path, each of which has brought its first event. They are closed with the lab.
func (l *lab) openStreams(ctx context.Context, p *proxy, path string, n int) (crowd, error) {
	c, err := l.gather(ctx, n, p.address, path)
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
