package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/switchback-proxy/switchback/store"
)

// keptEvents is how many events a log keeps: Open trims the file, memory never holds more.
const keptEvents = 1000

// eventLog is one split's audit log. Its methods must not be called concurrently, but for flush, which may run beside
// newest.
type eventLog struct {
	path   string        // empty: in memory only
	events []store.Event // the newest last, at most keptEvents
	// unwritten is the newest event while it is not in the file yet. There is never more than one: the State's file
	// holds it meanwhile, and no change is made before it was flushed.
	unwritten *store.Event
	broken    int // lines that could not be read
}

// readLog reads a log; one that is not there is empty. A last line without its end was torn by a crash and does not
// count, as nobody was told that it was written. Other lines that cannot be read are counted.
func readLog(path string) (*eventLog, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading event log: %w", err)
	}
	l := &eventLog{path: path}
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var ev store.Event
		if json.Unmarshal(line, &ev) != nil {
			l.broken++
			continue
		}
		l.add(ev)
	}
	l.unwritten = nil
	return l, nil
}

// repair makes the file what it should be: complete (last, the event in the State's file, may have been kept out of it
// by a crash), trimmed, and without torn or broken lines. A file with broken lines is first put aside.
func (l *eventLog) repair(last store.Event) error {
	if l.broken > 0 {
		if err := os.Rename(l.path, l.aside()); err != nil {
			return fmt.Errorf("putting a broken event log aside: %w", err)
		}
	}
	l.add(last)
	l.unwritten = nil
	return l.rewrite()
}

// aside is where a log with broken lines is put.
func (l *eventLog) aside() string { return l.path + ".broken" }

// rewrite replaces the file if its content is not exactly the log's.
func (l *eventLog) rewrite() error {
	var want bytes.Buffer
	for _, ev := range l.events {
		line, err := encodeLine(ev)
		if err != nil {
			return err
		}
		want.Write(line)
	}
	have, err := os.ReadFile(l.path)
	if err == nil && bytes.Equal(have, want.Bytes()) {
		return nil
	}
	return store.WriteFile(l.path, want.Bytes())
}

// add adds an event in memory, to be flushed. An event that the log has already is not added again.
func (l *eventLog) add(ev store.Event) {
	if l.has(ev.ID) {
		return
	}
	l.events = append(l.events, ev)
	if over := len(l.events) - keptEvents; over > 0 {
		l.events = slices.Delete(l.events, 0, over)
	}
	l.unwritten = &ev
}

// flush appends to the file what is not there yet.
func (l *eventLog) flush() error {
	if l.unwritten == nil || l.path == "" {
		return nil
	}
	line, err := encodeLine(*l.unwritten)
	if err != nil {
		return err
	}
	if err := appendFile(l.path, line); err != nil {
		return fmt.Errorf("appending to event log: %w", err)
	}
	l.unwritten = nil
	return nil
}

// has reports whether an event is in the log.
func (l *eventLog) has(id string) bool {
	for _, ev := range slices.Backward(l.events) {
		if ev.ID == id {
			return true
		}
	}
	return false
}

// newest returns at most limit events, the newest first.
func (l *eventLog) newest(limit int) []store.Event {
	n := max(0, min(limit, len(l.events)))
	out := slices.Clone(l.events[len(l.events)-n:])
	slices.Reverse(out)
	return out
}

// encodeLine encodes an event as one line.
func encodeLine(ev store.Event) ([]byte, error) {
	line, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", ev.ID, err)
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
