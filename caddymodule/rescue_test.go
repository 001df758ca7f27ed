package caddymodule

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// pair is a canary that gets everybody, and a stable that gets nobody but whom it rescues.
type pair struct {
	*proxy
	canary, stable *agent
	asked          atomic.Int64 // how often stable was
}

// startPair starts both behind a proxy; options are sub-directives of the split. Stable says what it was sent.
func startPair(t *testing.T, options string) *pair {
	t.Helper()
	return startPairWith(t, "", "", options)
}

// startPairWith also takes global options, and what green is in the place of the canary.
func startPairWith(t *testing.T, globals, green, options string) *pair {
	t.Helper()
	budgets.Delete("s") // each test has a full one
	p := &pair{canary: startAgent(t), stable: startAgent(t)}
	p.stable.will(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "stable got %s %s %q %v", r.Method, r.URL.Path, body, err)
	})
	p.proxy = startProxyWith(t, globals, p.site(cmp.Or(green, p.canary.Listener.Addr().String()), options))
	return p
}

func (p *pair) site(canary, options string) string {
	return "traffic_split s {\nkey header X-User-ID\nstable blue\ncanary green\nvariant blue 0% " +
		p.stable.Listener.Addr().String() + "\nvariant green 100% " + canary + "\nresponse_header X-Variant\n" + options + "\n}"
}

// post sends a body, and returns the answer with its body.
func (p *pair) post(t *testing.T, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://agent.test/v1/runs", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User-ID", "alice")
	r.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		b = fmt.Appendf(b, " (%v)", err)
	}
	return resp, string(b)
}

// rescues returns what became of the canary's failures.
func (p *pair) rescues() (r health.Rescues) {
	p.controller().Split("s").Totals(func(variant string, t *health.Totals) {
		if variant == "green" {
			r = t.Snapshot().Rescues
		}
	})
	return r
}

// variantCounts returns one variant's outcomes.
func (p *pair) variantCounts(variant string) (c health.Counts) {
	p.controller().Split("s").Totals(func(v string, t *health.Totals) {
		if v == variant {
			c = t.Snapshot().Counts
		}
	})
	return c
}

// beforePayload keeps beginnings back for longer than any agent here takes, on a busy machine too.
const beforePayload = "rescue {\nwhen before_payload\nhold 10s\n}"

// says answers with a status and events.
func says(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", header)
		w.Header().Set("X-Canary", "was here")
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // a client that is gone shows at the next write
	}
}

func tears(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(w, r)
		panic(http.ErrAbortHandler)
	}
}

const (
	created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}\n\n"
	delta   = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hel\"}\n\n"
	failed  = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}\n\n"
	done    = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n"
)

