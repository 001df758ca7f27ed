package caddymodule

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// setWeight is what an operator does.
func (p *proxy) setWeight(split, variant string, w splitter.Weight) {
	p.t.Helper()
	change := rollout.WeightChange{Weights: map[string]splitter.Weight{variant: w}}
	if _, err := p.controller().SetWeights(context.Background(), split, change, rollout.By{Actor: "test"}); err != nil {
		p.t.Fatalf("weight: %v", err)
	}
}

// A reload keeps the State, the evidence, the counters and the requests in progress; a kill reaches those of the
// generation before.
func TestReload(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(byPath))
	defer upstream.Close()
	site := "traffic_split s {\nkey header X-User\nstable blue\ncanary green\nvariant blue 90% UP\nvariant green 10% UP\n}"
	site = strings.ReplaceAll(site, "UP", strings.TrimPrefix(upstream.URL, "http://"))
	p := startProxy(t, site)
	p.setWeight("s", "green", splitter.Full/2)
	stream, err := p.client.Get("http://agent.test/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if resp, err := p.client.Get("http://agent.test/ok"); err != nil {
		t.Fatal(err)
	} else if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one request is counted", func() bool { c := p.counts("s"); return c.Of(health.Success) == 1 })
	before := p.controller()

	if err := p.load(strings.Replace(site, "canary green", "canary green\nresponse_header X-Variant", 1)); err != nil {
		t.Fatalf("reload: %v", err)
	}
	if p.controller() != before {
		t.Fatal("the reload made a new controller")
	}
	if got := p.controller().Split("s").State().Weights()["green"]; got != splitter.Full/2 {
		t.Errorf("green has %v after the reload, want 50%%", got)
	}
	if c := p.counts("s"); c.Of(health.Success) != 1 {
		t.Errorf("counters after the reload: %v", show(c))
	}
	if n := p.controller().Split("s").Flights.Len(); n != 1 {
		t.Fatalf("%d requests in progress after the reload, want 1", n)
	}
	p.kill("s", "", splitter.KillCut)
	if _, err := io.ReadAll(stream.Body); err == nil {
		t.Error("the stream of the old generation was not cut")
	}
}

// A configuration that cannot be loaded changes nothing and leaks nothing.
func TestFailedReload(t *testing.T) {
	site := "traffic_split s {" + variantSites + "}"
	p := startProxy(t, site)
	key := onlyFleet(t)
	for _, broken := range []string{
		"traffic_split s {" + variantSites + "}\ntraffic_split s {\nstable blue\nvariant blue 100% 127.0.0.1:1\n}",
		"route {\ntraffic_split s {" + variantSites + "}\ntls_no_such_thing\n}",
		strings.ReplaceAll(site, "blue", "azure"),
	} {
		if err := p.load(broken); err == nil {
			t.Fatalf("loaded: %s", broken)
		} else if strings.Contains(broken, "azure") && !strings.Contains(err.Error(), `split rename s blue=NEW`) {
			t.Errorf("the error does not name the way out: %v", err)
		}
	}
	if refs, _ := fleets.References(key); refs != 1 {
		t.Errorf("%d references to the fleet after failed reloads, want 1", refs)
	}
	if got, _ := p.send(p.request()); got != "blue" && got != "green" {
		t.Errorf("the old configuration answers %q", got)
	}
}

// onlyFleet returns the key of the one fleet there is.
func onlyFleet(t *testing.T) string {
	t.Helper()
	var keys []string
	fleets.Range(func(key, _ any) bool { keys = append(keys, key.(string)); return true })
	if len(keys) != 1 {
		t.Fatalf("%d fleets, want 1", len(keys))
	}
	return keys[0]
}

// A kill survives the end of the process: the first request after the start is refused.
func TestKillSurvivesRestart(t *testing.T) {
	site := "traffic_split s {" + variantSites + "}"
	p := startProxy(t, site)
	p.kill("s", "", splitter.KillRequests)
	p.client.CloseIdleConnections()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(poolKeys()); n != 0 {
		t.Fatalf("%d fleets live on after the end", n)
	}
	if err := p.load(site); err != nil {
		t.Fatal(err)
	}
	if got, _ := p.send(p.request()); got != defaultKillBody {
		t.Errorf("the first request after the restart got %q", got)
	}
}

func poolKeys() (keys []any) {
	fleets.Range(func(key, _ any) bool { keys = append(keys, key); return true })
	return keys
}

// gRPC clients get a status that they understand.
func TestKillGRPC(t *testing.T) {
	p := startProxy(t, "traffic_split s {"+variantSites+"\nkill_response 503 {\nbody \"sorry, 100 % off\"\n}\n}")
	p.kill("s", "", splitter.KillRequests)
	defer func() {
		if got := p.controller().Split("s").Refused(); got != 1 {
			t.Errorf("%d requests were counted as refused, want 1", got)
		}
	}()
	resp, err := p.client.Do(p.request("Content-Type", "application/grpc+proto"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := []string{resp.Status, resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message"), resp.Header.Get("Content-Type")}
	want := []string{"200 OK", "14", "sorry, 100 %25 off", "application/grpc+proto"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMetrics(t *testing.T) {
	p := startProxyWith(t, "metrics", "route {\nmetrics /metrics\ntraffic_split s {"+variantSites+"}\n}")
	p.send(p.request())
	scrape := func() string {
		r := p.request()
		r.URL.Path = "/metrics"
		body, _ := p.send(r)
		return body
	}
	for round := range 2 {
		text := scrape()
		for _, want := range []string{
			`caddy_traffic_split_weight_ratio{split="s",variant="green"} 0.5`,
			`caddy_traffic_split_state_revision{split="s"} 1`,
			`caddy_traffic_split_killed{split="s",variant="blue"} 0`,
			`caddy_traffic_split_ready{split="s"} 1`,
			`caddy_traffic_split_requests_total{cause="none",class="success",split="s",variant=`,
			`caddy_traffic_split_duration_seconds_count{split="s",variant=`,
			`caddy_traffic_split_store_age_seconds `,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("round %d: the metrics lack %s", round, want)
			}
		}
		if round == 0 {
			if err := p.load("route {\nmetrics /metrics\ntraffic_split s {" + variantSites + "}\nheader X-New 1\n}"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
