package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// beatDoc is a Beat as the members' hash holds it. It crosses the wire each second, so that it is kept short.
type beatDoc struct {
	Name    string    `json:"name"`
	Boot    string    `json:"boot"`
	Release string    `json:"release,omitempty"`
	Started time.Time `json:"started"`
	// Applied holds "revision id" by split.
	Applied map[string]string `json:"applied,omitempty"`
	// Active is absent in what earlier releases write.
	Active map[string]store.Activity `json:"active,omitzero"`
	// Files is absent in what earlier releases write.
	Files map[string]store.File `json:"files,omitzero"`
}

// encodeBeat encodes a beat; the same beat always to the same text.
func encodeBeat(beat store.Beat) ([]byte, error) {
	doc := beatDoc{Name: beat.Name, Boot: beat.Boot, Release: beat.Release, Started: beat.Started,
		Active: beat.Active, Files: beat.Files, Applied: make(map[string]string, len(beat.Applied))}
	for split, v := range beat.Applied {
		doc.Applied[split] = strconv.FormatUint(v.Revision, 10) + " " + v.ID
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode the beat of %s: %w", beat.MemberID, err)
	}
	return data, nil
}

// decodeBeat reads what encodeBeat wrote.
func decodeBeat(data string) (store.Beat, error) {
	var doc beatDoc
	if err := json.Unmarshal([]byte(data), &doc); err != nil {
		return store.Beat{}, err
	}
	beat := store.Beat{MemberID: store.MemberID{Name: doc.Name, Boot: doc.Boot}, Release: doc.Release,
		Started: doc.Started, Active: doc.Active, Files: doc.Files}
	if len(doc.Applied) > 0 {
		beat.Applied = make(map[string]splitter.Version, len(doc.Applied))
	}
	for split, text := range doc.Applied {
		number, id, _ := strings.Cut(text, " ")
		revision, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return store.Beat{}, fmt.Errorf("applied %.80q of split %.80q: must be a revision and an id", text, split)
		}
		beat.Applied[split] = splitter.Version{Revision: revision, ID: id}
	}
	return beat, nil
}

// parseMembers reads name/boot, clock and beat of each member. It also returns what is wrong with the beats that cannot be
// read, by name/boot: of those members nothing is known but that they live.
func parseMembers(reply any) ([]store.Member, map[string]string, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, nil, err
	}
	if len(flat)%3 != 0 {
		return nil, nil, unexpected(reply)
	}
	members, odd := make([]store.Member, 0, len(flat)/3), map[string]string{}
	for i := 0; i < len(flat); i += 3 {
		seen, err := parseMicros(flat[i+1])
		if err != nil {
			return nil, nil, err
		}
		beat, err := decodeBeat(flat[i+2])
		if err != nil {
			beat, odd[flat[i]] = store.Beat{}, err.Error()
		}
		beat.MemberID = parseMemberID(flat[i]) // it is who its key says
		members = append(members, store.Member{Beat: beat, Seen: seen})
	}
	slices.SortFunc(members, store.CompareMembers)
	return members, odd, nil
}

// Leave is one script.
func (s *Store) Leave(ctx context.Context, id store.MemberID) error {
	_, err := s.run(ctx, leaveScript, []string{s.keys.members(), s.keys.seen()}, id.String(),
		store.SilentAfter.Microseconds())
	return err
}
