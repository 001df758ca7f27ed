package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

const (
	// followEvery is how often the log is asked for those who follow it.
	followEvery = time.Second
	// heartbeatEvery is how often an empty line is sent to those who follow a quiet log, so that either side notices when
	// the other has gone.
	heartbeatEvery = 15 * time.Second
	// lineLimit bounds how long one who follows may leave lines unread.
	lineLimit = 10 * time.Second
)

// eventLines answers GET {split}/events?after=CURSOR with the events after that one, oldest first, one JSON line each; an
// empty cursor means the oldest event that is kept. With ?follow=1 the answer goes on with each new event until the caller
// leaves, and without a cursor begins with the next one.
func (h *handler) eventLines(w http.ResponseWriter, r *http.Request, split string) error {
	limit, err := limitOf(r)
	if err != nil {
		return err
	}
	follow, err := followOf(r)
	if err != nil {
		return err
	}
	f := &follower{handler: h, r: r, split: split, cursor: r.URL.Query().Get("after"), limit: limit, lines: newLines(w)}
	newest, err := f.newest()
	if err != nil {
		return err
	}
	if follow && !r.URL.Query().Has("after") {
		f.cursor = newest
	}
	events, err := f.next()
	if errors.Is(err, store.ErrCursor) {
		return kindMalformed.problem("after: %v", err)
	}
	if err != nil {
		return err
	}
	f.lines.begin()
	err = f.tell(events)
	if err == nil && follow && r.Method != http.MethodHead {
		err = f.follow()
	}
	if err = errors.Join(err, f.lines.end()); err != nil && r.Context().Err() == nil {
		h.Failed(r, err)
	}
	return nil
}

// followOf reports whether the caller wants to follow the log: ?follow=1.
func followOf(r *http.Request) (bool, error) {
	text := r.URL.Query().Get("follow")
	if text == "" {
		return false, nil
	}
	follow, err := strconv.ParseBool(text)
	if err != nil {
		return false, kindMalformed.problem("follow %q: 1 or 0 is needed", text)
	}
	return follow, nil
}

// follower is one reader of a split's log.
type follower struct {
	*handler
	r      *http.Request
	split  string
	cursor string // of the last event told
	limit  int
	lines  lines
}

// newest returns the cursor of the latest event; empty if there is none. The error says if nobody knows the split.
func (f *follower) newest() (string, error) {
	events, err := f.Fleet.Events(f.r.Context(), f.split, 1)
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].Cursor, nil
}

// next returns the events that have not been told.
func (f *follower) next() ([]Event, error) {
	return f.Fleet.EventsAfter(f.r.Context(), f.split, f.cursor, f.limit)
}

// tell sends events, or nothing if there are none.
func (f *follower) tell(events []Event) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, e := range events {
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		f.cursor = e.Cursor
	}
	return f.lines.write(b.Bytes())
}

// follow tells of new events until the caller leaves, the server is about to go, or the split does. A store that is away
// is waited for.
func (f *follower) follow() error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	told := time.Now()
	for {
		select {
		case <-f.r.Context().Done():
			return nil
		case <-f.Done:
			return nil
		case now := <-ticker.C:
			events, err := f.next()
			switch {
			case errors.Is(err, rollout.ErrUnknownSplit):
				return nil
			case err == nil && len(events) > 0:
				err, told = f.tell(events), now
			case now.Sub(told) >= heartbeatEvery:
				err, told = f.lines.write([]byte("\n")), now
			default:
				err = nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// lines is an answer that is sent line by line, however long that takes.
type lines struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func newLines(w http.ResponseWriter) lines { return lines{w, http.NewResponseController(w)} }

// begin sends the answer's head.
func (l lines) begin() {
	h := l.w.Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	l.w.WriteHeader(http.StatusOK)
}

// write sends lines now. The server's own limits are for answers that end soon: that on reading would end the request,
// though nothing more is to be read.
func (l lines) write(text []byte) error {
	if err := supported(l.c.SetReadDeadline(time.Time{})); err != nil {
		return err
	}
	if err := supported(l.c.SetWriteDeadline(time.Now().Add(lineLimit))); err != nil {
		return err
	}
	if _, err := l.w.Write(text); err != nil {
		return err
	}
	return supported(l.c.Flush())
}

// end leaves the connection to its next answer.
func (l lines) end() error { return supported(l.c.SetWriteDeadline(time.Time{})) }

// supported returns err unless it is that a writer lacks something, as writers without a connection do.
func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
