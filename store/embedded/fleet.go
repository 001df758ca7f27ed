package embedded

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Pulse keeps the beat in memory: the fleet is this process. There is no break-glass inbox, hence no orders.
func (s *Store) Pulse(ctx context.Context, beat store.Beat) (store.Pulse, error) {
	if err := s.guard(ctx); err != nil {
		return store.Pulse{}, err
	}
	now := time.Now().UTC().Round(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(beat, now)
	pulse := store.Pulse{Now: now, Versions: s.versions(beat), HasSecret: s.secret != ""}
	if beat.ListMembers {
		pulse.Members = slices.SortedFunc(maps.Values(s.members), store.CompareMembers)
	}
	return pulse, nil
}

// note makes the beat the last of its member, and drops members unseen for long. Caller must hold s.mu.
func (s *Store) note(beat store.Beat, now time.Time) {
	beat.Applied, beat.Active, beat.Files = maps.Clone(beat.Applied), maps.Clone(beat.Active), maps.Clone(beat.Files)
	beat.ListMembers = false
	s.members[beat.MemberID] = store.Member{Beat: beat, Seen: now}
	maps.DeleteFunc(s.members, func(_ store.MemberID, m store.Member) bool {
		return now.Sub(m.Seen) > store.MemberKept
	})
}

// versions returns the stored versions that a beat asks for. Caller must hold s.mu.
func (s *Store) versions(beat store.Beat) map[string]splitter.Version {
	versions := make(map[string]splitter.Version, len(beat.Applied))
	for name := range beat.Applied {
		if sp, ok := s.splits[name]; ok {
			versions[name] = sp.state.Version
		}
	}
	return versions
}

// Leave forgets a member and its silent namesakes.
func (s *Store) Leave(ctx context.Context, id store.MemberID) error {
	if err := s.guard(ctx); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.members, func(other store.MemberID, m store.Member) bool {
		return other == id || other.Name == id.Name && m.IsSilent(now)
	})
	return nil
}

// Secret returns the secret, which is written to disk before anybody learns it.
func (s *Store) Secret(ctx context.Context, proposed string) (string, error) {
	if err := s.lockWriting(ctx); err != nil {
		return "", err
	}
	defer s.unlockWriting()
	s.mu.Lock()
	have := s.secret
	s.mu.Unlock()
	if have != "" {
		return have, nil
	}
	if proposed == "" {
		return "", store.ErrNoSecret
	}
	if err := s.disk.writeSecret(proposed); err != nil {
		return "", store.Unavailable(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = proposed
	return proposed, nil
}
