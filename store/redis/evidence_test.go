//go:build unix

package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/storetest"
)

const (
	judgeKey   = "switchback:{default/assistant}:judge"
	windowsKey = "switchback:{default/assistant}:windows:1"
)

// evidenceKey is the key of a second of the split's first epoch.
func evidenceKey(second int64) string {
	return fmt.Sprint("switchback:{default/assistant}:evidence:1:", second)
}

// frameOf returns a frame of a split.
func frameOf(split string, second int64) store.Frame {
	return store.Frame{Split: split, Epoch: 1, Second: second, Data: []byte("frame"), Window: []byte("window")}
}

// put puts a frame of the split.
func put(t *testing.T, s store.Store, from store.MemberID, second int64) store.Seat {
	t.Helper()
	seats, err := s.PutFrames(t.Context(), from, []store.Frame{frameOf("assistant", second)})
	if err != nil {
		t.Fatalf("PutFrames: %v", err)
	}
	return seats[0]
}

// Whatever is asked together is one round trip, and what is in Redis can be read by people.
func TestEvidenceIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	id := store.MemberID{Name: "proxy-1", Boot: "0123456789abcdef"}
	now := time.Now().Unix()
	frames, asks, swaps := make([]store.Frame, 11), make([]store.SealAsk, 11), make([]store.JudgeSwap, 11)
	for i := range frames {
		split := fmt.Sprint("assistant-", i)
		frames[i] = frameOf(split, now)
		asks[i] = store.SealAsk{Split: split, Epoch: 1, Seconds: []int64{now - 1, now}, Expected: []store.MemberID{id}}
		swaps[i] = store.JudgeSwap{Split: split, Next: store.JudgeState{Version: 1, Epoch: 1, Folded: 1}}
	}
	all := map[string]func() error{
		"PutFrames":  func() error { _, err := s.PutFrames(t.Context(), id, frames); return err },
		"Seal":       func() error { _, err := s.Seal(t.Context(), asks); return err },
		"SwapJudges": func() error { return errors.Join(s.SwapJudges(t.Context(), swaps)...) },
	}
	for name, call := range all { // loads the scripts
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, call := range all {
		before := reads(t, server)
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := reads(t, server) - before; got != 2 { // the call, and the count itself
			t.Errorf("%s of 11 splits: the server read %d times, want once", name, got-1)
		}
	}
}

// reads returns how often a server has read from its clients: once for each round trip.
func reads(t *testing.T, server *storetest.Redis) int {
	t.Helper()
	return field(t, server, "stats", "total_reads_processed")
}

// A server that has forgotten the scripts is told them again, all in one further round trip.
func TestBatchOfUnknownScripts(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	id := store.MemberID{Name: "a", Boot: "1"}
	for range 2 {
		server.Do("SCRIPT", "FLUSH")
		now := time.Now().Unix()
		seats, err := s.PutFrames(t.Context(), id, []store.Frame{frameOf("one", now), frameOf("other", now)})
		if err != nil || !seats[0].Holder || !seats[1].Holder {
			t.Errorf("PutFrames: got %+v, %v, want two leases", seats, err)
		}
	}
}

// Something else under the keys of one split keeps no other back.
func TestOddEvidence(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	id := store.MemberID{Name: "a", Boot: "1"}
	now := time.Now().Unix()
	for _, key := range []string{judgeKey, evidenceKey(now)} {
		t.Run(key, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := open(t, at(server))
			server.Do("SET", key, "x")
			seats, err := s.PutFrames(t.Context(), id, []store.Frame{frameOf("assistant", now), frameOf("other", now)})
			wantOdd(t, "PutFrames", err)
			if diff := cmp.Diff([]store.Seat{{}, {Holder: true}}, seats); diff != "" {
				t.Errorf("PutFrames (-want +got):\n%s", diff)
			}
			ask := store.SealAsk{Split: "assistant", Epoch: 1, Seconds: []int64{now}, Expected: []store.MemberID{id}}
			other := ask
			other.Split = "other"
			sealed, err := s.Seal(t.Context(), []store.SealAsk{ask, other})
			wantOdd(t, "Seal", err)
			if len(sealed[0]) != 0 || len(sealed[1]) != 1 {
				t.Errorf("Seal: got %v, want the other split's second", sealed)
			}
		})
	}
}

// wantOdd wants an error that says which split has a key of the wrong type.
func wantOdd(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrNotWritten) ||
		!strings.Contains(err.Error(), `"assistant"`) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("%s: got %v, want ErrUnavailable and ErrNotWritten, with the split and WRONGTYPE", what, err)
	}
}

