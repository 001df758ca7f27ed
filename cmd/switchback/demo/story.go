package demo

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// mark says how a step stands.
type mark int

const (
	running mark = iota
	passed
	broken
)

// step is one step of the demo as it is told.
type step struct {
	title string
	text  string // how far it is; in the end, what came of it
	mark  mark
	began time.Duration // since the demo began
	took  time.Duration // until it ended
}

// story is what the demo has done so far. Its methods may be called concurrently.
type story struct {
	start    time.Time
	headline string
	// told is called, under the lock, with each step as it begins and as it ends. May be nil.
	told func(step)

	mu      sync.Mutex // protects following
	weights map[string]splitter.Weight
	steps   []step
}

// begin begins a step.
func (s *story) begin(title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{title: title, began: time.Since(s.start)})
	s.tell()
}

// progress says how far the running step is.
func (s *story) progress(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last().text = text
}

// end ends the running step, which is broken if err is not nil, and returns it.
func (s *story) end(text string, err error) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last()
	last.text, last.mark = text, passed
	if err != nil {
		last.text, last.mark = err.Error(), broken
	}
	last.took = time.Since(s.start) - last.began
	s.tell()
	return *last
}

// last returns the running step. Caller must hold s.mu.
func (s *story) last() *step { return &s.steps[len(s.steps)-1] }

// tell calls told. Caller must hold s.mu.
func (s *story) tell() {
	if s.told != nil {
		s.told(*s.last())
	}
}

// setWeights notes the weights in force.
func (s *story) setWeights(weights map[string]splitter.Weight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weights = maps.Clone(weights)
}

// page returns the story so far, with what the table shows.
func (s *story) page(now time.Time, v view) page {
	s.mu.Lock()
	defer s.mu.Unlock()
	return page{
		headline: s.headline,
		elapsed:  now.Sub(s.start),
		view:     v,
		weights:  s.weights,
		steps:    slices.Clone(s.steps),
	}
}
