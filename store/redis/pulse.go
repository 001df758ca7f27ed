package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Pulse is one script.
func (s *Store) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	doc, err := encodeBeat(beat)
	if err != nil {
		return store.Pulse{}, err
	}
	listMembers := 0
	if beat.ListMembers {
		listMembers = 1
	}
	splits := slices.Sorted(maps.Keys(beat.Applied))
	reply, err := s.run(ctx, pulseScript, s.pulseKeys(splits), beat.MemberID.String(), doc,
		store.MemberKept.Microseconds(), store.MaxOrder, listMembers)
	if err != nil {
		return store.Pulse{}, err
	}
	parsed, err := s.keys.parsePulse(reply.Val(), splits)
	if err != nil {
		return store.Pulse{}, err
	}
	if !beat.ListMembers {
		parsed.Members = nil
	}
	s.oddities.tell(s.logger, parsed.odd)
	s.inspectIfDue()
	return parsed.Pulse, nil
}

// pulseKeys returns what the script touches.
func (s *Store) pulseKeys(splits []string) []string {
	names := make([]string, 0, 2+2*len(splits))
	names = append(names, s.keys.members(), s.keys.seen())
	for _, split := range splits {
		names = append(names, s.keys.state(split))
	}
	for _, split := range splits {
		names = append(names, s.keys.inbox(split))
	}
	return names
}

// pulse is the script's reply.
type pulse struct {
	store.Pulse
	odd map[string]string // why an inbox cannot be read, by split
}

// parsePulse reads the script's reply: clock, versions, orders, odd inboxes, refusal, members.
func (k keys) parsePulse(reply any, splits []string) (pulse, error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 6 {
		return pulse{}, unexpected(reply)
	}
	clock, isText := parts[0].(string)
	refused, isTextToo := parts[4].(string)
	if !isText || !isTextToo {
		return pulse{}, unexpected(reply)
	}
	now, errNow := parseMicros(clock)
	versions, errVersions := k.parseVersions(parts[1], splits)
	orders, errOrders := parsePlaced(parts[2], splits)
	odd, errOdd := parsePlaced(parts[3], splits)
	members, errMembers := k.parseMembers(parts[5])
	if err := errors.Join(errNow, errVersions, errOrders, errOdd, errMembers); err != nil {
		return pulse{}, err
	}
	return pulse{store.Pulse{Now: now, Versions: versions, Orders: orders, Refused: refused, Members: members}, odd}, nil
}

// parseVersions reads revision and id of each split; both are empty for one without a State.
func (k keys) parseVersions(reply any, splits []string) (map[string]splitter.Version, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, err
	}
	if len(flat) != 2*len(splits) {
		return nil, unexpected(reply)
	}
	versions := make(map[string]splitter.Version, len(splits))
	for i, split := range splits {
		text, id := flat[2*i], flat[2*i+1]
		if text == "" && id == "" {
			continue
		}
		revision, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, corrupt(k.state(split), fmt.Errorf("field revision: %w", err))
		}
		versions[split] = splitter.Version{Revision: revision, ID: id}
	}
	return versions, nil
}

// parsePlaced reads {place of a split, text, …}, places counted from 1; nil if there is nothing.
func parsePlaced(reply any, splits []string) (map[string]string, error) {
	flat, ok := reply.([]any)
	if !ok || len(flat)%2 != 0 {
		return nil, unexpected(reply)
	}
	var texts map[string]string
	for i := 0; i < len(flat); i += 2 {
		place, isNumber := flat[i].(int64)
		text, isText := flat[i+1].(string)
		if !isNumber || !isText || place < 1 || place > int64(len(splits)) {
			return nil, unexpected(reply)
		}
		if texts == nil {
			texts = map[string]string{}
		}
		texts[splits[place-1]] = text
	}
	return texts, nil
}

// parseMicros reads a time in microseconds since 1970.
func parseMicros(text string) (time.Time, error) {
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: time %q: must be microseconds since 1970", store.ErrCorrupt, text)
	}
	return time.UnixMicro(micros).UTC(), nil
}

// unexpected is the error of a reply that no script of this package makes.
func unexpected(reply any) error {
	return fmt.Errorf("%w: unexpected reply %v", store.ErrCorrupt, reply)
}

// stringsOf returns a reply's list of strings.
func stringsOf(reply any) ([]string, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, unexpected(reply)
	}
	out := make([]string, len(list))
	for i, element := range list {
		if out[i], ok = element.(string); !ok {
			return nil, unexpected(reply)
		}
	}
	return out, nil
}
