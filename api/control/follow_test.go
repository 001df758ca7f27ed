package control_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// following is one who follows the log of assistant in a bubble, without a network.
type following struct {
	answer *httptest.ResponseRecorder
	leave  context.CancelFunc
	ended  atomic.Bool
	failed error
}

func follow(t *testing.T, f control.Fleet, query string, done <-chan struct{}) *following {
	ctx, cancel := context.WithCancel(t.Context())
	g := &following{answer: httptest.NewRecorder(), leave: cancel}
	h := control.NewHandler(control.Options{Fleet: f, Done: done, Failed: func(_ *http.Request, err error) { g.failed = err }})
	go func() {
		h.ServeHTTP(g.answer, httptest.NewRequestWithContext(ctx, "GET", "/splits/v1/assistant/events?"+query, nil))
		g.ended.Store(true)
	}()
	synctest.Wait()
	return g
}

// told returns the kinds that were told, and - for each empty line.
func (g *following) told() string {
	var kinds []string
	for line := range strings.Lines(g.answer.Body.String()) {
		_, rest, _ := strings.Cut(line, `"kind":"`)
		kind, _, _ := strings.Cut(rest, `"`)
		kinds = append(kinds, map[bool]string{true: "-", false: kind}[line == "\n"])
	}
	return strings.Join(kinds, " ")
}

func TestFollowTellsWhatIsNew(t *testing.T) {
	for query, want := range map[string]string{
		"follow=1":                  "step - promoted",
		"follow=true&after=":        "created started step - promoted",
		"follow=1&after=1&limit=1":  "started step - promoted",
		"follow=1&after=2&limit=50": "step - promoted",
	} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.happen("created", "started")
				g := follow(t, f, query, nil)
				f.happen("step")
				time.Sleep(20 * time.Second)
				f.happen("promoted")
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := g.told(); got != want {
					t.Errorf("told %q, want %q", got, want)
				}
				g.leave()
				synctest.Wait()
				if !g.ended.Load() || g.failed != nil {
					t.Errorf("after the caller left: ended %v, failed %v", g.ended.Load(), g.failed)
				}
			})
		})
	}
}

func TestFollowAsksOnlyWhileSomebodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &countedFleet{fleet: newFleet()}
		g := follow(t, f, "follow=1", nil)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		g.leave()
		time.Sleep(time.Minute)
		if got := f.asked.Load(); got != 11 {
			t.Errorf("the log was read %d times in 10.5 s, want 11", got)
		}
	})
}

// countedFleet counts how often its log is read.
type countedFleet struct {
	*fleet
	asked atomic.Int64
}

func (c *countedFleet) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]store.Event, error) {
	c.asked.Add(1)
	return c.fleet.EventsAfter(ctx, split, cursor, limit)
}

func TestFollowWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		g := follow(t, f, "follow=1&after=", nil)
		f.fail(rollout.ErrUnavailable)
		time.Sleep(31 * time.Second)
		f.fail(nil)
		f.happen("store_back")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, want := g.told(), "- - store_back"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		f.fail(fmt.Errorf("%w: gone with a reload", rollout.ErrUnknownSplit))
		time.Sleep(2 * time.Second)
		if !g.ended.Load() {
			t.Error("the answer goes on, though the split is gone")
		}
		g.leave()
	})
}

func TestFollowEndsWithItsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		g := follow(t, newFleet(), "follow=1", done)
		close(done)
		synctest.Wait()
		if !g.ended.Load() {
			t.Error("the answer goes on, though the server is about to go")
		}
		g.leave()
	})
}

func TestHeadDoesNotFollow(t *testing.T) {
	w := httptest.NewRecorder()
	handlerOf(newFleet()).ServeHTTP(w, httptest.NewRequest("HEAD", "/splits/v1/assistant/events?follow=1", nil))
	if w.Code != http.StatusOK {
		t.Errorf("status = %d, want 200", w.Code)
	}
}

