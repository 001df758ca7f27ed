package sim

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// Life is what became of a rollout.
type Life struct {
	// FailedBack is when the canary was failed back; negative if it never was. Verdict is why, or what was said last.
	FailedBack time.Duration
	Verdict    health.Verdict
	// FirstBad is when the canary's first failure came after the scenario's Turns, or the first request that it left
	// hanging or was slow with; negative if none did.
	FirstBad time.Duration
	// Shared is when a shared cause was first said; negative if it never was.
	Shared time.Duration
	// Requests is how many requests the canary had.
	Requests int
}

const (
	// groups is how many groups of users there are.
	groups = 64
	// quota is how many requests of one user are evidence, in each quotaSpan and on each instance.
	quota     = 5
	quotaSpan = 10 // s
	// firstSecond is when virtual time begins; any second does.
	firstSecond = 1_000_000
	// kept is for how many seconds arrivals are kept: until the last age is looked at.
	kept = 602
)

// fleet is a scenario while it runs.
type fleet struct {
	Scenario
	Life
	rng       *rand.Rand
	judge     *health.Judge
	next      float64          // the next arrival, in seconds since the beginning
	nextAgain float64          // the script's
	arrived   [kept][]request  // by their second
	old       [60][]oldRequest // those of more than two minutes, by their second's place in the minute
	parts     []*frame
	sum       frame
	folded    time.Duration // when the last second was
	quota     []int         // of the script's user, what each instance counted in the present span
	user      request       // the script's user: a group
}

// oldRequest is one that has lived for more than two minutes.
type oldRequest struct {
	request
	second int
}

// Run lives through the scenario, until its end or its failback.
func (s Scenario) Run() Life {
	f := &fleet{Scenario: s, rng: rand.New(rand.NewPCG(s.Seed, 0x5eed)), judge: health.NewJudge(),
		Life: Life{FailedBack: -1, FirstBad: -1, Shared: -1}}
	f.Instances = max(f.Instances, 1)
	if f.Settings == nil {
		settings := health.DefaultSettings()
		f.Settings = &settings
	}
	f.quota = make([]int, f.Instances)
	for range f.Instances {
		f.parts = append(f.parts, new(frame))
	}
	f.user.group = uint8(f.rng.IntN(groups))
	f.live()
	return f.Life
}

func (f *fleet) live() {
	limits := health.DefaultLimits()
	terms := health.Trial{Epoch: 1, Settings: f.Settings, Limits: &limits, Raises: len(f.Steps)}
	f.judge.Rest(terms)
	begins := int(f.Warmup / time.Second)
	for second := range begins + int(f.Length/time.Second) {
		if second == begins {
			f.judge.Begin(terms)
		}
		f.step(second)
		f.mature(second)
		f.fold(second)
		if f.FailedBack >= 0 && !f.GoesOn {
			return
		}
		f.arrive(second)
	}
}

// step raises the canary's share, if it is time.
func (f *fleet) step(second int) {
	if len(f.Steps) > 0 && f.at(float64(second)) >= f.Steps[0].At {
		f.Share = f.Steps[0].Share
		f.Steps = f.Steps[1:]
		f.judge.Shift(int64(firstSecond+second), true)
	}
}

// tick is how many seconds are folded as one.
func (f *fleet) tick() int { return max(int(f.Tick/time.Second), 1) }

// at is a second since the canary got its share.
func (f *fleet) at(second float64) time.Duration {
	return time.Duration(second*float64(time.Second)) - f.Warmup
}

// arrive lets a second's requests come. Traffic is Poisson.
func (f *fleet) arrive(second int) {
	f.arrived[second%kept] = f.arrived[second%kept][:0]
	for until := float64(second + 1); f.next < until; f.next += f.rng.ExpFloat64() / f.Rate {
		at := f.at(f.next)
		r := request{group: uint8(f.rng.IntN(groups)), instance: uint8(f.rng.IntN(f.Instances))}
		if at >= 0 && f.rng.Float64() < f.Share {
			if f.Silent != nil && f.Silent(at) {
				continue
			}
			r.arm = health.Canary
		}
		b := f.Behaves(int(r.arm), at)
		r.draw(f.rng, b)
		f.take(second, at, r)
		if b.Slower > 1 && r.arm == health.Canary {
			f.noteBad(at, at)
		}
		if f.Retries > 0 && r.fate == fails {
			f.retry(second, at, r)
		}
	}
	f.script(second)
}

