package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/stream"
)

const hello = "\x81\x05hello"

// closing is a server's close frame.
func closing(code stream.CloseCode, reason string) string {
	return string(stream.CloseFrame(code, reason))
}

// masked is a client's close frame, with a mask of zeros.
func masked(code stream.CloseCode) string {
	frame := stream.CloseFrame(code, "")
	return string(slices.Concat(frame[:1], []byte{frame[1] | 0x80, 0, 0, 0, 0}, frame[2:]))
}

// sockets answers with a WebSocket on which the agent sends something, and then drops it or waits for its client to go.
// Pairs of header are added to the handshake's.
func sockets(says string, drops bool, header ...string) http.HandlerFunc {
	return socketsWith(func(conn net.Conn) {
		if _, err := io.WriteString(conn, says); err == nil && !drops {
			_, _ = io.Copy(io.Discard, conn)
		}
	}, header...)
}

// socketsWith answers with a WebSocket that lives for as long as talk.
func socketsWith(talk func(conn net.Conn), header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		upgrade := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		for i := 0; i < len(header); i += 2 {
			upgrade += header[i] + ": " + header[i+1] + "\r\n"
		}
		if _, err := io.WriteString(conn, upgrade+"\r\n"); err == nil {
			talk(conn)
		}
	}
}

// upgrade opens a WebSocket, with pairs of header.
func (p *proxy) upgrade(t testing.TB, header ...string) io.ReadWriteCloser {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://agent.test/ws", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	socket, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body.Close()
		t.Fatalf("status %d, want 101", resp.StatusCode)
	}
	return socket
}

// reads fails the test unless that, and nothing less, comes next.
func reads(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); string(got) != want {
		t.Fatalf("read %q (%v), want %q", got[:n], err, want)
	}
}

// How a WebSocket ends tells what it was, and who ended it.
func TestWebSocketOutcome(t *testing.T) {
	const (
		failed = hello + "\x88\x09\x03\xf3no more"
		split  = "\x01\x03hel" // the first part of a message
	)
	a := startAgent(t)
	for _, options := range []string{"", "log"} { // with a log, Caddy wraps connections once more
		site := a.site("")
		if options == "log" {
			site += "\nlog {\noutput discard\n}"
		}
		p := startProxy(t, site)
		for _, tt := range []struct {
			name   string
			agent  http.HandlerFunc
			hears  string // by the client, before it says something
			says   string
			leaves bool // the client, without a word more
			class  health.Class
			cause  health.Cause
		}{
			{"done", sockets(hello+closing(1000, ""), true), hello, "", false, health.Success, health.CauseNone},
			{"going away", sockets(hello+closing(1001, ""), true), hello, "", false, health.Success, health.CauseNone},
			{"no code", sockets(hello+"\x88\x00", true), hello, "", false, health.Success, health.CauseNone},
			{"a code of its own", sockets(closing(4000, ""), true), "", "", false, health.Success, health.CauseNone},
			{"failed", sockets(failed, true), hello, "", false, health.Failure, health.CauseProtocol},
			{"restarts", sockets(closing(1012, ""), true), "", "", false, health.Failure, health.CauseProtocol},
			{"the client's fault", sockets(closing(1008, ""), true), "", "", false, health.Excluded, health.CauseClientError},
			{"dropped", sockets(hello, true), hello, "", false, health.Failure, health.CauseReset},
			{"dropped amid a message", sockets(split, true), split, "", false, health.Failure, health.CauseReset},
			{"dropped amid a close", sockets(hello+failed[:9], true), hello, "", false, health.Failure, health.CauseReset},
			{"dropped at once", sockets("", true), "", "", false, health.Failure, health.CauseReset},
			{"the client closes", sockets(hello, false), hello, masked(1000), true, health.Success, health.CauseNone},
			{"the client complains", sockets(hello, false), hello, masked(1002), true, health.Excluded, health.CauseClientLeft},
			{"the client leaves", sockets(hello, false), hello, "", true, health.Excluded, health.CauseClientLeft},
			{"the client closes first", closesAfter(1011), "", masked(1000), false, health.Success, health.CauseNone},
			{"it says that it failed", sockets(closing(4000, "X-Agent-Outcome: failure"), true), "", "", false,
				health.Failure, health.CauseAgentSaid},
			{"it says that all is well", sockets(closing(1011, "x-agent-outcome: success"), true), "", "", false,
				health.Success, health.CauseNone},
			{"it said so at once", sockets(closing(1000, ""), true, "X-Agent-Outcome", "failure"), "", "", false,
				health.Failure, health.CauseAgentSaid},
			{"its last word", sockets(closing(1000, "X-Agent-Outcome: success"), true, "X-Agent-Outcome", "failure"), "", "",
				false, health.Success, health.CauseNone},
		} {
			t.Run(options+" "+tt.name, func(t *testing.T) {
				a.will(tt.agent)
				p.counted(t, tt.class, tt.cause, func() {
					socket := p.upgrade(t)
					defer socket.Close()
					reads(t, socket, tt.hears)
					if tt.says != "" {
						if _, err := io.WriteString(socket, tt.says); err != nil {
							t.Error(err)
						}
					}
					if !tt.leaves {
						_, _ = io.Copy(io.Discard, socket) // a drop may come as an error
					}
				})
			})
		}
	}
}

