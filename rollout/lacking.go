package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// lackOf names the first of some variants that a member's file for a split does not have; empty if it has all of them. A
// release that does not tell of its files is not held against a member.
func lackOf(m store.Member, split string, variants ...string) string {
	file, tells := m.Files[split]
	if !tells {
		return ""
	}
	for _, v := range variants {
		if v != "" && !slices.Contains(file.Variants, v) {
			return fmt.Sprintf("%s has no variant %s", m.Name, v)
		}
	}
	return ""
}

// lacking says of each living member whose file lacks one of some variants so, a sentence each.
func lacking(p store.Pulse, split string, variants ...string) (list []string) {
	for _, m := range p.Members {
		if _, runs := m.Applied[split]; !runs || !isAlive(p, m) {
			continue
		}
		if text := lackOf(m, split, variants...); text != "" {
			list = append(list, text)
		}
	}
	return named(list)
}

// lackNote says which living members have none of a variant that a State gives something, or another version of its canary,
// as they are listed now, or were last.
func (c *Controller) lackNote(ctx context.Context, state *splitter.State) string {
	p, err := c.roll(ctx)
	if err != nil {
		p = rollOf(c.called.Load())
	}
	var notes []string
	if list := lacking(p, state.Split, state.Stable); len(list) > 0 {
		notes = append(notes, strings.Join(list, "; ")+": what is stable by its own file serves everybody there, and it is not ready")
	}
	if w := state.Weights()[state.Canary]; w > 0 {
		if list := lacking(p, state.Split, state.Canary); len(list) > 0 {
			notes = append(notes, fmt.Sprintf("%s: %s serves its share there", strings.Join(list, "; "), state.Stable))
		}
	}
	return strings.Join(append(notes, mixed(p, state)...), "; ")
}

// named cuts a list of sentences about members off where nobody reads on.
func named(list []string) []string {
	if more := len(list) - maxNamed; more > 0 {
		list = append(list[:maxNamed], fmt.Sprintf("and %d members more", more))
	}
	return list
}
