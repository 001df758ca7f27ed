package caddymodule

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// exchange is one request and its answer on their way through a variant: a response writer that notes what became of
// them and changes no byte.
type exchange struct {
	caddyhttp.ResponseWriterWrapper // by value: Push, Unwrap; one allocation for all
	health.Flight

	handler *Handler
	request *http.Request
	client  context.Context // the request's own: done when the client left
	ctx     context.Context // the one that the variant serves it in: done also when it is ended from here
	repl    *caddy.Replacer // nil for an inquiry
	view    *rollout.View
	totals  *health.Totals
	cookie  *http.Cookie
	// pinCookie says where the request's conversation is; nil if the client has it already, or keeps none.
	pinCookie *http.Cookie
	talks     []talkNote // to be noted once it is sure that stable does not answer instead
	unnamed   string     // whose conversation the answer may name; empty if it has a name, or there is none
	shown     *shown     // its line in the access log; nil if nobody prints it
	upload    upload
	encoding  encoding
	served    *Variant // nil if nobody serves it
	status    int      // 0 until the answer has begun
	body      body
	socket    *socket   // what the connection has become; nil if that is none, or not read
	chance    *chance   // to be answered by stable instead; nil if there is none
	first     *exchange // the canary's, in whose place this is; nil if nobody failed before

	// The small ones stand together: with a word for each, a request would take the next larger size of memory.
	reason      splitter.Reason // why that variant
	refused     bool            // a proxy answered 499 to a killed request; it was not let through
	unwritten   bool            // a write has failed, as the client is gone
	weighed     bool            // nothing is kept back any more
	unseen      bool            // stable answers in its place
	rescuedFrom health.Cause    // of what first failed
}

// join decides, and enters the request among those in progress. If the State changed in between it decides again, so
// that no kill can fall between the decision and the entry; with a new exchange, as whoever looks over the requests may
// hold the first one still, and may have ended it.
func (h *Handler) join(p placement, w http.ResponseWriter, r *http.Request) (*exchange, splitter.Decision) {
	client, start := r.Context(), time.Now()
	repl, _ := client.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for {
		x := &exchange{handler: h, request: r, client: client, repl: repl, view: h.attached.View(), first: p.first}
		x.ResponseWriter = w
		x.Start = start
		d := h.decide(r, x.view, p)
		if d.Variant < 0 {
			return x, d
		}
		x.enter(d, p.Key)
		if h.attached.View() == x.view {
			return x, d
		}
		x.Withdraw()
		x.leave()
	}
}

// enter registers the request with the variant decided on. Only what the bucket placed is evidence, or a pin of the same
// epoch, and of that not what the configuration excludes.
func (x *exchange) enter(d splitter.Decision, key string) {
	x.served = x.handler.Variants[d.Variant]
	x.totals = x.view.Totals[d.Variant]
	if d.IsEvidence() && !x.handler.excludes(x.request) {
		x.Flight.Arrive(x.view.Windows[d.Variant], x.handler.app.user(key))
	}
	x.Flight.Variant = x.served.Name
	x.ctx, x.Flight.Cancel = context.WithCancelCause(x.client)
	if x.chance = x.takeChance(d); x.chance != nil {
		x.request = x.chance.requestOf(x)
	} else {
		*x.request = *x.request.WithContext(x.ctx)
	}
	x.flights().Add(&x.Flight)
}

// variant names the variant that serves the request; empty for nobody.
func (x *exchange) variant() string {
	if x.served == nil {
		return ""
	}
	return x.served.Name
}

func (x *exchange) leave() { x.flights().Remove(&x.Flight) }

func (x *exchange) flights() *health.Flights { return x.handler.attached.Split().Flights }

// WriteHeader passes the status on. An interim one is not the answer.
func (x *exchange) WriteHeader(status int) {
	if x.refused || x.status == 0 && x.swallow(status) {
		return
	}
	if x.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.begin(status)
	}
	x.ResponseWriter.WriteHeader(status)
	if x.Upgraded() {
		x.keepNotes()
		x.chance.release()
	}
}

