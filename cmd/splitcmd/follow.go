package splitcmd

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
)

const (
	// exportPage is how many events an export reads at once.
	exportPage = 500
	// againEvery is the pause before one who follows the log calls a proxy again that has gone.
	againEvery = time.Second
)

// followEvents prints the newest events, oldest first, and then each new one until ctx ends. A proxy that is away for a
// moment does not end it, and nothing is left out.
func (s *session) followEvents(ctx context.Context, split string, limit int) error {
	client := s.client.WithTap(nil) // there is no one document
	newest, err := client.Events(ctx, split, limit)
	if err != nil {
		return err
	}
	cursor := ""
	show := func(e control.Event) error {
		cursor = e.Cursor
		if s.json {
			return s.printLine(e)
		}
		s.printFollowed(e)
		return nil
	}
	slices.Reverse(newest.Events)
	for _, e := range newest.Events {
		if err := show(e); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		err := client.FollowEvents(ctx, split, cursor, show)
		if ctx.Err() == nil && exitCode(err) != exitUnreachable {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(againEvery):
		}
	}
	return nil
}

// printLine prints a value as one line of JSON.
func (s *session) printLine(v any) error {
	if err := s.setDocument(v); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n", s.document)
	s.document = nil
	return nil
}

// printFollowed prints one event in a line. Columns cannot be aligned with what is yet to come, so only the first two are.
func (s *session) printFollowed(e control.Event) {
	parts := []string{s.look.paint(s.look.time(e.At), subdued), s.look.paint(fmt.Sprintf("%-13s", printable(e.Kind)), eventColour(e.Kind))}
	for _, text := range []string{orDash(e.Actor), shift(e), e.Reason} {
		if text != "" {
			parts = append(parts, strings.ReplaceAll(printable(text), "\n", " "))
		}
	}
	fmt.Fprintln(s.out, strings.Join(parts, "  "))
}

// exportEvents prints all events that are kept, oldest first, one line of JSON each, as the API says them.
func (s *session) exportEvents(ctx context.Context, split string) error {
	client := s.client.WithTap(nil)
	for cursor := ""; ; {
		page, document, err := s.eventPage(ctx, client, split, cursor)
		if err != nil || len(page) == 0 {
			return err
		}
		if _, err := s.out.Write(document); err != nil {
			return fmt.Errorf("writing the events: %w", err)
		}
		next := page[len(page)-1].Cursor
		if next == cursor {
			return fmt.Errorf("%w: events without a cursor", control.ErrForeign)
		}
		cursor = next
	}
}

// eventPage reads the events after a cursor, and as which lines they came.
func (s *session) eventPage(ctx context.Context, client *control.Client, split, cursor string) ([]control.Event, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var document []byte
	page, err := client.WithTap(func(body []byte) { document = bytes.Clone(body) }).EventsAfter(ctx, split, cursor, exportPage)
	return page, document, err
}
