package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Pulse is one script.
func (s *Store) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	doc, err := json.Marshal(beat)
	if err != nil {
		return store.Pulse{}, fmt.Errorf("encoding the beat of %s: %w", beat.MemberID, err)
	}
	splits := slices.Sorted(maps.Keys(beat.Applied))
	names := []string{s.keys.members()}
	for _, split := range splits {
		names = append(names, s.keys.state(split))
	}
	reply, err := s.run(ctx, pulseScript, names, beat.MemberID.String(), doc, store.MemberKept.Microseconds())
	if err != nil {
		return store.Pulse{}, err
	}
	pulse, err := parsePulse(reply.Val(), splits)
	if err != nil {
		return store.Pulse{}, corrupt(s.keys.members(), err)
	}
	return pulse, nil
}

// parsePulse reads the script's reply: clock, versions, members.
func parsePulse(reply any, splits []string) (store.Pulse, error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 3 {
		return store.Pulse{}, fmt.Errorf("unexpected reply: %v", reply)
	}
	clock, ok := parts[0].(string)
	if !ok {
		return store.Pulse{}, fmt.Errorf("unexpected clock: %v", parts[0])
	}
	now, err := parseMicros(clock)
	if err != nil {
		return store.Pulse{}, err
	}
	versions, err := parseVersions(parts[1], splits)
	if err != nil {
		return store.Pulse{}, err
	}
	members, err := parseMembers(parts[2])
	if err != nil {
		return store.Pulse{}, err
	}
	return store.Pulse{Now: now, Versions: versions, Members: members}, nil
}

// parseVersions reads revision and id of each split; both are empty for one without a State.
func parseVersions(reply any, splits []string) (map[string]splitter.Version, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, err
	}
	if len(flat) != 2*len(splits) {
		return nil, fmt.Errorf("versions of %d splits asked, %d fields received", len(splits), len(flat))
	}
	versions := make(map[string]splitter.Version, len(splits))
	for i, split := range splits {
		text, id := flat[2*i], flat[2*i+1]
		if text == "" && id == "" {
			continue
		}
		revision, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("revision of %q: %w", split, err)
		}
		versions[split] = splitter.Version{Revision: revision, ID: id}
	}
	return versions, nil
}

// parseMembers reads name/boot and beat of each member.
func parseMembers(reply any) ([]store.Member, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, err
	}
	members := make([]store.Member, 0, len(flat)/2)
	err = pairs(flat, func(id, value string) error {
		m, err := parseMemberValue(value)
		if err != nil {
			return fmt.Errorf("member %q: %w", id, err)
		}
		members = append(members, m)
		return nil
	})
	slices.SortFunc(members, store.CompareMembers)
	return members, err
}

// parseMemberValue reads "microseconds beat".
func parseMemberValue(value string) (store.Member, error) {
	var m store.Member
	clock, doc, found := strings.Cut(value, " ")
	if !found {
		return m, errors.New("must be microseconds and a beat")
	}
	seen, err := parseMicros(clock)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal([]byte(doc), &m.Beat); err != nil {
		return m, err
	}
	m.Seen = seen
	return m, nil
}

// parseMicros reads a time in microseconds since 1970.
func parseMicros(text string) (time.Time, error) {
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: %w", text, err)
	}
	return time.UnixMicro(micros).UTC(), nil
}

// stringsOf returns a reply's list of strings.
func stringsOf(reply any) ([]string, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("unexpected reply: %v", reply)
	}
	out := make([]string, len(list))
	for i, element := range list {
		if out[i], ok = element.(string); !ok {
			return nil, fmt.Errorf("unexpected element: %v", element)
		}
	}
	return out, nil
}

// Leave takes a member off the list.
func (s *Store) Leave(ctx context.Context, id store.MemberID) error {
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.client.HDel(ctx, s.keys.members(), id.String()).Err(); err != nil {
		return s.unavailable(err)
	}
	return nil
}
