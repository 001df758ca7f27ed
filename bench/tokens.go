package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	maxScanRatio  = 1.10 // of processor time
	maxDelayRatio = 1.05 // of the time that a token takes
)

// scan compares what a token costs a split that looks into answers with what it costs one that does not.
func scan(ctx context.Context, l *lab, s scale) ([]row, error) {
	found := contest{rivals: [2]func(*agent) settings{unreadSettings, splitSettings}, path: chatPath, ask: chatThrough, block: s.chats}
	if err := found.run(ctx, l, s); err != nil {
		return nil, err
	}
	ratio, upper := median(found.ratios), upperBound(found.ratios)
	off := median(found.baseline) / chatTokens
	more := median(found.allocations[1]) - median(found.allocations[0])
	return []row{{
		What:     fmt.Sprintf("classify: processor time per token of %d, %d paired blocks", chatTokens, s.pairs*s.blocks),
		Measured: fmt.Sprintf("median %.3f x, upper bound %.3f x", ratio, upper),
		Baseline: fmt.Sprintf("classify off %.1f us", off),
		Bar:      fmt.Sprintf("median <= %.2f x", maxScanRatio),
		OK:       ratio <= maxScanRatio,
		Figures: map[string]float64{"median_ratio": ratio, "upper_ratio": upper, "off_us": off,
			"least_ratio": quantile(found.ratios, 0), "greatest_ratio": quantile(found.ratios, 1),
			"more_allocations_per_stream": more},
	}}, nil
}

// chatThrough has one chat.
func chatThrough(a *agent, v *visitor) error { return v.chat(a, func(time.Duration) {}) }

// delays are how long tokens took from the agent to their reader in one block, in µs, by the way they went.
type delays [3][]float64

// The ways that a token goes.
const (
	straight = iota // from the agent itself
	byPlain
	bySplit
)

// delay compares how long a token takes through a split and through a plain reverse_proxy. One reader has one chat at a
// time, by turns over both; and some without a proxy, so that what the proxies themselves add can be told. The agent
// writes into each token when it was sent, and the reader on the same machine looks at the same clock. Each block gives
// the medians' ratio.
func delay(ctx context.Context, l *lab, s scale) ([]row, error) {
	var ratios, added, plain []float64
	for range s.pairs {
		blocks, err := delaysOfPair(ctx, l, s)
		if err := errors.Join(err, l.close()); err != nil {
			return nil, err
		}
		for _, b := range blocks {
			direct, theirs, ours := median(b[straight]), median(b[byPlain]), median(b[bySplit])
			ratios, added, plain = append(ratios, ours/theirs), append(added, (ours-direct)/(theirs-direct)), append(plain, theirs)
		}
	}
	ratio, ofAdded := median(ratios), median(added)
	return []row{{
		What:     fmt.Sprintf("delay of a token, p50, %d paired blocks", len(ratios)),
		Measured: fmt.Sprintf("median %.3f x (of what a proxy adds: %.3f x)", ratio, ofAdded),
		Baseline: fmt.Sprintf("plain %.0f us", median(plain)),
		Bar:      fmt.Sprintf("<= %.2f x", maxDelayRatio),
		OK:       ratio <= maxDelayRatio,
		Figures: map[string]float64{"median_ratio": ratio, "upper_ratio": upperBound(ratios), "added_ratio": ofAdded,
			"plain_us": median(plain)},
	}}, nil
}

// delaysOfPair measures the blocks of one pair of proxies.
func delaysOfPair(ctx context.Context, l *lab, s scale) ([]delays, error) {
	a, err := l.startAgent()
	if err != nil {
		return nil, err
	}
	var direct crowd
	if direct, err = l.gather(ctx, 1, a.address, chatPath); err != nil {
		return nil, err
	}
	var proxies [2]crowd
	for i, settings := range []settings{plainSettings(a), splitSettings(a)} {
		r, err := l.startRival(ctx, settings, chatPath, 1)
		if err != nil {
			return nil, err
		}
		proxies[i] = r.crowd
	}
	blocks := make([]delays, 1+s.blocks)
	for i := range blocks {
		// Apart, as whoever comes after the agent itself would find other caches than whoever comes after a proxy.
		err := errors.Join(blocks[i].chat(ctx, a, straight, s.delays, direct), blocks[i].chat(ctx, a, byPlain, s.delays, proxies[:]...))
		if err != nil {
			return nil, err
		}
	}
	return blocks[1:], nil // while the first one is had, connections and pools fill
}

// chat has so many chats with the agent by each of some ways, of which the first is named.
func (d *delays) chat(ctx context.Context, a *agent, first, times int, ways ...crowd) error {
	return takeTurns(ctx, ways, times, func(way int, v *visitor) error {
		return v.chat(a, func(age time.Duration) { d[first+way] = append(d[first+way], inUS(age)) })
	})
}

// inUS returns a duration in microseconds.
func inUS(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