// closesAfter answers with a WebSocket that is closed when the client has said something.
func closesAfter(code stream.CloseCode) http.HandlerFunc {
	return socketsWith(func(conn net.Conn) {
		if _, err := io.ReadFull(conn, make([]byte, len(masked(1000)))); err == nil { // all of it, as agents do
			_, _ = io.WriteString(conn, closing(code, ""))
		}
	})
}

// Neither what is no WebSocket nor what nobody is to look into is judged by its bytes.
func TestUpgradesNotRead(t *testing.T) {
	a := startAgent(t)
	for _, tt := range []struct{ name, options, as string }{
		{"classify off", "classify off", "websocket"},
		{"another protocol", "", "chat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, a.site(tt.options))
			a.will(func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n%s",
					r.Header.Get("Upgrade"), closing(1011, ""))
			})
			p.counted(t, health.Success, health.CauseNone, func() {
				r, err := http.NewRequest(http.MethodGet, "http://agent.test/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", tt.as)
				resp, err := p.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				reads(t, resp.Body, closing(1011, ""))
			})
		})
	}
}

// A kill is told to the client where the agent's frames allow it, with a code that says when to come again.
func TestWebSocketCut(t *testing.T) {
	a := startAgent(t)
	up := a.Listener.Addr().String()
	p := startProxy(t, "traffic_split s {\nkey header X-User\nstable blue\ncanary green\nvariant blue 0% "+up+
		"\nvariant green 100% "+up+"\n}")
	for _, tt := range []struct {
		name, variant, says, want string
	}{
		{"others serve", "green", hello, closing(1012, farewellKilled)},
		{"nobody serves", "", hello, closing(1013, farewellKilled)},
		{"nothing said yet", "green", "", closing(1012, farewellKilled)},
		{"between a message's parts", "green", "\x01\x03hel", closing(1012, farewellKilled)},
		{"inside a frame", "green", hello[:4], ""},
		{"behind a close", "green", hello + closing(1000, ""), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.will(sockets(tt.says, false))
			socket := p.upgrade(t, "X-User", "u")
			defer socket.Close()
			reads(t, socket, tt.says)
			before := p.counts("s")
			p.kill("s", tt.variant, splitter.KillCut)
			defer p.revive(t)
			began := time.Now()
			if rest, _ := io.ReadAll(socket); string(rest) != tt.want {
				t.Errorf("client reads %q at the end, want %q", rest, tt.want)
			}
			if took := time.Since(began); took > farewellLimit/2 {
				t.Errorf("it took %v", took)
			}
			before[health.Excluded][health.CauseKilled]++
			eventually(t, "the outcome", func() bool { return p.counts("s") == before })
		})
	}
}

