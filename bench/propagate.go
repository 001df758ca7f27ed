package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// The bars of a change's way from one process to another.
const (
	maxPropagate = 25 * time.Millisecond   // 99th percentile
	maxPolled    = 1200 * time.Millisecond // the slowest
)

// fleet is two proxies on one Redis: changes are made at one, and seen in what the other serves.
type fleet struct {
	here *proxy
	seen *visitor // of the other, who asks all the time
	echo *echo
	took []time.Duration
}

// propagate measures from the call at one proxy to the first answer that another one gives by the change: the control
// call, the write, the announcement, taking it in, and one request over a connection that is open. Beside each change
// one message is published and received here, so that what Redis and the machine take is known.
func propagate(ctx context.Context, l *lab, s scale) ([]row, error) {
	f, err := startFleet(ctx, l, func(address string) (string, error) { return address, nil })
	if err != nil {
		return nil, err
	}
	if err := f.makeChanges(ctx, s.changes); err != nil {
		return nil, err
	}
	p50, p99 := quantile(f.took, 0.5), quantile(f.took, 0.99)
	return []row{{
		What:     fmt.Sprintf("weight change or kill -> served by another process on one Redis, %d changes", len(f.took)),
		Measured: fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", inMS(p50), inMS(p99)),
		Baseline: f.echo.words(),
		Bar:      fmt.Sprintf("p99 <= %.0f ms", inMS(maxPropagate)),
		OK:       p99 <= maxPropagate,
		Figures: f.echo.figures(map[string]float64{"p50_ms": inMS(p50), "p99_ms": inMS(p99),
			"greatest_ms": inMS(quantile(f.took, 1))}),
	}}, nil
}

// polled measures the same where the other process hears no announcements, so that it must look for itself. Each
// change is made soon after the other process has looked: nearly all of the time until it looks again has to pass,
// which is the worst case.
func polled(ctx context.Context, l *lab, s scale) ([]row, error) {
	var relay *relay
	f, err := startFleet(ctx, l, func(address string) (_ string, err error) {
		if relay, err = l.startDeafRelay(address); err != nil {
			return "", err
		}
		return relay.address(), nil
	})
	if err != nil {
		return nil, err
	}
	if err := f.makeChanges(ctx, s.polled); err != nil {
		return nil, err
	}
	if relay.lost.Load() == 0 {
		return nil, errors.New("no announcement was lost on the way: the other proxy did not subscribe through the relay")
	}
	p50, slowest := quantile(f.took, 0.5), quantile(f.took, 1)
	return []row{{
		What:     fmt.Sprintf("the same with pub/sub cut, %d changes", len(f.took)),
		Measured: fmt.Sprintf("p50 %.0f ms, slowest %.0f ms", inMS(p50), inMS(slowest)),
		Baseline: f.echo.words(),
		Bar:      fmt.Sprintf("slowest <= %.0f ms", inMS(maxPolled)),
		OK:       slowest <= maxPolled,
		Figures:  f.echo.figures(map[string]float64{"p50_ms": inMS(p50), "greatest_ms": inMS(slowest)}),
	}}, nil
}

// startFleet starts a Redis and two proxies on it. The second reaches it by the path that is found to its address.
func startFleet(ctx context.Context, l *lab, path func(address string) (string, error)) (*fleet, error) {
	client, err := l.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	f := new(fleet)
	if f.echo, err = l.newEcho(ctx, client); err != nil {
		return nil, err
	}
	if f.here, err = l.startProxy(ctx, fleetSettings("here", client.Options().Addr)); err != nil {
		return nil, err
	}
	address, err := path(client.Options().Addr)
	if err != nil {
		return nil, err
	}
	there, err := l.startProxy(ctx, fleetSettings("there", address))
	if err != nil {
		return nil, err
	}
	if f.seen, err = visit(ctx, there.address, "/", "user-1"); err != nil {
		return nil, err
	}
	l.atEnd(f.seen.close)
	return f, nil
}

