package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchback-proxy/switchback/health"
)

// An agent may say that it failed. That it did not it can say of what it holds only, not of its status or its end.
func TestAgentSays(t *testing.T) {
	a := startAgent(t)
	torn := func(w http.ResponseWriter, r *http.Request) {
		in(golden(t, "openai-chat/truncated"), true, "Content-Type", "text/event-stream")(w, r)
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tt := range []struct {
		name, options, header, trailer string
		answer                         http.HandlerFunc
		class                          health.Class
		cause                          health.Cause
	}{
		{"failure", "", "failure", "", status(200), health.Failure, health.CauseAgentSaid},
		{"failure in a trailer", "", "", "Failure ", in("fine", false), health.Failure, health.CauseAgentSaid},
		{"the trailer is the last word", "", "success", "failure", in("fine", false), health.Failure, health.CauseAgentSaid},
		{"failure, other status", "", "failure", "", status(404), health.Failure, health.CauseAgentSaid},
		{"failure, failing status", "", "failure", "", status(500), health.Failure, health.CauseStatus},
		{"failure, torn", "", "failure", "", torn, health.Failure, health.CauseAgentSaid},
		{"success, error inside", "", "success", "", in(golden(t, "json/error"), false, "Content-Type", "application/json"),
			health.Success, health.CauseNone},
		{"success, failing status", "", "success", "", status(500), health.Failure, health.CauseStatus},
		{"success, torn", "", "success", "", torn, health.Failure, health.CauseReset},
		{"another word", "", "unsure", "", status(200), health.Success, health.CauseNone},
		{"ignored", "agent_outcome ignore", "failure", "", status(200), health.Success, health.CauseNone},
		{"ignored trailer", "agent_outcome ignore", "", "failure", in("fine", false), health.Success, health.CauseNone},
		{"without classifying", "classify off", "failure", "", status(200), health.Failure, health.CauseAgentSaid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, a.site(tt.options))
			a.will(func(w http.ResponseWriter, r *http.Request) {
				if tt.header != "" {
					w.Header().Set("X-Agent-Outcome", tt.header)
				}
				if tt.trailer != "" {
					defer w.Header().Set(http.TrailerPrefix+"X-Agent-Outcome", tt.trailer)
				}
				tt.answer(w, r)
			})
			p.counted(t, tt.class, tt.cause, func() { p.ask() })
		})
	}
}

func TestFailingStatuses(t *testing.T) {
	a := startAgent(t)
	a.will(func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.Header.Get("Status"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(code)
	})
	p := startProxy(t, a.site("failing_statuses 500 408 429"))
	for _, tt := range []struct {
		in    int
		class health.Class
		cause health.Cause
	}{
		{200, health.Success, health.CauseNone},
		{302, health.Success, health.CauseNone},
		{404, health.Excluded, health.CauseClientError},
		{408, health.Failure, health.CauseStatus},
		{429, health.Failure, health.CauseStatus},
		{500, health.Failure, health.CauseStatus},
		{503, health.Excluded, health.CauseStatus},
	} {
		t.Run(strconv.Itoa(tt.in), func(t *testing.T) {
			p.counted(t, tt.class, tt.cause, func() { p.ask("Status", strconv.Itoa(tt.in)) })
		})
	}
}

// What is excluded is no evidence, neither while it runs nor afterwards.
func TestExcluded(t *testing.T) {
	a := startAgent(t)
	a.will(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := startProxy(t, fmt.Sprintf("traffic_split s {\nkey header X-User\nstable blue\ncanary green\n"+
		"variant blue 50%% %[1]s\nvariant green 50%% %[1]s\nexclude_from_evidence /health*\n}", a.Listener.Addr()))
	flights := p.controller().Split("s").Flights
	for path, want := range map[string]bool{"/healthz": false, "/chat": true} {
		p.counted(t, health.Excluded, health.CauseLeft, func() {
			ctx, leave := context.WithCancel(context.Background())
			left := make(chan struct{})
			r := p.request("X-User", "alice").WithContext(ctx)
			r.URL.Path = path
			go func() {
				defer close(left)
				if resp, err := p.client.Do(r); err == nil {
					t.Errorf("%s was answered with %s", path, resp.Status)
					resp.Body.Close()
				}
			}()
			eventually(t, path+" arrives", func() bool { return flights.Len() == 1 })
			for f := range flights.All() {
				if got := f.Window != nil; got != want {
					t.Errorf("%s is evidence: %t, want %t", path, got, want)
				}
			}
			leave()
			<-left
		})
	}
}

// While a request is being sent nobody waits for the agent.
func TestUploadIsNotWaiting(t *testing.T) {
	a := startAgent(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	a.will(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		close(arrived)
		<-answer
	})
	p := startProxy(t, a.site(""))
	waits := func() bool {
		for f := range p.controller().Split("s").Flights.All() {
			_, _, ok := f.Waited(time.Now())
			return ok
		}
		return false
	}
	body, send := io.Pipe()
	p.counted(t, health.Success, health.CauseNone, func() {
		done := make(chan error, 1)
		go func() {
			resp, err := p.client.Post("http://agent.test/", "text/plain", body)
			if err == nil {
				err = resp.Body.Close()
			}
			done <- err
		}()
		if _, err := io.WriteString(send, "half "); err != nil {
			t.Error(err)
		}
		eventually(t, "the request arrives", func() bool { return p.controller().Split("s").Flights.Len() == 1 })
		if waits() {
			t.Error("the client waits before it has sent its request")
		}
		if err := send.Close(); err != nil {
			t.Error(err)
		}
		<-arrived
		if !waits() {
			t.Error("the client does not wait after it has sent its request")
		}
		close(answer)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The access log and the metrics tell what became of an answer; the protocol's code is in the log alone.
func TestOutcomeIsShown(t *testing.T) {
	a := startAgent(t)
	file := filepath.Join(t.TempDir(), "access.log")
	p := startProxy(t, "log {\noutput file "+file+"\n}\n"+a.site(""))
	a.will(in(golden(t, "openai-responses/failed"), false, headerOf("openai-responses/")...))
	p.counted(t, health.Failure, health.CauseProtocol, func() { p.ask() })
	var line []byte
	eventually(t, "the access log's line", func() (ok bool) {
		var err error
		line, err = os.ReadFile(file)
		return err == nil && strings.HasSuffix(string(line), "\n")
	})
	type placement struct {
		Variant, Class, Cause, Code string
		In                          uint64 `json:"tokens_in"`
		Out                         uint64 `json:"tokens_out"`
	}
	var entry struct {
		Split map[string]placement `json:"traffic_split"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		t.Fatal(err)
	}
	want := map[string]placement{"s": {"only", "failure", "protocol_error", "rate_limit_exceeded", 37, 11}}
	if diff := cmp.Diff(want, entry.Split); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
	wantMetrics := []string{
		`caddy_traffic_split_requests_total{cause=protocol_error,class=failure,split=s,variant=only} 1`,
		`caddy_traffic_split_tokens_total{direction=in,split=s,variant=only} 37`,
		`caddy_traffic_split_tokens_total{direction=out,split=s,variant=only} 11`,
	}
	if diff := cmp.Diff(wantMetrics, gathered(t, "requests_total", "tokens_total")); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// gathered returns the counters of these names as lines of text.
func gathered(t *testing.T, names ...string) (lines []string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registerMetrics(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, name := range names {
			if family.GetName() != "caddy_traffic_split_"+name {
				continue
			}
			for _, m := range family.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				lines = append(lines, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), m.GetCounter().GetValue()))
			}
		}
	}
	return lines
}
