package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// byPath is an upstream that behaves as the path says.
func byPath(w http.ResponseWriter, r *http.Request) {
	flusher := http.NewResponseController(w)
	switch r.URL.Path {
	case "/ok":
		fmt.Fprint(w, "fine")
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/500":
		w.WriteHeader(http.StatusInternalServerError)
	case "/404":
		w.WriteHeader(http.StatusNotFound)
	case "/429":
		w.WriteHeader(http.StatusTooManyRequests)
	case "/reset":
		panic(http.ErrAbortHandler)
	case "/torn":
		fmt.Fprint(w, "data: half\n\n")
		if err := flusher.Flush(); err != nil {
			return
		}
		panic(http.ErrAbortHandler)
	case "/hang":
		<-r.Context().Done()
	case "/stream":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		if err := flusher.Flush(); err != nil {
			return
		}
		<-r.Context().Done()
	}
}

// deadAddress is one that nothing listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOutcomes(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(byPath))
	defer upstream.Close()
	alive := strings.TrimPrefix(upstream.URL, "http://")
	for _, tt := range []struct {
		name, path, proxy string
		status            int // 0: the client sees an error
		body              string
		class             health.Class
		cause             health.Cause
	}{
		{"success", "/ok", alive, 200, "fine", health.Success, health.CauseNone},
		{"empty answer", "/empty", alive, 204, "", health.Success, health.CauseNone},
		{"status 500", "/500", alive, 500, "", health.Failure, health.CauseStatus},
		{"status 404", "/404", alive, 404, "", health.Excluded, health.CauseClientError},
		{"status 429", "/429", alive, 429, "", health.Excluded, health.CauseThrottled},
		{"dial refused", "/ok", deadAddress(t), 502, "", health.Failure, health.CauseDial},
		{"reset before the headers", "/reset", alive, 502, "", health.Failure, health.CauseReset},
		{"torn after a 200", "/torn", alive, 0, "", health.Failure, health.CauseReset},
		{"no answer in time", "/hang", alive + " {\ntransport http {\nresponse_header_timeout 50ms\n}\n}", 504, "",
			health.Failure, health.CauseTimeout},
		{"unavailable", "/ok", "{\nhandle {\nerror 503\n}\n}", 503, "", health.Failure, health.CauseUnavailable},
		{"route failed", "/ok", "{\nhandle {\nerror 500\n}\n}", 500, "", health.Failure, health.CauseError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+tt.proxy+"\n}")
			resp, err := p.client.Get("http://agent.test" + tt.path)
			status, body := 0, ""
			if err == nil {
				defer resp.Body.Close()
				var b []byte
				if b, err = io.ReadAll(resp.Body); err == nil {
					status, body = resp.StatusCode, string(b)
				}
			}
			if status != tt.status || body != tt.body {
				t.Errorf("client sees %d %q (%v), want %d %q", status, body, err, tt.status, tt.body)
			}
			want := health.Counts{}
			want[tt.class][tt.cause] = 1
			eventually(t, "the outcome", func() bool { return p.counts("s") != health.Counts{} })
			if got := p.counts("s"); got != want {
				t.Errorf("counted %v, want %v", show(got), show(want))
			}
		})
	}
}

func show(c health.Counts) string {
	var parts []string
	c.Each(func(class health.Class, cause health.Cause, n uint64) {
		parts = append(parts, fmt.Sprintf("%v/%v: %d", class, cause, n))
	})
	return strings.Join(parts, ", ")
}

// A client that leaves is nobody's failure, neither before the headers nor in the middle of a stream.
func TestClientLeaves(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(byPath))
	defer upstream.Close()
	p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
	want := health.Counts{}
	for i, path := range []string{"/hang", "/stream"} {
		ctx, leave := context.WithCancel(context.Background())
		var heard atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent.test"+path, http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := p.client.Do(r)
			if err != nil {
				return // left before the headers
			}
			defer resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			heard.Store(true)
			if _, err = io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("%s ended by itself", path)
			}
		}()
		eventually(t, path+" arrives", func() bool {
			return p.controller().Split("s").Flights.Len() == 1 && heard.Load() == (path == "/stream")
		})
		leave()
		<-done
		want[health.Excluded][[...]health.Cause{health.CauseLeft, health.CauseClientLeft}[i]] = 1
		eventually(t, path+" is counted", func() bool { return p.counts("s") == want })
	}
}

// Further tries are counted wherever a proxy makes them.
func TestRetries(t *testing.T) {
	dead, alive := deadAddress(t), httptest.NewServer(http.HandlerFunc(byPath))
	defer alive.Close()
	for name, tt := range map[string]struct {
		route string
		want  uint64
	}{
		"none":      {"reverse_proxy " + dead, 0},
		"by number": {"reverse_proxy " + dead + " {\nlb_retries 2\n}", 2},
		"by time": {"reverse_proxy " + dead + " " + alive.Listener.Addr().String() +
			" {\nlb_policy first\nfail_duration 1m\nlb_try_duration 1m\nlb_try_interval 1ms\n}", 1},
		"in a route": {"header X-Seen yes\nreverse_proxy " + dead + " {\nlb_retries 1\n}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% {\nhandle {\n"+tt.route+"\n}\n}\n}")
			resp, err := p.client.Get("http://agent.test/ok")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			eventually(t, "it is counted", func() bool { return p.counts("s") != health.Counts{} })
			p.controller().Split("s").Totals(func(_ string, totals *health.Totals) {
				if got := totals.Snapshot().Retries; got != tt.want {
					t.Errorf("%d further tries are counted, want %d", got, tt.want)
				}
			})
		})
	}
}

// kill is what an operator does.
func (p *proxy) kill(split, variant string, level splitter.KillLevel) {
	p.t.Helper()
	r := rollout.KillRequest{Variant: variant, Level: level}
	if _, err := p.controller().Kill(context.Background(), split, r, rollout.By{Actor: "test"}); err != nil {
		p.t.Fatalf("kill: %v", err)
	}
}

// A cut ends what waits with the kill response, and what streams at once; neither is the variant's failure.
func TestCut(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(byPath))
	defer upstream.Close()
	p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+strings.TrimPrefix(upstream.URL, "http://")+
		" {\nlb_try_duration 10s\n}\n}\nhandle_errors {\nrespond \"error page\"\n}")
	waiting := make(chan string, 1)
	go func() {
		resp, err := p.client.Get("http://agent.test/hang")
		if err != nil {
			waiting <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		waiting <- fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Retry-After"), " ", string(body), err)
	}()
	stream, err := p.client.Get("http://agent.test/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); line != "data: first\n" {
		t.Fatalf("the stream begins with %q (%v)", line, err)
	}
	eventually(t, "both arrive", func() bool { return p.controller().Split("s").Flights.Len() == 2 })
	p.kill("s", "", splitter.KillCut)
	if got, want := <-waiting, "503 30 "+defaultKillBody+"<nil>"; got != want {
		t.Errorf("the waiting request got %q, want %q", got, want)
	}
	if rest, err := io.ReadAll(stream.Body); err == nil {
		t.Errorf("the stream ended as if it were whole, with %q", rest)
	}
	want := health.Counts{}
	want[health.Excluded][health.CauseKilled] = 2
	eventually(t, "both are counted", func() bool { return p.counts("s") == want })
}
