package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

var judgeTests = map[string]func(*testing.T, store.Store){
	"none yet": func(t *testing.T, s store.Store) {
		equal(t, "state", loadJudge(t, s), store.JudgeState{})
		put(t, s, memberA, frameAt(clock(t, s), "a")) // takes the lease
		equal(t, "state with a lease", loadJudge(t, s), store.JudgeState{})
	},
	"written and read": func(t *testing.T, s store.Store) {
		first := store.JudgeState{Version: 1, Epoch: 3, Folded: 17, Doc: []byte("\x00\xffdoc"), Summary: []byte("\xffsum")}
		swapJudge(t, s, store.JudgeState{}, first)
		equal(t, "first", loadJudge(t, s), first)
		second := store.JudgeState{Version: 2, Epoch: 3, Folded: 17, Doc: []byte{}, Summary: []byte{}}
		swapJudge(t, s, first, second)
		second.Summary = nil
		equal(t, "second, without a summary", loadJudge(t, s), second)
		largest := store.JudgeState{Version: 3, Epoch: 1 << 53, Folded: 1 << 40, Doc: make([]byte, store.MaxJudge),
			Summary: make([]byte, store.MaxSummary)}
		swapJudge(t, s, second, largest)
		equal(t, "largest", loadJudge(t, s), largest)
	},
	"members learn of it with their frames": func(t *testing.T, s store.Store) {
		frame := frameAt(clock(t, s), "a")
		equal(t, "none yet", put(t, s, memberA, frame), store.Seat{Holder: true})
		first := judgeAt(1, frame.Second-10)
		first.Summary = []byte("all is well")
		swapJudge(t, s, store.JudgeState{}, first)
		equal(t, "seat", put(t, s, memberA, frame), store.Seat{Holder: true, Version: 1, Summary: first.Summary})
	},
	"only from what it was made of": func(t *testing.T, s store.Store) {
		first, second := judgeAt(1, 10), judgeAt(2, 20)
		judgeConflict(t, s, first, second)
		swapJudge(t, s, store.JudgeState{}, first)
		judgeConflict(t, s, store.JudgeState{}, judgeAt(1, 11))
		judgeConflict(t, s, second, judgeAt(3, 30))
		equal(t, "state", loadJudge(t, s), first)
	},
	"a retry succeeds": func(t *testing.T, s store.Store) {
		first := judgeAt(1, 10)
		for range 2 {
			swapJudge(t, s, store.JudgeState{}, first)
		}
		second := judgeAt(2, 20)
		swapJudge(t, s, first, second)
		judgeConflict(t, s, store.JudgeState{}, first)
		equal(t, "state", loadJudge(t, s), second)
	},
	"never back": func(t *testing.T, s store.Store) {
		first := judgeAt(1, 10)
		first.Epoch = 5
		swapJudge(t, s, store.JudgeState{}, first)
		for name, next := range map[string]store.JudgeState{
			"epoch": {Version: 2, Epoch: 4, Folded: 20}, "second": {Version: 2, Epoch: 5, Folded: 9},
		} {
			t.Log(name)
			judgeConflict(t, s, first, next)
		}
		later := store.JudgeState{Version: 2, Epoch: 6, Folded: 1, Doc: []byte("anew")}
		swapJudge(t, s, first, later) // seconds of another epoch are not compared
		equal(t, "state", loadJudge(t, s), later)
	},
	"a frame of an earlier epoch is late": func(t *testing.T, s store.Store) {
		state := judgeAt(1, 0)
		state.Epoch = 2
		swapJudge(t, s, store.JudgeState{}, state)
		frame := frameAt(clock(t, s), "a")
		frame.Window = []byte("window")
		equal(t, "seat", put(t, s, memberA, frame), store.Seat{Version: 1, Late: true})
		equal(t, "windows", len(windows(t, s, 1)), 0)
		equal(t, "sealed", sealOne(t, s, frame.Second-1, 0), store.Sealed{})
		frame.Epoch = 2
		equal(t, "of the state's epoch", put(t, s, memberA, frame).Late, false)
		frame.Epoch = 3
		equal(t, "of a later one", put(t, s, memberA, frame).Late, false)
		equal(t, "late", loadJudge(t, s).Late, uint64(1))
	},
	"what is folded is removed": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		for second := now - 2; second <= now; second++ {
			put(t, s, memberA, frameAt(second, "a"))
		}
		equal(t, "sealed", len(seal(t, s, askOf(0, []store.MemberID{memberA}, now-2, now-1, now))), 3)
		swapJudge(t, s, store.JudgeState{}, judgeAt(1, now-1))
		equal(t, "sealed after the first two were folded", seal(t, s, askOf(0, nil, now-3, now-2, now-1, now)),
			[]store.Sealed{sealedAs(now, frames{memberA: "a"})})
		equal(t, "the same frame is late", put(t, s, memberA, frameAt(now-2, "a")).Late, true)
		equal(t, "a frame of a second before is late", put(t, s, memberB, frameAt(now-100, "b")).Late, true)
		equal(t, "late", loadJudge(t, s).Late, uint64(2))
	},
	"late frames are counted over swaps": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		sealPast(t, s, now-1, memberA)
		put(t, s, memberA, frameAt(now-1, "a"))
		first := judgeAt(1, now-1)
		first.Late = 17 // is not the caller's to say
		swapJudge(t, s, store.JudgeState{}, first)
		put(t, s, memberA, frameAt(now-1, "a"))
		equal(t, "late", loadJudge(t, s).Late, uint64(2))
	},
	"what is too large or not the next is refused": func(t *testing.T, s store.Store) {
		well := judgeAt(1, 10)
		long, wide, skips, far := well, well, judgeAt(3, 10), well
		long.Doc, wide.Summary, far.Epoch = make([]byte, store.MaxJudge+1), make([]byte, store.MaxSummary+1), 1<<53+1
		errs := s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: "long", Next: long}, {Split: "wide", Next: wide},
			{Split: "skips", Next: skips}, {Split: "far", Next: far}, {Split: "../x", Next: well}, {Split: "assistant", Next: well}})
		for i, want := range []string{"262145", "4097", "version 3", "9007199254740993", `"../x"`} {
			if errs[i] == nil || !strings.Contains(errs[i].Error(), want) || errors.Is(errs[i], store.ErrUnavailable) {
				t.Errorf("swap %d: got %v, want %s, and no ErrUnavailable", i, errs[i], want)
			}
		}
		equal(t, "the last", errs[5], error(nil))
		equal(t, "state", loadJudge(t, s), well)
	},
	"of a split that is given up nothing is left": func(t *testing.T, s store.Store) {
		frame := frameAt(clock(t, s), "a")
		frame.Window = []byte("window")
		state := begin(t, s, "assistant")
		put(t, s, memberA, frame)
		swapJudge(t, s, store.JudgeState{}, judgeAt(1, frame.Second-1))
		bury(t, s, state)
		equal(t, "state", loadJudge(t, s), store.JudgeState{})
		equal(t, "windows", len(windows(t, s, frame.Epoch)), 0)
	},
	"of many at once each version is written once": testJudgeRace,
}

