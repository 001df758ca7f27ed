package embedded_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// What is too old is dropped: windows after seconds, members after a day.
func TestOldIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, s *embedded.Store) {
		a, b := store.MemberID{Name: "a", Boot: "1"}, store.MemberID{Name: "b", Boot: "1"}
		both := func(wait time.Duration) (windows, members int) {
			t.Helper()
			show(t, s, a)
			beat(t, s, a)
			time.Sleep(wait)
			return show(t, s, b), beat(t, s, b)
		}
		for _, tt := range []struct {
			wait             time.Duration
			windows, members int
		}{
			{store.WindowKept, 2, 2},
			{store.WindowKept + 1, 1, 2},
			{store.MemberKept, 1, 2},
			{store.MemberKept + 1, 1, 1},
		} {
			if windows, members := both(tt.wait); windows != tt.windows || members != tt.members {
				t.Errorf("after %v: got %d windows, %d members, want %d, %d", tt.wait, windows, members, tt.windows, tt.members)
			}
		}
	})
}

// Frames that nobody folds are dropped after minutes, and none is taken for a second that was dropped.
func TestOldEvidenceIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, s *embedded.Store) {
		id := store.MemberID{Name: "a", Boot: "1"}
		f := store.Frame{Split: split, Epoch: 1, Second: time.Now().Unix(), Data: []byte("frame")}
		ask := []store.SealAsk{{Split: split, Epoch: 1, Seconds: []int64{f.Second}, Expected: []store.MemberID{id}}}
		for _, want := range []int{1, 0} { // still there, then gone
			if seat := putFrame(t, s, id, f); seat.Late != (want == 0) {
				t.Errorf("after %v: late is %t", time.Since(time.Unix(f.Second, 0)), seat.Late)
			}
			sealed, err := s.Seal(t.Context(), ask)
			if err != nil || len(sealed[0]) != 1 || len(sealed[0][0].Frames) != want {
				t.Errorf("Seal: got %v, %v, want %d frames", sealed, err, want)
			}
			time.Sleep(store.EvidenceKept + time.Second)
		}
	})
}

// A member that falls silent loses the lease to the next that asks.
func TestLeaseRunsOut(t *testing.T) {
	inBubble(t, func(t *testing.T, s *embedded.Store) {
		holder, other := store.MemberID{Name: "a", Boot: "1"}, store.MemberID{Name: "b", Boot: "1"}
		f := store.Frame{Split: split, Epoch: 1}
		for range 3 { // renewed
			if !putFrame(t, s, holder, f).Holder {
				t.Fatal("the holder lost its lease")
			}
			time.Sleep(store.LeaseFor - 1)
			if putFrame(t, s, other, f).Holder {
				t.Fatal("another one got the lease before it ran out")
			}
		}
		time.Sleep(time.Nanosecond)
		if !putFrame(t, s, other, f).Holder || putFrame(t, s, holder, f).Holder {
			t.Error("the lease has run out: want it to go to who asks first, and not back")
		}
	})
}

// inBubble runs a test with a store, and time that passes when everybody waits.
func inBubble(t *testing.T, test func(*testing.T, *embedded.Store)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer closeStore(t, s)
		test(t, s)
	})
}

// putFrame puts a frame.
func putFrame(t *testing.T, s store.Store, from store.MemberID, f store.Frame) store.Seat {
	t.Helper()
	seats, err := s.PutFrames(t.Context(), from, []store.Frame{f})
	if err != nil {
		t.Fatal(err)
	}
	return seats[0]
}

// show shows a window and returns how many are shown.
func show(t *testing.T, s store.Store, id store.MemberID) int {
	t.Helper()
	putFrame(t, s, id, store.Frame{Split: split, Epoch: 1, Window: []byte("window")})
	windows, err := s.Windows(t.Context(), split, 1)
	if err != nil {
		t.Fatal(err)
	}
	return len(windows)
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
	inBubble(t, func(t *testing.T, s *embedded.Store) {
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
