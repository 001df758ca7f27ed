package rollout_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// streams are requests in progress. One that is ended stays among them, as one whose handler has not noticed yet.
type streams struct {
	flights  *health.Flights
	all      []*health.Flight
	contexts []context.Context
}

// streaming opens n streams of a variant.
func streaming(t *testing.T, flights *health.Flights, variant string, n int) *streams {
	s := &streams{flights: flights}
	for range n {
		ctx, cancel := context.WithCancelCause(t.Context())
		f := &health.Flight{Variant: variant, Start: time.Now(), Cancel: cancel}
		flights.Add(f)
		s.all, s.contexts = append(s.all, f), append(s.contexts, ctx)
	}
	return s
}

// streams opens n streams of a variant on an instance.
func (p *proxy) streams(t *testing.T, variant string, n int) *streams {
	return streaming(t, p.at.Split().Flights, variant, n)
}

// leave lets the last n end by themselves.
func (s *streams) leave(n int) {
	left := len(s.all) - n
	for _, f := range s.all[left:] {
		s.flights.Remove(f)
	}
	s.all = s.all[:left]
}

// ended counts those that a kill has ended.
func (s *streams) ended() int {
	n := 0
	for _, ctx := range s.contexts {
		if errors.Is(context.Cause(ctx), rollout.ErrKilled) {
			n++
		}
	}
	return n
}

// wants fails the test unless n of the streams are ended.
func (s *streams) wants(t *testing.T, when string, n int) {
	t.Helper()
	if got := s.ended(); got != n {
		t.Errorf("%s: %d of %d streams are ended, want %d", when, got, len(s.contexts), n)
	}
}

// ends asks for a kill that ends requests in progress.
func (p *proxy) ends(t *testing.T, r rollout.KillRequest) rollout.Result {
	t.Helper()
	result, err := p.Kill(t.Context(), "assistant", r, alice)
	if err != nil {
		t.Fatalf("%s: Kill: %v", p.opts.Instance, err)
	}
	synctest.Wait()
	return result
}

// drain is a drain of green for half a minute, the default.
var drain = rollout.KillRequest{Variant: "green", Level: splitter.KillDrain}

func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		logs, seen := observer.New(zap.WarnLevel)
		fleet := starts(t, s, 2, withoutJudge(assistant(0, 100)))
		logged := start(t, s, "proxy-3", withoutJudge(assistant(0, 100)), func(o *rollout.Options) { o.Log = zap.New(logs) })
		fleet = append(fleet, logged)
		elapse(time.Second)
		var green, blue []*streams
		for _, p := range fleet {
			green, blue = append(green, p.streams(t, "green", 4)), append(blue, p.streams(t, "blue", 1))
		}
		r := fleet[0].ends(t, drain)
		if k := r.Event.Kills[0]; !k.Deadline.Equal(k.At.Add(30*time.Second)) || k.Rate != 0 {
			t.Errorf("the kill is %+v, want a deadline 30s after it", k)
		}
		for _, p := range fleet {
			if d := p.at.View().Table.Decide(splitter.Request{Key: "u"}); d.Variant != 0 {
				t.Errorf("%s: a new request gets %+v, want stable at once", p.opts.Instance, d)
			}
		}
		elapse(10 * time.Second)
		for i := range fleet {
			green[i].leave(1)
		}
		elapse(20*time.Second - time.Millisecond)
		for i := range fleet {
			green[i].wants(t, "before the deadline", 0)
		}
		elapse(time.Millisecond)
		for i := range fleet {
			green[i].wants(t, "at the deadline", 3)
			blue[i].wants(t, "blue", 0)
		}
		if n := seen.FilterMessage("a kill ended requests in progress").FilterField(zap.Int("ended", 3)).Len(); n != 1 {
			t.Errorf("the log tells of the end %d times, want once: %v", n, seen.All())
		}
	})
}

func TestReviveEndsADrain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		green := fleet[1].streams(t, "green", 3)
		fleet[0].ends(t, drain)
		elapse(30*time.Second - time.Millisecond)
		fleet[0].revives(t)
		elapse(time.Hour)
		green.wants(t, "revived just before the deadline", 0)
	})
}

