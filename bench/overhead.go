package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// The bars of the handler's overhead.
const (
	maxRatio       = 1.05 // of processor time, median
	maxRatioUpper  = 1.10 // and its upper bound
	maxAllocations = 16.0 // more for each request
)

// overheadVisitors is how many requests are under way at once.
const overheadVisitors = 8

// overhead compares the processor time and the allocations of a request through traffic_split with those of a plain
// reverse_proxy.
//
// Both are proxies of their own, so that each pays for its own garbage, and only their processor time is counted, in
// nanoseconds by the kernel: that of the agent and of the clients is not. They run on one processor at a time, since
// with more of them Go's idle threads spin for work, and what they burn doing so depends on the neighbours.
//
// Each client asks both by turns, request by request (plain, split, split, plain): whatever else the machine does
// befalls both alike. Each block of such turns gives one ratio. That halves the spread of blocks in which one proxy
// works and then the other. Where the code of a process happens to lie moves its speed by a percent or so for as long
// as it lives: hence several pairs of processes.
func overhead(ctx context.Context, l *lab, s scale) ([]row, error) {
	var found contest
	for range s.pairs {
		if err := found.add(ctx, l, s); err != nil {
			return nil, err
		}
		if err := l.close(); err != nil {
			return nil, err
		}
	}
	return found.rows(s), nil
}

// contest is what was found out about plain and split.
type contest struct {
	ratios      []float64 // of processor time, one for each block
	plain       []float64 // processor time of a request in µs, one for each block
	allocations [2][]float64
}

// contestant is one of the two proxies while it is measured.
type contestant struct {
	*proxy
	crowd crowd
}

// pair is plain and split.
type pair [2]contestant

// add measures one pair of proxies.
func (c *contest) add(ctx context.Context, l *lab, s scale) error {
	p, err := startPair(ctx, l)
	if err != nil {
		return err
	}
	if err := p.takeTurns(ctx, s.block); err != nil { // connections and pools fill
		return err
	}
	for range s.blocks {
		if err := c.block(ctx, p, s.block); err != nil {
			return err
		}
	}
	for i, one := range p {
		a, err := one.allocations(ctx, s.block)
		if err != nil {
			return err
		}
		c.allocations[i] = append(c.allocations[i], a)
	}
	return nil
}

// startPair starts a plain proxy and a split one before the same agent.
func startPair(ctx context.Context, l *lab) (pair, error) {
	var p pair
	a, err := l.startAgent()
	if err != nil {
		return p, err
	}
	for i, s := range []settings{plainSettings(a), splitSettings(a)} {
		s.procs = 1
		if p[i].proxy, err = l.startProxy(ctx, s); err != nil {
			return p, err
		}
		if p[i].crowd, err = l.gather(ctx, overheadVisitors, p[i].address, "/"); err != nil {
			return p, err
		}
	}
	return p, nil
}

// plainSettings are those of a reverse_proxy without us.
func plainSettings(a *agent) settings {
	return settings{name: "plain", site: "reverse_proxy " + a.address}
}

// splitSettings are those of a split of which both variants go to the same agent.
func splitSettings(a *agent) settings {
	return settings{name: "split", app: "store embedded", site: fmt.Sprintf(`traffic_split %s {
		key header X-User-ID
		stable blue
		canary green
		variant blue 50%% %s
		variant green 50%% %s
	}`, split, a.address, a.address)}
}

// block measures one ratio.
func (c *contest) block(ctx context.Context, p pair, requests int) error {
	before, err := p.processorTimes()
	if err != nil {
		return err
	}
	if err := p.takeTurns(ctx, requests); err != nil {
		return err
	}
	after, err := p.processorTimes()
	if err != nil {
		return err
	}
	plain, ours := float64(after[0]-before[0]), float64(after[1]-before[1])
	c.ratios = append(c.ratios, ours/plain)
	c.plain = append(c.plain, plain/float64(requests)/float64(time.Microsecond))
	return nil
}

// processorTimes returns what each has used so far.
func (p pair) processorTimes() (times [2]time.Duration, err error) {
	for i := range p {
		if times[i], err = processorTime(p[i].cmd.Process.Pid); err != nil {
			return times, err
		}
	}
	return times, nil
}

// takeTurns makes about so many requests to each.
func (p pair) takeTurns(ctx context.Context, requests int) error {
	var clients sync.WaitGroup
	errs := make([]error, overheadVisitors)
	for i := range errs {
		clients.Go(func() {
			for n := range requests / len(errs) / 2 {
				for _, turn := range []int{0, 1, 1, 0} {
					p[turn].crowd[i].become(overheadUser(i, n))
					if _, err := p[turn].crowd[i].ask(); err != nil {
						errs[i] = err
						return
					}
				}
			}
		})
	}
	clients.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// overheadUser is the nth user of a visitor: there are so many that nobody asks often enough for a request that is no
// evidence, which costs less.
func overheadUser(visitor, n int) string {
	return "user-" + strconv.Itoa(visitor) + "-" + strconv.Itoa(n%1000)
}

// allocations counts the allocations of one request. What asking for the count allocates is subtracted.
func (p contestant) allocations(ctx context.Context, requests int) (float64, error) {
	var counts [3]uint64
	each := requests / len(p.crowd)
	for i := range counts {
		m, err := p.memory(ctx, false)
		if err != nil {
			return 0, err
		}
		counts[i] = m.Mallocs
		if i != 1 {
			continue
		}
		err = p.crowd.each(func(v *visitor) error {
			for n := range each {
				v.become(overheadUser(0, n))
				if _, err := v.ask(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	asking, both := counts[1]-counts[0], counts[2]-counts[1]
	return (float64(both) - float64(asking)) / float64(each*len(p.crowd)), nil
}

func (c *contest) rows(s scale) []row {
	ratio, upper := median(c.ratios), upperBound(c.ratios)
	plain, ours := median(c.allocations[0]), median(c.allocations[1])
	return []row{{
		What:     fmt.Sprintf("handler's processor time per request, %d paired blocks", s.pairs*s.blocks),
		Measured: fmt.Sprintf("median %.3f x, upper bound %.3f x", ratio, upper),
		Baseline: fmt.Sprintf("plain %.0f us", median(c.plain)),
		Bar:      fmt.Sprintf("<= %.2f x, <= %.2f x", maxRatio, maxRatioUpper),
		OK:       ratio <= maxRatio && upper <= maxRatioUpper,
		Figures: map[string]float64{"median_ratio": ratio, "upper_ratio": upper, "plain_us": median(c.plain),
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
