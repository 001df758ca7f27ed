package rollout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// command is one command to an instance.
type command func(ctx context.Context, p *proxy) (rollout.Result, error)

func starting(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.StartRollout(ctx, "assistant", rollout.StartRequest{}, alice)
}

func pausingIt(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.PauseRollout(ctx, "assistant", alice)
}

func resuming(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.ResumeRollout(ctx, "assistant", alice)
}

func approving(step int) command {
	return func(ctx context.Context, p *proxy) (rollout.Result, error) {
		return p.ApproveStep(ctx, "assistant", rollout.StepRequest{Step: step}, alice)
	}
}

func promoting(r rollout.PromoteRequest) command {
	return func(ctx context.Context, p *proxy) (rollout.Result, error) {
		return p.PromoteNow(ctx, "assistant", r, alice)
	}
}

func aborting(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.AbortRollout(ctx, "assistant", alice)
}

func rollingBack(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.RollBack(ctx, "assistant", rollout.RollbackRequest{}, alice)
}

func retrying(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.RetryRollout(ctx, "assistant", rollout.RetryRequest{}, alice)
}

func switching(r rollout.SwitchRequest) command {
	return func(ctx context.Context, p *proxy) (rollout.Result, error) {
		return p.SwitchTo(ctx, "assistant", r, alice)
	}
}

func switchingBack(ctx context.Context, p *proxy) (rollout.Result, error) {
	return p.SwitchBack(ctx, "assistant", alice)
}

func retiring(variant string, undo bool) command {
	return func(ctx context.Context, p *proxy) (rollout.Result, error) {
		return p.Retire(ctx, "assistant", rollout.RetireRequest{Variant: variant, Undo: undo}, alice)
	}
}

// TestCommands gives commands one after the other to one of two instances, and has both follow.
func TestCommands(t *testing.T) {
	full := rollout.PromoteRequest{Full: true}
	skip := rollout.SwitchRequest{To: "green", SkipChecks: true}
	for name, tt := range map[string]struct {
		in    []command
		want  string // the last one's kind; empty: it changed nothing, or was refused
		err   error
		note  string
		green splitter.Weight // what it has then
	}{
		"start":                         {[]command{starting}, "started", nil, "", percent},
		"start twice":                   {[]command{starting, starting}, "", rollout.ErrRefused, "", percent},
		"pause":                         {[]command{starting, pausingIt}, "paused", nil, "", percent},
		"pause twice":                   {[]command{starting, pausingIt, pausingIt}, "", nil, "it is paused already", percent},
		"resume":                        {[]command{starting, pausingIt, resuming}, "resumed", nil, "", percent},
		"resume twice":                  {[]command{starting, resuming}, "", nil, "it is not paused", percent},
		"approve":                       {[]command{starting, approving(2)}, "approved", nil, "", percent},
		"approve twice":                 {[]command{starting, approving(2), approving(2)}, "", nil, "that step is approved already", percent},
		"approve step 3":                {[]command{starting, approving(3)}, "", rollout.ErrStep, "", percent},
		"promote blind":                 {[]command{starting, promoting(rollout.PromoteRequest{})}, "", rollout.ErrRefused, "", percent},
		"promote":                       {[]command{starting, promoting(full)}, "promoted", nil, "", splitter.Full},
		"abort":                         {[]command{starting, aborting}, "aborted", nil, "", 0},
		"roll back":                     {[]command{starting, promoting(full), rollingBack}, "rolled_back", nil, "", 0},
		"retry":                         {[]command{starting, aborting, retrying}, "retried", nil, "", percent},
		"switch":                        {[]command{switching(skip)}, "switched", nil, "stable keeps 5% for 15m and then 1%", 95 * percent},
		"switch back":                   {[]command{switching(skip), switchingBack}, "switched_back", nil, "", 0},
		"switch without anybody to ask": {[]command{switching(rollout.SwitchRequest{To: "green"})}, "", rollout.ErrRefused, "", 0},
		"retire":                        {[]command{retiring("green", false)}, "retired", nil, "", 0},
		"retire twice":                  {[]command{retiring("green", false), retiring("green", false)}, "", nil, "green is retired already", 0},
		"undo":                          {[]command{retiring("green", false), retiring("green", true)}, "retired", nil, "", 0},
		"undo twice":                    {[]command{retiring("green", true)}, "", nil, "green is not retired", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				fleet := starts(t, s, 2, plannedJudge())
				elapse(2 * time.Second)
				last := len(tt.in) - 1
				for i, do := range tt.in[:last] {
					if _, err := do(t.Context(), fleet[0]); err != nil {
						t.Fatalf("command %d: %v", i, err)
					}
				}
				got, err := tt.in[last](t.Context(), fleet[0])
				if !errors.Is(err, tt.err) || got.Event.Kind != tt.want || !strings.HasPrefix(got.Note, tt.note) || tt.note == "" && got.Note != "" {
					t.Errorf("got %q, note %q, error %v; want %q, note %q, error %v", got.Event.Kind, got.Note, err, tt.want, tt.note, tt.err)
				}
				elapse(2 * time.Second)
				for _, p := range fleet {
					if got := p.status(t).State.Weights()["green"]; got != tt.green {
						t.Errorf("%s gives green %s, want %s", p.opts.Instance, got, tt.green)
					}
				}
			})
		})
	}
}

