package main

import (
	"context"
	"time"
)

// rivalVisitors is how many ask the rivals of a contest at once.
const rivalVisitors = 8

// contest compares the processor time and the allocations of two proxies, of which the first is the baseline.
//
// Each pays for its own garbage, and only their processor time is counted, in nanoseconds by the kernel: that of the
// agent and of the clients is not. They run on one processor at a time, since with more of them Go's idle threads spin
// for work, and what they burn doing so depends on the neighbours.
//
// The clients ask both by turns, which halves the spread of blocks in which one proxy works and then the other. Each
// block of such turns gives one ratio. Where the code of a process happens to lie moves its speed by a percent or so for
// as long as it lives: hence several pairs of processes.
type contest struct {
	rivals [2]func(*agent) settings
	path   string
	ask    func(*agent, *visitor) error
	block  int // how often each is asked in a block

	ratios      []float64    // of processor time, one for each block
	baseline    []float64    // processor time of one asking at the first rival in µs, one for each block
	allocations [2][]float64 // of one asking, one for each pair
}

// rival is one of the proxies while it is measured.
type rival struct {
	*proxy
	crowd crowd
}

// pair is the two rivals and the agent behind both.
type pair struct {
	agent  *agent
	rivals [2]rival
}

// run measures as many pairs of proxies as the scale says.
func (c *contest) run(ctx context.Context, l *lab, s scale) error {
	for range s.pairs {
		if err := c.add(ctx, l, s.blocks); err != nil {
			return err
		}
		if err := l.close(); err != nil {
			return err
		}
	}
	return nil
}

// add measures one pair.
func (c *contest) add(ctx context.Context, l *lab, blocks int) error {
	p, err := c.start(ctx, l)
	if err != nil {
		return err
	}
	if err := c.takeTurns(ctx, p); err != nil { // connections and pools fill
		return err
	}
	for range blocks {
		if err := c.measure(ctx, p); err != nil {
			return err
		}
	}
	for i := range p.rivals {
		n, err := c.countAllocations(ctx, p, i)
		if err != nil {
			return err
		}
		c.allocations[i] = append(c.allocations[i], n)
	}
	return nil
}

// start starts both before the same agent.
func (c *contest) start(ctx context.Context, l *lab) (p pair, err error) {
	if p.agent, err = l.startAgent(); err != nil {
		return p, err
	}
	for i, settings := range c.rivals {
		if p.rivals[i], err = l.startRival(ctx, settings(p.agent), c.path, rivalVisitors); err != nil {
			return p, err
		}
	}
	return p, nil
}

// startRival starts a proxy on one processor, with its visitors.
func (l *lab) startRival(ctx context.Context, s settings, path string, visitors int) (r rival, err error) {
	s.procs = 1
	if r.proxy, err = l.startProxy(ctx, s); err != nil {
		return r, err
	}
	r.crowd, err = l.gather(ctx, visitors, r.address, path)
	return r, err
}

// measure measures one block.
func (c *contest) measure(ctx context.Context, p pair) error {
	before, err := p.processorTimes()
	if err != nil {
		return err
	}
	if err := c.takeTurns(ctx, p); err != nil {
		return err
	}
	after, err := p.processorTimes()
	if err != nil {
		return err
	}
	first, second := float64(after[0]-before[0]), float64(after[1]-before[1])
	c.ratios = append(c.ratios, second/first)
	c.baseline = append(c.baseline, first/float64(c.block)/float64(time.Microsecond))
	return nil
}

// processorTimes returns what each has used so far.
func (p pair) processorTimes() (times [2]time.Duration, err error) {
	for i, r := range p.rivals {
		if times[i], err = processorTime(r.cmd.Process.Pid); err != nil {
			return times, err
		}
	}
	return times, nil
}

// takeTurns has each rival asked about as often as a block has it.
func (c *contest) takeTurns(ctx context.Context, p pair) error {
	crowds := []crowd{p.rivals[0].crowd, p.rivals[1].crowd}
	return takeTurns(ctx, crowds, c.block, func(_ int, v *visitor) error { return c.ask(p.agent, v) })
}

// countAllocations counts those of one asking. What asking for the count allocates is subtracted.
func (c *contest) countAllocations(ctx context.Context, p pair, i int) (float64, error) {
	r := p.rivals[i]
	var counts [3]uint64
	for i := range counts {
		m, err := r.memory(ctx, false)
		if err != nil {
			return 0, err
		}
		counts[i] = m.Mallocs
		if i != 1 {
			continue
		}
		err = r.crowd.each(func(v *visitor) error {
			for range c.block / len(r.crowd) {
				if err := c.ask(p.agent, v); err != nil {
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
	return (float64(both) - float64(asking)) / float64(c.block/len(r.crowd)*len(r.crowd)), nil
}