// An instance that was away, or not running, when the deadline came ends what is left as soon as it knows.
func TestDrainThatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		apart := fleet[1].streams(t, "green", 3)
		fleet[1].link.set(away)
		fleet[0].ends(t, drain)
		elapse(time.Minute)
		apart.wants(t, "cut off from the store", 0)
		fleet[1].link.set(none)
		elapse(time.Second)
		apart.wants(t, "back", 3)

		shared := new(health.Flights)
		late := streaming(t, shared, "green", 3)
		p := newProxy(t, s, "proxy-3", assistant(99, 1), func(o *rollout.Options) {
			o.Flights = func(string) *health.Flights { return shared }
		})
		p.mustStart(t)
		elapse(time.Second)
		late.wants(t, "started after the deadline", 3)
	})
}

// A drain that no store has been told of ends all the same, and a restart without the store does not begin it anew.
func TestDrainWithoutStore(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		p.link.set(away)
		green := p.streams(t, "green", 3)
		if r := p.ends(t, drain); !r.Queued {
			t.Fatalf("got %+v, want it queued", r)
		}
		elapse(20 * time.Second)
		p.close(t)
		elapse(time.Minute)
		green.wants(t, "of a controller that is closed", 0)

		again := newProxy(t, s, "proxy-1", assistant(99, 1), remembering(p), func(o *rollout.Options) {
			o.Flights = func(string) *health.Flights { return green.flights }
		})
		again.link.set(away)
		again.mustStart(t)
		elapse(time.Second)
		green.wants(t, "restarted after the deadline", 3)
		again.link.set(none)
		elapse(2 * time.Second)
		if kills := stored(t, s).Kills; len(kills) != 1 || !kills[0].Deadline.Equal(kills[0].At.Add(30*time.Second)) {
			t.Errorf("written: got %+v, want the drain with its first deadline", kills)
		}
	})
}

// wrongClock is a store whose clock differs from this machine's.
type wrongClock struct {
	store.Store
	ahead atomic.Int64
}

func (w *wrongClock) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	p, err := w.Store.Pulse(ctx, beat)
	p.Now = p.Now.Add(time.Duration(w.ahead.Load()))
	return p, err
}

// The deadline is a moment by the store's clock, even if that is found to be another one on the way.
func TestDrainGoesByTheStoresClock(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		corrected := &wrongClock{Store: s}
		slow := start(t, &wrongClock{Store: s}, "proxy-2", assistant(99, 1), func(o *rollout.Options) {
			o.Open = func() (store.Store, error) { return corrected, nil }
		})
		elapse(time.Second)
		right, wrong := p.streams(t, "green", 1), slow.streams(t, "green", 1)
		p.ends(t, drain)
		elapse(5 * time.Second)
		corrected.ahead.Store(int64(10 * time.Second)) // this machine's clock is ten seconds slow
		elapse(14 * time.Second)
		wrong.wants(t, "a second before the deadline", 0)
		elapse(2 * time.Second)
		wrong.wants(t, "a second after the deadline", 1)
		right.wants(t, "by a clock that is right, which is", 0)
		elapse(9 * time.Second)
		right.wants(t, "at the deadline", 1)
	})
}

func TestDrainEndsWithItsSplit(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		green := p.streams(t, "green", 1)
		p.ends(t, drain)
		p.reload(t, assistant(99, 1))
		elapse(10 * time.Second)
		p.Detach(p.at)
		elapse(time.Hour)
		green.wants(t, "of a split that nobody runs any more", 0)
	})
}

// What is ended never runs ahead of the rate by more than two turns, and is not much slower.
func TestRate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fleet int
		rate  splitter.Rate
		burst int // of all proxies together
		want  int // ended a second by the whole fleet
	}{
		"one proxy":         {1, 200, 40, 200},
		"one, slowly":       {1, 1, 1, 1},
		"no round number":   {1, 9, 2, 9},
		"a share":           {4, 20, 4, 20},
		"rounded down":      {3, 11, 3, 9},
		"1 a second, each":  {3, 1, 3, 3},
		"more than enough":  {1, 1_000_000, 200_000, 500},
		"between two turns": {1, 15, 3, 15},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				const seconds = 10
				fleet := starts(t, s, tt.fleet, withoutJudge(assistant(99, 1)))
				elapse(15 * time.Second) // everybody knows of everybody
				var all []*streams
				for _, p := range fleet {
					all = append(all, p.streams(t, "green", max(tt.want, 1)*seconds/tt.fleet+min(tt.burst, 1000)))
				}
				fleet[0].ends(t, rollout.KillRequest{Level: splitter.KillCut, Rate: tt.rate})
				for tenth := range 10 * seconds {
					if got, most := ended(all), int(tt.rate)*tenth/10+tt.burst; tt.want <= int(tt.rate) && got > most {
						t.Fatalf("after %d tenths of a second: %d are ended, want %d at most", tenth, got, most)
					}
					elapse(100 * time.Millisecond)
				}
				total, want := 0, tt.want*seconds
				for _, s := range all {
					total += len(s.all)
				}
				if got := ended(all); got < min(want*9/10, total) || got > want+tt.burst {
					t.Errorf("after %d seconds: %d are ended, want about %d", seconds, got, want)
				}
			})
		})
	}
}

