package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What is kept back of an answer at most, besides its header. An event more, or a byte, and all of it goes out.
const (
	maxHeld       = 32 << 10 // bytes
	maxHeldEvents = 8
)

// errDropped is what a variant's write fails with whose answer nobody wants any more.
var errDropped error = droppedError{}

// droppedError is a context.Canceled, so that a reverse proxy takes it for an end from this side.
type droppedError struct{}

// Error returns the sentence for logs.
func (droppedError) Error() string { return "stable answers in its place" }

// Is reports whether target is context.Canceled.
func (droppedError) Is(target error) bool { return target == context.Canceled }

// held is the client's response writer behind the beginning of an answer that is kept back: header and first bytes, until
// they are let go, because of what they hold or after a while, or dropped in favour of another answer. Once it has let go
// it stands aside, and takes no lock.
//
// The variant sees a header of its own throughout, for it may still change it while a timer lets the answer go.
type held struct {
	http.ResponseWriter
	own  http.Header // what the variant sees
	open atomic.Bool // all was let go: from here on the following do not change

	mu      sync.Mutex // protects following fields: the timer lets go in its own goroutine
	state   heldState
	verdict verdictOn   // on what was dropped
	status  int         // of the answer; 0 until it has begun
	sent    http.Header // the variant's header as it was when the answer began
	prelude []byte
	flush   bool // the variant has asked for it
	err     error
	timer   *time.Timer
	within  time.Duration // how long an answer is kept back from when it has begun
}

// heldState is what has become of what is held.
type heldState uint8

const (
	holding heldState = iota
	letGo
	dropped
)

func newHeld(w http.ResponseWriter, within time.Duration) *held {
	return &held{ResponseWriter: w, own: w.Header().Clone(), within: within}
}

// Header returns the variant's header.
func (h *held) Header() http.Header { return h.own }

// Unwrap is for http.ResponseController.
func (h *held) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// WriteHeader begins the answer. An interim one passes.
func (h *held) WriteHeader(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.state == dropped:
	case h.state == letGo:
		h.ResponseWriter.WriteHeader(status)
	case status < 200 && status != http.StatusSwitchingProtocols:
		h.interim(status)
	case h.status == 0:
		h.status, h.sent = status, h.own.Clone()
		h.timer = time.AfterFunc(h.within, h.Release)
	}
}

// interim passes an interim answer on with the header that it has now, and leaves the client's as it was. Caller must
// hold h.mu.
func (h *held) interim(status int) {
	client := h.ResponseWriter.Header()
	before := maps.Clone(client)
	replace(client, h.own)
	h.ResponseWriter.WriteHeader(status)
	replace(client, before)
}

// replace makes to what from is.
func replace(to, from http.Header) {
	clear(to)
	maps.Copy(to, from)
}

// Write keeps p, or passes it on.
func (h *held) Write(p []byte) (int, error) {
	if !h.open.Load() {
		if kept, err := h.keep(p); kept || err != nil {
			return len(p), err
		}
	}
	if h.err != nil {
		return 0, h.err
	}
	return h.ResponseWriter.Write(p)
}

// keep keeps p if there is room for it; else it lets all go that is before p.
func (h *held) keep(p []byte) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.state == dropped:
		return false, errDropped
	case h.state == holding && len(h.prelude)+len(p) <= maxHeld:
		h.prelude = append(h.prelude, p...)
		return true, nil
	}
	h.release()
	return false, nil
}

// FlushError flushes what is not kept back.
func (h *held) FlushError() error {
	if h.open.Load() {
		return http.NewResponseController(h.ResponseWriter).Flush()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state == dropped {
		return errDropped
	}
	h.flush = true
	if h.state == letGo { // in this moment
		return http.NewResponseController(h.ResponseWriter).Flush()
	}
	return nil
}

// Release lets go of what is held, if the answer has begun.
func (h *held) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status != 0 {
		h.release()
	}
}

// release must be called with h.mu held, when the answer has begun.
func (h *held) release() {
	if h.state != holding {
		return
	}
	h.state = letGo
	h.stop()
	replace(h.ResponseWriter.Header(), h.sent)
	h.ResponseWriter.WriteHeader(h.status)
	if len(h.prelude) > 0 {
		_, h.err = h.ResponseWriter.Write(h.prelude)
	}
	h.prelude = nil
	if h.flush && h.err == nil {
		h.err = http.NewResponseController(h.ResponseWriter).Flush()
	}
	h.open.Store(true)
}

// stop must be called with h.mu held.
func (h *held) stop() {
	if h.timer != nil {
		h.timer.Stop()
	}
}

// Drop gives up what is held, with the verdict on it, if nothing has been let go and last agrees; an answer that has begun,
// only if begun says so. It reports whether it did. The client's header is as it was before the variant.
func (h *held) Drop(begun bool, v verdictOn, last func() bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != holding || h.status != 0 && !begun || !last() {
		return false
	}
	h.state, h.verdict, h.prelude = dropped, v, nil
	h.stop()
	return true
}

// Waiting reports whether nothing of the answer has come.
func (h *held) Waiting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state == holding && h.status == 0
}

// State returns what has become of what is held, and the verdict on it if it was dropped. A nil *held has let go.
func (h *held) State() (heldState, verdictOn) {
	if h == nil {
		return letGo, verdictOn{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state, h.verdict
}

// Finish lets all go when the variant has ended, and hands on what it has changed of its header since: its trailers, or,
// if there was no answer, all.
func (h *held) Finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status != 0 {
		h.release()
	}
	if h.state == dropped {
		return
	}
	h.state = letGo
	h.open.Store(true)
	client := h.ResponseWriter.Header()
	for name, values := range h.own {
		if was, ok := h.sent[name]; !ok || !slices.Equal(was, values) {
			client[name] = values
		}
	}
}
