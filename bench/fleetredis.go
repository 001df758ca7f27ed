package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// The bars of what a fleet that judges asks of Redis.
const (
	maxJudgedTrips = 2.2 // round trips a second and instance
	maxFrame       = 1024
)

const (
	// restingSplits is how many splits each instance has that nobody asks, beside the one on trial.
	restingSplits = 10
	// instanceRate is how many requests a second each instance gets.
	instanceRate = 20
	// fleetUsers is how many users there are.
	fleetUsers = 5000
	// farFleet is the size of a fleet whose cost is told without its being there.
	farFleet = 1000
)

// fleetRedis measures what fleets of several sizes ask of a Redis while a canary is on trial: real controllers with real
// stores, in this process, that count requests as handlers do. Each fleet has a Redis of its own; they are measured side by
// side, as it takes two minutes until requests come of age. What a greater fleet asks is told by the line through what was
// found.
func fleetRedis(ctx context.Context, l *lab, s scale) ([]row, error) {
	costs, errs := make([]fleetCost, len(s.fleets)), make([]error, len(s.fleets))
	var all sync.WaitGroup
	for i, n := range s.fleets {
		all.Go(func() {
			own := newLab(l.dir)
			costs[i], errs[i] = own.costOfFleet(ctx, n, s)
			errs[i] = errors.Join(errs[i], own.close())
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return fleetRows(costs), nil
}

// fleetCost is what a fleet asks of a Redis.
type fleetCost struct {
	members int
	trips   float64 // a second, of all instances together
	cpu     float64 // Redis' share of a core
	memory  float64 // Redis' own, in MiB
	frames  frames
}

// fleetRows reports what fleets cost. The bars are for the greatest of them.
func fleetRows(costs []fleetCost) []row {
	last := costs[len(costs)-1]
	var each, cores, memories []string
	for _, c := range costs {
		each = append(each, fmt.Sprintf("%.2f", c.trips/float64(c.members)))
		cores = append(cores, fmt.Sprintf("%.1f %%", 100*c.cpu))
		memories = append(memories, fmt.Sprintf("%.1f MiB", c.memory))
	}
	far := func(of func(fleetCost) float64) float64 { return atSize(costs, of, farFleet) }
	trips, cpu := far(func(c fleetCost) float64 { return c.trips }), far(func(c fleetCost) float64 { return c.cpu })
	memory := far(func(c fleetCost) float64 { return c.memory })
	what := fmt.Sprintf("%s instances with a trial at %d rps each and %d idle splits: ", sizes(costs), instanceRate, restingSplits)
	return []row{{
		What:     what + "round trips to Redis",
		Measured: strings.Join(each, ", ") + " a second each",
		Baseline: fmt.Sprintf("%d: %.2f each, %.0f in all", farFleet, trips/farFleet, trips),
		Bar:      fmt.Sprintf("<= %.1f with %d", maxJudgedTrips, last.members),
		OK:       last.trips/float64(last.members) <= maxJudgedTrips,
		Figures:  map[string]float64{"round_trips_per_s": last.trips / float64(last.members)},
	}, {
		What: what + "evidence of a second",
		Measured: fmt.Sprintf("mean %.0f B, greatest %d B; idle splits' %.0f B", last.frames.mean(), last.frames.greatest,
			last.frames.restingMean()),
		Bar:     fmt.Sprintf("<= %d B", maxFrame),
		OK:      last.frames.greatest <= maxFrame,
		Figures: map[string]float64{"frame_bytes": last.frames.mean(), "frame_greatest_bytes": float64(last.frames.greatest)},
	}, {
		What:     what + "Redis itself",
		Measured: fmt.Sprintf("%s of a core; %s", strings.Join(cores, ", "), strings.Join(memories, ", ")),
		Baseline: fmt.Sprintf("%d: %.0f %%, %.0f MiB", farFleet, 100*cpu, memory),
		Bar:      "one core bears 1000",
		OK:       cpu <= 1,
		Figures: map[string]float64{"cpu_percent": 100 * last.cpu, "memory_mib": last.memory, "cpu_percent_of_1000": 100 * cpu,
			"memory_mib_of_1000": memory},
	}}
}

// sizes lists how many members fleets have.
func sizes(costs []fleetCost) string {
	var all []string
	for _, c := range costs {
		all = append(all, strconv.Itoa(c.members))
	}
	return strings.Join(all, ", ")
}

// atSize returns what a fleet of a size would cost, by the line of least squares through those that there are.
func atSize(costs []fleetCost, of func(fleetCost) float64, size float64) float64 {
	var n, x, y, xx, xy float64
	for _, c := range costs {
		m := float64(c.members)
		n, x, y, xx, xy = n+1, x+m, y+of(c), xx+m*m, xy+m*of(c)
	}
	slope := (n*xy - x*y) / (n*xx - x*x)
	return (y-slope*x)/n + slope*size
}

// costOfFleet starts a fleet, lets users come, and measures for a time.
func (l *lab) costOfFleet(ctx context.Context, members int, s scale) (c fleetCost, err error) {
	client, err := l.startRedis(ctx)
	if err != nil {
		return c, err
	}
	way, err := l.startRelay(client.Options().Addr)
	if err != nil {
		return c, err
	}
	c.members = members
	sizes := new(frameSizes)
	for n := range members {
		if err := l.startJudged(ctx, memberName(n), way.address(), sizes); err != nil {
			return c, err
		}
	}
	if err := wait(ctx, s.aging); err != nil {
		return c, err
	}
	sizes.take()
	asked, before, began := way.asked.Load(), 0.0, time.Now()
	if before, err = processorTimeOf(ctx, client); err != nil {
		return c, err
	}
	if err := wait(ctx, s.idle); err != nil {
		return c, err
	}
	after, err := processorTimeOf(ctx, client)
	if err != nil {
		return c, err
	}
	took := time.Since(began).Seconds()
	c.trips, c.cpu, c.frames = float64(way.asked.Load()-asked)/took, (after-before)/took, sizes.take()
	if c.frames.n == 0 {
		return c, errors.New("no evidence was put")
	}
	c.memory, err = told(ctx, client, "memory", "used_memory")
	c.memory /= 1 << 20
	return c, err
}

// processorTimeOf returns the processor time that a Redis has used so far, in seconds.
func processorTimeOf(ctx context.Context, client *redis.Client) (float64, error) {
	user, err := told(ctx, client, "cpu", "used_cpu_user")
	if err != nil {
		return 0, err
	}
	system, err := told(ctx, client, "cpu", "used_cpu_sys")
	return user + system, err
}

// told returns a number that a Redis tells of itself.
func told(ctx context.Context, client *redis.Client, section, field string) (float64, error) {
	text, err := client.Info(ctx, section).Result()
	if err != nil {
		return 0, fmt.Errorf("ask Redis about its %s: %w", section, err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("ask Redis about its %s: it tells no %s", section, field)
}

// startJudged starts a member with many splits, and lets users come to the one of them that is on trial.
func (l *lab) startJudged(ctx context.Context, name, address string, sizes *frameSizes) error {
	c := rollout.New(rollout.Options{
		Instance: name,
		Open: func() (store.Store, error) {
			st, err := openRedis(address)
			return measuredStore{st, sizes}, err
		},
		Memory: forgetful{},
	})
	splits := []rollout.Definition{judgedDefinition(split, 5*percent)}
	for n := range restingSplits {
		splits = append(splits, judgedDefinition(fmt.Sprintf("%s-%d", split, n), 0))
	}
	attached, err := l.startController(c, splits...)
	if err != nil {
		return err
	}
	l.startFlights(ctx, attached[0])
	return nil
}

// judgedDefinition is a split that is judged as it is by default.
func judgedDefinition(name string, canary splitter.Weight) rollout.Definition {
	limits, settings := health.DefaultLimits(), health.DefaultSettings()
	return rollout.Definition{Name: name, Stable: "blue", Canary: "green",
		Variants: []rollout.Variant{{Name: "blue", Weight: splitter.Full - canary}, {Name: "green", Weight: canary}},
		Policy:   rollout.Policy{Failback: &limits, Judge: &settings, Cooldown: health.Duration(15 * time.Minute)}}
}

// startFlights lets requests come until the lab is closed, as a Poisson process has them.
func (l *lab) startFlights(ctx context.Context, a *rollout.Attachment) {
	ctx, stop := context.WithCancel(ctx)
	var flights sync.WaitGroup
	flights.Go(func() {
		for wait(ctx, time.Duration(rand.ExpFloat64()*float64(time.Second)/instanceRate)) == nil {
			flights.Go(func() { fly(ctx, a, fmt.Sprintf("user-%d", rand.IntN(fleetUsers))) })
		}
	})
	l.atEnd(func() error {
		stop()
		flights.Wait()
		return nil
	})
}

// fly lets a request pass as a handler does, with nobody to answer it: the first byte comes after 0.4 s and the end two
// seconds later, at the median.
func fly(ctx context.Context, a *rollout.Attachment, user string) {
	view := a.View()
	d := view.Table.Decide(splitter.Request{Key: user})
	f := &health.Flight{Variant: crewVariants[d.Variant], Start: time.Now(), Cancel: func(error) {}}
	f.Arrive(view.Windows[d.Variant], xxhash.Sum64String(user))
	a.Split().Flights.Add(f)
	defer a.Split().Flights.Remove(f)
	if wait(ctx, about(400*time.Millisecond)) != nil {
		return
	}
	f.Answer(time.Now())
	if wait(ctx, about(2*time.Second)) != nil {
		return
	}
	ttfb, _ := f.Answered()
	now := time.Now()
	f.Record(now, health.Outcome{Class: health.Success, Answered: true, TTFB: ttfb, Total: now.Sub(f.Start)})
}

// about returns a time by chance, with a lognormal distribution around its median.
func about(median time.Duration) time.Duration {
	return time.Duration(float64(median) * math.Exp(0.7*rand.NormFloat64()))
}

// measuredStore is a store that notes how long the frames are that are put.
type measuredStore struct {
	store.Store
	sizes *frameSizes
}

// PutFrames notes frames and puts them.
func (m measuredStore) PutFrames(ctx context.Context, from store.MemberID, all []store.Frame) ([]store.Seat, error) {
	m.sizes.note(all)
	return m.Store.PutFrames(ctx, from, all)
}

// frames is how long frames are, in bytes: those of the split on trial and, apart, those of splits that nobody asks.
type frames struct{ n, sum, greatest, resting, restingSum int }

func (f frames) mean() float64 { return float64(f.sum) / float64(f.n) }

func (f frames) restingMean() float64 { return float64(f.restingSum) / float64(max(f.resting, 1)) }

// frameSizes gathers how long frames are.
type frameSizes struct {
	mu sync.Mutex // protects frames
	frames
}

func (s *frameSizes) note(all []store.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range all {
		if f.Split != split {
			s.resting, s.restingSum = s.resting+1, s.restingSum+len(f.Data)
			continue
		}
		s.n, s.sum, s.greatest = s.n+1, s.sum+len(f.Data), max(s.greatest, len(f.Data))
	}
}

// take returns what was gathered since it was last asked.
func (s *frameSizes) take() frames {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.frames
	s.frames = frames{}
	return f
}
