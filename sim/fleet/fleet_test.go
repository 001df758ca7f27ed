package fleet_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/sim/fleet"
	"github.com/switchback-proxy/switchback/splitter"
)

// split is blue and green, half each.
func split() rollout.Definition {
	limits, settings := health.DefaultLimits(), health.DefaultSettings()
	return rollout.Definition{
		Name: "assistant", Stable: "blue", Canary: "green",
		Variants: []rollout.Variant{{Name: "blue", Weight: splitter.Full / 2}, {Name: "green", Weight: splitter.Full / 2}},
		Policy:   rollout.Policy{Failback: &limits, Judge: &settings, Cooldown: health.Duration(time.Minute)},
	}
}

// bubble runs a test with a fleet of n, which has risen.
func bubble(t *testing.T, n int, test func(t *testing.T, f *fleet.Fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, err := fleet.New(fleet.Options{Folder: t.TempDir(), Instances: n, Definition: split(), Seed: 1, Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := f.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		if err := f.Rise(); err != nil {
			t.Fatal(err)
		}
		serve(t, f, 2*time.Second)
		test(t, f)
	})
}

func serve(t *testing.T, f *fleet.Fleet, d time.Duration) {
	t.Helper()
	if err := f.Serve(d); err != nil {
		t.Fatalf("Serve: %v", err)
	}
	synctest.Wait()
}

// set asks an instance to give green a share.
func set(i *fleet.Instance, percents splitter.Weight) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	w := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": percents * splitter.Full / 100}}
	_, err := i.SetWeights(ctx, "assistant", w, rollout.By{Actor: "alice"})
	return err
}

func green(s *splitter.State) splitter.Weight { return s.Weights()["green"] * 100 / splitter.Full }

// Each fault does what it is called, and is over when it is healed.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		fault     fleet.Fault
		want      error           // what the one who asks is told
		written   splitter.Weight // what green has in the store then
		elsewhere splitter.Weight // and by the other instance, at once
	}{
		{fleet.Healthy, nil, 10, 10},
		{fleet.Away, rollout.ErrUnavailable, 50, 50},
		{fleet.Hung, rollout.ErrUnavailable, 50, 50},
		{fleet.LostAnswers, rollout.ErrUnconfirmed, 10, 10},
		{fleet.Slow, nil, 10, 10},
		{fleet.Deaf, nil, 10, 10},
		{fleet.ReadOnly, rollout.ErrUnavailable, 50, 50},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			bubble(t, 2, func(t *testing.T, f *fleet.Fleet) {
				f.Instances[0].Befall(tt.fault)
				if err := set(f.Instances[0], 10); !errors.Is(err, tt.want) {
					t.Errorf("asked: got %v, want %v", err, tt.want)
				}
				synctest.Wait()
				if got := green(f.State()); got != tt.written {
					t.Errorf("in the store: got %d %%, want %d", got, tt.written)
				}
				if got := green(f.Instances[1].View().State); got != tt.elsewhere {
					t.Errorf("elsewhere: got %d %%, want %d", got, tt.elsewhere)
				}
				f.Instances[0].Befall(fleet.Healthy)
				serve(t, f, 5*time.Second)
				err := set(f.Instances[0], 20)
				synctest.Wait()
				if got := green(f.Instances[1].View().State); err != nil || got != 20 {
					t.Errorf("healed: got %d %%, %v, want 20", got, err)
				}
			})
		})
	}
}

// One that is deaf learns of changes by its heartbeat.
func TestDeafInstance(t *testing.T) {
	bubble(t, 2, func(t *testing.T, f *fleet.Fleet) {
		f.Instances[1].Befall(fleet.Deaf)
		if err := set(f.Instances[0], 10); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := green(f.Instances[1].View().State); got != 50 {
			t.Errorf("at once: got %d %%, want 50", got)
		}
		serve(t, f, 2*time.Second)
		if got := green(f.Instances[1].View().State); got != 10 {
			t.Errorf("2 s later: got %d %%, want 10", got)
		}
	})
}

// A process that crashes says no goodbye and writes nothing more; the next one has what the disk has.
func TestCrash(t *testing.T) {
	bubble(t, 2, func(t *testing.T, f *fleet.Fleet) {
		first := f.Instances[0]
		first.Befall(fleet.Away)
		serve(t, f, 2*time.Second)
		if _, err := first.Kill(t.Context(), "assistant", rollout.KillRequest{Variant: "green"}, rollout.By{Actor: "alice"}); err != nil {
			t.Fatal(err)
		}
		if err := first.Crash(); err != nil {
			t.Fatal(err)
		}
		serve(t, f, 10*time.Second)
		if f.State().KillOf("green") != nil {
			t.Error("a dead process has written its kill")
		}
		members, _, err := f.Instances[1].Controller.Instances(t.Context())
		if err != nil || len(members) != 2 {
			t.Errorf("members: got %d, %v, want 2, as nobody said goodbye", len(members), err)
		}
		first.Befall(fleet.Healthy)
		if err := first.Rise(); err != nil {
			t.Fatal(err)
		}
		serve(t, f, 5*time.Second)
		if f.State().KillOf("green") == nil {
			t.Error("the kill on the disk is not in the store")
		}
	})
}

// Traffic comes to all instances, by their shares, and ills are judged.
func TestTraffic(t *testing.T) {
	bubble(t, 2, func(t *testing.T, f *fleet.Fleet) {
		f.Traffic = fleet.Traffic{Rate: 40}
		serve(t, f, 30*time.Second)
		st, err := f.Instances[0].Status(t.Context(), "assistant")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range st.Variants {
			if v.Summary.Requests < 500 || v.Summary.Requests > 700 {
				t.Errorf("%s: got %d requests, want half of 1200", v.Name, v.Summary.Requests)
			}
		}
		f.Agents["green"] = fleet.Behaviour{Errors: 0.6, Latency: fleet.Well.Latency}
		serve(t, f, 30*time.Second)
		if s := f.State(); s.Progress.Phase != splitter.PhaseFailedBack || green(s) != 0 {
			t.Errorf("an ill canary is in phase %s with %d %%", s.Progress.Phase, green(s))
		}
	})
}
