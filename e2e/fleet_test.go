//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// fleet is two proxies, one and two, on one Redis.
type fleet struct {
	redis       *storetest.Redis
	one, two    *proxy
	blue, green *agent
}

func startFleet(t *testing.T, s settings) *fleet {
	t.Helper()
	f := &fleet{redis: storetest.StartRedis(t), blue: startAgent(t, "blue"), green: startAgent(t, "green")}
	s.blue, s.green, s.redis = f.blue, f.green, f.redis.Addr()
	s.instance = "one"
	f.one = startProxy(t, s.caddyfile())
	s.instance = "two"
	f.two = startProxy(t, s.caddyfile())
	return f
}

func TestFleetSharesWeights(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	before := f.one.placements(200)
	for user, variant := range before {
		if got := f.two.mustGet(user, "/"); got != variant {
			t.Fatalf("%s gets %s at one proxy and %s at the other", user, variant, got)
		}
	}
	a := f.one.mustSplit(0, "weight", "assistant", "green=80%", "--reason", "e2e")
	if !strings.Contains(a.out, "2 of 2 instances") {
		t.Errorf("want both instances to confirm: %s", a)
	}
	if got := f.two.share("assistant", "green").String(); got != "80%" {
		t.Errorf("the other proxy says %s right after it was confirmed, want 80%%", got)
	}
	for user, variant := range f.two.placements(200) {
		if before[user] == "green" && variant != "green" {
			t.Errorf("%s was moved back by an increase", user)
		}
	}
	a = f.two.mustSplit(0, "events", "assistant")
	if !strings.Contains(a.out, "e2e") || !strings.Contains(a.out, "tester@") {
		t.Errorf("want the reason and the actor: %s", a)
	}
	f.two.stop()
	a = f.one.mustSplit(0, "weight", "assistant", "green=90%")
	if !strings.Contains(a.out, "1 of 1 instance") {
		t.Errorf("want nobody to wait for who said goodbye: %s", a)
	}
}

// TestFleetJudgesTheSum has each proxy see too little to judge by itself.
func TestFleetJudgesTheSum(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{failback: "max_error_rate 5%\nmin_requests 30"})
	green, blue := f.one.crowdOf("green"), f.one.crowdOf("blue")
	f.green.fail.Store(true)
	pace := time.NewTicker(150 * time.Millisecond)
	defer pace.Stop()
	for range 25 {
		<-pace.C
		for _, p := range []*proxy{f.one, f.two} {
			p.get(green.next(), "/")
			p.get(blue.next(), "/")
		}
	}
	for _, p := range []*proxy{f.one, f.two} {
		p.awaitShare("assistant", "green", "0%")
	}
	s := f.one.status("assistant")
	if got := s.Progress.Phase.String(); got != "failed_back" {
		t.Errorf("phase %s, want failed_back", got)
	}
	if got := f.two.mustGet(green.next(), "/"); got != "blue" {
		t.Errorf("green's user gets %s, want blue", got)
	}
	a := f.two.mustSplit(0, "events", "assistant")
	if !strings.Contains(a.out, "failback") {
		t.Errorf("want the failback: %s", a)
	}
}

func TestFleetNamesWhoIsMissing(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	f.two.kill()
	a := f.one.mustSplit(3, "weight", "assistant", "green=60%", "--wait", "500ms")
	if !strings.Contains(a.out, "1 of 2 instances") || !strings.Contains(a.err, "two") {
		t.Errorf("want the missing one named: %s", a)
	}
	f.two.start()
	f.two.awaitReady()
	f.two.awaitShare("assistant", "green", "60%")
	share := 60
	f.one.await("its namesake has replaced it", func() bool {
		share++
		a := f.one.split("weight", "assistant", fmt.Sprintf("green=%d%%", share), "--wait", "500ms")
		return a.code == 0 && strings.Contains(a.out, "2 of 2 instances")
	})
}

func TestFleetFlagsNamesakes(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	s := settings{blue: f.blue, green: f.green, redis: f.redis.Addr(), instance: "one"}
	startProxy(t, s.caddyfile())
	a := f.two.mustSplit(0, "instances")
	if strings.Count(a.out, "TWIN: another that lives has this name") != 2 {
		t.Errorf("want the two flagged: %s", a)
	}
	a = f.two.mustSplit(0, "weight", "assistant", "green=10%")
	if !strings.Contains(a.out, "3 of 3 instances") {
		t.Errorf("want all three to confirm: %s", a)
	}
}

// TestFleetTakesManyChangesAtOnce has two people change shares on two proxies: each change is made or refused, and in
// the end all agree.
func TestFleetTakesManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	f := startFleet(t, settings{})
	traffic := startLoad(t, f.one, f.two)
	before := f.one.status("assistant").Revision
	var people sync.WaitGroup
	const each = 10
	for i, p := range []*proxy{f.one, f.two} {
		people.Go(func() {
			for n := range each {
				_, err := p.client.SetWeights(t.Context(), "assistant", control.WeightsRequest{
					Weights: map[string]splitter.Weight{"green": splitter.Weight(1000 * (1 + n*2 + i))},
				}, control.Wait(patience))
				if err != nil {
					t.Errorf("a change: %v", err)
				}
			}
		})
	}
	people.Wait()
	traffic.mustServe()
	one, two := f.one.status("assistant"), f.two.status("assistant")
	if one.Version != two.Version || one.Revision != before+2*each {
		t.Errorf("revisions %d and %d, want %d at both", one.Revision, two.Revision, before+2*each)
	}
	events, err := f.one.client.Events(t.Context(), "assistant", 100)
	if err != nil || len(events.Events) != int(before)+2*each {
		t.Errorf("%d events, %v; want one for each change", len(events.Events), err)
	}
}
