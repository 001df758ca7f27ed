//go:build unix

package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// session is one client of each kind, all in the middle of something.
type session struct {
	t       *testing.T
	stream  *bufio.Reader
	socket  *websocket.Conn
	waiting chan reply
}

// openSession opens them as a user of green.
func openSession(t *testing.T, p *proxy, user string) *session {
	t.Helper()
	header := http.Header{"X-User-Id": {user}}
	s := &session{t: t, waiting: make(chan reply, 1)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.test/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	resp, err := p.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	s.stream = bufio.NewReader(resp.Body)
	s.socket, _, err = websocket.Dial(t.Context(), "ws://example.test/ws",
		&websocket.DialOptions{HTTPClient: p.http, HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.socket.CloseNow() })
	ctx, leave := context.WithCancel(t.Context())
	t.Cleanup(leave)
	r, err = http.NewRequestWithContext(ctx, http.MethodGet, "http://example.test/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	go func() { s.waiting <- send(p.http, r) }()
	s.mustGoOn()
	await(t, "the proxy has all three in flight", func() bool { return inFlight(p, "green") == 3 })
	return s
}

func inFlight(p *proxy, variant string) int {
	for _, v := range p.status("assistant").Variants {
		if v.Name == variant {
			return v.InFlight
		}
	}
	return 0
}

// mustGoOn wants tokens from the stream and echoes from the socket, and the waiting one to wait.
func (s *session) mustGoOn() {
	s.t.Helper()
	for range 10 {
		if _, err := s.stream.ReadString('\n'); err != nil {
			s.t.Fatalf("the stream ended: %v", err)
		}
	}
	if err := s.socket.Write(s.t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		s.t.Fatalf("the WebSocket ended: %v", err)
	}
	if _, _, err := s.socket.Read(s.t.Context()); err != nil {
		s.t.Fatalf("the WebSocket ended: %v", err)
	}
	select {
	case got := <-s.waiting:
		s.t.Fatalf("the waiting request ended: %+v", got)
	default:
	}
}

// mustEnd wants all three to end: the stream visibly broken off, the waiting one with the kill response.
func (s *session) mustEnd() {
	s.t.Helper()
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, s.stream); ended <- err }()
	select {
	case err := <-ended:
		if err == nil {
			s.t.Error("the stream ended as if it were complete")
		}
	case <-time.After(patience):
		s.t.Fatal("the stream goes on")
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if _, _, err := s.socket.Read(ctx); err == nil || ctx.Err() != nil {
		s.t.Errorf("the WebSocket goes on: %v", err)
	}
	select {
	case got := <-s.waiting:
		if got.status != 503 || got.header.Get("Retry-After") != "30" {
			s.t.Errorf("the waiting request: got %+v", got)
		}
	case <-time.After(patience):
		s.t.Fatal("the waiting request goes on")
	}
}