// take counts a request among those of its second.
func (f *fleet) take(second int, at time.Duration, r request) {
	f.arrived[second%kept] = append(f.arrived[second%kept], r)
	if r.arm != health.Canary {
		return
	}
	f.Requests++
	switch r.fate {
	case fails:
		f.noteBad(at, at+r.ends)
	case isLeft:
		f.noteBad(at, at)
	}
}

// noteBad remembers when the canary's trouble could first be seen, if it is of the kind that is looked for.
func (f *fleet) noteBad(arrived, seen time.Duration) {
	if arrived >= f.Turns && (f.FirstBad < 0 || seen < f.FirstBad) {
		f.FirstBad = seen
	}
}

// retry sends a failed request again until its client gives up or its user's quota is used up, which is in vain.
func (f *fleet) retry(second int, at time.Duration, r request) {
	more := f.Retries / (1 + f.Retries)
	for range quota - 1 {
		if f.rng.Float64() >= more {
			return
		}
		f.take(second, at, r)
	}
}

// script lets the one user's requests come, as far as they are evidence.
func (f *fleet) script(second int) {
	if f.Script == nil {
		return
	}
	if second%quotaSpan == 0 {
		clear(f.quota)
	}
	for until := float64(second + 1); f.nextAgain < until; f.nextAgain += 1 / f.Script.Rate {
		at := f.at(f.nextAgain)
		r := f.user
		r.instance = uint8(f.rng.IntN(f.Instances))
		if at < f.Script.From || at >= f.Script.To || f.quota[r.instance] >= quota {
			continue
		}
		f.quota[r.instance]++
		r.arm, r.fate, r.ends = health.Canary, fails, typicalTTFB
		f.take(second, at, r)
	}
}

// mature counts on every instance what reached its age in the second before.
func (f *fleet) mature(second int) {
	if second%f.tick() == 0 {
		for _, p := range f.parts {
			p.clear()
		}
	}
	reached := second - 1
	for a := health.AgeFast; a < health.AgeMinute; a++ {
		began := reached - int(a.Span()/time.Second)
		if began < 0 {
			continue
		}
		for i := range f.arrived[began%kept] {
			r := &f.arrived[began%kept][i]
			f.parts[r.instance].add(r, a)
			if a == health.AgeLate && r.ends > a.Span() {
				f.old[began%60] = append(f.old[began%60], oldRequest{*r, began})
			}
		}
	}
	f.matureMinutes(reached)
}

// matureMinutes counts the minutes that end, and lets those go that have ended.
func (f *fleet) matureMinutes(reached int) {
	if reached < 0 {
		return
	}
	list := f.old[reached%60][:0]
	for i := range f.old[reached%60] {
		r := &f.old[reached%60][i]
		age := time.Duration(reached-r.second) * time.Second
		if age > health.AgeLate.Span() {
			f.parts[r.instance].addMinute(&r.request, age)
		}
		if r.ends > age {
			list = append(list, *r)
		}
	}
	f.old[reached%60] = list
}

// fold adds up what the instances counted, seals it, and judges.
func (f *fleet) fold(second int) {
	tick := f.tick()
	if (second+1)%tick != 0 {
		return
	}
	sum := f.parts[0]
	if len(f.parts) > 1 {
		sum = &f.sum
		sum.clear()
		for _, p := range f.parts {
			sum.merge(p)
		}
	}
	f.folded = max(f.folded, f.sealed(second)) // in order
	f.judge.Fold(int64(firstSecond+second), time.Duration(tick)*time.Second, &sum.sum)
	if f.judge.Changed() {
		f.Verdict = f.judge.Verdict()
	}
	at := f.folded - f.Warmup
	if f.FailedBack < 0 && f.Verdict.Result == health.Fail {
		f.FailedBack = at
	}
	if f.Shared < 0 && f.Verdict.SharedCause {
		f.Shared = at
	}
	if f.Watch != nil {
		f.Watch(at, &sum.sum, &f.Verdict)
	}
}

// sealed draws when a second is folded, in virtual time since the beginning.
func (f *fleet) sealed(second int) time.Duration {
	least := max(f.Seal[0], time.Second)
	most := max(f.Seal[1], least)
	late := least + time.Duration(f.rng.Float64()*float64(most-least))
	return time.Duration(second)*time.Second + late
}

// Repeat runs n rollouts on all processors, with seeds from 1 on, and returns what became of each, in order.
func Repeat(n int, live func(seed uint64) Life) []Life {
	lives := make([]Life, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				lives[i] = live(uint64(i) + 1)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return lives
}
