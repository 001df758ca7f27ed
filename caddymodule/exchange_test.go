package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// joinable returns a handler of a split in halves that decides and does nothing else.
func joinable(t *testing.T) (*Handler, *rollout.Controller) {
	t.Helper()
	folder := t.TempDir()
	c := rollout.New(rollout.Options{
		Instance: "test",
		Open:     func() (store.Store, error) { return embedded.Open(folder) },
		Memory:   rollout.Snapshots{Dir: store.DirAt(filepath.Join(folder, "snapshots"))},
	})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &Handler{Name: "s", Stable: "blue", Canary: "green", Variants: []*Variant{
		{Name: "blue", Weight: splitter.Full / 2}, {Name: "green", Weight: splitter.Full / 2}}}
	h.app = &App{appState: appState{controller: c, users: new(atomic.Pointer[userHash])}}
	var err error
	if h.attached, err = c.Attach(h.definition(), "only"); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the split has its state", func() bool { return c.Split("s").State() != nil })
	return h, c
}

// A cut of one variant must not end a request that was on its way to it and goes to another one now; nor may the
// request be changed while somebody looks at it.
func TestJoinWhileTheStateChanges(t *testing.T) {
	h, c := joinable(t)
	var done atomic.Bool
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; !done.Load(); n++ {
				r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
				x, d := h.join(placement{Request: splitter.Request{Key: strconv.Itoa(i*1e9 + n)}}, nil, r)
				if d.Variant == 0 && x.killed() {
					t.Error("a request to blue was ended by a kill of green")
					return
				}
				x.leave()
			}
		})
	}
	for range 40 {
		for f := range c.Split("s").Flights.All() {
			if f.Variant != "blue" && f.Variant != "green" {
				t.Errorf("a request to %q", f.Variant)
			}
		}
		if _, err := c.Kill(context.Background(), "s", rollout.KillRequest{Variant: "green", Level: splitter.KillCut},
			rollout.By{}); err != nil {
			t.Error(err)
		}
		if _, err := c.Revive(context.Background(), "s", rollout.ReviveRequest{}, rollout.By{}); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	all.Wait()
}
