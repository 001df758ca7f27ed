package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// judged is a definition whose canary is compared with the baseline.
func judged() rollout.Definition {
	def := assistant(90, 10)
	settings := health.DefaultSettings()
	def.Policy.Judge = &settings
	return def
}

// A trial that began under a release without a judge is judged by its limits, with what it said of few users passed over,
// until the file's policy is applied; and this is said.
func TestStateWithoutJudge(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		def := judged()
		older := created(t, def)
		older.Policy = []byte(`{"failback":{"window":"1m","min_requests":20,"max_error_rate":0.05,"few_users":"failback"},"cooldown":"15m"}`)
		if err := s.Swap(t.Context(), splitter.Version{}, older, store.Event{}); err != nil {
			t.Fatal(err)
		}
		p := start(t, s, "proxy-1", def)
		elapse(2 * time.Second)
		const note = "the file has a judge and this trial began without one"
		if got := strings.Join(p.status(t).Notes, "\n"); !strings.Contains(got, note) {
			t.Errorf("notes: got %q, want %q", got, note)
		}
		p.record(0, 100, health.Success)
		p.record(1, 100, health.Success)
		elapse(5 * time.Second)
		if v := p.status(t).Verdict; v == nil || v.Result != health.Pass {
			t.Errorf("verdict: got %+v, want the limits to be kept", v)
		}
		if _, err := p.ApplyPolicy(t.Context(), "assistant", alice); err != nil {
			t.Fatal(err)
		}
		if got := p.status(t); len(got.Notes) > 0 || !strings.Contains(string(got.State.Policy), `"judge":{"alpha":0.01,`) {
			t.Errorf("after policy apply: got %q under %s, want the file's judge and no note", got.Notes, got.State.Policy)
		}
	})
}

func TestPolicyNotes(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*rollout.Policy)
		want string
	}{
		{"as it was", func(*rollout.Policy) {}, ""},
		{"another judge", func(p *rollout.Policy) { p.Judge.Alpha = 0.05 }, "the file's failback or judge differs"},
		{"no judge", func(p *rollout.Policy) { p.Judge = nil }, "the file's failback or judge differs"},
		{"other limits", func(p *rollout.Policy) { p.Failback.MinRequests = 5 }, "the file's failback or judge differs"},
	} {
		bubble(t, func(t *testing.T, s *embedded.Store) {
			frozen, file := judged(), judged()
			tt.edit(&file.Policy)
			if err := s.Swap(t.Context(), splitter.Version{}, created(t, frozen), store.Event{}); err != nil {
				t.Fatal(err)
			}
			p := start(t, s, "proxy-1", file)
			elapse(2 * time.Second)
			got := strings.Join(p.status(t).Notes, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}
