package sim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/sim/fleet"
	"github.com/switchback-proxy/switchback/splitter"
)

// lanesVar says how many hundreds of schedules are played: `make sim-rollouts` has twenty.
const lanesVar = "SWITCHBACK_SIM_ROLLOUTS_HUNDREDS"

// deed is one thing that somebody or fate does in a schedule, and how many seconds pass after it.
type deed struct {
	what    string
	who     int // the instance
	words   []string
	step    int
	seconds int
}

// String returns the deed as schedules are printed.
func (d deed) String() string {
	return fmt.Sprintf("%s %v step %d at %d, %d s", d.what, d.words, d.step, d.who+1, d.seconds)
}

// schedule is a random rollout and what befalls it.
type schedule struct {
	instances int
	seed      uint64
	rate      int
	plan      rollout.Plan
	deeds     []deed
}

// deeds lists what can be done, each as often as it is likely.
var deeds = strings.Fields(`start start start start retry retry pause resume resume resume approve approve approve promote
	abort kill kill revive revive revive switch switch-back rollback
	crash crash rise rise stop fault fault fault heal heal outage heal-all skew deny take
	ill ill slow well well well open open shut doom wait wait wait wait wait wait`)

// evenly draws a number below n: rapid's own numbers are mostly small.
func evenly(t *rapid.T, label string, n int) (at int) {
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 12, 12).Draw(t, label) {
		at *= 2
		if bit {
			at++
		}
	}
	return at * n >> 12
}

// drawOf draws one of some.
func drawOf[T any](t *rapid.T, label string, list ...T) T { return list[evenly(t, label, len(list))] }

func drawPlan(t *rapid.T) rollout.Plan {
	p := rollout.DefaultPlan()
	p.Steps = nil
	for _, w := range drawOf(t, "steps", []int{10, 100}, []int{10, 50, 100}, []int{5, 20, 50, 100}) {
		p.Steps = append(p.Steps, rollout.Step{Weight: percent * splitter.Weight(w), Bake: seconds(1 + evenly(t, "bake", 6))})
	}
	p.Steps[len(p.Steps)-1].Bake = 0
	p.MinRequests, p.MinUsers = evenly(t, "min_requests", 25), evenly(t, "min_users", 10)
	p.Watch, p.NoTraffic = seconds(2+evenly(t, "watch", 8)), health.Duration(time.Minute)
	last := p.Steps[len(p.Steps)-1].Weight
	if evenly(t, "approval", 4) == 0 {
		p.Gates = append(p.Gates, rollout.Gate{Approval: true, Before: last})
	}
	if evenly(t, "webhook", 4) == 0 {
		p.Gates = append(p.Gates, rollout.Gate{Webhook: "http://gate.test/", Timeout: seconds(1), Before: last})
	}
	if evenly(t, "on_fail", 3) == 0 {
		p.OnFail = rollout.OnFailPause
	}
	return p
}

func seconds(n int) health.Duration { return health.Duration(time.Duration(n) * time.Second) }

func drawSchedule(t *rapid.T) schedule {
	s := schedule{instances: 1 + evenly(t, "instances", 3), seed: rapid.Uint64().Draw(t, "seed"),
		rate: 10 + evenly(t, "rate", 50), plan: drawPlan(t)}
	s.deeds = append(s.deeds, deed{what: "start", seconds: 3})
	if evenly(t, "calm", 8) == 0 { // as most rollouts are
		s.deeds = append(s.deeds, deed{what: "open", seconds: 60}, deed{what: "approve", step: len(s.plan.Steps), seconds: 30})
		return s
	}
	s.deeds = append(s.deeds, rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		d := deed{what: drawOf(t, "what", deeds...), who: evenly(t, "who", s.instances),
			seconds: drawOf(t, "seconds", 0, 0, 1, 2, 3, 5, 8), step: evenly(t, "step", 5)}
		for _, word := range []string{"force", "full", "blue"} {
			if evenly(t, word, 3) == 0 {
				d.words = append(d.words, word)
			}
		}
		return d
	}), 6, 24).Draw(t, "deeds")...)
	return s
}

// tallied counts what happened in all schedules together, so that it is seen that they do something.
type tallied struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tallied) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what] += n
}

// String lists the counts.
func (c *tallied) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&b, "\n%8d %s", c.counts[what], what)
	}
	return b.String()
}

// TestRolloutSchedules lets everything befall fleets that roll out: crashes, partitions, a store that is away, slow or
// loses its answers, commands that race, canaries that fail. Whatever happens, what invariants says holds.
func TestRolloutSchedules(t *testing.T) {
	lanes := lanesOf(t)
	counts := new(tallied)
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			t.Run(fmt.Sprint(lane+1), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					s := drawSchedule(rt)
					if wrong := s.happen(t, counts); len(wrong) > 0 {
						rt.Fatalf("%s\n\nschedule: %+v", strings.Join(wrong, "\n"), s)
					}
				})
			})
		})
	}
	all.Wait()
	t.Logf("%d schedules:%s", counts.counts["schedules"], counts)
	if !t.Failed() {
		counts.mustHave(t, "event: started", "event: step", "event: promoted", "event: failback", "event: paused", "event: kill")
	}
}

// mustHave fails the test unless things happened at all.
func (c *tallied) mustHave(t *testing.T, things ...string) {
	t.Helper()
	for _, what := range things {
		if c.counts[what] == 0 {
			t.Errorf("it never happened: %s", what)
		}
	}
}

// happen lets a schedule happen in a fleet of its own, heals everything, and returns what is wrong with what was.
func (s schedule) happen(t *testing.T, counts *tallied) (wrong []string) {
	synctest.Test(t, func(t *testing.T) {
		f, err := fleet.New(fleet.Options{Folder: t.TempDir(), Instances: s.instances, Definition: hasty(s.plan), Seed: s.seed, Log: zap.NewNop()})
		if err != nil {
			wrong = append(wrong, err.Error())
			return
		}
		p := &play{fleet: f, counts: counts}
		if err := p.perform(s); err != nil {
			wrong = append(wrong, err.Error())
		}
		wrong = append(wrong, p.verify()...)
		if err := f.Close(); err != nil {
			wrong = append(wrong, err.Error())
		}
		if len(wrong) > 0 {
			wrong = append(wrong, "", "log:")
			for _, ev := range f.Log() {
				wrong = append(wrong, strings.TrimSpace(line(ev)))
			}
		}
		counts.add("schedules", 1)
	})
	return wrong
}
