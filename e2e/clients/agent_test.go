//go:build unix

package clients

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scene is what befalls one answer.
type scene string

// The scenes. An answer is broken when its connection breaks, unended when its body ends as if it were whole, but
// without what the protocol ends an answer with.
const (
	sceneOK      scene = "ok"
	sceneError   scene = "error"
	sceneBroken  scene = "broken"
	sceneUnended scene = "unended"
	sceneStalled scene = "stalled"
	scenePaused  scene = "paused"
	sceneCut     scene = "cut" // by a kill, which lasts: it comes last
)

// scenes lists all of them, in the order in which they are played.
var scenes = []scene{sceneOK, sceneError, sceneBroken, sceneUnended, sceneStalled, scenePaused, sceneCut}

// What every agent says when nothing befalls it, and what of it comes before whatever befalls it.
const (
	wholeText = "Hello world"
	shortText = "Hello"
)

// A script is what an agent says in server-sent events. $ID in it is the request's own id.
type script struct {
	begin string // that it has begun, and the first word
	rest  string // the other word, and the end
	fail  string // an error, and the end
	pause string // a question or a tool's call, and the end
}

// readScript reads testdata/NAME.txt, whose parts begin with lines such as `-- rest --`.
func readScript(t *testing.T, name string) script {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var s script
	for part := range strings.SplitSeq(strings.TrimPrefix(string(text), "-- "), "\n-- ") {
		title, events, ok := strings.Cut(part, " --\n")
		field := map[string]*string{"begin": &s.begin, "rest": &s.rest, "fail": &s.fail, "pause": &s.pause}[title]
		if !ok || field == nil {
			t.Fatalf("testdata/%s.txt has a part %q; want begin, rest, fail, pause", name, title)
		}
		*field = strings.TrimRight(events, "\n") + "\n\n"
	}
	return s
}

// play answers a request. The agent has taken in the whole of it before, so that breaking off loses nothing of what it
// has said.
func (s script) play(w http.ResponseWriter, r *http.Request, id string) {
	say := func(events string) {
		fmt.Fprint(w, strings.ReplaceAll(events, "$ID", id))
		_ = http.NewResponseController(w).Flush() // a client that is gone is none of the agent's business
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say(s.begin)
	switch scene(r.PathValue("scene")) {
	case sceneOK:
		say(s.rest)
	case sceneError:
		say(s.fail)
	case scenePaused:
		say(s.pause)
	case sceneBroken:
		panic(http.ErrAbortHandler)
	case sceneStalled:
		<-r.Context().Done()
	case sceneCut:
		cues.give(r.URL.Path)
		<-r.Context().Done()
	}
}

// cues tell, by protocol, that an answer which is to be cut has begun.
var cues = cueing{}

type cueing map[string]chan struct{}

// give gives the cue to the protocol that a path begins with.
func (c cueing) give(path string) { c[strings.Split(path, "/")[1]] <- struct{}{} }

// rpcRequest is what matters of a JSON-RPC request.
type rpcRequest struct {
	ID     json.RawMessage
	Method string
}

// readRequest takes in a request. One that is no JSON-RPC has no method, and null for its id.
func readRequest(r *http.Request) (rpcRequest, error) {
	var request rpcRequest
	body, err := io.ReadAll(r.Body)
	if err == nil && json.Unmarshal(body, &request) != nil {
		request = rpcRequest{}
	}
	request.ID = json.RawMessage(cmp.Or(string(request.ID), "null"))
	return request, err
}

// startAgents starts a server that plays every protocol's agent, each below its own name and the scene's, such as
// /openai-chat/broken/v1/chat/completions. It speaks HTTP/1 and, for gRPC, HTTP/2 without TLS.
func startAgents(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for _, p := range protocols {
		cues[p.name] = make(chan struct{}, 1)
		agent := p.agent(t, p.name)
		mux.Handle("/"+p.name+"/{scene}", agent)
		mux.Handle("/"+p.name+"/{scene}/", agent)
	}
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// eventAgent plays an agent that answers everything by its script.
func eventAgent(t *testing.T, name string) http.Handler {
	script := readScript(t, name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest(r)
		if err != nil {
			return // nobody waits for an answer
		}
		script.play(w, r, string(request.ID))
	})
}

// aiSDKAgent names its protocol in a header, as the AI SDK's servers do.
func aiSDKAgent(t *testing.T, name string) http.Handler {
	agent := eventAgent(t, name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Vercel-Ai-Ui-Message-Stream", "v1")
		agent.ServeHTTP(w, r)
	})
}

// openingAgent answers the request that opens an MCP session by its script, and takes whatever follows.
func openingAgent(t *testing.T, name string) http.Handler {
	script := readScript(t, name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := readRequest(r)
		switch {
		case err != nil: // nobody waits for an answer
		case request.Method == "initialize":
			script.play(w, r, string(request.ID))
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusAccepted)
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// mcpAgent opens sessions, has nothing to say by itself, and answers tool calls by its script.
func mcpAgent(t *testing.T, name string) http.Handler {
	script := readScript(t, name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		request, err := readRequest(r)
		if err != nil {
			return // nobody waits for an answer
		}
		switch request.Method {
		case "initialize":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18",`+
				`"capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"stand-in","version":"1"}}}`, request.ID)
		case "tools/call":
			script.play(w, r, string(request.ID))
		default: // notifications
			w.WriteHeader(http.StatusAccepted)
		}
	})
}
