package caddymodule

import (
	"slices"
	"sync"

	"github.com/switchback-proxy/switchback/rollout"
)

// generations are those who run, the newest last. A reload that fails takes its own away again, and the one before it
// is the newest once more.
type generations[T comparable] struct {
	mu   sync.RWMutex
	list []T // protected by mu
}

// add makes v the newest.
func (g *generations[T]) add(v T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(slices.DeleteFunc(g.list, func(o T) bool { return o == v }), v)
}

func (g *generations[T]) remove(v T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = slices.DeleteFunc(g.list, func(o T) bool { return o == v })
}

// newest returns the newest, or the zero value if nobody runs.
func (g *generations[T]) newest() (v T) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if len(g.list) > 0 {
		v = g.list[len(g.list)-1]
	}
	return v
}

// controllers are those that were started and are not closed. The admin endpoint and the metrics show the newest.
var controllers generations[*rollout.Controller]
