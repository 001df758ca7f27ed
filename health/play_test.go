package health

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// doing says what the requests of an arm are like in a second. They are spread over all groups of users, but for those of
// one user.
type doing struct {
	rps    float64
	fails  float64       // the share that fails at once
	breaks float64       // the share that answers well at first, and breaks off after a minute
	leaves float64       // the share whose clients go away after 5 s without a byte
	ttfb   time.Duration // the median; half of the requests take up to twice as long, or half
	took   time.Duration // the same to the end
	hangs  bool          // no byte ever comes
	oneRPS float64       // further requests of one user
	oneBad float64       // and the share of those that fails
}

// healthy is what an agent does that is well.
func healthy(rps float64) doing {
	return doing{rps: rps, fails: 0.005, ttfb: 400 * time.Millisecond, took: 3 * time.Second}
}

// oneUser is the group of the user that makes requests of their own.
const oneUser = 7

// play plays traffic to a judge, second by second. Requests mature as a collector would have it.
type play struct {
	judge *Judge
	rng   *rand.Rand
	at    int64
	due   map[int64]*Second // what matures in a second that is to come
	owed  [NumArms][2]float64
	long  bool              // whether requests are followed to ten minutes
	kept  map[int64]*Second // all that was folded, if it is to be kept
}

func newPlay(seed uint64, t Trial) *play {
	p := &play{judge: NewJudge(), rng: rand.New(rand.NewPCG(seed, 1)), at: 1000, due: map[int64]*Second{}}
	p.judge.Rest(t)
	return p
}

// trial is one as it is by default.
func trial(epoch uint64) Trial {
	settings, limits := DefaultSettings(), DefaultLimits()
	return Trial{Epoch: epoch, Settings: &settings, Limits: &limits}
}

// warmed is a play whose baseline has been healthy for a while.
func warmed(seed uint64, t Trial, d time.Duration, baseline doing) *play {
	p := newPlay(seed, t)
	p.run(d, baseline, doing{})
	return p
}

// run plays as many seconds.
func (p *play) run(d time.Duration, baseline, canary doing) {
	for range int(d / time.Second) {
		p.second(baseline, canary)
	}
}

// until plays up to d, and returns after which time the judge said so.
func (p *play) until(d time.Duration, baseline, canary doing, so func(v Verdict) bool) (after time.Duration, ok bool) {
	for i := range int(d / time.Second) {
		p.second(baseline, canary)
		if so(p.judge.Verdict()) {
			return time.Duration(i+1) * time.Second, true
		}
	}
	return d, false
}

func failed(v Verdict) bool { return v.Result == Fail }

func (p *play) second(baseline, canary doing) {
	p.at++
	p.arrive(Baseline, baseline)
	p.arrive(Canary, canary)
	sum := p.maturing(0)
	delete(p.due, p.at)
	if p.kept != nil {
		p.kept[p.at] = sum
	}
	p.judge.Fold(p.at, time.Second, sum)
}

// maturing returns what matures after as many seconds from now.
func (p *play) maturing(after int64) *Second {
	s := p.due[p.at+after]
	if s == nil {
		s = new(Second)
		p.due[p.at+after] = s
	}
	return s
}

func (p *play) arrive(arm int, d doing) {
	for p.owed[arm][0] += d.rps; p.owed[arm][0] >= 1; p.owed[arm][0]-- {
		p.request(arm, p.rng.IntN(userGroups), d)
	}
	for p.owed[arm][1] += d.oneRPS; p.owed[arm][1] >= 1; p.owed[arm][1]-- {
		alone := d
		alone.fails = d.oneBad
		p.request(arm, oneUser, alone)
	}
}

// around draws a time from half to twice the median.
func (p *play) around(median time.Duration) time.Duration {
	return time.Duration(float64(median) * (0.5 + p.rng.Float64()*1.5))
}

func (p *play) request(arm, group int, d doing) {
	ttfb, took := p.around(d.ttfb), p.around(d.took)
	fate := p.rng.Float64()
	fails, left, breaks := fate < d.fails, fate >= d.fails && fate < d.fails+d.leaves, fate > 1-d.breaks
	switch {
	case d.hangs:
		ttfb, took = time.Hour, time.Hour
	case left:
		ttfb, took = 5*time.Second, 5*time.Second
	case breaks:
		took = time.Minute
	}
	for _, a := range []Age{AgeFast, AgeSlow, AgeLate, AgeLong} {
		if a == AgeLong && !p.long {
			continue
		}
		c := &p.maturing(int64(a.Span()/time.Second) + 1).Arms[arm][a][group]
		c.N++
		if fails || breaks && took <= a.Span() {
			c.Failed++
		} else if a.HasTimes() {
			c.Latency, c.TTFB = binned(c.Latency, min(took, a.Span())), binned(c.TTFB, min(ttfb, a.Span()))
		}
		if left && a != AgeFast {
			c.Left++
		}
		if a == AgeLate && !fails && took > AgeSlow.Span() {
			c.Alive++
			if breaks {
				c.Broken++
			}
		}
	}
}

// binned counts a time.
func binned(bins []Bin, t time.Duration) []Bin { return withBin(bins, Bin{BucketOf(t), 1}) }

func withBin(bins []Bin, b Bin) []Bin {
	i, found := slices.BinarySearchFunc(bins, b, func(x, y Bin) int { return cmp.Compare(x.Bucket, y.Bucket) })
	if !found {
		return slices.Insert(bins, i, b)
	}
	bins[i].N += b.N
	return bins
}

// state returns what the judge would store.
func (p *play) state(t *testing.T) []byte {
	t.Helper()
	return stored(t, p.judge)
}

func stored(t *testing.T, j *Judge) []byte {
	t.Helper()
	doc, err := j.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
