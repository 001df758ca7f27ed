package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

var (
	memberA = store.MemberID{Name: "a/slashed", Boot: "1"}
	memberB = store.MemberID{Name: "b", Boot: "1"}
	memberC = store.MemberID{Name: "sealed \"\n\xff", Boot: ""} // nothing that a store may trip over
)

// never is more patience than any test has.
const never = time.Hour

var evidenceTests = map[string]func(*testing.T, store.Store){
	"a frame put again counts once": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		for range 3 {
			put(t, s, memberA, frameAt(now, "a"))
		}
		equal(t, "sealed", sealOne(t, s, now, never, memberA), sealedAs(now, frames{memberA: "a"}))
	},
	"a frame of other content replaces the last": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		put(t, s, memberA, frameAt(now, "old"))
		put(t, s, memberB, frameAt(now, "b"))
		put(t, s, memberA, frameAt(now, "new"))
		equal(t, "sealed", sealOne(t, s, now, never, memberA, memberB), sealedAs(now, frames{memberA: "new", memberB: "b"}))
	},
	"frames are opaque": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		for i, data := range []string{"", " leading", "\x00\xff\r\n{}", "12345 6", strings.Repeat("x", store.MaxFrame)} {
			second := now - int64(i)
			equal(t, "late", put(t, s, memberC, frameAt(second, data)).Late, false)
			equal(t, "sealed", sealOne(t, s, second, never, memberC), sealedAs(second, frames{memberC: data}))
		}
	},
	"seconds, epochs and splits are apart": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		second, epoch, split := frameAt(now-1, "second"), frameAt(now, "epoch"), frameAt(now, "split")
		epoch.Epoch, split.Split = 2, "other"
		put(t, s, memberA, frameAt(now, "a"), second, epoch, split)
		equal(t, "sealed", sealOne(t, s, now, never, memberA), sealedAs(now, frames{memberA: "a"}))
	},
	"no frame this time": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		none := frameAt(0, "")
		none.Data, none.Window = nil, []byte("window")
		equal(t, "late", put(t, s, memberA, none).Late, false)
		none.Second = now + 2 // which does not pass meanwhile
		put(t, s, memberA, none)
		equal(t, "sealed", sealOne(t, s, none.Second, 0, memberA).Second, int64(0))
		sealPast(t, s, now-1, memberA)
	},
	"a second that is out of reach is late": func(t *testing.T, s store.Store) {
		const reach = int64(store.EvidenceKept / time.Second)
		now := clock(t, s)
		for away, want := range map[int64]bool{reach - 5: false, -reach + 5: false, reach + 5: true, -reach - 5: true} {
			equal(t, fmt.Sprint(away, " s away is late"), put(t, s, memberA, frameAt(now+away, "a")).Late, want)
		}
	},
	"what is too large is refused, and keeps nothing else back": func(t *testing.T, s store.Store) {
		now := clock(t, s)
		long, wide, named := frameAt(now, strings.Repeat("x", store.MaxFrame+1)), frameAt(now, "a"), frameAt(now, "a")
		long.Split, named.Split = "long", "../assistant"
		wide.Split, wide.Window = "wide", make([]byte, store.MaxWindow+1)
		seats, err := s.PutFrames(t.Context(), memberA, []store.Frame{long, frameAt(now, "a"), wide, named})
		for _, part := range []string{`"long"`, "65537", "65536", `"wide"`, "262145", "262144", `"../assistant"`} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("PutFrames: got %v, want %s in it", err, part)
			}
		}
		if errors.Is(err, store.ErrUnavailable) {
			t.Errorf("PutFrames: got %v, want no ErrUnavailable: the store was not asked", err)
		}
		equal(t, "seats", seats, []store.Seat{{}, {Holder: true}, {}, {}})
		equal(t, "sealed", sealOne(t, s, now, never, memberA), sealedAs(now, frames{memberA: "a"}))
	},
	"none": func(t *testing.T, s store.Store) {
		if seats, err := s.PutFrames(t.Context(), memberA, nil); err != nil || len(seats) != 0 {
			t.Errorf("PutFrames: got %v, %v, want nothing", seats, err)
		}
	},
}

// frames are evidence by member, as text.
type frames map[store.MemberID]string

// frameAt returns a frame of the test's split in its first epoch.
func frameAt(second int64, data string) store.Frame {
	return store.Frame{Split: "assistant", Epoch: 1, Second: second, Data: []byte(data)}
}

// clock returns the second that the store's clock shows.
func clock(t *testing.T, s store.Store) int64 {
	t.Helper()
	return pulse(t, s, beatOf("clock", "1", nil)).Now.Unix()
}

// put puts frames and returns the first one's seat.
func put(t *testing.T, s store.Store, from store.MemberID, frames ...store.Frame) store.Seat {
	t.Helper()
	seats, err := s.PutFrames(t.Context(), from, frames)
	if err != nil || len(seats) != len(frames) {
		t.Fatalf("PutFrames: got %d seats, %v, want %d", len(seats), err, len(frames))
	}
	return seats[0]
}

// sealedAs is a second that is sealed with these frames and without those members.
func sealedAs(second int64, all frames, missing ...store.MemberID) store.Sealed {
	sealed := store.Sealed{Second: second, Frames: map[store.MemberID][]byte{}, Missing: missing}
	for id, data := range all {
		sealed.Frames[id] = []byte(data)
	}
	return sealed
}

// askOf asks for seconds of the test's split in its first epoch.
func askOf(patience time.Duration, expected []store.MemberID, seconds ...int64) store.SealAsk {
	return store.SealAsk{Split: "assistant", Epoch: 1, Seconds: seconds, Expected: expected, Patience: patience}
}

// seal asks for seconds and returns those that are sealed.
func seal(t *testing.T, s store.Store, ask store.SealAsk) []store.Sealed {
	t.Helper()
	sealed, err := s.Seal(t.Context(), []store.SealAsk{ask})
	if err != nil || len(sealed) != 1 {
		t.Fatalf("Seal: got %v, %v, want an answer", sealed, err)
	}
	return sealed[0]
}

// sealOne asks for one second, and returns none if it is not sealed.
func sealOne(t *testing.T, s store.Store, second int64, patience time.Duration, expected ...store.MemberID) store.Sealed {
	t.Helper()
	if sealed := seal(t, s, askOf(patience, expected, second)); len(sealed) > 0 {
		return sealed[0]
	}
	return store.Sealed{}
}

// sealPast wants a second that has passed to be sealed without patience, and without frames.
func sealPast(t *testing.T, s store.Store, second int64, missing ...store.MemberID) {
	t.Helper()
	equal(t, "sealed without frames", sealOne(t, s, second, 0, missing...), sealedAs(second, nil, missing...))
}
