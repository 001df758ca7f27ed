package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/switchback-proxy/switchback/store"
)

// alerts: whether somebody would hear of a failback. Each target is sent a test message.
func (p *preflight) alerts(ctx context.Context) finding {
	targets := p.c.told()
	if len(targets) == 0 {
		return misses("nobody is told of a failback: configure `alert`")
	}
	wrong := askAll(targets, func(k *courier) string {
		if err := k.target.Test(ctx); err != nil {
			return fmt.Sprintf("%s: %s", k.target.Name, oneLine(err))
		}
		return ""
	})
	if len(wrong) > 0 {
		return misses("a test message did not arrive: %s", strings.Join(wrong, "; "))
	}
	return isOK("a test message went to %s", allOf(len(targets), "target"))
}

// store: whether it answers, and takes what is written.
func (p *preflight) store(context.Context) finding {
	if p.rollErr != nil {
		return misses("the store does not answer: %s", oneLine(p.rollErr))
	}
	return isOK("the store answers (%s)", p.c.Store().Kind)
}

// persistence: whether the store keeps what it takes.
func (p *preflight) persistence(context.Context) finding {
	d := p.c.Store()
	if d.Warning != "" {
		return warns("changes may be lost: %s", d.Warning)
	}
	return isOK("nothing is known to lose changes")
}

// members: whether all of them have a name of their own, the same configuration and every variant of the split, and decide
// by the present State.
func (p *preflight) members(context.Context) finding {
	if p.rollErr != nil {
		return misses("the fleet's members are not known, as the store does not answer")
	}
	var members []store.Member
	for _, m := range p.roll.Members {
		if mayServe(p.roll, m, p.split.name) {
			members = append(members, m)
		}
	}
	missing, unsure := []string(nil), twinsIn(p.roll, members)
	for _, m := range members {
		switch lack, isSure := p.lack(m); {
		case lack == "":
		case isSure:
			missing = append(missing, lack)
		default:
			unsure = append(unsure, lack)
		}
	}
	switch all := append(missing, unsure...); {
	case len(missing) > 0:
		return misses("%s", strings.Join(all, "; "))
	case len(unsure) > 0:
		return warns("%s", strings.Join(all, "; "))
	}
	return isOK("one configuration and every variant are on %s", allOf(len(members), "member"))
}

// lack says what is missing of one member; isSure is false of one that does not tell, as earlier releases do not.
func (p *preflight) lack(m store.Member) (text string, isSure bool) {
	name := memberText(m, p.roll.Now)
	if !isAlive(p.roll, m) {
		return name + " may still serve; if it is gone for good, `split forget --instance " + m.Name + "`", true
	}
	file, tells := m.Files[p.split.name]
	if !tells {
		return name + " does not tell what its configuration has (an earlier release)", false
	}
	if lack := lackOf(m, p.split.name, p.variants()...); lack != "" {
		return lack, true
	}
	if own, _ := p.split.fileInForce(); own.Hash != file.Hash {
		return fmt.Sprintf("%s has another configuration of the split than %s", name, p.c.id.Name), true
	}
	return "", true
}

// variants lists those of the split: of the State, and of this instance's file.
func (p *preflight) variants() []string {
	p.split.mu.Lock()
	defer p.split.mu.Unlock()
	return p.split.variants()
}

// upstreams: whether the variants of a rollout can be connected to.
func (p *preflight) upstreams(ctx context.Context) finding {
	if p.agents == nil {
		return misses("no configuration in force on this instance has a handler that could ask the agents")
	}
	asked := p.arms()
	found := make([][]Upstream, len(asked))
	wrong := askAll(asked, func(v string) string {
		ups := p.agents.Upstreams(ctx, v)
		found[slices.Index(asked, v)] = ups
		var down []string
		for _, u := range ups {
			if u.Err != nil {
				down = append(down, fmt.Sprintf("%s at %s: %s", v, u.Address, oneLine(u.Err)))
			}
		}
		return strings.Join(down, "; ")
	})
	if len(wrong) > 0 {
		return misses("%s", strings.Join(wrong, "; "))
	}
	n := 0
	for i, v := range asked {
		if n += len(found[i]); len(found[i]) == 0 {
			return warns("it is not known which upstreams %s has", v)
		}
	}
	return isOK("%s of %s can be connected to", allOf(n, "upstream"), strings.Join(asked, " and "))
}

// checks: whether the variants of a rollout answer as configured.
func (p *preflight) checks(ctx context.Context) finding {
	if p.agents == nil {
		return misses("no configuration in force on this instance has a handler that could ask the agents")
	}
	var mu sync.Mutex
	n := 0
	wrong := askAll(p.arms(), func(v string) string {
		checked := p.agents.Check(ctx, v)
		mu.Lock()
		n += len(checked)
		mu.Unlock()
		var failed []string
		for _, check := range checked {
			if check.Err != nil {
				failed = append(failed, fmt.Sprintf("%s, %s: %s", v, check.Name, oneLine(check.Err)))
			}
		}
		return strings.Join(failed, "; ")
	})
	switch {
	case len(wrong) > 0:
		return misses("%s", strings.Join(wrong, "; "))
	case n == 0:
		return warns("nothing was asked of %s: configure a `check`", strings.Join(p.arms(), " and "))
	}
	return isOK("%s answered %d checks", strings.Join(p.arms(), " and "), n)
}

// arms are the variants of a rollout: stable and, if there is one, the canary.
func (p *preflight) arms() []string {
	arms := []string{p.def.Stable, p.def.Canary}
	if p.state != nil {
		arms = []string{p.state.Stable, p.state.Canary}
	}
	return slices.DeleteFunc(arms, func(v string) bool { return v == "" || !p.def.has(v) })
}

// askAll asks about all of a list at the same time, and returns what is not empty of the answers, in the list's order.
func askAll[T any](list []T, ask func(T) string) []string {
	answers := make([]string, len(list))
	var all sync.WaitGroup
	for i, x := range list {
		all.Go(func() { answers[i] = ask(x) })
	}
	all.Wait()
	return slices.DeleteFunc(answers, func(a string) bool { return a == "" })
}