func ended(all []*streams) int {
	n := 0
	for _, s := range all {
		n += s.ended()
	}
	return n
}

// Members that leave and come while requests are ended share in it within seconds.
func TestRateFollowsTheFleet(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		fleet := starts(t, s, 2, withoutJudge(assistant(99, 1)))
		elapse(15 * time.Second)
		green := fleet[0].streams(t, "green", 1000)
		fleet[0].ends(t, rollout.KillRequest{Level: splitter.KillCut, Rate: 10})
		elapse(2 * time.Second)
		fleet[1].close(t)
		elapse(2 * time.Second)
		before := green.ended()
		elapse(10 * time.Second)
		if got := green.ended() - before; got < 90 || got > 101 {
			t.Errorf("alone: %d are ended in 10 seconds, want about 100", got)
		}
		start(t, s, "proxy-3", withoutJudge(assistant(99, 1)))
		elapse(2 * time.Second)
		before = green.ended()
		elapse(10 * time.Second)
		if got := green.ended() - before; got < 45 || got > 51 {
			t.Errorf("with another: %d are ended in 10 seconds, want about 50", got)
		}
	})
}

func TestDrainWithRate(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		green := p.streams(t, "green", 21)
		p.ends(t, rollout.KillRequest{Variant: "green", Level: splitter.KillDrain, Deadline: time.Minute, Rate: 10})
		elapse(time.Minute - time.Millisecond)
		green.wants(t, "before the deadline", 0)
		green.leave(5)
		elapse(time.Second)
		if got := green.ended(); got < 9 || got > 12 {
			t.Errorf("a second after the deadline: %d are ended, want about 10", got)
		}
		elapse(time.Second)
		green.wants(t, "two seconds after it", 16)
	})
}

// While requests are ended by and by, whatever is decided meanwhile counts at once.
func TestSpreadIsOvertaken(t *testing.T) {
	slowly := rollout.KillRequest{Level: splitter.KillCut, Rate: 10}
	for name, tt := range map[string]struct {
		then  func(t *testing.T, p *proxy)
		green int // of 100 ended, five seconds later
		blue  int
	}{
		"by nothing":      {func(*testing.T, *proxy) {}, -1, -1},
		"by a revival":    {func(t *testing.T, p *proxy) { p.revives(t) }, 0, 0},
		"by a cut of all": {func(t *testing.T, p *proxy) { p.ends(t, rollout.KillRequest{Level: splitter.KillCut}) }, 100, 100},
		"by a cut of one variant": {func(t *testing.T, p *proxy) {
			p.ends(t, rollout.KillRequest{Variant: "green", Level: splitter.KillCut})
		}, 100, -1},
		"by a drain of one variant": {func(t *testing.T, p *proxy) {
			p.ends(t, rollout.KillRequest{Variant: "green", Level: splitter.KillDrain, Deadline: time.Second})
		}, 100, -1},
		"by a kill that ends nothing": {func(t *testing.T, p *proxy) { p.kills(t, "") }, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
				elapse(time.Second)
				green, blue := p.streams(t, "green", 100), p.streams(t, "blue", 100)
				p.ends(t, slowly)
				before := green.ended() + blue.ended()
				tt.then(t, p)
				elapse(5 * time.Second)
				rest := 0 // those that go on being ended by and by
				for _, c := range []struct {
					s    *streams
					want int
				}{{green, tt.green}, {blue, tt.blue}} {
					switch {
					case c.want < 0:
						rest += c.s.ended()
					case c.want == 0:
						if got := c.s.ended(); got > before {
							t.Errorf("%d are ended, want no more than the %d before", got, before)
						}
					default:
						c.s.wants(t, "five seconds later", c.want)
					}
				}
				if isSlow := tt.green < 0 || tt.blue < 0; isSlow && (rest < 40 || rest > 60) {
					t.Errorf("%d are ended by and by, want about 50", rest)
				}
			})
		})
	}
}