// What fails before its first event of substance is answered by stable, whole and once; what fails after it is not; and
// all of it counts as the canary's failure.
func TestRescueBeforePayload(t *testing.T) {
	p := startPair(t, beforePayload)
	const stream = "text/event-stream"
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		rescued bool
		cause   health.Cause
	}{
		{"status", says(500, "text/plain", "broken"), true, health.CauseStatus},
		{"reset before the header", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, health.CauseReset},
		{"reset after the header", tears(says(200, stream, "")), true, health.CauseReset},
		{"broken off after a lifecycle event", tears(says(200, stream, created)), true, health.CauseReset},
		{"ended after a lifecycle event", says(200, stream, created), true, health.CauseTruncated},
		{"error after a lifecycle event", says(200, stream, created+failed), true, health.CauseProtocol},
		{"error in a JSON body", says(200, "application/json", `{"error":{"code":"overloaded"}}`), true, health.CauseProtocol},
		{"word in the header", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Agent-Outcome", "failure")
			says(200, "text/plain", "sorry")(w, r)
		}, true, health.CauseAgentSaid},
		{"error after text", says(200, stream, created+delta+failed), false, health.CauseProtocol},
		{"broken off after text", tears(says(200, stream, created+delta)), false, health.CauseReset},
		{"page broken off", tears(says(200, "text/html", "<html>")), false, health.CauseReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.canary.will(tt.answer)
			before, asked := p.variantCounts("green"), p.asked.Load()
			resp, body := p.post(t, strings.NewReader(`{"input":"hi"}`))
			const want = `stable got POST /v1/runs "{\"input\":\"hi\"}" <nil>`
			if got := body == want; got != tt.rescued {
				t.Errorf("the client gets %q; rescued should be %v", body, tt.rescued)
			}
			wantHeader := ""
			if tt.rescued {
				wantHeader = tt.cause.String()
			}
			if got := resp.Header.Get("X-Switchback-Rescued"); got != wantHeader {
				t.Errorf("X-Switchback-Rescued: got %q, want %q", got, wantHeader)
			}
			if canary := resp.Header.Get("X-Canary"); tt.rescued && (canary != "" || resp.StatusCode != 200) {
				t.Errorf("something of the canary's answer came through: %d, X-Canary %q", resp.StatusCode, canary)
			}
			if got, want := resp.Header.Get("X-Variant"), map[bool]string{true: "blue", false: "green"}[tt.rescued]; got != want {
				t.Errorf("X-Variant: got %q, want %q", got, want)
			}
			eventually(t, "the outcome", func() bool { return p.variantCounts("green") != before })
			before[health.Failure][tt.cause]++
			if got := p.variantCounts("green"); got != before {
				t.Errorf("green: counted %v, want %v", show(got), show(before))
			}
			if got := p.asked.Load() - asked; got != map[bool]int64{true: 1}[tt.rescued] {
				t.Errorf("stable was asked %d times", got)
			}
		})
	}
	if got := p.variantCounts("blue"); got != (health.Counts{}) {
		t.Errorf("blue: counted %v, want nothing: it would not have been asked", show(got))
	}
	if got := p.rescues(); got != (health.Rescues{health.RescueSuccess: 8}) {
		t.Errorf("rescues: got %v, want 8 successes", got)
	}
}

// What is held back goes out as soon as there is text, with every byte, header and trailer, and after a while without.
func TestHeldAnswerIsLetGo(t *testing.T) {
	p := startPair(t, "rescue {\nwhen before_payload\nhold 50ms\n}")
	more := make(chan struct{})
	p.canary.will(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Trailer", "X-Total")
		flush := http.NewResponseController(w).Flush
		fmt.Fprint(w, created)
		if flush() != nil {
			return
		}
		<-more
		fmt.Fprint(w, delta+done)
		w.Header().Set("X-Total", "3")
	})
	r, err := http.NewRequest(http.MethodGet, "http://agent.test/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User-ID", "alice")
	resp, err := p.client.Do(r) // returns with the header, which the hold lets go without any text
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || first != "event: response.created\n" {
		t.Fatalf("the held event begins with %q (%v)", first, err)
	}
	close(more)
	rest, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(rest), done) && !strings.HasSuffix(created+delta+done, string(rest)) {
		t.Errorf("the rest is %q", rest)
	}
	if got := resp.Trailer.Get("X-Total"); got != "3" || resp.Header.Get("X-Total") != "" {
		t.Errorf("trailer X-Total: %q, as a header %q", got, resp.Header.Get("X-Total"))
	}
	eventually(t, "the outcome", func() bool { return p.variantCounts("green")[health.Success][health.CauseNone] == 1 })
}

// A whole answer passes unchanged, however it is cut into pieces, whatever it is.
func TestHeldAnswerIsUnchanged(t *testing.T) {
	p := startPair(t, beforePayload)
	for _, tt := range []struct{ kind, body string }{
		{"text/event-stream", created + delta + done},
		{"text/event-stream", strings.Repeat(": comment\n\n", 5000) + created + delta + done}, // longer than is held
		{"text/event-stream", strings.Repeat(created, 20) + delta + done},                     // more events than are held
		{"application/json", `{"output":"` + strings.Repeat("x", 70<<10) + `"}`},
		{"text/html", "<html>"},
		{"text/plain", ""},
	} {
		p.canary.will(in(tt.body, false, "Content-Type", tt.kind))
		if resp, body := p.post(t, strings.NewReader("{}")); body != tt.body || resp.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s of %d bytes: got %d bytes as %q", tt.kind, len(tt.body), len(body), resp.Header.Get("Content-Type"))
		}
	}
	if p.asked.Load() != 0 {
		t.Errorf("stable was asked %d times", p.asked.Load())
	}
}

