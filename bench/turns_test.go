package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestTakeTurns(t *testing.T) {
	crowds := []crowd{{{user: "a"}, {user: "b"}}, {{user: "a"}, {user: "b"}}, {{user: "a"}, {user: "b"}}}
	var mu sync.Mutex // protects asked
	asked := map[string][]int{}
	err := takeTurns(t.Context(), crowds, 8, func(crowd int, v *visitor) error {
		mu.Lock()
		defer mu.Unlock()
		asked[v.user] = append(asked[v.user], crowd)
		return nil
	})
	want := []int{0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0}
	if err != nil || !slices.Equal(asked["a"], want) || !slices.Equal(asked["b"], want) {
		t.Errorf("took the turns %v, %v; want %v for each of two", asked, err, want)
	}
}

func TestTakeTurnsUntilOneFails(t *testing.T) {
	failed := errors.New("no answer")
	turns := 0
	err := takeTurns(t.Context(), []crowd{{{}}, {{}}}, 8, func(crowd int, _ *visitor) error {
		if turns++; crowd == 1 {
			return fmt.Errorf("turn %d: %w", turns, failed)
		}
		return nil
	})
	if !errors.Is(err, failed) || turns != 2 {
		t.Errorf("took %d turns, %v; want 2 and %v", turns, err, failed)
	}
}
