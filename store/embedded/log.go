package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// entry is an event and where it is in the log; the event's Cursor says the same.
type entry struct {
	at    store.Cursor
	event store.Event
}

// entryAt makes an entry.
func entryAt(at store.Cursor, ev store.Event) entry {
	ev.Cursor = at.String()
	return entry{at: at, event: ev}
}

// eventLog is one split's audit log. Its methods must not be called concurrently, but for flush and write, which may run
// beside newest and after.
type eventLog struct {
	path    string  // empty: in memory only
	entries []entry // in the order of their cursors; as many, and as old, as a log keeps
	// unwritten is the newest event while it is not in the file yet. There is never more than one: the State's file
	// holds it meanwhile, and no change is made before it was flushed.
	unwritten *store.Event
	broken    int // lines that could not be read
	lines     int // in the file
}

// readLog reads a log; one that is not there is empty. A last line without its end was torn by a crash and does not
// count, as nobody was told that it was written. Other lines that cannot be read are counted. Entries without a cursor that
// comes after that of the one before have none: see number.
func readLog(path string) (*eventLog, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read event log: %w", err)
	}
	l := &eventLog{path: path}
	seen, isOrdered := map[string]bool{}, true
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var ev store.Event
		if json.Unmarshal(line, &ev) != nil {
			l.broken++
			continue
		}
		if seen[ev.ID] {
			continue
		}
		seen[ev.ID] = true
		at, err := store.ParseCursor(ev.Cursor)
		if isOrdered = isOrdered && err == nil && at.Compare(l.last()) > 0; !isOrdered {
			at = store.Cursor{}
		}
		l.entries = append(l.entries, entry{at: at, event: ev})
	}
	return l, nil
}

// last returns the newest entry's cursor; zero if there is none.
func (l *eventLog) last() store.Cursor {
	if len(l.entries) == 0 {
		return store.Cursor{}
	}
	return l.entries[len(l.entries)-1].at
}

// complete adds the event in the State's file, which may have been kept out of the log by a crash.
func (l *eventLog) complete(ev store.Event) {
	if l.has(ev.ID) {
		return
	}
	at, err := store.ParseCursor(ev.Cursor)
	if err != nil || len(l.entries) > 0 && l.last() == (store.Cursor{}) {
		l.entries = append(l.entries, entry{event: ev})
		return
	}
	i, _ := l.find(at)
	l.entries = slices.Insert(l.entries, i, entry{at: at, event: ev})
}

// number gives a cursor after last to each entry that has none, and returns the last one given.
func (l *eventLog) number(last store.Cursor) store.Cursor {
	for i, e := range l.entries {
		if e.at == (store.Cursor{}) {
			last = last.Next(e.event.At)
			l.entries[i] = entryAt(last, e.event)
		}
	}
	return last
}

// find returns the place of the first entry at a cursor or after it, and whether it is at the cursor.
func (l *eventLog) find(at store.Cursor) (int, bool) {
	return slices.BinarySearchFunc(l.entries, at, func(e entry, at store.Cursor) int { return e.at.Compare(at) })
}

// repair makes the file what it should be: complete, trimmed, and without torn or broken lines. A file with broken lines
// is first put aside.
func (l *eventLog) repair() error {
	if l.broken > 0 {
		if err := os.Rename(l.path, l.aside()); err != nil {
			return fmt.Errorf("put a broken event log aside: %w", err)
		}
	}
	return l.rewrite()
}

// aside is where a log with broken lines is put.
func (l *eventLog) aside() string { return l.path + ".broken" }

// rewrite replaces the file if its content is not exactly the log's.
func (l *eventLog) rewrite() error {
	var want bytes.Buffer
	for _, e := range l.entries {
		line, err := encodeLine(e.event)
		if err != nil {
			return err
		}
		want.Write(line)
	}
	l.lines = len(l.entries)
	have, err := os.ReadFile(l.path)
	if err == nil && bytes.Equal(have, want.Bytes()) {
		return nil
	}
	return store.WriteFile(l.path, want.Bytes())
}

// trim drops what a log does not keep.
func (l *eventLog) trim(now time.Time) {
	oldest := now.Add(-store.EventsKeptFor)
	from := max(0, len(l.entries)-store.EventsKept)
	for from < len(l.entries) && l.entries[from].at.Before(oldest) {
		from++
	}
	l.entries = slices.Delete(l.entries, 0, from)
}

// add adds an entry in memory.
func (l *eventLog) add(e entry, now time.Time) {
	l.entries = append(l.entries, e)
	l.trim(now)
}

// flush appends to the file what is not there yet. A file that has grown to twice what a log keeps is then made anew.
func (l *eventLog) flush() error {
	if l.unwritten != nil {
		if err := l.write(*l.unwritten); err != nil {
			return err
		}
		l.unwritten = nil
	}
	if l.lines < 2*store.EventsKept {
		return nil
	}
	return l.rewrite()
}

// write appends an event to the file, unless the log is in memory only.
func (l *eventLog) write(ev store.Event) error {
	if l.path == "" {
		return nil
	}
	line, err := encodeLine(ev)
	if err != nil {
		return err
	}
	if err := appendFile(l.path, line); err != nil {
		return fmt.Errorf("append to event log: %w", err)
	}
	l.lines++
	return nil
}

// has reports whether an event is in the log.
func (l *eventLog) has(id string) bool {
	for _, e := range slices.Backward(l.entries) {
		if e.event.ID == id {
			return true
		}
	}
	return false
}

// newest returns at most limit events, the newest first.
func (l *eventLog) newest(limit int) []store.Event {
	from := len(l.entries) - min(store.Page(limit), len(l.entries))
	out := eventsOf(l.entries[from:])
	slices.Reverse(out)
	return out
}

// after returns at most limit events that follow a cursor, the oldest first.
func (l *eventLog) after(at store.Cursor, limit int) []store.Event {
	from, isThere := l.find(at)
	if isThere {
		from++
	}
	rest := l.entries[from:]
	return eventsOf(rest[:min(store.Page(limit), len(rest))])
}

// eventsOf returns the events of entries.
func eventsOf(entries []entry) []store.Event {
	out := make([]store.Event, len(entries))
	for i, e := range entries {
		out[i] = e.event
	}
	return out
}

// encodeLine encodes an event as one line.
func encodeLine(ev store.Event) ([]byte, error) {
	line, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", ev.ID, err)
	}
	return append(line, '\n'), nil
}

// appendFile appends one line and syncs it. If that fails, what was written of it is cut off again, so that the next
// line does not end up behind half of this one.
func appendFile(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = file.Write(line)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		err = errors.Join(err, file.Truncate(info.Size()))
	}
	return errors.Join(err, file.Close())
}