// fleetSettings are those of a proxy on a Redis whose variants answer by themselves. Nothing is compared, so that a canary
// can be given everybody.
func fleetSettings(name, address string) settings {
	return settings{name: name, app: fmt.Sprintf("instance %s\nstore redis {\nurl redis://%s\n}", name, address),
		site: fmt.Sprintf(`traffic_split %s {
		key header X-User-ID
		stable blue
		canary green
		failback off
		response_header X-Variant
		variant blue 100%% {
			handle {
				respond "blue"
			}
		}
		variant green 0%% {
			handle {
				respond "green"
			}
		}
	}`, split)}
}

// change is something that is done to a split, and how its effect is seen.
type change struct {
	do       func(context.Context, *control.Client) error
	seen     func(answer) bool
	measured bool
}

// changes are done by turns.
var changes = []change{
	{weigh(splitter.Full), serves("green"), true},
	{kill, refuses, true},
	{revive, serves("green"), false},
	{weigh(0), serves("blue"), true},
	{kill, refuses, true},
	{revive, serves("blue"), false},
}

func weigh(green splitter.Weight) func(context.Context, *control.Client) error {
	return func(ctx context.Context, c *control.Client) error {
		_, err := c.SetWeights(ctx, split, control.WeightsRequest{Weights: map[string]splitter.Weight{"green": green}})
		return err
	}
}

func kill(ctx context.Context, c *control.Client) error {
	_, err := c.Kill(ctx, split, control.KillRequest{})
	return err
}

func revive(ctx context.Context, c *control.Client) error {
	_, err := c.Revive(ctx, split, control.ReviveRequest{})
	return err
}

func serves(variant string) func(answer) bool {
	return func(a answer) bool {
		return a.status == http.StatusOK && a.header.Get("X-Variant") == variant
	}
}

func refuses(a answer) bool { return a.status == http.StatusServiceUnavailable }

// rest is the time between two changes. People make them one at a time; and a proxy that has applied one looks once
// more at the store to say so, which would find the next one early.
const rest = 50 * time.Millisecond

// makeChanges makes changes until n were measured.
func (f *fleet) makeChanges(ctx context.Context, n int) error {
	for i := 0; len(f.took) < n; i++ {
		if err := wait(ctx, rest); err != nil {
			return err
		}
		c := changes[i%len(changes)]
		took, err := f.make(ctx, c)
		if err != nil {
			return err
		}
		if !c.measured {
			continue
		}
		f.took = append(f.took, took)
		if err := f.echo.measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// make makes one change here, and returns after which time it was seen there.
func (f *fleet) make(ctx context.Context, c change) (time.Duration, error) {
	const limit = 10 * time.Second
	began := time.Now()
	var at time.Time
	seen := make(chan error, 1)
	go func() {
		for {
			a, err := f.seen.ask()
			at = time.Now()
			if err == nil && !c.seen(a) && at.Sub(began) < limit {
				continue
			}
			if err == nil && !c.seen(a) {
				err = fmt.Errorf("the other proxy does not serve by it after %s", limit)
			}
			seen <- err
			return
		}
	}()
	err := c.do(ctx, f.here.control)
	if err := errors.Join(err, <-seen); err != nil {
		return 0, fmt.Errorf("change the split: %w", err)
	}
	return at.Sub(began), nil
}

// words says what Redis itself takes.
func (e *echo) words() string {
	return fmt.Sprintf("publish -> receive p50 %.1f ms, p99 %.1f ms", inMS(quantile(e.took, 0.5)), inMS(quantile(e.took, 0.99)))
}

// figures adds what Redis itself takes.
func (e *echo) figures(f map[string]float64) map[string]float64 {
	f["redis_p50_ms"], f["redis_p99_ms"] = inMS(quantile(e.took, 0.5)), inMS(quantile(e.took, 0.99))
	return f
}
