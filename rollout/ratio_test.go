package rollout_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// population is users who ask again and again, a few of them most of the time, and who are placed by their buckets.
type population struct {
	zipf *rand.Zipf
	due  splitter.Weight // the canary's
	// hashes are what users are counted by, isCanarys says whose they are; of the canary's some never get there.
	hashes    []uint64
	isCanarys []bool
	isLost    []bool
	arms      [2]*health.Window // stable's and the canary's
	requests  [2]uint64
}

// newPopulation draws users; a share lost of the canary's never gets there.
func newPopulation(seed uint64, size int, due splitter.Weight, lost float64) *population {
	random := rand.New(rand.NewPCG(seed, 7))
	p := &population{due: due, zipf: rand.NewZipf(random, 1.3, 20, uint64(size-1))}
	hasher := splitter.NewHasher(fmt.Sprint("salt", seed))
	for i := range size {
		p.hashes = append(p.hashes, max(random.Uint64(), 1))
		p.isCanarys = append(p.isCanarys, hasher.Bucket(fmt.Sprint("user", i)) < uint32(due))
		p.isLost = append(p.isLost, random.Float64() < lost)
	}
	for i := range p.arms {
		p.arms[i] = health.NewWindow(health.DefaultLimits(), nil)
	}
	return p
}

// ask lets users ask so many requests.
func (p *population) ask(n int) {
	for range n {
		arm, user := 0, p.zipf.Uint64()
		if p.isCanarys[user] {
			if arm = 1; p.isLost[user] {
				continue
			}
		}
		p.arms[arm].Arrive(noon, p.hashes[user])
		p.requests[arm]++
	}
}

// users returns how many users each arm is known to have had.
func (p *population) users() (stable, canary uint64) {
	count := func(arm int) uint64 { return p.arms[arm].Evidence(noon, nil).Users.TrialSeen.Count() }
	return count(0), count(1)
}

// looks returns after how many requests somebody looks: again and again, ever less often.
func looks(most int) (at []int) {
	for n := 1_000.0; n < float64(most); n *= 1.2 {
		at = append(at, int(n))
	}
	return at
}

// watched lets a population ask, looking often, and returns whether its users' and its requests' ratio ever seems wrong.
func (p *population) watched(requests int, alpha float64) (users, plain bool) {
	asked, due := 0, float64(p.due)/float64(splitter.Full)
	for _, n := range looks(requests) {
		p.ask(n - asked)
		asked = n
		stable, canary := p.users()
		_, off := rollout.SampleRatio(stable, canary, due, alpha)
		users = users || off
		all := float64(p.requests[0] + p.requests[1])
		z := (float64(p.requests[1]) - all*due) / math.Sqrt(all*due*(1-due))
		plain = plain || math.Abs(z) > 4.7
	}
	return users, plain
}

// With nothing wrong, a trial that is looked at again and again is called wrong no more often than allowed, though a few
// users make most requests and more than 64 are only estimated. A test of requests would call most trials wrong.
func TestSampleRatioDoesNotCryWolf(t *testing.T) {
	t.Parallel()
	const trials, alpha = 60, 0.05
	for _, due := range []splitter.Weight{5 * percent, 50 * percent} {
		wrong, plainly := 0, 0
		for seed := range uint64(trials) {
			users, plain := newPopulation(seed+uint64(due), 10_000, due, 0).watched(30_000, alpha)
			if users {
				wrong++
			}
			if plain {
				plainly++
			}
		}
		// More than 10 of 60 at a rate of 5 % have a probability of 0.02 %.
		if wrong > 10 {
			t.Errorf("%s: %d of %d trials in which nothing was wrong were called so; at most %g of them may be", due, wrong, trials, alpha)
		}
		if plainly < trials/2 {
			t.Errorf("%s: a test of requests calls only %d of %d wrong: these users are not heavy enough to test anything", due, plainly, trials)
		}
	}
}

// Where half of the canary's users are lost on the way, that is found.
func TestSampleRatioFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, due := range []splitter.Weight{5 * percent, 50 * percent} {
		found := 0
		for seed := range uint64(30) {
			if users, _ := newPopulation(seed, 10_000, due, 0.5).watched(30_000, 1e-4); users {
				found++
			}
		}
		if found < 29 {
			t.Errorf("%s: found in %d of 30 trials, want nearly all", due, found)
		}
	}
}

func TestSampleRatio(t *testing.T) {
	for _, tt := range []struct {
		name           string
		stable, canary uint64
		due            float64
		want           bool
	}{
		{"as due", 9_900, 100, 0.01, false},
		{"nobody", 0, 0, 0.5, false},
		{"few users, all on one", 99, 0, 0.5, false},
		{"a canary that nobody gets", 20_000, 0, 0.01, true},
		{"too few are due to say so", 9_000, 0, 0.01, false},
		{"a canary that everybody gets", 0, 1_000, 0.5, true},
		{"twice as many", 9_800, 400, 0.02, true},
		{"by the error of counts alone", 500_000, 540_000, 0.5, false},
		{"by more than that", 500_000, 700_000, 0.5, true},
		{"all are the canary's", 0, 1_000, 1, false},
		{"nothing is known of what is due", 1_000, 1_000, math.NaN(), false},
	} {
		if off, got := rollout.SampleRatio(tt.stable, tt.canary, tt.due, 1e-4); got != tt.want {
			t.Errorf("%s: got %t at %.1f standard errors, want %t", tt.name, got, off, tt.want)
		}
	}
}
