//go:build unix

package clients

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// protocol is one that agents speak, with a client and a stand-in for its agents.
type protocol struct {
	name   string
	scheme string // of the upstream, such as h2c://
	agent  func(t *testing.T, name string) http.Handler
	client func(t *testing.T) client
	// opening is what the proxy counts of the requests that the client makes before the one that matters.
	opening outcomes
	// wants has the scenes in which this protocol differs from the others; nil for one that it does not know.
	wants map[scene]*want
}

// want is what a client has to tell its caller, and what the proxy has to count the answer as.
type want struct {
	saw    string
	said   string
	detail string // a part of the client's error, where that matters
}

// commonWants is what holds where a protocol has nothing else.
var commonWants = map[scene]*want{
	sceneOK:      {saw: sawSuccess, said: "success none"},
	sceneError:   {saw: sawError, said: "failure protocol_error"},
	sceneBroken:  {saw: sawError, said: "failure reset"},
	sceneUnended: {saw: sawShort, said: "failure truncated"},
	sceneStalled: {saw: sawError, said: "failure stall"},
	scenePaused:  {saw: sawPaused, said: "success none"},
	sceneCut:     {saw: sawError, said: "excluded killed"},
}

var protocols = []protocol{
	{name: "openai-chat", agent: eventAgent, client: node("openai-chat.mjs")},
	{
		name: "openai-responses", agent: eventAgent, client: node("openai-responses.mjs"),
		wants: map[scene]*want{sceneError: {saw: sawHandedOn, said: "failure protocol_error"}},
	},
	{name: "anthropic", agent: eventAgent, client: node("anthropic.mjs")},
	{name: "ag-ui", agent: eventAgent, client: node("ag-ui.mjs")},
	{name: "a2a-jsonrpc", agent: eventAgent, client: node("a2a.mjs", "JSONRPC")},
	{name: "a2a-rest", agent: eventAgent, client: node("a2a.mjs", "HTTP+JSON")},
	{name: "a2a-03-jsonrpc", agent: eventAgent, client: node("a2a-0.3.mjs", "JSONRPC")},
	{name: "a2a-03-rest", agent: eventAgent, client: node("a2a-0.3.mjs", "HTTP+JSON")},
	{
		name: "mcp", agent: mcpAgent, client: node("mcp.mjs"),
		opening: outcomes{"success none": 2, "excluded client_error": 1},
		wants: map[scene]*want{ // a call waits for its answer, whatever becomes of the stream
			sceneUnended: {saw: sawSilence, said: "failure truncated"},
		},
	},
	{
		name: "mcp-initialize", agent: openingAgent, client: node("mcp-initialize.mjs"),
		wants: map[scene]*want{
			sceneOK:      nil, // as for mcp: more requests follow
			sceneUnended: {saw: sawSilence, said: "failure truncated"},
			scenePaused:  nil,
		},
	},
	{
		name: "langgraph", agent: eventAgent, client: node("langgraph.mjs"),
		wants: map[scene]*want{
			sceneError:   {saw: sawHandedOn, said: "failure protocol_error"},
			sceneUnended: {saw: sawShort, said: "success none"}, // its runs need no end, see docs/adr/0011
		},
	},
	{name: "ai-sdk", agent: aiSDKAgent, client: node("ai-sdk.mjs")},
	{name: "grpc", scheme: "h2c://", agent: grpcAgent, client: fixed(grpcClient{}), wants: grpcWants},
	{name: "grpc-unary", scheme: "h2c://", agent: grpcAgent, client: fixed(grpcClient{unary: true}), wants: grpcWants},
	{name: "grpc-torn", scheme: "h2c://", agent: grpcAgent, client: fixed(grpcClient{}), wants: tornWants},
	{
		name: "websocket", agent: websocketAgent, client: fixed(websocketClient{}),
		wants: map[scene]*want{ // a socket without a close frame is broken, and it may be silent for as long as it likes
			sceneUnended: nil,
			sceneStalled: {saw: sawSilence, said: "excluded client_left"},
			scenePaused:  nil,
			sceneCut:     {sawError, "excluded killed", "StatusTryAgainLater"},
		},
	},
}

// grpcWants is what a call brings; tornWants, if it ends inside a message.
var (
	grpcWants = map[scene]*want{
		sceneError:   {saw: sawError, said: "failure grpc"},
		sceneBroken:  {sawError, "failure reset", "code = Unavailable desc = the agent broke off"},
		sceneUnended: {saw: sawError, said: "failure truncated"},
		sceneStalled: {sawError, "failure stall", "code = Unavailable desc = the agent fell silent"},
		scenePaused:  nil,
		sceneCut:     {sawError, "excluded killed", "code = Unavailable"}, // which may be before its first byte has passed
	}
	tornWants = map[scene]*want{
		sceneOK:      nil,
		sceneError:   nil,
		sceneBroken:  {sawError, "failure reset", "code = Unavailable"},
		sceneUnended: {saw: sawError, said: "failure truncated"},
		sceneStalled: {sawError, "failure stall", "code = Unavailable"},
		scenePaused:  nil,
		sceneCut:     {sawError, "excluded killed", "code = Unavailable"},
	}
)

func node(program string, args ...string) func(*testing.T) client {
	return func(t *testing.T) client { return startNode(t, program, args...) }
}

func fixed(c client) func(*testing.T) client { return func(*testing.T) client { return c } }

// want is what is to come of a scene, or nil.
func (p *protocol) want(s scene) *want {
	if w, ok := p.wants[s]; ok {
		return w
	}
	return commonWants[s]
}

// TestClients plays every scene to every client: by way of the proxy and, since that must not make a difference, without
// it.
func TestClients(t *testing.T) {
	agents := startAgents(t)
	proxy := startProxy(t, strings.TrimPrefix(agents.URL, "http://"))
	var table table
	t.Run("through the proxy", func(t *testing.T) {
		for _, p := range protocols {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				table.add(p.play(t, proxy, agents.URL))
			})
		}
	})
	if err := table.print(os.Stdout); err != nil {
		t.Error(err)
	}
}

// play plays a protocol's scenes, in their order.
func (p *protocol) play(t *testing.T, proxy *proxy, agents string) []row {
	client := p.client(t)
	var rows []row
	for _, s := range scenes {
		want := p.want(s)
		if want == nil {
			continue
		}
		r := row{protocol: p.name, scene: s}
		r.ok = t.Run(string(s), func(t *testing.T) {
			path := "/" + p.name + "/" + string(s)
			r.heard, r.said = p.watch(t, proxy, client, path)
			r.check(t, want)
			if s != sceneStalled && s != sceneBroken && s != sceneCut { // without the proxy the one has no end, the other no error frame
				r.compare(t, client.talk(t, agents+path))
			}
		})
		rows = append(rows, r)
	}
	return rows
}

// watch lets the client talk by way of the proxy, and waits until the proxy has counted all that belongs to it.
func (p *protocol) watch(t *testing.T, proxy *proxy, client client, path string) (heard, string) {
	t.Helper()
	before := proxy.outcomes(t, p.name)
	if path == "/"+p.name+"/"+string(sceneCut) {
		defer proxy.cutOnCue(t, p.name, func() (bool, error) {
			now, err := proxy.count(p.name)
			return now.minus(before).sum() >= p.opening.sum(), err
		})()
	}
	h := client.talk(t, proxy.url+path)
	var counted outcomes
	within(func() bool {
		counted = proxy.outcomes(t, p.name).minus(before)
		return counted.sum() >= 1+p.opening.sum()
	})
	return h, counted.minus(p.opening).String()
}