// A judge's state that cannot be read is told of, and can be written over.
func TestOddJudge(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	for name, tt := range map[string]struct {
		spoil   []any
		version uint64 // to write over
	}{
		"version is no number": {[]any{"HSET", judgeKey, "version", "abc"}, 0},
		"epoch is no number":   {[]any{"HSET", judgeKey, "epoch", "abc"}, 1},
		"folded is no number":  {[]any{"HSET", judgeKey, "folded", "-1"}, 1},
		"late is no number":    {[]any{"HSET", judgeKey, "late", "x"}, 1},
		"no epoch":             {[]any{"HDEL", judgeKey, "epoch"}, 1},
		"no document":          {[]any{"HDEL", judgeKey, "doc"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := open(t, at(server))
			swap := store.JudgeSwap{Split: "assistant", Next: store.JudgeState{Version: 1, Epoch: 1, Folded: 5, Doc: []byte("doc")}}
			if err := s.SwapJudges(t.Context(), []store.JudgeSwap{swap})[0]; err != nil {
				t.Fatal(err)
			}
			server.Do(tt.spoil...)
			state, err := s.LoadJudge(t.Context(), "assistant")
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), judgeKey) {
				t.Errorf("LoadJudge: got %v, want ErrCorrupt and the key", err)
			}
			if diff := cmp.Diff(store.JudgeState{Version: tt.version}, state); diff != "" {
				t.Errorf("LoadJudge: got %+v, want the version alone", state)
			}
			if got := put(t, s, store.MemberID{Name: "a", Boot: "1"}, time.Now().Unix()).Version; got != tt.version {
				t.Errorf("PutFrames: got version %d, want %d", got, tt.version)
			}
			swap.Prev, swap.Next.Version, swap.Next.Folded = state, state.Version+1, 6
			if err := s.SwapJudges(t.Context(), []store.JudgeSwap{swap})[0]; err != nil {
				t.Errorf("SwapJudges: %v", err)
			}
		})
	}
}

// A member that falls silent loses the lease to the next that asks. The test lets it run out, rather than wait.
func TestLeaseRunsOut(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	holder, other := store.MemberID{Name: "a", Boot: "1"}, store.MemberID{Name: "b", Boot: "1"}
	now := time.Now().Unix()
	if !put(t, s, holder, now).Holder || put(t, s, other, now).Holder {
		t.Fatal("want the first to hold the split")
	}
	got := server.Do("HMGET", judgeKey, "holder", "term").([]any)
	if diff := cmp.Diff([]any{"a/1", "1"}, got); diff != "" {
		t.Errorf("lease: got %v (-want +got):\n%s", got, diff)
	}
	var until int64
	if _, err := fmt.Sscan(server.Do("HGET", judgeKey, "until").(string), &until); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(time.UnixMicro(until)); left > store.LeaseFor || left < -time.Minute {
		t.Errorf("the lease lasts for %v more, want at most %v", left, store.LeaseFor)
	}
	server.Do("HSET", judgeKey, "until", time.Now().Add(-time.Millisecond).UnixMicro())
	if !put(t, s, other, now).Holder || put(t, s, holder, now).Holder {
		t.Error("the lease has run out: want it to go to who asks first, and not back")
	}
}

// Windows that are too old are not shown, and those of members that have gone do not pile up.
func TestOldWindowsAreDropped(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	old := func(age time.Duration) string { return fmt.Sprint(time.Now().Add(-age).UnixMicro(), " window") }
	server.Do("HSET", windowsKey, "gone/1", old(store.WindowKept+time.Second), "silent/1", old(store.WindowKept-2*time.Second),
		"odd/1", "window")
	windows, err := s.Windows(t.Context(), "assistant", 1)
	want := map[store.MemberID][]byte{{Name: "silent", Boot: "1"}: []byte("window")}
	if diff := cmp.Diff(want, windows); err != nil || diff != "" {
		t.Errorf("Windows: got %s, %v (-want +got):\n%s", windows, err, diff)
	}
	for i := range 100 {
		server.Do("HSET", windowsKey, fmt.Sprint("crashed/", i), old(time.Minute))
	}
	deadline := time.Now().Add(30 * time.Second)
	for server.Do("HLEN", windowsKey).(int64) > 10 {
		if time.Now().After(deadline) {
			t.Fatalf("%v windows are kept, want few", server.Do("HLEN", windowsKey))
		}
		put(t, s, store.MemberID{Name: "a", Boot: "1"}, time.Now().Unix())
	}
}

// What is folded is removed at once, what is left over expires.
func TestEvidenceIsRemoved(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	id := store.MemberID{Name: "a", Boot: "1"}
	now := time.Now().Unix()
	for second := now - store.MaxCleared - 3; second <= now; second++ {
		put(t, s, id, second)
	}
	prev := store.JudgeState{}
	for i, tt := range []struct {
		folded int64
		left   int
	}{{now - 2, 4}, {now, 2}} { // the first two are more than one swap removes
		next := store.JudgeState{Version: prev.Version + 1, Epoch: 1, Folded: tt.folded}
		if err := s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: "assistant", Prev: prev, Next: next}})[0]; err != nil {
			t.Fatal(err)
		}
		keys := server.Do("KEYS", evidenceKey(0)[:len(evidenceKey(0))-1]+"*").([]any)
		if len(keys) != tt.left {
			t.Errorf("swap %d: %d seconds are left, want %d: %v", i, len(keys), tt.left, keys)
		}
		for _, key := range keys {
			if ttl := server.Do("TTL", key).(int64); ttl <= 0 || ttl > 1+int64(store.EvidenceKept/time.Second) {
				t.Errorf("%v lives for %d s, want %v at most", key, ttl, store.EvidenceKept)
			}
		}
		prev = next
	}
}

