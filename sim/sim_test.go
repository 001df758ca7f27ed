package sim

import (
	"reflect"
	"strings"
	"testing"
	"time"
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

func TestSameSeedSameLife(t *testing.T) {
	s := scenario{seed: 7, instances: 2, rate: 200, share: 0.1, limits: Limits(), length: 3 * time.Minute,
		behaves: turning(time.Minute, behaviour{errorRate: 0.5}, canary)}
	one, two := s.run(true, time.Minute), s.run(true, time.Minute)
	if len(one.failbacks) != 1 || !reflect.DeepEqual(one.failbacks, two.failbacks) {
		t.Errorf("one life failed back %+v, the other %+v, want the same once", one.failbacks, two.failbacks)
	}
}

// A canary that stays bad is failed back again and again, each time after twice the cooldown.
func TestCooldownDoubles(t *testing.T) {
	s := scenario{seed: 1, instances: 1, rate: 20, share: 0.5, limits: Limits(), length: 2 * time.Hour,
		behaves: turning(0, behaviour{errorRate: 0.5}, canary)}
	f := s.run(false, 0)
	if len(f.failbacks) != 4 {
		t.Fatalf("%d failbacks in 2 hours, want 4: %+v", len(f.failbacks), f.failbacks)
	}
	for i, pause := range []time.Duration{cooldown, 2 * cooldown, 4 * cooldown} {
		if got := f.failbacks[i+1].at - f.failbacks[i].at; got < pause || got > pause+time.Minute {
			t.Errorf("failback %d came %s after the one before, want a cooldown of %s and a little", i+2, got, pause)
		}
	}
}

// The simulation can tell: without a baseline that fails too, the same outage is failed back.
func TestOutageOfTheCanaryAlone(t *testing.T) {
	for _, share := range []float64{0.1, 0.5, 0.9} {
		s := scenario{seed: 1, instances: 2, rate: 20, share: share, limits: Limits(), length: 10 * time.Minute,
			behaves: turning(2*time.Minute, behaviour{errorRate: 0.5}, canary)}
		if f := s.run(true, 2*time.Minute); len(f.failbacks) != 1 {
			t.Errorf("canary at %g: no failback", share)
		} else {
			t.Logf("canary at %g: after %s", share, f.failbacks[0].at-f.firstBad)
		}
	}
}