// swallow keeps a proxy from answering 499 to a request that was killed, or given up: it gets the kill response, or
// stable's answer, instead.
func (x *exchange) swallow(status int) bool {
	x.refused = status == statusClientClosed && (x.killed() || x.isDropped())
	return x.refused
}

// begin notes the answer's status and adds our own headers to it.
func (x *exchange) begin(status int) {
	x.status = status
	x.upload.release(x.request)
	if status == http.StatusSwitchingProtocols || status < 300 && x.request.Method == http.MethodConnect {
		x.Upgrade() // a WebSocket, over HTTP/1 or HTTP/2
		x.Answer(time.Now())
		if x.beginSocket(); x.socket == nil {
			x.FirstMessage(time.Now()) // nobody will see it
		}
	} else {
		x.beginBody()
	}
	x.noteNamed()
	if !x.chance.holding() {
		x.keepNotes()
	}
	header := x.Header()
	if name := x.handler.ResponseHeader; name != "" {
		header.Set(name, x.served.Name)
	}
	for _, cookie := range [...]*http.Cookie{x.cookie, x.pinCookie} {
		if cookie != nil && !isCacheable(header) {
			header.Add("Set-Cookie", cookie.String())
		}
	}
	if x.handler.budget != nil {
		x.showRescued(header)
	}
	x.weighStatus()
}

// Write passes payload on.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.refused {
		return len(p), nil
	}
	if x.socket != nil && x.socket.isGoodbye(p) {
		x.socket.note(closedByProxy, 0, saidNothing)
		return len(p), nil // the handler's goroutine will say it: see finishSocket
	}
	if x.body.scanner == nil && len(p) > 0 {
		x.answer()
	}
	if x.socket != nil {
		x.scan(p) // before its client can answer it: who ends a WebSocket first counts
	}
	x.body.stall.move()
	n, err := x.ResponseWriter.Write(p)
	x.body.stall.moved()
	x.body.sent += int64(n)
	if err != nil && !isOwnFault(err) {
		x.unwritten = true
	}
	if x.body.scanner != nil && x.socket == nil {
		x.take(p)
	}
	x.weigh()
	return n, err
}

// answer says that something of substance has passed. A stream does not ask the clock for each piece.
func (x *exchange) answer() {
	if _, answered := x.Answered(); !answered {
		x.Answer(time.Now())
	}
}

// isOwnFault reports whether a write failed for what the variant wrote, and not because the client left.
func isOwnFault(err error) bool {
	return errors.Is(err, http.ErrContentLength) || errors.Is(err, http.ErrBodyNotAllowed)
}

// ReadFrom passes payload on as the underlying writer likes best, such as sendfile; if it is to be scanned, not by that.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.refused {
		return io.Copy(io.Discard, r)
	}
	if x.chance.holding() { // piece by piece, to see what each holds
		return io.Copy(struct{ io.Writer }{x}, r)
	}
	if x.body.scanner == nil {
		x.answer()
	} else {
		r = io.TeeReader(r, scanWriter{x})
	}
	x.body.stall.move()
	n, err := x.ResponseWriterWrapper.ReadFrom(r)
	x.body.stall.moved()
	x.body.sent += n
	if err != nil && x.client.Err() != nil {
		x.unwritten = true
	}
	return n, err
}

// FlushError begins the answer if it has not begun.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.refused || x.socket != nil && x.socket.end().who() == closedByProxy {
		return nil
	}
	x.body.stall.move()
	err := http.NewResponseController(x.ResponseWriter).Flush()
	x.body.stall.moved()
	x.scanPending()
	x.weigh()
	return err
}

var (
	_ http.ResponseWriter = (*exchange)(nil)
	_ io.ReaderFrom       = (*exchange)(nil)
)
