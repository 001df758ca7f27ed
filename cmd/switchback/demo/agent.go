package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// versionHeader is the response header in which an agent names its version.
const versionHeader = "X-Agent-Version"

// failPath is where an agent's failure rate is changed while it runs: PUT /-/fail?rate=0.5
const failPath = "/-/fail"

// maxQuestion bounds what an agent reads of one request, in bytes.
const maxQuestion = 1 << 20

// done ends every complete answer, as it does in OpenAI's streams.
const done = "data: [DONE]\n\n"

// reply is what an agent says: the first leastWords words, or more.
var reply = strings.Fields("Sure, here is a short answer, streamed word by word.")

const leastWords = 5

// agent is a stand-in for one version of an AI agent: it streams each answer as chunks of an OpenAI chat completion
// (server-sent events), and fails as often as it is told to. Its methods may be called concurrently.
type agent struct {
	name  string
	delay time.Duration // mean time between two words
	rate  atomic.Uint64 // share of answers that fail, as bits of a float64
	fails atomic.Uint64 // failed so far; they fail in two ways by turns
}

func newAgent(name string, delay time.Duration) *agent { return &agent{name: name, delay: delay} }

// setFailRate changes the share of answers that fail, 0 … 1.
func (a *agent) setFailRate(rate float64) error {
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("failure rate %v: must be from 0 to 1", rate)
	}
	a.rate.Store(math.Float64bits(rate))
	return nil
}

// ServeHTTP answers any request with a stream, but those to failPath.
func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(versionHeader, a.name)
	if r.URL.Path == failPath {
		a.serveFailRate(w, r)
		return
	}
	// The server notices that a client has left only once the request is read to its end.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxQuestion)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch a.fate() {
	case failsAtOnce:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"error":{"type":"server_error","message":"%s has lost its weights"}}`+"\n", a.name)
	case breaksOff:
		a.stream(r.Context(), w, leastWords/2)
		panic(http.ErrAbortHandler) // closes the connection in the middle of the stream
	default:
		if a.stream(r.Context(), w, leastWords+rand.IntN(len(reply)-leastWords+1)) {
			fmt.Fprint(w, done)
		}
	}
}

// fate is what becomes of one answer.
type fate int

const (
	succeeds fate = iota
	failsAtOnce
	breaksOff
)

// fate draws whether an answer fails. Half of those that do are a status 500, the others break off after status 200:
// what only a proxy that watches the stream to its end can see.
func (a *agent) fate() fate {
	if rand.Float64() >= math.Float64frombits(a.rate.Load()) {
		return succeeds
	}
	if a.fails.Add(1)%2 == 0 {
		return breaksOff
	}
	return failsAtOnce
}

// stream sends the first words of the reply. It returns false if the client left meanwhile.
func (a *agent) stream(ctx context.Context, w http.ResponseWriter, words int) bool {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	for _, word := range reply[:words] {
		pause := time.Duration((0.5 + rand.Float64()) * float64(a.delay))
		if wait(ctx, pause) != nil {
			return false
		}
		if err := a.send(w, word); err != nil {
			return false
		}
		if err := out.Flush(); err != nil {
			return false
		}
	}
	return true
}

// chunk is one event of the stream.
type chunk struct {
	Object  string   `json:"object"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
}

type choice struct {
	Index int   `json:"index"`
	Delta delta `json:"delta"`
}

type delta struct {
	Content string `json:"content"`
}

func (a *agent) send(w http.ResponseWriter, word string) error {
	doc, err := json.Marshal(chunk{
		Object:  "chat.completion.chunk",
		Model:   a.name,
		Choices: []choice{{Delta: delta{Content: word + " "}}},
	})
	if err != nil {
		return fmt.Errorf("encode a chunk: %w", err)
	}
	_, err = fmt.Fprintf(w, "data: %s\n\n", doc)
	return err
}

// serveFailRate lets people play: PUT /-/fail?rate=0.5 makes half of the answers fail from now on.
func (a *agent) serveFailRate(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", http.MethodPut)
		http.Error(w, "use PUT", http.StatusMethodNotAllowed)
		return
	}
	text := r.URL.Query().Get("rate")
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil {
		http.Error(w, fmt.Sprintf("rate %q: must be a number from 0 to 1, such as 0.5", text), http.StatusBadRequest)
		return
	}
	if err := a.setFailRate(rate); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%g of the answers of %s fail from now on\n", rate, a.name)
}

// wait waits for d, or until ctx is done; then it returns why.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

var _ http.Handler = (*agent)(nil)
