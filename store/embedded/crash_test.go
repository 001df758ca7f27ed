package embedded_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

const split = "assistant"

// written opens a store, makes n changes, closes it and returns the last State.
func written(t *testing.T, folder string, n int) *splitter.State {
	t.Helper()
	s := open(t, folder)
	state, ev := storetest.First(split, "change-1")
	var prev splitter.Version
	for i := range n {
		if err := s.Swap(t.Context(), prev, state, ev); err != nil {
			t.Fatal(err)
		}
		prev = state.Version
		if i+1 < n {
			state, ev = storetest.Next(state, fmt.Sprint("change-", i+2))
		}
	}
	closeStore(t, s)
	return state
}

// wantLog wants the newest events of a store.
func wantLog(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	events, err := s.Events(t.Context(), split, len(want)+1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range events {
		got = append(got, ev.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events: got %v, want %v", got, want)
	}
}

// logFile returns the file of the split's event log.
func logFile(folder string) string { return filepath.Join(folder, "events", split+".jsonl") }

// read returns a file's text.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// put replaces a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestart(t *testing.T) {
	folder := t.TempDir()
	state := written(t, folder, 3)
	s := open(t, folder)
	if _, err := s.Secret(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	loaded, err := s.Load(t.Context(), split)
	if err != nil || loaded.Version != state.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, state.Version)
	}
	wantLog(t, s, "change-3", "change-2", "change-1")
	next, ev := storetest.Next(loaded, "change-4")
	if err := s.Swap(t.Context(), loaded.Version, next, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
	closeStore(t, s)
	s = open(t, folder)
	wantLog(t, s, "change-4", "change-3", "change-2", "change-1")
	if secret, err := s.Secret(t.Context(), "other"); err != nil || secret != "kept" {
		t.Errorf("Secret: got %q, %v, want kept", secret, err)
	}
}

// Whatever a crash does to the end of the log, the event of the State's file is in it afterwards, once.
func TestLogAfterCrash(t *testing.T) {
	for name, tt := range map[string]struct {
		crash func(whole string) string
		want  []string
	}{
		"none":           {func(s string) string { return s }, []string{"change-2", "change-1"}},
		"not appended":   {func(s string) string { return strings.SplitAfter(s, "\n")[0] }, []string{"change-2", "change-1"}},
		"torn":           {func(s string) string { return s[:len(s)-20] }, []string{"change-2", "change-1"}},
		"no end of line": {func(s string) string { return s[:len(s)-1] }, []string{"change-2", "change-1"}},
		"lost":           {func(string) string { return "" }, []string{"change-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			written(t, folder, 2)
			put(t, logFile(folder), tt.crash(read(t, logFile(folder))))
			s := open(t, folder)
			wantLog(t, s, tt.want...)
			if got := strings.Count(read(t, logFile(folder)), "\n"); got != len(tt.want) {
				t.Errorf("the file has %d lines, want %d", got, len(tt.want))
			}
			if warning := s.Describe().Warning; warning != "" {
				t.Errorf("warning: got %q, want none", warning)
			}
		})
	}
}

// A log that somebody edited does not keep a proxy from starting, and is not thrown away.
func TestBrokenLog(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 2)
	broken := "what is this\n" + read(t, logFile(folder))
	put(t, logFile(folder), broken)
	s := open(t, folder)
	wantLog(t, s, "change-2", "change-1")
	if got := s.Describe().Warning; !strings.Contains(got, logFile(folder)+".broken") {
		t.Errorf("warning: got %q, want where the log was put", got)
	}
	if got := read(t, logFile(folder)+".broken"); got != broken {
		t.Errorf("what was put aside: got %q, want %q", got, broken)
	}
}

