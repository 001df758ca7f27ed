package demo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// sum returns a tally of whole answers, as many users on green as said, the rest of 1000 on blue.
func sum(onGreen int) tally {
	t := newTally()
	t.answers, t.seen = 1000, 1000
	t.on[blue], t.on[green] = 1000-onGreen, onGreen
	t.served[blue], t.served[green] = 1000-onGreen, onGreen
	return *t
}

// but returns a tally with something changed.
func but(t tally, change func(*tally)) tally {
	change(&t)
	return t
}

func TestVerdictsOnTraffic(t *testing.T) {
	share := func(w splitter.Weight) func(tally) (string, error) {
		return func(t tally) (string, error) { return checkShare(t, w) }
	}
	moved := func(from, to string) func(*tally) { return func(t *tally) { t.moves[move{from, to}] = 3 } }
	failing := func(t *tally) { t.failed[green], t.complaints = 2, []string{"status 500"} }
	refusing := func(t *tally) { t.refused = 1 }
	all := func(t *tally) { t.refused = t.answers }
	for _, tt := range []struct {
		name  string
		check func(tally) (string, error)
		in    tally
		want  string // part of the sentence; of the error if it begins with "!"
	}{
		{"share", share(10_000), sum(100), "100 of 1000 users are on green (65 to 139 expected)"},
		{"share of those who came up", share(10_000), but(sum(100), moved(blue, green)), "100 of 1000"},
		{"nobody at 0%", share(0), sum(0), "0 of 1000 users are on green"},
		{"somebody at 0%", share(0), sum(1), "!1 of 1000 users are on green: from 0 to 0"},
		{"nobody at 1%", share(1_000), sum(0), "!from 1 to 24"},
		{"too few", share(10_000), sum(64), "!from 65 to 139"},
		{"too many", share(10_000), sum(140), "!from 65 to 139"},
		{"no traffic", share(0), *newTally(), "!nobody"},
		{"failures", share(10_000), but(sum(100), failing), "!2 of 1000 answers failed: status 500"},
		{"refusals", share(10_000), but(sum(100), refusing), "!1 of 1000 answers were refused"},
		{"moved back", share(10_000), but(sum(100), moved(green, blue)), "!3 users moved from green to blue"},
		{"moved without reason", share(10_000), but(sum(100), func(t *tally) { t.within = 4 }), "!4 users moved although"},

		{"back", checkBack, but(sum(0), moved(green, blue)), "all 1000 users"},
		{"still there", checkBack, sum(1), "!1 of 1000 users are still on green"},
		{"went there", checkBack, but(sum(0), moved(blue, green)), "!3 users moved from blue to green"},
		{"still failing", checkBack, but(sum(0), failing), "!2 of 1000 answers failed"},

		{"refused", checkRefused, but(*newTally(), func(t *tally) { t.answers, t.refused = 9, 9 }), "all 9 requests"},
		{"all but one", checkRefused, but(sum(0), func(t *tally) { t.refused = 999 }), "!999 of 1000 requests were refused"},
		{"failed instead", checkRefused, but(sum(0), failing), "!(998 were served, 2 failed: status 500)"},
		{"nobody came", checkRefused, *newTally(), "!0 of 0"},
		{"all refused is not served", share(0), but(sum(0), all), "!1000 of 1000 answers were refused"},
	} {
		got, err := tt.check(tt.in)
		want, wantErr := strings.CutPrefix(tt.want, "!")
		if err != nil {
			got = err.Error()
		}
		if (err != nil) != wantErr || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, error %v, want %q, an error: %t", tt.name, got, err, want, wantErr)
		}
	}
}

// failedBack returns the event of a failback by the proxy.
func failedBack() store.Event {
	return store.Event{
		Change:   splitter.Change{Kind: rollout.KindFailback, Actor: proxyActor, Reason: "12% of 300 requests failed"},
		From:     map[string]splitter.Weight{blue: 75_000, green: 25_000},
		To:       map[string]splitter.Weight{blue: 100_000, green: 0},
		Evidence: json.RawMessage(`{"result":"fail"}`),
	}
}