// By default only what never reached an agent is rescued: whatever its size, and also by a split of several tries.
func TestRescueUnreached(t *testing.T) {
	const tries = " {\nlb_retries 2\n}"
	dead := deadAddress(t)
	for _, tt := range []struct {
		name, canary string
		cause        string
	}{
		{"refused", dead, "dial"},
		{"refused several times", dead + " " + deadAddress(t) + tries, "dial"},
		{"none available", dead + " {\nhealth_uri /\nhealth_interval 10ms\nlb_try_duration 0\n}", ""},
		{"in a route", "{\nhandle {\nrequest_header X-Changed yes\nrewrite * /other\nreverse_proxy " + dead + "\n}\n}", "dial"},
		{"body buffered", dead + " {\nrequest_buffers 4KiB\n}", "dial"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startPairWith(t, "", tt.canary, "")
			body := `{"input":"` + strings.Repeat("long ", 600) + `"}`
			resp, got := p.post(t, strings.NewReader(body))
			if want := fmt.Sprintf("stable got POST /v1/runs %q <nil>", body); got != want {
				t.Fatalf("got %d %.80q, want %.80q", resp.StatusCode, got, want)
			}
			cause := resp.Header.Get("X-Switchback-Rescued")
			if cause != tt.cause && (tt.cause != "" || cause != "dial" && cause != "unavailable") {
				t.Errorf("X-Switchback-Rescued: %q, want %q", cause, tt.cause)
			}
		})
	}
}

// What reached an agent is not sent to another one by default: it may have run. Nor is it if an earlier try did.
func TestReachedIsNotRescued(t *testing.T) {
	agent := startAgent(t)
	agent.will(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/reset" {
			panic(http.ErrAbortHandler)
		}
	})
	alive, dead := agent.Listener.Addr().String(), deadAddress(t)
	for name, green := range map[string]string{
		"reset":                     "rewrite * /reset\nreverse_proxy " + alive,
		"reset, then refused":       "rewrite * /reset\nreverse_proxy " + alive + " " + dead + " {\nlb_policy first\nlb_retries 1\nlb_retry_match {\nmethod POST\n}\nfail_duration 1m\n}",
		"an earlier proxy answered": "reverse_proxy " + alive + " {\n@ok status 2xx\nhandle_response @ok {\nreverse_proxy " + dead + "\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			p := startPairWith(t, "", "{\nhandle {\n"+green+"\n}\n}", "")
			resp, body := p.post(t, strings.NewReader("{}"))
			if resp.StatusCode != http.StatusBadGateway || p.asked.Load() != 0 {
				t.Errorf("got %d %q, want 502; stable was asked %d times", resp.StatusCode, body, p.asked.Load())
			}
			if got := p.variantCounts("green"); got.Of(health.Failure) != 1 {
				t.Errorf("green: counted %v, want one failure", show(got))
			}
		})
	}
}

// Bodies are replayed whole or not at all.
func TestRescueBodies(t *testing.T) {
	p := startPair(t, "rescue {\nwhen before_payload\nbody 1KiB\n}")
	small, large := strings.Repeat("s", 1<<10), strings.Repeat("l", 1<<10+1)
	for _, tt := range []struct {
		name   string
		body   io.Reader
		answer http.HandlerFunc
		want   string // what stable gets; none: the canary's failure passes
		result health.RescueResult
	}{
		{"kept", strings.NewReader(small), says(500, "text/plain", "broken"), small, health.RescueSuccess},
		{"kept, chunked", struct{ io.Reader }{strings.NewReader(small)}, says(500, "text/plain", "broken"), small, health.RescueSuccess},
		{"too long", strings.NewReader(large), says(500, "text/plain", "broken"), "", health.RescueNoBody},
		{"too long for an empty answer", strings.NewReader(large), says(500, "text/plain", ""), "", health.RescueNoBody},
		{"too long, chunked", struct{ io.Reader }{strings.NewReader(large)}, says(500, "text/plain", "broken"), "", health.RescueNoBody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.canary.will(tt.answer)
			before := p.rescues()
			resp, body := p.post(t, tt.body)
			if want := fmt.Sprintf("stable got POST /v1/runs %q <nil>", tt.want); tt.want != "" && body != want {
				t.Errorf("got %d %.60q, want %.60q", resp.StatusCode, body, want)
			}
			if tt.want == "" && (resp.StatusCode != 500 || body != "broken" && body != "" || resp.Header.Get("X-Canary") == "") {
				t.Errorf("got %d %.60q, want the canary's failure", resp.StatusCode, body)
			}
			before[tt.result]++
			eventually(t, "the rescue is counted", func() bool { return p.rescues() == before })
		})
	}
}

