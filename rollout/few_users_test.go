package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// asks lets one user's n requests arrive at green and end, a few in each of the spans of which a user's first five count,
// while blue does well.
func (p *proxy) asks(user uint64, n int, o health.Outcome) {
	w := p.at.View().Windows[1]
	for i := range n {
		if i > 0 && i%5 == 0 {
			elapse(10 * time.Second)
		}
		p.record(0, 20, health.Success)
		f := health.Flight{Start: time.Now()}
		f.Arrive(w, user<<32)
		f.Record(f.Start, o)
	}
	elapse(2 * time.Second)
}

var (
	fine = health.Outcome{Class: health.Success, Answered: true}
	ill  = health.Outcome{Class: health.Failure, Cause: health.CauseStatus}
)

// judgedBy is a definition with what becomes of few users.
func judgedBy(rule health.OnFewUsers) rollout.Definition {
	def := assistant(90, 10)
	limits, judge := health.DefaultLimits(), health.DefaultSettings()
	judge.FewUsers = rule
	def.Policy.Failback, def.Policy.Judge = &limits, &judge
	return def
}

// One user's failures hold, on whichever instances he is, and this is said: in the verdict, and in the log once in a trial.
func TestOneUserCannotCondemn(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		core, logs := observer.New(zap.WarnLevel)
		p := start(t, s, "proxy-1", judgedBy(health.FewUsersHold), func(o *rollout.Options) { o.Log = zap.New(core) })
		other := start(t, s, "proxy-2", judgedBy(health.FewUsersHold))
		elapse(time.Second)
		p.record(0, 100, health.Success)
		p.asks(7, 20, fine)
		other.asks(7, 15, ill)
		p.asks(7, 15, ill)
		p.wants(t, "with one user's failures", 10, true)
		v := p.status(t).Verdict
		if v == nil || v.FewUsers == nil || !v.FewUsers.Held || !strings.Contains(v.Reason, "one user, who makes 100% of the canary's ") {
			t.Fatalf("verdict: got %+v, want it held for its one user", v)
		}
		for _, variant := range p.status(t).Variants {
			if got := variant.Summary; variant.Name == "green" && (got.Users != 1 || got.UsersFailed != 1 || got.TrialUsers != 1) {
				t.Errorf("green: got %+v, want one user who saw a failure", got)
			}
		}
		var said []string
		for _, entry := range logs.All() {
			if strings.Contains(entry.Message, "one user") {
				said = append(said, entry.Level.String())
			}
		}
		if want := []string{"warn", "error"}; !cmp.Equal(said, want) {
			t.Errorf("logged of the one user: %v, want %v and no more", said, want)
		}
		for user := range uint64(10) {
			p.asks(100+user, 1, ill)
		}
		p.wants(t, "with ten others who fail", 0, true)
	})
}

func TestOneUserMayCount(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := start(t, s, "proxy-1", judgedBy(health.FewUsersFailback))
		elapse(time.Second)
		p.record(0, 100, health.Success)
		p.asks(7, 25, ill)
		p.wants(t, "with one user's failures", 0, true)
		if why := stored(t, s).Progress.Why; !strings.Contains(why, "one user makes 100%") {
			t.Errorf("why: got %q, want the one user in it", why)
		}
	})
}
