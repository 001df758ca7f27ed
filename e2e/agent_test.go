//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// agent is a stand-in for one version of an AI agent. It answers with its name; /stream never ends, /ws echoes, /wait
// answers nothing until the client leaves, /break stops in the middle, /headers tells what it was asked with.
type agent struct {
	name string
	addr string
	fail atomic.Bool // answers 500 from now on
	hits atomic.Int64
}

func startAgent(t testing.TB, name string) *agent {
	a := &agent{name: name}
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.answer)
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/ws", echo)
	mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/break", breakOff)
	mux.HandleFunc("/cacheable", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprint(w, name)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	a.addr = strings.TrimPrefix(server.URL, "http://")
	return a
}

func (a *agent) answer(w http.ResponseWriter, _ *http.Request) {
	a.hits.Add(1)
	w.Header().Set("X-Agent", a.name)
	if a.fail.Load() {
		http.Error(w, a.name+" is ill", http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, a.name)
}

// stream sends a server-sent event every few milliseconds until the client leaves.
func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		fmt.Fprint(w, "data: token\n\n")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// echo is a WebSocket that says what it hears.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// breakOff begins an answer with status 200 and does not finish it.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "data: tok")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
