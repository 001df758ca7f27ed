package sim

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

func TestBarsAtQuickScale(t *testing.T) {
	var table strings.Builder
	ok, err := Run(&table, Quick)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Errorf("a bar was missed:\n%s", table.String())
	}
	t.Logf("\n%s", table.String())
}

// badCanary turns bad after a healthy minute.
var badCanary = Scenario{Seed: 7, Instances: 2, Rate: 200, Share: 0.1, Warmup: 2 * time.Minute, Length: 5 * time.Minute,
	Turns: time.Minute, Behaves: turning(time.Minute, Behaviour{Errors: 0.5}, health.Canary),
	Seal: [2]time.Duration{time.Second, 3 * time.Second}}

func TestSameSeedSameLife(t *testing.T) {
	one, two := badCanary.Run(), badCanary.Run()
	if one.FailedBack < time.Minute || !reflect.DeepEqual(one, two) {
		t.Errorf("one life came to %+v, the other to %+v, want the same failback", one, two)
	}
	other := badCanary
	other.Seed++
	if three := other.Run(); reflect.DeepEqual(one, three) {
		t.Errorf("two seeds came to one life: %+v", three)
	}
}

func TestRepeatKeepsOrder(t *testing.T) {
	lives := Repeat(5, func(seed uint64) Life { return Life{Requests: int(seed)} })
	for i, l := range lives {
		if l.Requests != i+1 {
			t.Errorf("life %d is of seed %d, want %d", i, l.Requests, i+1)
		}
	}
}

// A raise comes when it is due, and brings the canary's requests with it.
func TestStepsRaiseTheShare(t *testing.T) {
	s := Scenario{Seed: 1, Rate: 100, Warmup: time.Minute, Length: 4 * time.Minute, Behaves: always(Healthy)}
	if l := s.Run(); l.Requests != 0 {
		t.Errorf("%d requests of a canary without a share, want none", l.Requests)
	}
	s.Steps = []Step{{time.Minute, 0.1}, {3 * time.Minute, 0.5}}
	if l := s.Run(); l.Requests < 3800 || l.Requests > 4600 { // 120 s of 10, and 60 s of 50, are 4,200
		t.Errorf("%d requests of a canary in steps, want about 4,200", l.Requests)
	}
}

// The simulation can tell: without a baseline that fails too, the same outage is failed back.
func TestOutageOfTheCanaryAlone(t *testing.T) {
	for _, share := range []float64{0.1, 0.5, 0.9} {
		s := Scenario{Seed: 1, Instances: 2, Rate: 20, Share: share, Warmup: warmup, Length: 10 * time.Minute, Turns: turnsAt,
			Behaves: turning(turnsAt, Behaviour{Errors: 0.5}, health.Canary)}
		if l := s.Run(); l.FailedBack < turnsAt {
			t.Errorf("canary at %g: failed back at %s, want it after %s: %s", share, l.FailedBack, turnsAt, l.Verdict.Reason)
		}
	}
}

// It can tell of the script as well: where one user is believed, the canary is failed back.
func TestScriptThatIsBelieved(t *testing.T) {
	settings := health.DefaultSettings()
	settings.FewUsers = health.FewUsersFailback
	s := Scenario{Seed: 1, Rate: 5, Share: 0.05, Warmup: warmup, Length: 20 * time.Minute, Settings: &settings,
		Behaves: always(Healthy), Script: &Script{From: turnsAt, To: turnsAt + 10*time.Minute, Rate: 1}}
	if l := s.Run(); l.FailedBack < turnsAt {
		t.Errorf("failed back at %s, want it after %s: %s", l.FailedBack, turnsAt, l.Verdict.Reason)
	}
}

// What is counted of a request at each age, case by case.
func TestFrameCountsByAge(t *testing.T) {
	const s = time.Second
	bin := func(d time.Duration) []health.Bin { return []health.Bin{{Bucket: health.BucketOf(d), N: 1}} }
	for _, test := range []struct {
		what string
		in   request
		at   health.Age
		want health.Cell
	}{
		{"a fast failure", request{fate: fails, answers: s, ends: s}, health.AgeFast, health.Cell{N: 1, Failed: 1}},
		{"a failure to come", request{fate: fails, answers: s, ends: 3 * s}, health.AgeFast, health.Cell{N: 1}},
		{"a failure that came", request{fate: fails, answers: s, ends: 3 * s}, health.AgeSlow, health.Cell{N: 1, Failed: 1}},
		{"a success", request{answers: s, ends: 3 * s}, health.AgeSlow, health.Cell{N: 1, Latency: bin(3 * s), TTFB: bin(s)}},
		{"one that goes on", request{answers: s, ends: 30 * s}, health.AgeSlow, health.Cell{N: 1, Latency: bin(10 * s), TTFB: bin(s)}},
		{"one without an answer yet", request{answers: 20 * s, ends: 30 * s}, health.AgeSlow,
			health.Cell{N: 1, Latency: bin(10 * s), TTFB: bin(10 * s)}},
		{"one whose client left", request{fate: isLeft, answers: 40 * s, ends: 30 * s}, health.AgeLate,
			health.Cell{N: 1, Left: 1, Alive: 1, Latency: bin(30 * s), TTFB: bin(30 * s)}},
		{"one that broke off", request{fate: fails, answers: s, ends: 30 * s}, health.AgeLate,
			health.Cell{N: 1, Failed: 1, Alive: 1, Broken: 1}},
	} {
		var f frame
		f.add(&test.in, test.at)
		if got := f.sum.Arms[0][test.at][0]; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s is counted as %+v, want %+v", test.what, got, test.want)
		}
	}
}

func TestFrameCountsMinutes(t *testing.T) {
	for _, test := range []struct {
		ends          time.Duration
		alive, broken uint32
	}{
		{3 * time.Minute, 0, 0}, {3*time.Minute + time.Second, 1, 1}, {4 * time.Minute, 1, 1}, {5 * time.Minute, 1, 0},
	} {
		var f frame
		f.addMinute(&request{fate: fails, ends: test.ends}, 4*time.Minute)
		if c := f.sum.Arms[0][health.AgeMinute][0]; c.Alive != test.alive || c.Broken != test.broken {
			t.Errorf("broken off at %s: alive %d, broken %d, want %d, %d", test.ends, c.Alive, c.Broken, test.alive, test.broken)
		}
	}
}

func TestFramesAddUp(t *testing.T) {
	a, b := request{answers: time.Second, ends: 2 * time.Second}, request{fate: fails, group: 3, ends: time.Second}
	var one, two, both frame
	one.add(&a, health.AgeSlow)
	two.add(&b, health.AgeSlow)
	two.add(&a, health.AgeSlow)
	both.add(&a, health.AgeSlow)
	both.add(&b, health.AgeSlow)
	both.add(&a, health.AgeSlow)
	one.merge(&two)
	if !reflect.DeepEqual(one.sum, both.sum) {
		t.Error("the sum of two frames is not what one would have counted")
	}
	one.clear()
	if got := one.sum.Arms[0][health.AgeSlow][0].N; got != 0 || len(one.used) != 0 {
		t.Errorf("a cleared frame holds %d requests, want none", got)
	}
}
