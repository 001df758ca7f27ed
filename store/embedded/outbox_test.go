package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// claimed claims all that is free for the group alerts, and wants these events.
func claimed(t *testing.T, s store.Store, want ...string) (receipts []string) {
	t.Helper()
	return storetest.WantClaimed(t, s, store.ClaimAsk{Group: "alerts", Limit: 100, Idle: time.Hour}, want...)
}

// record records an event and wants it to be new, or not.
func record(t *testing.T, s store.Store, id string, isNew bool) {
	t.Helper()
	got, err := s.Record(t.Context(), store.Event{ID: id, Split: split})
	if err != nil || got != isNew {
		t.Errorf("Record(%s): got %t, %v, want %t", id, got, err, isNew)
	}
}

// reopened closes a store and opens its folder again.
func reopened(t *testing.T, s *embedded.Store, folder string) *embedded.Store {
	t.Helper()
	closeStore(t, s)
	return open(t, folder)
}

// What was acknowledged before a restart is done, out of order too; what was only claimed is claimed again.
func TestOutboxAfterRestart(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	next, ev := storetest.Next(first, "change-2")
	if err := s.Swap(t.Context(), first.Version, next, ev); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"n-1", "n-2", "n-3"} {
		record(t, s, id, true)
	}
	receipts := claimed(t, s, "change-2", "n-1", "n-2", "n-3")
	if err := s.Acknowledge(t.Context(), "alerts", []string{receipts[0], receipts[2]}); err != nil {
		t.Fatal(err)
	}
	s = reopened(t, s, folder)
	record(t, s, "n-2", false)
	record(t, s, "n-4", true)
	receipts = claimed(t, s, "n-1", "n-3", "n-4")
	if err := s.Acknowledge(t.Context(), "alerts", receipts); err != nil {
		t.Fatal(err)
	}
	s = reopened(t, s, folder)
	claimed(t, s)
	wantLog(t, s, "n-4", "n-3", "n-2", "n-1", "change-2", "change-1")
}

// A group that has begun has begun for good, though nothing was acknowledged yet.
func TestGroupBeginsOnDisk(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	record(t, s, "n-1", true)
	claimed(t, reopened(t, s, folder), "n-1")
}

// An event whose State was written, and which a crash kept out of the log, is delivered, after those before it.
func TestOutboxAfterCrash(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	record(t, s, "n-1", true)
	before := read(t, logFile(folder))
	next, ev := storetest.Next(first, "change-2")
	if err := s.Swap(t.Context(), first.Version, next, ev); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]string{"not appended": before, "torn": before + `{"id":"chan`, "lost": ""} {
		t.Run(name, func(t *testing.T) {
			crashed := t.TempDir()
			if err := os.CopyFS(crashed, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			put(t, logFile(crashed), log)
			want := []string{"n-1", "change-2"}
			if log == "" {
				want = want[1:]
			}
			s := open(t, crashed)
			receipts := claimed(t, s, want...)
			if err := s.Acknowledge(t.Context(), "alerts", receipts); err != nil {
				t.Fatal(err)
			}
			record(t, s, "n-2", true)
			claimed(t, reopened(t, s, crashed), "n-2")
		})
	}
}

// The order is that of all splits, over a restart, whatever the clock does.
func TestOutboxOrderOfSplits(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	other, ev := storetest.First("other", "other-1")
	if err := s.Swap(t.Context(), splitter.Version{}, other, ev); err != nil {
		t.Fatal(err)
	}
	record(t, s, "n-1", true)
	closeStore(t, s)

	ahead := store.Cursor{Millis: uint64(time.Now().Add(time.Hour).UnixMilli())}.String()
	path := filepath.Join(folder, "events", "other.jsonl")
	put(t, path, read(t, path)+`{"id":"from-ahead","split":"other","cursor":"`+ahead+`"}`+"\n")
	s = open(t, folder)
	next, ev := storetest.Next(first, "change-2")
	if err := s.Swap(t.Context(), first.Version, next, ev); err != nil {
		t.Fatal(err)
	}
	claimed(t, s, "other-1", "n-1", "from-ahead", "change-2")
	after, err := s.EventsAfter(t.Context(), split, ahead, 10)
	if err != nil || len(after) != 1 || after[0].ID != "change-2" {
		t.Errorf("EventsAfter: got %v, %v, want the one written since", after, err)
	}
}

// What cannot be written is not recorded, and not delivered; tried again it is.
func TestRecordThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	log := read(t, logFile(folder))
	if err := errors.Join(os.Remove(logFile(folder)), os.Mkdir(logFile(folder), 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if isNew, err := s.Record(t.Context(), store.Event{ID: "n", Split: split}); isNew || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Record: got %t, %v, want ErrUnavailable", isNew, err)
		}
	}
	claimed(t, s)
	wantLog(t, s, "change-1")
	if err := os.Remove(logFile(folder)); err != nil {
		t.Fatal(err)
	}
	put(t, logFile(folder), log)
	record(t, s, "n", true)
	claimed(t, s, "n")
}