// What was read ahead of a body, to find its conversation, is sent to stable as well.
func TestRescueOfBodyReadAhead(t *testing.T) {
	const body = `{"threadId":"t1","input":"hi"}`
	want := fmt.Sprintf("stable got POST /v1/runs %q <nil>", body)
	p := startPairWith(t, "", deadAddress(t), "conversation json threadId")
	if resp, got := p.post(t, strings.NewReader(body)); got != want {
		t.Errorf("unreached: got %d %q, want %q", resp.StatusCode, got, want)
	}
	p = startPair(t, beforePayload+"\nconversation json threadId")
	p.canary.will(says(500, "text/plain", "broken"))
	if resp, got := p.post(t, strings.NewReader(body)); got != want {
		t.Errorf("before its payload: got %d %q, want %q", resp.StatusCode, got, want)
	}
}

// A client that waits to be asked for its body is asked by whoever reads it, and gets one answer.
func TestRescueExpectContinue(t *testing.T) {
	p := startPairWith(t, "", deadAddress(t), "")
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /v1/runs HTTP/1.1\r\nHost: agent.test\r\nX-User-ID: alice\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
	in := bufio.NewReader(conn)
	interim, err := in.ReadString('\n')
	if err != nil || interim != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q (%v), want 100 Continue", interim, err)
	}
	fmt.Fprint(conn, "hello")
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(rest); strings.Count(got, "HTTP/1.1 200") != 1 || !strings.Contains(got, `stable got POST /v1/runs "hello"`) {
		t.Errorf("then got %q", got)
	}
}

// Over HTTP/2 it is all the same.
func TestRescueHTTP2(t *testing.T) {
	p := startPairWith(t, "servers {\nprotocols h1 h2c\n}", "", beforePayload)
	p.canary.will(says(500, "text/plain", "broken"))
	p.speakHTTP2(t)
	resp, body := p.post(t, strings.NewReader("{}"))
	if resp.ProtoMajor != 2 || body != `stable got POST /v1/runs "{}" <nil>` {
		t.Errorf("got %s %d %q", resp.Proto, resp.StatusCode, body)
	}
}

// gRPC calls have their status in the header or behind the body; without a message, stable answers.
func TestRescueGRPC(t *testing.T) {
	canary := startAgent(t)
	p := startPairWith(t, "servers {\nprotocols h1 h2c\n}", "h2c://"+canary.Listener.Addr().String(), beforePayload)
	message := "\x00\x00\x00\x00\x02ok"
	p.stable.will(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		fmt.Fprint(w, message)
		w.Header().Set("Grpc-Status", "0")
	})
	p.speakHTTP2(t)
	call := func() (string, string) {
		r, err := http.NewRequest(http.MethodPost, "http://agent.test/agent.Agent/Run", strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("TE", "trailers")
		r.Header.Set("X-User-ID", "alice")
		resp, err := p.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body), resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	}
	for name, answer := range map[string]http.HandlerFunc{
		"in the header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "13")
		},
		"behind no message": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.WriteHeader(http.StatusOK)
			if http.NewResponseController(w).Flush() == nil {
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", "14")
			}
		},
	} {
		canary.will(answer)
		asked := p.asked.Load()
		if body, status := call(); body != message || status != "0" || p.asked.Load() != asked+1 {
			t.Errorf("%s: got %q, status %q; stable was asked %d times", name, body, status, p.asked.Load()-asked)
		}
	}
	canary.will(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		fmt.Fprint(w, message)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "13")
	})
	asked := p.asked.Load()
	if body, status := call(); body != message || status != "13" || p.asked.Load() != asked {
		t.Errorf("behind a message: got %q, status %q; stable was asked %d times", body, status, p.asked.Load()-asked)
	}
	canary.will(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		fmt.Fprint(w, message)
		if http.NewResponseController(w).Flush() == nil {
			panic(http.ErrAbortHandler)
		}
	})
	if body, status := call(); body != message || status != "14" || p.asked.Load() != asked {
		t.Errorf("broken off behind a message: got %q, status %q; stable was asked %d times", body, status, p.asked.Load()-asked)
	}
}

