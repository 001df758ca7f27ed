package caddymodule

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/stream"
)

// socket is what is noted of a WebSocket: how each side's frames go, and who ended it first. It stands in the place of
// the scanner of an answer's body.
//
// The frames of the agent are told by whoever copies them to the client, those of the client by whoever copies them to
// the agent; all that both need to agree on is ended.
type socket struct {
	agent, client stream.Frames
	ended         atomic.Uint32 // the first end that was seen; see socketEnd
	exchange      *exchange
	tunnel        context.Context // the request's: done at a kill, and when its client has left
	conn          *socketConn     // the client's connection; nil over HTTP/2, where the exchange stays its way
	began         time.Time
	spoken        bool // the agent has sent something; for whoever copies that
}

// socketEnd is who ended a WebSocket, with what: the code in the low 16 bits, then who, then the agent's word.
type socketEnd uint32

// Who ended a WebSocket.
const (
	endedByNobody   = iota // that was seen
	closedByAgent          // with a close frame
	closedByClient         // with a close frame
	droppedByAgent         // without one
	droppedByClient        // without one
	closedByProxy          // by Caddy, when its configuration is unloaded
)

func (e socketEnd) code() stream.CloseCode { return stream.CloseCode(e) }

func (e socketEnd) who() int { return int(e >> 16 & 0xFF) }

func (e socketEnd) word() agentWord { return agentWord(e >> 24) }

// beginSocket begins to read a connection that has become a WebSocket. Others are let alone.
func (x *exchange) beginSocket() {
	if x.handler.format == stream.Unknown || !x.isWebSocket() {
		return
	}
	s := &socket{exchange: x, tunnel: x.ctx, began: time.Now()}
	if x.handler.AgentOutcome != agentOutcomeIgnore {
		x.body.said = agentWordIn(x.Header()[agentOutcomeHeader])
	}
	x.socket, x.body.scanner = s, s
	if x.status != http.StatusSwitchingProtocols {
		x.upload.socket.Store(s)
	}
}

// isWebSocket reports whether the answer that begins makes the connection a WebSocket: over HTTP/1 it says so, over
// HTTP/2 and 3 the request has said it.
func (x *exchange) isWebSocket() bool {
	if x.status == http.StatusSwitchingProtocols {
		return strings.EqualFold(x.Header().Get("Upgrade"), "websocket")
	}
	r := x.request
	return r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket"
}

// note notes an end, unless another was seen before.
func (s *socket) note(who int, code stream.CloseCode, word agentWord) {
	s.ended.CompareAndSwap(0, uint32(word)<<24|uint32(who)<<16|uint32(code))
}

func (s *socket) end() socketEnd { return socketEnd(s.ended.Load()) }

// Write takes in what the agent has sent.
func (s *socket) Write(p []byte) {
	if !s.spoken && len(p) > 0 {
		s.spoken = true
		s.exchange.FirstMessage(time.Now())
	}
	if s.agent.Write(p); s.end() != 0 {
		return
	}
	if code, reason, closed := s.agent.Closed(); closed {
		s.note(closedByAgent, code, s.wordIn(reason))
	}
}

// wordIn is the agent's word, if the reason with which it closes is that and nothing else: a WebSocket has no trailers.
func (s *socket) wordIn(reason string) agentWord {
	name, value, ok := strings.Cut(reason, ":")
	if !ok || s.exchange.handler.AgentOutcome == agentOutcomeIgnore || !strings.EqualFold(name, agentOutcomeHeader) {
		return saidNothing
	}
	return agentWordIn([]string{value})
}

// heard takes in what the client has sent, and the error with which that ended. When it ends because this side has
// closed the connection, closed is true.
func (s *socket) heard(p []byte, err error, closed bool) {
	if s.end() != 0 {
		return
	}
	s.client.Write(p)
	if code, _, ok := s.client.Closed(); ok {
		s.note(closedByClient, code, saidNothing)
	} else if err != nil && !closed && !killed(s.tunnel) {
		s.note(droppedByClient, 0, saidNothing)
	}
}

// Close has nothing to add: how a WebSocket ended is noted as it passes.
func (s *socket) Close(bool, stream.Header) {}

// Payload is true: nothing of a WebSocket is kept back.
func (s *socket) Payload() bool { return true }

