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
	p, err := s.Pulse(t.Context(), store.Beat{MemberID: id})
	if err != nil {
		t.Fatal(err)
	}
	return len(p.Members)
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
