package caddymodule

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// talkSite has conversations, and variants that answer with their name and what they were sent.
func talkSite(sources string) string {
	return "traffic_split s {\nkey header X-User\nkey cookie uid\n" + sources + `
	stable blue
	canary green
	variant blue 50% {
		handle {
			respond "blue {http.request.body}"
		}
	}
	variant green 50% {
		handle {
			respond "green {http.request.body}"
		}
	}
}`
}

// talker sends requests of one user.
type talker struct {
	*proxy
	user string
	jar  map[string]string // nil if it keeps no cookies
}

// on returns a user whose bucket is below half the ranges' border and goes from green to blue when green shrinks to 1 %.
func (p *proxy) newTalker() *talker {
	p.t.Helper()
	table := p.controller().Split("s").State()
	hasher := splitter.NewHasher(table.Salt)
	for i := 0; ; i++ {
		user := fmt.Sprint("user-", i)
		if b := hasher.Bucket(user); b > 10_000 && b < 40_000 {
			return &talker{proxy: p, user: user}
		}
	}
}

// say sends a request of the talker's and returns the variant that answered it.
func (c *talker) say(r *http.Request) string {
	c.t.Helper()
	r.Header.Set("X-User", c.user)
	for name, value := range c.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.jar != nil {
		for _, cookie := range resp.Cookies() {
			c.jar[cookie.Name] = cookie.Value
		}
	}
	variant, passed, _ := strings.Cut(string(body), " ")
	if r.GetBody != nil {
		sent, err := r.GetBody()
		if err != nil {
			c.t.Fatal(err)
		}
		want, err := io.ReadAll(sent)
		if err != nil || string(want) != passed {
			c.t.Errorf("the variant was sent %d bytes, want %d (%v)", len(passed), len(want), err)
		}
	}
	return variant
}