// testJudgeRace lets eight members count to 20 together.
func testJudgeRace(t *testing.T, s store.Store) {
	const last = 20
	var all sync.WaitGroup
	var wrote [8][last + 1]int
	for i := range wrote {
		all.Go(func() {
			for {
				prev, err := s.LoadJudge(t.Context(), "assistant")
				if err != nil {
					t.Errorf("LoadJudge: %v", err)
					return
				}
				if prev.Version == last {
					return
				}
				next := store.JudgeState{Version: prev.Version + 1, Epoch: 1, Folded: prev.Folded + 1, Doc: fmt.Append(prev.Doc, i)}
				err = s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: "assistant", Prev: prev, Next: next}})[0]
				switch {
				case err == nil:
					wrote[i][next.Version]++
				case !errors.Is(err, store.ErrConflict):
					t.Errorf("SwapJudges: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	state := loadJudge(t, s)
	for version := 1; version <= last; version++ {
		var winners []int
		for i := range wrote {
			if wrote[i][version] > 0 {
				winners = append(winners, i)
			}
		}
		if len(winners) != 1 || len(state.Doc) != last || fmt.Sprint(winners[0]) != string(state.Doc[version-1]) {
			t.Errorf("version %d: written by %v, want one, as in %q", version, winners, state.Doc)
		}
	}
}

var leaseTests = map[string]func(*testing.T, store.Store){
	"one member holds a split": func(t *testing.T, s store.Store) {
		frame := frameAt(clock(t, s), "a")
		equal(t, "the first", put(t, s, memberA, frame).Holder, true)
		equal(t, "another", put(t, s, memberB, frame).Holder, false)
		equal(t, "the first again", put(t, s, memberA, frame).Holder, true)
	},
	"splits are held apart": func(t *testing.T, s store.Store) {
		one, other := frameAt(clock(t, s), "a"), frameAt(clock(t, s), "a")
		other.Split = "other"
		put(t, s, memberA, one)
		seats, err := s.PutFrames(t.Context(), memberB, []store.Frame{one, other})
		if err != nil {
			t.Fatalf("PutFrames: %v", err)
		}
		equal(t, "seats", seats, []store.Seat{{}, {Holder: true}})
	},
	"without a frame too": func(t *testing.T, s store.Store) {
		none := store.Frame{Split: "assistant", Epoch: 1}
		equal(t, "the first", put(t, s, memberA, none).Holder, true)
		equal(t, "another", put(t, s, memberB, none).Holder, false)
	},
	"a later epoch takes it": func(t *testing.T, s store.Store) {
		earlier, later := frameAt(clock(t, s), "a"), frameAt(clock(t, s), "a")
		later.Epoch = 2
		equal(t, "the first", put(t, s, memberA, earlier).Holder, true)
		equal(t, "later", put(t, s, memberB, later).Holder, true)
		equal(t, "the first again", put(t, s, memberA, earlier).Holder, false)
		equal(t, "the first, later too", put(t, s, memberA, later).Holder, false)
	},
	"work is done without it": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		put(t, s, memberA, frameAt(now, "a"))
		equal(t, "sealed", sealOne(t, s, now, never, memberA), sealedAs(now, frames{memberA: "a"}))
		swapJudge(t, s, store.JudgeState{}, judgeAt(1, now)) // nobody says who they are
	},
}

var windowTests = map[string]func(*testing.T, store.Store){
	"of all, the last of each": func(t *testing.T, s store.Store) {
		putWindow(t, s, memberA, 1, "old")
		putWindow(t, s, memberB, 1, "b")
		putWindow(t, s, memberA, 1, "new")
		put(t, s, memberB, frameAt(clock(t, s), "b")) // leaves the window
		equal(t, "windows", windows(t, s, 1), frames{memberA: "new", memberB: "b"})
	},
	"they are opaque": func(t *testing.T, s store.Store) {
		for _, data := range []string{"", " leading", "\x00\xff\r\n{}", "12345 6", strings.Repeat("x", store.MaxWindow)} {
			putWindow(t, s, memberC, 1, data)
			equal(t, "windows", windows(t, s, 1), frames{memberC: data})
		}
	},
	"epochs are apart": func(t *testing.T, s store.Store) {
		putWindow(t, s, memberA, 1, "a")
		putWindow(t, s, memberB, 2, "b")
		equal(t, "windows", windows(t, s, 2), frames{memberB: "b"})
		equal(t, "none", windows(t, s, 3), frames{})
	},
}

// judgeAt returns a judge's state of the first epoch.
func judgeAt(version uint64, folded int64) store.JudgeState {
	return store.JudgeState{Version: version, Epoch: 1, Folded: folded, Doc: fmt.Append(nil, "doc ", version, folded)}
}

// loadJudge returns the state of the test's judge.
func loadJudge(t *testing.T, s store.Store) store.JudgeState {
	t.Helper()
	state, err := s.LoadJudge(t.Context(), "assistant")
	if err != nil {
		t.Fatalf("LoadJudge: %v", err)
	}
	return state
}

// trySwapJudge swaps the state of the test's judge.
func trySwapJudge(t *testing.T, s store.Store, prev, next store.JudgeState) error {
	t.Helper()
	errs := s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: "assistant", Prev: prev, Next: next}})
	if len(errs) != 1 {
		t.Fatalf("SwapJudges: got %d errors, want one", len(errs))
	}
	return errs[0]
}