// A WebSocket's handshake is rescued; what has become a WebSocket is not.
func TestRescueHandshake(t *testing.T) {
	p := startPair(t, beforePayload)
	p.stable.will(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello from stable")
		if err := buffered.Flush(); err != nil {
			t.Error(err)
		}
	})
	p.canary.will(says(503, "text/plain", "full"))
	got := p.sendBytes("GET /ws HTTP/1.1\r\nHost: agent.test\r\nX-User-ID: alice\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		func(*net.UnixConn) error { return nil })
	if !strings.HasPrefix(got, "HTTP/1.1 101") || !strings.HasSuffix(got, "hello from stable") {
		t.Errorf("got %q", got)
	}
}

// A canary that does not begin in time is given up, but not while the client still sends.
func TestRescueTimeout(t *testing.T) {
	p := startPair(t, "rescue {\nwhen before_payload\ntimeout 50ms\n}")
	gone := make(chan struct{})
	p.canary.will(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // its end is what counts
		<-r.Context().Done()
		close(gone)
	})
	resp, body := p.post(t, strings.NewReader("{}"))
	if body != `stable got POST /v1/runs "{}" <nil>` || resp.Header.Get("X-Switchback-Rescued") != "timeout" {
		t.Errorf("got %d %q, X-Switchback-Rescued %q", resp.StatusCode, body, resp.Header.Get("X-Switchback-Rescued"))
	}
	<-gone
	if got := p.variantCounts("green")[health.Failure][health.CauseTimeout]; got != 1 {
		t.Errorf("green: %v, want one timeout", show(p.variantCounts("green")))
	}
}

// Rescues are bounded by what stable gets anyway.
func TestRescueIsCapped(t *testing.T) {
	p := startPairWith(t, "", deadAddress(t), "")
	rescued := 0
	for range 60 {
		if resp, _ := p.post(t, strings.NewReader("{}")); resp.StatusCode == http.StatusOK {
			rescued++
		}
	}
	if rescued != 50 {
		t.Errorf("%d requests were rescued, want the first 50", rescued)
	}
	if got := p.rescues(); got != (health.Rescues{health.RescueSuccess: 50, health.RescueCapped: 10}) {
		t.Errorf("rescues: %v", got)
	}
}

// A user who was rescued saw no failure, though the canary failed.
func TestRescuedUserSawNoFailure(t *testing.T) {
	p := startPairWith(t, "", deadAddress(t), "rescue {\nat_most 1%\n}")
	ask := func() (users, failed uint64) {
		if _, body := p.post(t, strings.NewReader("{}")); !strings.HasPrefix(body, "stable got") {
			t.Logf("not rescued: %q", body)
		}
		status, err := p.controller().Status(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range status.Variants {
			if v.Name == "green" {
				return v.Summary.Users, v.Summary.UsersFailed
			}
		}
		return 0, 0
	}
	for range 50 {
		if users, failed := ask(); users != 1 || failed != 0 {
			t.Fatalf("rescued: %d users, %d saw a failure; want 1 and none", users, failed)
		}
	}
	if users, failed := ask(); users != 1 || failed != 1 {
		t.Errorf("not rescued: %d users, %d saw a failure; want 1 and 1", users, failed)
	}
}

// Overrides see the canary as it is, and so does everybody where rescuing is off.
func TestNotRescued(t *testing.T) {
	for name, options := range map[string]string{
		"off":      "rescue off",
		"override": "override green {\nmatch /v1/*\n}",
	} {
		p := startPairWith(t, "", deadAddress(t), options)
		if resp, body := p.post(t, strings.NewReader("{}")); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: got %d %q, want 502", name, resp.StatusCode, body)
		}
	}
}

