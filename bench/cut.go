package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// maxCut is how long after a kill the last open stream may end.
const maxCut = 100 * time.Millisecond

// cut kills a split at level cut while streams are open, and measures until the last of their readers has seen the
// end: from the time that the kill carries, which the instance gives it just before it applies it. The clients and the
// agent work for that too, on the same processors, so what else the machine does counts double: the median of several
// kills is held against the bar.
func cut(ctx context.Context, l *lab, s scale) ([]row, error) {
	a, err := l.startAgent()
	if err != nil {
		return nil, err
	}
	p, err := l.startProxy(ctx, splitSettings(a))
	if err != nil {
		return nil, err
	}
	var took []float64 // ms
	for range s.kills {
		c, err := l.openStreams(ctx, p, streamPath, s.cut)
		if err != nil {
			return nil, err
		}
		d, err := cutStreams(ctx, p, c)
		if err != nil {
			return nil, err
		}
		took = append(took, inMS(d))
		if err := revive(ctx, p.control); err != nil {
			return nil, err
		}
	}
	slowest := quantile(took, 1)
	return []row{{
		What:     fmt.Sprintf("kill cut: until all of %d open streams have ended, %d kills", s.cut, s.kills),
		Measured: fmt.Sprintf("median %.0f ms, slowest %.0f ms", median(took), slowest),
		Bar:      fmt.Sprintf("median <= %.0f ms", inMS(maxCut)),
		OK:       median(took) <= inMS(maxCut),
		Figures:  map[string]float64{"median_ms": median(took), "greatest_ms": slowest},
	}}, nil
}

// cutStreams kills the split and returns how long after the kill the last stream ended.
func cutStreams(ctx context.Context, p *proxy, c crowd) (time.Duration, error) {
	ended := make(chan error, 1)
	go func() { ended <- c.each((*visitor).awaitEnd) }()
	answer, err := p.control.Kill(ctx, split, control.KillRequest{Level: splitter.KillCut})
	if err != nil {
		for _, v := range c {
			err = errors.Join(err, v.close())
		}
		return 0, fmt.Errorf("kill the split: %w", errors.Join(err, <-ended))
	}
	if err := <-ended; err != nil {
		return 0, err
	}
	var last time.Duration
	for _, v := range c {
		last = max(last, v.ended.Sub(answer.Event.Kills[0].At))
	}
	return last, nil
}
