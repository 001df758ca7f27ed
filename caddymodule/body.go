package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/stream"
)

// scanPanics counts, since the process began, the scanners that failed by a mistake of their own.
var scanPanics atomic.Uint64

// body is what is noted of an answer's body while it passes.
type body struct {
	header   http.Header // of the answer; where its trailers will be too
	declared int64       // how long it says it is; -1 if it does not say
	sent     int64       // how long it is so far
	said     agentWord
	scanner  scanner // nil if nothing is to be learned by looking into it
	pending  []byte  // what is yet to be scanned
	stall    *stallWatch
}

// pendingSize is as much of a body as may wait to be scanned: an event with a token or two.
const pendingSize = 512

// scanner reads a body to find out what became of it. Package stream has it.
type scanner interface {
	Write(p []byte)
	Close(whole bool, trailer stream.Header)
	Report() stream.Report
	Payload() bool
	Events() int
	ErrorFrame(reason string) ([]byte, bool)
}

// beginBody looks at the header of an answer, before anybody in front of us can change it.
func (x *exchange) beginBody() {
	b := &x.body
	b.header = x.Header() // asked for once: after the header is written net/http would copy it
	b.declared = x.declaredLength()
	if x.handler.AgentOutcome != agentOutcomeIgnore {
		b.said = agentWordIn(b.header[agentOutcomeHeader])
	}
	if x.status < 300 && mayTell(x.handler.format, b.header["Content-Type"]) {
		x.beginScan()
	}
	x.upload.call.drop()
	b.stall = newStallWatch(x.handler.Stall, x.Flight.Cancel)
}

// declaredLength returns how long the body says it is, or -1 if it does not say, or there is none whatever it says.
func (x *exchange) declaredLength() int64 {
	length := x.body.header["Content-Length"]
	if len(length) == 0 || x.request.Method == http.MethodHead ||
		x.status == http.StatusNoContent || x.status == http.StatusNotModified {
		return -1
	}
	n, err := strconv.ParseInt(length[0], 10, 64)
	if err != nil {
		return -1 // the server drops it too
	}
	return n
}

// mayTell is false for most answers that cannot be looked into, such as pages and pictures: a quick look ahead of the
// scanner's own, so that they do not cost a scanner each.
func mayTell(f stream.Format, contentType []string) bool {
	switch {
	case f == stream.Unknown:
		return false
	case len(contentType) == 0:
		return f != stream.Auto
	}
	kind := strings.ToLower(contentType[0])
	return strings.Contains(kind, "json") || strings.Contains(kind, "event-stream") || strings.Contains(kind, "grpc")
}

// isJSON reports whether an answer is JSON, in one value or several.
func isJSON(contentType []string) bool {
	return len(contentType) > 0 && strings.Contains(strings.ToLower(contentType[0]), "json")
}

// beginScan starts to read the answer, unless nothing can be learned from it.
func (x *exchange) beginScan() {
	defer x.guardScan()
	s := stream.New(x.handler.format, stream.Head{
		Method:    x.request.Method,
		Path:      x.request.URL.Path,
		Request:   stream.Header(x.request.Header),
		RequestID: x.upload.call.id(),
		Status:    x.status,
		Header:    stream.Header(x.body.header),
	})
	if s.Report().End != stream.NotScanned {
		x.body.scanner = s
	}
}

// take takes in a piece of the body. A small one waits until it has been flushed, so that the client need not wait for
// it to be scanned.
func (x *exchange) take(p []byte) {
	b := &x.body
	if len(b.pending)+len(p) <= pendingSize {
		if b.pending == nil {
			b.pending = make([]byte, 0, pendingSize)
		}
		b.pending = append(b.pending, p...)
		return
	}
	x.scanPending()
	x.scan(p)
}

// scanPending reads what is pending.
func (x *exchange) scanPending() {
	if p := x.body.pending; len(p) > 0 {
		x.body.pending = p[:0]
		x.scan(p)
	}
}

// scan reads on.
func (x *exchange) scan(p []byte) {
	if x.body.scanner == nil {
		return
	}
	defer x.guardScan()
	if x.body.scanner.Write(p); x.body.scanner.Payload() {
		x.answer()
	}
}

// guardScan ends the scanning, and nothing else, if it panics: whoever gets the answer must not suffer by how it is
// judged, and what would otherwise be taken for a broken answer of the variant's is our own mistake.
func (x *exchange) guardScan() {
	mistake := recover()
	if mistake == nil {
		return
	}
	x.body.scanner = nil
	scanPanics.Add(1)
	x.handler.log.Error("an answer is judged without looking into it, as that panicked",
		zap.String("split", x.handler.Name), zap.String("panic", fmt.Sprint(mistake)), zap.Stack("stack"))
}

// closeScan tells the scanner how the body ended.
func (x *exchange) closeScan(whole bool) {
	if x.body.scanner == nil {
		return
	}
	defer x.guardScan()
	var trailer stream.Header
	if status := x.body.trailer("Grpc-Status", grpcStatusTrailer); len(status) > 0 {
		trailer = stream.Header{"Grpc-Status": status}
	}
	x.body.scanner.Close(whole, trailer)
}

// grpcStatusTrailer is the status of a call where a trailer has it that was not announced.
const grpcStatusTrailer = http.TrailerPrefix + "Grpc-Status"

// trailer returns the values of a trailer: under its name if it was announced, else under its name with a prefix.
func (b *body) trailer(announced, other string) []string {
	if values := b.header[other]; len(values) > 0 {
		return values
	}
	return b.header[announced]
}

// report is what the scanner has found so far; NotScanned without one.
func (b *body) report() stream.Report {
	if b.scanner == nil {
		return stream.Report{Format: stream.Unknown, End: stream.NotScanned}
	}
	return b.scanner.Report()
}

// isShort reports whether less was sent than had been declared.
func (b *body) isShort() bool { return b.sent < b.declared }

// scanWriter scans what is copied to it.
type scanWriter struct{ *exchange }

// Write never fails.
func (w scanWriter) Write(p []byte) (int, error) {
	w.take(p)
	return len(p), nil
}