// A log keeps so many events, and none for longer than so long; events of an earlier form, without cursors, count as of
// when they say they were.
func TestLogIsTrimmed(t *testing.T) {
	now := time.Now()
	const many = store.EventsKept + 500
	for name, tt := range map[string]struct {
		age          func(i int) time.Duration // of line i
		cursor       bool
		kept         int
		first, limit string
	}{
		"by number":                  {func(int) time.Duration { return time.Hour }, true, store.EventsKept, "old-501", "old-1500"},
		"by number, without cursors": {func(int) time.Duration { return time.Hour }, false, store.EventsKept, "old-501", "old-1500"},
		"by age": {func(i int) time.Duration {
			return store.EventsKeptFor + time.Duration(many-30-i)*time.Hour - 30*time.Minute
		}, true, 31, "old-10470", "change-1"},
		"by age, without cursors": {func(i int) time.Duration {
			return store.EventsKeptFor + time.Duration(many-30-i)*time.Hour - 30*time.Minute
		}, false, 31, "old-10470", "change-1"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			written(t, folder, 1)
			line := read(t, logFile(folder))
			var long strings.Builder
			for i := range many {
				ev := store.Event{ID: fmt.Sprint("old-", i), Split: split}
				ev.At = now.Add(-tt.age(i))
				if tt.cursor {
					ev.Cursor = store.Cursor{Millis: uint64(ev.At.UnixMilli()), Seq: uint64(i)}.String()
				}
				text, err := json.Marshal(ev)
				if err != nil {
					t.Fatal(err)
				}
				long.Write(append(text, '\n'))
			}
			put(t, logFile(folder), long.String()+line)
			s := open(t, folder)
			if got := strings.Count(read(t, logFile(folder)), "\n"); got != tt.kept {
				t.Errorf("the file has %d lines, want %d", got, tt.kept)
			}
			oldest, err := s.EventsAfter(t.Context(), split, "", 2*store.EventsKept)
			if err != nil || len(oldest) != min(tt.kept, store.MaxEvents) || oldest[0].ID != tt.first ||
				oldest[len(oldest)-1].ID != tt.limit {
				t.Errorf("EventsAfter: got %d events, %v, want those from %s to %s", len(oldest), err, tt.first, tt.limit)
			}
			newest, err := s.Events(t.Context(), split, 2*store.EventsKept)
			if err != nil || len(newest) != min(tt.kept, store.MaxEvents) || newest[0].ID != "change-1" {
				t.Errorf("Events: got %d events, %v, want the newest first", len(newest), err)
			}
		})
	}
}

func TestTornState(t *testing.T) {
	for name, spoil := range map[string]func(string) string{
		"empty":         func(string) string { return "" },
		"half":          func(s string) string { return s[:len(s)/2] },
		"no state":      func(string) string { return "{}" },
		"another split": func(s string) string { return strings.ReplaceAll(s, split, "other") },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			written(t, folder, 1)
			path := filepath.Join(folder, "states", split+".json")
			put(t, path, spoil(read(t, path)))
			_, openErr := embedded.Open(folder)
			_, readErr := embedded.Read(folder)
			for what, err := range map[string]error{"Open": openErr, "Read": readErr} {
				if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Dir(path)) ||
					!strings.Contains(err.Error(), split) {
					t.Errorf("%s: got %v, want ErrCorrupt and where", what, err)
				}
			}
		})
	}
}

// A State whose event cannot be logged stands; the log is completed before anything else is written.
func TestLogThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	if err := os.Remove(logFile(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(logFile(folder), 0o700); err != nil { // cannot be appended to, by root either
		t.Fatal(err)
	}
	second, ev := storetest.Next(first, "change-2")
	for range 2 { // and a retry
		if err := s.Swap(t.Context(), first.Version, second, ev); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Swap: got %v, want ErrUnavailable", err)
		}
	}
	if loaded, err := s.Load(t.Context(), split); err != nil || loaded.Version != second.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, second.Version)
	}
	if err := os.Remove(logFile(folder)); err != nil {
		t.Fatal(err)
	}
	if err := s.Swap(t.Context(), first.Version, second, ev); err != nil {
		t.Errorf("Swap again: %v", err)
	}
	wantLog(t, s, "change-2", "change-1")
	if got := read(t, logFile(folder)); strings.Count(got, "\n") != 1 || !strings.Contains(got, "change-2") {
		t.Errorf("log: got %s, want the second change", got)
	}
}

// A State that cannot be written changes nothing.
func TestStateThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 1)
	s := open(t, folder)
	if err := os.RemoveAll(filepath.Join(folder, "states")); err != nil {
		t.Fatal(err)
	}
	next, ev := storetest.Next(first, "change-2")
	if err := s.Swap(t.Context(), first.Version, next, ev); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Swap: got %v, want ErrUnavailable and the cause", err)
	}
	if loaded, err := s.Load(t.Context(), split); err != nil || loaded.Version != first.Version {
		t.Errorf("Load: got %v, %v, want %v", loaded, err, first.Version)
	}
	wantLog(t, s, "change-1")
}