// A seal is kept by the server: another proxy, on another connection, after a restart gets the same.
func TestSealOutlivesARestart(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	id := store.MemberID{Name: "a", Boot: "1"}
	now := time.Now().Unix()
	ask := []store.SealAsk{{Split: "assistant", Epoch: 1, Seconds: []int64{now}, Expected: []store.MemberID{id}}}
	s := open(t, at(server))
	put(t, s, id, now)
	before, err := s.Seal(t.Context(), ask)
	if err != nil || len(before[0]) != 1 {
		t.Fatalf("Seal: got %v, %v, want the second", before, err)
	}
	server.RestartFrom(server.Dump())
	ask[0].Expected = append(ask[0].Expected, store.MemberID{Name: "b", Boot: "1"})
	after, err := open(t, at(server)).Seal(t.Context(), ask)
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("Seal: got %v, %v (-before +after):\n%s", after, err, diff)
	}
}

// What is sealed can be read on a server that refuses writes; all that writes says that nothing was written.
func TestEvidenceWhileWritesAreRefused(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	id := store.MemberID{Name: "a", Boot: "1"}
	now := time.Now().Unix()
	put(t, s, id, now)
	ask := store.SealAsk{Split: "assistant", Epoch: 1, Seconds: []int64{now}, Expected: []store.MemberID{id}}
	if _, err := s.Seal(t.Context(), []store.SealAsk{ask}); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]struct{ begin, end func() }{
		"out of memory": {server.Fill, server.Empty}, "read-only": {server.ReadOnly, server.Writable},
	} {
		fault.begin()
		sealed, err := s.Seal(t.Context(), []store.SealAsk{ask})
		if err != nil || len(sealed[0]) != 1 {
			t.Errorf("%s: Seal: got %v, %v, want what was sealed before", name, sealed, err)
		}
		windows, err := s.Windows(t.Context(), "assistant", 1)
		if err != nil {
			t.Errorf("%s: Windows: got %v, %v", name, windows, err)
		}
		open := ask
		open.Seconds = []int64{now - 10}
		_, sealing := s.Seal(t.Context(), []store.SealAsk{open})
		_, putting := s.PutFrames(t.Context(), id, []store.Frame{frameOf("assistant", now)})
		swapping := s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: "assistant", Next: store.JudgeState{Version: 1}}})[0]
		for what, err := range map[string]error{"Seal": sealing, "PutFrames": putting, "SwapJudges": swapping} {
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrNotWritten) {
				t.Errorf("%s: %s: got %v, want ErrUnavailable and ErrNotWritten", name, what, err)
			}
		}
		fault.end()
	}
}

// BenchmarkEvidence measures one second of one split in a fleet of 20: all put, the holder seals and folds. It is the
// server's one thread that counts.
func BenchmarkEvidence(b *testing.B) {
	const fleet = 20
	server := storetest.StartRedis(b)
	s := open(b, at(server))
	ids := make([]store.MemberID, fleet)
	for i := range ids {
		ids[i] = store.MemberID{Name: fmt.Sprint("proxy-", i), Boot: "0123456789abcdef"}
	}
	frame := frameOf("assistant", time.Now().Unix()-100)
	frame.Data, frame.Window = make([]byte, 2<<10), make([]byte, 8<<10)
	prev := store.JudgeState{Epoch: 1}
	server.Do("CONFIG", "RESETSTAT")
	for b.Loop() {
		for _, id := range ids {
			if _, err := s.PutFrames(b.Context(), id, []store.Frame{frame}); err != nil {
				b.Fatal(err)
			}
		}
		ask := store.SealAsk{Split: "assistant", Epoch: frame.Epoch, Seconds: []int64{frame.Second}, Expected: ids}
		if sealed, err := s.Seal(b.Context(), []store.SealAsk{ask}); err != nil || len(sealed[0]) != 1 {
			b.Fatalf("Seal: got %v, %v, want the second", sealed, err)
		}
		next := store.JudgeState{Version: prev.Version + 1, Epoch: frame.Epoch, Folded: frame.Second, Doc: make([]byte, 64<<10)}
		if err := s.SwapJudges(b.Context(), []store.JudgeSwap{{Split: "assistant", Prev: prev, Next: next}})[0]; err != nil {
			b.Fatal(err)
		}
		prev = next
		frame.Epoch++ // the second is the same, so that it stays in reach
	}
	b.StopTimer()
	b.ReportMetric(serverMicros(b, server)/float64(b.N), "server-µs/op")
}