// The server's limits, as Caddy's admin endpoint has them, are for answers that end soon.
func TestFollowOutlivesTheServersLimits(t *testing.T) {
	f := newFleet()
	f.happen("created")
	server := httptest.NewUnstartedServer(handlerOf(f))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	errEnough := errors.New("enough")
	err := control.NewClient(server.URL, server.Client()).FollowEvents(ctx, "assistant", "", func(e control.Event) error {
		if e.Kind == "step" {
			return errEnough
		}
		f.happen("step") // is told a second later
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("it ended with %v", err)
	}
}

func TestClientReadsTheLog(t *testing.T) {
	f := newFleet()
	f.happen("created", "started", "step")
	for name, c := range clients(t, handlerOf(f)) {
		var tapped string
		events, err := c.WithTap(func(b []byte) { tapped = string(b) }).EventsAfter(t.Context(), "assistant", "1", 10)
		if err != nil || len(events) != 2 || events[0].Kind != "started" || events[1].Cursor != "3" || strings.Count(tapped, "\n") != 2 {
			t.Errorf("over %s: EventsAfter = %+v, %v; tapped %q", name, events, err, tapped)
		}
		if _, err := c.EventsAfter(t.Context(), "assistant", "x", 10); err == nil || !strings.Contains(err.Error(), `not a cursor: "x"`) {
			t.Errorf("over %s: error = %v, want that it is no cursor", name, err)
		}
		errEnough := errors.New("enough")
		var kinds []string
		err = c.FollowEvents(t.Context(), "assistant", "1", func(e control.Event) error {
			if kinds = append(kinds, e.Kind); len(kinds) == 2 {
				return errEnough
			}
			return nil
		})
		if diff := cmp.Diff([]string{"started", "step"}, kinds); diff != "" || !errors.Is(err, errEnough) {
			t.Errorf("over %s: followed until %v (-want +got):\n%s", name, err, diff)
		}
		if err := c.FollowEvents(t.Context(), "nobody", "", nil); !errors.Is(err, rollout.ErrUnknownSplit) {
			t.Errorf("over %s: error = %v, want ErrUnknownSplit", name, err)
		}
	}
}

func TestClientStopsFollowing(t *testing.T) {
	begun := make(chan struct{}, 1)
	tests := map[string]struct {
		h    http.HandlerFunc
		want error
	}{
		"the proxy goes": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }, control.ErrUnreachable},
		"no log":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>") }, control.ErrForeign},
		"the caller leaves": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			begun <- struct{}{}
			<-r.Context().Done()
		}, nil},
	}
	for name, tt := range tests {
		server := httptest.NewServer(tt.h)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			select {
			case <-begun:
				cancel()
			case <-ended:
			}
		}()
		err := control.NewClient(server.URL, server.Client()).FollowEvents(ctx, "assistant", "", nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", name, err, tt.want)
		}
		close(ended)
		cancel()
		server.Close()
	}
}

// A proxy that has gone without a goodbye sends no more heartbeats.
func TestClientNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := doer(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		began := time.Now()
		err := control.NewClient("http://proxy", silent).FollowEvents(t.Context(), "assistant", "", nil)
		if took := time.Since(began); !errors.Is(err, control.ErrUnreachable) || took != 45*time.Second {
			t.Errorf("after %v: %v, want ErrUnreachable after 45s", took, err)
		}
	})
}

// doer answers requests without a network.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func TestRunningDrillsNameNobody(t *testing.T) {
	f := newFleet()
	f.shows = func(s *rollout.Status) {
		s.State = f.state.Clone()
		s.State.Drill = &splitter.Drill{ID: "d1", Variant: "green", Users: []string{"5f1c"}, Until: noon}
	}
	if w := call(f, "GET", "/splits/v1/assistant", ""); strings.Contains(w.Body.String(), "5f1c") || !strings.Contains(w.Body.String(), `"users": 1`) {
		t.Errorf("status = %s", w.Body)
	}
}