func TestJudgeFailback(t *testing.T) {
	began := time.Now()
	seen := but(sum(250), func(t *tally) { t.hurt, t.failed[green], t.firstFailure = 17, 20, began })
	got, err := judgeFailback(seen, []store.Event{{}, failedBack()}, began.Add(4200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	want := failback{AfterSeconds: 4.2, Users: 1000, UsersHurt: 17, Failures: 20, Reason: "12% of 300 requests failed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failback (-want +got):\n%s", diff)
	}
	sentence := "failed back by itself 4.2 s after the first bad answer; 17 of 1000 users saw an error. " +
		"Why: 12% of 300 requests failed"
	if got.String() != sentence {
		t.Errorf("got %q, want %q", got, sentence)
	}
}

func TestJudgeFailbackRefuses(t *testing.T) {
	event := func(change func(*store.Event)) []store.Event {
		e := failedBack()
		change(&e)
		return []store.Event{e}
	}
	good := sum(250)
	for _, tt := range []struct {
		name   string
		in     tally
		events []store.Event
		want   string
	}{
		{"no event", good, []store.Event{{Change: splitter.Change{Kind: rollout.KindWeights}}}, "has no failback"},
		{"a person", good, event(func(e *store.Event) { e.Actor = "alice" }), `made by "alice"`},
		{"from nothing", good, event(func(e *store.Event) { e.From = nil }), "from 0% to 0%"},
		{"not to nothing", good, event(func(e *store.Event) { e.To[green] = 1_000 }), "from 25% to 1%"},
		{"no evidence", good, event(func(e *store.Event) { e.Evidence = nil }), "no evidence"},
		{"blue failed too", but(sum(250), func(t *tally) { t.failed[blue], t.failed[green] = 1, 3 }),
			event(func(*store.Event) {}), "of 4 failed answers only 3 were green's"},
	} {
		_, err := judgeFailback(tt.in, tt.events, time.Now())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckEvents(t *testing.T) {
	log := func(newestFirst ...string) []store.Event {
		var events []store.Event
		for _, kind := range newestFirst {
			events = append(events, store.Event{Change: splitter.Change{Kind: kind}})
		}
		return events
	}
	for _, tt := range []struct {
		name string
		in   []store.Event
		ok   bool
	}{
		{"all", log("revive", "kill", "failback", "weights", "created"), true},
		{"others between", log("revive", "policy", "kill", "failback", "weights"), true},
		{"one missing", log("revive", "kill", "weights"), false},
		{"another order", log("kill", "revive", "failback", "weights"), false},
		{"nothing", nil, false},
	} {
		if err := checkEvents(tt.in, "weights", "failback", "kill", "revive"); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok: %t", tt.name, err, tt.ok)
		}
	}
}

func TestCheckConfirmed(t *testing.T) {
	by := func(applied, missing []string) *control.Confirmation {
		return &control.Confirmation{Applied: applied, Missing: missing, Took: health.Duration(time.Millisecond),
			Summary: "2 of 2 instances in 1 ms"}
	}
	for _, tt := range []struct {
		name string
		in   *control.Confirmation
		want string
		ok   bool
	}{
		{"both", by([]string{"proxy-1", "proxy-2"}, nil), "2 of 2 instances in 1 ms", true},
		{"one is late", by([]string{"proxy-1"}, []string{"proxy-2"}), `not applied by ["proxy-2"]`, false},
		{"one is not a member", by([]string{"proxy-1"}, nil), "2 proxies must be among them", false},
		{"nobody waited", nil, "was not confirmed: store away", false},
	} {
		got, err := checkConfirmed(control.Change{Confirmation: tt.in, Note: "store away"}, 2)
		if err != nil {
			got = err.Error()
		}
		if (err == nil) != tt.ok || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q (%v), want %q, ok: %t", tt.name, got, err, tt.want, tt.ok)
		}
	}
}
