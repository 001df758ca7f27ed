//go:build unix

package rollout_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// schedulesVar is the environment variable that says how many hundreds of schedules happen: `make test-faults` has ten.
const schedulesVar = "SWITCHBACK_SCHEDULES_HUNDREDS"

// lanes is how many schedules happen at once, as they are mostly waiting. Each lane has rapid's default of 100.
func lanes(t *testing.T) int {
	t.Helper()
	text, isSet := os.LookupEnv(schedulesVar)
	if !isSet {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s %q: must be a number from 1", schedulesVar, text)
	}
	return n
}

// TestSchedules lets faults of all kinds befall fleets of which people ask changes, kills and revivals, in a hundred
// random schedules or as many as it is told. No kill that was answered or applied is lost, none that was lifted comes back, no instance goes back in
// revision, and the last weights that were set hold in the end.
func TestSchedules(t *testing.T) {
	t.Parallel()
	server, other := onServer(storetest.StartRedis(t)), onServer(storetest.StartRedis(t))
	t.Cleanup(func() {
		for _, c := range []*goredis.Client{server, other} {
			if err := c.Close(); err != nil {
				t.Errorf("closing the client of redis-server: %v", err)
			}
		}
	})
	g := &rehearsal{server: server, other: other, disks: t.TempDir()}
	var together sync.WaitGroup
	for i := range lanes(t) {
		together.Go(func() {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) { g.play(t, rt) })
			})
		})
	}
	together.Wait()
	t.Log(g.figures())
}

// rehearsal is all schedules of a test together.
type rehearsal struct {
	server, other *goredis.Client
	disks         string
	played        atomic.Int64

	mu       sync.Mutex // protects the following fields
	shortest int        // steps of the shortest schedule that went wrong
	counts   map[string]int
}

// play lets one schedule happen and fails if anything is wrong afterwards.
func (g *rehearsal) play(t *testing.T, rt *rapid.T) {
	s := drawSchedule(rt)
	n := g.played.Add(1)
	fleet := fmt.Sprintf("fleet-%d", n)
	w, err := newWorld(fleetKeys{g.server, fleet}, fleetKeys{g.other, fleet}, s.instances,
		filepath.Join(g.disks, fleet))
	var wrong []string
	if err == nil {
		wrong = w.play(s)
	} else {
		wrong = append(wrong, fmt.Sprintf("starting the fleet: %v", err))
	}
	if err := w.end(); err != nil {
		wrong = append(wrong, fmt.Sprintf("ending the fleet: %v", err))
	}
	g.count(w)
	if len(wrong) > 0 {
		report := fmt.Sprintf("%s\n\nschedule: %v\n\nhistory:\n%s", strings.Join(wrong, "\n"), s, w.log())
		if g.isShortest(len(s.steps)) {
			t.Log(report) // rapid tells only of what it can reproduce
		}
		rt.Fatal(report)
	}
}

// play lets a schedule happen in a world and returns what is wrong afterwards.
func (w *world) play(s schedule) []string {
	ctx, stop := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { w.look(ctx) })
	wrong, err := w.perform(s)
	stop()
	looking.Wait()
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return append(w.faults, wrong...)
}

// perform lets a schedule happen, heals everything, and returns what is wrong with what all agree on then. In the end it
// changes the weights once more.
func (w *world) perform(s schedule) (wrong []string, err error) {
	if _, err := w.agreement(); err != nil {
		return nil, fmt.Errorf("at the beginning: %w", err)
	}
	if err := w.run(s); err != nil {
		return nil, err
	}
	final, err := w.recovers()
	if err != nil {
		return nil, err
	}
	wrong = w.verify(final)
	if err := w.isWritable(); err != nil {
		return wrong, err
	}
	_, err = w.agreement()
	return wrong, err
}

// isShortest reports whether a schedule that went wrong is the shortest so far.
func (g *rehearsal) isShortest(steps int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shortest != 0 && steps >= g.shortest {
		return false
	}
	g.shortest = steps
	return true
}

// count adds up what happened in a world.
func (g *rehearsal) count(w *world) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counts == nil {
		g.counts = map[string]int{}
	}
	for _, r := range w.requests {
		g.counts[fmt.Sprintf("%s: %s", r.kind, r.answer)]++
	}
	for _, n := range w.nodes {
		g.counts["kills that an instance was held to"] += len(n.knows.kills)
		g.counts["States that an instance was held to"] += len(n.knows.versions)
		g.counts["processes"] += n.runs
		for a, times := range n.wire.struck {
			g.counts["commands struck: "+a.String()] += times
		}
	}
}

// figures says what happened in all schedules.
func (g *rehearsal) figures() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := []string{fmt.Sprintf("%d schedules", g.played.Load())}
	for _, what := range slices.Sorted(maps.Keys(g.counts)) {
		lines = append(lines, fmt.Sprintf("%7d %s", g.counts[what], what))
	}
	return strings.Join(lines, "\n")
}
