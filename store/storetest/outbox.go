package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

var outboxTests = map[string]func(*testing.T, store.Store){
	"it begins after the first claim": func(t *testing.T, s store.Store) {
		state := begin(t, s, "assistant")
		record(t, s, "assistant", "before")
		equal(t, "first claim", delivered(claim(t, s, "alerts", memberA, 10)), none)
		record(t, s, "assistant", "n")
		advance(t, s, state, 1)
		equal(t, "next claim", delivered(claim(t, s, "alerts", memberA, 10)), []string{"n", "assistant-2"})
	},
	"in a store without events": func(t *testing.T, s store.Store) {
		claim(t, s, "alerts", memberA, 10)
		begin(t, s, "assistant")
		equal(t, "claim", delivered(claim(t, s, "alerts", memberA, 10)), []string{"assistant-1"})
	},
	"all splits, in order, at most limit": testOutboxOrder,
	"every field is kept": func(t *testing.T, s store.Store) {
		claim(t, s, "alerts", memberA, 10)
		state, want := First("assistant", "full")
		want.Evidence, want.Kills = []byte(`{"a":[1]}`), []splitter.Kill{{ID: "k", Level: splitter.KillCut, At: epochStart}}
		mustSwap(t, s, splitter.Version{}, state, want)
		got := claim(t, s, "alerts", memberA, 10)
		if diff := cmp.Diff(want, got[0].Event, cmpopts.IgnoreUnexported(splitter.Kill{}), withoutCursor); diff != "" {
			t.Errorf("event: got %+v, want %+v (-want +got):\n%s", got[0].Event, want, diff)
		}
	},
	"a retry delivers once": func(t *testing.T, s store.Store) {
		claim(t, s, "alerts", memberA, 10)
		state := begin(t, s, "assistant")
		next, ev := Next(state, "retried")
		for range 3 {
			mustSwap(t, s, state.Version, next, ev)
			record(t, s, "assistant", "n")
		}
		equal(t, "claim", delivered(claim(t, s, "alerts", memberA, 10)), []string{"assistant-1", "retried", "n"})
	},
	"one member at a time": func(t *testing.T, s store.Store) {
		claim(t, s, "alerts", memberA, 10)
		begin(t, s, "assistant")
		equal(t, "a", delivered(claim(t, s, "alerts", memberA, 10)), []string{"assistant-1"})
		equal(t, "b", delivered(claim(t, s, "alerts", memberB, 10)), none)
		equal(t, "a again", delivered(claim(t, s, "alerts", memberA, 10)), none)
	},
	"a claimant that dies":   testIdle,
	"groups are independent": testGroups,
	"acknowledged is done":   testAcknowledge,
	"receipts that are not there": func(t *testing.T, s store.Store) {
		mustAcknowledge(t, s, "nobody", "1-0")
		claim(t, s, "alerts", memberA, 10)
		begin(t, s, "assistant")
		mustAcknowledge(t, s, "alerts")
		mustAcknowledge(t, s, "alerts", "1-0", "no receipt", "", mustEvents(t, s, "assistant", 1)[0].Cursor+"9")
		equal(t, "claim", delivered(claim(t, s, "alerts", memberA, 10)), []string{"assistant-1"})
	},
	"eight claim, each event goes to one": testClaimRace,
	"what is no group": func(t *testing.T, s store.Store) {
		_, errClaim := s.Claim(t.Context(), claimOf("../x", memberA, 1))
		negative := claimOf("alerts", memberA, 1)
		negative.Idle = -1
		_, errIdle := s.Claim(t.Context(), negative)
		for name, err := range map[string]error{"Claim": errClaim, "Claim with a negative idle": errIdle,
			"Acknowledge": s.Acknowledge(t.Context(), "", []string{"1-0"})} {
			if err == nil || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: got %v, want it to be refused", name, err)
			}
		}
	},
}

func testOutboxOrder(t *testing.T, s store.Store) {
	claim(t, s, "alerts", memberA, 10)
	one, other := begin(t, s, "one"), begin(t, s, "other")
	other = advance(t, s, other, 1)
	record(t, s, "one", "n")
	advance(t, s, one, 1)
	advance(t, s, other, 1)
	want := []string{"one-1", "other-1", "other-2", "n", "one-2", "other-3"}
	equal(t, "none asked for", delivered(claim(t, s, "alerts", memberA, 0)), none)
	equal(t, "two", delivered(claim(t, s, "alerts", memberA, 2)), want[:2])
	equal(t, "three more", delivered(claim(t, s, "alerts", memberB, 3)), want[2:5])
	equal(t, "the rest", delivered(claim(t, s, "alerts", memberA, 10)), want[5:])
}

// none is what is delivered when nothing is.
var none []string

