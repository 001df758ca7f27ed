package embedded_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// What is too old is dropped: evidence after seconds, members after a day.
func TestOldIsDropped(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
		a, b := store.MemberID{Name: "a", Boot: "1"}, store.MemberID{Name: "b", Boot: "1"}
		both := func(wait time.Duration) (frames, members int) {
			t.Helper()
			exchange(t, s, a)
			beat(t, s, a)
			time.Sleep(wait)
			return exchange(t, s, b), beat(t, s, b)
		}
		for _, tt := range []struct {
			wait            time.Duration
			frames, members int
		}{
			{store.FrameKept, 2, 2},
			{store.FrameKept + 1, 1, 2},
			{store.MemberKept, 1, 2},
			{store.MemberKept + 1, 1, 1},
		} {
			if frames, members := both(tt.wait); frames != tt.frames || members != tt.members {
				t.Errorf("after %v: got %d frames, %d members, want %d, %d", tt.wait, frames, members, tt.frames, tt.members)
			}
		}
	})
}

// exchange gives a frame and returns how many there are.
func exchange(t *testing.T, s store.Store, id store.MemberID) int {
	t.Helper()
	frames, err := s.Exchange(t.Context(), split, 1, id, []byte("frame"))
	if err != nil {
		t.Fatal(err)
	}
	return len(frames)
}

// beat beats and returns how many members there are.
func beat(t *testing.T, s store.Store, id store.MemberID) int {
	t.Helper()
	p, err := s.Pulse(t.Context(), store.Beat{MemberID: id, ListMembers: true})
	if err != nil {
		t.Fatal(err)
	}
	return len(p.Members)
}

// Who leaves takes earlier runs of the same proxy along that ended without a goodbye, and nobody else.
func TestLeaveWithNamesakes(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
		beat(t, s, store.MemberID{Name: "a", Boot: "crashed"})
		beat(t, s, store.MemberID{Name: "b", Boot: "crashed"})
		time.Sleep(time.Millisecond)
		beat(t, s, store.MemberID{Name: "a", Boot: "twin"})
		time.Sleep(store.SilentAfter - time.Millisecond)
		leaving := store.MemberID{Name: "a", Boot: "leaving"}
		if members := beat(t, s, leaving); members != 4 {
			t.Fatalf("before: got %d members, want 4", members)
		}
		if err := s.Leave(t.Context(), leaving); err != nil {
			t.Fatalf("Leave: %v", err)
		}
		if members := beat(t, s, store.MemberID{Name: "a", Boot: "twin"}); members != 2 {
			t.Errorf("after: got %d members, want b and the twin", members)
		}
	})
}

// A watcher that is slow loses notices, never silently: it is told to ask for everything.
func TestSlowWatcher(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		first, goOn := make(chan struct{}, 1), make(chan struct{})
		var got []store.Notice
		watch := make(chan error, 1)
		go func() {
			watch <- s.Watch(t.Context(), func(n store.Notice) {
				if len(got) == 0 {
					first <- struct{}{}
					<-goOn
				}
				got = append(got, n)
			})
		}()
		<-first
		for range 1000 {
			if err := s.Announce(t.Context(), store.Notice{Split: split}); err != nil {
				t.Fatal(err)
			}
		}
		close(goOn)
		synctest.Wait()
		closeStore(t, s)
		if err := <-watch; err == nil {
			t.Error("Watch on a closed store: got no error")
		}
		if len(got) > 300 || !got[1].Resync {
			t.Errorf("got %d notices, the second %+v; want few, and a Resync", len(got), got[1])
		}
	})
}