// weighs gives green a share and waits until it holds here.
func (p *proxy) weighs(green splitter.Weight) {
	p.t.Helper()
	change := rollout.WeightChange{Weights: map[string]splitter.Weight{"green": green}, Force: true}
	if _, err := p.controller().SetWeights(context.Background(), "s", change, rollout.By{}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proxy) post(body, kind string) *http.Request {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://agent.test/chat?q=1", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	return r
}

// Whatever tells conversations, one that began on green stays there when the share shrinks, and a new one does not.
func TestConversationsStay(t *testing.T) {
	header := func(name string) func(p *proxy, id string) *http.Request {
		return func(p *proxy, id string) *http.Request { return p.request(name, id) }
	}
	json := func(format string) func(p *proxy, id string) *http.Request {
		return func(p *proxy, id string) *http.Request { return p.post(fmt.Sprintf(format, id), "application/json") }
	}
	for name, tt := range map[string]struct {
		sources string
		request func(p *proxy, id string) *http.Request
	}{
		"header":     {"conversation header X-Thread", header("X-Thread")},
		"cookie":     {"conversation cookie thread", func(p *proxy, id string) *http.Request { return p.request("Cookie", "thread="+id) }},
		"query":      {"conversation query t", func(p *proxy, id string) *http.Request { r := p.request(); r.URL.RawQuery = "t=" + id; return r }},
		"json":       {"conversation json meta.session", json(`{"a":[1],"meta":{"session":%q}}`)},
		"number":     {"conversation json n", json(`{"n":1%.0s23` + `}`)},
		"auto":       {"conversation", header("X-Session-ID")},
		"mcp":        {"conversation auto", header("Mcp-Session-Id")},
		"ag-ui":      {"conversation auto", json(`{"threadId":%q,"messages":[]}`)},
		"a2a":        {"conversation auto", json(`{"jsonrpc":"2.0","params":{"message":{"contextId":%q}}}`)},
		"responses":  {"conversation auto", json(`{"input":"hi","conversation":{"id":%q}}`)},
		"the second": {"conversation header X-None\nconversation header X-Thread", header("X-Thread")},
	} {
		t.Run(name, func(t *testing.T) {
			p := startProxy(t, talkSite(tt.sources))
			p.hasSecret()
			c := p.newTalker()
			if got := c.say(tt.request(p, "first")); got != "green" {
				t.Fatalf("before: %s, want green", got)
			}
			p.weighs(1000)
			for range 3 {
				if got := c.say(tt.request(p, "first")); got != "green" {
					t.Errorf("the conversation went to %s, want green", got)
				}
			}
			if got := c.say(p.request()); got != "blue" {
				t.Errorf("no conversation went to %s, want blue", got)
			}
			if name == "number" {
				return
			}
			for range 2 {
				if got := c.say(tt.request(p, "second")); got != "blue" {
					t.Errorf("a new conversation went to %s, want blue", got)
				}
			}
			c.user = p.otherTalker(c.user)
			if got := c.say(tt.request(p, "first")); got != "blue" {
				t.Errorf("another user's conversation of the same name went to %s, want blue", got)
			}
		})
	}
}

// otherTalker returns another user whose bucket moved as well.
func (p *proxy) otherTalker(than string) string {
	hasher := splitter.NewHasher(p.controller().Split("s").State().Salt)
	for i := 0; ; i++ {
		user := fmt.Sprint("other-", i)
		if b := hasher.Bucket(user); user != than && b > 10_000 && b < 40_000 {
			return user
		}
	}
}

// Pins of the same epoch are evidence, and reasons are seen.
func TestConversationsAreEvidence(t *testing.T) {
	p := startProxy(t, talkSite("conversation header X-Thread\nresponse_header X-Variant"))
	p.hasSecret()
	c := p.newTalker()
	c.say(p.request("X-Thread", "a"))
	p.weighs(1000)
	before := p.judged("green")
	c.say(p.request("X-Thread", "a"))
	eventually(t, "evidence by a pin of the same epoch", func() bool { return p.judged("green") == before+1 })
}

// judged counts what green's window holds.
func (p *proxy) judged(variant string) int {
	status, err := p.controller().Status(p.t.Context(), "s")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, v := range status.Variants {
		if v.Name == variant {
			return int(v.Summary.Requests)
		}
	}
	return -1
}

func TestConversationsLetGo(t *testing.T) {
	for _, tt := range []struct {
		onFailback     string
		byHand, killed bool
		want           string
	}{
		{"move", false, false, "blue"},
		{"finish", false, false, "green"},
		{"finish", false, true, "blue"},
		{"move", true, false, "blue"},
		{"finish", true, false, "green"},
	} {
		t.Run(fmt.Sprintf("%s %t %t", tt.onFailback, tt.byHand, tt.killed), func(t *testing.T) {
			p := startProxy(t, talkSite("conversation header X-Thread {\non_failback "+tt.onFailback+"\n}"))
			p.hasSecret()
			c := p.newTalker()
			c.say(p.request("X-Thread", "a"))
			p.weighs(20_000)
			if tt.byHand {
				p.weighs(0)
			} else {
				p.failsBack()
			}
			if tt.killed {
				if _, err := p.controller().Kill(t.Context(), "s", rollout.KillRequest{Variant: "green"}, rollout.By{}); err != nil {
					t.Fatal(err)
				}
			}
			if got := c.say(p.request("X-Thread", "a")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// serve lets a request come, and end at once.
func serve(w *health.Window, o health.Outcome) {
	f := health.Flight{Start: time.Now()}
	f.Arrive(w, 0)
	f.Record(f.Start, o)
}

// failsBack makes green fail and waits until it is failed back, which takes the judge some seconds.
func (p *proxy) failsBack() {
	p.t.Helper()
	h := p.controller().Split("s")
	eventually(p.t, "the failback", func() bool {
		view := p.view()
		serve(view.Windows[0], health.Outcome{Class: health.Success, Answered: true})
		serve(view.Windows[1], health.Outcome{Class: health.Failure, Cause: health.CauseStatus})
		return h.State().Progress.Phase == splitter.PhaseFailedBack
	})
}

// view returns what an attachment of its own decides by.
func (p *proxy) view() *rollout.View {
	p.t.Helper()
	a, err := p.controller().Attach(p.controller().Split("s").Definition(), p)
	if err != nil {
		p.t.Fatal(err)
	}
	defer p.controller().Detach(a)
	return a.View()
}

// A client that keeps cookies is told where its conversation is; another one's cookie, or a spoiled one, counts nothing.
func TestPinCookies(t *testing.T) {
	p := startProxy(t, talkSite("conversation header X-Thread"))
	p.hasSecret()
	c := p.newTalker()
	c.jar = map[string]string{"any": "1"}
	c.say(p.request("X-Thread", "a"))
	pin := c.jar["switchback-pin_s"]
	if pin == "" || strings.Contains(pin, "green") || strings.Contains(pin, ".1.") {
		t.Fatalf("cookies: %q, want a pin that tells neither variant nor epoch", c.jar)
	}
	p.weighs(1000)
	// Nobody has seen these conversations here: only a cookie can tell.
	thief := &talker{proxy: p, user: p.otherTalker(c.user)}
	for name, tt := range map[string]struct {
		c      *talker
		thread string
		cookie string
		want   string
	}{
		"its own":        {c, "a", pin, "green"},
		"another's":      {thief, "a", pin, "blue"},
		"of another one": {c, "b", pin, "blue"},
		"spoiled":        {c, "c", pin[:len(pin)-1] + "x", "blue"},
		"moved":          {c, "d", "x" + pin, "blue"},
	} {
		tt.c.jar = nil
		if got := tt.c.say(p.request("X-Thread", tt.thread, "Cookie", "switchback-pin_s="+tt.cookie)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	asked := uint64(0)
	for result := range rollout.LookUpResults { // on a busy machine one may come late
		asked += p.lookUps(result)
	}
	if asked != 4 {
		t.Errorf("look-ups: got %d, want 4, none for a conversation whose cookie tells", asked)
	}
}

func (p *proxy) lookUps(result rollout.LookUp) uint64 {
	return p.controller().Split("s").Conversations.LookUps(result)
}

// A conversation without a pin costs no look-up while nothing moved.
func TestNoLookUpWithoutAMove(t *testing.T) {
	p := startProxy(t, talkSite("conversation header X-Thread"))
	p.hasSecret()
	c := p.newTalker()
	for i := range 20 {
		c.say(p.request("X-Thread", fmt.Sprint(i)))
	}
	for l := rollout.LookUpFound; l <= rollout.LookUpBusy; l++ {
		if got := p.lookUps(l); got != 0 {
			t.Errorf("look-ups that ended %v: got %d, want 0", l, got)
		}
	}
}

// An anonymous visitor's conversation goes along when its cookie comes back: its first request is placed by its address.
func TestAnonymousConversations(t *testing.T) {
	p := startProxyWith(t, "servers {\ntrusted_proxies_unix\n}", talkSite("conversation header X-Thread"))
	p.hasSecret()
	hasher, address := splitter.NewHasher(p.controller().Split("s").State().Salt), ""
	for i := 0; address == ""; i++ {
		if b := hasher.Bucket(fmt.Sprint("192.0.2.", i)); b > 10_000 && b < 50_000 {
			address = fmt.Sprint("192.0.2.", i)
		}
	}
	request := func(cookies ...*http.Cookie) *http.Request {
		r := p.request("X-Thread", "a", "X-Forwarded-For", address)
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		return r
	}
	answer, cookie := p.send(request())
	if !strings.HasPrefix(answer, "green") || cookie == nil {
		t.Fatalf("got %q and cookie %v, want green and a cookie", answer, cookie)
	}
	p.weighs(1) // which the random ID of the cookie has next to no chance to be among
	for _, r := range []*http.Request{request(cookie), request()} {
		if got, _ := p.send(r); !strings.HasPrefix(got, "green") {
			t.Errorf("with cookies %v: got %s, want green", r.Cookies(), got)
		}
	}
	other := request(cookie)
	other.Header.Set("X-Thread", "b")
	if got, _ := p.send(other); !strings.HasPrefix(got, "blue") {
		t.Errorf("a new conversation: got %s, want blue", got)
	}
}

// What is read ahead of a body reaches the variant as it was sent, however it was sent.
func TestReadAheadIsPassedOn(t *testing.T) {
	t.Run("HTTP/1", func(t *testing.T) { testReadAhead(t, startProxy(t, talkSite("conversation json id"))) })
	t.Run("HTTP/2", func(t *testing.T) {
		p := startProxyWith(t, "servers {\nprotocols h1 h2c\n}", talkSite("conversation json id"))
		two := new(http.Protocols)
		two.SetUnencryptedHTTP2(true)
		p.client.Transport = &http.Transport{Protocols: two, DialContext: p.client.Transport.(patient).DialContext}
		testReadAhead(t, p)
	})
}

func testReadAhead(t *testing.T, p *proxy) {
	p.hasSecret()
	c := p.newTalker()
	long := `{"id":"b","pad":"` + strings.Repeat("x", 200_000) + `"}`
	late := `{"pad":"` + strings.Repeat("x", 200_000) + `","id":"b"}`
	for name, body := range map[string]string{"short": `{"id":"b"}`, "long": long, "late": late, "no JSON": "{id", "empty": ""} {
		if c.say(p.post(body, "application/json")) == "" {
			t.Errorf("%s: nobody answered", name)
		}
		chunked := p.post(body, "application/json")
		chunked.ContentLength = -1
		if c.say(chunked) == "" {
			t.Errorf("%s, chunked: nobody answered", name)
		}
		expected := p.post(body, "application/json")
		expected.Header.Set("Expect", "100-continue")
		if c.say(expected) == "" {
			t.Errorf("%s, expecting 100: nobody answered", name)
		}
	}
}

// A client that sends slowly waits for nobody but itself: its request goes on as soon as it is known whose it is.
func TestReadAheadOfATrickle(t *testing.T) {
	p := startProxy(t, talkSite("conversation json id"))
	p.hasSecret()
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", p.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	body := `{"id":"b","more":"and more"}`
	head := "POST / HTTP/1.1\r\nHost: a\r\nX-User: u\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, piece := range append([]string{head}, strings.Split(body, "")...) {
		if piece != head {
			piece = "1\r\n" + piece + "\r\n"
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), body) {
		t.Errorf("got %q, %v, want the body back", answer[:n], err)
	}
}

// What a cookie says is read as it was written, and of another conversation it says nothing.
func FuzzPinCookie(f *testing.F) {
	h := &Handler{Variants: []*Variant{{Name: "blue"}, {Name: "green"}}}
	key := []byte("key")
	id := conversationID(key, "s", "alice", "a")
	for _, in := range []string{"", "..", "green.1.1700000000", "a.b.c", "a.b.-5"} {
		f.Add(in, int64(1_700_000_000), uint64(7))
	}
	f.Fuzz(func(t *testing.T, in string, seconds int64, epoch uint64) {
		if c, ok := h.openPinCookie(key, id, in, epoch); ok && c.seal(key, id) != in && c.Epoch != 0 {
			t.Errorf("%q: got %+v", in, c)
		}
		want := pinCookie{splitter.Pin{Variant: "green", Epoch: epoch}, time.Unix(seconds, 0)}
		text := want.seal(key, id)
		if got, ok := h.openPinCookie(key, id, text, epoch); !ok || got != want || strings.ContainsAny(text, ";, \"") {
			t.Errorf("%q: got %+v, %t, want %+v", text, got, ok, want)
		}
		if got, ok := h.openPinCookie(key, id, text, epoch+1); !ok || got.Variant != "green" || got.Epoch != 0 && epoch != 0 {
			t.Errorf("%q in a later epoch: got %+v, %t, want an earlier pin to green", text, got, ok)
		}
		if got, ok := h.openPinCookie(key, conversationID(key, "s", "alice", "b"), text, epoch); ok {
			t.Errorf("%q for another conversation: got %+v, want nothing", text, got)
		}
	})
}
