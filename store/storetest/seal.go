package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

var sealTests = map[string]func(*testing.T, store.Store){
	"when complete": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		put(t, s, memberA, frameAt(now, "a"))
		equal(t, "one of two", sealOne(t, s, now, never, memberA, memberB), store.Sealed{})
		put(t, s, memberB, frameAt(now, "b"))
		put(t, s, memberC, frameAt(now, "not expected"))
		equal(t, "both", sealOne(t, s, now, never, memberA, memberB),
			sealedAs(now, frames{memberA: "a", memberB: "b", memberC: "not expected"}))
	},
	"when patience has passed since the second's end": func(t *testing.T, s store.Store) {
		past := clock(t, s) - 4
		put(t, s, memberB, frameAt(past, "b"))
		for _, patience := range []time.Duration{never, time.Minute} {
			equal(t, "before", sealOne(t, s, past, patience, memberA, memberB, memberC), store.Sealed{})
		}
		equal(t, "after", sealOne(t, s, past, 3*time.Second, memberA, memberB, memberC),
			sealedAs(past, frames{memberB: "b"}, memberA, memberC))
	},
	"not before the second's end without its frames": func(t *testing.T, s store.Store) {
		equal(t, "sealed", sealOne(t, s, clock(t, s)+60, 0, memberA), store.Sealed{})
	},
	"with nobody expected only patience seals": func(t *testing.T, s store.Store) {
		past := clock(t, s) - 1
		put(t, s, memberA, frameAt(past, "a"))
		equal(t, "before", sealOne(t, s, past, never), store.Sealed{})
		equal(t, "after", sealOne(t, s, past, 0), sealedAs(past, frames{memberA: "a"}))
	},
	"it is never opened again": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		put(t, s, memberA, frameAt(now, "a"))
		want := sealedAs(now, frames{memberA: "a"})
		equal(t, "sealed", sealOne(t, s, now, never, memberA), want)
		equal(t, "a retry is late", put(t, s, memberA, frameAt(now, "a")).Late, false)
		equal(t, "other content is late", put(t, s, memberA, frameAt(now, "other")).Late, true)
		equal(t, "another member is late", put(t, s, memberB, frameAt(now, "b")).Late, true)
		want.Late = 2
		for _, ask := range [][]store.MemberID{{memberA}, {memberA, memberB}, {memberC}, nil} {
			equal(t, fmt.Sprint("sealed again for ", ask), sealOne(t, s, now, never, ask...), want)
		}
	},
	"it stays sealed without frames": func(t *testing.T, s store.Store) {
		past := clock(t, s) - 1
		sealPast(t, s, past, memberA, memberC)
		equal(t, "late", put(t, s, memberA, frameAt(past, "a")).Late, true)
		want := sealedAs(past, nil, memberA, memberC)
		want.Late = 1
		equal(t, "sealed again", sealOne(t, s, past, never, memberB), want)
	},
	"several seconds of several splits": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		for second := now - 2; second <= now; second++ {
			other := frameAt(second, "other")
			other.Split = "other"
			put(t, s, memberA, frameAt(second, fmt.Sprint(second)), other)
		}
		asks := []store.SealAsk{askOf(never, []store.MemberID{memberA}, now, now+1, now-2), {Split: "none", Epoch: 1},
			askOf(never, []store.MemberID{memberA}, now-1)}
		asks[2].Split = "other"
		got, err := s.Seal(t.Context(), asks)
		if err != nil {
			t.Fatalf("Seal: %v", err)
		}
		equal(t, "sealed", got, [][]store.Sealed{
			{sealedAs(now, frames{memberA: fmt.Sprint(now)}), sealedAs(now-2, frames{memberA: fmt.Sprint(now - 2)})}, nil,
			{sealedAs(now-1, frames{memberA: "other"})},
		})
	},
	"what cannot be asked for keeps nothing else back": func(t *testing.T, s store.Store) {
		past := clock(t, s) - 1
		asks := []store.SealAsk{askOf(0, nil, -1), askOf(0, nil, past), askOf(0, nil, past)}
		asks[2].Split = "../assistant"
		got, err := s.Seal(t.Context(), asks)
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Seal: got %v, want an error that is not ErrUnavailable", err)
		}
		equal(t, "sealed", got, [][]store.Sealed{nil, {sealedAs(past, nil)}, nil})
	},
	"all readers get the same while frames come in": testSealRace,
}

// testSealRace seals a second while eight members put frames. Those that were not late are what everybody gets.
func testSealRace(t *testing.T, s store.Store) {
	past := clock(t, s) - 1
	var (
		all  sync.WaitGroup
		late [8]bool
		got  [8]store.Sealed
	)
	for i := range 8 {
		id := store.MemberID{Name: fmt.Sprint("member-", i), Boot: "1"}
		all.Go(func() {
			seats, err := s.PutFrames(t.Context(), id, []store.Frame{frameAt(past, fmt.Sprint(i))})
			if err != nil {
				t.Errorf("PutFrames: %v", err)
				return
			}
			late[i] = seats[0].Late
		})
		all.Go(func() {
			sealed, err := s.Seal(t.Context(), []store.SealAsk{askOf(0, []store.MemberID{memberA}, past)})
			if err != nil || len(sealed) != 1 || len(sealed[0]) != 1 {
				t.Errorf("Seal: got %v, %v, want the second", sealed, err)
				return
			}
			got[i] = sealed[0][0]
		})
	}
	all.Wait()
	want := sealedAs(past, nil, memberA)
	lates := 0
	for i, isLate := range late {
		if isLate {
			lates++
			continue
		}
		want.Frames[store.MemberID{Name: fmt.Sprint("member-", i), Boot: "1"}] = []byte(fmt.Sprint(i))
	}
	for _, sealed := range got {
		sealed.Late = 0
		equal(t, "sealed", sealed, want)
	}
	equal(t, "late in the end", sealOne(t, s, past, 0).Late, lates)
}