// Events counts nothing.
func (s *socket) Events() int { return 0 }

// Report says what the agent has said by now.
func (s *socket) Report() stream.Report {
	r := stream.Report{Format: stream.Unknown}
	if e := s.end(); e.who() == closedByAgent {
		r.End, r.Code = e.code().End(), strconv.Itoa(int(e.code()))
	}
	return r
}

// ErrorFrame is the close frame that ends the connection here and now, if it can be written where the agent stands: not
// inside a frame of its own, and not behind its close frame.
func (s *socket) ErrorFrame(reason string) ([]byte, bool) {
	if !s.agent.Between() {
		return nil, false
	}
	return stream.CloseFrame(s.farewellCode(), reason), true
}

// farewellCode tells a client to come again at once if somebody serves, which is stable alone, and later if nobody does.
func (s *socket) farewellCode() stream.CloseCode {
	if s.exchange.handler.attached.View().Table.Decide(splitter.Request{}).Variant < 0 {
		return stream.CloseTryLater
	}
	return stream.CloseRestart
}

// goodbye is the close frame that Caddy's reverse_proxy writes when its configuration is unloaded: 1001, without a reason.
const goodbye = "\x88\x02\x03\xe9"

// isGoodbye recognizes it. It comes at any point of the agent's frames, and beside whoever copies them, so that it must
// not be read as one of them; and over HTTP/2, where two must not write at once, not be written there and then. An agent
// that writes the same at that time means the same.
func (s *socket) isGoodbye(p []byte) bool {
	return string(p) == goodbye && s.exchange.handler.isUnloaded()
}

// finishSocket ends a connection whose handler has ended. One that was killed gets its close frame.
func (x *exchange) finishSocket() {
	s := x.socket
	if s == nil {
		return
	}
	if s.conn != nil {
		s.conn.finish()
	} else if !x.unwritten && x.client.Err() == nil {
		x.bid(parting{frame: x.closeFrame()})
	}
}

// closeFrame is the close frame of a connection that was killed, or that Caddy closes; nil if none can be written.
func (x *exchange) closeFrame() []byte {
	switch {
	case x.body.scanner == nil: // it has failed, and does not know where the agent stands
		return nil
	case x.killed():
		frame, _ := x.socket.ErrorFrame(farewellKilled)
		return frame
	case x.socket.end().who() == closedByProxy && x.socket.agent.Between():
		return []byte(goodbye)
	}
	return nil
}

// ofUpgrade judges an upgraded connection. One that nobody looked into is a success by its handshake.
func (x *exchange) ofUpgrade() verdictOn {
	s := x.socket
	if s == nil || s.conn == nil && x.status == http.StatusSwitchingProtocols { // never handed over
		return success
	}
	switch e := s.end(); {
	case e.who() == closedByAgent:
		return x.ofClose(e)
	case e.who() == closedByClient && e.code().Ordinary():
		return success
	case e.who() == closedByClient, e.who() == droppedByClient, x.client.Err() != nil, x.unwritten:
		return verdictOn{health.Excluded, health.CauseClientLeft}
	case e.who() == closedByProxy, x.handler.isUnloaded(), s.isOverdue():
		return verdictOn{health.Excluded, health.CauseProxyClosed}
	}
	return verdictOn{health.Failure, health.CauseReset}
}

// ofClose judges a connection by the code with which its agent closed it, and by what the agent says of it: its last
// word holds.
func (x *exchange) ofClose(e socketEnd) verdictOn {
	word := e.word()
	if word == saidNothing {
		word = x.body.said
	}
	switch word {
	case saidFailure:
		return verdictOn{health.Failure, health.CauseAgentSaid}
	case saidSuccess:
		return success
	}
	return ofReport(x.socket.Report())
}

// isOverdue reports whether a connection has lived for as long as its reverse_proxy lets any live (stream_timeout).
func (s *socket) isOverdue() bool {
	limit := s.exchange.served.maxStream
	return limit > 0 && time.Since(s.began) >= limit
}

// isUnloaded reports whether Caddy runs another configuration by now, or stops.
func (h *Handler) isUnloaded() bool {
	select {
	case <-h.unloaded:
		return true
	default:
		return false
	}
}

var _ scanner = (*socket)(nil)