// A group that cannot be written has not begun, and what it could not acknowledge is not done.
func TestGroupThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 1)
	s := open(t, folder)
	groups := filepath.Join(folder, "groups")
	if err := os.RemoveAll(groups); err != nil {
		t.Fatal(err)
	}
	ask := store.ClaimAsk{Group: "alerts", Limit: 10}
	if _, err := s.Claim(t.Context(), ask); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Claim: got %v, want ErrUnavailable", err)
	}
	if err := os.Mkdir(groups, 0o700); err != nil {
		t.Fatal(err)
	}
	claimed(t, s)
	record(t, s, "n", true)
	receipts := claimed(t, s, "n")
	if err := os.RemoveAll(groups); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(t.Context(), "alerts", receipts); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Acknowledge: got %v, want ErrUnavailable", err)
	}
	if got, err := s.Claim(t.Context(), ask); err != nil || len(got) != 1 || got[0].Tries != 2 {
		t.Errorf("Claim: got %v, %v, want the event again", got, err)
	}
}

// A group's file that cannot be read costs that group's place and nothing else.
func TestBrokenGroup(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"after":"x"}`, `{"after":"1-0","acknowledged":["x"]}`} {
		folder := t.TempDir()
		written(t, folder, 1)
		s := open(t, folder)
		claimed(t, s)
		record(t, s, "n-1", true)
		closeStore(t, s)
		put(t, filepath.Join(folder, "groups", "alerts.json"), text)
		s = open(t, folder)
		if got := s.Describe().Warning; !strings.Contains(got, `"alerts"`) {
			t.Errorf("%q: warning: got %q, want one that names the group", text, got)
		}
		claimed(t, s) // it begins anew
		record(t, s, "n-2", true)
		claimed(t, s, "n-2")
		closeStore(t, s)
	}
}

// What is trimmed while it is pending is passed over.
func TestTrimmedWhilePending(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 1)
	s := open(t, folder)
	claimed(t, s)
	record(t, s, "n-1", true)
	record(t, s, "n-2", true)
	receipts := claimed(t, s, "n-1", "n-2")
	if err := s.Acknowledge(t.Context(), "alerts", receipts[1:]); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	var text strings.Builder
	at := store.Cursor{Millis: uint64(time.Now().UnixMilli())}
	var want []string
	for range store.OutboxKept {
		at.Seq++
		text.WriteString(`{"id":"` + at.String() + `","split":"` + split + `","cursor":"` + at.String() + "\"}\n")
		want = append(want, at.String())
	}
	put(t, logFile(folder), read(t, logFile(folder))+text.String())
	claimed(t, open(t, folder), want[:100]...)
}

// Whatever somebody did to a log's lines, each of its events has a place of its own in it, in their order.
func TestOddCursors(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	next, ev := storetest.Next(first, "change-2")
	record(t, s, "n-1", true)
	if err := s.Swap(t.Context(), first.Version, next, ev); err != nil {
		t.Fatal(err)
	}
	record(t, s, "n-2", true)
	record(t, s, "n-3", true)
	closeStore(t, s)
	lines := strings.SplitAfter(read(t, logFile(folder)), "\n")
	now := time.Now().Format(time.RFC3339)
	for name, tt := range map[string]struct{ lines, want []string }{
		"the state's event is missing": {[]string{lines[0], lines[1], lines[3], lines[4]},
			[]string{"change-1", "n-1", "change-2", "n-2", "n-3"}},
		"another order":   {[]string{lines[3], lines[1], lines[2], lines[0]}, []string{"n-2", "n-1", "change-2", "change-1"}},
		"one comes twice": {[]string{lines[1], lines[2], lines[1], lines[3]}, []string{"n-1", "change-2", "n-2"}},
		"no cursors": {[]string{`{"id":"a","at":"` + now + "\"}\n", `{"id":"b","at":"` + now + "\"}\n"},
			[]string{"a", "b", "change-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			odd := t.TempDir()
			if err := os.CopyFS(odd, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			put(t, logFile(odd), strings.Join(tt.lines, ""))
			s := open(t, odd)
			record(t, s, "last", true)
			var got []string
			for cursor := ""; len(got) < 10; {
				page, err := s.EventsAfter(t.Context(), split, cursor, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				got, cursor = append(got, page[0].ID), page[0].Cursor
			}
			if diff := cmp.Diff(append(tt.want, "last"), got); diff != "" {
				t.Errorf("events: got %v, want %v and the last", got, tt.want)
			}
		})
	}
}
