//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// say sends a user's turn of a conversation, by JSON as agents' clients do, and returns who answered; "" if nobody did.
func (p *proxy) say(user, conversation string) string {
	p.t.Helper()
	body := fmt.Sprintf(`{"messages":[{"role":"user","content":"hi"}],"threadId":%q}`, conversation)
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://example.test/", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User-ID", user)
	got := send(p.http, r)
	if got.status != http.StatusOK {
		return ""
	}
	return got.header.Get("X-Agent")
}

// talkers begin a conversation each on green, and are then moved to blue.
func talkers(t *testing.T, redis *storetest.Redis, one, two *proxy) []string {
	t.Helper()
	one.await("the fleet's secret is known", func() bool { return one.says("green") && two.says("green") })
	var on []string
	for i := range 60 {
		user := fmt.Sprint("talker-", i)
		if one.say(user, "first") == "green" {
			on = append(on, user)
		}
	}
	one.await("the conversations are pinned", func() bool { return one.talksOn("green") >= len(on) })
	one.await("all can find them", func() bool { return len(redis.Do("KEYS", "switchback:{e2e/assistant}:pin:*").([]any)) >= len(on) })
	two.mustSplit(0, "weight", "assistant", "green=10%")
	moved := slices.DeleteFunc(on, func(user string) bool { return two.mustGet(user, "/") == "green" })
	if len(moved) < 3 {
		t.Fatalf("only %d of %d users moved", len(moved), len(on))
	}
	return moved
}

// says reports whether conversations on a variant are noted by now.
func (p *proxy) says(variant string) bool {
	p.say(p.userOf(variant), "trying")
	return p.talksOn(variant) > 0
}

func (p *proxy) talksOn(variant string) int {
	for _, v := range p.status("assistant").Variants {
		if v.Name == variant {
			return v.Conversations
		}
	}
	return 0
}

func talkSettings(t *testing.T, redis *storetest.Redis) settings {
	return settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), redis: redis.Addr(),
		split: "conversation auto {\nhold 30m\n}\n"}
}

// TestConversationsStay has conversations that begin on green, which shrinks and is failed back.
func TestConversationsStay(t *testing.T) {
	t.Parallel()
	redis := storetest.StartRedis(t)
	s := talkSettings(t, redis)
	s.instance = "one"
	one := startProxy(t, s.caddyfile())
	s.instance = "two"
	two := startProxy(t, s.caddyfile())
	users := talkers(t, redis, one, two)
	for _, user := range users {
		// A turn for which the store tells too late goes by the bucket: on a loaded machine, this one may.
		two.await("the store tells of "+user, func() bool { return two.say(user, "first") == "green" })
		for _, p := range []*proxy{one, two, one, two} {
			if got := p.say(user, "first"); got != "green" {
				t.Errorf("%s's conversation went on with %s, want green", user, got)
			}
		}
		for _, p := range []*proxy{two, one} {
			if got := p.say(user, "second"); got != "blue" {
				t.Errorf("%s's new conversation went to %s, want blue", user, got)
			}
		}
	}
	if got := two.mustSplit(0, "status", "assistant").out; !strings.Contains(got, "CONVERSATIONS") {
		t.Errorf("the status tells of no conversations:\n%s", got)
	}
	a := two.mustSplit(5, "drained", "assistant", "green")
	if !strings.Contains(a.out, "it has 10% of the users") || !strings.Contains(a.out, "may be held on it until") {
		t.Errorf("while green is in use: %s", a)
	}

	failBack(t, one, s.green)
	two.awaitShare("assistant", "green", "0%")
	for _, user := range users {
		for _, p := range []*proxy{one, two} {
			if got := p.say(user, "first"); got != "blue" {
				t.Errorf("after the failback %s's conversation went on with %s, want blue", user, got)
			}
		}
	}
	for _, p := range []*proxy{one, two} {
		p.mustSplit(0, "drained", "assistant", "green", "--wait", "10s")
	}
}

// TestDrained deletes nothing that a stream still needs, and says so when a member falls silent.
func TestDrained(t *testing.T) {
	t.Parallel()
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), redis: storetest.StartRedis(t).Addr()}
	s.instance = "one"
	one := startProxy(t, s.caddyfile())
	s.instance = "two"
	two := startProxy(t, s.caddyfile())
	session := openSession(t, one, one.userOf("green"))
	two.mustSplit(0, "weight", "assistant", "green=0%")
	a := two.mustSplit(5, "drained", "assistant", "green", "--wait", "3s")
	if !strings.Contains(a.out, "3 requests are in progress on it") {
		t.Errorf("with streams on the other proxy: %s", a)
	}
	session.mustGoOn()
	one.kill()
	two.await("the other is known to be silent", func() bool {
		return strings.Contains(two.split("drained", "assistant", "green").out, "unseen for")
	})
	two.mustSplit(6, "drained", "assistant", "green")
	two.mustSplit(0, "forget", "--instance", "one")
	if a = two.mustSplit(0, "drained", "assistant", "green", "--json"); !strings.Contains(a.out, `"result": "drained"`) {
		t.Errorf("without it: %s", a)
	}
}

// TestConversationsWithoutTheStore goes on by buckets when Redis is gone, and nobody waits for it.
func TestConversationsWithoutTheStore(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*storetest.Redis){"killed": (*storetest.Redis).Kill, "frozen": (*storetest.Redis).Pause} {
		t.Run(name, func(t *testing.T) {
			redis := storetest.StartRedis(t)
			s := talkSettings(t, redis)
			s.instance = "one"
			one := startProxy(t, s.caddyfile())
			s.instance = "two"
			two := startProxy(t, s.caddyfile())
			users := talkers(t, redis, one, two)
			end(redis)
			var took []time.Duration
			for i := range 200 {
				begin := time.Now()
				user := users[i%len(users)]
				if got := two.say(user, "first"); got != "blue" {
					t.Errorf("%s's conversation, which only the store could tell of, went to %s, want blue", user, got)
				}
				took = append(took, time.Since(begin))
				if got := one.say(user, "first"); got != "green" {
					t.Errorf("%s's conversation, which this proxy knows, went to %s, want green", user, got)
				}
			}
			slices.Sort(took)
			t.Logf("request without the store: median %v, slowest %v", took[len(took)/2], took[len(took)-1])
			if median, slowest := took[len(took)/2], took[len(took)-1]; median > 20*time.Millisecond || slowest > 500*time.Millisecond {
				t.Errorf("a request took %v, the slowest %v: want some milliseconds", median, slowest)
			}
			if name == "frozen" {
				redis.Resume()
			}
		})
	}
}
