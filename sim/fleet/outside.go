package fleet

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

// outside is what a fleet talks to: the webhooks that are its gates, and a target of its events.
type outside struct {
	mu     sync.Mutex // protects the following fields
	opens  bool       // webhooks answer 200, else 503
	refuse bool       // the target refuses what it is sent
	got    []store.Event
}

// RoundTrip answers for every webhook.
func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	status := http.StatusServiceUnavailable
	if o.opens {
		status = http.StatusOK
	}
	if r.Body != nil {
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// errRefused is what the target says while it takes nothing.
var errRefused = errors.New("the target takes nothing for now")

// target is the one to whom everything is told.
func (o *outside) target(l *link) rollout.Target {
	return rollout.Target{
		Name: "sink", Wants: func(store.Event) bool { return true },
		Test: func(context.Context) error { return nil },
		Send: func(_ context.Context, ev store.Event) error {
			if err := l.alive(); err != nil {
				return err
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.refuse {
				return errRefused
			}
			o.got = append(o.got, ev)
			return nil
		},
	}
}

// OpenWebhooks makes all webhooks open, or shut.
func (f *Fleet) OpenWebhooks(open bool) {
	f.outside.mu.Lock()
	defer f.outside.mu.Unlock()
	f.outside.opens = open
}

// RefuseEvents makes the target of events refuse them, or take them again.
func (f *Fleet) RefuseEvents(refuse bool) {
	f.outside.mu.Lock()
	defer f.outside.mu.Unlock()
	f.outside.refuse = refuse
}

// Told lists what the target was told, in that order; some perhaps more than once.
func (f *Fleet) Told() []store.Event {
	f.outside.mu.Lock()
	defer f.outside.mu.Unlock()
	return append([]store.Event(nil), f.outside.got...)
}