// Whoever kills the split while the beginning of an answer is held back has the last word.
func TestKillWhileHeld(t *testing.T) {
	p := startPair(t, "rescue {\nwhen before_payload\nhold 10s\n}")
	begun := make(chan struct{})
	p.canary.will(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, created)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		close(begun)
		<-r.Context().Done()
	})
	answers := make(chan string, 1)
	go func() {
		resp, body := p.post(t, bytes.NewReader(nil))
		answers <- fmt.Sprint(resp.StatusCode, " ", body)
	}()
	<-begun
	p.kill("s", "", splitter.KillCut)
	if got := <-answers; !strings.HasPrefix(got, "503 Service temporarily unavailable") {
		t.Errorf("got %q, want the kill's answer", got)
	}
	eventually(t, "the outcome", func() bool { return p.variantCounts("green")[health.Excluded][health.CauseKilled] == 1 })
	if p.asked.Load() != 0 {
		t.Error("stable was asked although the split is killed")
	}
}

func TestBudget(t *testing.T) {
	budgets.Delete(t.Name())
	b := budgetOf(t.Name(), 0.25)
	for range 50 {
		if !b.spend() {
			t.Fatal("the first 50 are free")
		}
	}
	if b.spend() {
		t.Error("a rescue more than was saved")
	}
	for range 3 {
		b.save()
	}
	if b.spend() {
		t.Error("three quarters of a rescue were enough")
	}
	b.save()
	if !b.spend() {
		t.Error("four requests of stable's at 25 % are a rescue")
	}
	for range 1000 {
		b.save()
	}
	n := 0
	for b.spend() {
		n++
	}
	if n != 50 {
		t.Errorf("%d were saved, want at most 50", n)
	}
	var none *budget
	none.save()
	if none.spend() {
		t.Error("nil gave something")
	}
}

// A hold's end, the variant's writes and the end of its answer may come at any moment of each other.
func TestHeldRaces(t *testing.T) {
	for i := range 200 {
		w := newWrites()
		h := newHeld(w, time.Duration(i%5)*time.Microsecond)
		h.Header().Set("Content-Type", "text/event-stream")
		h.WriteHeader(http.StatusOK)
		for range 5 {
			if _, err := h.Write([]byte("data: x\n\n")); err != nil {
				t.Fatal(err)
			}
			if err := h.FlushError(); err != nil {
				t.Fatal(err)
			}
		}
		h.Header().Set(http.TrailerPrefix+"X-End", "yes")
		h.Finish()
		if w.headers != 1 || w.bytes != 5*len("data: x\n\n") || w.Header().Get(http.TrailerPrefix+"X-End") != "yes" {
			t.Fatalf("%d headers, %d bytes, header %v", w.headers, w.bytes, w.Header())
		}
	}
}

// writes is a response writer that counts.
type writes struct {
	header         http.Header
	headers, bytes int
}

func newWrites() *writes { return &writes{header: http.Header{}} }

func (c *writes) Header() http.Header { return c.header }
func (c *writes) WriteHeader(int)     { c.headers++ }
func (c *writes) FlushError() error   { return nil }
func (c *writes) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// A body is taken from whoever reads it too late, at any moment.
func TestReplayRaces(t *testing.T) {
	for range 200 {
		u := &upload{ReadCloser: io.NopCloser(strings.NewReader("hello")), flight: new(health.Flight), replay: newReplay(5, 5)}
		read := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(u) // what it gets is what counts
			read <- b
		}()
		claimed := u.replay.claim()
		got := <-read
		again := ""
		if claimed {
			b, err := io.ReadAll(u.replay.again(u.ReadCloser))
			if err != nil {
				t.Fatal(err)
			}
			again = string(b)
		}
		if claimed && again != "hello" || !claimed && string(got) != "hello" {
			t.Fatalf("claimed %v: the canary read %q, stable gets %q", claimed, got, again)
		}
	}
}

// speakHTTP2 lets the client speak HTTP/2 without TLS.
func (p *proxy) speakHTTP2(t *testing.T) {
	t.Helper()
	h2c := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket())
	}}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(h2c.CloseIdleConnections)
	p.client = &http.Client{Transport: h2c}
}
