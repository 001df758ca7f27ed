//go:build unix

package rollout_test

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// deedKind is what somebody does in a step of a schedule, or what befalls the fleet.
type deedKind int

const (
	// What people ask for.
	setWeight deedKind = iota
	killSomething
	reviveSomething
	orderKill   // by redis-cli, into the break-glass inbox
	orderRevive // the same
	// What befalls one instance's way to Redis.
	fallIll
	heal
	// What befalls the fleet's keys.
	copyKeys  // somebody keeps a copy of them
	goBack    // they are the copy's again
	goEmpty   // they are gone
	comeApart // some instances have another Redis from here on, a copy of the one
	comeTogether
	// What befalls a process and its disk.
	goodbye   // it ends as it should
	crash     // it ends at once; its disk keeps what it had at that moment
	copyDisk  // somebody keeps a copy of its disk
	loseDisk  // it ends at once, and its disk is lost
	rise      // it starts again, with its disk
	riseOlder // it starts again with the copy of its disk
)

// String names a kind as a schedule's log does.
func (k deedKind) String() string {
	return [...]string{"weight", "kill", "revive", "order a kill", "order a revival", "wire", "heal", "copy the keys",
		"keys go back to the copy", "keys are lost", "halves", "halves meet again", "ends with a goodbye", "crashes",
		"disk is copied", "crashes and loses its disk", "rises", "rises with the copied disk"}[k]
}

// drawn is how often each kind is drawn, relative to the others.
var drawn = map[deedKind]int{
	setWeight: 12, killSomething: 8, reviveSomething: 4, orderKill: 2, orderRevive: 1,
	fallIll: 12, heal: 4,
	copyKeys: 3, goBack: 3, goEmpty: 1, comeApart: 2, comeTogether: 2,
	goodbye: 1, crash: 2, copyDisk: 1, loseDisk: 1, rise: 4, riseOlder: 1,
}

// step is one thing that happens in a schedule, and how long it is until the next.
type step struct {
	kind  deedKind
	who   int // instance
	share splitter.Weight
	// variant is what is killed or revived; empty: the whole split, or every kill.
	variant string
	illness illness
	// apart says which instances have the other Redis.
	apart []bool
	pause time.Duration
}

// String describes a step as a schedule's log does.
func (s step) String() string {
	text := fmt.Sprintf("proxy-%d: %s", s.who+1, s.kind)
	switch s.kind {
	case setWeight:
		text += fmt.Sprintf(" green %s", s.share)
	case killSomething, reviveSomething:
		text += fmt.Sprintf(" %q", s.variant)
	case fallIll:
		text += " " + s.illness.String()
	case comeApart:
		var others []string
		for i, isApart := range s.apart {
			if isApart {
				others = append(others, fmt.Sprintf("proxy-%d", i+1))
			}
		}
		text = fmt.Sprintf("halves: %s apart", strings.Join(others, " "))
	case orderKill, orderRevive, copyKeys, goBack, goEmpty, comeTogether:
		text = s.kind.String()
	}
	return text
}

// schedule is what happens to a fleet, one step after the other; what is asked for is not waited for.
type schedule struct {
	instances int
	steps     []step
}

// String lists the steps.
func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d instances", s.instances)
	for i, step := range s.steps {
		fmt.Fprintf(&b, "\n%4d. %v, then %v", i+1, step, step.pause)
	}
	return b.String()
}

// drawSchedule draws a schedule of 3 or 4 instances.
func drawSchedule(t *rapid.T) schedule {
	s := schedule{instances: 3 + evenly(t, "instances", 2)}
	s.steps = rapid.SliceOfN(stepOf(s.instances), 6, 20).Draw(t, "steps")
	return s
}

// evenly draws a number below n. Unlike rapid's own generators it does not prefer small ones: no fault is the smallest.
func evenly(t *rapid.T, label string, n int) int {
	number := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 12, 12).Draw(t, label) {
		number *= 2
		if bit {
			number++
		}
	}
	return number * n >> 12
}

// pauses are how long it may be, in milliseconds, until the next step.
var pauses = []time.Duration{0, 0, 0, 1, 2, 5, 10, 20, 40}

// stepOf draws one step for a fleet of n.
func stepOf(n int) *rapid.Generator[step] {
	var kinds []deedKind
	for kind := range deedKind(len(drawn)) {
		for range drawn[kind] {
			kinds = append(kinds, kind)
		}
	}
	return rapid.Custom(func(t *rapid.T) step {
		s := step{kind: kinds[evenly(t, "kind", len(kinds))], who: evenly(t, "who", n),
			pause: pauses[evenly(t, "pause", len(pauses))] * time.Millisecond}
		switch s.kind {
		case setWeight:
			s.share = splitter.Weight(evenly(t, "share", 101)) * percent
		case killSomething, reviveSomething:
			s.variant = []string{"", "green"}[evenly(t, "variant", 2)]
		case fallIll:
			s.illness = drawIllness(t)
		case comeApart:
			s.apart = rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "apart")
		}
		return s
	})
}

// drawIllness draws what befalls a wire.
func drawIllness(t *rapid.T) illness {
	i := illness{ail: severed + ail(evenly(t, "ail", int(deaf)))}
	if i.ail != severed && i.ail != deaf {
		i.strikes = evenly(t, "strikes", 5)
		i.choosy = rapid.Bool().Draw(t, "choosy")
	}
	return i
}