// A client that has stopped reading holds up the end of its connection for no longer than a farewell may take, and a
// kill does not wait for it.
func TestWebSocketCutOfDeafClient(t *testing.T) {
	a := startAgent(t)
	p := startProxy(t, a.site(""))
	a.will(socketsWith(func(conn net.Conn) {
		message := []byte("\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00" + strings.Repeat("x", 1<<20))
		for {
			if _, err := conn.Write(message); err != nil {
				return
			}
		}
	}))
	socket := p.upgrade(t)
	defer socket.Close()
	reads(t, socket, "\x82\x7f")
	began := time.Now()
	p.kill("s", "", splitter.KillCut)
	if took := time.Since(began); took > farewellLimit/2 {
		t.Errorf("the kill took %v", took)
	}
	want := health.Counts{}
	want[health.Excluded][health.CauseKilled] = 1
	eventually(t, "the outcome", func() bool { return p.counts("s") == want })
}

// What Caddy closes, because its configuration is another one or because the site says for how long a connection may
// live, is nobody's failure.
func TestWebSocketClosedByProxy(t *testing.T) {
	a := startAgent(t)
	up := a.Listener.Addr().String()
	for _, tt := range []struct {
		name, site string
		reload     bool
	}{
		{"reload", a.site(""), true},
		{"stream_timeout", "traffic_split s {\nvariant only 100% " + up + " {\nstream_timeout 50ms\n}\n}", false},
		{"stream_timeout in a route", "traffic_split s {\nvariant only 100% {\nhandle {\nroute {\nreverse_proxy " + up +
			" {\nstream_timeout 50ms\n}\n}\n}\n}\n}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProxy(t, tt.site)
			a.will(sockets(hello, false))
			p.counted(t, health.Excluded, health.CauseProxyClosed, func() {
				socket := p.upgrade(t)
				defer socket.Close()
				reads(t, socket, hello)
				if tt.reload {
					if err := p.load(tt.site + "\nheader X-New yes"); err != nil {
						t.Fatal(err)
					}
				}
				_, _ = io.Copy(io.Discard, socket) // it ends
			})
		})
	}
}

// A WebSocket costs no more memory than one that nobody reads along. Run it with -benchmem: what counts is B/socket.
func BenchmarkOpenWebSocket(b *testing.B) {
	a := startAgent(b)
	a.will(sockets(hello, false))
	for _, bb := range []struct{ name, site string }{
		{"plain", "reverse_proxy " + a.Listener.Addr().String()},
		{"off", a.site("classify off")},
		{"auto", a.site("")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := startProxy(b, bb.site)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			open := make([]io.ReadWriteCloser, b.N)
			for i := range open {
				open[i] = p.upgrade(b)
				reads(b, open[i], hello)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			used := func(m *runtime.MemStats) uint64 { return m.HeapAlloc + m.StackInuse }
			b.ReportMetric(float64(used(&after)-used(&before))/float64(b.N), "B/socket")
			for _, socket := range open {
				socket.Close()
			}
		})
	}
}

// answering is a connection whose client answers before the call that writes to it has returned.
type answering struct {
	net.Conn
	answer func()
}

func (a answering) Write(p []byte) (int, error) {
	a.answer()
	return len(p), nil
}

// Who closes a WebSocket first is the one who ends it, however fast the other side is.
func TestSocketEndedByAgentOfFastClient(t *testing.T) {
	x := &exchange{ctx: t.Context(), handler: &Handler{}}
	s := &socket{exchange: x, tunnel: t.Context()}
	x.socket, x.body.scanner = s, s
	c := &socketConn{socket: s, Conn: answering{answer: func() { s.heard(nil, io.EOF, false) }}}
	if _, err := c.Write([]byte(closing(1011, ""))); err != nil {
		t.Fatal(err)
	}
	if got := s.end(); got.who() != closedByAgent || got.code() != 1011 {
		t.Errorf("ended by %d with code %d, want by the agent (%d) with 1011", got.who(), got.code(), closedByAgent)
	}
}
