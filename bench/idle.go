package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The bars of a proxy that has nothing to do.
const (
	maxRoundTrips = 1.0  // a second
	maxIdleCPU    = 0.01 // of a processor
)

const (
	// idleSplits is how many splits it has.
	idleSplits = 100
	// settling is how long a proxy is left alone before it counts as idle.
	settling = 3 * time.Second
)

// idle measures what a proxy with many splits and no traffic asks of Redis, and of its own machine: beside a proxy with
// the same splits on its own disk.
func idle(ctx context.Context, l *lab, s scale) ([]row, error) {
	client, err := l.startRedis(ctx)
	if err != nil {
		return nil, err
	}
	way, err := l.startRelay(client.Options().Addr)
	if err != nil {
		return nil, err
	}
	fleet, err := l.startProxy(ctx, idleSettings(fmt.Sprintf("store redis {\nurl redis://%s\n}", way.address())))
	if err != nil {
		return nil, err
	}
	alone, err := l.startProxy(ctx, idleSettings("store embedded"))
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, settling); err != nil {
		return nil, err
	}
	asked := way.asked.Load()
	shares, err := sharesOf(ctx, s.idle, fleet, alone)
	if err != nil {
		return nil, err
	}
	asked = way.asked.Load() - asked
	trips := float64(asked) / s.idle.Seconds()
	return []row{{
		What:     fmt.Sprintf("idle proxy with %d splits: round trips to Redis", idleSplits),
		Measured: fmt.Sprintf("%.2f a second", trips),
		Bar:      fmt.Sprintf("<= %.1f a second", maxRoundTrips),
		OK:       float64(asked-1) <= maxRoundTrips*s.idle.Seconds(), // both ends of the time may see one
		Figures:  map[string]float64{"round_trips_per_s": trips},
	}, {
		What:     fmt.Sprintf("idle proxy with %d splits: processor time", idleSplits),
		Measured: fmt.Sprintf("%.2f %% of a core", shares[0]*100),
		Baseline: fmt.Sprintf("embedded store %.2f %%", shares[1]*100),
		Bar:      fmt.Sprintf("<= %.0f %%", maxIdleCPU*100),
		OK:       shares[0] <= maxIdleCPU,
		Figures:  map[string]float64{"cpu_percent": shares[0] * 100, "embedded_cpu_percent": shares[1] * 100},
	}}, nil
}

// sharesOf returns the share of a processor that each proxy uses for a time.
func sharesOf(ctx context.Context, d time.Duration, proxies ...*proxy) ([]float64, error) {
	shares := make([]float64, len(proxies))
	for sign, pause := range []time.Duration{d, 0} {
		for i, p := range proxies {
			t, err := processorTime(p.cmd.Process.Pid)
			if err != nil {
				return nil, err
			}
			shares[i] += float64(2*sign-1) * t.Seconds() / d.Seconds()
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
	return shares, nil
}

// idleSettings are those of a proxy with many splits, none of which has a trial under way.
func idleSettings(app string) settings {
	var site strings.Builder
	for n := range idleSplits {
		fmt.Fprintf(&site, `	handle /%d/* {
		traffic_split %s-%d {
			key header X-User-ID
			stable blue
			canary green
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
		}
	}
`, n, split, n)
	}
	return settings{name: "idle", app: "instance idle\n" + app, site: site.String()}
}
