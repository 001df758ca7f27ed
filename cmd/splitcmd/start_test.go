package splitcmd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
)

// What flags do not say of a plan is the file's: how long steps last, too.
func TestStartFlags(t *testing.T) {
	const second = health.Duration(time.Second)
	plan := control.DefaultPlan()
	plan.Steps = []control.PlanStep{{Weight: 1000, Bake: 2 * second}, {Weight: 5000, Bake: 9 * second}, {Weight: 100_000}}
	steps := func(bakes ...health.Duration) []control.PlanStep {
		return []control.PlanStep{{Weight: 10_000, Bake: bakes[0]}, {Weight: 50_000, Bake: bakes[1]}, {Weight: 100_000}}
	}
	const day = 24 * 60 * 60 * second
	for _, tt := range []struct {
		in   []string
		plan *control.Plan
		bake health.Duration // the file's
		want []control.PlanStep
	}{
		{[]string{"--steps", "10% 50%:6s 100%"}, nil, 0, steps(day, 6*second)},
		{[]string{"--steps", "10% 50%:6s 100%"}, &plan, 0, steps(2*second, 6*second)},
		{[]string{"--steps", "10% 50% 100%"}, &plan, 9 * second, steps(9*second, 9*second)},
		{[]string{"--steps", "10% 50%:6s 100%", "--bake", "3s"}, &plan, 9 * second, steps(3*second, 6*second)},
		{[]string{"--watch", "1h"}, &plan, 9 * second, plan.Steps},
	} {
		var status control.Status
		status.File.Plan, status.File.Bake = tt.plan, tt.bake
		cmd, p := new(cobra.Command), new(planFlags)
		p.add(cmd)
		if err := cmd.ParseFlags(tt.in); err != nil {
			t.Fatal(err)
		}
		got, err := p.of(status)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got.Steps); diff != "" {
			t.Errorf("%q, bake %s (-want +got):\n%s", tt.in, tt.bake, diff)
		}
	}
}
