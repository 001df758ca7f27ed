package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// What a canary's route does to a request, stable does not get to see.
func TestRescueUndoesTheRoute(t *testing.T) {
	dead := deadAddress(t)
	for name, route := range map[string]string{
		"a bounded body": "request_body {\nmax_size 1KiB\n}",
		"another path":   "rewrite * /other",
		"another method": "method PUT",
		"another header": "request_header X-User-ID mallory",
		"a variable":     "vars secret of-the-canary",
	} {
		t.Run(name, func(t *testing.T) {
			p := startPairWith(t, "", "{\nhandle {\n"+route+"\nreverse_proxy "+dead+" {\nrequest_buffers 4KiB\n}\n}\n}", "")
			p.stable.will(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s %q %v by %s", r.Method, r.URL.Path, body, err, r.Header.Get("X-User-ID"))
			})
			const want = `POST /v1/runs "{\"input\":\"hi\"}" <nil> by alice`
			resp, body := p.post(t, strings.NewReader(`{"input":"hi"}`))
			if body != want {
				t.Errorf("got %d %q, want %q", resp.StatusCode, body, want)
			}
		})
	}
}

// A variable that the canary's route sets is not there for stable's.
func TestRescueForgetsVariables(t *testing.T) {
	p := startPair(t, "")
	p.stable.will(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "secret %q", r.Header.Get("X-Secret")) })
	site := "traffic_split s {\nkey header X-User-ID\nstable blue\ncanary green\nvariant blue 0% " + p.stable.Listener.Addr().String() +
		" {\nheader_up X-Secret {vars.secret}\n}\nvariant green 100% {\nhandle {\nvars secret of-the-canary\nreverse_proxy " +
		deadAddress(t) + "\n}\n}\n}"
	p = &pair{proxy: startProxy(t, site), stable: p.stable}
	if resp, body := p.post(t, strings.NewReader("{}")); strings.Contains(body, "canary") || resp.StatusCode != http.StatusOK {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

// When stable fails too, the site's error pages see a request that is still alive; and its user saw a failure.
func TestRescueThatFails(t *testing.T) {
	page := startAgent(t)
	page.will(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") })
	for name, green := range map[string]string{
		"plain": deadAddress(t), "given up": "ALIVE", "in a route": "{\nhandle {\nreverse_proxy ALIVE\n}\n}",
	} {
		for _, options := range []string{"", beforePayload} {
			canary := startAgent(t)
			canary.will(says(500, "text/plain", "broken"))
			site := "traffic_split s {\nkey header X-User-ID\nstable blue\ncanary green\nvariant blue 0% " + deadAddress(t) +
				"\nvariant green 100% " + strings.ReplaceAll(green, "ALIVE", canary.Listener.Addr().String()) + "\n" + options +
				"\n}\nhandle_errors {\nreverse_proxy " + page.Listener.Addr().String() + "\n}"
			if options == "" && name != "plain" {
				continue // the canary's 500 is the answer
			}
			budgets.Delete("s")
			p := &pair{proxy: startProxy(t, site)}
			if resp, body := p.post(t, http.NoBody); body != "the page" { // which could not be sent a body once more
				t.Errorf("%s, %q: got %d %q, want the page", name, options, resp.StatusCode, body)
			}
			if got := p.rescues(); got != (health.Rescues{health.RescueFailure: 1}) {
				t.Errorf("%s, %q: rescues %v, want one failure", name, options, got)
			}
			status, err := p.controller().Status(t.Context(), "s")
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range status.Variants {
				if v.Name == "green" && v.Summary.UsersFailed != 1 {
					t.Errorf("%s, %q: %d users saw a failure of green, want 1", name, options, v.Summary.UsersFailed)
				}
			}
		}
	}
}

// FastCGI does not tell of its connections: only a refused only try is believed to have reached nobody.
func TestRescueFastCGI(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	var ran atomic.Int64
	go func() {
		defer close(served)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // ends, with an error, when l is closed
			ran.Add(1)
			_, _ = io.Copy(io.Discard, r.Body) // what it gets does not matter
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
	}()
	for _, tt := range []struct {
		name, green string
		want        int // status
	}{
		{"its route says unavailable", "{\nhandle {\nreverse_proxy ALIVE {\ntransport fastcgi\n@e status 503\nhandle_response @e {\nerror busy 503\n}\n}\n}\n}", 503},
		{"refused, after tries", deadAddress(t) + " {\ntransport fastcgi\nlb_retries 1\n}", 502},
		{"refused", deadAddress(t) + " {\ntransport fastcgi\n}", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := ran.Load()
			p := startPairWith(t, "", strings.ReplaceAll(tt.green, "ALIVE", l.Addr().String()), "")
			resp, body := p.post(t, strings.NewReader("{}"))
			if resp.StatusCode != tt.want || ran.Load()-before+p.asked.Load() > 1 {
				t.Errorf("got %d %q, want %d; the canary ran %d times, stable %d", resp.StatusCode, body, tt.want, ran.Load()-before, p.asked.Load())
			}
		})
	}
}

// A header alone says nothing, whatever it announces.
func TestHeaderAloneIsHeld(t *testing.T) {
	p := startPair(t, beforePayload)
	p.canary.will(tears(says(200, "text/plain", "")))
	if resp, body := p.post(t, strings.NewReader("{}")); body != `stable got POST /v1/runs "{}" <nil>` || resp.Header.Get(rescuedHeader) != "reset" {
		t.Errorf("got %d %q, %s %q", resp.StatusCode, body, rescuedHeader, resp.Header.Get(rescuedHeader))
	}
}

// What has begun is held for its own time, not for as long as the canary may take to begin.
func TestTimeoutIsOverWithTheHeader(t *testing.T) {
	x := &exchange{chance: &chance{held: newHeld(newWrites(), time.Hour)}}
	x.Start = time.Now().Add(-time.Hour)
	x.chance.held.WriteHeader(http.StatusOK)
	defer x.chance.release()
	if again := x.expire(time.Second); again != 0 || !x.chance.holding() {
		t.Errorf("asks again in %v, holding: %t; want never, and true", again, x.chance.holding())
	}
}

// The header is Switchback's own word.
func TestRescuedHeaderIsOurs(t *testing.T) {
	p := startPair(t, "")
	p.canary.will(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Switchback-Rescued", "dial") })
	if resp, _ := p.post(t, strings.NewReader("{}")); resp.Header.Get(rescuedHeader) != "" {
		t.Errorf("an agent says %s: %q", rescuedHeader, resp.Header.Get(rescuedHeader))
	}
}

// A reload does not fill the budget again.
func TestBudgetOutlivesReloads(t *testing.T) {
	p := startPairWith(t, "", deadAddress(t), "")
	for range 50 {
		p.post(t, strings.NewReader("{}"))
	}
	if err := p.load(p.site(deadAddress(t), "rescue {\nat_most 50%\n}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new configuration serves", func() bool {
		r, err := http.NewRequest(http.MethodGet, "http://agent.test/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User-ID", "alice")
		resp, err := p.client.Do(r)
		if err != nil {
			return false // a connection that the old one has closed
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Fatalf("got %s, want 502: all 50 are spent", resp.Status)
		}
		return true
	})
}
