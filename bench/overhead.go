package main

import (
	"context"
	"fmt"
	"strconv"
)

// The bars of the handler's overhead.
const (
	maxRatio       = 1.05 // of processor time, median
	maxRatioUpper  = 1.10 // and its upper bound
	maxAllocations = 16.0 // more for each request
)

// overhead compares the processor time and the allocations of a request through traffic_split with those of a plain
// reverse_proxy.
func overhead(ctx context.Context, l *lab, s scale) ([]row, error) {
	found := contest{rivals: [2]func(*agent) settings{plainSettings, splitSettings}, path: "/", ask: askAsMany, block: s.block}
	if err := found.run(ctx, l, s); err != nil {
		return nil, err
	}
	return overheadRows(&found, s), nil
}

// askAsMany makes one request, each of the visitor's as another of many users: what one user asks beyond a handful is no
// evidence, and costs less.
func askAsMany(_ *agent, v *visitor) error {
	v.asked++
	v.become(v.first + "-" + strconv.Itoa(v.asked%1000))
	_, err := v.ask()
	return err
}

// plainSettings are those of a reverse_proxy without us.
func plainSettings(a *agent) settings {
	return settings{name: "plain", site: "reverse_proxy " + a.address}
}

// splitSettings are those of a split of which both variants go to the same agent.
func splitSettings(a *agent) settings { return splitWith(a, "") }

// unreadSettings are those of the same split if it does not look into answers.
func unreadSettings(a *agent) settings { return splitWith(a, "classify off") }

func splitWith(a *agent, option string) settings {
	return settings{name: "split", app: "store embedded", site: fmt.Sprintf(`traffic_split %s {
		key header X-User-ID
		stable blue
		canary green
		variant blue 50%% %s
		variant green 50%% %s
		%s
	}`, split, a.address, a.address, option)}
}

func overheadRows(c *contest, s scale) []row {
	ratio, upper := median(c.ratios), upperBound(c.ratios)
	plain, ours := median(c.allocations[0]), median(c.allocations[1])
	return []row{{
		What:     fmt.Sprintf("handler's processor time per request, %d paired blocks", s.pairs*s.blocks),
		Measured: fmt.Sprintf("median %.3f x, upper bound %.3f x", ratio, upper),
		Baseline: fmt.Sprintf("plain %.0f us", median(c.baseline)),
		Bar:      fmt.Sprintf("<= %.2f x, <= %.2f x", maxRatio, maxRatioUpper),
		OK:       ratio <= maxRatio && upper <= maxRatioUpper,
		Figures: map[string]float64{"median_ratio": ratio, "upper_ratio": upper, "plain_us": median(c.baseline),
			"least_ratio": quantile(c.ratios, 0), "greatest_ratio": quantile(c.ratios, 1)},
	}, {
		What:     "handler's allocations per request",
		Measured: fmt.Sprintf("%+.1f", ours-plain),
		Baseline: fmt.Sprintf("plain %.1f", plain),
		Bar:      fmt.Sprintf("<= %+.0f", maxAllocations),
		OK:       ours-plain <= maxAllocations,
		Figures:  map[string]float64{"split_allocations": ours, "plain_allocations": plain},
	}}
}