// What a revival lets in is not ended by the kill that it has lifted.
func TestRevivedWhileEnding(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		old := p.streams(t, "green", 1000)
		p.ends(t, rollout.KillRequest{Level: splitter.KillCut, Rate: 100})
		elapse(time.Second)
		p.revives(t)
		fresh := p.streams(t, "green", 10)
		p.ends(t, rollout.KillRequest{Variant: "blue", All: true})
		before := old.ended()
		elapse(time.Minute)
		old.wants(t, "since it was lifted", before)
		fresh.wants(t, "let in since", 0)
	})
}

// A drain moves to another store with its deadline.
func TestImportedDrain(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		old := start(t, s, "proxy-1", withoutJudge(assistant(99, 1)))
		elapse(time.Second)
		old.ends(t, rollout.KillRequest{Variant: "green", Level: splitter.KillDrain, Deadline: time.Minute, Rate: 5})
		states, err := old.Export(t.Context(), nil)
		if err != nil || len(states) != 1 {
			t.Fatalf("Export: got %v, %v, want the state", states, err)
		}
		exported, err := splitter.Decode([]byte(encode(t, states[0])))
		if err != nil {
			t.Fatal(err)
		}
		elapse(30 * time.Second)

		p := start(t, newStore(t), "proxy-2", assistant(99, 1))
		elapse(time.Second)
		green := p.streams(t, "green", 6)
		r, err := p.Import(t.Context(), "assistant", rollout.ImportRequest{State: exported}, alice)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := encode(t, r.State.Kills), encode(t, states[0].Kills); got != want {
			t.Errorf("imported: got %s, want %s", got, want)
		}
		elapse(28 * time.Second)
		green.wants(t, "before the deadline", 0)
		elapse(3 * time.Second)
		green.wants(t, "after it", 6)
	})
}

// A kill is timed by whoever asks, and refused if that makes no sense.
func TestKillRequestIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		in   rollout.KillRequest
		want string // error; empty for none
	}{
		"drain by default": {rollout.KillRequest{Level: splitter.KillDrain}, ""},
		"the longest":      {rollout.KillRequest{Level: splitter.KillDrain, Deadline: 24 * time.Hour}, ""},
		"rate of a drain":  {rollout.KillRequest{Level: splitter.KillDrain, Rate: 1}, ""},
		"rate of a cut":    {rollout.KillRequest{Level: splitter.KillCut, Rate: 1_000_000}, ""},
		"no time":          {rollout.KillRequest{Level: splitter.KillDrain, Deadline: -time.Second}, "deadline -1s: must be longer than 0s, and 24h0m0s at most"},
		"too long":         {rollout.KillRequest{Level: splitter.KillDrain, Deadline: 24*time.Hour + 1}, "deadline 24h0m0.000000001s: must be longer"},
		"deadline, cut":    {rollout.KillRequest{Level: splitter.KillCut, Deadline: time.Second}, "deadline 1s with level cut: only a drain"},
		"deadline":         {rollout.KillRequest{Deadline: time.Second}, "deadline 1s with level requests: only a drain"},
		"rate":             {rollout.KillRequest{Rate: 5}, "rate 5/s with level requests: it ends nothing"},
		"too fast":         {rollout.KillRequest{Level: splitter.KillCut, Rate: 1_000_001}, "rate 1000001/s: must be 1000000/s at most"},
	} {
		got, err := rollout.NewKill(created(t, assistant(90, 10)), assistant(90, 10), tt.in, alice, seedAt(7, noon))
		checkRefusal(t, name, err, tt.want)
		if err != nil {
			continue
		}
		from, ends := got.CutsFrom()
		if wait := from.Sub(noon); !ends || tt.in.Level == splitter.KillDrain && wait != max(tt.in.Deadline, 30*time.Second) {
			t.Errorf("%s: it ends requests from %v on: %v", name, from, ends)
		}
	}
}

func checkRefusal(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: got error %v, want none", name, err)
	case want != "" && (!errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got error %v, want ErrInvalid with %q", name, err, want)
	}
}
