package control_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// clients returns a client for each way to reach a fleet's API.
func clients(t *testing.T, h http.Handler) map[string]*control.Client {
	t.Helper()
	overTCP := httptest.NewServer(h)
	t.Cleanup(overTCP.Close)

	path := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	overUnix := httptest.NewUnstartedServer(h)
	if err := overUnix.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	overUnix.Listener = listener
	overUnix.Start()
	t.Cleanup(overUnix.Close)

	return map[string]*control.Client{
		"url":  control.NewClient(overTCP.URL+"/", overTCP.Client()),
		"tcp":  control.NewDialer("tcp", overTCP.Listener.Addr().String()),
		"unix": control.NewDialer("unix", path),
	}
}

func TestClientRoundTrip(t *testing.T) {
	f := newFleet()
	for name, c := range clients(t, handlerOf(f)) {
		t.Run(name, func(t *testing.T) {
			f.asked = nil
			readEverything(t, c)
			changeEverything(t, c)
			want := []any{
				rollout.WeightChange{Weights: map[string]splitter.Weight{"green": 10_000}},
				rollout.KillRequest{Variant: "green", Level: splitter.KillDrain, Deadline: time.Minute, Rate: 200},
				rollout.ReviveRequest{IDs: []string{"k1"}},
				[2]string{"blue", "blue2"},
				rollout.AdoptRequest{Stable: "green"},
				"policy",
				"forget",
			}
			var got []any
			for i, asked := range f.asked {
				if i%2 == 0 {
					got = append(got, asked)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the fleet was asked otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func readEverything(t *testing.T, c *control.Client) {
	t.Helper()
	ctx := t.Context()
	list, err := c.List(ctx)
	if err != nil || len(list.Splits) != 1 || list.Store.Kind != "redis" {
		t.Errorf("List = %+v, %v", list, err)
	}
	status, err := c.Status(ctx, "assistant")
	if want := (splitter.Version{Revision: 12, ID: "c0ffee"}); err != nil || status.Version != want || len(status.Variants) != 2 {
		t.Errorf("Status = %+v, %v", status, err)
	}
	if got, want := status.Variants[1].Weight, splitter.Weight(10_000); got != want {
		t.Errorf("green's weight = %v, want %v", got, want)
	}
	events, err := c.Events(ctx, "assistant", 5)
	if err != nil || len(events.Events) != 1 || events.Events[0].Actor != "alice" {
		t.Errorf("Events = %+v, %v", events, err)
	}
	instances, err := c.Instances(ctx)
	if err != nil || len(instances.Instances) != 2 || instances.Instances[1].Name != "proxy-2" {
		t.Errorf("Instances = %+v, %v", instances, err)
	}
	ready, err := c.Ready(ctx)
	if err != nil || !ready.Ready {
		t.Errorf("Ready = %+v, %v", ready, err)
	}
}

func changeEverything(t *testing.T, c *control.Client) {
	t.Helper()
	ctx := t.Context()
	by := control.Claim{Actor: "alice", Reason: "because"}
	calls := map[string]func() (control.Change, error){
		"1": func() (control.Change, error) {
			r := control.WeightsRequest{Weights: map[string]splitter.Weight{"green": 10_000}, Claim: by}
			return c.SetWeights(ctx, "assistant", r, control.Wait(time.Second), control.If(splitter.Version{Revision: 12, ID: "c0ffee"}))
		},
		"2": func() (control.Change, error) {
			deadline := health.Duration(time.Minute)
			r := control.KillRequest{Variant: "green", Level: splitter.KillDrain, Deadline: &deadline, Rate: 200, Claim: by}
			return c.Kill(ctx, "assistant", r)
		},
		"3": func() (control.Change, error) {
			return c.Revive(ctx, "assistant", control.ReviveRequest{IDs: []string{"k1"}, Claim: by})
		},
		"4": func() (control.Change, error) {
			return c.Rename(ctx, "assistant", control.RenameRequest{From: "blue", To: "blue2", Claim: by})
		},
		"5": func() (control.Change, error) {
			return c.Adopt(ctx, "assistant", control.AdoptRequest{Stable: "green", Claim: by})
		},
		"6": func() (control.Change, error) {
			return c.ApplyPolicy(ctx, "assistant", control.PolicyRequest{Claim: by})
		},
		"7": func() (control.Change, error) {
			return c.Forget(ctx, "assistant", control.ForgetRequest{Claim: by})
		},
	}
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		change, err := calls[n]()
		if err != nil || change.Revision != 13 || change.Event.Actor != "alice" || change.Event.Reason != "because" {
			t.Errorf("change %s = %+v, %v", n, change, err)
		}
		if confirmed := change.Confirmation != nil && change.Confirmation.Complete(); confirmed != (n == "1") {
			t.Errorf("change %s: confirmed = %v", n, confirmed)
		}
	}
}

func TestClientReturnsProblems(t *testing.T) {
	f := newFleet()
	f.err = fmt.Errorf("%w until 12:15", rollout.ErrCooldown)
	c := clients(t, handlerOf(f))["url"]
	_, err := c.ApplyPolicy(t.Context(), "assistant", control.PolicyRequest{})
	if !errors.Is(err, rollout.ErrCooldown) || errors.Is(err, rollout.ErrRefused) {
		t.Errorf("error = %v, want one that is ErrCooldown", err)
	}
	if got, want := err.Error(), "in cooldown until 12:15"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestClientTellsNotReadyFromRefused(t *testing.T) {
	f := newFleet()
	f.notReady = true
	ready, err := clients(t, handlerOf(f))["unix"].Ready(t.Context())
	want := control.Readiness{NotReady: []string{"assistant"}}
	if diff := cmp.Diff(want, ready); diff != "" || err != nil {
		t.Errorf("Ready: %v, %v", diff, err)
	}
}

func TestClientAgainstOthers(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		body    string
		foreign bool
		want    string
	}{
		{"caddy's error", 403, `{"error":"client is not allowed to access from origin"}`, false, "client is not allowed to access from origin"},
		{"a mux", 404, "404 page not found\n", true, "404 page not found"},
		{"silence", 502, "", true, "bad gateway (HTTP 502)"},
		{"a web page", 200, "<html>", true, "the answer is not Switchback's: invalid character '<' looking for beginning of value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				if _, err := w.Write([]byte(tt.body)); err != nil {
					t.Error(err)
				}
			})
			var tapped string
			c := clients(t, h)["tcp"].WithTap(func(b []byte) { tapped = string(b) })
			_, err := c.List(t.Context())
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if p, ok := errors.AsType[*control.Problem](err); !errors.Is(err, control.ErrForeign) && (!ok || p.Foreign() != tt.foreign) {
				t.Errorf("error = %#v, want foreign = %v", err, tt.foreign)
			}
			if tapped != tt.body {
				t.Errorf("tapped %q, want %q", tapped, tt.body)
			}
		})
	}
}

func TestClientCannotReach(t *testing.T) {
	c := control.NewDialer("unix", filepath.Join(t.TempDir(), "nobody.sock"))
	if _, err := c.List(t.Context()); !errors.Is(err, control.ErrUnreachable) {
		t.Errorf("error = %v, want ErrUnreachable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}

func TestClientTellsUnansweredFromUnreachable(t *testing.T) {
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for name, c := range clients(t, hangUp) {
		_, err := c.Kill(t.Context(), "assistant", control.KillRequest{})
		if !errors.Is(err, control.ErrUnanswered) || !errors.Is(err, control.ErrUnreachable) {
			t.Errorf("over %s: error of a kill = %v, want ErrUnanswered and ErrUnreachable", name, err)
		}
		if _, err := c.ForgetInstance(t.Context(), "proxy-2"); !errors.Is(err, control.ErrUnanswered) {
			t.Errorf("over %s: error of forgetting = %v, want ErrUnanswered", name, err)
		}
		if _, err := c.List(t.Context()); !errors.Is(err, control.ErrUnreachable) || errors.Is(err, control.ErrUnanswered) {
			t.Errorf("over %s: error of a list = %v, want ErrUnreachable alone", name, err)
		}
	}
	c := control.NewDialer("unix", filepath.Join(t.TempDir(), "nobody.sock"))
	if _, err := c.Kill(t.Context(), "assistant", control.KillRequest{}); errors.Is(err, control.ErrUnanswered) {
		t.Errorf("error = %v, though nobody was called", err)
	}
}

func TestClientSendsOriginOverTCPAlone(t *testing.T) {
	var origin []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin = r.Header.Values("Origin")
		handlerOf(newFleet()).ServeHTTP(w, r)
	})
	for name, c := range clients(t, h) {
		if _, err := c.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sent := len(origin) == 1 && strings.HasPrefix(origin[0], "http://127.0.0.1:"); sent != (name == "tcp") {
			t.Errorf("over %s: Origin = %q", name, origin)
		}
	}
}
