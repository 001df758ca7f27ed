package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// namingSite has agents that give a conversation its ID in the header of their answers.
func namingSite(options string) string {
	return strings.ReplaceAll(talkSite("conversation auto\n"+options), "handle {", "handle {\nheader Mcp-Session-Id named")
}

// A conversation to which the agent gives its ID is held from the answer on that names it; a body is not looked into.
func TestAgentsNameConversations(t *testing.T) {
	for _, options := range []string{"", "rescue off", "rescue {\nwhen before_payload\n}"} {
		p := startProxy(t, namingSite(options))
		p.hasSecret()
		c := p.newTalker()
		if got := c.say(p.post(`{"method":"initialize"}`, "application/json")); got != "green" {
			t.Fatalf("%q: the first turn went to %s, want green", options, got)
		}
		p.weighs(1000)
		say := func(who *talker, id string) string { return who.say(p.request("Mcp-Session-Id", id)) }
		thief := &talker{proxy: p, user: p.otherTalker(c.user)}
		got := []string{say(c, "named"), say(c, "another"), say(thief, "named")}
		if diff := cmp.Diff([]string{"green", "blue", "blue"}, got); diff != "" {
			t.Errorf("%q: its session, another one, and another user's (-want +got):\n%s", options, diff)
		}
	}
}

// What stable answered in the canary's place is no reason to stay with the canary.
func TestRescuedTurnsAreNotRemembered(t *testing.T) {
	for _, when := range []string{"before_payload", "unreached"} {
		p := startPair(t, "conversation auto\nrescue {\nwhen "+when+"\n}")
		p.hasSecret()
		p.canary.Config.SetKeepAlivesEnabled(false) // a connection that is still open reaches it, and then breaks
		turn := func(thread, want string) {
			t.Helper()
			resp, body := p.post(t, strings.NewReader(fmt.Sprintf(`{"threadId":%q}`, thread)))
			if got := resp.Header.Get("X-Variant"); got != want {
				t.Fatalf("%s: %s answered %q, want %s", when, got, body, want)
			}
		}
		p.canary.will(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Mcp-Session-Id", "s")
			_, _ = io.WriteString(w, `{"ok":true}`)
		})
		turn("served", "green")
		if when == "unreached" {
			p.canary.Close()
		} else {
			p.canary.will(says(http.StatusServiceUnavailable, "", "no"))
		}
		turn("rescued", "blue")
		var got map[string]int
		eventually(t, "conversations are counted", func() bool {
			got = p.controller().Split("s").Conversations.Counts()
			return len(got) > 0
		})
		if diff := cmp.Diff(map[string]int{"green": 1}, got); diff != "" {
			t.Errorf("%s: conversations (-want +got):\n%s", when, diff)
		}
	}
}

// One user who makes up conversations takes up a few places, and nobody else's.
func TestOneUserFillsFewPlaces(t *testing.T) {
	var known rollout.Conversations
	now, pin := time.Now(), splitter.Pin{Variant: "blue", Epoch: 1}
	note := func(user, name string) {
		known.Note(conversationID([]byte("key"), "s", user, name), pin, time.Minute, false, now)
	}
	const made, others = 20_000, 2_000
	for i := range made {
		note("mallory", fmt.Sprint(i))
	}
	if kept := made - known.Dropped(); kept > 64 || kept < 32 {
		t.Errorf("%d of one user's conversations are known, want 64 at most, and about as many", kept)
	}
	before := known.Dropped()
	for i := range others {
		note(fmt.Sprint("user-", i), "chat")
	}
	if lost := known.Dropped() - before; lost > others/100 {
		t.Errorf("%d of %d others' conversations were not noted", lost, others)
	}
}