// testIdle lets a member die with what it has claimed: another one gets it, before what came later.
func testIdle(t *testing.T, s store.Store) {
	claim(t, s, "alerts", memberA, 10)
	state := begin(t, s, "assistant")
	lost := claim(t, s, "alerts", memberA, 10)
	equal(t, "tries", lost[0].Tries, 1)
	advance(t, s, state, 2)

	dead := claimOf("alerts", memberB, 2)
	dead.Idle = 0
	taken := claimAs(t, s, dead)
	equal(t, "taken over", delivered(taken), []string{"assistant-1", "assistant-2"})
	equal(t, "tries", []int{taken[0].Tries, taken[1].Tries}, []int{2, 1})
	equal(t, "receipt", taken[0].Receipt, lost[0].Receipt)
	dead.Idle = time.Hour
	equal(t, "not idle for so long", delivered(claimAs(t, s, dead)), []string{"assistant-3"})

	dead.From, dead.Idle, dead.Limit = memberC, 5*time.Millisecond, 10
	var got []store.Delivery
	for deadline := time.Now().Add(patience); len(got) == 0 && time.Now().Before(deadline); {
		got = claimAs(t, s, dead)
	}
	equal(t, "the oldest first", got[0].Event.ID, "assistant-1")
	equal(t, "tries", got[0].Tries, 3)
	mustAcknowledge(t, s, "alerts", lost[0].Receipt) // whoever got it: it is done
	dead.Idle = 0
	equal(t, "left", delivered(claimAs(t, s, dead)), []string{"assistant-2", "assistant-3"})
}

func testGroups(t *testing.T, s store.Store) {
	for _, group := range []string{"chat", "pager"} {
		claim(t, s, group, memberA, 10)
	}
	state := begin(t, s, "assistant")
	chat := claim(t, s, "chat", memberA, 10)
	mustAcknowledge(t, s, "chat", chat[0].Receipt)
	claim(t, s, "late", memberA, 10)
	advance(t, s, state, 1)
	equal(t, "chat", delivered(claim(t, s, "chat", memberA, 10)), []string{"assistant-2"})
	equal(t, "pager", delivered(claim(t, s, "pager", memberA, 10)), []string{"assistant-1", "assistant-2"})
	equal(t, "late", delivered(claim(t, s, "late", memberA, 10)), []string{"assistant-2"})
}

func testAcknowledge(t *testing.T, s store.Store) {
	claim(t, s, "alerts", memberA, 10)
	advance(t, s, begin(t, s, "assistant"), 4)
	got := claim(t, s, "alerts", memberA, 4)
	again := claimOf("alerts", memberB, 10)
	again.Idle = 0
	for range 2 { // the second time it is done
		mustAcknowledge(t, s, "alerts", got[1].Receipt, got[3].Receipt)
	}
	equal(t, "left", delivered(claimAs(t, s, again)), []string{"assistant-1", "assistant-3", "assistant-5"})
	mustAcknowledge(t, s, "alerts", got[0].Receipt)
	equal(t, "left", delivered(claimAs(t, s, again)), []string{"assistant-3", "assistant-5"})
	last := claimAs(t, s, again)
	mustAcknowledge(t, s, "alerts", last[0].Receipt, last[1].Receipt)
	equal(t, "left", delivered(claimAs(t, s, again)), none)
}

// testClaimRace lets eight members claim and acknowledge while events come. Each event goes to one of them.
func testClaimRace(t *testing.T, s store.Store) {
	const events = 100
	claim(t, s, "alerts", memberA, 10)
	begin(t, s, "assistant")
	var all sync.WaitGroup
	all.Go(func() {
		for i := range events {
			if _, err := s.Record(t.Context(), note("assistant", fmt.Sprint("n-", i))); err != nil {
				t.Errorf("Record: %v", err)
			}
		}
	})
	var mu sync.Mutex
	got := map[string]int{}
	deadline := time.Now().Add(patience)
	for i := range 8 {
		all.Go(func() {
			for done := 0; done <= events && time.Now().Before(deadline); {
				one := claimOf("alerts", store.MemberID{Name: "member", Boot: fmt.Sprint(i)}, 3)
				claimed, err := s.Claim(t.Context(), one)
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				mu.Lock()
				for _, d := range claimed {
					got[d.Event.ID]++
				}
				done = len(got)
				mu.Unlock()
				for _, d := range claimed {
					if err := s.Acknowledge(t.Context(), "alerts", []string{d.Receipt}); err != nil {
						t.Errorf("Acknowledge: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	equal(t, "different events", len(got), events+1)
	for id, n := range got {
		equal(t, id, n, 1)
	}
}

// claimOf is a claim of what is free for an hour.
func claimOf(group string, from store.MemberID, limit int) store.ClaimAsk {
	return store.ClaimAsk{Group: group, From: from, Limit: limit, Idle: time.Hour}
}

// claim claims for a group.
func claim(t *testing.T, s store.Store, group string, from store.MemberID, limit int) []store.Delivery {
	t.Helper()
	return claimAs(t, s, claimOf(group, from, limit))
}

// claimAs claims, and fails the test if that fails.
func claimAs(t *testing.T, s store.Store, ask store.ClaimAsk) []store.Delivery {
	t.Helper()
	claimed, err := s.Claim(t.Context(), ask)
	if err != nil {
		t.Fatalf("Claim(%+v): %v", ask, err)
	}
	return claimed
}

// mustAcknowledge acknowledges, and fails the test if that fails.
func mustAcknowledge(t *testing.T, s store.Store, group string, receipts ...string) {
	t.Helper()
	if err := s.Acknowledge(t.Context(), group, receipts); err != nil {
		t.Fatalf("Acknowledge(%s, %q): %v", group, receipts, err)
	}
}

// delivered returns the ids of the events; nil if there are none.
func delivered(deliveries []store.Delivery) []string {
	var out []string
	for _, d := range deliveries {
		out = append(out, d.Event.ID)
	}
	return out
}
