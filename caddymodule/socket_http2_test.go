package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// socketOverHTTP2 is a client's WebSocket by RFC 8441, which the client of net/http does not speak.
type socketOverHTTP2 struct {
	net.Conn
	*http2.Framer
	came  bytes.Buffer // and not yet read
	ended bool
}

// h2Stream is the number of its only stream.
const h2Stream = 1

// upgradeOverHTTP2 opens a WebSocket.
func (p *proxy) upgradeOverHTTP2(t *testing.T) *socketOverHTTP2 {
	t.Helper()
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		t.Fatal(err)
	}
	s := &socketOverHTTP2{Conn: conn, Framer: http2.NewFramer(conn, conn)}
	var fields bytes.Buffer
	encoder := hpack.NewEncoder(&fields)
	for _, f := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"}, {":path", "/ws"},
		{":authority", "agent.test"}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = io.WriteString(conn, http2.ClientPreface)
	if err == nil {
		err = s.WriteSettings()
	}
	if err == nil {
		err = s.WriteHeaders(http2.HeadersFrameParam{StreamID: h2Stream, BlockFragment: fields.Bytes(), EndHeaders: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Read reads what the agent sends, up to the end of the stream.
func (s *socketOverHTTP2) Read(p []byte) (int, error) {
	for s.came.Len() == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	return s.came.Read(p)
}

// next takes in a frame of HTTP/2.
func (s *socketOverHTTP2) next() error {
	frame, err := s.ReadFrame()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		s.came.Write(f.Data())
		s.ended = f.StreamEnded()
	case *http2.HeadersFrame:
		fields, err := hpack.NewDecoder(4096, nil).DecodeFull(f.HeaderBlockFragment())
		if err != nil || fields[0].Value != "200" {
			return fmt.Errorf("answered with %v (%w)", fields, err)
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("reset: %v", f.ErrCode)
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return s.WriteSettingsAck()
		}
	}
	return nil
}

// Over HTTP/2 a WebSocket is an exchange like any other: it is judged, and cut, all the same. The Go runtime has it only
// if it is told so before the process begins.
func TestWebSocketOverHTTP2(t *testing.T) {
	const setting = "GODEBUG=http2xconnect=1"
	if !slices.Contains(os.Environ(), setting) {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), setting)
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	a := startAgent(t)
	site := a.site("")
	p := startProxyWith(t, "servers {\nprotocols h1 h2c\n}", site)
	cut := func() { p.kill("s", "", splitter.KillCut) }
	reload := func() {
		if err := p.load(site + "\nheader X-New yes"); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name  string
		agent http.HandlerFunc
		hears string
		says  string
		then  func()
		rest  string
		class health.Class
		cause health.Cause
	}{
		{"done", sockets(hello+closing(1000, ""), true), hello, "", nil, closing(1000, ""), health.Success, health.CauseNone},
		{"failed", sockets(hello+closing(1011, ""), true), hello, "", nil, closing(1011, ""), health.Failure, health.CauseProtocol},
		{"dropped", sockets(hello, true), hello, "", nil, "", health.Failure, health.CauseReset},
		{"the client closes", closesAfter(1011), "", masked(1000), nil, closing(1011, ""), health.Success, health.CauseNone},
		{"cut", sockets(hello, false), hello, "", cut, closing(1013, farewellKilled), health.Excluded, health.CauseKilled},
		{"cut inside a frame", sockets(hello[:4], false), hello[:4], "", cut, "", health.Excluded, health.CauseKilled},
		{"reload", sockets(hello, false), hello, "", reload, goodbye, health.Excluded, health.CauseProxyClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.will(tt.agent)
			p.counted(t, tt.class, tt.cause, func() {
				socket := p.upgradeOverHTTP2(t)
				defer socket.Close()
				reads(t, socket, tt.hears)
				if err := socket.WriteData(h2Stream, false, []byte(tt.says)); err != nil {
					t.Error(err)
				}
				if tt.then != nil {
					tt.then()
				}
				rest, err := io.ReadAll(socket)
				if got := string(rest); err != nil || got != tt.rest && !(tt.name == "reload" && got == "") { // Caddy may close the agent's side first
					t.Errorf("client reads %q, %v at the end, want %q", rest, err, tt.rest)
				}
			})
			if tt.cause == health.CauseKilled {
				p.revive(t)
			}
		})
	}
}
