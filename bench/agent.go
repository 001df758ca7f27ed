package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// mood is how an agent answers.
type mood int32

const (
	well    mood = iota // an answer of half a kilobyte
	failing             // a share of the answers are a status 500
	hanging             // no answer until the client leaves
)

// crashPath is what a path ends in where an agent fails, whatever its mood.
const crashPath = "/crash"

// streamPath is where an agent streams: one event at once, and then silence until the client leaves.
const streamPath = "/stream"

// payload is what an agent answers.
var payload = make([]byte, 512)

// agent stands in for an AI agent behind a proxy, within this process. Its methods may be called concurrently.
type agent struct {
	address  string // host:port where it answers
	mood     atomic.Int32
	fails    atomic.Int64 // percent of the answers, while it is failing
	firstBad atomic.Int64 // when it first failed or was left hanging, in Unix nanoseconds; 0 if never
	chats
}

// startAgent starts an agent, which ends with the lab.
func (l *lab) startAgent() (*agent, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start an agent: %w", err)
	}
	a := &agent{address: listener.Addr().String()}
	ctx, hangUp := context.WithCancel(context.Background())
	server := &http.Server{Handler: a, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	l.atEnd(func() error {
		hangUp()
		err := server.Close()
		if served := <-served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	return a, nil
}

// fail lets the agent fail so many of a hundred requests from now on.
func (a *agent) fail(share int64) {
	a.fails.Store(share)
	a.mood.Store(int32(failing))
}

// hang lets the agent answer nothing from now on.
func (a *agent) hang() { a.mood.Store(int32(hanging)) }

// ServeHTTP answers a request.
func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := mood(a.mood.Load())
	switch {
	case r.URL.Path == streamPath:
		stream(w, r)
	case r.URL.Path == chatPath:
		a.chat(w, r)
	case m == failing && rand.Int64N(100) < a.fails.Load() || strings.HasSuffix(r.URL.Path, crashPath):
		a.noteBad()
		w.WriteHeader(http.StatusInternalServerError)
	case m == hanging:
		a.noteBad()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		w.Write(payload)
	}
}

func (a *agent) noteBad() { a.firstBad.CompareAndSwap(0, time.Now().UnixNano()) }

// stream sends one event and then nothing.
func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if _, err := io.WriteString(w, event+"\n\n"); err != nil {
		return
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

// event is what a stream begins with, and eventBegin what every event does.
const (
	event      = eventBegin + "hello"
	eventBegin = "data: "
)
