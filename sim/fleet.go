package sim

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// arm is canary or baseline.
type arm int

const (
	canary arm = iota
	baseline
)

// scenario is one fleet's life.
type scenario struct {
	seed      uint64
	instances int
	rate      float64 // requests a second of the whole fleet
	share     float64 // of the canary, 0 … 1
	limits    health.Limits
	length    time.Duration
	behaves   func(a arm, at time.Duration) behaviour
}

// cooldown is how long after the first failback the canary gets no traffic; each one more doubles it.
const cooldown = 15 * time.Minute

// began is when virtual time begins; any moment does.
var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// failback is one that happened.
type failback struct {
	at      time.Duration
	verdict health.Verdict
}

// fleet is a scenario while it runs.
type fleet struct {
	scenario
	rng       *rand.Rand
	now       time.Duration
	next      time.Duration // the next arrival
	instances []*instance
	ending    map[time.Duration][]*request // by the second in which they end
	unused    []*request
	failbacks []failback
	resumes   time.Duration // the end of the cooldown; the canary gets nothing before it
	firstBad  time.Duration // when the canary's first failure came, or its first hanging request, after watchFrom
	watchFrom time.Duration
}

// instance is one proxy: what it recorded in the present epoch, and what it last told the others.
type instance struct {
	windows [2]*health.Window
	told    [2]health.Evidence
	open    []*request
}

// run lives through the scenario. It stops at the first failback if once is true.
func (s scenario) run(once bool, watchFrom time.Duration) *fleet {
	f := &fleet{scenario: s, rng: rand.New(rand.NewPCG(s.seed, 0x5eed)), ending: map[time.Duration][]*request{},
		firstBad: -1, watchFrom: watchFrom}
	for range s.instances {
		f.instances = append(f.instances, new(instance))
	}
	f.beginEpoch()
	f.next = f.gap()
	for f.now < s.length && !(once && len(f.failbacks) > 0) {
		f.second()
	}
	return f
}

// beginEpoch gives every instance fresh windows.
func (f *fleet) beginEpoch() {
	for _, in := range f.instances {
		*in = instance{open: in.open}
		for a := range in.windows {
			in.windows[a] = health.NewWindow(f.limits, nil)
		}
	}
}

// gap draws the time between two arrivals: traffic is Poisson.
func (f *fleet) gap() time.Duration {
	return time.Duration(f.rng.ExpFloat64() / f.rate * float64(time.Second))
}

// second lets one second pass, and judges at its end as every instance does.
func (f *fleet) second() {
	until := f.now + time.Second
	for ; f.next < until; f.next += f.gap() {
		f.arrive(f.next)
	}
	for _, r := range f.ending[f.now] {
		f.end(r)
	}
	delete(f.ending, f.now)
	f.now = until
	if f.resumes == f.now {
		f.beginEpoch()
	}
	if f.resumes <= f.now {
		f.judge()
	}
}

// arrive sends a request to a variant on some instance.
func (f *fleet) arrive(at time.Duration) {
	a := baseline
	if f.rng.Float64() < f.share && at >= f.resumes {
		a = canary
	}
	r := f.fresh()
	b := f.behaves(a, at)
	r.draw(f.rng, b, at)
	in := f.instances[f.rng.IntN(len(f.instances))]
	r.Window, r.Start = in.windows[a], began.Add(at)
	r.home, r.seat = in, len(in.open)
	in.open = append(in.open, r)
	second := r.ends.Truncate(time.Second)
	f.ending[second] = append(f.ending[second], r)
	f.noteBad(a, at, b, r)
}

// noteBad remembers when the canary's trouble could first be seen.
func (f *fleet) noteBad(a arm, at time.Duration, b behaviour, r *request) {
	bad := at
	if !b.hangs {
		bad = r.ends
	}
	if a == canary && at >= f.watchFrom && (b.hangs || r.outcome.Class == health.Failure) && (f.firstBad < 0 || bad < f.firstBad) {
		f.firstBad = bad
	}
}

// end records what became of a request and forgets it.
func (f *fleet) end(r *request) {
	r.Record(began.Add(r.ends), r.outcome)
	open := r.home.open
	last := len(open) - 1
	open[r.seat] = open[last]
	open[r.seat].seat = r.seat
	r.home.open = open[:last]
	f.unused = append(f.unused, r)
}

// fresh returns a request that nobody uses.
func (f *fleet) fresh() *request {
	if n := len(f.unused); n > 0 {
		r := f.unused[n-1]
		f.unused = f.unused[:n-1]
		*r = request{}
		return r
	}
	return new(request)
}

// judge lets every instance judge what it has now together with what the others told a second ago.
func (f *fleet) judge() {
	told := make([][2]health.Evidence, len(f.instances))
	for i, in := range f.instances {
		told[i] = in.told
		for a := range in.windows {
			in.told[a] = in.windows[a].Evidence(began.Add(f.now), f.limits, in.flights(f.now))
		}
	}
	for i, in := range f.instances {
		sum := in.told
		for j := range told {
			if j != i {
				sum = [2]health.Evidence{sum[0].Merge(told[j][0]), sum[1].Merge(told[j][1])}
			}
		}
		if v := health.JudgeLimits(f.limits, health.FewUsersHold, sum[canary], sum[baseline]); v.Result == health.Fail {
			f.failBack(v)
			return
		}
	}
}

// failBack gives the canary's share to the baseline until the cooldown is over.
func (f *fleet) failBack(v health.Verdict) {
	f.failbacks = append(f.failbacks, failback{f.now, v})
	f.resumes = f.now + cooldown<<min(len(f.failbacks)-1, 6)
}

// flights goes over an instance's open requests, as they are at now.
func (in *instance) flights(now time.Duration) iter.Seq[*health.Flight] {
	return func(yield func(*health.Flight) bool) {
		for _, r := range in.open {
			if r.answers <= now {
				r.Answer(began.Add(r.answers))
			}
			if !yield(&r.Flight) {
				return
			}
		}
	}
}
