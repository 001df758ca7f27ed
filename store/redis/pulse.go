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
		s.inspector.soon()
		return store.Pulse{}, err
	}
	parsed, err := s.keys.parsePulse(reply.Val(), splits)
	if err != nil {
		return store.Pulse{}, err
	}
	if !beat.ListMembers {
		parsed.Members = nil
	}
	s.tell(parsed)
	s.doubt(beat.Applied, parsed.Versions)
	s.inspectIfDue()
	return parsed.Pulse, nil
}

// pulseKeys returns what the script touches.
func (s *Store) pulseKeys(splits []string) []string {
	names := make([]string, 0, 3+2*len(splits))
	names = append(names, s.keys.members(), s.keys.seen(), s.keys.secret())
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
	oddInboxes map[string]string // why an inbox cannot be read, by split
	oddMembers map[string]string // why a beat cannot be read, by name/boot
}

// parsePulse reads the script's reply: clock, versions, states that cannot be read, orders, inboxes that cannot be read,
// whether there is a secret, refusal, members.
func (k keys) parsePulse(reply any, splits []string) (pulse, error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 8 {
		return pulse{}, unexpected(reply)
	}
	clock, isText := parts[0].(string)
	hasSecret, isNumber := parts[5].(int64)
	refused, isTextToo := parts[6].(string)
	if !isText || !isNumber || !isTextToo {
		return pulse{}, unexpected(reply)
	}
	p := pulse{Pulse: store.Pulse{HasSecret: hasSecret == 1, Refused: refused}}
	var errs [5]error
	p.Now, errs[0] = parseMicros(clock)
	p.Versions, p.Corrupt, errs[1] = k.parseVersions(parts[1], parts[2], splits)
	p.Orders, errs[2] = parsePlaced(parts[3], splits)
	p.oddInboxes, errs[3] = parsePlaced(parts[4], splits)
	p.Members, p.oddMembers, errs[4] = parseMembers(parts[7])
	if err := errors.Join(errs[:]...); err != nil {
		return pulse{}, err
	}
	return p, nil
}

// parseVersions reads revision and id of each split; both are empty for one without a State. The splits of which the
// script or this function finds that their State cannot be read are returned apart, with the reason.
func (k keys) parseVersions(reply, unread any, splits []string) (map[string]splitter.Version, map[string]string, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, nil, err
	}
	if len(flat) != 2*len(splits) {
		return nil, nil, unexpected(reply)
	}
	corrupt, err := parsePlaced(unread, splits)
	if err != nil {
		return nil, nil, err
	}
	versions := make(map[string]splitter.Version, len(splits))
	for i, split := range splits {
		if _, isKnown := corrupt[split]; isKnown || flat[2*i] == "" && flat[2*i+1] == "" {
			continue
		}
		if versions[split], err = parseVersion(flat[2*i], flat[2*i+1]); err != nil {
			delete(versions, split)
			corrupt[split] = err.Error()
		}
	}
	for split, why := range corrupt {
		corrupt[split] = "key " + k.state(split) + ": " + why
	}
	return versions, corrupt, nil
}

// parseVersion reads a State's fields revision and id.
func parseVersion(text, id string) (splitter.Version, error) {
	revision, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(revision, 10) != text {
		return splitter.Version{}, fmt.Errorf("field revision %.40q: must be a whole number", text)
	}
	if id == "" {
		return splitter.Version{}, errors.New("field id is missing")
	}
	return splitter.Version{Revision: revision, ID: id}, nil
}

// parsePlaced reads {place of a split, text, …}, places counted from 1.
func parsePlaced(reply any, splits []string) (map[string]string, error) {
	flat, ok := reply.([]any)
	if !ok || len(flat)%2 != 0 {
		return nil, unexpected(reply)
	}
	texts := make(map[string]string, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		place, isNumber := flat[i].(int64)
		text, isText := flat[i+1].(string)
		if !isNumber || !isText || place < 1 || place > int64(len(splits)) {
			return nil, unexpected(reply)
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
