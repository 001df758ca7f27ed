package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// watchEvery is the time between two looks at what a proxy serves by.
const watchEvery = 100 * time.Millisecond

// sight is what a proxy was seen to serve by.
type sight struct {
	splitter.Version
	green splitter.Weight
	kills []splitter.Kill
	at    time.Time // when it was asked for
}

// watch is an eye on each proxy of a crew.
type watch struct {
	mu        sync.Mutex             // protects following fields
	last      []sight                // zero where nothing is known
	first     map[string][]time.Time // by a kill's id, when each proxy was first seen to have it; zero until then
	backwards []string               // each time that a proxy was seen at a lower revision than before
}

// startWatch looks at all proxies until the lab is closed.
func (l *lab) startWatch(ctx context.Context, proxies []*proxy) *watch {
	w := newWatch(len(proxies))
	l.besideEach(ctx, proxies, func(ctx context.Context, n int, p *proxy) { w.follow(ctx, n, p.control) })
	return w
}

// newWatch is one of so many proxies, none of which was seen yet.
func newWatch(proxies int) *watch {
	return &watch{last: make([]sight, proxies), first: map[string][]time.Time{}}
}

// follow looks at one proxy again and again. One that does not answer is not seen.
func (w *watch) follow(ctx context.Context, n int, c *control.Client) {
	for wait(ctx, watchEvery) == nil {
		at := time.Now()
		asking, cancel := context.WithTimeout(ctx, answerLimit)
		status, err := c.Status(asking, split)
		cancel()
		if err == nil {
			w.see(n, sightOf(status, at))
		}
	}
}

// sightOf returns what matters of a status.
func sightOf(status control.Status, at time.Time) sight {
	s := sight{Version: status.Version, kills: status.Kills, at: at}
	for _, v := range status.Variants {
		if v.Name == "green" {
			s.green = v.Weight
		}
	}
	return s
}

// see takes a sight in.
func (w *watch) see(n int, s sight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.last[n]; s.Revision < before.Revision {
		w.backwards = append(w.backwards, fmt.Sprintf("%s went from revision %d (%s) back to %d (%s)", memberName(n),
			before.Revision, before.ID, s.Revision, s.ID))
	}
	w.last[n] = s
	for _, k := range s.kills {
		if w.first[k.ID] == nil {
			w.first[k.ID] = make([]time.Time, len(w.last))
		}
		if w.first[k.ID][n].IsZero() {
			w.first[k.ID][n] = s.at
		}
	}
}

// everywhere returns when the last proxy was first seen to have a kill; false if one was not.
func (w *watch) everywhere(kill string) (last time.Time, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.first[kill] {
		if at.IsZero() {
			return at, false
		}
		if at.After(last) {
			last = at
		}
	}
	return last, w.first[kill] != nil
}

// forget is for a proxy that was started anew: what it served by before is another process's past.
func (w *watch) forget(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[n] = sight{}
}

// sights returns what each proxy was last seen to serve by.
func (w *watch) sights() []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sight{}, w.last...)
}

// takeBackwards returns the steps back since it was last asked.
func (w *watch) takeBackwards() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := w.backwards
	w.backwards = nil
	return steps
}

// until waits until all proxies were seen, after a moment, in a way that fits, and returns when the last one was asked
// that did.
func (w *watch) until(ctx context.Context, limit time.Duration, after time.Time, fits func(sight) bool) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNotAll)
	defer cancel()
	first := make([]time.Time, len(w.last)) // since when each fits
	var latest time.Time
	err := poll(ctx, func() (bool, error) {
		all := true
		latest = after
		for n, s := range w.sights() {
			switch {
			case s.at.Before(after) || !fits(s):
				first[n], all = time.Time{}, false
			case first[n].IsZero():
				first[n] = s.at
			}
			if first[n].After(latest) {
				latest = first[n]
			}
		}
		return all, nil
	})
	return latest, err
}

// errNotAll means that a proxy does not serve by what it should.
var errNotAll = errors.New("not all proxies serve by it in time")