// swapJudge wants a swap to succeed.
func swapJudge(t *testing.T, s store.Store, prev, next store.JudgeState) {
	t.Helper()
	if err := trySwapJudge(t, s, prev, next); err != nil {
		t.Fatalf("SwapJudges: %v", err)
	}
}

// judgeConflict wants a swap to be a conflict that changes nothing.
func judgeConflict(t *testing.T, s store.Store, prev, next store.JudgeState) {
	t.Helper()
	before := loadJudge(t, s)
	if err := trySwapJudge(t, s, prev, next); !errors.Is(err, store.ErrConflict) {
		t.Errorf("SwapJudges: got %v, want ErrConflict", err)
	}
	equal(t, "state", loadJudge(t, s), before)
}

// putWindow puts a window of the test's split.
func putWindow(t *testing.T, s store.Store, from store.MemberID, epoch uint64, data string) {
	t.Helper()
	put(t, s, from, store.Frame{Split: "assistant", Epoch: epoch, Window: []byte(data)})
}

// windows returns the windows of the test's split.
func windows(t *testing.T, s store.Store, epoch uint64) frames {
	t.Helper()
	all, err := s.Windows(t.Context(), "assistant", epoch)
	if err != nil {
		t.Fatalf("Windows: %v", err)
	}
	texts := frames{}
	for id, data := range all {
		texts[id] = string(data)
	}
	return texts
}
