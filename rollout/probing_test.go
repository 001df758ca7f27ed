package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// limited is a split with a limit and no comparison that has everybody on green, for so long that stable is silent.
func limited(t *testing.T, s *embedded.Store) *proxy {
	t.Helper()
	def := assistant(50, 50)
	def.Policy.Judge, def.Policy.Failback.MaxErrorRate = nil, 0.05
	p := start(t, s, "proxy-1", def)
	serve(120, healthy, p)
	p.set(t, 100)
	serve(90, traffic{green: 40}, p)
	return p
}

// Where only limits judge, they say what a probe is begun and ended by.
func TestProbeByALimit(t *testing.T) {
	t.Run("dead", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			byWeights(12, 0, 1, limited(t, s))
			wantKinds(t, s, "created", "weights", "failback")
		})
	})
	t.Run("shared", func(t *testing.T) {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			byWeights(60, 0.3, 0.3, limited(t, s))
			wantKinds(t, s, "created", "weights", "probe", "probe_ended")
		})
	})
}

// takes lets n users ask a variant whose answers take so long.
func (p *proxy) takes(variant, n int, d time.Duration) {
	w := p.at.View().Windows[variant]
	for i := range n {
		f := health.Flight{Start: time.Now()}
		f.Arrive(w, (uint64(f.Start.UnixNano())+uint64(i)+1)*0x9e3779b97f4a7c15)
		time.AfterFunc(d, func() { f.Record(time.Now(), fine) })
	}
}

// A canary whose requests are all slow is compared first, for as long as it takes until stable's can show the same.
func TestProbeOfASlowCanary(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		normal time.Duration
		blue   time.Duration // once green takes twice as long
		want   string
	}{
		"shared, seconds":  {time.Second, 2 * time.Second, "probe_ended"},
		"shared, a minute": {40 * time.Second, 80 * time.Second, "probe_ended"},
		"green alone":      {time.Second, time.Second, "failback"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", strict(50, 50, noTrickle))
				serves := func(seconds int, blue, green time.Duration) {
					for range seconds {
						p.takes(0, 20*(100-p.green())/100, blue)
						p.takes(1, 20*p.green()/100, green)
						elapse(time.Second)
					}
				}
				serves(900, tt.normal, tt.normal)
				p.set(t, 100)
				serves(200, tt.normal, tt.normal)
				for range 400 {
					if slices.Contains(kinds(t, s), tt.want) {
						break
					}
					serves(1, tt.blue, 2*tt.normal)
				}
				wantKinds(t, s, "created", "weights", "probe", tt.want)
				elapse(3 * tt.normal)
			})
		})
	}
}

// A stable that fails as it always does is no shared cause, though it fails more than half as much as the canary.
func TestProbeKnowsWhatStableIsLike(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", strict(50, 50, noTrickle))
		serve(600, traffic{blue: 50, blueFails: 5, green: 50, greenFails: 5}, p)
		p.set(t, 100)
		serve(90, traffic{green: 100, greenFails: 10}, p)
		for range 200 {
			green := p.green()
			serve(1, traffic{blue: 100 - green, blueFails: (100 - green) / 10, green: green, greenFails: green * 18 / 100}, p)
		}
		wantKinds(t, s, "created", "weights", "probe", "failback")
	})
}

// Whoever takes over before it is written that a probe found a shared cause does not fail back for it.
func TestTakeoverAfterAProbe(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := switched(t, s)
		q := start(t, s, "proxy-2", strict(50, 50, noTrickle))
		ended := func() bool { return slices.Contains(kinds(t, s), "probe_ended") }
		for i := 0; i < 1200 && !ended(); i++ {
			if i%20 == 0 {
				green := 40 * p.green() / 100
				p.asked(0, 40-green, (40-green)/2)
				p.asked(1, green, green*3/10)
			}
			elapse(50 * time.Millisecond)
		}
		p.close(t)
		if why := stored(t, s).Changed.Reason; !strings.Contains(why, "a shared cause") {
			t.Fatalf("got %v, %q, want a shared cause", kinds(t, s), why)
		}
		byWeights(60, 0.3, 0.3, q)
		wantKinds(t, s, "created", "weights", "probe", "probe_ended")
	})
}