// A person who saw another State than the present one is told so.
func TestCommandsOnWhatWasSeen(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", planned())
		elapse(2 * time.Second)
		stale := alice
		stale.If = &splitter.Version{Revision: 7, ID: "another"}
		if _, err := p.StartRollout(t.Context(), "assistant", rollout.StartRequest{}, stale); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("start: got %v, want ErrStale", err)
		}
		r := rollout.SwitchRequest{To: "green"}
		if _, err := p.SwitchTo(t.Context(), "assistant", r, stale); !errors.Is(err, rollout.ErrStale) {
			t.Errorf("switch: got %v, want ErrStale", err)
		}
		if _, err := p.SwitchTo(t.Context(), "nobody", r, alice); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("switch of an unknown split: got %v, want ErrUnknownSplit", err)
		}
		if _, err := p.PromoteNow(t.Context(), "nobody", rollout.PromoteRequest{}, alice); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("promotion of an unknown split: got %v, want ErrUnknownSplit", err)
		}
	})
}

// Whoever begins a rollout that cannot end by itself is told at once, and again by status.
func TestHopelessRolloutIsTold(t *testing.T) {
	const want = "the judge is off, so that no traffic stays on \"blue\" at 100%, and without it no canary passes: " +
		"`split promote --full` ends the rollout by hand"
	for name, begin := range map[string]command{
		"start":  starting,
		"switch": switching(rollout.SwitchRequest{To: "green", SkipChecks: true}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				p := start(t, s, "proxy-1", planned())
				elapse(2 * time.Second)
				got, err := begin(t.Context(), p)
				if err != nil || !strings.HasSuffix(got.Note, want) {
					t.Errorf("note: got %q, %v, want %q", got.Note, err, want)
				}
				if warnings := p.status(t).Plan.Warnings; len(warnings) != 1 || warnings[0] != got.Note {
					t.Errorf("status warns %q, want %q", warnings, got.Note)
				}
			})
		})
	}
}

// The verdict of the fleet's judge is what a promotion by hand rests on.
func TestPromoteOnTheVerdict(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", planned())
		elapse(2 * time.Second)
		if _, err := starting(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.record(0, 100, health.Success)
		p.record(1, 100, health.Success)
		elapse(5 * time.Second)
		got, err := promoting(rollout.PromoteRequest{Step: 1})(t.Context(), p)
		if err != nil {
			t.Fatalf("on %+v: %v", p.status(t).Verdict, err)
		}
		want := planGist{Kind: "step", Epoch: 2, Roles: "blue/green", Canary: splitter.Full, Phase: trial, HasPlan: true, Step: 4}
		if diff := cmp.Diff(want, planGistOf(got.State)); diff != "" {
			t.Errorf("promoted (-want +got):\n%s", diff)
		}
	})
}

// asker answers for the variants of a split.
type asker struct {
	rollout.Agents
	asked []string
	fails []rollout.Checked
}

func (a *asker) Check(_ context.Context, variant string) []rollout.Checked {
	a.asked = append(a.asked, variant)
	return append([]rollout.Checked{{Name: "probe"}}, a.fails...)
}

func TestSwitchAsksFirst(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", planned())
		agents := &asker{fails: []rollout.Checked{{Name: "models", Err: errors.New("status 503")}, {Name: "dial", Err: errors.New("refused")}}}
		p.at.Agents = agents
		p.mustStart(t)
		elapse(2 * time.Second)
		_, err := switching(rollout.SwitchRequest{To: "green"})(t.Context(), p)
		const want = `"green" does not work: models: status 503; dial: refused`
		if !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a refusal with %q", err, want)
		}
		if got := p.status(t).State.Weights()["green"]; got != 0 {
			t.Errorf("a refused switch gave green %s", got)
		}
		if _, err := switching(rollout.SwitchRequest{To: "blue"})(t.Context(), p); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("switch to stable: got %v, want ErrRefused", err)
		}
		agents.fails = nil
		if _, err := switching(rollout.SwitchRequest{To: "green"})(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"green", "green"}, agents.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if got := p.status(t).State.Weights()["green"]; got != splitter.Full {
			t.Errorf("the switch gave green %s, want 100%%", got)
		}
	})
}

// Whoever routes the variants by now is asked, and not the configuration before it.
func TestSwitchAsksTheNewestConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := newProxy(t, s, "proxy-1", planned())
		p.at.Agents = &asker{fails: []rollout.Checked{{Name: "old", Err: errors.New("gone")}}}
		p.mustStart(t)
		elapse(2 * time.Second)
		at, err := p.Attach(planned(), "second")
		if err != nil {
			t.Fatal(err)
		}
		at.Agents = &asker{}
		if _, err := switching(rollout.SwitchRequest{To: "green"})(t.Context(), p); !errors.Is(err, rollout.ErrRefused) {
			t.Errorf("before the second configuration starts: got %v, want the first one's refusal", err)
		}
		p.mustStart(t)
		if _, err := switching(rollout.SwitchRequest{To: "green"})(t.Context(), p); err != nil {
			t.Errorf("after it has started: %v", err)
		}
	})
}
