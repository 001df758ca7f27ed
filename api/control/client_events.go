package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxLine bounds one event that is followed, in bytes.
	maxLine = 1 << 20
	// maxSilence is how long a followed log may say nothing, not even an empty line.
	maxSilence = 3 * heartbeatEvery
)

// EventsAfter returns a split's events that follow the one with the given cursor, oldest first, at most limit (1 to 1000);
// with an empty cursor from the oldest that is kept.
func (c *Client) EventsAfter(ctx context.Context, split, cursor string, limit int) ([]Event, error) {
	query := url.Values{"after": {cursor}, "limit": {strconv.Itoa(limit)}}
	status, body, err := c.send(ctx, http.MethodGet, url.PathEscape(split)+"/events", query, nil, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, problemFrom(status, body)
	}
	var events []Event
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		var e Event
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return events, fmt.Errorf("%w: %w", ErrForeign, err)
		}
		events = append(events, e)
	}
}

// FollowEvents calls each with every event of a split that follows the one with the given cursor, as it comes, until each
// returns an error, which is returned, or ctx ends, which is none. When the proxy ends the answer or falls silent for 45 s
// the error wraps ErrUnreachable: the caller may go on after the last event's cursor.
func (c *Client) FollowEvents(ctx context.Context, split, cursor string, each func(Event) error) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(maxSilence, cancel)
	defer silence.Stop()
	query := url.Values{"after": {cursor}, "follow": {"1"}, "limit": {strconv.Itoa(maxEvents)}}
	resp, err := c.open(reading, http.MethodGet, url.PathEscape(split)+"/events", query, nil, nil)
	if err == nil {
		defer resp.Body.Close()
		err = c.readEvents(resp, silence, each)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// readEvents reads events from an answer until it ends. Each line, empty ones too, puts silence off.
func (c *Client) readEvents(resp *http.Response, silence *time.Timer, each func(Event) error) error {
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return unreachable(err)
		}
		return problemFrom(resp.StatusCode, body)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		silence.Reset(maxSilence)
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
		if c.tap != nil {
			c.tap(lines.Bytes())
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return unreachable(err)
	}
	return fmt.Errorf("%w: it ended its answer", ErrUnreachable)
}
