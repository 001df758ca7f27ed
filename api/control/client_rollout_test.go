package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

func TestClientMovesARollout(t *testing.T) {
	f := newFleet()
	c := clients(t, handlerOf(f))["unix"]
	by := control.Claim{Actor: "alice", Reason: "because"}
	own := control.PlanDraft{Plan: *ownPlan()}
	tests := []struct {
		kind string
		want any
		do   func(ctx context.Context) (control.Change, error)
	}{
		{rollout.KindStarted, rollout.StartRequest{Plan: ownPlan(), Force: true}, func(ctx context.Context) (control.Change, error) {
			return c.Start(ctx, "assistant", control.StartRequest{Plan: &own, Force: true, Claim: by}, control.Wait(time.Second))
		}},
		{rollout.KindPaused, "pause", func(ctx context.Context) (control.Change, error) {
			return c.Pause(ctx, "assistant", control.PauseRequest{Claim: by})
		}},
		{rollout.KindResumed, "resume", func(ctx context.Context) (control.Change, error) {
			return c.Resume(ctx, "assistant", control.ResumeRequest{Claim: by})
		}},
		{rollout.KindApproved, rollout.StepRequest{Step: 4}, func(ctx context.Context) (control.Change, error) {
			return c.Step(ctx, "assistant", control.StepRequest{Step: 4, Claim: by})
		}},
		{rollout.KindStep, rollout.PromoteRequest{Full: true, Step: 3}, func(ctx context.Context) (control.Change, error) {
			return c.Promote(ctx, "assistant", control.PromoteRequest{Full: true, Step: 3, Claim: by})
		}},
		{rollout.KindAborted, "abort", func(ctx context.Context) (control.Change, error) {
			return c.Abort(ctx, "assistant", control.AbortRequest{Claim: by})
		}},
		{rollout.KindRolledBack, rollout.RollbackRequest{To: "blue"}, func(ctx context.Context) (control.Change, error) {
			return c.Rollback(ctx, "assistant", control.RollbackRequest{To: "blue", Claim: by})
		}},
		{rollout.KindRetried, rollout.RetryRequest{Force: true}, func(ctx context.Context) (control.Change, error) {
			return c.Retry(ctx, "assistant", control.RetryRequest{Force: true, Claim: by})
		}},
		{rollout.KindSwitched, rollout.SwitchRequest{To: "green", SkipChecks: true}, func(ctx context.Context) (control.Change, error) {
			return c.Switch(ctx, "assistant", control.SwitchRequest{To: "green", SkipChecks: true, Claim: by})
		}},
		{rollout.KindSwitchedBack, "switch back", func(ctx context.Context) (control.Change, error) {
			return c.SwitchBack(ctx, "assistant", control.SwitchBackRequest{Claim: by})
		}},
		{rollout.KindRetired, rollout.RetireRequest{Variant: "red", Undo: true}, func(ctx context.Context) (control.Change, error) {
			return c.Retire(ctx, "assistant", control.RetireRequest{Variant: "red", Undo: true, Claim: by})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			f.asked = nil
			change, err := tt.do(t.Context())
			if err != nil || change.Event.Kind != tt.kind {
				t.Fatalf("change = %+v, %v, want one of kind %s", change, err, tt.kind)
			}
			want := []any{tt.want, rollout.By{Actor: "alice", Via: "socket", Reason: "because"}}
			if diff := cmp.Diff(want, f.asked); diff != "" {
				t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientAsksAboutARollout(t *testing.T) {
	f := newFleet()
	f.shows, f.trouble = f.planned, true
	c, ctx := clients(t, handlerOf(f))["url"], t.Context()
	status, err := c.Status(ctx, "assistant")
	if err != nil || status.Plan == nil || status.Plan.Step != 3 || status.Plan.Plan.Step(4).Weight != 25_000 || len(status.Plan.Waits) != 3 {
		t.Errorf("Status = %+v, %v", status.Plan, err)
	}
	why, err := c.Why(ctx, "assistant")
	if err != nil || len(why.Why) != 2 {
		t.Errorf("Why = %+v, %v", why, err)
	}
	preflight, err := c.Preflight(ctx, "assistant")
	if err != nil || preflight.OK || len(preflight.Items) != 3 || preflight.Items[2].Result != control.PreflightMiss {
		t.Errorf("Preflight = %+v, %v", preflight, err)
	}
	targets, err := c.Targets(ctx)
	if err != nil || len(targets.Targets) != 2 || targets.Targets[1].Failed != 7 {
		t.Errorf("Targets = %+v, %v", targets, err)
	}
	drill, err := c.Drill(ctx, "assistant", control.DrillRequest{Users: []string{"test-1"}})
	if err != nil || !drill.Passed || len(drill.Steps) != 3 || drill.Steps[0].Took != ms(14) {
		t.Errorf("Drill = %+v, %v", drill, err)
	}
}

func TestClientTellsAnotherStep(t *testing.T) {
	f := newFleet()
	f.shows, f.err = f.planned, fmt.Errorf("%w: step 3 is reached", rollout.ErrStep)
	_, err := clients(t, handlerOf(f))["url"].Step(t.Context(), "assistant", control.StepRequest{Step: 3})
	p, ok := errors.AsType[*control.Problem](err)
	if !errors.Is(err, rollout.ErrStep) || !ok || p.Step != 3 {
		t.Errorf("error = %#v, want ErrStep with the present step 3", err)
	}
}

func TestParsePlan(t *testing.T) {
	tests := []struct {
		in, wrong string
		want      rollout.Plan
	}{
		{`{}`, "", rollout.DefaultPlan()},
		{`{"steps":[{"weight":"2%","bake":"1h"},{"weight":"20%"},{"weight":"100%"}],"min_users":0,` +
			`"gates":[{"webhook":"https://gate.example"},{"approval":true,"before":"20%"}],"on_fail":"pause"}`, "", *ownPlan()},
		{`{"watch":"0s"}`, "watch 0s: must be from 1s", rollout.Plan{}},
		{`{"steps":[]}`, "the last must be 100%", rollout.Plan{}},
		{`{"step":1}`, `"step"`, rollout.Plan{}},
		{`{"window":"mon-fri 09:00-17:00 Europe/Berlin","on_fail":"failback"}`, "", windowed()},
		{`{"window":{"days":[1,2,3,4,5],"from":540,"to":1020,"zone":"Europe/Berlin"}}`, "", windowed()},
		{`{"steps"`, "not valid JSON", rollout.Plan{}},
	}
	for _, tt := range tests {
		got, err := control.ParsePlan([]byte(tt.in))
		if tt.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("ParsePlan(%s) = %v, want an error with %q", tt.in, err, tt.wrong)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("ParsePlan(%s): %v (-want +got):\n%s", tt.in, err, diff)
		}
	}
}

// windowed is the default plan with a window.
func windowed() rollout.Plan {
	p := rollout.DefaultPlan()
	p.Window = &rollout.Window{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 540, To: 1020, Zone: "Europe/Berlin"}
	return p
}

// What a plan's own types refuse is told with where it is, what it is, and what it must be; at the command line as here.
func TestPlanSaysWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		`{"window":"mon-fri 25:00-17:00"}`:                `field "window": window hours "25:00-17:00": must be two times of 24 hours, such as 09:00-17:00`,
		`{"window":"monday 09:00-17:00"}`:                 `field "window": window days "monday": must be of sun, mon, tue, wed, thu, fri, sat, such as mon-fri or sat,sun`,
		`{"window":9}`:                                    `field "window": 9: must be an object`,
		`{"window":{"from":"09:00"}}`:                     `field "window.from": "09:00": must be a whole number`,
		`{"window":{"days":["mon"]}}`:                     `field "window.days[0]": "mon": must be a whole number`,
		`{"steps":[{"weight":"1%"},{"weight":"5"}]}`:      `field "steps[1].weight": weight "5": the % sign is missing; it must be a percentage from 0% to 100% with at most three decimals, such as 0.5%`,
		`{"steps":[{"weight":5}]}`:                        `field "steps[0].weight": weight "5": the % sign is missing; it must be a percentage from 0% to 100% with at most three decimals, such as 0.5%`,
		`{"steps":[{"weight":"1%","bake":"6 hours"}]}`:    `field "steps[0].bake": "6 hours" is no duration, write it like 90s or 1m30s`,
		`{"steps":"1% 100%"}`:                             `field "steps": "1% 100%": must be a list`,
		`{"steps":[{"share":"1%"}]}`:                      `field "steps[0].share": there is no such field`,
		`{"watch":48}`:                                    `field "watch": "48" is no duration, write it like 90s or 1m30s`,
		`{"watch":{"h":48}}`:                              `field "watch": an object: must be a text`,
		`{"watch":0}`:                                     `field "watch": 0: must be a text`,
		`{"no_traffic":"soon"}`:                           `field "no_traffic": "soon" is no duration, write it like 90s or 1m30s`,
		`{"min_requests":"many"}`:                         `field "min_requests": "many": must be a whole number`,
		`{"min_users":1.5}`:                               `field "min_users": 1.5: must be a whole number`,
		`{"gates":[{"approval":"yes"}]}`:                  `field "gates[0].approval": "yes": must be true or false`,
		`{"gates":[{"approval":true,"before":"a half"}]}`: `field "gates[0].before": weight "a half": the % sign is missing; it must be a percentage from 0% to 100% with at most three decimals, such as 0.5%`,
		`{"gates":[{"webhook":["a"]}]}`:                   `field "gates[0].webhook": a list: must be a text`,
		`{"on_fail":"stop"}`:                              `field "on_fail": on_fail "stop": must be failback or pause`,
		`{"on_fail":7}`:                                   `field "on_fail": on_fail "7": must be failback or pause`,
	} {
		_, err := control.ParsePlan([]byte(in))
		if err == nil || err.Error() != want {
			t.Errorf("ParsePlan(%s):\ngot  %v\nwant %s", in, err, want)
		}
		f := newFleet()
		w := call(f, "POST", "/splits/v1/assistant/start", `{"plan":`+in+`}`)
		inPlan := strings.Replace(want, `field "`, `field "plan.`, 1)
		var p control.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 422 || p.Detail != inPlan {
			t.Errorf("start by %s:\ngot  %d %s\nwant 422 %s", in, w.Code, p.Detail, inPlan)
		}
	}
}

// Steps that somebody gives instead of the file's last as long as the file has steps last.
func TestFileBake(t *testing.T) {
	const second = health.Duration(time.Second)
	steps := []rollout.Step{{Weight: 1000, Bake: 2 * second}, {Weight: 5000, Bake: 9 * second}, {Weight: 100_000}}
	for _, tt := range []struct {
		in   rollout.Definition
		want health.Duration
	}{
		{rollout.Definition{}, 24 * 60 * 60 * second},
		{rollout.Definition{Plan: &rollout.Plan{Steps: steps}}, 2 * second},
		{rollout.Definition{Plan: &rollout.Plan{Steps: steps}, Bake: 9 * second}, 9 * second},
	} {
		if got := (control.Status{File: tt.in}).FileBake(); got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestFilePlan(t *testing.T) {
	var s control.Status
	if diff := cmp.Diff(rollout.DefaultPlan(), s.FilePlan()); diff != "" {
		t.Errorf("without a plan in the file (-want +got):\n%s", diff)
	}
	s.File.Plan = ownPlan()
	got := s.FilePlan()
	got.Steps[0].Weight = 1
	if diff := cmp.Diff(*ownPlan(), *s.File.Plan); diff != "" {
		t.Errorf("the copy is no copy (-want +got):\n%s", diff)
	}
}
