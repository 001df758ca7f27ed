package rollout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
)

func TestFits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*rollout.Definition)
		want   string // a part of the reason; empty: it fits
	}{
		{"as by default", func(*rollout.Definition) {}, ""},
		{"judge without limits", func(d *rollout.Definition) { d.Policy.Failback.MaxErrorRate = 0 }, ""},
		{"no canary", func(d *rollout.Definition) { d.Canary = "" }, "names no canary"},
		{"failback off", func(d *rollout.Definition) { d.Policy.Failback, d.Policy.Judge = nil, nil }, "failback is off"},
		{"no limit and no judge", func(d *rollout.Definition) {
			d.Policy.Failback.MaxErrorRate, d.Policy.Judge = 0, nil
		}, "no limit is set"},
		{"judge off", func(d *rollout.Definition) { d.Policy.Judge = nil }, "the judge is off, so that no traffic stays"},
		{"trickle off", func(d *rollout.Definition) { d.Policy.Judge.Trickle = health.Trickle{Off: true} }, "trickle keeps no traffic"},
		{"trickle of nobody", func(d *rollout.Definition) { d.Policy.Judge.Trickle.Then = 1e-9 }, "trickle keeps no traffic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits, settings := health.DefaultLimits(), health.DefaultSettings()
			def := rollout.Definition{Name: "assistant", Stable: "blue", Canary: "green",
				Policy: rollout.Policy{Failback: &limits, Judge: &settings}}
			tt.change(&def)
			err := def.Fits()
			if errors.Is(err, rollout.ErrPlan) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
