package splitcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// moments answers the n-th look at assistant with the n-th recorded answer, and the last one ever after. "away" is a proxy
// that does not answer, "blank" one that has just started.
func moments(t *testing.T, names ...string) *control.Client {
	calls := 0
	return control.NewClient("http://proxy", doer(func(r *http.Request) (*http.Response, error) {
		name := names[min(calls, len(names)-1)]
		calls++
		w := httptest.NewRecorder()
		switch name {
		case "slow":
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		case "away":
			return nil, errors.New("connection refused")
		case "blank":
			fmt.Fprint(w, `{"split":"assistant"}`)
		default:
			(&replay{t: t, answers: map[string]string{"GET /splits/v1/assistant": name}}).ServeHTTP(w, r)
		}
		return w.Result(), nil
	}))
}

func TestAwait(t *testing.T) {
	tests := []struct {
		name    string
		moments []string
		code    int
		took    time.Duration
		says    []string // what is printed, then the error
	}{
		{"promoted", []string{"plan", "plan", "plan_watch", "promoted"}, exitOK, 3 * time.Second, []string{
			"assistant  step 3 of 6 (10%), waits for minimum, bake, approval", "assistant  step 6 of 6 (100%)",
			"promoted  green is stable: green is stable"}},
		{"failed back", []string{"plan_watch", "trouble"}, exitFailedBack, time.Second, []string{
			"assistant  step 6 of 6 (100%)", "assistant is failed back: green failed: 50% errors of 42 requests"}},
		{"paused", []string{"plan_watch", "plan_vexed"}, exitPaused, time.Second, []string{"assistant  step 6 of 6 (100%)",
			"assistant  step 3 of 6 (10%), waits for resume, minimum, bake, approval",
			"assistant is paused by bob: on call\x1b[2J changes"}},
		{"aborted", []string{"plan_watch", "aborted"}, exitAborted, time.Second, []string{
			"assistant  step 6 of 6 (100%)", "assistant is aborted by alice: slow: see the dashboard"}},
		{"through a restart", []string{"plan_watch", "away", "away", "unknown_split", "blank", "plan_watch", "promoted"}, exitOK, 6 * time.Second,
			[]string{"assistant  step 6 of 6 (100%)",
				"the proxy's control address cannot be reached: connection refused; trying again",
				`no such split: "nobody"; there is "assistant"; trying again`,
				"assistant  step 6 of 6 (100%)", "promoted  green is stable: green is stable"}},
		{"from a restart on", []string{"away", "promoted"}, exitOK, time.Second, []string{
			"the proxy's control address cannot be reached: connection refused; trying again",
			"promoted  green is stable: green is stable"}},
		{"the time is up", []string{"plan_watch"}, exitTimeout, time.Minute, []string{"assistant  step 6 of 6 (100%)",
			"after 1m0s, assistant is still at step 6 of 6 (100%)"}},
		{"nobody answers", []string{"away"}, exitTimeout, time.Minute, []string{
			"the proxy's control address cannot be reached: connection refused; trying again",
			"nothing was heard of assistant in 1m0s: the proxy's control address cannot be reached: connection refused"}},
		{"nothing runs", []string{"idle"}, exitError, 0, []string{
			"nothing to wait for: assistant goes by no plan, and no rollout of it has ended"}},
		{"no such split", []string{"unknown_split"}, exitError, 0, []string{`no such split: "nobody"; there is "assistant"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				s := &session{client: moments(t, tt.moments...), out: &out, look: look{zone: time.UTC}}
				began := time.Now()
				err := s.await(t.Context(), "assistant", time.Minute)
				if took := time.Since(began); exitCode(err) != tt.code || took != tt.took {
					t.Errorf("ended with %v (code %d) after %s, want code %d after %s", err, exitCode(err), took, tt.code, tt.took)
				}
				said := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				if err != nil {
					said = append(said, err.Error())
				}
				if said[0] == "" {
					said = said[1:]
				}
				if diff := cmp.Diff(tt.says, said); diff != "" {
					t.Errorf("said otherwise (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Whoever waits is told who ended a rollout and why, as long as anybody knows.
func TestEndedBy(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	progress := splitter.Progress{Since: at, Why: "aborted by alice: slow", Ended: splitter.EndAborted}
	rolledBack := splitter.Progress{Since: at, Why: "blue is stable", Ended: splitter.EndRolledBack}
	for _, tt := range []struct {
		progress splitter.Progress
		change   splitter.Change
		want     string
	}{
		{progress, splitter.Change{Actor: "bob", Reason: "tidying", At: at.Add(time.Hour)}, "s is aborted by alice: slow"},
		{rolledBack, splitter.Change{Actor: "alice", Reason: "slow", At: at}, "s is rolled back by alice: slow"},
		{rolledBack, splitter.Change{Actor: "alice", At: at}, "s is rolled back by alice: blue is stable"},
		{rolledBack, splitter.Change{Actor: "bob", Reason: "tidying", At: at.Add(time.Hour)}, "s is rolled back: blue is stable"},
	} {
		var status control.Status
		status.Split, status.Revision, status.Progress, status.Changed = "s", 7, tt.progress, tt.change
		if got := outcomeOf(status); got == nil || got.Error() != tt.want {
			t.Errorf("%+v, then %+v: got %v, want %s", tt.progress, tt.change, got, tt.want)
		}
	}
}

// That the time is up while an answer is on its way says nothing of the proxy.
func TestAwaitForLessThanAnAnswerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &session{client: moments(t, "plan_watch", "slow"), out: &out, look: look{zone: time.UTC}}
		err := s.await(t.Context(), "assistant", 5*time.Second)
		if want := "assistant  step 6 of 6 (100%)\n"; exitCode(err) != exitTimeout || out.String() != want {
			t.Errorf("ended with %v (code %d) and said %q, want code %d and %q", err, exitCode(err), out.String(), exitTimeout, want)
		}
	})
}

func TestAwaitShowsTheStatusOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &session{client: moments(t, "plan", "plan", "promoted"), out: &out, look: look{zone: time.UTC, colours: true}}
		if err := s.await(t.Context(), "assistant", time.Minute); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\x1b[H\x1b[2J"); n != 3 {
			t.Errorf("the screen was cleared %d times, want 3", n)
		}
		if !strings.Contains(out.String(), "\x1b[32m1% ✓\x1b[0m") || !strings.Contains(out.String(), "\x1b[1m10% ●\x1b[0m") {
			t.Errorf("the steps are not shown in their colours:\n%s", out.String())
		}
	})
}

// A program gets one document: the last status, or why there is none.
func TestAwaitAsJSON(t *testing.T) {
	tests := []struct {
		name, want string
		moments    []string
	}{
		{"promoted", `"ended": "promoted"`, []string{"plan", "promoted"}},
		{"failed back", `"phase": "failed_back"`, []string{"plan", "trouble"}},
		{"the time is up", `"step": 3`, []string{"plan"}},
		{"nobody answers", `"urn:switchback:problem:unreachable"`, []string{"away"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				s := &session{cmd: new(cobra.Command), out: &out, json: true}
				s.client = moments(t, tt.moments...).WithTap(func(body []byte) { s.document = body })
				s.printDocument(s.await(t.Context(), "assistant", time.Minute))
				if n := strings.Count(out.String(), "\n}"); n != 1 || !strings.Contains(out.String(), tt.want) {
					t.Errorf("%d documents, want one with %s:\n%s", n, tt.want, out.String())
				}
			})
		})
	}
}

func TestAwaitCanBeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s := &session{client: moments(t, "plan"), out: new(bytes.Buffer)}
		if err := s.await(ctx, "assistant", time.Minute); !errors.Is(err, context.DeadlineExceeded) || exitCode(err) != exitError {
			t.Errorf("ended with %v, want the caller's own end", err)
		}
	})
}
